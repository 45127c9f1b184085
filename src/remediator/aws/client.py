"""Makes the clients for AWS, all alike: short time-outs, botocore's standard retries, a user agent of our own, and no
error that quotes a value of a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as LostConnection
from botocore.validate import ParamValidator

CONFIG = Config(  # type: ignore[call-arg]  # the stubs do not know user_agent_appid
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_appid="codebuild-pull-limit-remediator",
)

_TRANSIENT = (
    r"InternalFailure|InternalServerError|LimitExceededError|PriorRequestNotComplete"
    r"|ProvisionedThroughputExceededException|RequestLimitExceeded|RequestTimeout|ServiceUnavailable"
    r"|ThrottledException|Throttling|ThrottlingException|TooManyRequestsException|TransactionConflictException"
    r"|TransactionInProgressException"
)
_TRANSIENT_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class NotStarted(Exception):
    """AWS refused to start a build, so there is none to look for."""


class NotNow(Exception):
    """AWS starts no build right now: a limit of the account or its queue, or throttling. That passes."""


def discreet(client: Any) -> Any:
    """The client, which quotes no value of a request that it does not take. botocore's own error does, and a request
    may hold a project's own values. So each request is looked at right before botocore does that.
    https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html"""
    client.meta.events.register_last("before-parameter-build", _raise_without_values)
    return client


def _raise_without_values(params: Any, model: Any, **_: Any) -> None:
    if model.input_shape and ParamValidator().validate(params, model.input_shape).has_errors():
        raise ParamValidationError(report=f"{model.name} does not take a value of the request")


def client(service: str, region: str | None = None) -> Any:
    """A boto3 client for `service`, in the function's own account, and its own region or another one."""
    session: Any = boto3
    return discreet(session.client(service, region_name=region, config=CONFIG))


def is_transient(error: Exception) -> bool:
    """Is it worth asking again later: throttling, time-outs, 5xx and lost connections, never a refusal?"""
    if isinstance(error, ClientError):
        if code_of(error) == "TransactionCanceledException":
            reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            return bool(reasons & _TRANSIENT_REASONS)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or re.fullmatch(_TRANSIENT, code_of(error)) is not None
    return isinstance(error, (LostConnection, HTTPClientError))


def raise_if_transient(error: Exception) -> None:
    """Leave only refusals to the caller: what may pass by itself is tried again with the whole step."""
    if is_transient(error):
        raise error


def found(call: Callable[[], Any], *missing: str) -> Any:
    """AWS's answer to a call; None where it is one of the errors `missing`, those for what does not exist."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) not in missing:
            raise
        return None


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))
