"""What a diagnosis hands to the later steps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from remediator.core.build import Build
from remediator.core.case import Case, refuse_build
from remediator.core.diagnosis import diagnose
from remediator.core.outcome import Ending, Outcome
from remediator.core.plan import make_plan
from remediator.core.snapshot import Snapshot
from tests.every_member import every_member, with_unknown_members
from tests.unit import given


def refused(build: Build) -> Case | None:
    return refuse_build(build, diagnose(build.failure))


def test_a_throttled_build_is_let_through() -> None:
    assert refused(given.build()) is None


@pytest.mark.parametrize("status", ["SUCCEEDED", "IN_PROGRESS", "STOPPED", ""])
def test_a_build_that_did_not_fail_by_its_own_record_is_rejected(status: str) -> None:
    case = refused(given.build(buildStatus=status))

    assert case is not None
    assert case.refusal is not None
    assert case.refusal.ending is Ending.REJECTED


def test_a_build_that_failed_for_another_reason_by_its_own_record_is_refused() -> None:
    case = refused(given.build(phases=given.phases(failed="BUILD", code="COMMAND_EXECUTION_ERROR", message="x")))

    assert case is not None
    assert case.refusal is not None
    assert case.refusal.ending is Ending.SKIPPED


def test_the_cause_is_kept_with_a_refusal() -> None:
    case = refused(given.build(phases=given.phases(message=given.ACCOUNT_LIMIT)))

    assert case is not None
    assert case.cause == "account-limit"


def test_a_case_without_objection_has_the_plan_and_how_to_run_the_build_again() -> None:
    snapshot = given.snapshot()

    case = given.case(given.build(sourceVersion="refs/heads/main"), snapshot)

    wanted = make_plan(snapshot, given.SIGN_IN)
    assert case == Case(
        refusal=None,
        cause="anonymous-limit",
        plan=replace(wanted, advice=case.plan.advice),
        last_modified=snapshot.last_modified,
        source_version="refs/heads/main",
        asked_version="refs/heads/main",
        excerpt=case.excerpt,
    )
    assert "unauthenticated pull rate limit" in case.excerpt
    assert [line.partition(" ")[0] for line in case.plan.advice] == ["Keep"]


def test_an_objection_leaves_a_case_without_a_plan() -> None:
    case = given.case(given.build(), given.snapshot(projectVisibility="PUBLIC_READ"))

    assert case.refusal is not None
    assert case.cause == "anonymous-limit"
    assert case.plan.changes == ()


def test_who_has_to_run_the_build_again_is_part_of_the_case() -> None:
    case = given.case(given.build(initiator="codepipeline/x"), given.snapshot())

    assert case.refusal is None
    assert "pipeline x" in (case.against_retry or "")


@pytest.mark.parametrize(
    "case",
    [
        Case(None),
        Case(Outcome(Ending.SKIPPED, "no"), "other-registry"),
        given.case(given.build(initiator="codepipeline/x"), given.snapshot()),
    ],
)
def test_a_case_survives_json(case: Case) -> None:
    assert Case.from_json(json.loads(json.dumps(case.to_json()))) == case


def test_a_case_holds_no_variables_value_and_no_member_of_the_project() -> None:
    project = with_unknown_members(every_member(given.PROJECT, given.ROLE, without=("environment.registryCredential",)))
    project["environment"]["image"] = given.IMAGE

    case = given.case(given.build(), Snapshot(project, given.role()))

    assert case.refusal is None
    assert "not the default" not in json.dumps(case.plan.to_json())
    assert "not the default" not in json.dumps(case.to_json())
