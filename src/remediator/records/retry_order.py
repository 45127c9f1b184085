"""The failed builds of a project that wait to be run again, oldest first, in an item `order#<project>` of the journal.

It is kept only where builds are independent jobs, and all of them come back.
"""

from __future__ import annotations

from remediator.core.value import value
from remediator.records.table import Table


@value
class Waiting:
    """A build by its start (milliseconds since 1970) and its uuid, and the execution that runs it again."""

    started_at: int
    uuid: str
    execution: str

    @property
    def text(self) -> str:
        return f"{self.started_at:015} {self.uuid} {self.execution}"


class RetryOrder:
    def __init__(self, table: Table) -> None:
        self._table = table

    def waiting(self, project: str) -> tuple[Waiting, ...]:
        """Oldest first."""
        members = (self._table.get(_key(project)) or {}).get("waiting", [])
        parts = (member.split(" ", 2) for member in sorted(members))
        return tuple(Waiting(int(started_at), uuid, execution) for started_at, uuid, execution in parts)

    def enter(self, project: str, one: Waiting) -> None:
        self._table.add(_key(project), "waiting", one.text)

    def leave(self, project: str, one: Waiting) -> None:
        """It runs again, or never will; nothing happens where it does not wait."""
        self._table.take_out(_key(project), "waiting", one.text)


def _key(project: str) -> str:
    return f"order#{project}"
