"""Where a build stands in its pipeline's state, and whether its stage retries by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from remediator.core.codebuild.pipeline import Place, external_id_at, place_of, retries_itself
from tests.unit.checkpoints import checkpointed

EXECUTION, NEWER = "12345678-0000-4000-8000-000000000001", "12345678-0000-4000-8000-000000000002"
BUILD, OTHER_BUILD, BATCH = "orders-api:0f8e", "orders-api:1f8e", "orders-api:6b0e"
PLACE = Place("Build", "Compile", EXECUTION)


def action(name: str, external_id: str | None, status: str = "Failed") -> dict[str, Any]:
    """One of a stage's `actionStates`; an action that has not run in any execution has no `latestExecution`."""
    if external_id is None:
        return {"actionName": name, "entityUrl": "https://console.aws.amazon.com/"}
    return {
        "actionName": name,
        "latestExecution": {
            "actionExecutionId": "6b0e",
            "status": status,
            "lastStatusChange": datetime(2026, 11, 27, tzinfo=UTC),
            "externalExecutionId": external_id,
            "externalExecutionUrl": "https://console.aws.amazon.com/",
            "errorDetails": {"code": "JobFailed", "message": "Build terminated with state: FAILED"},
        },
    }


def stage(name: str, *actions: dict[str, Any], execution: str | None = EXECUTION) -> dict[str, Any]:
    latest = {"latestExecution": {"pipelineExecutionId": execution, "status": "Failed"}} if execution else {}
    return {
        "stageName": name,
        "inboundTransitionState": {"enabled": True},
        "actionStates": list(actions),
        **latest,
    }


def state(*stages: dict[str, Any]) -> dict[str, Any]:
    """GetPipelineState's answer."""
    return {
        "pipelineName": "release",
        "pipelineVersion": 3,
        "stageStates": list(stages),
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "updated": datetime(2026, 1, 1, tzinfo=UTC),
    }


SOURCE = stage("Source", {"actionName": "Checkout", "latestExecution": {"status": "Succeeded"}})
DEPLOY = stage("Deploy", action("Apply", None), execution=None)


def release(build: str = BUILD, execution: str = EXECUTION) -> dict[str, Any]:
    """A pipeline whose second stage runs a build beside another one."""
    return state(
        SOURCE, stage("Build", action("Lint", OTHER_BUILD), action("Compile", build), execution=execution), DEPLOY
    )


@pytest.mark.parametrize("external_id", [BUILD, BATCH])
def test_a_build_or_batch_is_found_by_its_id_with_its_stage_and_execution(external_id: str) -> None:
    assert place_of(release(external_id), external_id) == PLACE


def test_two_actions_of_a_stage_are_told_apart() -> None:
    assert place_of(release(), OTHER_BUILD) == Place("Build", "Lint", EXECUTION)


@pytest.mark.parametrize(
    "shown",
    [
        release("orders-api:2f8e", NEWER),
        release("orders-api:2f8e"),
        state(SOURCE, DEPLOY),
        state(),
        {},
        state({"stageName": "Empty"}),
    ],
    ids=["a newer execution", "a retried stage", "no such stage", "no stage", "nothing", "no action"],
)
def test_a_build_that_the_pipeline_shows_no_more_has_no_place(shown: dict[str, Any]) -> None:
    assert place_of(shown, BUILD) is None


def test_what_runs_at_a_place_now_is_told_by_its_id() -> None:
    assert external_id_at(release(), PLACE) == BUILD
    assert external_id_at(release("orders-api:2f8e"), PLACE) == "orders-api:2f8e"


@pytest.mark.parametrize(
    "shown",
    [
        release("orders-api:2f8e", NEWER),
        release(BUILD, NEWER),
        state(SOURCE, DEPLOY),
        state(SOURCE, stage("Build", action("Lint", OTHER_BUILD))),
        state(SOURCE, stage("Build", action("Compile", BUILD), execution=None)),
        {},
    ],
    ids=["newer", "newer with the same build", "no stage", "no action", "no execution", "nothing"],
)
def test_nothing_runs_for_an_execution_that_is_gone_from_the_place(shown: dict[str, Any]) -> None:
    assert external_id_at(shown, PLACE) is None


@pytest.mark.parametrize("latest", [None, {"status": "InProgress"}, {"externalExecutionId": None}])
def test_an_action_that_has_not_started_anything_since_its_stage_was_retried_is_still_there(latest: Any) -> None:
    """Its retry is on its way, which is not the same as gone."""
    waiting = {"actionName": "Compile", **({"latestExecution": latest} if latest else {})}

    assert external_id_at(state(SOURCE, stage("Build", waiting)), PLACE) == ""


def test_an_action_of_the_same_name_in_another_stage_is_another_place() -> None:
    shown = state(stage("Test", action("Compile", OTHER_BUILD)), stage("Build", action("Compile", BUILD)))

    assert external_id_at(shown, PLACE) == BUILD
    assert place_of(shown, OTHER_BUILD) == Place("Test", "Compile", EXECUTION)


def definition(on_failure: dict[str, Any] | None) -> dict[str, Any]:
    """GetPipeline's answer."""
    told = {"onFailure": on_failure} if on_failure is not None else {}
    return {
        "pipeline": {
            "name": "release",
            "pipelineType": "V2",
            "stages": [
                {"name": "Source", "actions": [], "onFailure": {"result": "ROLLBACK"}},
                {"name": "Build", "actions": [], **told},
            ],
        },
        "metadata": {"pipelineArn": "arn:aws:codepipeline:eu-west-1:123456789012:release"},
    }


@pytest.mark.parametrize("mode", ["FAILED_ACTIONS", "ALL_ACTIONS"])
def test_a_stage_that_retries_on_failure_is_not_retried_beside_that(mode: str) -> None:
    automatic = definition({"result": "RETRY", "retryConfiguration": {"retryMode": mode}})

    assert retries_itself(automatic, "Build")
    assert not retries_itself(automatic, "Source")


@pytest.mark.parametrize("on_failure", [None, {}, {"result": "ROLLBACK"}, {"result": "FAIL"}, {"conditions": []}])
def test_a_stage_that_does_something_else_on_failure_does_not_retry_itself(on_failure: Any) -> None:
    assert not retries_itself(definition(on_failure), "Build")


@pytest.mark.parametrize("document", [{}, {"pipeline": {}}, {"pipeline": {"stages": []}}])
def test_a_definition_that_tells_no_stages_tells_of_no_retry(document: dict[str, Any]) -> None:
    assert not retries_itself(document, "Build")


def test_a_place_survives_a_checkpoint() -> None:
    assert checkpointed(PLACE) == PLACE
