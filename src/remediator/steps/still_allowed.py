"""Asks right before each write whether it is still allowed: what the plan was made from may be hours old."""

from __future__ import annotations

from functools import partial
from itertools import chain

from botocore.exceptions import ClientError

from remediator.aws.client import found, message_of, raise_if_transient
from remediator.core.case import Case
from remediator.core.codebuild.project import Snapshot, role_name
from remediator.core.guards.history import stopped
from remediator.core.guards.review import still_objects
from remediator.core.guards.shared_role import region_unreadable, shared_with, users_of_roles
from remediator.core.outcome import Outcome, advised, gave_up
from remediator.core.value import value
from remediator.services import Services


@value
class Allowed:
    """The project as it is now, with its role where that counts; who shares the role, as a sentence, empty for nobody.
    Not kept in a checkpoint."""

    snapshot: Snapshot
    shared_with: str


@value
class Busy:
    """Other executions are in the way, doing this."""

    doing: str


def still_allowed(case: Case, project: str, execution: str, services: Services) -> Allowed | Busy | Outcome:
    """May this project be changed, and its build be run again, as everything is at this moment? Else the outcome.

    What takes longest is read first, then what people change most, and the stop switch last of all.
    """
    terms = services.settings.terms
    # A case of the release before does not have it.
    name = case.failed.role or role_name(services.codebuild.project(project) or {})
    shared = shared_role(name, project, execution, services)
    if not isinstance(shared, str):
        return shared
    role = None
    try:
        if name and terms.untrusted == "advise":  # else it does not matter who may assume it
            role = services.iam.role(name)
    except ClientError as error:
        raise_if_transient(error)
        return advised(f"the project's service role {name} can't be read: {message_of(error)}")
    opened = opened_by_pipeline(case.failed.pipeline, services)
    if opened:
        return opened
    document = services.codebuild.project(project)
    if document is None:
        return gave_up("the project was deleted since the diagnosis")
    snapshot = Snapshot(document, role)
    objection = still_objects(snapshot, name, terms.scope, terms.untrusted)
    if objection:
        return objection
    stop = services.switch.stopped()
    return stopped(stop) if stop else Allowed(snapshot, shared)


def shared_role(role: str, project: str, execution: str, services: Services) -> str | Busy | Outcome:
    """Who shares the role of this name, as a sentence, empty for nobody; the outcome where strangers could read the
    secret through one of them, or where not all who share it can be read. All projects are read, in all regions that
    the stack was told of, unless that was done a short while ago."""
    index, settings, now = services.role_index, services.settings, services.now()
    users = index.users(now)
    if users is None:
        if not index.begin(execution, now):
            return Busy("read who shares the roles")
        from remediator.aws.regions import UnreadableRegion, projects_in

        here = services.codebuild.projects(settings.covers)
        try:
            there = projects_in(services.codebuild_elsewhere, settings.covers)
            users = users_of_roles(map(Snapshot, chain(here, there)), settings.region)
        except UnreadableRegion as unreadable:
            index.give_up(execution)
            return region_unreadable(role, *unreadable.args)
        index.keep(users, execution, now)
    return shared_with(users, role, project, settings.untrusted_projects)


def opened_by_pipeline(pipeline: str, services: Services) -> Outcome | None:
    """Outcome where pull requests of strangers might start this pipeline, or where nobody can tell; None for a build
    that no pipeline started (an empty name). Its definition is read. A pipeline that is gone starts nothing."""
    if not pipeline or services.settings.untrusted_projects == "repair":
        return None
    from remediator.core.guards.pipelines import pipeline_objection, unread_pipeline

    try:
        definition = found(partial(services.codepipeline.definition, pipeline), "PipelineNotFoundException")
    except ClientError as error:
        raise_if_transient(error)
        return unread_pipeline(pipeline, message_of(error))
    if definition is None:
        return None
    if not definition.get("pipeline"):  # that shows no triggers, and not that there are none
        return unread_pipeline(pipeline, "the answer shows no pipeline")
    return pipeline_objection(definition)
