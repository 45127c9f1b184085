"""Sends a plan to its project and sees to it that nothing else has changed: the steps `patch` and `undo`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, is_transient, message_of
from remediator.core.case import Case, replan
from remediator.core.difference import difference
from remediator.core.order import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.plan import Plan
from remediator.core.review import stranger_objection
from remediator.core.snapshot import Document, Snapshot
from remediator.services import Services

Json = dict[str, Any]

_CODEBUILDS_OWN = ("lastModified", "environment.dockerServer.status")
"""Members that CodeBuild itself changes."""


class Patch:
    def __init__(self, order: Order, services: Services) -> None:
        self._order = order
        self._services = services
        self._settings = services.settings

    def apply(self, case: Case) -> Json:
        """Send the planned changes, read back and compare: the lines that were changed, or the outcome.

        The project is read again just before: CodeBuild has no revisions, so the last writer wins.
        """
        before = self._services.codebuild.project(self._order.build.project)
        if before is None:
            return {"refusal": _refusal(Ending.GAVE_UP, "the project was deleted meanwhile")}
        settings = self._settings
        stranger = stranger_objection(Snapshot(before), settings.untrusted_projects)
        if stranger:
            return {"refusal": stranger.to_json()}
        plan = case.plan
        if Snapshot(before).last_modified != case.last_modified and difference(before, plan.apply(before)):
            again = self._plan_again(before, case)
            if again.refusal:
                return {"refusal": again.refusal.to_json()}
            plan = again.plan
        wanted = plan.apply(before)
        changed = [change.show() for change in plan.project_changes]
        if difference(before, wanted):
            self._services.journal.record_repair(self._order.build, plan.record())
            refusal = self._send(wanted, plan)
            if refusal:
                sent = refusal["outcome"] == Ending.FAILED
                return {"refusal": refusal, "changed": changed if sent else []}
        return {"changed": changed, "case": replace(case, plan=plan).to_json()}

    def _plan_again(self, project: Document, case: Case) -> Case:
        """Somebody edited the project since the diagnosis: decide anew, with the role that has been granted."""
        build = self._services.codebuild.build(self._order.build)
        if build is None:
            return Case(Outcome(Ending.GAVE_UP, "the build's record is gone"))
        role = self._services.iam.role(str(project.get("serviceRole", "")))
        settings = self._settings
        again = replan(case, build, Snapshot(project, role), settings.terms)
        if again.refusal is None and again.plan.grant not in (None, case.plan.grant):
            return Case(Outcome(Ending.GAVE_UP, "the project was given another service role meanwhile"), case.cause)
        return again

    def undo(self, plan: Plan) -> Json:
        """Take back what `patch` changed, where it is still ours."""
        project = self._services.codebuild.project(self._order.build.project)
        reverted = plan.revert(project) if project else project
        if project is None or reverted is None or not difference(project, reverted):
            return {"undone": False}
        refusal = self._send(reverted, plan)
        return {"refusal": refusal} if refusal else {"undone": True}

    def _send(self, wanted: Document, plan: Plan) -> Json | None:
        """UpdateProject, then read back and compare; None when the project is now exactly as wanted."""
        try:
            self._services.codebuild.update(wanted, with_source=plan.edits_source)
        except ClientError as error:
            if is_transient(error):
                raise
            return _update_refused(error)
        after = self._services.codebuild.project(str(wanted["name"])) or {}
        paths = [path for path in difference(_ordered(wanted), _ordered(after)) if not path.startswith(_CODEBUILDS_OWN)]
        if not paths:
            return None
        reason = f"after the update the project differs from what was sent in {', '.join(paths[:20])}"
        return _refusal(Ending.FAILED, reason, "compare the project with its definition")


def _ordered(project: Document) -> Document:
    """Tags are a set: CodeBuild promises no order for them."""
    return {**project, "tags": sorted(project.get("tags") or [], key=lambda tag: str(tag.get("key")))}


def _update_refused(error: ClientError) -> Json:
    if "iam:PassRole" in message_of(error):
        return _refusal(
            Ending.ADVISED,
            "CodeBuild asked for iam:PassRole on the project's service role, which this stack does not hold",
            "deploy with GrantPassRole=true, then use the remediate command",
        )
    # CodeBuild's message may quote a value of the project, and an outcome is for everybody to read.
    return _refusal(Ending.ADVISED, f"CodeBuild refused the update ({code_of(error)})", "make the change by hand")


def _refusal(ending: Ending, reason: str, *advice: str) -> Json:
    return Outcome(ending, reason, advice=advice).to_json()
