"""What the demo prints: colour and progress on a terminal, plain lines without one."""

from __future__ import annotations

import difflib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "grey": 90, "bold": 1}


class Screen:
    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._coloured = out.isatty() and "NO_COLOR" not in os.environ
        self._start = time.monotonic()

    def paint(self, text: str, colour: str) -> str:
        return f"\033[{COLOURS[colour]}m{text}\033[0m" if self._coloured else text

    def say(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)

    def title(self, text: str) -> None:
        self.say()
        self.say(self.paint(text, "bold"))

    def event(self, seconds: float, who: str, what: str, colour: str = "blue") -> None:
        """One thing that happened, at `seconds` after the case began."""
        self.say(f"  {self.paint(f'{seconds:6.1f} s', 'grey')}  {self.paint(f'{who:<11}', colour)} {what}")

    def claim(self, name: str, text: str, holds: bool) -> None:
        mark = self.paint("holds ", "green") if holds else self.paint("BROKEN", "red")
        self.say(f"  {mark}  {name:<15} {text}")

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Say what is going on, and how long it took."""
        began = time.monotonic()
        if self._coloured:
            print(f"  {what} …", end="\r", file=self._out, flush=True)
        yield
        self.say(
            f"  {what} {self.paint(f'({time.monotonic() - began:.1f} s)', 'grey')}\033[K".removesuffix(
                "" if self._coloured else "\033[K"
            )
        )

    def difference(self, before: Any, after: Any) -> None:
        """Two JSON documents as a diff of their lines; a text of several lines is shown as a list of them."""
        old, new = (json.dumps(_in_lines(one), indent=2, sort_keys=True).splitlines() for one in (before, after))
        for line in list(difflib.unified_diff(old, new, "before", "after", lineterm="", n=2)):
            colour = {"+": "green", "-": "red", "@": "blue"}.get(line[:1])
            self.say("    " + (self.paint(line, colour) if colour else line))


def _in_lines(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_lines(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_in_lines(inner) for inner in value]
    return value.splitlines() if isinstance(value, str) and "\n" in value else value
