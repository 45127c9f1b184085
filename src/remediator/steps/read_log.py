"""Finds out from a failed build's log whether a pull was throttled: few reads, and patience with a log that is late."""

from __future__ import annotations

from botocore.exceptions import ClientError

from remediator.aws.buildlog import MOST_PAGES, BuildLog
from remediator.aws.client import code_of, message_of, raise_if_transient
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import COMMAND_PHASES, BuildFailure
from remediator.core.codebuild.log import LogLine
from remediator.core.codebuild.project import Document, Snapshot, in_repository
from remediator.core.diagnosis.diagnosis import NOT_INSPECTED
from remediator.core.diagnosis.failed_command import (
    DENIED,
    MARKS,
    PHASE_END,
    SIGN_IN_MARKS,
    FailedCommand,
    Finding,
    Said,
)
from remediator.core.diagnosis.throttle import WORDS
from remediator.services import Services

LATE = (20, 70)
"""Seconds before the second and the third look at a log that lacks the agent's line on the failed phase: how late a log
may be is not documented. Together they stay below two minutes."""

MOST_PASSED = 5
"""Builds that passed: the newest one alone may be a pull request's, which pushes nothing."""


def inspect(failure: BuildFailure, services: Services, patience: tuple[int, ...] = LATE) -> Finding:
    """What the log says about a failed command, with at most four pages of it searched and one read.

    The event usually names the log; where it does not, the build's own record is asked.
    """
    if not services.settings.inspect_build_logs:
        return NOT_INSPECTED
    place = failure.log
    if place is None:
        build = services.codebuild.build(failure.build)
        place = build.failure.log if build else None
        if place is None:
            return Finding(unread=build.why_no_log if build else "CodeBuild knows no such build")
    try:
        return _look(BuildLog(services.logs, place), failure, services, patience)
    except ClientError as error:
        raise_if_transient(error)
        if code_of(error) == "ResourceNotFoundException":
            return Finding(unread="CloudWatch Logs has no log under the name that the build gives", late=True)
        return Finding(unread=f"its log can't be read: {message_of(error)}", denied=True)


def inspect_build(build: Build, services: Services) -> Finding:
    """The same by a build's own record, without patience: Intake has waited for a late log, or a person asks."""
    failure = build.failure
    if failure.of_command:
        return inspect(failure, services, patience=())
    return Finding(unread="no command failed in it") if failure.phase in COMMAND_PHASES else NOT_INSPECTED


def _look(log: BuildLog, failure: BuildFailure, services: Services, patience: tuple[int, ...]) -> Finding:
    command = FailedCommand.of(failure.phase, failure.context)
    pages = MOST_PAGES
    for delay in (0, *patience):
        services.pause(delay)
        said, used = _search(log, command, WORDS, pages)
        if said is not None:
            return _finding(log, command, said)
        pages -= used
        if pages <= 0:
            break
    return Finding(unread=f"its log lacks the line on the end of {failure.phase}", late=True)


def _search(
    log: BuildLog, command: FailedCommand, words: tuple[str, ...], pages: int = MOST_PAGES
) -> tuple[Said | None, int]:
    """What the words and the agent's lines tell, back to where the command was announced, and the pages it took."""
    lines: list[LogLine] = []
    said, used = None, 0
    for page, _ in log.search((*words, *MARKS), pages):
        used += 1
        lines = [*page, *lines]
        said = command.said(lines)
        if said and said.whole:
            break
    return said, used


def _finding(log: BuildLog, command: FailedCommand, said: Said) -> Finding:
    """What the words mean depends on the lines beside them: where there are some, all lines are read."""
    if not said.hold(WORDS):
        return Finding()
    all_said = command.said(log.until(said.lines[0].at, said.ended))
    if all_said is None:
        return Finding(unread="what its log holds could not be read again")
    return Finding(command.throttle(all_said.lines))


def pushes_by_itself(build: Build, project: Document, services: Services) -> bool | None:
    """Do the project's builds sign in to a registry or push to Docker Hub? None when that can't be told.

    The logs of the failed build and of the newest ones that passed tell, where a command failed and the buildspec is in
    the repository, where nobody here can read it.
    """
    if not build.failure.of_command or not in_repository(Snapshot(project).buildspec):
        return None
    try:
        builds = services.codebuild.latest_builds(str(project["name"]))
        passed = [one for one in builds if one.status == "SUCCEEDED" and _ran_the_projects_own(one, project)]
        if not passed:
            return None
        shown = {_signs_in_or_pushes(one, services) for one in (build, *passed[:MOST_PASSED])}
    except ClientError as error:
        raise_if_transient(error)
        return None
    if True in shown:
        return True
    return None if None in shown else False


def was_denied(build: Build, services: Services) -> bool:
    """Did the command that failed say that docker was denied something? False also where the log can't tell."""
    failure = build.failure
    if failure.log is None:
        return False
    try:
        command = FailedCommand.of(failure.phase, failure.context)
        said, _ = _search(BuildLog(services.logs, failure.log), command, DENIED)
    except ClientError as error:
        raise_if_transient(error)
        return False
    return said is not None and said.hold(DENIED)


def login_shown(build: Build, services: Services) -> bool:
    """Does the log show that docker accepted our login? That is the first command, so the search begins at the log's
    head. False also where the log can't tell."""
    from remediator.core.verdict.proof import LOGIN_MARKS, shows_login

    place = build.failure.log
    if place is None or not services.settings.inspect_build_logs:
        return False
    lines: list[LogLine] = []
    try:
        for page, _ in BuildLog(services.logs, place).search(LOGIN_MARKS, newest_first=False):
            lines += page
            if shows_login(lines, services.settings.sign_in):
                return True
    except ClientError as error:
        raise_if_transient(error)
    return False


def _signs_in_or_pushes(build: Build, services: Services) -> bool | None:
    """Does a line of the build's log tell of that? None when the log can't tell."""
    place, seen = build.failure.log, False
    if place is None:
        return None
    for lines, is_all in BuildLog(services.logs, place).search((*SIGN_IN_MARKS, PHASE_END)):
        if any(mark in line.text for line in lines for mark in SIGN_IN_MARKS):
            return True
        # A log whose lines have expired shows nothing, which proves nothing.
        seen = seen or bool(lines)
        if is_all:
            return False if seen else None
    return None


def _ran_the_projects_own(build: Build, project: Document) -> bool:
    """Did it run what the project's builds run, without an override?"""
    ran, source = build.document.get("source") or {}, project.get("source") or {}
    same_source = all(ran.get(member) == source.get(member) for member in ("type", "location"))
    return same_source and build.buildspec == Snapshot(project).buildspec
