"""Lays advice out: what a person has to change, where, why, and the lines to paste."""

from __future__ import annotations

import textwrap

from remediator.core.wording import harmless

NAME_LENGTH = 256
VALUE_LENGTH = 2048
"""Longer than what AWS accepts as the ARN of a secret, a policy or an object, so that none of them is cut."""


def artefact(what: str, *, where: str, why: str, paste: str = "") -> str:
    """An advice in its fixed layout; `paste` holds the lines to paste, empty when there are none. Any part may hold
    words of other people: none can begin a line of its own or send a command to a terminal."""
    head = f"{_printable(what)}\nwhere: {_printable(where)}\nwhy: {_printable(why)}"
    lines = "\n".join(harmless(line).rstrip() for line in paste.split("\n")).strip("\n")
    return f"{head}\n\n{lines}" if lines else head


def one_line(text: str, length: int = NAME_LENGTH) -> str:
    """Somebody else's words as one printable line of at most `length` characters."""
    return _printable(text)[:length]


def as_item(login: str) -> str:
    """A command as an item of a buildspec's list, in a block, where no character of it has a meaning to YAML."""
    lines = textwrap.dedent(login).strip()
    if not lines or lines.startswith("- "):
        return lines
    return "- |\n" + textwrap.indent(lines, "  ")


def _printable(text: str) -> str:
    return harmless(text).strip()
