"""Runs a failed build again with CodeBuild's own calls and looks at what becomes of it; each method is a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from remediator.aws.client import code_of, message_of
from remediator.core.case import Case
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import COMMAND_PHASES, FAILED_STATUSES, BuildArn
from remediator.core.codebuild.project import Snapshot
from remediator.core.diagnosis.diagnosis import NOT_INSPECTED
from remediator.core.diagnosis.failed_command import Finding
from remediator.core.diagnosis.throttle import find_throttle
from remediator.core.guards.history import started_by
from remediator.core.job import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.signed_in import signed_in
from remediator.core.retry.way import Way
from remediator.core.verdict.verdict import Verdict, verdict
from remediator.services import Services
from remediator.steps.read_log import inspect_build, login_shown, was_denied

Json = dict[str, Any]

CLOCK_SKEW = 30
"""Seconds by which this function's clock may differ from CodeBuild's."""

TOKEN_LIVES = 240
"""Seconds for which an idempotency token surely counts: CodeBuild remembers it for five minutes."""

LATE_LOOKS = 2
"""Further looks at a log that is late."""

LATE_RETRIES = 8
"""Further looks for a retry of CodeBuild's own that is due and not there: some failures it does not retry."""


class NotStarted(Exception):
    """AWS refused to start a build, so there is none to look for."""


def go_on_unless_stopped(services: Services) -> None:
    """NotStarted while the stop switch is on."""
    stop = services.switch.stopped()
    if stop:
        raise NotStarted(stop)


