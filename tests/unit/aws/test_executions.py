"""Starting Remediator by name, and asking whether an execution still runs; every request passes Lambda's model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from remediator.aws.executions import AlreadyStarted, Executions
from tests.unit import given

ARN = f"{given.REMEDIATOR}/durable-execution/{given.UUID}-2/6b0e"


@pytest.fixture
def stubber() -> Stubber:
    return Stubber(given.aws("lambda"))


@pytest.mark.parametrize(
    ("retry", "payload"),
    [
        (None, str(given.BUILD_ARN)),
        (True, {"build": str(given.BUILD_ARN), "retry": True}),
        (False, {"build": str(given.BUILD_ARN), "retry": False}),
    ],
)
def test_an_execution_is_started_asynchronously_on_the_alias_by_the_name_of_build_and_attempt(
    stubber: Stubber, retry: bool | None, payload: Any
) -> None:
    stubber.add_response(
        "invoke",
        {"StatusCode": 202, "DurableExecutionArn": ARN},
        {
            "FunctionName": given.REMEDIATOR,
            "InvocationType": "Event",
            "DurableExecutionName": f"{given.UUID}-2",
            "Payload": json.dumps(payload),
        },
    )

    with stubber:
        assert Executions(stubber.client).start(given.REMEDIATOR, given.BUILD_ARN, 2, retry) == ARN
    stubber.assert_no_pending_responses()


def test_a_start_whose_answer_names_no_execution_is_answered_with_nothing(stubber: Stubber) -> None:
    stubber.add_response("invoke", {"StatusCode": 202})

    with stubber:
        assert Executions(stubber.client).start(given.REMEDIATOR, given.BUILD_ARN, 1) == ""


def test_an_attempt_of_a_real_build_has_a_name_that_lambda_takes() -> None:
    shape = given.aws("lambda").meta.service_model.shape_for("DurableExecutionName")

    assert len(f"{given.UUID}-999999") <= shape.metadata["max"]


def status(word: str) -> dict[str, Any]:
    return {
        "DurableExecutionArn": ARN,
        "DurableExecutionName": f"{given.UUID}-2",
        "FunctionArn": given.REMEDIATOR,
        "StartTimestamp": 1_795_000_000,
        "Status": word,
    }


@pytest.mark.parametrize(
    ("word", "running"),
    [("RUNNING", True), ("SUCCEEDED", False), ("FAILED", False), ("TIMED_OUT", False), ("STOPPED", False)],
)
def test_an_execution_runs_until_it_has_ended(stubber: Stubber, word: str, running: bool) -> None:
    stubber.add_response("get_durable_execution", status(word), {"DurableExecutionArn": ARN})

    with stubber:
        assert Executions(stubber.client).is_running(ARN) is running


def test_an_execution_that_lambda_no_longer_knows_does_not_run(stubber: Stubber) -> None:
    stubber.add_client_error("get_durable_execution", "ResourceNotFoundException")

    with stubber:
        assert not Executions(stubber.client).is_running(ARN)


def test_a_question_that_lambda_refuses_is_no_answer(stubber: Stubber) -> None:
    stubber.add_client_error("get_durable_execution", "AccessDeniedException")

    with stubber, pytest.raises(ClientError):
        Executions(stubber.client).is_running(ARN)


def test_a_name_that_was_started_for_something_else_is_told_by_name(stubber: Stubber) -> None:
    stubber.add_client_error("invoke", "DurableExecutionAlreadyStartedException")

    with stubber, pytest.raises(AlreadyStarted, match=f"{given.UUID}-1"):
        Executions(stubber.client).start(given.REMEDIATOR, given.BUILD_ARN, 1, retry=False)
