"""Tells whether a repair of ours is in a build or a project, and with which line a project's commands sign in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from remediator.core.buildspec.edit import Buildspec, BuildspecError, Shell, add_login, login_command, shell_named
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot, is_inline
from remediator.core.repair.change import refers
from remediator.core.repair.sign_in import SignIn


def signed_in(build: Build, phase: str, sign_in: SignIn) -> bool:
    """Does this build carry the credentials of a repair where they matter, in the phase whose pull was throttled?"""
    if phase == "PROVISIONING":
        return sign_in.signs_in_image(build.environment)
    return signs_in(build.environment, build.buildspec, sign_in)


def same_buildspec(build: Build, snapshot: Snapshot, sign_in: SignIn) -> bool:
    """Did the build run the project's buildspec, or the one that the project had before its repair?"""
    ran = build.buildspec
    if ran == snapshot.buildspec:
        return True
    if not is_inline(ran):
        return False
    try:
        return _with_login(ran, snapshot, sign_in) == snapshot.buildspec
    except BuildspecError:
        return False


def signs_in(environment: Mapping[str, Any], buildspec: str, sign_in: SignIn) -> bool:
    """Is a repair of ours in this environment, or in this buildspec?"""
    ours = {sign_in.auth_config_variable: sign_in.auth_config_reference}
    variables = environment.get("environmentVariables") or []
    if any(refers(variable, ours) for variable in variables):
        return True
    if not is_inline(buildspec):
        return False
    spec = _read(buildspec)
    logins = [login_of(shell, sign_in) for shell in get_args(Shell)]
    if spec is None or not any(command in logins for phase in spec.phases for command in phase.commands):
        return False
    there = {str(v.get("name")) for v in variables if refers(v, sign_in.references)}
    there |= {name for name, value in spec.variables if sign_in.references.get(name) == value}
    return there >= set(sign_in.references)


def shell_of(snapshot: Snapshot, named: str) -> Shell:
    """The shell that runs the commands; BuildspecError for one that no login line is written for."""
    if not named:
        return "powershell" if str(snapshot.environment.get("type", "")).startswith("WINDOWS") else "posix"
    shell = shell_named(named)
    if shell is None:
        raise BuildspecError("it names a shell that is neither sh, bash nor PowerShell")
    return shell


def login_of(shell: Shell, sign_in: SignIn) -> str:
    return login_command(shell, sign_in.username_variable, sign_in.password_variable)


def _with_login(text: str, snapshot: Snapshot, sign_in: SignIn) -> str:
    return add_login(
        text,
        shell=shell_of(snapshot, Buildspec.parse(text).shell),
        username_variable=sign_in.username_variable,
        password_variable=sign_in.password_variable,
    )


def _read(text: str) -> Buildspec | None:
    try:
        return Buildspec.parse(text)
    except BuildspecError:
        return None
