"""Runs a failed build again with CodeBuild's own calls and looks at what becomes of it; each method is a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from remediator.aws.client import NotNow, NotStarted, code_of, is_transient, message_of
from remediator.core.case import Case
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import COMMAND_PHASES, FAILED_STATUSES, BuildArn
from remediator.core.codebuild.project import Snapshot
from remediator.core.diagnosis.diagnosis import NOT_INSPECTED
from remediator.core.diagnosis.throttle import find_throttle
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.guards.history import started_by
from remediator.core.job import Job
from remediator.core.names import CLOCK_SKEW
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.signed_in import signed_in
from remediator.core.retry.way import Way
from remediator.core.value import value
from remediator.core.verdict.verdict import Verdict, Watched, verdict
from remediator.services import Services
from remediator.steps.read_log import inspect_build, login_shown, was_denied
from remediator.steps.rerun.order import Order
from remediator.steps.still_allowed import Busy, still_allowed

TOKEN_LIVES = 240
"""Seconds for which an idempotency token surely counts: CodeBuild remembers it for five minutes."""

_LIMIT = "AccountLimitExceededException"
"""Too many builds run, or wait in the queue: that passes."""

LATE_LOOKS = 2
"""Further looks at a log that is late."""

LATE_RETRIES = 8
"""Further looks for a retry of CodeBuild's own that is due and not there: some failures it does not retry."""


@value
class Started:
    """What runs again. `build` is its ARN, `at` when it was known (seconds since 1970), `unit` the key of its retry
    unit, empty for none. `old`: does it run with the settings that the first one failed with? Of a batch: its id, the
    group whose build counts, and how many minutes it may take."""

    build: str = ""
    at: float = 0.0
    old: bool = False
    unit: str = ""
    batch: str = ""
    group: str = ""
    minutes: int = 0


@value
class NotYet:
    """AWS starts nothing right now, and says why; asked `at` (seconds since 1970)."""

    why: str
    at: float = 0.0


def refused_now(case: Case, job: Job, services: Services) -> NotYet | Outcome | None:
    """Asked right before a retry: the outcome where that is not allowed any more, None where it is. Where that can't be
    read nothing is started, so there is nothing to look for."""
    try:
        allowed = still_allowed(case, job.build.project, job.execution, services)
    except (BotoCoreError, ClientError) as error:
        why = f"whether it still may be can't be read: {error}"
        if not is_transient(error):
            raise NotStarted(why) from None
        return NotYet(why, services.now())
    match allowed:
        case Busy(doing):
            return NotYet(f"other executions {doing}", services.now())
        case Outcome():
            return not_run_again(case, allowed, services.settings.scope.stack)
    return None


def not_run_again(case: Case, objection: Outcome, stack: str) -> Outcome:
    """The outcome where something keeps a build from being run again that was to be."""
    reason = f"the build was not run again: {objection.reason}"
    if case.waits:  # nothing was changed for it
        return objection.with_facts(reason=reason)
    project = BuildArn.parse(case.failed.build).project
    undo = f"`./remediator undo {project} --stack {stack}` shows how the repair is taken back, should that be wanted"
    return objection.with_facts(
        ending=Ending.PATCHED, reason=f"the project is signed in; {reason}", advice=(*objection.advice, undo)
    )


Answer = Started | NotYet | Outcome
"""What becomes of a start."""


