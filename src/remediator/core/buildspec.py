"""Adds one guarded docker login to a buildspec, as text; nothing else of it changes."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.core.docker import docker_acts, signs_in_to_docker_hub
from remediator.core.insertion import Insertion, insertion_into
from remediator.core.login_line import login_command
from remediator.core.phases import PHASES, Buildspec, Phase, Shell, read_mapping
from remediator.core.shell import program_name
from remediator.core.sign_in_faults import sign_in_faults
from remediator.core.yaml_text import LONGEST_BUILDSPEC, BuildspecError, Node

__all__ = [
    "LONGEST_BUILDSPEC",
    "Buildspec",
    "BuildspecError",
    "Insertion",
    "Phase",
    "add_login",
    "find_insertion",
    "login_command",
    "sign_in_faults",
]


def find_insertion(
    text: str,
    *,
    shell: Shell = "posix",
    username_variable: str = "DOCKERHUB_USERNAME",
    password_variable: str = "DOCKERHUB_PASSWORD",  # noqa: S107 - the name of a variable
) -> Insertion | None:
    """Where to add the login, and as which text; None when some command signs in to Docker Hub already.

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
    login = login_command(shell, username_variable, password_variable)
    for place, phase in _places(root, buildspec):
        insertion = insertion_into(text, root, place, login, before=phase)
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
    """The buildspec with a guarded login to Docker Hub before its other commands; the same text if it has a login."""
    insertion = find_insertion(
        text, shell=shell, username_variable=username_variable, password_variable=password_variable
    )
    return text if insertion is None else insertion.apply(text)


def _places(root: Node, buildspec: Buildspec) -> Iterator[tuple[str, str]]:
    """Phases that may begin with the login, the best first, and the phase that it is there for.

    That is the first phase that runs something, or one before it. Where these can't be edited, it is the next, as
    long as no docker command has run.
    """
    for phase in buildspec.phases:
        if not phase.scripts:
            continue
        earlier = list(reversed(PHASES[: PHASES.index(phase.name)]))
        places = [*earlier, phase.name] if _is_better_left(root, phase) else [phase.name, *earlier]
        yield from ((place, phase.name) for place in places)
        if any(map(docker_acts, set(phase.scripts))):
            return


def _is_better_left(root: Node, phase: Phase) -> bool:
    """One command that is no list is left as it is, unless its phase has a user, whose login has to stand there."""
    phases = root.get("phases")
    node = phases.get(phase.name) if phases else None
    commands = node.get("commands") if node else None
    return node is not None and commands is not None and commands.kind == "Scalar" and not node.get("run-as")