class Rerun:
    def __init__(self, order: Order, services: Services) -> None:
        self._order = order
        self._services = services
        self._settings = services.settings

    def retry(self, case: Case, number: int, subject: BuildArn) -> Json:
        """Run the build again; the caller sees to it that this runs once. `old`: with the settings it failed with.

        `number` counts the retries of this execution, `subject` is the build that failed last.
        """
        if case.retry.way is Way.RETRY_BUILD:
            go_on_unless_stopped(self._services)
            token = self._token(number)
            return self._taken(answered(lambda: self._services.codebuild.retry_build(subject, token)), case)
        return self.start(case, number, subject)

    def start(self, case: Case, number: int, subject: BuildArn) -> Json:
        """Start a build with the project's settings and the overrides that the failed one had."""
        go_on_unless_stopped(self._services)
        project, token = self._order.build.project, f"{self._token(number)}-start"
        codebuild, overrides = self._services.codebuild, self._overrides(case, subject)
        started = answered(
            lambda: codebuild.start_build(project, case.source_version, token, dict(overrides)), quote=not overrides
        )
        return self._taken(started, case)

    def stop(self, build: str) -> None:
        """Stop a build that runs with the settings that the first one failed with."""
        self._services.codebuild.stop_build(BuildArn.parse(build))

    def find(self, again: Callable[[], Json], case: Case, known: tuple[str, ...], since: float) -> Json | None:
        """The build that an interrupted start may have started; None when there is none.

        `since` is a time before which it was not asked for. While CodeBuild remembers the token, `again`, the same
        request, answers with the same build, or starts the one that had not been started. After that, and where the
        request can't be made again, the newest builds are looked through, for one that is ours by its initiator.
        """
        if self._services.now() - since < TOKEN_LIVES:
            with suppress(NotStarted):
                return again()
        for build in self._services.codebuild.latest_builds(self._order.build.project):
            started = self._started(build, case)
            who = (case.initiator,) if case.retry.way is Way.RETRY_BUILD else ()  # nobody says who RetryBuild shows
            ours = started_by(build.initiator, self._services.own_name) or build.initiator in who
            ours = ours and started["build"] not in known
            version = build.document.get("sourceVersion") or None
            same = version in (case.source_version, case.asked_version)
            if ours and same and build.started_at >= since - CLOCK_SKEW and self._adopt(started["build"]):
                return started
        return None

    def look(self, state: Json, case: Case) -> Json:
        """Look at the build once: its verdict so far, its own retries by CodeBuild followed.

        A log that is late gets a few looks more.
        """
        build = self._services.codebuild.build(BuildArn.parse(state["build"]))
        if build is None:
            return {**state, **not_shown(state)}
        failed = build.ended and build.status in FAILED_STATUSES
        if failed and build.next_auto_retry:
            return {**state, "build": build.next_auto_retry, "late": 0}
        if failed and build.auto_retry_due and state["late"] < LATE_RETRIES:
            return {**state, "late": state["late"] + 1}
        return self.judged(build, state, case)

    def judged(self, build: Build, state: Json, case: Case) -> Json:
        """The state with what this build tells."""
        failed = build.ended and build.status in FAILED_STATUSES
        finding = inspect_build(build, self._services) if failed else NOT_INSPECTED
        if finding.late and state["late"] < LATE_LOOKS + LATE_RETRIES:
            return {**state, "late": max(state["late"], LATE_RETRIES) + 1}
        found = verdict(build, case.phase, finding, self._settings.sign_in.secret_arn)
        passed = found in (Verdict.PASSED, Verdict.PAST_PULL)
        return {
            **state,
            "build": str(build.document["arn"]),
            "verdict": found.value,
            "told": _told(build, finding),
            # Only a plan with DOCKER_AUTH_CONFIG has something to say otherwise.
            "denied": found is Verdict.PAST_PULL and bool(case.otherwise) and was_denied(build, self._services),
            "phase": build.failure.phase,
            "started_at": build.started_at,
            "old": build.ended and self._is_old(build, case),
            "proof": self._proof(build, case) if passed else "",
            "at": self._services.now(),
        }

    def _proof(self, build: Build, case: Case) -> str:
        from remediator.core.verdict.proof import proof

        sign_in = self._settings.sign_in
        shown = case.phase in COMMAND_PHASES and login_shown(build, self._services)
        return proof(build, case.phase, sign_in, shown)

    def _overrides(self, case: Case, subject: BuildArn) -> Mapping[str, Any]:
        """Read again, because their values are nobody's business; as far as nobody has edited the project since."""
        if not case.retry.overrides:
            return {}
        from remediator.core.retry.overrides import overrides_of

        codebuild = self._services.codebuild
        build, project = codebuild.build(subject), codebuild.project(self._order.build.project)
        history = self._services.journal.history(self._order.build.project)
        if build is None or project is None or history.edited_before(Snapshot(project)) != case.edited_at:
            raise NotStarted("the project was edited meanwhile, so the overrides of its build can't be told any more")
        return overrides_of(build, Snapshot(project), self._settings.sign_in).request

    def _taken(self, build: Build, case: Case) -> Json:
        started = self._started(build, case)
        with suppress(ClientError):  # the build runs, and this execution follows it all the same
            self._adopt(started["build"])
            if build.auto_retry_due:
                started["whole"] = key = f"chain#{build.failure.build.id}"
                self._services.journal.take(key, self._order.execution, self._services.now())
        return started

    def _adopt(self, build: str) -> bool:
        """The build is this execution's, whoever CodeBuild shows as its initiator; False where it is another's."""
        order, arn = self._order, BuildArn.parse(build)
        reason = f"the build is a retry of {order.build.id} by the execution {order.execution}, which follows it"
        entry = Outcome(Ending.SKIPPED, reason, quiet=True).entry(arn.project, build)
        return self._services.journal.adopt(arn, order.execution, entry, self._services.now())

    def _token(self, number: int) -> str:
        return f"{self._order.build.uuid}-{self._order.attempt}-{number}"

    def _started(self, build: Build, case: Case) -> Json:
        old = case.retry.way is Way.RETRY_BUILD and self._is_old(build, case)
        return {"build": str(build.document["arn"]), "old": old, "at": self._services.now()}

    def _is_old(self, build: Build, case: Case) -> bool:
        """Does it run with the settings that the first one failed with? Where nothing was changed, these are all."""
        return not case.waits and not signed_in(build, case.phase, self._settings.sign_in)


def not_shown(state: Json) -> Json:
    """CodeBuild may not know yet what it has just started; what it still does not know later is gone."""
    if state["late"] < LATE_LOOKS:
        return {"late": state["late"] + 1}
    return {"verdict": Verdict.STOPPED.value, "phase": "", "started_at": 0.0}


def _told(build: Build, finding: Finding) -> str:
    throttle = finding.throttle or find_throttle(build.failure.context)
    return throttle.excerpt if throttle else finding.unread


def answered(start: Callable[[], Any], *, quote: bool = True) -> Any:
    """A refusal is an answer; a lost one, or an error of AWS's own, may have been a build that was started.

    AWS's message may quote a value of the request, and what is raised here is for everybody to read: without `quote`
    only the error's code is told.
    """
    try:
        return start()
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            raise
        raise NotStarted((message_of(error) if quote else "") or code_of(error)) from None
    except ParamValidationError:
        raise NotStarted("its record holds a value that StartBuild does not take") from None
