"""The durable story of one remediation: claim, diagnose, check, plan, grant, settle, patch, retry, watch, report.

Code here is replayed after every wait, so it only decides what comes next from what the steps returned.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aws_durable_execution_sdk_python import DurableContext, DurableOperationError

from remediator.aws.client import NotStarted
from remediator.core.case import Case
from remediator.core.case_advice import grant_left, with_advice
from remediator.core.codebuild.failure import BuildArn
from remediator.core.diagnosis.throttle import Cause
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.job import Job
from remediator.core.names import PATIENCE_AFTER_GRANT
from remediator.core.outcome import Ending, Outcome, advised, failed, patched, skipped
from remediator.core.retry.way import Retry, Way
from remediator.core.verdict.verdict import Verdict, Watched, judge
from remediator.services import Services
from remediator.steps.diagnose import Examination
from remediator.workflow.durable import Durable, jitter
from remediator.workflow.lease import DuplicateBuild, Lease
from remediator.workflow.repair import Repair, Repaired
from remediator.workflow.retries import Retries

if TYPE_CHECKING:
    from remediator.workflow.wait_out import WaitOut

SECOND_CHANCES = 2
SPREAD = 300
"""Seconds over which the retries of builds that failed together are spread."""


def remediate(payload: Any, context: DurableContext, services: Services) -> dict[str, Any]:
    """Follow one failed build from claim to report; returns the outcome as JSON."""
    job = Job.read(payload, context.execution_context.durable_execution_arn)
    return Story(job, services, Durable(context)).run().to_json()


class Story:
    def __init__(self, job: Job, services: Services, durable: Durable) -> None:
        self._job = job
        self._services = services
        self._settings = services.settings
        self._durable = durable
        self._lease = Lease(job, services, durable)
        self._examination = Examination(job, services)
        self._repair = Repair(job, services, durable, self._lease)
        self._retries = Retries(job, services, durable)
        self._cause: Cause | SecretCause | None = None
        self._units: tuple[str, ...] = ()
        self._waited_for = ""

    def run(self) -> Outcome:
        try:
            if self._retry_wanted:
                self._retries.turns.line_up()
            outcome = self._repair_and_rerun(self._job.build)
        except DuplicateBuild as other:
            self._lease.give_back()
            self._retries.turns.leave()
            return skipped(f"the build is with execution {other}")
        except DurableOperationError as error:
            outcome = self._broken_off(error)
        with suppress(DurableOperationError):  # who waits behind it finds that this execution has ended
            self._retries.turns.leave()
        changes = self._repair.changes or outcome.changes
        outcome = outcome.with_facts(cause=outcome.cause or self._cause, changes=changes)
        outcome = with_advice(outcome, self._repair.done, self._settings.sign_in)
        return self._durable.step("report", lambda: self._report(outcome))

    def _report(self, outcome: Outcome) -> Outcome:
        """Release the lease and close the units; report last, so that a repeated step does not report twice."""
        if self._lease.held:
            self._lease.project.release(self._lease.history, repaired=bool(outcome.changes))
        now = self._services.now()
        for unit in self._units:
            self._services.journal.close(unit, self._job.execution, now)
        self._services.report.outcome(self._job, outcome, now)
        return outcome

    def _repair_and_rerun(self, subject: BuildArn, way: Retry | None = None) -> Outcome:
        """Repair and run again; a retry that is throttled in another way is repaired and run again too.

        `subject` is the build that failed last. `way` is how the first one is run again: a retry's initiator is this
        stack.
        """
        refused = self._lease.take()
        if refused:
            return self._after_repair(refused, subject)
        case = keep_retry_way(self._diagnose(subject), way)
        if case.refusal:
            return self._after_repair(case.refusal, subject)
        ready = self._sit_out(case, subject) if case.waits else self._repair.repair(case)
        if self._repair.changes:
            self._lease.count(case)
        if isinstance(ready, Outcome):
            return self._after_repair(ready, subject)
        ready = replace(ready, case=keep_retry_way(ready.case, way))
        seen = self._run_again(ready, subject)
        if isinstance(seen, Outcome):
            return seen
        if seen.verdict is Verdict.THROTTLED and self._may_retry and not _in_vain(seen, ready.case):
            return self._repair_and_rerun(BuildArn.parse(seen.build), ready.case.retry.lasting)
        return self._conclude(seen, ready.case)

    def _diagnose(self, subject: BuildArn) -> Case:
        history, record = self._lease.history, self._repair.record
        case = self._durable.step("diagnose", lambda: self._examination.examine(subject, history, record))
        if case.standing.duplicate_of:
            raise DuplicateBuild(case.standing.duplicate_of)
        self._cause = self._cause or case.cause
        self._units += tuple(filter(None, (case.failed.unit,)))
        if case.standing.last_news:
            self._lease.note_last_news()
        self._repair.decided_on(case)
        return case

    def _sit_out(self, case: Case, subject: BuildArn) -> Repaired | Outcome:
        """Change nothing for a cause that passes with time, and release the lease while it lasts."""
        against = case.retry.against
        if against or not self._retry_wanted:
            return advised("the cause passes with time, and nothing is changed for it", *filter(None, (against,)))
        self._lease.count(case)
        self._lease.give_back()
        self._retries.turns.leave()
        made = self._retries.made
        ended = self._wait_out.sit_out(case, f"{subject.uuid}-{made}", made)
        self._waited_for = self._wait_out.waited_for
        return ended or Repaired(case, case.times.made_at)

    @cached_property
    def _wait_out(self) -> WaitOut:
        """Imported where something is waited for: every start of the function counts."""
        from remediator.workflow.wait_out import WaitOut

        return WaitOut(self._job, self._services, self._durable)

    # Running it again

    @property
    def _may_retry(self) -> bool:
        return self._retries.made < self._settings.limits.attempts

    @property
    def _retry_wanted(self) -> bool:
        return self._settings.mode == "auto" and self._settings.retry_build and self._job.retry

    def _run_again(self, repaired: Repaired, subject: BuildArn) -> Watched | Outcome:
        """What the retried build says; or the outcome, where it was not run again from here."""
        case = repaired.case
        if case.retry.against:
            return patched("the build was not run again from here", case.retry.against)
        if not self._retry_wanted:
            return patched("the project is signed in; no retry was asked for", "start the build again")
        self._retries.since = max(self._retries.since, self._repair.at)
        self._spread(case)
        chances = 0
        while True:
            try:
                started = self._retries.start(case, subject)
            except DurableOperationError as error:
                started = self._not_started(error, case)
            if isinstance(started, Outcome):
                return _after_too_early(started, subject) if chances else started
            self._units += tuple(filter(None, (started.unit,)))
            self._lease.count(case)
            self._lease.give_back()
            seen = self._retries.watch(started, case)
            early = _too_early(seen, repaired.readable_since) and chances < SECOND_CHANCES and self._may_retry
            in_vain = seen.verdict is Verdict.THROTTLED and seen.old
            then = case.retry.then if case.retry.way is Way.AUTO_RETRY and (early or in_vain) else None
            if then and then.against:
                return patched("CodeBuild's own retries failed too", then.against)
            if not (early or then):
                return seen
            if early:
                self._durable.pause("settle-again", max(self._settings.settle_seconds, 10) * 2**chances)
                chances += 1
            if then:  # CodeBuild's own retries are used up
                case = replace(case, retry=then)
            # A pipeline knows the stage by what it ran there last.
            subject = BuildArn.parse(seen.build)
            case = case.changed("failed", batch=started.batch or case.failed.batch)

    def _spread(self, case: Case) -> None:
        """Builds that failed together waited for the lease one after the other: they are not run again at once. Where
        all of one project come back, they take turns instead."""
        if self._settings.retry_superseded:
            self._lease.count(case)
            self._lease.give_back()  # who is older needs it before its own turn
        elif self._lease.waited and not case.plan.project_changes:
            self._lease.count(case)
            self._lease.give_back()
            seconds = jitter(self._job.build.uuid, SPREAD)
            self._durable.pause("spread", seconds)
            self._retries.since += seconds

    def _not_started(self, error: DurableOperationError, case: Case) -> Outcome:
        signed_in = "the project is signed in, but " if not case.waits else ""
        reason = f"the build could not be started: {error.message}"
        again: tuple[str, ...] = ("start the build again",)
        if self._retries.old:
            stop = "stop the build that was retried: it runs with the settings that the first one failed with"
            again = (stop, *again)
        elif not error.error_type.endswith(NotStarted.__name__):
            reason = f"whether the build was started can't be told: {error.error_type}: {error.message}"
            again = ("look at the project's newest builds; start the build again if none of them repeats it",)
        return Outcome(Ending.PATCHED, f"{signed_in}{reason}", advice=again, retried_build=self._retries.old)

    # What came of it

    def _conclude(self, seen: Watched, case: Case) -> Outcome:
        judged = judge(seen, case, self._settings.sign_in)
        outcome = judged.outcome
        if judged.take_back:
            # A secret that can't be read fails every build that refers to it, by whichever change.
            everything = seen.verdict is Verdict.SECRET_UNREADABLE
            outcome = self._repair.take_back(outcome, self._repair.done.plan if everything else case.plan)
            if everything and seen.ours:
                self._repair.keep_unreadable()
        if outcome.ending is Ending.REMEDIATED:
            self._repair.keep_readable()
        reason = f"{outcome.reason}{self._waited_for}"
        return outcome.with_facts(reason=reason, retried_build=seen.build or None)

    def _after_repair(self, refusal: Outcome, subject: BuildArn) -> Outcome:
        """Outcome for a build that can't be helped; of a retry the reason says that its project was repaired before."""
        reason = f"{refusal.reason}{self._waited_for}"
        if subject == self._job.build:
            return refusal.with_facts(reason=reason)
        reason = f"the build was run again and throttled again: {reason}"
        ending = Ending.PATCHED if refusal.ending in (Ending.ADVISED, Ending.SKIPPED) else refusal.ending
        return refusal.with_facts(ending=ending, reason=reason, retried_build=str(subject))

    def _broken_off(self, error: DurableOperationError) -> Outcome:
        """Outcome for a step that failed for good. What was changed before it stays, and is listed."""
        left = "what was changed before is listed" if self._repair.changes else "nothing had been changed before"
        outcome = failed(
            f"{error.error_type}: {error.message}; {left}",
            "look at the project: only it tells whether the step that broke off has changed it",
        )
        made, grant = self._repair.done.plan, self._repair.done.plan.grant
        planned = self._repair.done.case and self._repair.done.case.plan.project_changes
        return grant_left(outcome, grant) if grant and planned and not made.project_changes else outcome


