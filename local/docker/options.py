"""Tells a docker command's options from its arguments."""

from __future__ import annotations

from typing import NamedTuple


class Given(NamedTuple):
    """`options` by their name as typed (`-t`, `--tag`), each with every value; `arguments` in order."""

    options: dict[str, list[str]]
    arguments: list[str]

    def every(self, *names: str) -> list[str]:
        """All values of an option, whatever it was called."""
        return [value for name in names for value in self.options.get(name, [])]

    def last(self, *names: str) -> str:
        """The value that counts; empty when the option was not given."""
        values = self.every(*names)
        return values[-1] if values else ""

    def has(self, *names: str) -> bool:
        return any(name in self.options for name in names)


def parse(args: list[str], switches: frozenset[str], *, until_argument: bool = False) -> Given:
    """An option takes a value unless it is one of `switches`; `until_argument`: what follows the first is its own."""
    options: dict[str, list[str]] = {}
    arguments: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--" or (until_argument and arguments):
            arguments += ([] if word == "--" else [word]) + rest
            break
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        name, value, whole = _option(word, switches)
        if not whole:
            value = rest.pop(0) if rest else ""
        options.setdefault(name, []).append(value)
    return Given(options, arguments)


def _option(word: str, switches: frozenset[str]) -> tuple[str, str, bool]:
    """Name, value, and whether that is all: `-it` and `--rm` are switches, `-uNAME` and `--tag=x` have their value."""
    if word.startswith("--") or len(word) == len("-x"):
        name, equals, value = word.partition("=")
        return name, value, bool(equals) or name in switches
    name, value = word[:2], word[2:]
    return name, "" if name in switches else value.removeprefix("="), True
