"""Starts Remediator's durable executions by name, and tells whether one still runs."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, found
from remediator.core.codebuild.failure import BuildArn

ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED")


class AlreadyStarted(Exception):
    """An execution of this name was started before, and asked for something else."""


class Executions:
    def __init__(self, lambda_: Any) -> None:
        self._client = lambda_

    def start(self, remediator: str, build: BuildArn, attempt: int, retry: bool | None = None) -> str:
        """Start one execution for this build and attempt; returns its ARN.

        Lambda takes a second start of the same name for the first. The payload is the build's ARN, with `retry` where
        a person has decided about it. Event: a durable function with an execution time-out of more than 15 minutes
        refuses to be invoked synchronously.
        """
        payload: Any = str(build) if retry is None else {"build": str(build), "retry": retry}
        try:
            answer = self._client.invoke(
                FunctionName=remediator,
                InvocationType="Event",
                DurableExecutionName=f"{build.uuid}-{attempt}",
                Payload=json.dumps(payload),
            )
        except ClientError as error:
            if code_of(error) == "DurableExecutionAlreadyStartedException":
                raise AlreadyStarted(f"{build.uuid}-{attempt}") from error
            raise
        return str(answer.get("DurableExecutionArn", ""))

    def is_running(self, execution_arn: str) -> bool:
        """Does this execution still run? Not if Lambda no longer knows it."""
        call = partial(self._client.get_durable_execution, DurableExecutionArn=execution_arn)
        answer = found(call, "ResourceNotFoundException")
        return answer is not None and answer["Status"] not in ENDED
