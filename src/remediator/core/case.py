"""What the diagnosis of one failed build hands to the later steps: decisions, names and ARNs, never a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import FAILED_STATUSES
from remediator.core.codebuild.image import DOCKER_HUB
from remediator.core.codebuild.project import Snapshot
from remediator.core.diagnosis.diagnosis import WAITED_FOR, Diagnosis, mirrors_of
from remediator.core.diagnosis.throttle import Cause
from remediator.core.guards.history import NEW, History, undone_again
from remediator.core.guards.review import another_image, objection
from remediator.core.guards.scope import EVERYTHING, Scope, out_of_scope
from remediator.core.guards.strangers import Untrusted
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.change import GrantSecretAccess
from remediator.core.repair.plan import Plan, make_plan
from remediator.core.repair.sign_in import SignIn
from remediator.core.repair.signed_in import signed_in
from remediator.core.retry.way import Retry, Way, decide_retry

NO_PLAN = Plan()
START_AGAIN = Retry(Way.START_BUILD)


@dataclass(frozen=True, slots=True)
class Case:
    """A diagnosis and its plan, small enough for a checkpoint.

    `refusal` ends the remediation with nothing written. `waits` tells that the cause passes with time and that
    nothing is to be changed. `retry` is how the build is run again; `source_version` is what StartBuild is given for
    it, `asked_version` what it was started with. `build` is the ARN of the build that was diagnosed, `initiator` who
    started it, `started_at` when, `pipeline` and `batch` what it belongs to (empty for none), `minutes` how long it may
    take, CodeBuild's own retries of it included. `place` is where its pipeline ran it (see `Place`), `origin` the
    journal's key of what it comes back with, where that is more than the build itself. `duplicate_of` is the execution
    that has this very build already.

    `last_modified` is the project's, by CodeBuild's clock, when the plan was made at `made_at`, by ours; `edited_at`
    the last edit that was not ours. `counts`: is this one of the project's attempts? `notices`: is it
    the last news before the project goes quiet? `undone`: does the plan repair
    again what somebody took away? `phase` is the one that failed, `excerpt` the evidence, redacted. `otherwise` is the
    advice where the secret lacks the key that the plan's DOCKER_AUTH_CONFIG needs; empty for a plan without it.
    """

    refusal: Outcome | None
    cause: str | None = None
    plan: Plan = NO_PLAN
    waits: bool = False
    retry: Retry = START_AGAIN
    source_version: str | None = None
    asked_version: str | None = None
    build: str = ""
    initiator: str = ""
    pipeline: str = ""
    batch: str = ""
    minutes: int = 540
    started_at: float = 0.0
    place: Mapping[str, str] | None = None
    origin: str = ""
    duplicate_of: str = ""
    last_modified: float = 0.0
    made_at: float = 0.0
    edited_at: float = 0.0
    counts: bool = False
    notices: bool = False
    undone: bool = False
    phase: str = "PROVISIONING"
    excerpt: str = ""
    otherwise: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        document = {name: getattr(self, name) for name in self.__slots__}
        return {
            **document,
            "refusal": self.refusal.to_json() if self.refusal else None,
            "plan": self.plan.to_json(),
            "retry": self.retry.to_json(),
            "otherwise": list(self.otherwise),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Case:
        refusal = document["refusal"]
        read = {
            "refusal": Outcome.from_json(refusal) if refusal else None,
            "plan": Plan.from_json(document["plan"]),
            "retry": Retry.from_json(document["retry"]),
            "otherwise": tuple(document["otherwise"]),
        }
        return cls(**{**document, **read})


@dataclass(frozen=True, slots=True)
class Terms:
    """What the stack's parameters allow a repair to do, to which projects, and with which credentials."""

    sign_in: SignIn
    untrusted: Untrusted
    edit_buildspecs: bool
    scope: Scope = EVERYTHING


def refuse_build(build: Build, diagnosis: Diagnosis) -> Case | None:
    """Did it fail, and can credentials cure that, or time? None when they can."""
    if build.status not in FAILED_STATUSES:
        return Case(Outcome(Ending.REJECTED, f"the build did not fail: CodeBuild has it as {build.status}"))
    if diagnosis.cause in WAITED_FOR:
        return None
    return Case(diagnosis.refusal, diagnosis.cause) if diagnosis.refusal else None


def make_case(
    build: Build,
    diagnosis: Diagnosis,
    snapshot: Snapshot,
    terms: Terms,
    history: History = NEW,
    pushes: bool | None = None,
) -> Case:
    """Review and plan for a build that `refuse_build` let through.

    `pushes`: do the project's builds sign in or push by themselves, as far as their logs tell (see `Observed`)?
    """
    outside = out_of_scope(snapshot, terms.scope)
    if outside:
        return Case(outside, diagnosis.cause)
    if diagnosis.cause in WAITED_FOR:
        return _waiting(build, diagnosis, snapshot, terms, history)
    sign_in = terms.sign_in
    edited_at = history.edited_before(snapshot)
    refusal = objection(build, snapshot, sign_in, terms.untrusted, edited_at)
    if refusal:
        return Case(refusal, diagnosis.cause)
    case = _case(build, diagnosis, snapshot, terms, history)
    if build.failure.of_command:
        case = _with_commands_signed_in(case, build, diagnosis, snapshot, terms, pushes)
    else:
        case = replace(case, plan=make_plan(snapshot, sign_in, for_build=another_image(build, snapshot)))
    if case.refusal:
        return case
    if sign_in.grant_by == "none" and case.plan.grant and snapshot.role:
        return Case(_left_to_a_person(case.plan.grant), diagnosis.cause)
    case = _with_advice_to_keep(case, snapshot)
    left_alone = undone_again(history, case.plan)
    if left_alone:
        return Case(left_alone, diagnosis.cause)
    return replace(case, undone=history.was_undone(case.plan))


