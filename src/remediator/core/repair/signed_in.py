"""Tells whether a build or a project holds a repair of ours, and with which line a project's commands sign in.

What reads buildspecs is imported where it is used: a failed pull of the build's own image does not need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from remediator.core.buildspec.phases import Buildspec, BuildspecText, Shell
from remediator.core.buildspec.yaml_text import BuildspecError
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import is_inline
from remediator.core.repair.change import refers
from remediator.core.repair.sign_in import SignIn

Environment = Mapping[str, Any]
"""A build environment, of a project or a build."""


def signed_in(build: Build, phase: str, sign_in: SignIn, ran: BuildspecText | None = None) -> bool:
    """Does this build carry the credentials of a repair where they matter, in the phase whose pull was throttled?

    `ran` is its buildspec where somebody has read that already.
    """
    if phase == "PROVISIONING":
        return sign_in.signs_in_image(build.environment)
    return signs_in(build.environment, ran or BuildspecText(build.buildspec), sign_in)


def signs_in(environment: Environment, buildspec: BuildspecText, sign_in: SignIn) -> bool:
    """Does this environment, or this buildspec, hold a repair of ours?"""
    variables = environment.get("environmentVariables") or []
    if any(refers(variable, {sign_in.auth_config_variable: sign_in.auth_config_reference}) for variable in variables):
        return True
    says = readable(buildspec)
    if not says or login_lines(sign_in).isdisjoint(command for phase in says.phases for command in phase.commands):
        return False
    there = {str(v.get("name")) for v in variables if refers(v, sign_in.references)}
    there |= {name for name, value in says.variables if sign_in.references.get(name) == value}
    return there >= set(sign_in.references)


def readable(buildspec: BuildspecText) -> Buildspec | None:
    """What an inline buildspec says; None for one that is kept elsewhere, or that nobody can read."""
    try:
        return buildspec.says if is_inline(buildspec.text) else None
    except BuildspecError:
        return None


def same_buildspec(ran: BuildspecText, project: BuildspecText, environment: Environment, sign_in: SignIn) -> bool:
    """Did the build run the project's buildspec, or the one that the project had before its repair?"""
    if ran.text == project.text:
        return True
    if not is_inline(ran.text):
        return False
    from remediator.core.buildspec.edit import find_login_place

    try:
        shell = shell_of(environment, ran.says.shell)
        added = find_login_place(ran, shell=shell, **sign_in.variable_names)
    except BuildspecError:
        return False
    return added is not None and added.after.text == project.text


def shell_of(environment: Environment, named: str = "") -> Shell:
    """The shell that runs the commands: the one that a buildspec has `named`, else that of the environment's type.

    BuildspecError for one that no login line is written for.
    """
    if not named:
        return "powershell" if str(environment.get("type", "")).startswith("WINDOWS") else "posix"
    from remediator.core.buildspec.edit import shell_named

    shell = shell_named(named)
    if shell is None:
        raise BuildspecError("it names a shell that is neither sh, bash nor PowerShell")
    return shell


def login_of(shell: Shell, sign_in: SignIn) -> str:
    from remediator.core.buildspec.login_line import login_command

    return login_command(shell, **sign_in.variable_names)


def login_lines(sign_in: SignIn) -> frozenset[str]:
    """The login of a repair, for each shell."""
    return frozenset(login_of(shell, sign_in) for shell in get_args(Shell))
