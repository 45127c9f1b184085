"""How clients are made, and which errors are worth asking again."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from remediator.aws.client import client, code_of, is_transient, message_of
from tests.unit import given


def refused(code: str, status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Operation")


def test_a_client_gives_up_in_time_and_says_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", given.REGION)

    config = client("codebuild").meta.config

    assert (config.connect_timeout, config.read_timeout) == (5, 20)
    assert config.retries == {"mode": "standard", "total_max_attempts": 4}
    assert "app/codebuild-pull-limit-remediator" in config.user_agent


@pytest.mark.parametrize(
    "error",
    [
        refused("ThrottlingException"),
        refused("Throttling"),
        refused("TooManyRequestsException", 429),
        refused("ProvisionedThroughputExceededException"),
        refused("TransactionConflictException"),
        refused("ServiceUnavailable", 503),
        refused("Anything", 500),
        ReadTimeoutError(endpoint_url="https://x"),
        ConnectTimeoutError(endpoint_url="https://x"),
        EndpointConnectionError(endpoint_url="https://x"),
    ],
)
def test_throttling_time_outs_and_faults_of_the_service_are_worth_asking_again(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        refused("AccessDenied", 403),
        refused("AccessDeniedException"),
        refused("LimitExceeded", 409),
        refused("ResourceNotFoundException"),
        refused("ConditionalCheckFailedException"),
        refused("InvalidInputException"),
        ClientError({}, "Operation"),
        ParamValidationError(report="x"),
        NoCredentialsError(),
        ValueError("x"),
    ],
)
def test_a_refusal_is_final(error: Exception) -> None:
    assert not is_transient(error)


def test_code_and_message_of_an_error_are_told() -> None:
    assert (code_of(refused("X")), message_of(refused("X"))) == ("X", "why")
    assert (code_of(ClientError({}, "O")), message_of(ClientError({}, "O"))) == ("", "")
