"""CloudWatch Logs as the functions search it, over the lines that the simulated builds have written."""

from __future__ import annotations

import json
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from local.aws.logs import search
from local.simulator.testing import FakeWorld
from tests.workflow.fake_lambda import Body


class FakeLogs:
    """Answers FilterLogEvents and GetLogEvents in process."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def attach(self, client: Any) -> Any:
        client.meta.events.register("before-send.cloudwatch-logs", self._send)
        return client

    def _send(self, request: Any, **_: object) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
        asked = json.loads(request.body)
        name = asked["logStreamNames"][0] if operation == "FilterLogEvents" else asked["logStreamName"]
        stream = self._world.log_events.get((asked["logGroupName"], name))
        if stream is None:
            error = {"__type": "ResourceNotFoundException", "message": "The specified log stream does not exist."}
            return _answer(request, 400, error)
        events = [{"timestamp": at, "message": f"{text}\n", "ingestionTime": at} for at, text in stream]
        if operation == "FilterLogEvents":
            return _answer(request, 200, search({name: events}, asked))
        within = [event for event in events if asked["startTime"] <= event["timestamp"] < asked["endTime"]]
        return _answer(request, 200, {"events": within})


def _answer(request: Any, status: int, body: dict[str, Any]) -> AWSResponse:
    headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.1"})
    return AWSResponse(request.url, status, headers, Body(json.dumps(body).encode()))
