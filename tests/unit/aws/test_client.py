"""How clients are made, and which errors are worth asking again."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
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


VALUE = "hunter2-of-a-project"
ARN = "arn:aws:x:eu-west-1:123456789012:y"

# For each service: an operation, a member of its request, and other members that it needs. A text is right there.
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "cloudformation": ("describe_stacks", "StackName", {}),
    "codebuild": ("start_build", "projectName", {}),
    "codepipeline": ("get_pipeline_state", "name", {}),
    "dynamodb": ("get_item", "ProjectionExpression", {"TableName": "t", "Key": {"pk": {"S": "a"}}}),
    "iam": ("get_role", "RoleName", {}),
    "kms": ("get_key_policy", "KeyId", {}),
    "lambda": ("get_durable_execution", "DurableExecutionArn", {}),
    "logs": ("filter_log_events", "logGroupName", {}),
    "secretsmanager": ("get_secret_value", "SecretId", {}),
    "sns": ("publish", "Message", {"TopicArn": ARN}),
}


def test_every_client_that_is_used_has_a_request_here() -> None:
    root = Path(__file__).parents[3]
    code = [path.read_text(encoding="utf-8") for part in ("src", "undo") for path in (root / part).rglob("*.py")]
    assert sorted({name for text in code for name in re.findall(r'\bclient\("([a-z]+)"\)', text)}) == sorted(REQUESTS)


@pytest.mark.parametrize("service", REQUESTS)
def test_no_client_quotes_a_value_of_a_request_that_it_does_not_take(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", given.REGION)
    operation, member, more = REQUESTS[service]

    with pytest.raises(ParamValidationError, match="does not take a value of the request") as raised:
        getattr(client(service), operation)(**more, **{member: [VALUE]})

    assert VALUE not in "".join(traceback.format_exception(raised.value))
    assert raised.value.__context__ is None


def test_a_page_that_can_not_be_asked_for_quotes_no_value_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", given.REGION)

    with pytest.raises(ParamValidationError, match="FilterLogEvents does not take") as raised:
        list(client("logs").get_paginator("filter_log_events").paginate(logGroupName=[VALUE]))

    assert VALUE not in str(raised.value)


@pytest.mark.parametrize("service", REQUESTS)
def test_every_client_sends_a_request_that_is_right(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", given.REGION)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "key")
    operation, member, more = REQUESTS[service]
    made, sent = client(service), []

    def send(request: Any, **_: Any) -> None:
        sent.append(f"{request.url} {request.body}")
        raise ConnectTimeoutError(endpoint_url="https://x")

    made.meta.events.register("before-send", send)
    value = f"{ARN}:durable-execution:{VALUE}" if service == "lambda" else VALUE
    with pytest.raises(ConnectTimeoutError):
        getattr(made, operation)(**more, **{member: value})
    assert VALUE in sent[0]


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
