"""Writes the one line that signs a build in to Docker Hub."""

from __future__ import annotations

import re
from typing import get_args

from remediator.core.buildspec.phases import Shell
from remediator.core.buildspec.yaml_text import BuildspecError


def login_command(shell: Shell, username_variable: str, password_variable: str) -> str:
    """One line that signs in to Docker Hub and never fails a build; BuildspecError for an unknown shell or a bad name.

    It does nothing where a variable is unset or empty or docker is missing, leaves docker's own answer in the log, and
    changes nothing in the shell. YAML takes it without quotes: no colon or number sign beside a blank, no single quote.

    posix: the subshell ends `set -x` before a value is used; `printf` is part of the shell, so that the password is
    in no list of processes. powershell: the pipe ends the password with a line break, which `docker login` drops
    (https://github.com/docker/cli/blob/master/cli/command/registry/login.go); to write without one would take a process
    object of .NET. Windows PowerShell pipes ASCII only, which tokens of Docker Hub are. The assignment at the end makes
    `$?` true, also where docker is missing or fails.
    """
    if shell not in get_args(Shell):
        raise BuildspecError("there is a login for the shells posix and powershell only")
    for name in (username_variable, password_variable):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise BuildspecError("the variables of the credentials need names of letters, digits and underscores")
    if shell == "powershell":
        username, password = f"$env:{username_variable}", f"$env:{password_variable}"
        return (
            f"if ({username} -and {password} -and (Get-Command docker -ErrorAction SilentlyContinue)) "
            f"{{ try {{ {password} | docker login --username {username} --password-stdin }} catch {{ }} }} ; "
            "$global:LASTEXITCODE = 0"
        )
    return (
        "( set +x; if command -v docker >/dev/null 2>&1 "
        f'&& [ -n "${{{username_variable}:-}}" ] && [ -n "${{{password_variable}:-}}" ]; '
        f'then printf %s "${password_variable}" | docker login --username "${username_variable}" --password-stdin; '
        "fi ) || true"
    )
