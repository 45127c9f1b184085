"""FilterLogEvents finds what CloudWatch Logs finds, in its order and on its pages."""

from __future__ import annotations

from typing import Any

import pytest

from local.aws import logs
from local.aws.logs import NEWEST_FIRST_SINCE, InvalidParameter, matcher, resource, search

PATTERN = '?"toomanyrequests" ?"Too Many Requests" ?"Phase complete: "'
STREAMS = {
    "a": [{"timestamp": 1000 + n, "message": f"a{n}"} for n in range(5)],
    "b": [{"timestamp": 1000, "message": "b0"}, {"timestamp": 2000, "message": "b1"}],
}


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


@pytest.mark.parametrize(
    ("pattern", "message", "found"),
    [
        (PATTERN, "toomanyrequests: You have", True),
        (PATTERN, "429 Too Many Requests", True),
        (PATTERN, "[Container] x Phase complete: BUILD State: FAILED", True),
        (PATTERN, "Phase context status code: ", False),
        (PATTERN, "too many requests", False),
        (PATTERN, "Too many Many Requests", False),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR here", "here an ERROR", True),
        ("ERROR there", "here an ERROR", False),
        ("ERROR -here", "here an ERROR", False),
        ('-"an ERROR"', "here an ERROR", False),
        (r'"say \"x\""', 'they say "x"', True),
        ("?a ?b", "c", False),
        ("?a b", "b", True),
        ("", "anything", True),
        ("{ $.a = 1 }", "anything", True),
    ],
)
def test_a_pattern_matches_what_aws_says_it_does(pattern: str, message: str, found: bool) -> None:
    assert matcher(pattern)(message) is found


def test_events_come_oldest_first_unless_the_newest_are_asked_for() -> None:
    assert messages(search(STREAMS, {})) == ["a0", "b0", "a1", "a2", "a3", "a4", "b1"]
    late = {"s": [{"timestamp": NEWEST_FIRST_SINCE + n, "message": str(n)} for n in range(3)]}
    assert messages(search(late, {"startFromHead": False, "startTime": NEWEST_FIRST_SINCE})) == ["2", "1", "0"]


def test_streams_and_times_choose_events_with_both_ends_of_the_time() -> None:
    assert messages(search(STREAMS, {"logStreamNames": ["a"], "startTime": 1001, "endTime": 1003})) == [
        "a1",
        "a2",
        "a3",
    ]
    assert messages(search(STREAMS, {"logStreamNamePrefix": "b"})) == ["b0", "b1"]
    assert search(STREAMS, {"logStreamNames": ["a"], "limit": 1})["events"][0]["logStreamName"] == "a"


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_go_on_where_the_last_one_ended_whatever_is_written_meanwhile(newest_first: bool) -> None:
    events = [{"timestamp": NEWEST_FIRST_SINCE + n, "message": f"m{n}"} for n in range(5)]
    request: dict[str, Any] = {"limit": 2, "startTime": NEWEST_FIRST_SINCE, "startFromHead": not newest_first}
    found = []
    for late in range(5):
        answer = search({"s": list(events)}, request)
        found += messages(answer)
        if "nextToken" not in answer:
            break
        request["nextToken"] = answer["nextToken"]
        if newest_first:
            events.append({"timestamp": NEWEST_FIRST_SINCE + 100 + late, "message": "late"})
    expected = [f"m{n}" for n in range(5)]
    assert found == (expected[::-1] if newest_first else expected)


def test_a_page_may_be_empty_and_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_SEARCHED", 3)
    first = search(STREAMS, {"filterPattern": "b1"})
    assert messages(first) == []
    second = search(STREAMS, {"filterPattern": "b1", "nextToken": first["nextToken"]})
    assert messages(search(STREAMS, {"filterPattern": "b1", "nextToken": second["nextToken"]})) == ["b1"]


def test_a_read_is_checked_on_a_stream_and_another_call_on_the_group() -> None:
    group = "arn:aws:logs:eu-west-1:123456789012:log-group:g"
    assert resource("FilterLogEvents", {"logStreamNames": ["s"]}, group) == f"{group}:log-stream:"
    assert resource("GetLogEvents", {"logStreamName": "s"}, group) == f"{group}:log-stream:s"
    assert resource("DescribeLogStreams", {}, group) == group


@pytest.mark.parametrize(
    "request_",
    [
        {"nextToken": "%%%"},
        {"nextToken": "MQ=="},
        {"logStreamNames": ["a"], "logStreamNamePrefix": "a"},
        {"startFromHead": False},
        {"startFromHead": False, "startTime": NEWEST_FIRST_SINCE - 1},
    ],
)
def test_what_aws_refuses_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        search(STREAMS, request_)
