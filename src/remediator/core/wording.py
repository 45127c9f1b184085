"""Words that people read: nothing that a terminal would obey, and times as UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_TERMINAL_SEQUENCE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)?|[@-Z\\^_]?)"


def harmless(text: str) -> str:
    """The text without terminal sequences and invisible characters; every kind of blank is one space."""
    if text.isprintable():
        return text
    text = re.sub(_TERMINAL_SEQUENCE, "", text)
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)


def moment(seconds: float) -> str:
    """`2026-11-27 05:10 UTC` for seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
