"""The stop switch: an item in the journal that keeps every execution from granting, changing or retrying anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.core.wording import moment
from remediator.records.table import Table, number, text

KEY = "stop"


class StopSwitch:
    """It takes effect with the next such step of every execution, also of those that wait, and has no expiry."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def turn(self, reason: str, now: float, *, stopped: bool) -> None:
        self._table.put(
            {"pk": text(KEY), "stopped": {"BOOL": stopped}, "reason": text(reason), "since": number(int(now))}
        )

    def stopped(self) -> str:
        """Since when everything is stopped, and why, for people; empty where it is not."""
        return told(self._table.get(KEY) or {})


def is_off(table: Table) -> dict[str, Any]:
    """The part of a transaction that fails while the switch is on."""
    return {
        "TableName": table.name,
        "Key": {"pk": text(KEY)},
        "ConditionExpression": "attribute_not_exists(stopped) OR stopped = :no",
        "ExpressionAttributeValues": {":no": {"BOOL": False}},
    }


def told(item: Mapping[str, Any]) -> str:
    if not item.get("stopped", {}).get("BOOL", False):
        return ""
    since = moment(float(item.get("since", {}).get("N", "0")))
    return f"everything was stopped at {since}: {item.get('reason', {}).get('S') or 'no reason was given'}"
