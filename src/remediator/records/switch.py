"""The stop switch: an item in the journal that keeps every execution from granting, changing or retrying anything."""

from __future__ import annotations

from remediator.core.wording import moment
from remediator.records.table import Item, Request, Table

KEY = "stop"


class StopSwitch:
    """It takes effect with the next such step of every execution, also of those that wait, and has no expiry."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def turn(self, reason: str, now: float, *, stopped: bool) -> None:
        self._table.put(KEY, {"stopped": stopped, "reason": reason, "since": now})

    def stopped(self) -> str:
        """Since when everything is stopped, and why, for people; empty where it is not."""
        return told(self._table.get(KEY) or {})


def is_off(table: Table) -> Request:
    """The part of a transaction that fails while the switch is on."""
    return table.check(KEY, "attribute_not_exists(stopped) OR stopped = :no", no=False)


def told(item: Item) -> str:
    if not item.get("stopped"):
        return ""
    return f"everything was stopped at {moment(item.get('since', 0))}: {item.get('reason') or 'no reason was given'}"
