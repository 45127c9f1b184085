"""Where a build's log is, and one line of it."""

from __future__ import annotations

from remediator.core.value import value


@value
class LogPlace:
    """A log stream of CloudWatch Logs."""

    group: str
    stream: str


@value
class LogLine:
    """One event of a log stream; `at` is in milliseconds since 1970."""

    at: int
    text: str
