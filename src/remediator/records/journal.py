"""The DynamoDB table that holds who works on a project right now, what was done to it, and every outcome.

Its items expire:

- `build#<project>:<uuid>`, a failed build: the execution that has it, its attempt, the repair, the outcome;
- `build#<project>:<uuid>#<attempt>`, what an earlier attempt at it left there;
- `batch#…`, `stage#…`, `chain#…`, a retry unit: the execution that runs it again, and when that ended;
- `project#<name>`: the execution that works on the project, its lease, its history;
- `role#<name>`, a service role that was given the grant again: how often, and when last.

The same table holds the records of the secret (`secret_record`), of roles (`role_index`), and the stop `switch`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from remediator.core.codebuild.failure import BuildArn
from remediator.core.guards.history import NEW, History, Regrant
from remediator.core.value import value
from remediator.records import switch
from remediator.records.table import Item, Table

SECONDS_A_DAY = 86_400

_MINE = "execution = :me"
_MINE_OR_FREE = f"attribute_not_exists(execution) OR {_MINE}"


@value
class Claim:
    """The answer to a claim of a project: granted with its history, or who holds it and for which build. `left_alone`:
    nobody holds it, but it is left alone for a while."""

    held_by: str = ""
    held_for: str = ""
    left_alone: bool = False
    history: History = NEW

    @property
    def granted(self) -> bool:
        return not self.held_by and not self.left_alone


@value
class Entry:
    """What the journal knows of a failed build; `execution` is the one that has it, empty for none."""

    attempt: int
    outcome: str | None
    execution: str = ""


@value
class Entrance:
    """The answer to a build's execution: it may go on; or another one (`held_by`) has the build (`of_build`) or its
    retry unit; or somebody has stopped everything (`stopped`: why and when)."""

    held_by: str = ""
    of_build: bool = False
    stopped: str = ""


@value
class UnitOwner:
    """The execution that runs a retry unit again; `ended_at` (seconds since 1970) where that is over."""

    execution: str
    ended_at: float | None


class Journal:
    def __init__(self, table: Table, keep_days: int) -> None:
        self._table = table
        self._keep_seconds = keep_days * SECONDS_A_DAY

    # A project

    def claim(self, build: BuildArn, execution: str, now: float, evict: str = "", insist: bool = False) -> Claim:
        """Take the project's lease for this execution, which recognises its own, since a step may run again.

        `evict` is an execution that no longer runs and whose lease may be taken over. With `insist` also a project
        that is left alone is taken.
        """
        free = "(attribute_not_exists(execution) OR execution IN (:me, :evict))"
        wanted = "(attribute_not_exists(left_alone_until) OR left_alone_until < :claimed_at)"
        granted, item = self._table.take(
            _project_key(build.project),
            {"execution": execution, "build": build.id, "claimed_at": now, "expires_at": now + self._keep_seconds},
            free if insist else f"{free} AND {wanted}",
            removed=("left_alone_until",),
            me=execution,
            evict=evict or execution,
        )
        if granted:
            return Claim(history=_history(item))
        holder = item.get("execution", "")
        return Claim(holder, item.get("build", ""), left_alone=not holder)

    def history(self, project: str) -> History:
        return _history(self._table.get(_project_key(project)) or {})

    def record_repaired(self, project: str, execution: str, history: History) -> None:
        """Write down that the project was repaired, unless its lease is no longer this execution's."""
        values = {
            "repaired_at": _milliseconds(history.repaired_at or 0.0),
            "repaired_by": history.repaired_by,
            "edited_at": _milliseconds(history.edited_at),
            "undone": history.undone,
            **({"members": history.members} if history.members else {}),
        }
        self._table.update(_project_key(project), values, _MINE, me=execution)

    def release(self, project: str, execution: str, history: History) -> None:
        """Release the project's lease, unless another execution has it by now; keep the attempts of its window."""
        tries = {"tries": history.tries} if history.tries else {}
        values = {"window_ends": history.window_ends, "noticed": history.noticed, **tries}
        self._give_back(project, execution, values)

    def leave_alone(self, project: str, execution: str, until: float) -> None:
        """Release the lease, and let nobody take it for a while; the project counts as repaired no more."""
        self._give_back(project, execution, {"left_alone_until": until}, "repaired_at", "members")

    def _give_back(self, project: str, execution: str, values: Item, *removed: str) -> None:
        gone = ("execution", "build", *removed)
        self._table.update(_project_key(project), values, _MINE, removed=gone, me=execution)

    # A role

    def regrant(self, role: str) -> Regrant:
        """How often the role of this name was given the grant again."""
        item = self._table.get(_role_key(role)) or {}
        return Regrant(item.get("regranted", 0), item.get("granted_at", 0) / 1000, item.get("execution", ""))

    def count_regrant(self, role: str, execution: str, now: float) -> None:
        """Count the grant that this execution has made again, once. Two projects of one role that do it at the same
        moment make one grant, and mostly count as one."""
        known = self.regrant(role)
        if known.by != execution:
            at, until = _milliseconds(now), now + self._keep_seconds
            values = {"regranted": known.times + 1, "granted_at": at, "execution": execution, "expires_at": until}
            self._table.update(_role_key(role), values)

    # A failed build

    def enter(
        self,
        build: BuildArn,
        execution: str,
        attempt: int,
        now: float,
        *,
        repair: Mapping[str, Any],
        unit: str = "",
        evict: str = "",
    ) -> Entrance:
        """Take the build for this execution, and its retry `unit`, by its key, where there is one. The change that is
        about to be made is written down with it, old and new.

        A later attempt may take a build that an earlier one had, whose repair and outcome are kept apart. `evict` is an
        execution that has ended and whose unit may be taken over. While the stop switch is on nothing is taken.
        """
        self._keep_earlier(build, attempt)
        mine = "attribute_not_exists(execution) OR execution = :me OR attempt < :attempt"
        taken = {"execution": execution, "attempt": attempt, "claimed_at": now, "expires_at": now + self._keep_seconds}
        values = {**taken, **_repair(repair)} if repair else taken
        earlier = tuple(name for name in ("report", "outcome", "ended_at", "repair") if name not in values)
        removed = earlier if attempt > 1 else ()
        items = [{"Update": self._table.change(_build_key(build), values, mine, removed=removed, me=execution)}]
        if unit:
            both = {"me": execution, "evict": evict or execution}
            free = f"{mine} OR execution = :evict"
            items.append({"Update": self._table.change(unit, taken, free, removed=("ended_at",), **both)})
        failed = self._table.transact([*items, {"ConditionCheck": switch.is_off(self._table)}])
        *held, stopped = failed or [None]
        holders = ["" if item is None else item.get("execution", "unknown") for item in held]
        return Entrance(
            held_by=next(filter(None, holders), ""),
            of_build=bool(holders and holders[0]),
            stopped=switch.told(stopped or {}),
        )

    def unit_owner(self, key: str) -> UnitOwner | None:
        """Who owns a retry unit; None while nobody does."""
        item = self._table.get(key)
        if item is None:
            return None
        return UnitOwner(item.get("execution", ""), float(item["ended_at"]) if "ended_at" in item else None)

    def take(self, key: str, execution: str, now: float) -> None:
        """Take a retry unit that this execution has started itself: it follows the unit's builds already."""
        taken = {"execution": execution, "attempt": 1, "expires_at": now + self._keep_seconds}
        self._table.update(key, taken, "attribute_not_exists(execution)")

    def close(self, key: str, execution: str, now: float) -> None:
        """The owner of this retry unit has ended; builds of the unit that start later belong to nobody yet."""
        self._table.update(key, {"ended_at": now}, _MINE, me=execution)

    def adopt(self, build: BuildArn, execution: str, entry: Mapping[str, Any], now: float) -> bool:
        """Take a build that this execution started, with its outcome; False where another execution has it."""
        values = {"execution": execution, "attempt": 1, **self._outcome(entry, now)}
        return self._table.update(_build_key(build), values, _MINE_OR_FREE, me=execution)

    def record_repair(self, build: BuildArn, repair: Mapping[str, Any]) -> None:
        """Write down what is about to change, old and new, before it changes."""
        self._table.update(_build_key(build), _repair(repair))

    def record_outcome(
        self, build: BuildArn, execution: str, attempt: int, outcome: Mapping[str, Any], now: float
    ) -> bool:
        """Keep the outcome, and the attempt for a build that was never claimed; False where another execution, as
        that of a later attempt, has the build: its outcome stays."""
        self._keep_earlier(build, attempt)
        values = {"attempt": attempt, **self._outcome(outcome, now)}
        ended = "(attempt < :attempt AND attribute_exists(ended_at))"
        return self._table.update(_build_key(build), values, f"{_MINE_OR_FREE} OR {ended}", me=execution)

    def record_triage(self, build: BuildArn, outcome: Mapping[str, Any], now: float) -> bool:
        """Keep the outcome of a failure that needs no execution; False when the build has an entry already."""
        return self._table.put_new(_build_key(build), {"attempt": 0, **self._outcome(outcome, now)})

    def entry(self, build: BuildArn) -> Entry | None:
        item = self._table.get(_build_key(build))
        if item is None:
            return None
        return Entry(item.get("attempt", 0), item.get("outcome"), item.get("execution", ""))

    def _keep_earlier(self, build: BuildArn, attempt: int) -> None:
        """Nothing that tells what was changed is overwritten. Only a person's attempt is a later one."""
        item = self._table.get(_build_key(build)) if attempt > 1 else None
        if item is None or item.get("attempt", 0) >= attempt or not item.keys() & {"repair", "report"}:
            return
        kept = {name: value for name, value in item.items() if name != "pk"}
        self._table.update(f"{_build_key(build)}#{item.get('attempt', 0)}", kept, "attribute_not_exists(pk)")

    # Values

    def _outcome(self, outcome: Mapping[str, Any], now: float) -> Item:
        report = json.dumps(outcome, sort_keys=True)
        expires_at = now + self._keep_seconds
        return {"outcome": outcome["outcome"], "report": report, "ended_at": now, "expires_at": expires_at}


def _repair(repair: Mapping[str, Any]) -> Item:
    return {"repair": json.dumps(repair, sort_keys=True)}


def _history(item: Item) -> History:
    repaired = item.get("repaired_at")
    return History(
        repaired_at=None if repaired is None else repaired / 1000,
        repaired_by=item.get("repaired_by", ""),
        edited_at=item.get("edited_at", 0) / 1000,
        members=tuple(item.get("members", [])),
        undone=item.get("undone", 0),
        tries=tuple(item.get("tries", [])),
        window_ends=float(item.get("window_ends", 0)),
        noticed=item.get("noticed", False),
        left_alone_until=float(item.get("left_alone_until", 0)),
    )


def _build_key(build: BuildArn) -> str:
    return f"build#{build.id}"


def _project_key(project: str) -> str:
    return f"project#{project}"


def _role_key(role: str) -> str:
    return f"role#{role}"


def _milliseconds(seconds: float) -> int:
    """CodeBuild's times have fractions of a second."""
    return round(seconds * 1000)
