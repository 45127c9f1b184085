"""What the record of a batch tells."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.codebuild.batch import Batch
from tests.unit import given

BATCH_ID = f"{given.PROJECT}:6b0e8d6c-0000-4000-8000-a1b2c3d4e5f6"
BATCH_ARN = f"arn:aws:codebuild:{given.REGION}:{given.ACCOUNT}:build-batch/{BATCH_ID}"


def arn(name: str) -> str:
    return f"arn:aws:codebuild:{given.REGION}:{given.ACCOUNT}:build/{given.PROJECT}:{name}"


def summary(name: str, status: str) -> dict[str, Any]:
    return {"arn": arn(name), "requestedOn": 1_795_000_100.5, "buildStatus": status, "primaryArtifact": {}}


def group(identifier: str, current: dict[str, Any] | None, *prior: dict[str, Any]) -> dict[str, Any]:
    """One of the `buildGroups`; the builds that were retried before are `prior`."""
    told = {"currentBuildSummary": current} if current else {}
    return {"identifier": identifier, "dependsOn": [], "ignoreFailure": False, "priorBuildSummaryList": [*prior]} | told


def batch(*groups: dict[str, Any], **members: Any) -> Batch:
    """One of the `buildBatches` of BatchGetBuildBatches."""
    return Batch(
        {
            "id": BATCH_ID,
            "arn": BATCH_ARN,
            "buildBatchStatus": "FAILED",
            "complete": True,
            "buildTimeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            "buildBatchConfig": {"serviceRole": given.ROLE, "timeoutInMins": 120},
            "buildGroups": [*groups],
            **members,
        }
    )


RETRIED = group("linux", summary("second", "SUCCEEDED"), summary("first", "FAILED"))
FAILED = group("arm", summary("arm", "FAILED"))
PASSED = group("lint", summary("lint", "SUCCEEDED"))
WAITING = group("deploy", None)


def test_a_batch_tells_its_id_its_status_and_whether_it_has_ended() -> None:
    told = batch()

    assert (told.id, told.arn, told.status, told.ended) == (BATCH_ID, BATCH_ARN, "FAILED", True)


@pytest.mark.parametrize("complete", [False, None])
def test_a_batch_that_still_runs_has_not_ended_whatever_its_status(complete: bool | None) -> None:
    assert not batch(complete=complete).ended


def test_an_empty_record_tells_nothing_and_raises_nothing() -> None:
    told = Batch({})

    assert (told.id, told.arn, told.status, told.ended, told.failed_builds) == ("", "", "", False, ())
    assert (told.group_of(arn("x")), told.build_of("linux"), told.minutes_allowed) == ("", "", 540)


def test_only_the_newest_build_of_each_group_counts_as_failed() -> None:
    assert batch(RETRIED, FAILED, PASSED, WAITING).failed_builds == (arn("arm"),)


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "TIMED_OUT"])
def test_every_way_of_failing_counts(status: str) -> None:
    assert batch(group("x", summary("x", status))).failed_builds == (arn("x"),)


@pytest.mark.parametrize("status", ["SUCCEEDED", "IN_PROGRESS", "STOPPED", ""])
def test_what_did_not_fail_is_no_failed_build(status: str) -> None:
    assert batch(group("x", summary("x", status))).failed_builds == ()


def test_a_batch_of_many_failed_builds_tells_as_many_as_one_answer_holds() -> None:
    groups = [group(f"g{n}", summary(f"b{n}", "FAILED")) for n in range(130)]

    assert batch(*groups).failed_builds == tuple(arn(f"b{n}") for n in range(100))


@pytest.mark.parametrize(
    ("name", "identifier"), [("second", "linux"), ("first", "linux"), ("arm", "arm"), ("of another batch", "")]
)
def test_a_builds_group_is_found_also_after_it_was_retried(name: str, identifier: str) -> None:
    assert batch(RETRIED, FAILED, WAITING).group_of(arn(name)) == identifier


@pytest.mark.parametrize(
    ("identifier", "build"), [("linux", arn("second")), ("arm", arn("arm")), ("deploy", ""), ("", ""), ("other", "")]
)
def test_a_groups_build_is_the_one_that_it_has_now(identifier: str, build: str) -> None:
    assert batch(RETRIED, FAILED, WAITING).build_of(identifier) == build


@pytest.mark.parametrize(
    ("members", "minutes"),
    [
        ({}, 480 + 120),
        ({"queuedTimeoutInMinutes": 5}, 5 + 120),
        ({"buildBatchConfig": {"timeoutInMins": 10}}, 480 + 10),
        ({"buildBatchConfig": {}}, 480 + 60),
        ({"buildBatchConfig": None, "buildTimeoutInMinutes": 30}, 480 + 30),
        ({"buildBatchConfig": None, "buildTimeoutInMinutes": None, "queuedTimeoutInMinutes": None}, 480 + 60),
    ],
)
def test_a_batch_may_take_its_time_in_the_queue_and_its_time_to_run(members: dict[str, Any], minutes: int) -> None:
    assert batch(**members).minutes_allowed == minutes
