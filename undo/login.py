"""Finds the login of a repair in an inline buildspec, as one piece of text whose removal changes nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from remediator.core.buildspec.insertion import Insertion, adds_only
from remediator.core.buildspec.phases import PHASES, BuildspecText
from remediator.core.buildspec.yaml_text import BuildspecError
from remediator.core.repair.change import AddDockerLogin

_KEYS = (r"\s*commands:\s*", rf"\s*({'|'.join(PHASES)}):\s*")
"""The lines above the login that a repair writes where the phase had no commands, or was not there."""


def find_login(buildspec: str, logins: frozenset[str], recorded: Iterable[str]) -> AddDockerLogin | None:
    """The change that put the login there; None where there is none, or where it was edited since.

    `logins` are the login's lines, one for each shell. `recorded` are the texts that the journal says were inserted;
    without one only a login on a line of its own is found.
    """
    for text in recorded:
        command = _added(buildspec, text)
        if command:
            return AddDockerLogin(0, text, command, "")
    for text in _own_lines(buildspec, logins):
        command = _added(buildspec, text)
        if command in logins:
            return AddDockerLogin(0, text, command, "")
    return None


def _added(buildspec: str, text: str) -> str:
    """The one command that this text adds to the buildspec; empty where it adds something else, or is not there."""
    without = Insertion(0, text).revert(buildspec) if text else None
    if without is None:
        return ""
    before, after = BuildspecText(without), BuildspecText(buildspec)
    try:
        first = [(phase.name, phase.commands[0]) for phase in after.says.phases if phase.commands]
        return next((command for phase, command in first if adds_only(command, phase, before.root, after)), "")
    except BuildspecError:
        return ""


def _own_lines(buildspec: str, logins: frozenset[str]) -> Iterator[str]:
    """Each line that is a login, with its keys above where they have nothing else; the most lines first."""
    lines = buildspec.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip().removeprefix("- ") not in logins:
            continue
        first, texts = number, [line]
        for key in _KEYS:
            if first == 0 or not re.fullmatch(key, lines[first - 1]):
                break
            first -= 1
            texts.append(lines[first] + texts[-1])
        yield from reversed(texts)
