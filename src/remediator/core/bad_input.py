"""The error for input that somebody has to correct: it names the field, the value and what is allowed."""

from __future__ import annotations

from typing import Any

SHOWN = 120
"""How many characters of a wrong value are shown: enough to recognise it, too few to flood a log."""


class BadInput(ValueError):
    """A field of an event, command or setting has a value that is not allowed; nothing was changed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = shown(value)
        self.allowed = allowed
        super().__init__(f"{field}: {self.value} is not allowed; {allowed}. Nothing was changed.")

    def to_json(self) -> dict[str, Any]:
        return {"error": str(self), "field": self.field, "value": self.value, "allowed": self.allowed}


def shown(value: object) -> str:
    """A short form of any value that is safe in a one-line message (control characters escaped)."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
