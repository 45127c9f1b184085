"""Sends a plan to its project and checks that nothing else has changed: the steps `patch` and `undo`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, message_of, raise_if_transient
from remediator.core.advice.owner import owner_of
from remediator.core.case import Case
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.project import Document, Snapshot
from remediator.core.decide import read, replan
from remediator.core.guards.history import History
from remediator.core.job import Job
from remediator.core.outcome import Ending, Outcome, advised, failed, gave_up
from remediator.core.repair.difference import changed_by_update, difference
from remediator.core.repair.plan import Plan
from remediator.core.value import value
from remediator.services import Services
from remediator.steps.grant import Grants
from remediator.steps.retry_unit import RetryUnits
from remediator.steps.still_allowed import Busy, still_allowed

EDITS = 3
"""How often somebody may edit the project between the plan and the change before it is left to them."""

Record = Mapping[str, Any]
"""What was changed, by member: old and new value."""


@value
class Patched:
    """The case as it was patched, what was `changed`, for people, and `at` when (seconds since 1970)."""

    case: Case
    changed: tuple[str, ...]
    at: float


@value
class Undone:
    """Is the project without the changes now? Not where somebody has edited them since, or deleted it."""

    undone: bool


@value
class Patch:
    job: Job
    services: Services

    def apply(self, case: Case, history: History, repaired: Record) -> Patched | Busy | Outcome:
        """Send the planned changes, read back and compare; the outcome where that may not be, with what was changed.

        `diagnose` has written the changes down before. The project is read once more just before the update, because
        CodeBuild has no revisions: the last writer wins. After an edit the plan is made again. `repaired` is what this
        execution has changed before.
        """
        for _ in range(EDITS):
            allowed = still_allowed(case, self.job.build.project, self.job.execution, self.services)
            if isinstance(allowed, Busy):
                return allowed
            project = self.services.codebuild.project(self.job.build.project)
            if isinstance(allowed, Outcome) and project and not difference(project, case.plan.apply(project)):
                # An attempt that was interrupted has made the changes, so nothing is sent: the retry will be refused.
                return self._apply_to(project, case, history, repaired)
            if isinstance(allowed, Outcome):
                return allowed
            if project is None or project != allowed.snapshot.project:
                continue
            if _still_holds(case, project):
                return self._apply_to(project, case, history, repaired)
            again = self._plan_again(project, case)
            if again.refusal:
                return again.refusal.with_facts(changes=_made(case.plan, project))
            case = again
            self.services.journal.record_repair(self.job.build, {**repaired, **case.plan.record()})
        reason = "the project was edited again and again while it was to be repaired"
        return gave_up(reason, "use the remediate command when nobody edits it")

    def _apply_to(self, project: Document, case: Case, history: History, repaired: Record) -> Patched | Outcome:
        plan, wanted = case.plan, case.plan.apply(project)
        changed = tuple(change.show() for change in plan.project_changes)
        edited_at = case.times.edited_at
        if difference(project, wanted):
            edited_at = history.edited_before(Snapshot(project))
            sent = self._send(wanted, plan)
            if isinstance(sent, Outcome):
                return sent.with_facts(changes=changed if sent.ending is Ending.FAILED else ())
            project = {**project, "lastModified": sent}
        case = case.changed("times", last_modified=Snapshot(project).last_modified, edited_at=edited_at)
        self._keep(case, history, repaired)
        return Patched(case, changed, self.services.now())

    def _keep(self, case: Case, history: History, repaired: Record) -> None:
        """Keep what tells builds that started after the repair, and a repair that was undone."""
        now_repaired = replace(
            history,
            repaired_at=case.times.last_modified,
            repaired_by=self.job.execution,
            edited_at=case.times.edited_at,
            undone=history.undone + (case.standing.undone and history.repaired_by != self.job.execution),
            members=tuple({**dict.fromkeys(history.members), **repaired, **case.plan.record()}),
        )
        self.services.journal.record_repaired(self.job.build.project, self.job.execution, now_repaired)

    def _plan_again(self, project: Document, case: Case) -> Case:
        """Somebody edited the project since the diagnosis: decide again, with the role that has been granted."""
        build = self.services.codebuild.build(BuildArn.parse(case.failed.build))
        if build is None:
            return Case(gave_up("the build's record is gone"))
        role = Grants(self.services).role(str(project.get("serviceRole", "")))
        terms = self.services.settings.terms
        start = RetryUnits(self.services).start_of(self.job, build, project)
        return replan(case, read(build, Snapshot(project, role), terms.sign_in, start), terms)

    def undo(self, plan: Plan) -> Undone | Outcome:
        """Take back what `patch` changed, where it is still ours. What is gone already, also by an interrupted undo,
        counts as taken back."""
        project = self.services.codebuild.project(self.job.build.project)
        if project is None:
            return Undone(False)
        reverted = plan.revert(project)
        if not difference(project, reverted):
            return Undone(bool(difference(project, plan.apply(project))))
        sent = self._send(reverted, plan)
        return sent if isinstance(sent, Outcome) else Undone(True)

    def _send(self, wanted: Document, plan: Plan) -> float | Outcome:
        """UpdateProject, then read back and compare: CodeBuild's new `lastModified` when the project is exactly as
        wanted, else the outcome."""
        try:
            updated = self.services.codebuild.update(wanted, with_source=plan.edits_source)
        except ClientError as error:
            raise_if_transient(error)
            return _update_refused(error, Snapshot(wanted), plan)
        after = self.services.codebuild.project(str(wanted["name"])) or {}
        paths = changed_by_update(wanted, after)
        if not paths:
            return Snapshot(updated).last_modified
        reason = f"after the update the project differs from what was sent in {', '.join(paths[:20])}"
        return failed(reason, "compare the project with its definition")


def _made(plan: Plan, project: Document) -> tuple[str, ...]:
    """What of the plan is in the project already, by an attempt that was interrupted before somebody's edit."""
    return tuple(change.show() for change in plan.project_changes) if difference(project, plan.revert(project)) else ()


def _still_holds(case: Case, project: Document) -> bool:
    """Is the project as it was planned for, or with the planned changes made, by an attempt that was interrupted?"""
    unedited = Snapshot(project).last_modified == case.times.last_modified
    return case.plan.fits(project) and (unedited or not difference(project, case.plan.apply(project)))


def _update_refused(error: ClientError, wanted: Snapshot, plan: Plan) -> Outcome:
    if "iam:PassRole" in message_of(error):
        return advised(
            "CodeBuild asked for iam:PassRole on the project's service role, which this stack does not hold",
            "deploy with GrantPassRole=true, then use the remediate command",
        )
    # CodeBuild's message may quote a value of the project, and everybody may read an outcome.
    from remediator.core.advice.definition import in_definition

    why = f"CodeBuild refused it from here ({code_of(error)}), so the project {wanted.name} is as it was"
    head, owner = "Make this change by hand, then start the build again. Make it", owner_of(wanted.tags)
    by_hand = in_definition(owner, wanted.name, plan.settings(), head=head, why=why)
    return advised(f"CodeBuild refused the update ({code_of(error)})", by_hand)
