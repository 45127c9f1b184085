"""What Remediator is asked to do: which failed build to look at, and whether a person wants no retry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from remediator.core.codebuild.failure import BuildArn
from remediator.core.outcome import BadInput
from remediator.core.value import value

_EXECUTION = r"/durable-execution/[^/]+-(\d{1,6})/"


@value
class Job:
    """The build, the execution that looks at it, its attempt (1 for the event's), and a person's word on the retry."""

    build: BuildArn
    execution: str
    attempt: int
    retry: bool = True

    def token(self, number: int) -> str:
        """What makes the calls of AWS idempotent by which this attempt retries for the `number`th time."""
        return f"{self.build.uuid}-{self.attempt}-{number}"

    @classmethod
    def read(cls, payload: Any, execution_arn: str) -> Job:
        """Read the payload that Intake sends: a build's ARN, or an object of that and `retry`.

        An execution is named `<build uuid>-<attempt>`; its ARN has `/durable-execution/<execution name>/<id>`.
        """
        named = re.search(_EXECUTION, execution_arn)
        attempt = int(named[1]) if named else 1
        if not isinstance(payload, Mapping):
            return cls(BuildArn.parse(payload, "payload"), execution_arn, attempt)
        retry = payload.get("retry", True)
        if not isinstance(retry, bool):
            raise BadInput("retry", retry, "it must be true or false")
        return cls(BuildArn.parse(payload.get("build"), "build"), execution_arn, attempt, retry)
