"""The error for input that somebody has to correct: it names the field, the value and what is allowed."""

from __future__ import annotations

from typing import Any

from remediator.core.wording import harmless

SHOWN = 120
"""How many characters of a wrong value are shown: enough to recognise it, too few to flood a log."""


class BadInput(ValueError):
    """A field of an event, command or setting has a value that is not allowed; nothing was changed.

    A field that a command does not have is named by whoever sent it.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = _short(harmless(field))
        self.value = shown(value)
        self.allowed = allowed
        super().__init__(f"{self.field}: {self.value} is not allowed; {allowed}. Nothing was changed.")

    def to_json(self) -> dict[str, Any]:
        return {"error": str(self), "field": self.field, "value": self.value, "allowed": self.allowed}


def shown(value: object) -> str:
    """A short form of any value that is safe in a one-line message (control characters escaped)."""
    if value is None:
        return "nothing"
    return _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
