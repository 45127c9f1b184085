"""Adds one guarded docker login to a buildspec, as text; nothing else of it changes."""

from __future__ import annotations

from remediator.core.buildspec.docker_commands import signs_in_to_docker_hub
from remediator.core.buildspec.insertion import Insertion, insertion_into
from remediator.core.buildspec.login_faults import sign_in_faults
from remediator.core.buildspec.login_line import login_command
from remediator.core.buildspec.phases import PHASES, Buildspec, Phase, Shell, read_mapping
from remediator.core.buildspec.shell_commands import program_name
from remediator.core.buildspec.yaml_text import LONGEST_BUILDSPEC, BuildspecError, Node

__all__ = [
    "LONGEST_BUILDSPEC",
    "Buildspec",
    "BuildspecError",
    "Insertion",
    "Phase",
    "Shell",
    "add_login",
    "find_insertion",
    "login_command",
    "shell_named",
    "sign_in_faults",
]

_SHELLS: dict[str, Shell] = {
    "powershell": "powershell",
    "pwsh": "powershell",
    **dict.fromkeys(("sh", "bash", "dash", "ash", "ksh", "zsh"), "posix"),
}
"""The login for the program that `env.shell` names."""


def shell_named(program: str) -> Shell | None:
    """Which login suits the shell that a buildspec names; None where there is none for it."""
    return _SHELLS.get(program_name(program))


def find_insertion(
    text: str,
    *,
    shell: Shell = "posix",
    username_variable: str = "DOCKERHUB_USERNAME",
    password_variable: str = "DOCKERHUB_PASSWORD",  # noqa: S107 - the name of a variable
) -> Insertion | None:
    """Where to add the login, and as which text; None when some command signs in to Docker Hub already.

    `shell` is what runs the commands where the text's own `env.shell` does not tell.
    BuildspecError when the text is no buildspec, runs no commands, or has no place for the login ahead of all others.
    """
    root = read_mapping(text)
    buildspec = Buildspec.of(root)
    if any(map(signs_in_to_docker_hub, {script for phase in buildspec.phases for script in phase.scripts})):
        return None
    if not any(phase.commands for phase in buildspec.phases):
        raise BuildspecError("no phase of this buildspec has commands")
    if program_name(buildspec.shell) == "cmd":
        raise BuildspecError("the commands of this buildspec run in cmd.exe, for which there is no login")
    login = login_command(shell_named(buildspec.shell) or shell, username_variable, password_variable)
    first, places = _places(root)
    for place in places:
        insertion = insertion_into(text, root, place, login, before=first)
        if insertion:
            return insertion
    raise BuildspecError(
        "no place was found where one line signs in before the other commands and changes nothing else"
    )


def add_login(
    text: str,
    *,
    shell: Shell = "posix",
    username_variable: str = "DOCKERHUB_USERNAME",
    password_variable: str = "DOCKERHUB_PASSWORD",  # noqa: S107 - the name of a variable
) -> str:
    """The buildspec with a guarded login to Docker Hub before its other commands; the same text if it has a login.

    Every line stays as it is, but for two: that of a list or mapping on one line, into which the login goes, and that
    of a first phase's single command, which is split where the command begins, to make it the second item of a list.
    Errors and `shell` as for `find_insertion`.
    """
    insertion = find_insertion(
        text, shell=shell, username_variable=username_variable, password_variable=password_variable
    )
    return text if insertion is None else insertion.apply(text)


def _places(root: Node) -> tuple[str, list[str]]:
    """The first phase that has anything to run, and the phases that may begin with the login, the best first."""
    phases = root.get("phases")
    for number, name in enumerate(PHASES):
        node = phases.get(name) if phases else None
        if node and _has_items(node):
            earlier = list(reversed(PHASES[:number]))
            return name, [*earlier, name] if _is_better_left(node) else [name, *earlier]
    return "", []


def _has_items(phase: Node) -> bool:
    """Has it commands or a `finally`, were it only items that are no text?"""
    values = (phase.get("commands"), phase.get("finally"))
    return any(value.children or (value.kind == "Scalar" and not value.is_null) for value in values if value)


def _is_better_left(phase: Node) -> bool:
    """One command that is no list is left as it is, unless its phase has a user, whose login has to stand there."""
    commands = phase.get("commands")
    return commands is not None and commands.kind == "Scalar" and not phase.get("run-as")
