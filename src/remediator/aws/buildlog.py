"""Searches a build's log in CloudWatch Logs, the newest lines first, and never more than a few pages of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from remediator.core.codebuild.log import LogLine, LogPlace

MOST_PAGES = 4
_SINCE = 1_704_067_200_000
"""Milliseconds: CloudWatch Logs searches backwards only in what is younger than 2024."""


class BuildLog:
    """One look into one log stream, of `pages` answers at most, each of up to 1 MB or 10,000 lines.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""

    def __init__(self, logs: Any, place: LogPlace) -> None:
        self._client = logs
        self._place = place

    def search(
        self, words: tuple[str, ...], pages: int = MOST_PAGES, *, newest_first: bool = True
    ) -> Iterator[tuple[list[LogLine], bool]]:
        """The lines that hold one of `words`, page by page, the newest page first and each page's oldest line first.
        With each page: is it the last one, so that the whole log has been searched? Pages may be empty."""
        request: dict[str, Any] = {
            "logGroupName": self._place.group,
            "logStreamNames": [self._place.stream],
            "filterPattern": " ".join(f'?"{word}"' for word in words),
            "startTime": _SINCE,
            "startFromHead": not newest_first,
        }
        for _ in range(pages):
            answer = self._client.filter_log_events(**request)
            token = answer.get("nextToken")
            lines = [_line(event) for event in answer["events"]]
            yield lines[::-1] if newest_first else lines, token is None
            if token is None:
                return
            request["nextToken"] = token

    def until(self, begin: int, end: int) -> list[LogLine]:
        """All lines from `begin` to `end` (milliseconds, both included), at most the newest page of them."""
        stream = {"logGroupName": self._place.group, "logStreamName": self._place.stream}
        times = {"startTime": begin, "endTime": end + 1}
        answer = self._client.get_log_events(**stream, **times, startFromHead=False)
        return [_line(event) for event in answer["events"]]


def _line(event: Mapping[str, Any]) -> LogLine:
    return LogLine(event["timestamp"], event["message"].rstrip("\n"))
