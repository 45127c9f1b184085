"""The durable story of one remediation: claim, diagnose, check, plan, grant, settle, patch, retry, watch, report.

Code here is replayed after every wait, so it only decides what comes next from what the steps returned.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, DurableOperationError

from remediator.core.case import Case
from remediator.core.failure import BuildArn
from remediator.core.history import NEW, History
from remediator.core.order import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.plan import Plan
from remediator.core.retry import Retry, Way
from remediator.core.verdict import Verdict, judge
from remediator.durable import Durable
from remediator.examination import Examination
from remediator.patch import Patch
from remediator.patience import Patience
from remediator.retrying import Retrying
from remediator.services import Services
from remediator.steps import CouldNotTell, Json, Steps
from remediator.waiting import jitter, while_held

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
        self._durable = durable
        self._settings = services.settings
        self._steps = Steps(order, services)
        self._examination = Examination(order, services)
        self._project = Patch(order, services)
        self._patience = Patience(order, services, durable)
        self._retrying = Retrying(order, services, durable)
        self._history = NEW
        self._lease_held = False
        self._waited = False
        self._checked = False
        self._changes: tuple[str, ...] = ()
        self._repaired: Json = {}
        self._cause: str | None = None
        self._duplicate = False

    def tell(self) -> Json:
        try:
            outcome = self._comes_back(self._order.build)
        except DurableOperationError as error:
            outcome = self._broken_off(error)
        if self._duplicate:
            with suppress(DurableOperationError):
                self._give_back()
            return outcome.to_json()
        facts = outcome.with_facts(cause=outcome.cause or self._cause, changes=self._changes or outcome.changes)
        held = self._history if self._lease_held else None
        return self._durable.step("report", lambda: self._steps.report(facts, held))

    def _comes_back(self, subject: BuildArn, way: Retry | None = None) -> Outcome:
        """Repair and run again, until a result leaves nothing to do from here: a retry that is throttled elsewhere, or
        by something else, is repaired and run again in its turn, as often as a build may be retried.

        `subject` is the build that failed last, `way` how the first one is run again, since a retry's own initiator is
        this stack.
        """
        refused = self._claim("claim")
        if refused:
            return refused
        case = self._diagnose(subject)
        if case.duplicate_of:
            return self._is_duplicate(case.duplicate_of)
        if case.refusal:
            return self._after_repair(case.refusal, subject)
        if way:
            case = replace(case, retry=replace(way, overrides=case.retry.overrides))
        repaired = self._wait_out(case, subject) if case.waits else self._repair(case)
        if isinstance(repaired, Outcome):
            return self._after_repair(repaired, subject)
        case, readable_since = repaired
        seen = self._run_again(case, subject, readable_since)
        if isinstance(seen, Outcome):
            return seen
        if seen["verdict"] == Verdict.THROTTLED and self._may_retry:
            return self._comes_back(BuildArn.parse(seen["build"]), case.retry.then or case.retry)
        return self._conclude(seen, case)

    @property
    def _may_retry(self) -> bool:
        return self._retrying.made < self._settings.limits.attempts

    # The lease

    def _claim(self, name: str) -> Outcome | None:
        """Take the project's lease; the outcome where that is not to be had."""
        if self._lease_held:
            return None
        state: Json = {"claim": "held", "by": "", "looks": 0, "history": None}
        claim = self._durable.wait_for(name, lambda seen: self._steps.claim(seen["looks"]), state, while_held)
        if claim["claim"] == "granted":
            self._lease_held, self._waited = True, claim["looks"] > 1
            self._history = History.from_json(claim["history"])
            return None
        if claim["claim"] == "duplicate":
            return self._is_duplicate(claim["by"])
        return _not_claimed(claim)

    def _is_duplicate(self, holder: str) -> Outcome:
        """Lambda's names keep this from happening; where they do not hold, the other execution tells the outcome."""
        self._duplicate = True
        return Outcome(Ending.SKIPPED, f"the build is with execution {holder}")

    def _give_back(self) -> None:
        """The project may be repaired by others while its build runs: whoever comes now finds nothing to change."""
        if self._lease_held:
            history = self._history
            with suppress(DurableOperationError):  # the report gives it back once more
                self._durable.step("release", lambda: self._steps.release(history))
                self._lease_held = False

    # Diagnosis and repair

    def _diagnose(self, subject: BuildArn) -> Case:
        history, repaired = self._history, self._repaired
        if subject == self._order.build:
            diagnosed = self._durable.step("diagnose", lambda: self._examination.first(history))
        else:
            diagnosed = self._durable.step("diagnose", lambda: self._examination.again(subject, history, repaired))
        case = Case.from_json(diagnosed)
        self._cause = self._cause or case.cause
        if case.counts:
            self._history = history.with_try(self._order.build.uuid, case.made_at, self._settings.limits)
        if case.notices:
            self._history = history.with_notice()
        return case

    def _repair(self, case: Case) -> tuple[Case, float] | Outcome:
        """Check, grant, settle, patch; the case as it was patched, and since when the secret can be read."""
        refused = None if self._checked else self._durable.step("check", lambda: self._steps.check(case))
        if refused:
            return Outcome.from_json(refused)
        self._checked = not case.otherwise
        if self._settings.mode == "plan":
            reason = "Mode is plan: nothing was written"
            return Outcome(Ending.PLANNED, reason, changes=case.plan.show(), advice=case.plan.advice)
        granted_at, refusal = self._grant(case.plan)
        if refusal:
            return refusal
        self._retrying.since = case.made_at
        patched = self._patch(case)
        return patched if isinstance(patched, Outcome) else (patched, granted_at or case.made_at)

    def _grant(self, plan: Plan) -> tuple[float | None, Outcome | None]:
        """Grant, then wait: nobody can ask IAM whether a grant has arrived, and a variable that the role can't
        read yet fails every build of the project."""
        grant = plan.grant
        if grant is None:
            return None, None
        granted = self._durable.step("grant", lambda: self._steps.grant(grant))
        if "refusal" in granted:
            return None, Outcome.from_json(granted["refusal"])
        self._changes += (grant.show(),)
        self._durable.pause("settle", self._settings.settle_seconds)
        return granted["granted_at"], None

    def _patch(self, case: Case) -> Case | Outcome:
        """The case as it was patched: planned anew where somebody edited the project meanwhile."""
        if not case.plan.project_changes:
            return case
        history, repaired = self._history, self._repaired
        patched = self._durable.step("patch", lambda: self._project.apply(case, history, repaired))
        self._changes += tuple(patched.get("changed", ()))
        if "refusal" in patched:
            return Outcome.from_json(patched["refusal"])
        self._retrying.since = patched["at"]
        case = Case.from_json(patched["case"])
        self._repaired = {**repaired, **case.plan.record()}
        return case

    def _wait_out(self, case: Case, subject: BuildArn) -> tuple[Case, float] | Outcome:
        """Nothing is changed for a cause that passes with time, and the lease goes back for as long as that takes."""
        if not self._retry_wanted or case.retry.against:
            against = (case.retry.against,) if case.retry.against else ()
            return Outcome(
                Ending.ADVISED, "the cause passes with time; nothing was changed", advice=(*case.plan.advice, *against)
            )
        self._give_back()
        refused = self._patience.sit_out(case, f"{subject.uuid}-{self._retrying.made}", self._retrying.made)
        return refused or (case, case.made_at)

    # Running it again

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
        self._spread(case)
        chances = 0
        while True:
            try:
                started = self._retrying.start(case, subject)
            except DurableOperationError as error:
                return self._not_started(error, case)
            if isinstance(started, Outcome):
                return started.with_facts(advice=(*advice, *started.advice))
            self._give_back()
            seen = self._retrying.watch(started, case)
            if case.retry.way is Way.AUTO_RETRY and seen["verdict"] == Verdict.THROTTLED and seen["old"]:
                # CodeBuild's own retries are used up, and began before the repair.
                if case.retry.then is None or case.retry.then.against:
                    return seen
                case, subject = replace(case, retry=case.retry.then), BuildArn.parse(seen["build"])
            elif _too_early(seen, readable_since) and chances < SECOND_CHANCES and self._may_retry:
                self._durable.pause("settle-again", max(self._settings.settle_seconds, 10) * 2**chances)
                chances += 1
            else:
                return seen

    def _spread(self, case: Case) -> None:
        """Builds that failed together waited for the lease, one behind the other: they are not run again at once."""
        if self._waited and not case.plan.project_changes:
            self._give_back()
            seconds = jitter(self._order.build.uuid, SPREAD)
            self._durable.pause("spread", seconds)
            self._retrying.since += seconds

    def _not_started(self, error: DurableOperationError, case: Case) -> Outcome:
        advice = case.plan.advice
        signed_in = "the project is signed in, but " if not case.waits else ""
        reason = f"{signed_in}the build could not be started: {error.message}"
        outcome = Outcome(Ending.PATCHED, reason, advice=(*advice, "start the build again"))
        if self._retrying.old:
            stop = "stop the build that was retried: it runs with the settings that the first one failed with"
            outcome = outcome.with_facts(
                retried_build=self._retrying.old, advice=(*advice, stop, "start the build again")
            )
        return outcome

    # What came of it

    def _conclude(self, seen: Json, case: Case) -> Outcome:
        judged = judge(seen, case)
        outcome = self._take_back(judged.outcome, case.plan) if judged.take_back else judged.outcome
        told = self._patience.told
        reason = f"{outcome.reason}; {told}" if told else outcome.reason
        return outcome.with_facts(
            reason=reason, retried_build=seen["build"] or None, advice=(*case.plan.advice, *outcome.advice)
        )

    def _after_repair(self, refusal: Outcome, subject: BuildArn) -> Outcome:
        """What is said of a retry that can't be helped: the project was repaired before, and that is told too."""
        if subject == self._order.build:
            return refusal
        told = self._patience.told
        reason = f"the build was run again and throttled again: {refusal.reason}{f'; {told}' if told else ''}"
        ending = Ending.PATCHED if refusal.ending in (Ending.ADVISED, Ending.SKIPPED) else refusal.ending
        return refusal.with_facts(ending=ending, reason=reason, retried_build=str(subject))

    def _take_back(self, outcome: Outcome, plan: Plan) -> Outcome:
        """What fails builds that would have passed without the repair does not stay; with the lease, as every write."""
        by_hand = ("take the changes that are listed out of the project by hand", *outcome.advice)
        try:
            refused = self._claim("claim-again")
            if refused:
                reason = f"{outcome.reason}; the project was left as it is: {refused.reason}"
                return outcome.with_facts(reason=reason, advice=by_hand)
            undone = self._durable.step("undo", lambda: self._project.undo(plan))
        except DurableOperationError as error:
            undone = {"refusal": {"reason": error.message}}
        if "refusal" in undone:
            why = undone["refusal"]["reason"]
            return outcome.with_facts(reason=f"{outcome.reason}; that could not be taken back: {why}", advice=by_hand)
        if undone["undone"]:
            taken_back = [change.show() for change in plan.project_changes]
            self._changes = tuple(line for line in self._changes if line not in taken_back)
            with suppress(DurableOperationError):  # the changes are gone; the next failure may be looked at too soon
                self._durable.step("leave-alone", self._steps.leave_alone)
        state = "the changes to the project were taken back" if undone["undone"] else "the project was left as it is"
        return outcome.with_facts(reason=f"{outcome.reason}; {state}")

    def _broken_off(self, error: DurableOperationError) -> Outcome:
        """A step that failed for good. What was changed before it stays, and is told."""
        if error.error_type.endswith(CouldNotTell.__name__):
            return Outcome(Ending.GAVE_UP, f"{error.message}; nothing was written")
        left = "what was changed before is listed" if self._changes else "nothing had been changed before"
        return Outcome(
            Ending.FAILED,
            f"{error.error_type}: {error.message}; {left}",
            advice=("look at the project: only it tells whether the step that broke off has changed it",),
        )


def _too_early(seen: Json, readable_since: float) -> bool:
    """Did the build ask for the secret before the grant can be trusted to have arrived? Then it is no verdict.

    Where the grant was there already, another execution may have made it moments ago: then the diagnosis counts.
    """
    too_early = seen["started_at"] - readable_since < PATIENCE_AFTER_GRANT
    return seen["verdict"] == Verdict.SECRET_UNREADABLE and bool(too_early)


def _not_claimed(claim: Json) -> Outcome:
    if claim["claim"] == "left-alone":
        reason = "a repair of the project was taken back within the last day, so it was left alone; nothing was written"
        return Outcome(Ending.ADVISED, reason, advice=("mend what that outcome names, then use the remediate command",))
    reason = f"another execution held the project for an hour: {claim['by']}; nothing was written"
    return Outcome(Ending.GAVE_UP, reason)
