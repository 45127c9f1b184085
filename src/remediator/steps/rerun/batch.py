"""Runs the failed builds of a batch again and looks at what becomes of it; each method is a step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from remediator.aws.client import NotNow, NotStarted, is_transient
from remediator.core.case import Case
from remediator.core.codebuild.batch import Batch
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import FAILED_STATUSES, BuildArn
from remediator.core.guards.history import started_by
from remediator.core.job import Job
from remediator.core.names import CLOCK_SKEW
from remediator.core.outcome import Outcome, patched
from remediator.core.value import value
from remediator.core.verdict.verdict import Verdict, Watched
from remediator.services import Services
from remediator.steps.rerun.build import (
    LATE_LOOKS,
    TOKEN_LIVES,
    Answer,
    Rerun,
    Started,
    answered,
    not_shown,
    refused_now,
)
from remediator.steps.rerun.order import Order, superseded

_GRAVEST = (Verdict.SECRET_UNREADABLE, Verdict.BUILDSPEC_UNREADABLE, Verdict.THROTTLED, Verdict.UNKNOWN)


@value
class BatchSeen:
    """Has the batch `ended`, with which `status`, as of `at` (seconds since 1970)? `group` is the one that the failed
    build is of, `minutes` how long the batch may take."""

    minutes: int
    at: float
    ended: bool = False
    status: str = ""
    group: str = ""


@value
class Batches:
    job: Job
    services: Services

    def unseen(self, case: Case, at: float) -> BatchSeen:
        return BatchSeen(case.failed.minutes, at)

    def look_for_end(self, seen: BatchSeen, case: Case, subject: BuildArn) -> BatchSeen:
        """Has the batch finished failing? Only then it can be retried. A look that AWS does not answer shows nothing
        new: what is known of a retried stage's batch is enough to follow the batch."""
        try:
            batch = self.services.codebuild.batch(case.failed.batch)
        except Exception as error:
            if not is_transient(error):
                raise
            return seen
        if batch is None:
            return replace(seen, ended=True, status="unknown")
        group = batch.group_of(str(subject))
        return BatchSeen(batch.minutes_allowed, self.services.now(), batch.ended, batch.status, group)

    def retry(self, case: Case, number: int) -> Answer:
        """Run what failed of the batch again, once; the caller sees to it."""
        refused = refused_now(case, self.job, self.services)
        if refused:
            return refused
        token = f"{self.job.token(number)}-batch"
        batch = answered(lambda: self.services.codebuild.retry_batch(case.failed.batch, token))
        unit = f"batch#{batch.id}"
        if batch.id != case.failed.batch:
            # Its builds fail under that name, and are followed already.
            self.services.journal.take(unit, self.job.execution, self.services.now())
        return Started(batch=batch.id, unit=unit, at=self.services.now())

    def find(
        self, again: Callable[[], Answer], case: Case, subject: BuildArn, known: tuple[str, ...], since: float
    ) -> Answer | None:
        """The batch that an interrupted retry may have started; the outcome where it is superseded by now, or not
        allowed any more.

        While CodeBuild remembers the token, `again` answers with the same batch. Later the old batch tells, if its
        group has another build than the failed one; if not, a new batch may run unseen, and none is started beside it.
        """
        batch = self.services.codebuild.batch(case.failed.batch)
        retried = batch is not None and batch.build_of(batch.group_of(str(subject))) not in ("", str(subject))
        if self.services.now() - since < TOKEN_LIVES:
            newer = None if retried else Order(self.job, self.services).newer(case, known)
            if newer and not self._may_be_of_the_retry(newer, case, since):
                return superseded(case, newer)
            answer = None
            with suppress(NotNow):
                answer = again()
            if isinstance(answer, Started) or not retried:
                return answer
        if not retried:
            raise NotStarted("whether the batch was retried can't be told after so long an interruption")
        return Started(batch=case.failed.batch, at=self.services.now())

    def _may_be_of_the_retry(self, build: Build, case: Case, since: float) -> bool:
        """Is it of a batch that began since then, and was started from here or of the same commit? The token tells
        whether that is ours."""
        ours = started_by(build.initiator, self.services.own_name)
        same = ours or build.source_version == case.failed.source_version
        return bool(build.batch) and same and build.started_at >= since - CLOCK_SKEW

    def look(self, seen: Watched, case: Case) -> Watched:
        """Look at the retried batch once: the gravest verdict of its failed builds, else the verdict of the build for
        which the batch was retried."""
        batch = self.services.codebuild.batch(seen.batch)
        if batch is None:
            return not_shown(seen)
        if not batch.ended:
            return seen
        stale = batch.id == case.failed.batch and batch.build_of(seen.group) == case.failed.build
        if stale and seen.late < LATE_LOOKS:
            return replace(seen, late=seen.late + 1)
        return self._result(batch, seen, case)

    def _result(self, batch: Batch, seen: Watched, case: Case) -> Watched:
        codebuild, rerun = self.services.codebuild, Rerun(self.job, self.services)
        if batch.status not in ("SUCCEEDED", *FAILED_STATUSES):
            return replace(seen, verdict=Verdict.STOPPED)
        judged = [rerun.judged(build, seen, case) for build in codebuild.builds(batch.failed_builds)]
        late = next((one for one in judged if one.verdict is Verdict.RUNNING), None)
        if late:
            return replace(seen, late=late.late)
        gravest = next((one for verdict in _GRAVEST for one in judged if one.verdict is verdict), None)
        if gravest:
            return gravest
        for build in codebuild.builds(tuple(filter(None, (batch.build_of(seen.group),)))):
            return rerun.judged(build, seen, case)
        # That build's record is gone.
        gone = Verdict.PASSED if batch.status == "SUCCEEDED" else Verdict.STOPPED
        return judged[0] if judged else replace(seen, verdict=gone)


def not_retried(seen: BatchSeen, case: Case) -> Outcome | None:
    """The outcome where the batch can't be retried; None where it can."""
    if seen.ended and seen.status in FAILED_STATUSES:
        return None
    unchanged = f"the project is signed in; its batch {case.failed.batch} was not retried"
    if not seen.ended:
        reason = f"{unchanged}: it had not ended within its own time-outs"
        return patched(reason, "retry the failed builds of the batch when it has ended")
    reason = f"{unchanged}: CodeBuild has it as {seen.status}"
    return patched(reason, "start the batch again if its result is wanted")
