"""Runs a failed build again in the way that its initiator needs, and follows it until it has a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from remediator.core.case import Case
from remediator.core.codebuild.failure import BuildArn
from remediator.core.job import Job
from remediator.core.outcome import Ending, Outcome, patched
from remediator.core.retry.way import Way
from remediator.core.verdict.verdict import Verdict, Watched
from remediator.services import Services
from remediator.steps.rerun.build import Answer, NotYet, Rerun, Started
from remediator.workflow.durable import Durable, jitter
from remediator.workflow.turns import Turns

if TYPE_CHECKING:
    from remediator.steps.rerun.batch import Batches

STAGE_PATIENCE = 900
"""Seconds for a pipeline to notice that its build failed, which is after CodeBuild's own event, and to retry."""
LIMIT_PATIENCE = 10_800
"""Seconds to wait until AWS starts builds again: a limit of the account, a full queue, throttling."""
FIRST_WAIT, LONGEST_WAIT = 60, 900
"""Seconds between two such requests; they double."""


class Retries:
    """`turns` keeps the order in which builds come back. `made` counts the retries, `old` is a build that runs with
    the settings that the first one failed with. `since` is a time, by our clock, before which the next retry was not
    asked for."""

    def __init__(self, job: Job, services: Services, durable: Durable) -> None:
        self._durable = durable
        self._rerun = Rerun(job, services)
        self._job = job
        self._services = services
        self.turns = Turns(job, services, durable)
        self._known: tuple[str, ...] = ()
        self.made = 0
        self.old: str | None = None
        self.since = 0.0

    def start(self, case: Case, subject: BuildArn) -> Started | Outcome:
        """What runs again, or how it ends where nothing can be. `subject` is the build that failed last."""
        if case.retry.way in (Way.START_BUILD, Way.RETRY_BUILD):
            self.turns.wait()
        elif case.retry.way is not Way.RETRY_BATCH:  # nobody need wait for these
            self.turns.leave()
        started = self._start(case, subject)
        self.turns.leave()
        return started

    def _start(self, case: Case, subject: BuildArn) -> Started | Outcome:
        match case.retry.way:
            case Way.AUTO_RETRY:
                return Started(str(subject))
            case Way.RETRY_STAGE:
                started = self._retry_stage(case, subject)
            case Way.RETRY_BATCH:
                started = self._retry_batch(case, subject)
            case _:
                started = self._run_again(case, subject)
        if isinstance(started, Started):
            self._known += tuple(filter(None, (started.build, started.batch)))
        return started

    def watch(self, started: Started, case: Case) -> Watched:
        """Look with a growing interval until there is a result, as long as CodeBuild lets it run."""
        seen = Watched(
            build=started.build,
            old=started.old,
            at=started.at or self.since,
            batch=started.batch,
            group=started.group,
            minutes=started.minutes or case.failed.minutes,
        )
        look = self._batches.look if started.batch else self._rerun.look
        seen = self._durable.poll(
            "watch",
            lambda before: look(before, case),
            seen,
            done=lambda now: now.verdict is not Verdict.RUNNING,
            patience=lambda now: now.minutes * 60 + 900,
        )
        self.since = seen.at
        return seen

    @cached_property
    def _batches(self) -> Batches:
        """Imported where there is one: every start of the function counts."""
        from remediator.steps.rerun.batch import Batches

        return Batches(self._job, self._services)

    def _run_again(self, case: Case, subject: BuildArn) -> Started | Outcome:
        """RetryBuild may take the settings that the build failed with: then it is stopped and StartBuild used."""
        number, rerun = self.made, self._rerun
        started = self._once("retry", lambda: rerun.retry(case, number, subject), case, self.since)
        if isinstance(started, Outcome):
            return started
        if started.old:
            self.old = old = started.build
            self._known += (old,)
            self._durable.step("stop", lambda: rerun.stop(old))
            self.old = None
            then = case.retry.then
            if then and then.against:
                reason = "the build was retried with the settings that it failed with, and stopped"
                return Outcome(Ending.PATCHED, reason, retried_build=old, advice=(then.against,))
            started = self._once("start", lambda: rerun.start(case, number, subject), case, started.at)
            if isinstance(started, Outcome):
                return started.with_facts(retried_build=old)
        self.made += 1
        return started

    def _once(self, name: str, start: Callable[[], Answer], case: Case, since: float) -> Started | Outcome:
        known, rerun = self._known, self._rerun
        return self._patiently(name, start, lambda at: rerun.find(start, case, known, at), case, since)

    def _patiently(
        self,
        name: str,
        start: Callable[[], Answer],
        find: Callable[[float], Answer | None],
        case: Case,
        since: float,
    ) -> Started | Outcome:
        """Start it once; while AWS starts nothing, ask again, later and later. `find` looks for what an interrupted
        start may have started since a time."""
        attempt = partial(self._rerun.attempt, start, case, self._known)
        waited, wait = 0, FIRST_WAIT
        while True:
            started = self._durable.once(name, attempt, partial(find, since))
            if not isinstance(started, NotYet):
                return started
            since = max(since, started.at)
            if waited >= LIMIT_PATIENCE:
                return _never_started(started, case)
            pause = wait + jitter(f"{self._job.build.uuid}-{waited}", wait // 4)
            self._durable.pause(f"{name}-later", pause)
            waited, wait = waited + pause, min(2 * wait, LONGEST_WAIT)

    def _retry_stage(self, case: Case, subject: BuildArn) -> Started | Outcome:
        from remediator.steps.rerun.stage import Stages, StageSeen, not_retryable

        stages = Stages(self._job, self._services)
        place = self._durable.step("find-stage", lambda: stages.find(case, subject))
        if isinstance(place, Outcome):
            return place
        seen = self._durable.poll(
            "retry-stage",
            lambda before: stages.retry(before, case, subject),
            StageSeen(place),
            done=lambda now: bool(now.next or now.refusal),
            patience=lambda now: LIMIT_PATIENCE if now.limited else STAGE_PATIENCE,
        )
        if seen.refusal or not seen.next:
            return seen.refusal or not_retryable(seen, case)
        self.made += seen.asked
        if case.failed.batch:
            unseen = self._batches.unseen(case, self.since)
            batch = self._durable.step("batch", lambda: self._batches.look_for_end(unseen, case, subject))
            return Started(batch=seen.next, group=batch.group, minutes=batch.minutes)
        build = BuildArn(subject.partition, subject.region, subject.account, *seen.next.split(":", 1))
        return Started(str(build))

    def _retry_batch(self, case: Case, subject: BuildArn) -> Started | Outcome:
        from remediator.steps.rerun.batch import not_retried

        seen = self._durable.poll(
            "batch",
            lambda before: self._batches.look_for_end(before, case, subject),
            self._batches.unseen(case, self.since),
            done=lambda now: now.ended,
            patience=lambda now: now.minutes * 60,
        )
        refused = not_retried(seen, case)
        if refused:
            return refused
        self.turns.wait()
        number, since, known = self.made, seen.at, self._known
        retry = lambda: self._batches.retry(case, number)  # noqa: E731 - what is looked for is the same request
        find = lambda at: self._batches.find(retry, case, subject, known, at)  # noqa: E731
        started = self._patiently("retry", retry, find, case, since)
        if isinstance(started, Outcome):
            return started
        self.made += 1
        return replace(started, group=seen.group, minutes=seen.minutes)


def _never_started(refused: NotYet, case: Case) -> Outcome:
    signed_in = "" if case.waits else "the project is signed in, but "
    reason = f"the build could not be started for {LIMIT_PATIENCE // 3600} hours: {refused.why}"
    return patched(f"{signed_in}{reason}", "start the build again when fewer builds run, or have the quota raised")
