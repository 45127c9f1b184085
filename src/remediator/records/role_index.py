"""Keeps which projects share a service role, so that a wave of failures reads all projects about once.

One item, `roles`: what was found, when the projects were read for it, and who reads them again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple

from remediator.core.guards.shared_role import RoleUsers
from remediator.records.table import Item, Table

KEY = "roles"
FRESH = 120
"""Seconds for which what was found is believed."""
MOST = 350_000
"""Characters: an item has 400 KB."""
READING = 120
"""Seconds in which an execution has read all projects; more than the function itself may run."""


class RoleIndex:
    def __init__(self, table: Table) -> None:
        self._table = table

    def users(self, now: float) -> dict[str, RoleUsers] | None:
        """What `users_of_roles` has found; None where the projects were not read within FRESH seconds."""
        item = self._table.get(KEY) or {}
        if abs(now - item.get("read_at", 0)) > FRESH or "users" not in item:
            return None
        return {role: RoleUsers(*found) for role, found in json.loads(item["users"]).items()}

    def begin(self, execution: str, now: float) -> bool:
        """Take the turn to read all projects; False while another execution does."""
        free = "attribute_not_exists(reading) OR reading = :reading OR reading_until < :now"
        values = {"reading": execution, "reading_until": now + READING}
        return self._table.update(KEY, values, free, now=now)

    def keep(self, users: Mapping[str, RoleUsers], execution: str, read_at: float) -> None:
        """Keep what was found, and end the turn. What does not fit into an item is not kept: then each grant reads all
        projects."""
        found = json.dumps({role: astuple(one) for role, one in users.items()})
        self._end({"users": found, "read_at": read_at} if len(found) < MOST else {}, execution)

    def give_up(self, execution: str) -> None:
        """End the turn: not all projects can be read."""
        self._end({}, execution)

    def _end(self, values: Item, execution: str) -> None:
        """Unless another execution has the turn by now."""
        self._table.update(KEY, values, "reading = :me", removed=("reading", "reading_until"), me=execution)
