"""Lambda as the functions see it: executions by name, and whether one still runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

REMEDIATOR = "arn:aws:lambda:eu-west-1:123456789012:function:remediator:live"
VERSION = "arn:aws:lambda:eu-west-1:123456789012:function:remediator:1"


class Body:
    """The part of urllib3's response that botocore reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content


@dataclass
class FakeLambda:
    """Answers Lambda's calls in process: keeps what was started, by name, and says what still runs.

    A second start of a name is taken for the first, as Lambda takes it. Who asks after an execution that runs is
    answered when it has ended, or after `patience` seconds: waits are skipped, so somebody has to let time pass.
    """

    started: dict[str, Any] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)
    patience: float = 0.3
    _running: set[str] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def begin(self, execution: str) -> None:
        with self._changed:
            self._running.add(execution)

    def end(self, execution: str) -> None:
        with self._changed:
            self._running.discard(execution)
            self._changed.notify_all()

    def attach(self, client: Any) -> Any:
        client.meta.events.register("before-send.lambda", self._send)
        return client

    def _send(self, request: Any, **_: object) -> AWSResponse:
        path = unquote(urlsplit(request.url).path)
        if path.endswith("/invocations"):
            return self._invoke(request)
        return self._describe(request, path.rpartition("/durable-executions/")[2])

    def _invoke(self, request: Any) -> AWSResponse:
        name = request.headers["X-Amz-Durable-Execution-Name"]
        name = name.decode() if isinstance(name, bytes) else name
        body = request.body.read() if hasattr(request.body, "read") else request.body
        with self._changed:
            self.starts.append(name)
            self.started.setdefault(name, json.loads(body))
        headers = HTTPHeaders.from_dict({"X-Amz-Durable-Execution-Arn": execution_arn(name)})
        return AWSResponse(request.url, 202, headers, Body(b""))

    def _describe(self, request: Any, arn: str) -> AWSResponse:
        with self._changed:
            self._changed.wait_for(lambda: arn not in self._running, self.patience)
            status = "RUNNING" if arn in self._running else "SUCCEEDED"
        answer = {
            "DurableExecutionArn": arn,
            "DurableExecutionName": arn.split("/")[-2],
            "FunctionArn": REMEDIATOR,
            "StartTimestamp": 1.0,
            "Status": status,
            "Version": "1",
        }
        return AWSResponse(request.url, 200, HTTPHeaders(), Body(json.dumps(answer).encode()))


def execution_arn(name: str, run: str = "1") -> str:
    """An execution's ARN, in which its name stands; `run` tells two of one name apart."""
    return f"{VERSION}/durable-execution/{name}/{run}"