@value
class Rerun:
    job: Job
    services: Services

    def attempt(self, start: Callable[[], Answer], case: Case, known: tuple[str, ...]) -> Answer:
        """Start it, unless the job's build is superseded by now. `known` are ARNs of builds, and ids of batches,
        that this execution started before."""
        at = self.services.now()
        try:
            refused = Order(self.job, self.services).objection(case, known)
        except Exception as error:
            if not is_transient(error):
                raise
            return NotYet(f"whether a newer build was started can't be seen: {error}", at)
        try:
            return refused or start()
        except NotNow as busy:
            return NotYet(str(busy), at)

    def retry(self, case: Case, number: int, subject: BuildArn) -> Answer:
        """Run the build again, maybe with the settings that the first one failed with; the caller runs this only once.
        `number` counts this execution's retries, `subject` is the build that failed last."""
        if case.retry.way is not Way.RETRY_BUILD:
            return self.start(case, number, subject)
        token = self.job.token(number)
        refused = refused_now(case, self.job, self.services)
        return refused or self._taken(answered(lambda: self.services.codebuild.retry_build(subject, token)), case)

    def start(self, case: Case, number: int, subject: BuildArn) -> Answer:
        """Start a build with the project's settings and the overrides that the failed one had."""
        project, token = self.job.build.project, f"{self.job.token(number)}-start"
        codebuild, overrides = self.services.codebuild, self._overrides(case, subject)
        version = case.failed.source_version
        refused = refused_now(case, self.job, self.services)
        if refused:
            return refused
        started = answered(lambda: codebuild.start_build(project, version, token, dict(overrides)), quote=not overrides)
        return self._taken(started, case)

    def stop(self, build: str) -> None:
        """Stop a build that runs with the settings that the first one failed with."""
        self.services.codebuild.stop_build(BuildArn.parse(build))

    def find(self, again: Callable[[], Answer], case: Case, known: tuple[str, ...], since: float) -> Answer | None:
        """The build that an interrupted start may have started; None when there is none, the outcome where it is
        superseded by now, or not allowed any more.

        `since` is a time before which it was not asked for. While CodeBuild remembers the token, the same request,
        `again`, answers with the same build, or starts it where it is not superseded. Later, or where that is refused,
        the newest builds are searched for one that is ours by its initiator.
        """
        newest = self.services.codebuild.latest_builds(self.job.build.project)
        similar = [build for build in newest if self._may_be_ours(build, case, known, since)]
        answer: Answer | None = None if similar else Order(self.job, self.services).objection(case, known)
        if answer is None and self.services.now() - since < TOKEN_LIVES:
            with suppress(NotStarted, NotNow):
                answer = again()
        if isinstance(answer, Started):
            return answer
        mine = (self._started(build, case) for build in similar)
        return next((started for started in mine if self._adopt(started.build)), answer)

    def _may_be_ours(self, build: Build, case: Case, known: tuple[str, ...], since: float) -> bool:
        failed = case.failed
        who = (failed.initiator,) if case.retry.way is Way.RETRY_BUILD else ()  # nobody says who RetryBuild shows
        ours = started_by(build.initiator, self.services.own_name) or build.initiator in who
        same = (build.document.get("sourceVersion") or None) in (failed.source_version, failed.asked_version)
        if failed.source_version != failed.asked_version and build.document.get("resolvedSourceVersion"):
            same = build.source_version == failed.source_version  # a newer push to a pull request is not ours
        failed_before = (failed.build, str(self.job.build), *known)
        is_new = build.started_at >= since - CLOCK_SKEW and str(build.document["arn"]) not in failed_before
        return ours and same and is_new

    def look(self, seen: Watched, case: Case) -> Watched:
        """Look at the build once, or at CodeBuild's own retry of it. A late log gets a few more looks."""
        build = self.services.codebuild.build(BuildArn.parse(seen.build))
        if build is None:
            return not_shown(seen)
        failed = build.ended and build.status in FAILED_STATUSES
        if failed and build.next_auto_retry:
            return replace(seen, build=build.next_auto_retry, late=0)
        if failed and build.auto_retry_due and seen.late < LATE_RETRIES:
            return replace(seen, late=seen.late + 1)
        return self.judged(build, seen, case)

    def judged(self, build: Build, seen: Watched, case: Case) -> Watched:
        """What was seen, with what this build tells."""
        failed = build.ended and build.status in FAILED_STATUSES
        finding = inspect_build(build, self.services) if failed else NOT_INSPECTED
        if finding.late and seen.late < LATE_LOOKS + LATE_RETRIES:
            return replace(seen, late=max(seen.late, LATE_RETRIES) + 1)
        secret = self.services.settings.sign_in.secret_arn
        found = verdict(build, case.failed.phase, finding, secret)
        passed = found in (Verdict.PASSED, Verdict.PAST_PULL)
        throttle = finding.throttle or find_throttle(build.failure.context)
        return replace(
            seen,
            build=str(build.document["arn"]),
            verdict=found,
            log_says=throttle.excerpt if throttle else finding.unread,
            # Only a plan with DOCKER_AUTH_CONFIG can be the reason.
            denied=found is Verdict.PAST_PULL and case.auth_config and was_denied(build, self.services),
            # A buildspec may name any secret, but the credential of an image is the project's.
            ours=build.failure.phase == "PROVISIONING" or build.failure.names_secret(secret),
            phase=build.failure.phase,
            started_at=build.started_at,
            old=build.ended and self._is_old(build, case),
            proof=self._proof(build, case) if passed else "",
            at=self.services.now(),
        )

    def _proof(self, build: Build, case: Case) -> str:
        from remediator.core.verdict.proof import proof, secret_read

        phase = case.failed.phase
        if isinstance(case.cause, SecretCause):
            return secret_read(build, self.services.settings.sign_in)
        shown = phase in COMMAND_PHASES and login_shown(build, self.services)
        return proof(build, phase, self.services.settings.sign_in, shown)

    def _overrides(self, case: Case, subject: BuildArn) -> Mapping[str, Any]:
        """Read again, because their values are stored nowhere; only if nobody has edited the project since."""
        if not case.retry.overrides:
            return {}
        from remediator.core.retry.overrides import overrides_of

        codebuild = self.services.codebuild
        build, project = codebuild.build(subject), codebuild.project(self.job.build.project)
        history = self.services.journal.history(self.job.build.project)
        if build is None or project is None or history.edited_before(Snapshot(project)) != case.times.edited_at:
            raise NotStarted("the project was edited since, so the overrides of its build can't be told any more")
        return overrides_of(build, Snapshot(project), self.services.settings.sign_in).request

    def _taken(self, build: Build, case: Case) -> Started:
        started = self._started(build, case)
        with suppress(ClientError):  # the build runs, and this execution follows it all the same
            self._adopt(started.build)
            if build.auto_retry_due:
                started = replace(started, unit=f"chain#{build.failure.build.id}")
                self.services.journal.take(started.unit, self.job.execution, self.services.now())
        return started

    def _adopt(self, build: str) -> bool:
        """The build is this execution's, whoever CodeBuild shows as its initiator; False where it is another's."""
        job, arn = self.job, BuildArn.parse(build)
        reason = f"the build is a retry of {job.build.id} by the execution {job.execution}, which follows it"
        entry = Outcome(Ending.SKIPPED, reason, quiet=True).entry(arn.project, build)
        return self.services.journal.adopt(arn, job.execution, entry, self.services.now())

    def _started(self, build: Build, case: Case) -> Started:
        old = case.retry.way is Way.RETRY_BUILD and self._is_old(build, case)
        return Started(str(build.document["arn"]), self.services.now(), old)

    def _is_old(self, build: Build, case: Case) -> bool:
        """Does it run with the settings that the first one failed with? Not where nothing was changed."""
        unchanged = case.waits or isinstance(case.cause, SecretCause)
        return not unchanged and not signed_in(build, case.failed.phase, self.services.settings.sign_in)


def not_shown(seen: Watched) -> Watched:
    """CodeBuild may not know yet what it has just started; what it does not know later is gone."""
    if seen.late < LATE_LOOKS:
        return replace(seen, late=seen.late + 1)
    return replace(seen, verdict=Verdict.STOPPED, phase="", started_at=0.0)


def answered(start: Callable[[], Any], *, quote: bool = True) -> Any:
    """NotNow for a limit that passes, NotStarted for a refusal. After a lost answer, or an error of AWS's own, a build
    may have been started.

    AWS's message may quote a value of the request, and everybody may read what is raised here: without `quote` it has
    only the error's code.
    """
    try:
        return start()
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            raise
        if code_of(error) == _LIMIT or is_transient(error):
            raise NotNow(f"{code_of(error)}: {message_of(error)}" if quote else code_of(error)) from None
        raise NotStarted((message_of(error) if quote else "") or code_of(error)) from None
    except ParamValidationError as error:  # a record may hold what a request may not
        raise NotStarted(str(error)) from None
