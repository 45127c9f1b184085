"""The durable story of one remediation: claim, diagnose, check, plan, grant, settle, patch, retry, watch, report.

Code here is replayed after every wait, so it only decides what comes next from what the steps returned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, DurableOperationError

from remediator.core.case import Case
from remediator.core.codebuild.failure import BuildArn
from remediator.core.job import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.retry.way import Retry, Way
from remediator.core.verdict.verdict import Verdict, judge
from remediator.services import Services
from remediator.steps.diagnose import Examination
from remediator.steps.rerun_build import NotStarted
from remediator.steps.steps import Steps
from remediator.workflow.durable import Durable
from remediator.workflow.lease import Duplicate, Lease
from remediator.workflow.repair import Repairing
from remediator.workflow.retries import Retrying
from remediator.workflow.wait_out import Patience
from remediator.workflow.waiting import jitter

Json = dict[str, Any]

PATIENCE_AFTER_GRANT = 600
"""Seconds after a grant in which a build that can't read the secret says nothing about the repair: IAM is eventually
consistent and publishes no bound."""
SECOND_CHANCES = 2
SPREAD = 300
"""Seconds over which the retries of builds that failed together are spread."""


def remediate(payload: Any, context: DurableContext, services: Services) -> Json:
    """Follow one failed build from claim to report; returns the outcome as JSON."""
    order = Order.read(payload, context.execution_context.durable_execution_arn)
    return _Story(order, services, Durable(context)).tell()


class _Story:
    def __init__(self, order: Order, services: Services, durable: Durable) -> None:
        self._order = order
        self._settings = services.settings
        self._durable = durable
        self._steps = Steps(order, services)
        self._lease = Lease(order, services, durable)
        self._examination = Examination(order, services)
        self._repairing = Repairing(order, services, durable, self._lease)
        self._patience = Patience(order, services, durable)
        self._retrying = Retrying(order, services, durable)
        self._cause: str | None = None
        self._wholes: tuple[str, ...] = ()

    def tell(self) -> Json:
        try:
            outcome = self._comes_back(self._order.build)
        except Duplicate as other:
            self._lease.give_back()
            return Outcome(Ending.SKIPPED, f"the build is with execution {other}").to_json()
        except DurableOperationError as error:
            outcome = self._broken_off(error)
        changes = self._repairing.changes or outcome.changes
        facts = outcome.with_facts(cause=outcome.cause or self._cause, changes=changes)
        lease, wholes = self._lease.left_to_report, self._wholes
        return self._durable.step("report", lambda: self._steps.report(facts, lease, wholes))

    def _comes_back(self, subject: BuildArn, way: Retry | None = None) -> Outcome:
        """Repair and run again, until a result leaves nothing to do from here: a retry that is throttled elsewhere, or
        by something else, is repaired and run again in its turn, as often as a build may be retried.

        `subject` is the build that failed last, `way` how the first one is run again, since a retry's own initiator is
        this stack.
        """
        refused = self._lease.take()
        if refused:
            return self._after_repair(refused, subject)
        case = _in_its_way(self._diagnose(subject), way)
        if case.refusal:
            return self._after_repair(case.refusal, subject)
        ready = self._wait_out(case, subject) if case.waits else self._repairing.repair(case)
        if isinstance(ready, Outcome):
            return self._after_repair(ready, subject)
        case, readable_since = _in_its_way(ready[0], way), ready[1]
        seen = self._run_again(case, subject, readable_since)
        if isinstance(seen, Outcome):
            return seen
        if seen["verdict"] == Verdict.THROTTLED and self._may_retry and not _in_vain(seen, case):
            return self._comes_back(BuildArn.parse(seen["build"]), case.retry.lasting)
        return self._conclude(seen, case)

    def _diagnose(self, subject: BuildArn) -> Case:
        history, record = self._lease.history, self._repairing.record
        if subject == self._order.build:
            diagnosed = self._durable.step("diagnose", lambda: self._examination.first(history))
        else:
            diagnosed = self._durable.step("diagnose", lambda: self._examination.again(subject, history, record))
        case = Case.from_json(diagnosed)
        if case.duplicate_of:
            raise Duplicate(case.duplicate_of)
        self._cause = self._cause or case.cause
        self._wholes += tuple(filter(None, (case.origin,)))
        self._lease.count(case)
        return case

    def _wait_out(self, case: Case, subject: BuildArn) -> tuple[Case, float] | Outcome:
        """Nothing is changed for a cause that passes with time, and the lease goes back for as long as that takes."""
        if not self._retry_wanted or case.retry.against:
            against = (case.retry.against,) if case.retry.against else ()
            reason = "the cause passes with time, and nothing is changed for it"
            return Outcome(Ending.ADVISED, reason, advice=(*case.plan.advice, *against))
        self._lease.give_back()
        made = self._retrying.made
        return self._patience.sit_out(case, f"{subject.uuid}-{made}", made) or (case, case.made_at)

    # Running it again

    @property
    def _may_retry(self) -> bool:
        return self._retrying.made < self._settings.limits.attempts

    @property
    def _retry_wanted(self) -> bool:
        return self._settings.mode == "auto" and self._settings.retry_build and self._order.retry

    def _run_again(self, case: Case, subject: BuildArn, readable_since: float) -> Json | Outcome:
        """What the retried build says; or the outcome, where it was not run again from here."""
        advice = case.plan.advice
        if case.retry.against:
            reason = "the build was not run again from here"
            return Outcome(Ending.PATCHED, reason, advice=(*advice, case.retry.against))
        if not self._retry_wanted:
            return Outcome(Ending.PATCHED, "the project is signed in; no retry was asked for", advice=advice)
        self._retrying.since = max(self._retrying.since, self._repairing.at)
        self._spread(case)
        chances = 0
        while True:
            try:
                started = self._retrying.start(case, subject)
            except DurableOperationError as error:
                return self._not_started(error, case)
            if isinstance(started, Outcome):
                return started.with_facts(advice=(*advice, *started.advice))
            self._wholes += tuple(filter(None, (started.get("whole"),)))
            self._lease.give_back()
            seen = self._retrying.watch(started, case)
            early = _too_early(seen, readable_since) and chances < SECOND_CHANCES and self._may_retry
            in_vain = seen["verdict"] == Verdict.THROTTLED and seen["old"]
            then = case.retry.then if case.retry.way is Way.AUTO_RETRY and (early or in_vain) else None
            if then and then.against:
                return Outcome(Ending.PATCHED, "CodeBuild's own retries failed too", advice=(*advice, then.against))
            if not (early or then):
                return seen
            if early:
                self._durable.pause("settle-again", max(self._settings.settle_seconds, 10) * 2**chances)
                chances += 1
            if then:  # CodeBuild's own retries are used up
                case = replace(case, retry=then)
            # What failed last: a pipeline knows the stage by what it ran there last.
            subject = BuildArn.parse(seen["build"])
            case = replace(case, batch=started.get("batch", case.batch))

    def _spread(self, case: Case) -> None:
        """Builds that failed together waited for the lease, one behind the other: they are not run again at once."""
        if self._lease.waited and not case.plan.project_changes:
            self._lease.give_back()
            seconds = jitter(self._order.build.uuid, SPREAD)
            self._durable.pause("spread", seconds)
            self._retrying.since += seconds

    def _not_started(self, error: DurableOperationError, case: Case) -> Outcome:
        signed_in = "the project is signed in, but " if not case.waits else ""
        reason = f"the build could not be started: {error.message}"
        again: tuple[str, ...] = ("start the build again",)
        if self._retrying.old:
            again = (
                "stop the build that was retried: it runs with the settings that the first one failed with",
                *again,
            )
        elif not error.error_type.endswith(NotStarted.__name__):
            reason = f"whether the build was started can't be told: {error.error_type}: {error.message}"
            again = ("look at the project's newest builds; start the build again if none of them repeats it",)
        return Outcome(
            Ending.PATCHED,
            f"{signed_in}{reason}",
            advice=(*case.plan.advice, *again),
            retried_build=self._retrying.old,
        )

    # What came of it

    def _conclude(self, seen: Json, case: Case) -> Outcome:
        judged = judge(seen, case)
        outcome = judged.outcome
        if judged.take_back:
            # A secret that can't be read fails every build that refers to it, by whichever change.
            whole = seen["verdict"] == Verdict.SECRET_UNREADABLE
            outcome = self._repairing.take_back(outcome, self._repairing.plan if whole else case.plan)
        return outcome.with_facts(
            reason=f"{outcome.reason}{self._waited_for}",
            retried_build=seen["build"] or None,
            advice=(*case.plan.advice, *outcome.advice),
        )

    def _after_repair(self, refusal: Outcome, subject: BuildArn) -> Outcome:
        """What is said of a retry that can't be helped: the project was repaired before, and that is told too."""
        if subject == self._order.build:
            return refusal.with_facts(reason=f"{refusal.reason}{self._waited_for}")
        reason = f"the build was run again and throttled again: {refusal.reason}{self._waited_for}"
        ending = Ending.PATCHED if refusal.ending in (Ending.ADVISED, Ending.SKIPPED) else refusal.ending
        return refusal.with_facts(ending=ending, reason=reason, retried_build=str(subject))

    @property
    def _waited_for(self) -> str:
        return f"; {self._patience.told}" if self._patience.told else ""

    def _broken_off(self, error: DurableOperationError) -> Outcome:
        """A step that failed for good. What was changed before it stays, and is told."""
        changed = self._repairing.changes
        left = "what was changed before is listed" if changed else "nothing had been changed before"
        return Outcome(
            Ending.FAILED,
            f"{error.error_type}: {error.message}; {left}",
            advice=("look at the project: only it tells whether the step that broke off has changed it",),
        )


def _in_its_way(case: Case, way: Retry | None) -> Case:
    """A retry is run again as the first build was, with the overrides that it has itself, or not at all.

    Its own initiator is this stack, by which it would be started with StartBuild.
    """
    own = case.retry
    if way is None or own.way is way.way:
        return case
    if way.way is Way.RETRY_BUILD:
        return replace(case, retry=Retry(Way.RETRY_BUILD, overrides=own.overrides, then=own))
    return replace(case, retry=way) if way.way in (Way.RETRY_STAGE, Way.RETRY_BATCH) else case


def _in_vain(seen: Json, case: Case) -> bool:
    """Does a batch run with the settings that it first failed with? The next retry of it would too."""
    return bool(seen["old"]) and case.retry.way is Way.RETRY_BATCH


def _too_early(seen: Json, readable_since: float) -> bool:
    """Did the build ask for the secret before the grant can be trusted to have arrived? Then it is no verdict.

    Where the grant was there already, another execution may have made it moments ago: then the diagnosis counts.
    """
    too_early = seen["started_at"] - readable_since < PATIENCE_AFTER_GRANT
    return seen["verdict"] == Verdict.SECRET_UNREADABLE and bool(too_early)
