"""Decides what the result of a retried build says about the repair."""

from __future__ import annotations

from enum import StrEnum

from remediator.core.build import Build
from remediator.core.evidence import find_throttle


class Verdict(StrEnum):
    """What became of a retried build; only the first two say that the credentials work."""

    PASSED = "passed"
    PAST_PULL = "past-pull"
    THROTTLED = "throttled"
    SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105 - the name of a verdict
    BEFORE_PULL = "before-pull"
    STOPPED = "stopped"
    RUNNING = "running"


def verdict(build: Build) -> Verdict:
    """Read one retried build. A secret that can't be read comes first: it fails a build that got past its pull."""
    if not build.ended:
        return Verdict.RUNNING
    if build.status == "SUCCEEDED":
        return Verdict.PASSED
    if build.status == "STOPPED":
        return Verdict.STOPPED
    if build.cannot_read_secret:
        return Verdict.SECRET_UNREADABLE
    if build.past_pull:
        return Verdict.PAST_PULL
    return Verdict.THROTTLED if find_throttle(build.failure.context) else Verdict.BEFORE_PULL
