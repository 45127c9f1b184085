"""Publishes a short notice of each outcome that somebody should see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from remediator.aws.notice import notice_of


class Notices:
    """`topic_arn` is the SNS topic, `table` the journal's name, which a notice points to.

    `connect` makes the client, with the first notice: most failures are none that anybody has to see.
    """

    def __init__(self, connect: Callable[[], Any], topic_arn: str, table: str) -> None:
        self._connect = connect
        self._topic = topic_arn
        self._table = table

    def publish(self, entry: Mapping[str, Any]) -> None:
        """Tell the outcome of this entry, unless it is none that anybody has to see."""
        notice = notice_of(entry, self._table)
        if notice:
            self._connect().publish(TopicArn=self._topic, Subject=notice.subject, Message=notice.message)