def keep_retry_way(case: Case, way: Retry | None) -> Case:
    """Run a retry again as the first build was, with its own overrides: by its initiator, this stack, it would be
    started with StartBuild."""
    own = case.retry
    if way is None or own.way is way.way:
        return case
    if way.way is Way.RETRY_BUILD:
        return replace(case, retry=Retry(Way.RETRY_BUILD, overrides=own.overrides, then=own))
    return replace(case, retry=way) if way.way in (Way.RETRY_STAGE, Way.RETRY_BATCH) else case


def _after_too_early(outcome: Outcome, retried: BuildArn) -> Outcome:
    """The outcome where no further retry is made after one that could not read the secret yet."""
    told = "before that it was run again, and could not read the secret: its role may have been let read it too late"
    then = "start a build; if it can't read the secret either, undo the repair"
    build = outcome.retried_build or str(retried)
    return outcome.with_facts(reason=f"{outcome.reason}; {told}", advice=(*outcome.advice, then), retried_build=build)


def _in_vain(seen: Watched, case: Case) -> bool:
    """Does a batch run with the settings that it first failed with? Its next retry would too."""
    return seen.old and case.retry.way is Way.RETRY_BATCH


def _too_early(seen: Watched, readable_since: float) -> bool:
    """Did the build ask for the secret before the grant has surely arrived? Then it is no verdict.

    A grant that was there already counts from the diagnosis: another execution may have made it moments before.
    """
    return seen.verdict is Verdict.SECRET_UNREADABLE and seen.started_at - readable_since < PATIENCE_AFTER_GRANT
