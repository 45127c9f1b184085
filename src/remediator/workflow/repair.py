"""Repairs a project for a case: check, grant, settle, patch; and takes back what did harm."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from aws_durable_execution_sdk_python import DurableOperationError

from remediator.core.case import Case
from remediator.core.case_advice import Done, grant_left, take_out_by_hand
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.job import Job
from remediator.core.outcome import Ending, Outcome, failed, gave_up
from remediator.core.repair.change import Change
from remediator.core.repair.plan import Plan
from remediator.core.value import value
from remediator.services import Services
from remediator.steps.credentials import Accepted, Trusted
from remediator.steps.grant import Granted, Grants
from remediator.steps.patch import Patch, Patched
from remediator.steps.still_allowed import Busy, shared_role
from remediator.workflow.durable import Durable
from remediator.workflow.lease import Lease
from remediator.workflow.patient_check import PatientCheck

EDIT_PATIENCE = 1800
"""Seconds to wait for what one execution at a time does; it takes a few seconds each."""

T = TypeVar("T")


@value
class Repaired:
    """The case as it was patched, and since when its role may read the secret (seconds since 1970)."""

    case: Case
    readable_since: float


class Repair:
    """`changes` tells people what was changed so far, `record` the same by member, old and new. `done` is what was
    done and is to stay, for the advice. `at` is a time, by our clock, after which nothing more was changed."""

    def __init__(self, job: Job, services: Services, durable: Durable, lease: Lease) -> None:
        self._job = job
        self._settings = services.settings
        self._services = services
        self._check = PatientCheck(job, services, durable)
        self._project = Patch(job, services)
        self._durable = durable
        self._lease = lease
        self._checked = False
        self._unread = ("", "")
        self._doubted = False
        self.changes: tuple[str, ...] = ()
        self.record: dict[str, Any] = {}
        self.done = Done()
        self.at = 0.0

    def decided_on(self, case: Case) -> None:
        """Advice is made of every case, also of one that is not repaired."""
        self.done = replace(self.done, cases=(*self.done.cases, case))

    def repair(self, case: Case) -> Repaired | Outcome:
        """Make the plan's changes, or say how it ends before that."""
        if not self._checked:
            checked = self._check.check(case)
            if isinstance(checked, Outcome):
                return checked
            self.done = replace(self.done, earlier_proof=isinstance(checked, Trusted), pushes=checked.pushes)
            self._unread = (case.reader.role, case.reader.of_version(checked.version))
            self._doubted = isinstance(checked, Accepted) and checked.doubted
        self._checked = not case.auth_config
        if self._settings.mode == "plan":
            return self._planned(case)
        granted = self._grant(case)
        grant = case.plan.grant
        if isinstance(granted, Outcome) and granted.changes and grant:
            return grant_left(granted, grant)
        if isinstance(granted, Outcome):
            return granted if self.changes else granted.with_facts(reason=f"{granted.reason}; nothing was written")
        self.at = case.times.made_at
        patched = self._patch(case)
        if isinstance(patched, Outcome):
            return grant_left(patched, grant) if granted and grant and not patched.changes else patched
        granted = granted or Granted(case.times.made_at)
        return Repaired(patched, granted.at)

    def _planned(self, case: Case) -> Outcome:
        shared: str | Outcome = ""
        if case.plan.grant:
            role, job, services = case.plan.grant.role_name, self._job, self._services
            shared = self._one_at_a_time(
                "shared-role", lambda: shared_role(role, job.build.project, job.execution, services)
            )
        if isinstance(shared, Outcome):
            return shared
        self.done = replace(self.done, shared_with=shared)
        return Outcome(Ending.PLANNED, "Mode is plan: nothing was written", changes=case.plan.show())

    def _grant(self, case: Case) -> Granted | Outcome | None:
        """Grant, then wait: nobody can ask IAM whether a grant has arrived, and a variable that the role can't read yet
        fails every build. None where the role may read the secret already."""
        grant, job, services = case.plan.grant, self._job, self._services
        if grant is None:
            return None
        again = case.cause is SecretCause.GRANT_GONE
        make = lambda: Grants(services).make(grant, case, job, again)  # noqa: E731 - each look makes its own
        granted: Granted | Outcome = self._one_at_a_time("grant", make)
        if isinstance(granted, Granted) or granted.changes:
            self.changes += (grant.show(),)
            self._keep(grant)
        if isinstance(granted, Granted):
            self.done = replace(self.done, shared_with=granted.shared_with)
            self._durable.pause("settle", self._settings.settle_seconds)
        return granted

    def _one_at_a_time(self, name: str, action: Callable[[], T | Busy]) -> T | Outcome:
        """Do what only one execution may do at a time, once it is this one's turn."""
        done = self._durable.insist(name, action, while_it_is=(Busy,), patience=EDIT_PATIENCE)
        if isinstance(done, Busy):
            reason = f"other executions {done.doing} for {EDIT_PATIENCE // 60} minutes"
            return gave_up(reason, "use the remediate command later")
        return done

    def _patch(self, case: Case) -> Case | Outcome:
        """The case as it was patched: planned again where somebody has edited the project since."""
        if not case.plan.project_changes:
            return case
        history, record = self._lease.history, self.record
        patched: Patched | Outcome = self._one_at_a_time("patch", lambda: self._project.apply(case, history, record))
        if isinstance(patched, Outcome):
            self.changes += patched.changes
            return patched
        self.changes += patched.changed
        self.at = patched.at
        self._lease.repaired = True
        self.record = {**record, **patched.case.plan.record()}
        self._keep(*patched.case.plan.project_changes)
        self.done = replace(self.done, cases=(*self.done.cases[:-1], patched.case))
        return patched.case

    def _keep(self, *changes: Change) -> None:
        self.done = replace(self.done, plan=Plan((*self.done.plan.changes, *changes)))

    def take_back(self, outcome: Outcome, plan: Plan) -> Outcome:
        """Take back, with the lease, what fails builds that would have passed without it."""
        # Whether or not they can be taken back, these are changes that nobody should keep.
        self.done = replace(self.done, plan=self.done.plan.without(plan.project_changes))
        by_hand = (take_out_by_hand(self._job.build.project, plan), *outcome.advice)
        refused = None
        try:
            refused = self._lease.take("claim-again")
            result = refused or self._durable.step("undo", lambda: self._project.undo(plan))
        except DurableOperationError as error:
            result = failed(error.message or error.error_type or "")
        if isinstance(result, Outcome):
            why = "the project was left as it is" if refused else "that could not be taken back"
            return outcome.with_facts(reason=f"{outcome.reason}; {why}: {result.reason}", advice=by_hand)
        if result.undone:
            taken_back = [change.show() for change in plan.project_changes]
            self.changes = tuple(line for line in self.changes if line not in taken_back)
            with suppress(DurableOperationError):  # the changes are gone; the next failure may be looked at too soon
                self._durable.step("leave-alone", self._lease.project.leave_alone)
        state = "the changes to the project were taken back" if result.undone else "the project was left as it is"
        return outcome.with_facts(reason=f"{outcome.reason}; {state}")

    def keep_unreadable(self) -> None:
        """Remember that the role could not read the secret, for the next project with it. An execution that an earlier
        release started does not know which version that was."""
        role, seen = self._unread
        if role:
            with suppress(DurableOperationError):  # then the next one finds out by itself
                services = self._services
                add = services.secret_record.add_unreadable
                self._durable.step("keep-unreadable", lambda: add(role, seen, services.now()))

    def keep_readable(self) -> None:
        """Remember that the role reads the secret, where others could not: then that is no fault of the secret."""
        if self._doubted:
            with suppress(DurableOperationError):
                record, (_, seen) = self._services.secret_record, self._unread
                self._durable.step("keep-readable", lambda: record.end_row(seen))
