"""The step `diagnose`: reads a failed build, its project and the project's role, and decides what may be done.

Nothing is taken from the event. What is decided is small enough for a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import is_transient, message_of
from remediator.core.case import Case, make_case, refuse_build
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.project import Document, Role, Snapshot
from remediator.core.diagnosis.diagnosis import Diagnosis, diagnose
from remediator.core.diagnosis.throttle import Cause
from remediator.core.guards.history import History, belongs_to_watcher, retry_of_ours, stopped, too_often, with_another
from remediator.core.guards.own_commands import pull_request_objection
from remediator.core.guards.review import another_image, other_images
from remediator.core.job import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.signed_in import signed_in
from remediator.services import Services
from remediator.steps.credentials import Proving
from remediator.steps.grant import Grants
from remediator.steps.read_log import inspect_build, pushes_by_itself
from remediator.steps.retry_unit import Origins, Whole
from remediator.steps.sharing import shared_role

Json = dict[str, Any]


class Examination:
    def __init__(self, order: Order, services: Services) -> None:
        self._order = order
        self._services = services
        self._settings = services.settings
        self._origins = Origins(services)

    def first(self, history: History) -> Json:
        """Examine the build of the order: is it to be acted on, by this execution, and how? Then it is taken."""
        return self._told(self._examined(self._order.build, history, {}))

    def again(self, build: BuildArn, history: History, repaired: Mapping[str, Any]) -> Json:
        """Examine a retry of this execution's that was throttled too. `repaired` is what was changed before."""
        return self._told(self._examined(build, history, repaired))

    def _told(self, case: Case) -> Json:
        return replace(case, made_at=self._services.now()).to_json()

    def _examined(self, subject: BuildArn, history: History, repaired: Mapping[str, Any]) -> Case:
        build = self._services.codebuild.build(subject)
        if build is None:
            return Case(Outcome(Ending.REJECTED, f"CodeBuild knows no build {subject.id}"))
        diagnosis = diagnose(build.failure, inspect_build(build, self._services))
        refused = refuse_build(build, diagnosis)
        if refused:
            return refused
        if subject != self._order.build:
            case = self._case(build, diagnosis, replace(history, undone=0))
            if case.refusal is None:
                self._services.journal.record_repair(self._order.build, {**repaired, **case.plan.record()})
            return case
        foreign = pull_request_objection(build)
        if foreign:
            return Case(foreign, diagnosis.cause)
        whole = self._origins.of(build, self._order.execution)
        if self._order.attempt == 1:
            ruled_out = self._ruled_out(build, whole, history)
            if ruled_out:
                return Case(ruled_out, diagnosis.cause, notices=ruled_out.ending is Ending.GAVE_UP)
        else:  # a person's word goes before these rules, but not before an execution that still works on it
            history = replace(history, undone=0)
            earlier = self._services.journal.entry(self._order.build)
            if earlier and self._is_watched(earlier.execution):
                return Case(None, diagnosis.cause, duplicate_of=earlier.execution)
            if whole.runs:
                return Case(with_another(whole.what, whole.held_by, runs=True), diagnosis.cause)
        case = replace(self._case(build, diagnosis, history), origin=whole.key, place=whole.place)
        if case.refusal:
            return replace(case, counts=history.counts(build))
        return self._entered(case, whole)

    def _ruled_out(self, build: Build, whole: Whole, history: History) -> Outcome | None:
        """No loop: these builds are not acted on, whoever started them and in whatever order their events come."""
        ours = retry_of_ours(whole.initiator, self._services.own_name)
        if ours:
            return ours
        if whole.held_by and not whole.is_free_for(build):
            return with_another(whole.what, whole.held_by, runs=whole.runs)
        if history.precedes(build) and self._is_watched(history.repaired_by):
            return belongs_to_watcher(history)
        return too_often(history, build, self._settings.limits, self._services.now())

    def _is_watched(self, watcher: str) -> bool:
        return watcher not in ("", self._order.execution) and self._services.executions.is_running(watcher)

    def _case(self, build: Build, diagnosis: Diagnosis, history: History) -> Case:
        project = self._services.codebuild.project(build.failure.build.project)
        if project is None:
            return Case(Outcome(Ending.REJECTED, "the project no longer exists"))
        terms = self._settings.terms
        pushes = pushes_by_itself(build, project, self._services)
        # Whatever its role: a refusal saves reading that.
        case = make_case(build, diagnosis, Snapshot(project), terms, history, pushes)
        carried = diagnosis.cause is Cause.ANONYMOUS_LIMIT and signed_in(build, build.failure.phase, terms.sign_in)
        if case.refusal and not carried:
            return case
        grants = Grants(self._services)
        role = _role(project, grants)
        if isinstance(role, Outcome):
            return Case(role, case.cause)
        if carried:
            return Case(self._unused(build, Snapshot(project, role), diagnosis), case.cause)
        case = make_case(build, diagnosis, Snapshot(project, role), terms, history, pushes)
        refused = self._other_images(build, project, case) or _unreadable(role, case, grants)
        if refused:
            return Case(refused, case.cause)
        case = shared_role(case, project, self._services)
        changes_nothing = not case.plan.changes and not case.retry.overrides and not case.waits
        if case.refusal is None and history.precedes(build) and changes_nothing:
            return Case(self._unused(build, Snapshot(project, role), diagnosis), case.cause)
        return case

    def _other_images(self, build: Build, project: Document, case: Case) -> Outcome | None:
        """Only asked where something tells that builds bring images of their own: batches do, and overrides."""
        if not (project.get("buildBatchConfig") or build.batch or another_image(build, Snapshot(project))):
            return None
        builds = self._services.codebuild.latest_builds(str(project["name"]))
        return other_images(builds, Snapshot(project), case.plan)

    def _unused(self, build: Build, snapshot: Snapshot, diagnosis: Diagnosis) -> Outcome:
        """Throttled as an anonymous although it was repaired: why, with the evidence."""
        from remediator.core.verdict.why_unused import why_unused

        outcome = why_unused(build, snapshot, diagnosis, self._settings.sign_in, self._secret_fault())
        told = f": {diagnosis.excerpt}" if diagnosis.excerpt else ""
        return outcome.with_facts(reason=f"{outcome.reason}{told}")

    def _secret_fault(self) -> str:
        """What is wrong with the secret, as far as that can be told; empty when nothing is."""
        seen = Proving(self._services, self._order.execution).look()
        refusal = seen.get("refusal") or {}
        return str(refusal["reason"]) if refusal.get("outcome") == Ending.REJECTED else ""

    def _entered(self, case: Case, whole: Whole) -> Case:
        """The build is this execution's from here on, and what it is about to change is written down."""
        order = self._order
        entrance = self._services.journal.enter(
            order.build,
            order.execution,
            order.attempt,
            self._services.now(),
            repair=case.plan.record() if self._settings.mode == "auto" else {},
            origin=whole.key,
            evict=whole.held_by,
        )
        if entrance.held_by and entrance.of_build:
            return replace(case, duplicate_of=entrance.held_by)
        if entrance.held_by:
            another = with_another(whole.what, entrance.held_by, runs=True)
            return replace(case, refusal=another.with_facts(cause=case.cause), counts=False)
        if entrance.stopped:
            return replace(case, refusal=stopped(entrance.stopped).with_facts(cause=case.cause), counts=False)
        return case


def _role(project: Document, grants: Grants) -> Role | Outcome:
    try:
        return grants.role(str(project.get("serviceRole", "")))
    except ClientError as error:
        if is_transient(error):
            raise
        return Outcome(Ending.ADVISED, f"the project's service role can't be read: {message_of(error)}")


def _unreadable(role: Role, case: Case, grants: Grants) -> Outcome | None:
    """What would keep the role from the secret, where something is to refer to it or does already."""
    return None if case.refusal or case.waits else grants.objection(role)
