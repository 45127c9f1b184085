"""CloudWatch Logs as the functions search it: the newest page first, patterns of alternatives, an end to every page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from tests.workflow.fake_lambda import Body

Events = Mapping[tuple[str, str], Sequence[tuple[int, str]]]
"""The streams, by group and name: milliseconds and message of each event, in order."""


class FakeLogs:
    """Answers FilterLogEvents and GetLogEvents in process. A page holds `page` events; `missing` are not there yet."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.page = 10_000
        self.hidden = 0
        """How many of the newest events are not there yet; one look makes them all appear when `appears` is 0."""
        self.appears = 0

    def attach(self, client: Any) -> Any:
        client.meta.events.register("before-send.cloudwatch-logs", self._send)
        return client

    def _send(self, request: Any, **_: object) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
        asked = json.loads(request.body)
        name = asked["logStreamNames"][0] if operation == "FilterLogEvents" else asked["logStreamName"]
        stream = self._events.get((asked["logGroupName"], name))
        if stream is None:
            error = {"__type": "ResourceNotFoundException", "message": "The specified log stream does not exist."}
            return _answer(request, 400, error)
        found = self._there(stream) if operation == "FilterLogEvents" else list(stream)
        found = [(at, text) for at, text in found if asked["startTime"] <= at < asked.get("endTime", 2**63)]
        if operation == "GetLogEvents":
            return _answer(request, 200, {"events": _told(found[-self.page :])})
        words = re.findall(r'\?"([^"]*)"', asked["filterPattern"])
        # A page is what has been looked through, not what was found in it: most pages of a long log are empty.
        end = int(asked.get("nextToken", len(found)))
        begin = max(0, end - self.page)
        matching = [(at, text) for at, text in found[begin:end] if any(word in text for word in words)]
        token = {"nextToken": str(begin)} if begin else {}
        return _answer(request, 200, {"events": _told(matching[::-1]), **token})

    def _there(self, stream: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
        there = list(stream[: len(stream) - self.hidden]) if self.hidden else list(stream)
        if self.appears:
            self.appears -= 1
        else:
            self.hidden = 0
        return there


def _told(events: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"timestamp": at, "message": f"{text}\n", "ingestionTime": at} for at, text in events]


def _answer(request: Any, status: int, body: dict[str, Any]) -> AWSResponse:
    headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.1"})
    return AWSResponse(request.url, status, headers, Body(json.dumps(body).encode()))
