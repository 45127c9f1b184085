"""What the diagnosis of one failed build hands to the later steps: decisions, names and ARNs, never a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remediator.core.build import Build
from remediator.core.diagnosis import diagnose
from remediator.core.failure import FAILED_STATUSES
from remediator.core.outcome import Ending, Outcome
from remediator.core.plan import Plan, SignIn, make_plan
from remediator.core.retry import reason_against_retry
from remediator.core.review import Untrusted, objection
from remediator.core.snapshot import Snapshot

NO_PLAN = Plan()


@dataclass(frozen=True, slots=True)
class Case:
    """A diagnosis and its plan, small enough for a checkpoint.

    `refusal` ends the remediation with nothing written. `against_retry` says who has to run the build again instead.
    `last_modified` is the project's, by CodeBuild's clock, when the plan was made at `made_at`, by ours.
    """

    refusal: Outcome | None
    cause: str | None = None
    plan: Plan = NO_PLAN
    last_modified: float = 0.0
    made_at: float = 0.0
    source_version: str | None = None
    against_retry: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "refusal": self.refusal.to_json() if self.refusal else None,
            "cause": self.cause,
            "plan": self.plan.to_json(),
            "last_modified": self.last_modified,
            "made_at": self.made_at,
            "source_version": self.source_version,
            "against_retry": self.against_retry,
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
            against_retry=document["against_retry"],
        )


def refuse_build(build: Build) -> Case | None:
    """Did it fail, and can credentials cure that, by the build's own record? None when they can."""
    if build.status not in FAILED_STATUSES:
        return Case(Outcome(Ending.REJECTED, f"the build did not fail: CodeBuild has it as {build.status}"))
    diagnosis = diagnose(build.failure)
    return Case(diagnosis.refusal, diagnosis.cause) if diagnosis.refusal else None


def make_case(build: Build, snapshot: Snapshot, sign_in: SignIn, untrusted: Untrusted) -> Case:
    """Review and plan for a build that `refuse_build` let through."""
    diagnosis = diagnose(build.failure)
    refusal = objection(build, snapshot, sign_in, untrusted)
    if refusal:
        return Case(refusal, diagnosis.cause)
    return Case(
        refusal=None,
        cause=diagnosis.cause,
        plan=make_plan(snapshot, sign_in),
        last_modified=snapshot.last_modified,
        source_version=build.source_version,
        against_retry=reason_against_retry(build, snapshot, sign_in),
    )
