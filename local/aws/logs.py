"""CloudWatch Logs as readers meet it: patterns, newest first, pages, and the ARNs that reads are checked on.

JSON patterns match everything, as in MiniStack.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Document = dict[str, Any]
Matches = Callable[[str], bool]

MOST_EVENTS = 10_000
MOST_SEARCHED = 10_000
"""How many events one call looks at: a page may be short or empty, and not the last."""
NEWEST_FIRST_SINCE = 1_704_067_200_000
"""Milliseconds: the start of 2024. What CloudWatch Logs says to a request without a startTime is not published."""

_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_ESCAPED = re.compile(r"\\(.)")


class InvalidParameter(Exception):
    """A request that CloudWatch Logs refuses with InvalidParameterException."""


def matcher(pattern: str) -> Matches:
    """Whether a message matches: all plain terms, none with `-`; or, where there are only `?` terms, one of them."""
    text = (pattern or "").strip()
    if not text or text.startswith("{"):
        return lambda message: True
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    for sign, phrase, word in _TERM.findall(text):
        terms[sign].append(word or _ESCAPED.sub(r"\1", phrase))
    every, one_of, none = terms[""], terms["?"], terms["-"]

    def matches(message: str) -> bool:
        if any(term in message for term in none):
            return False
        if every:
            return all(term in message for term in every)
        return not one_of or any(term in message for term in one_of)

    return matches


def search(streams: Mapping[str, list[Document]], request: Document) -> Document:
    """The answer to FilterLogEvents over these streams' events; raises InvalidParameter."""
    events = _wanted(streams, request)
    newest_first, position = _start(request, len(events))
    limit = min(int(request.get("limit") or MOST_EVENTS), MOST_EVENTS)
    matches = matcher(str(request.get("filterPattern") or ""))
    found: list[Document] = []
    end = 0 if newest_first else len(events)
    for _ in range(MOST_SEARCHED):
        if position == end or len(found) == limit:
            break
        event = events[position - 1 if newest_first else position]
        position += -1 if newest_first else 1
        if matches(event["message"]):
            found.append(event)
    answer: Document = {"events": found, "searchedLogStreams": []}
    if position != end:
        answer["nextToken"] = _token(newest_first, position)
    return answer


def resource(operation: str, request: Document, group_arn: str) -> str:
    """The ARN that a read is checked on: `…:log-stream:` and the stream, where one is named.

    https://github.com/prowler-cloud/prowler/pull/37 shows it in a denial.
    """
    if operation == "FilterLogEvents":
        return f"{group_arn}:log-stream:"
    return f"{group_arn}:log-stream:{request.get('logStreamName', '')}" if operation == "GetLogEvents" else group_arn


def install() -> None:
    """Have MiniStack answer FilterLogEvents with this, and check reads on a stream's ARN."""
    from ministack.core import iam_actions
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import cloudwatch_logs

    def filter_log_events(request: Document) -> Any:
        group = cloudwatch_logs._resolve_log_group_name(request)
        if group not in cloudwatch_logs._log_groups:
            text = "The specified log group does not exist."
            return error_response_json("ResourceNotFoundException", text, 400)
        with cloudwatch_logs._log_events_lock:
            kept = cloudwatch_logs._log_groups[group]["streams"].items()
            streams = {name: list(stream["events"]) for name, stream in kept}
        try:
            return json_response(search(streams, request))
        except InvalidParameter as error:
            return error_response_json("InvalidParameterException", str(error), 400)

    original = iam_actions.extract_resource_arn

    def extract(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> Any:
        found = original(service, method, path, headers, body, *rest)
        if service != "logs" or found == "*":
            return found
        return resource(str(headers.get("x-amz-target", "")).rpartition(".")[2], json.loads(body), found)

    iam_actions.extract_resource_arn = extract
    cloudwatch_logs._compile_filter_pattern = matcher
    cloudwatch_logs._filter_log_events = filter_log_events


def _wanted(streams: Mapping[str, list[Document]], request: Document) -> list[Document]:
    """The events of the streams and the time that are asked for, oldest first."""
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if names and prefix:
        raise InvalidParameter("Cannot use both logStreamNames and logStreamNamePrefix")
    begin, end = request.get("startTime"), request.get("endTime")
    wanted = [
        {**event, "logStreamName": name}
        for name, events in streams.items()
        if (not names or name in names) and name.startswith(prefix or "")
        for event in events
        if (begin is None or event["timestamp"] >= begin) and (end is None or event["timestamp"] <= end)
    ]
    return sorted(wanted, key=lambda event: int(event["timestamp"]))


def _start(request: Document, size: int) -> tuple[bool, int]:
    """The direction, and the place from the head at which to begin: what is written meanwhile moves it not."""
    token = request.get("nextToken")
    if not token:
        newest_first = request.get("startFromHead") is False
        if newest_first and int(request.get("startTime") or 0) < NEWEST_FIRST_SINCE:
            raise InvalidParameter("startFromHead=false needs a startTime on or after Jan 1, 2024 00:00:00 UTC")
        return newest_first, size if newest_first else 0
    try:
        newest_first, position = json.loads(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidParameter("The specified nextToken is invalid.") from error
    return bool(newest_first), min(int(position), size)


def _token(newest_first: bool, position: int) -> str:
    return base64.b64encode(json.dumps([newest_first, position]).encode()).decode()
