"""Finds the one insertion that makes a login the first command of a phase, and checks that it does nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from remediator.core.buildspec.phases import BuildspecText
from remediator.core.buildspec.yaml_text import LONGEST_BUILDSPEC, BuildspecError, Node, TooLong
from remediator.core.value import value


@value
class Insertion:
    """The one edit: this text at this index, in characters."""

    at: int
    text: str

    def apply(self, buildspec: str) -> str:
        return buildspec[: self.at] + self.text + buildspec[self.at :]

    def revert(self, buildspec: str) -> str | None:
        """The buildspec without the inserted text, wherever it stands by now; None unless it stands there once."""
        first = buildspec.find(self.text)
        if first < 0 or buildspec.find(self.text, first + 1) >= 0:
            return None
        return buildspec[:first] + buildspec[first + len(self.text) :]


@value
class LoginAdded:
    """The insertion of a login, and the buildspec `after` it."""

    insertion: Insertion
    after: BuildspecText


def insertion_into(buildspec: BuildspecText, phase: str, login: str, before: str) -> LoginAdded | None:
    """The login as the first command of a phase; None where one piece of text can't do it. A phase that is missing is
    added `before` the phase of that name. TooLong where CodeBuild would refuse the new text."""
    pair = buildspec.root.own("phases")
    if pair is None or pair[1].kind != "Mapping" or pair[1].aliased:
        return None
    insertion = _Editor(buildspec.text, pair[1], login).insertion(phase, before)
    if insertion is None:
        return None
    after = BuildspecText(insertion.apply(buildspec.text))
    if len(after.text) > LONGEST_BUILDSPEC:
        raise TooLong("with a login it has")
    return LoginAdded(insertion, after) if adds_only(login, phase, buildspec.root, after) else None


def adds_only(login: str, phase: str, root: Node, after: BuildspecText) -> bool:
    """Does the new text say all that the root says, and run the login before the phase's commands?"""
    try:
        *new_rest, new_commands = _parts(after.root, phase)
    except BuildspecError:
        return False
    *rest, commands = _parts(root, phase)
    if not new_commands or new_commands[1:] != commands or new_rest != rest:
        return False
    added = new_commands[0]
    return (added.kind, added.value, added.tag, added.anchor) == ("Scalar", login, None, None)


def _parts(root: Node | None, name: str) -> tuple[Node | None, Node | None, list[Node], list[Node]]:
    """A buildspec in parts: all but its phases, the other phases, the phase's other keys, and its commands. A phase or
    its commands that are missing, null or empty are the same."""
    rest, phases = _without(root, "phases")
    other_phases, phase = _without(phases, name)
    other_keys, commands = _without(phase, "commands")
    return rest, other_phases, _items(other_keys, "Mapping"), _items(commands, "Sequence")


def _without(node: Node | None, name: str) -> tuple[Node | None, Node | None]:
    """A mapping without a name, and the name's value."""
    pair = node.own(name) if node else None
    if node is None or pair is None:
        return node, None
    others = [child for child in node.children if child is not pair[0] and child is not pair[1]]
    return replace(node, children=others), pair[1]


def _items(node: Node | None, kind: str) -> list[Node]:
    if node is None or node.is_null:
        return []
    return node.children if node.kind == kind else [node]