def _case(build: Build, diagnosis: Diagnosis, snapshot: Snapshot, terms: Terms, history: History) -> Case:
    edited_at = history.edited_before(snapshot)
    return Case(
        refusal=None,
        cause=diagnosis.cause,
        retry=decide_retry(build, snapshot, terms.sign_in, edited_at),
        source_version=build.source_version,
        asked_version=build.document.get("sourceVersion") or None,
        build=str(build.failure.build),
        initiator=build.initiator,
        pipeline=build.pipeline,
        batch=build.batch,
        minutes=build.minutes_allowed * (1 + build.auto_retries_left),
        started_at=build.started_at,
        last_modified=snapshot.last_modified,
        edited_at=edited_at,
        counts=history.counts(build),
        phase=build.failure.phase,
        excerpt=diagnosis.excerpt,
    )


def _waiting(build: Build, diagnosis: Diagnosis, snapshot: Snapshot, terms: Terms, history: History) -> Case:
    """A cause that passes with time. Whose limit or lockout it is can be told only of builds that use the secret: of
    another account nothing can be read here, and signing in as this one would tell nothing of that."""
    ours = signed_in(build, build.failure.phase, terms.sign_in)
    if not ours and diagnosis.cause is not Cause.ABUSE_LIMIT:
        return Case(diagnosis.refusal, diagnosis.cause)
    case = _case(build, diagnosis, snapshot, terms, history)
    if not ours and another_image(build, snapshot):
        # StartBuild would be given the credential for that image, and this role may not read it.
        against = "start the build again later, with the image that it was started with"
        case = replace(case, retry=replace(case.retry, against=against))
    advice = diagnosis.refusal.advice if diagnosis.refusal else ()
    return replace(case, waits=True, plan=Plan(advice=advice))


def _with_commands_signed_in(
    case: Case, build: Build, diagnosis: Diagnosis, snapshot: Snapshot, terms: Terms, pushes: bool | None
) -> Case:
    from remediator.core.repair.command_sign_in import Observed, way_to_sign_in

    observed = Observed(diagnosis.excerpt, pushes)
    way = way_to_sign_in(build, snapshot, terms.sign_in, observed, terms.edit_buildspecs)
    mirrors = mirrors_of(diagnosis, build.failure)
    if way.refusal:
        return Case(way.refusal.with_facts(advice=(*way.refusal.advice, *mirrors)), diagnosis.cause)
    plan = make_plan(snapshot, terms.sign_in, way.login, way.auth_config)
    otherwise = (*way.otherwise, *mirrors) if way.otherwise else ()
    return replace(case, plan=replace(plan, advice=(*plan.advice, *way.advice)), otherwise=otherwise)


def replan(case: Case, build: Build, snapshot: Snapshot, terms: Terms) -> Case:
    """The same case for a project that was edited since: the diagnosis holds, the plan is made anew.

    The build that it was planned for started before that edit, so what differs now may be the edit's.
    """
    cause = Cause(case.cause) if case.cause else None
    diagnosis = Diagnosis(cause, DOCKER_HUB, case.phase, case.excerpt, refusal=None)
    again = make_case(build, diagnosis, snapshot, terms, pushes=False if case.otherwise else None)
    return replace(again, place=case.place, origin=case.origin, counts=case.counts, undone=case.undone)


def _left_to_a_person(grant: GrantSecretAccess) -> Outcome:
    from remediator.core.advice.sign_in import attach_policy

    return Outcome(
        Ending.ADVISED,
        f"PolicyMode is none, and the service role {grant.role_name} may not read the secret yet: nothing was written",
        advice=(attach_policy(grant.role_name, grant.policy_arn), "then use the remediate command"),
    )


def _with_advice_to_keep(case: Case, snapshot: Snapshot) -> Case:
    """What the project's owner has to do so that the next deploy does not undo the repair, or stumble over it."""
    from remediator.core.advice.definition import keep_in_definition
    from remediator.core.advice.owner import owner_of

    plan, told = case.plan, []
    if plan.project_changes:
        told.append(keep_in_definition(owner_of(snapshot.tags), snapshot.name, plan.settings()))
    owner = owner_of(snapshot.role.tags) if snapshot.role else None
    if plan.grant and owner and owner.certain and owner.tool == "cloudformation":
        from remediator.core.advice.sign_in import take_grant_before_delete

        told += take_grant_before_delete(plan.grant, owner.name)
    return replace(case, plan=replace(plan, advice=(*plan.advice, *told)))
