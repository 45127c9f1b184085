"""Decides what the result of a retried build says about the repair."""

from __future__ import annotations

from enum import StrEnum

from remediator.core.build import Build
from remediator.core.buildlog import Finding
from remediator.core.diagnosis import NOT_INSPECTED
from remediator.core.evidence import Cause, find_throttle
from remediator.core.failure import COMMAND_PHASES

_ORDER = ("PROVISIONING", "DOWNLOAD_SOURCE", *COMMAND_PHASES)


class Verdict(StrEnum):
    """What became of a retried build; only the first two say that the credentials work."""

    PASSED = "passed"
    PAST_PULL = "past-pull"
    THROTTLED = "throttled"
    UNTOLD = "untold"
    BUILDSPEC_UNREADABLE = "buildspec-unreadable"
    SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105 - the name of a verdict
    BEFORE_PULL = "before-pull"
    STOPPED = "stopped"
    RUNNING = "running"


def verdict(build: Build, phase: str = "PROVISIONING", finding: Finding = NOT_INSPECTED) -> Verdict:
    """Read one retried build; `phase` is where the first build failed, `finding` what the retried one's log says.

    What our own change may have broken comes first: it fails a build that got past its pull.
    """
    if not build.ended:
        return Verdict.RUNNING
    if build.status == "SUCCEEDED":
        return Verdict.PASSED
    if build.status == "STOPPED":
        return Verdict.STOPPED
    if build.cannot_read_secret:
        return Verdict.SECRET_UNREADABLE
    if build.cannot_read_buildspec and phase in COMMAND_PHASES:
        return Verdict.BUILDSPEC_UNREADABLE
    if finding.throttle and finding.throttle.cause is not Cause.OTHER_REGISTRY:
        return Verdict.THROTTLED
    if not build.past_pull:
        return Verdict.THROTTLED if find_throttle(build.failure.context) else Verdict.BEFORE_PULL
    # A command that fails before the phase of the one that pulled tells nothing about the pull.
    if build.failure.phase in _ORDER[: _ORDER.index(phase)]:
        return Verdict.BEFORE_PULL
    if finding.unread and build.failure.phase == phase:
        return Verdict.UNTOLD
    return Verdict.PAST_PULL
