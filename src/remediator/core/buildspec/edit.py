"""Adds one guarded docker login to a buildspec, as text; nothing else of it changes."""

from __future__ import annotations

from remediator.core.buildspec.docker_commands import signs_in_to_docker_hub
from remediator.core.buildspec.insertion import LoginAdded, insertion_into
from remediator.core.buildspec.login_line import login_command
from remediator.core.buildspec.phases import PHASES, BuildspecText, Shell
from remediator.core.buildspec.shell_commands import program_name
from remediator.core.buildspec.yaml_text import BuildspecError, Node
from remediator.core.names import PASSWORD_VARIABLE, USERNAME_VARIABLE

__all__ = ["BuildspecError", "add_login", "find_login_place", "shell_named"]

_SHELLS: dict[str, Shell] = {
    "powershell": "powershell",
    "pwsh": "powershell",
    **dict.fromkeys(("sh", "bash", "dash", "ash", "ksh", "zsh"), "posix"),
}
"""The login for the program that `env.shell` names."""


def shell_named(program: str) -> Shell | None:
    """Which login suits the shell that a buildspec names; None where there is none for it."""
    return _SHELLS.get(program_name(program))


def find_login_place(
    buildspec: BuildspecText,
    *,
    shell: Shell = "posix",
    username_variable: str = USERNAME_VARIABLE,
    password_variable: str = PASSWORD_VARIABLE,
) -> LoginAdded | None:
    """Where to add the login, and as which text; None when some command signs in to Docker Hub already.

    `shell` counts where the buildspec's `env.shell` names none. BuildspecError when the text is no buildspec, runs no
    commands, or has no place for the login before all others.
    """
    said = buildspec.says
    if any(map(signs_in_to_docker_hub, {script for phase in said.phases for script in phase.scripts})):
        return None
    if not any(phase.commands for phase in said.phases):
        raise BuildspecError("no phase of this buildspec has commands")
    if program_name(said.shell) == "cmd":
        raise BuildspecError("the commands of this buildspec run in cmd.exe, for which there is no login")
    login = login_command(shell_named(said.shell) or shell, username_variable, password_variable)
    first, places = _places(buildspec.root)
    for place in places:
        added = insertion_into(buildspec, place, login, before=first)
        if added:
            return added
    raise BuildspecError(
        "no place was found where one line signs in before the other commands and changes nothing else"
    )


def add_login(text: str, *, shell: Shell = "posix", **variables: str) -> str:
    """The buildspec with a guarded login to Docker Hub before its other commands; the same text if it has a login.

    Every line stays as it is, with two exceptions. A list or mapping on one line gets the login into it. A phase's
    single command that is no list is split from its key, and becomes the second item of a list.
    `shell`, `variables` and errors are those of `find_login_place`.
    """
    added = find_login_place(BuildspecText(text), shell=shell, **variables)
    return text if added is None else added.after.text


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
    """Has it commands or a `finally`? Items that are no text count too."""
    values = (phase.get("commands"), phase.get("finally"))
    return any(value.children or (value.kind == "Scalar" and not value.is_null) for value in values if value)


def _is_better_left(phase: Node) -> bool:
    """One command that is no list is left as it is. But a user's login (run-as) has to stand in the user's phase."""
    commands = phase.get("commands")
    return commands is not None and commands.kind == "Scalar" and not phase.get("run-as")
