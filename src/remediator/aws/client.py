"""Makes the clients for AWS, all alike: short time-outs, botocore's standard retries, a user agent of our own."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as LostConnection

CONFIG = Config(  # type: ignore[call-arg]  # the stubs do not know user_agent_appid
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_appid="codebuild-pull-limit-remediator",
)

_TRANSIENT = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "LimitExceededError",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


_TRANSIENT_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


def client(service: str) -> Any:
    """A boto3 client for `service`, in the function's own account and region."""
    session: Any = boto3
    return session.client(service, config=CONFIG)


def is_transient(error: Exception) -> bool:
    """Is it worth asking again later: throttling, time-outs, 5xx and lost connections, never a refusal?"""
    if isinstance(error, ClientError):
        if code_of(error) == "TransactionCanceledException":
            reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            return bool(reasons & _TRANSIENT_REASONS)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or code_of(error) in _TRANSIENT
    return isinstance(error, (LostConnection, HTTPClientError))


def raise_if_transient(error: Exception) -> None:
    """Leave only refusals to the caller: what may pass by itself is tried again with the whole step."""
    if is_transient(error):
        raise error


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))