class _Editor:
    """Tells which text goes where, for every way in which a phase and its commands may be written."""

    def __init__(self, text: str, phases: Node, login: str) -> None:
        self.text = text
        self.phases = phases
        self.login = login
        self.quoted = json.dumps(login)
        self.line_end = next(iter(re.findall(r"\r\n?|\n", text)), "\n")
        self.step = self._step()

    def insertion(self, name: str, before: str) -> Insertion | None:
        pair = self.phases.own(name)
        if pair is None:
            return self._new_phase(name, before)
        key, phase = pair
        if phase.is_null and not phase.aliased:
            return self._below(key, ["commands:", f"{self.step}- {self.login}"])
        return self._into(phase) if phase.kind == "Mapping" and not phase.aliased else None

    def _new_phase(self, name: str, before: str) -> Insertion | None:
        if self.phases.own("<<"):
            return None  # the phase may be there already, under an alias
        pair = self.phases.own(before)
        at = pair[0].start if pair else self.phases.children[0].start
        entry = f"{_key(name, self.phases)}: {{{_key('commands', self.phases)}: [{self.quoted}]}}"
        lines = [f"{name}:", f"{self.step}commands:", f"{self.step}{self.step}- {self.login}"]
        return self._before(at, self.phases, entry, lines)

    def _into(self, phase: Node) -> Insertion | None:
        """Into a phase that is there and has no alias."""
        pair = phase.own("commands")
        if pair is None:
            return None if phase.own("<<") else self._new_commands(phase)
        key, commands = pair
        if commands.aliased:
            return None
        if commands.is_null:
            return self._below(key, [f"- {self.login}"])
        if commands.kind == "Sequence":
            return self._first_item(commands)
        return self._around(key) if commands.kind == "Scalar" and commands.value and not commands.tag else None

    def _new_commands(self, phase: Node) -> Insertion | None:
        at = phase.children[0].start if phase.children else phase.end
        entry = f"{_key('commands', phase)}: [{self.quoted}]"
        return self._before(at, phase, entry, ["commands:", f"{self.step}- {self.login}"])

    def _first_item(self, commands: Node) -> Insertion | None:
        if commands.style:
            at = commands.children[0].start if commands.children else commands.end
        else:
            at = commands.end if self.text.startswith("-", commands.end) else commands.end - 1
        return self._before(at, commands, self.quoted, [f"- {self.login}"])

    def _around(self, key: Node) -> Insertion | None:
        """A list in place of the phase's one command, which becomes the second item."""
        colon = re.compile(r"[ \t]*:").match(self.text, key.end)
        indent = self._indent(key.start)
        if colon is None or indent is None:
            return None
        new_line = self.line_end + indent
        return Insertion(colon.end(), f"{new_line}- {self.login}{new_line}-")

    def _below(self, key: Node, lines: list[str]) -> Insertion | None:
        """Lines for a key that has no value yet, below its own, where a comment may stand."""
        indent = self._indent(key.start)
        if indent is None:
            return None
        ends = (self.text.find(sign, key.end) for sign in "\r\n")
        end = min((end for end in ends if end >= 0), default=len(self.text))
        return Insertion(end, "".join(f"{self.line_end}{indent}{self.step}{line}" for line in lines))

    def _before(self, at: int, parent: Node, entry: str, lines: list[str]) -> Insertion | None:
        """Before what stands at this index in a list or mapping: lines, or an entry where that is in brackets."""
        if not parent.style:
            return self._lines(at, lines)
        if not parent.children:
            return Insertion(at, entry)
        return self._lines(at, [f"{entry},"]) or Insertion(at, f"{entry}, ")

    def _lines(self, at: int, lines: list[str]) -> Insertion | None:
        """Lines before the one that begins at this index, indented like it; None where no line begins there."""
        indent = self._indent(at)
        if indent is None:
            return None
        return Insertion(at - len(indent), "".join(f"{indent}{line}{self.line_end}" for line in lines))

    def _indent(self, at: int) -> str | None:
        """The blanks between the beginning of the line and this index; None where something else stands there."""
        start = at
        while start and self.text[start - 1] in " \t":
            start -= 1
        return self.text[start:at] if start and self.text[start - 1] in "\n\r" else None

    def _step(self) -> str:
        """How much deeper a phase's keys are indented than its name."""
        for key, phase in self.phases.pairs:
            if phase.kind == "Mapping" and phase.children:
                outer, inner = self._indent(key.start), self._indent(phase.children[0].start)
                if outer is not None and inner is not None and len(inner) > len(outer):
                    return inner[len(outer) :]
        return "  "


def _key(name: str, mapping: Node) -> str:
    """A key for a mapping in braces: JSON has its keys in quotes."""
    return f'"{name}"' if not mapping.children or mapping.children[0].style == '"' else name
