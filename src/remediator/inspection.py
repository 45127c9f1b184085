"""Finds out from a failed build's log whether a pull was throttled: few reads, and patience with a log that is late."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import ClientError

from remediator.aws.buildlog import MOST_PAGES, BuildLog
from remediator.aws.client import code_of, is_transient, message_of
from remediator.core.build import Build
from remediator.core.buildlog import (
    MARKS,
    PHASE_END,
    SIGN_IN_MARKS,
    Finding,
    LogLine,
    LogPlace,
    announces_command,
    end_of,
    failed_command,
    may_hold_evidence,
    throttle_in,
)
from remediator.core.diagnosis import NOT_INSPECTED
from remediator.core.evidence import WORDS, Throttle
from remediator.core.failure import BuildFailure
from remediator.core.snapshot import Document, Snapshot, in_repository
from remediator.services import Services

LATE = (20, 70)
"""Seconds before the second and the third look at a log that lacks the agent's line on the failed phase: nothing says
how far a log may lag behind the event. Together they stay below two minutes."""


def inspect(failure: BuildFailure, services: Services, patience: tuple[int, ...] = LATE) -> Finding:
    """What the log says about a failed command, with at most four pages of it searched and one read.

    The event usually names the log; where it does not, the build's own record is asked.
    """
    if not services.settings.inspect_build_logs:
        return NOT_INSPECTED
    place, why = failure.log, ""
    if place is None:
        place, why = _place_of(services.codebuild.build(failure.build))
    if place is None:
        return Finding(unread=why)
    log = BuildLog(services.logs, place)
    pages, why = MOST_PAGES, ""
    for delay in (0, *patience):
        services.pause(delay)
        try:
            lines, used = _search(log, failure.phase, pages)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                return _unreadable(error)
            lines, used, why = [], 1, "CloudWatch Logs has no log under the name that the build gives"
        said = failed_command(lines, failure.phase)
        if said is not None:
            return Finding(_throttle(log, lines, said, failure))
        pages -= used
        if pages <= 0:
            break
    return Finding(unread=why or f"its log lacks the line on the end of {failure.phase}", late=True)


def pushes_by_itself(build: Build, project: Document, services: Services) -> bool | None:
    """Do the project's builds sign in to a registry or push to Docker Hub? None when that can't be told.

    Asked of the logs of the failed build and of the newest one that passed, and only where the buildspec is in the
    repository, because nobody here can read it.
    """
    if not in_repository(Snapshot(project).buildspec):
        return None
    builds = services.codebuild.latest_builds(str(project["name"]))
    passed = next((one for one in builds if one.status == "SUCCEEDED"), None)
    if passed is None:
        return None
    shown = {_signs_in_or_pushes(one, services) for one in (build, passed)}
    if True in shown:
        return True
    return None if None in shown else False


def _signs_in_or_pushes(build: Build, services: Services) -> bool | None:
    place, _ = _place_of(build)
    if place is None:
        return None
    seen = False
    try:
        for lines, is_all in BuildLog(services.logs, place).search((*SIGN_IN_MARKS, PHASE_END)):
            if any(mark in line.text for line in lines for mark in SIGN_IN_MARKS):
                return True
            # A log whose lines have expired shows nothing, which proves nothing.
            seen = seen or bool(lines)
            if is_all:
                return False if seen else None
    except ClientError as error:
        if is_transient(error):
            raise
    return None


def _place_of(build: Build | None) -> tuple[LogPlace | None, str]:
    if build is None:
        return None, "CodeBuild knows no such build"
    return build.failure.log, build.why_no_log


def _search(log: BuildLog, phase: str, pages: int) -> tuple[list[LogLine], int]:
    """The words and the agent's lines, back to where the failed command was announced; and how many pages it took."""
    lines: list[LogLine] = []
    used = 0
    for page, _ in log.search((*WORDS, *MARKS), pages):
        used += 1
        lines = [*page, *lines]
        said = failed_command(lines, phase)
        if said and announces_command(said[0]):
            break
    return lines, used


def _throttle(log: BuildLog, lines: list[LogLine], said: Sequence[LogLine], failure: BuildFailure) -> Throttle | None:
    """What the words tell depends on the lines beside them, so where some are, all lines are read."""
    if not may_hold_evidence(said):
        return None
    end = end_of(lines, failure.phase)
    whole = log.until(said[0].at, lines[end or -1].at)
    return throttle_in(failed_command(whole, failure.phase) or [], failure.context)


def _unreadable(error: ClientError) -> Finding:
    if is_transient(error):
        raise error
    return Finding(unread=f"its log can't be read: {message_of(error)}")
