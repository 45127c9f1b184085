"""Decides what the result of a retried build says about the repair."""

from __future__ import annotations

from enum import StrEnum

from remediator.core.build import Build
from remediator.core.evidence import Throttle, find_throttle
from remediator.core.failure import COMMAND_PHASES

_ORDER = ("PROVISIONING", "DOWNLOAD_SOURCE", *COMMAND_PHASES)


class Verdict(StrEnum):
    """What became of a retried build; only the first two say that the credentials work."""

    PASSED = "passed"
    PAST_PULL = "past-pull"
    THROTTLED = "throttled"
    SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105 - the name of a verdict
    BEFORE_PULL = "before-pull"
    STOPPED = "stopped"
    RUNNING = "running"


def verdict(build: Build, phase: str = "PROVISIONING", throttle: Throttle | None = None) -> Verdict:
    """Read one retried build; `phase` is where the first build failed, `throttle` what the retried one's log shows.

    A secret that can't be read comes first: it fails a build that got past its pull.
    """
    if not build.ended:
        return Verdict.RUNNING
    if build.status == "SUCCEEDED":
        return Verdict.PASSED
    if build.status == "STOPPED":
        return Verdict.STOPPED
    if build.cannot_read_secret:
        return Verdict.SECRET_UNREADABLE
    if throttle:
        return Verdict.THROTTLED
    if not build.past_pull:
        return Verdict.THROTTLED if find_throttle(build.failure.context) else Verdict.BEFORE_PULL
    # A command that fails before the phase of the one that pulled tells nothing about the pull.
    before = build.failure.phase in _ORDER[: _ORDER.index(phase)]
    return Verdict.BEFORE_PULL if before else Verdict.PAST_PULL
