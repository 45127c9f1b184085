"""Repairs a project for a case: check, grant, settle, patch; and takes back what did harm."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aws_durable_execution_sdk_python import DurableOperationError

from remediator.core.case import Case
from remediator.core.job import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.plan import Plan
from remediator.services import Services
from remediator.steps.patch import Patch
from remediator.steps.steps import Steps
from remediator.workflow.checking import Checking
from remediator.workflow.durable import Durable
from remediator.workflow.lease import Lease
from remediator.workflow.waiting import EDIT_PATIENCE, while_busy

Json = dict[str, Any]


class Repairing:
    """`changes` are lines for people on what was changed so far, `record` the same by member, old and new, and `plan`
    all the changes to the project that were made.

    `at` is a time, by our clock, after which nothing has been done but what follows a repair.
    """

    def __init__(self, order: Order, services: Services, durable: Durable, lease: Lease) -> None:
        self._settings = services.settings
        self._steps = Steps(order, services)
        self._checking = Checking(order, services, durable)
        self._project = Patch(order, services)
        self._durable = durable
        self._lease = lease
        self._checked = False
        self.changes: tuple[str, ...] = ()
        self.record: Json = {}
        self.plan = Plan()
        self.at = 0.0

    def repair(self, case: Case) -> tuple[Case, float] | Outcome:
        """The case as it was patched, and since when its role may read the secret; or how it ends before that."""
        if not self._checked:
            checked = self._checking.check(case)
            if isinstance(checked, Outcome):
                return checked
            case = checked
        self._checked = not case.otherwise
        if self._settings.mode == "plan":
            reason = "Mode is plan: nothing was written"
            return Outcome(Ending.PLANNED, reason, changes=case.plan.show(), advice=case.plan.advice)
        granted_at, refusal = self._grant(case.plan)
        if refusal:
            return refusal
        self.at = case.made_at
        patched = self._patch(case)
        return patched if isinstance(patched, Outcome) else (patched, granted_at or case.made_at)

    def _grant(self, plan: Plan) -> tuple[float | None, Outcome | None]:
        """Grant, then wait: nobody can ask IAM whether a grant has arrived, and a variable that the role can't
        read yet fails every build of the project."""
        grant = plan.grant
        if grant is None:
            return None, None
        granted = self._durable.step("grant", lambda: self._steps.grant(grant))
        if granted.get("busy"):
            granted = self._durable.wait_for("grant-again", lambda _: self._steps.grant(grant), granted, while_busy)
        if granted.get("busy"):
            reason = f"other executions edited the policy of the secret for {EDIT_PATIENCE // 60} minutes"
            return None, Outcome(Ending.GAVE_UP, reason, advice=("use the remediate command later",))
        if "refusal" in granted:
            return None, Outcome.from_json(granted["refusal"])
        self.changes += (grant.show(),)
        self._durable.pause("settle", self._settings.settle_seconds)
        return granted["granted_at"], None

    def _patch(self, case: Case) -> Case | Outcome:
        """The case as it was patched: planned anew where somebody edited the project meanwhile."""
        if not case.plan.project_changes:
            return case
        history, record = self._lease.history, self.record
        patched = self._durable.step("patch", lambda: self._project.apply(case, history, record))
        self.changes += tuple(patched.get("changed", ()))
        if "refusal" in patched:
            return Outcome.from_json(patched["refusal"])
        self.at = patched["at"]
        self._lease.repaired = True
        case = Case.from_json(patched["case"])
        self.record = {**record, **case.plan.record()}
        self.plan = Plan((*self.plan.changes, *case.plan.project_changes))
        return case

    def take_back(self, outcome: Outcome, plan: Plan) -> Outcome:
        """What fails builds that would have passed without the repair does not stay; with the lease, as every write."""
        by_hand = ("take the changes that are listed out of the project by hand", *outcome.advice)
        try:
            refused = self._lease.take("claim-again")
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
            self.changes = tuple(line for line in self.changes if line not in taken_back)
            with suppress(DurableOperationError):  # the changes are gone; the next failure may be looked at too soon
                self._durable.step("leave-alone", self._steps.leave_alone)
        state = "the changes to the project were taken back" if undone["undone"] else "the project was left as it is"
        return outcome.with_facts(reason=f"{outcome.reason}; {state}")
