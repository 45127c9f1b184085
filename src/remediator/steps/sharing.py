"""Finds who else would come to read the secret with a grant: the other projects that have the same service role."""

from __future__ import annotations

from dataclasses import replace

from remediator.core.case import Case
from remediator.core.codebuild.project import Document, Snapshot
from remediator.core.guards.shared_role import shared_with
from remediator.core.outcome import Outcome
from remediator.services import Services


def shared_role(case: Case, project: Document, services: Services) -> Case:
    """The case with word of them where its plan grants something; refused where strangers could come to read the
    secret through one of them.

    Projects of other names than ProjectNamePattern can't be read.
    """
    if case.refusal or case.plan.grant is None:
        return case
    settings = services.settings
    found = services.codebuild.projects_of(str(project.get("serviceRole", "")), settings.covers)
    others = [Snapshot(other) for other in found if other["name"] != project["name"]]
    told = shared_with(others, case.plan.grant.role_name, settings.untrusted_projects)
    if isinstance(told, Outcome):
        return Case(told, case.cause)
    return replace(case, plan=replace(case.plan, advice=(*case.plan.advice, *told)))
