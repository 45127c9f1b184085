"""What the diagnosis of one failed build hands to the later steps: decisions, names and ARNs, never a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from remediator.core.build import Build
from remediator.core.diagnosis import Diagnosis, mirrors_of
from remediator.core.evidence import Cause
from remediator.core.failure import FAILED_STATUSES
from remediator.core.image import DOCKER_HUB
from remediator.core.outcome import Ending, Outcome
from remediator.core.plan import Plan, SignIn, make_plan
from remediator.core.retry import START_BUILD, reason_against_retry, way_to_retry
from remediator.core.review import Untrusted, objection
from remediator.core.snapshot import Snapshot

NO_PLAN = Plan()


@dataclass(frozen=True, slots=True)
class Case:
    """A diagnosis and its plan, small enough for a checkpoint.

    `refusal` ends the remediation with nothing written. `against_retry` says who has to run the build again instead,
    `retry_with` which of CodeBuild's calls runs it again; `source_version` is what StartBuild is given for it,
    `asked_version` what it was started with.
    `last_modified` is the project's, by CodeBuild's clock, when the plan was made at `made_at`, by ours. `phase` is
    the one that failed, `excerpt` the evidence, redacted. `otherwise` is the advice where the secret lacks the key
    that the plan's DOCKER_AUTH_CONFIG needs; empty for a plan without it.
    """

    refusal: Outcome | None
    cause: str | None = None
    plan: Plan = NO_PLAN
    last_modified: float = 0.0
    made_at: float = 0.0
    source_version: str | None = None
    asked_version: str | None = None
    against_retry: str | None = None
    retry_with: str = START_BUILD
    phase: str = "PROVISIONING"
    excerpt: str = ""
    otherwise: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "refusal": self.refusal.to_json() if self.refusal else None,
            "cause": self.cause,
            "plan": self.plan.to_json(),
            "last_modified": self.last_modified,
            "made_at": self.made_at,
            "source_version": self.source_version,
            "asked_version": self.asked_version,
            "against_retry": self.against_retry,
            "retry_with": self.retry_with,
            "phase": self.phase,
            "excerpt": self.excerpt,
            "otherwise": list(self.otherwise),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Case:
        refusal = document["refusal"]
        return cls(
            refusal=Outcome.from_json(refusal) if refusal else None,
            cause=document["cause"],
            plan=Plan.from_json(document["plan"]),
            last_modified=document["last_modified"],
            made_at=document["made_at"],
            source_version=document["source_version"],
            asked_version=document["asked_version"],
            against_retry=document["against_retry"],
            retry_with=document["retry_with"],
            phase=document["phase"],
            excerpt=document["excerpt"],
            otherwise=tuple(document["otherwise"]),
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """What the stack's parameters allow a repair to do, and with which credentials."""

    sign_in: SignIn
    untrusted: Untrusted
    edit_buildspecs: bool


def refuse_build(build: Build, diagnosis: Diagnosis) -> Case | None:
    """Did it fail, and can credentials cure that? None when they can."""
    if build.status not in FAILED_STATUSES:
        return Case(Outcome(Ending.REJECTED, f"the build did not fail: CodeBuild has it as {build.status}"))
    return Case(diagnosis.refusal, diagnosis.cause) if diagnosis.refusal else None


def make_case(build: Build, diagnosis: Diagnosis, snapshot: Snapshot, terms: Terms, pushes: bool | None = None) -> Case:
    """Review and plan for a build that `refuse_build` let through.

    `pushes`: do the project's builds sign in or push by themselves, as far as their logs tell (see `Observed`)?
    """
    sign_in = terms.sign_in
    refusal = objection(build, snapshot, sign_in, terms.untrusted)
    if refusal:
        return Case(refusal, diagnosis.cause)
    case = Case(
        refusal=None,
        cause=diagnosis.cause,
        last_modified=snapshot.last_modified,
        source_version=build.source_version,
        asked_version=build.document.get("sourceVersion") or None,
        against_retry=reason_against_retry(build, snapshot, sign_in),
        retry_with=way_to_retry(build),
        phase=build.failure.phase,
        excerpt=diagnosis.excerpt,
    )
    if build.failure.of_command:
        case = _with_commands_signed_in(case, build, diagnosis, snapshot, terms, pushes)
    else:
        case = replace(case, plan=make_plan(snapshot, sign_in))
    return case if case.refusal else _with_advice_to_keep(case, snapshot)


def _with_commands_signed_in(
    case: Case, build: Build, diagnosis: Diagnosis, snapshot: Snapshot, terms: Terms, pushes: bool | None
) -> Case:
    from remediator.core.command_sign_in import Observed, way_to_sign_in

    observed = Observed(diagnosis.excerpt, pushes)
    way = way_to_sign_in(build, snapshot, terms.sign_in, observed, terms.edit_buildspecs)
    mirrors = mirrors_of(diagnosis, build.failure)
    if way.refusal:
        return Case(way.refusal.with_facts(advice=(*way.refusal.advice, *mirrors)), diagnosis.cause)
    plan = make_plan(snapshot, terms.sign_in, way.login, way.auth_config)
    otherwise = (*way.otherwise, *mirrors) if way.otherwise else ()
    return replace(case, plan=replace(plan, advice=(*plan.advice, *way.advice)), otherwise=otherwise)


def replan(case: Case, build: Build, snapshot: Snapshot, terms: Terms) -> Case:
    """The same case for a project that was edited since: the diagnosis holds, the plan is made anew."""
    cause = Cause(case.cause) if case.cause else None
    diagnosis = Diagnosis(cause, DOCKER_HUB, case.phase, case.excerpt, refusal=None)
    return make_case(build, diagnosis, snapshot, terms, pushes=False if case.otherwise else None)


def _with_advice_to_keep(case: Case, snapshot: Snapshot) -> Case:
    """What the project's owner has to do so that the next deploy does not undo the repair, or stumble over it."""
    from remediator.core.definition import keep_in_definition
    from remediator.core.owner import owner_of

    plan, told = case.plan, []
    if plan.project_changes:
        told.append(keep_in_definition(owner_of(snapshot.tags), snapshot.name, plan.settings()))
    owner = owner_of(snapshot.role.tags) if snapshot.role else None
    if plan.grant and owner and owner.certain and owner.tool == "cloudformation":
        from remediator.core.advice import detach_before_delete

        told.append(detach_before_delete(plan.grant.role_name, plan.grant.policy_arn, owner.name))
    return replace(case, plan=replace(plan, advice=(*plan.advice, *told)))
