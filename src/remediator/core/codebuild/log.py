"""Where a build's log is, and one line of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A log stream of CloudWatch Logs."""

    group: str
    stream: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event of a log stream; `at` is in milliseconds since 1970."""

    at: int
    text: str
