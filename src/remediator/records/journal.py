"""The DynamoDB table that holds who works on a project right now, what was done to it, and every outcome.

One item for each failed build (`build#<project>:<uuid>`): the execution that has it, its attempt, the repair, the
outcome. One for each retry unit of several builds (`batch#…`, `stage#…`, `chain#…`): the execution that runs it again,
and when that ended. One for each project (`project#<name>`): the execution that works on it, its lease, its history.
All of them expire. The same table holds what is kept on the secret (`secret_record`), on roles (`role_index`), and the
stop switch (`switch`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remediator.core.codebuild.failure import BuildArn
from remediator.core.guards.history import NEW, History
from remediator.records import switch
from remediator.records.table import Table, number, text

SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim of a project: granted with its history, or who holds it and for which build.

    `left_alone`: nobody holds it, but it is left alone for a while.
    """

    held_by: str = ""
    held_for: str = ""
    left_alone: bool = False
    history: History = NEW

    @property
    def granted(self) -> bool:
        return not self.held_by and not self.left_alone


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal knows of a failed build; `execution` is the one that has it, empty for none."""

    attempt: int
    outcome: str | None
    execution: str = ""


@dataclass(frozen=True, slots=True)
class Entrance:
    """The answer to a build's execution: it may go on; or another one has the build (`of_build`) or its retry unit; or
    somebody has stopped everything (`stopped`: why and when)."""

    held_by: str = ""
    of_build: bool = False
    stopped: str = ""


@dataclass(frozen=True, slots=True)
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
        wanted = "(attribute_not_exists(left_alone_until) OR left_alone_until < :now)"
        answer = self._table.answer(
            {
                "TableName": self._table.name,
                "Key": {"pk": text(_project_key(build.project))},
                "UpdateExpression": (
                    "SET execution = :me, build = :build, expires_at = :expires, claimed_at = :now "
                    "REMOVE left_alone_until"
                ),
                "ConditionExpression": free if insist else f"{free} AND {wanted}",
                "ExpressionAttributeValues": {
                    ":me": text(execution),
                    ":evict": text(evict or execution),
                    ":build": text(build.id),
                    ":now": number(int(now)),
                    ":expires": number(self._expiry(now)),
                },
                "ReturnValues": "ALL_NEW",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        )
        if "Attributes" in answer:
            return Claim(history=_history(answer["Attributes"]))
        item = answer["Item"]
        holder = item.get("execution", {}).get("S", "")
        return Claim(holder, item.get("build", {}).get("S", ""), left_alone=not holder)

    def history(self, project: str) -> History:
        return _history(self._table.get(_project_key(project)) or {})

    def record_repaired(self, project: str, execution: str, history: History) -> None:
        """Write down that the project was repaired, unless its lease is no longer this execution's."""
        values: dict[str, Any] = {
            "repaired_at": _milliseconds(history.repaired_at or 0.0),
            "repaired_by": text(history.repaired_by),
            "edited_at": _milliseconds(history.edited_at),
            "undone": number(history.undone),
        }
        if history.members:
            values["members"] = {"SS": sorted(history.members)}
        update = self._table.update(_project_key(project), values, "execution = :me", {":me": text(execution)})
        self._table.write(update)

    def release(self, project: str, execution: str, history: History) -> None:
        """Give the project's lease back and keep the attempts of its window, unless it is no longer ours."""
        values = {"window_ends": number(int(history.window_ends)), "noticed": {"BOOL": history.noticed}}
        if history.tries:
            values["tries"] = {"SS": sorted(history.tries)}
        self._give_back(project, execution, values)

    def leave_alone(self, project: str, execution: str, until: float) -> None:
        """Give the lease back so that nobody takes it for a while; what was repaired is repaired no more."""
        self._give_back(project, execution, {"left_alone_until": number(int(until))}, "repaired_at", "members")

    def _give_back(self, project: str, execution: str, values: Mapping[str, Any], *removed: str) -> None:
        gone, mine = ("execution", "build", *removed), {":me": text(execution)}
        self._table.write(self._table.update(_project_key(project), values, "execution = :me", mine, gone))

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
        """Take the build for this execution, and the retry `unit` that it belongs to, by its key, where there is one.
        What is about to change is written down with it, old and new.

        A later attempt may take a build that an earlier one had. `evict` is an execution that has ended and whose
        unit may be taken over. While the stop switch is on nothing is taken.
        """
        mine = "attribute_not_exists(execution) OR execution = :me OR attempt < :attempt"
        taken = {
            "execution": text(execution),
            "attempt": number(attempt),
            "claimed_at": number(int(now)),
            "expires_at": number(self._expiry(now)),
        }
        compared = {":me": text(execution)}
        values = {**taken, "repair": text(json.dumps(repair, sort_keys=True))} if repair else taken
        items = [{"Update": self._table.update(_build_key(build), values, mine, compared)}]
        if unit:
            free = f"{mine} OR execution = :evict"
            compared = {**compared, ":evict": text(evict or execution)}
            items.append({"Update": self._table.update(unit, taken, free, compared, ("ended_at",))})
        taking = len(items)
        failed = self._table.transact([*items, {"ConditionCheck": switch.is_off(self._table)}])
        holders = ["" if item is None else item.get("execution", {}).get("S", "unknown") for item in failed[:taking]]
        stopped = failed[taking] if failed else None
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
        ended_at = item.get("ended_at", {}).get("N")
        return UnitOwner(item.get("execution", {}).get("S", ""), float(ended_at) if ended_at else None)

    def take(self, key: str, execution: str, now: float) -> None:
        """Take what this execution has started itself: what belongs to it is followed already."""
        taken = {"execution": text(execution), "attempt": number(1), "expires_at": number(self._expiry(now))}
        update = self._table.update(key, taken, "attribute_not_exists(execution)")
        self._table.write(update)

    def close(self, key: str, execution: str, now: float) -> None:
        """The execution that owns this retry unit has ended; what belongs to it and starts later is nobody's yet."""
        update = self._table.update(key, {"ended_at": number(int(now))}, "execution = :me", {":me": text(execution)})
        self._table.write(update)

    def adopt(self, build: BuildArn, execution: str, entry: Mapping[str, Any], now: float) -> bool:
        """Take a build that this execution started, with what is said of it; False where another has it."""
        values = {"execution": text(execution), "attempt": number(1), **self._outcome(entry, now)}
        mine = "attribute_not_exists(execution) OR execution = :me"
        update = self._table.update(_build_key(build), values, mine, {":me": text(execution)})
        return self._table.write(update)

    def record_repair(self, build: BuildArn, repair: Mapping[str, Any]) -> None:
        """Write down what is about to change, old and new, before it changes."""
        self._table.write(self._table.update(_build_key(build), {"repair": text(json.dumps(repair, sort_keys=True))}))

    def record_outcome(
        self, build: BuildArn, execution: str, attempt: int, outcome: Mapping[str, Any], now: float
    ) -> bool:
        """Keep the outcome, with the attempt also where the build was never claimed; a later attempt's own stays, and
        then the answer is False."""
        values = {"attempt": number(attempt), **self._outcome(outcome, now)}
        mine = "attribute_not_exists(execution) OR execution = :me"
        return self._table.write(self._table.update(_build_key(build), values, mine, {":me": text(execution)}))

    def record_triage(self, build: BuildArn, outcome: Mapping[str, Any], now: float) -> bool:
        """Keep the outcome of a failure that needs no execution; False when the build has an entry already."""
        item = {"pk": text(_build_key(build)), "attempt": number(0), **self._outcome(outcome, now)}
        return self._table.put_new(item)

    def entry(self, build: BuildArn) -> Entry | None:
        item = self._table.get(_build_key(build))
        if item is None:
            return None
        return Entry(
            int(item.get("attempt", {}).get("N", "0")),
            item.get("outcome", {}).get("S"),
            item.get("execution", {}).get("S", ""),
        )

    # Values

    def _outcome(self, outcome: Mapping[str, Any], now: float) -> dict[str, Any]:
        return {
            "outcome": text(outcome["outcome"]),
            "report": text(json.dumps(outcome, sort_keys=True)),
            "ended_at": number(int(now)),
            "expires_at": number(self._expiry(now)),
        }

    def _expiry(self, now: float) -> int:
        return int(now) + self._keep_seconds


def _history(item: Mapping[str, Any]) -> History:
    repaired = item.get("repaired_at", {}).get("N")
    return History(
        repaired_at=float(repaired) / 1000 if repaired else None,
        repaired_by=item.get("repaired_by", {}).get("S", ""),
        edited_at=float(item.get("edited_at", {}).get("N", "0")) / 1000,
        members=tuple(item.get("members", {}).get("SS", [])),
        undone=int(item.get("undone", {}).get("N", "0")),
        tries=tuple(item.get("tries", {}).get("SS", [])),
        window_ends=float(item.get("window_ends", {}).get("N", "0")),
        noticed=bool(item.get("noticed", {}).get("BOOL", False)),
    )


def _build_key(build: BuildArn) -> str:
    return f"build#{build.id}"


def _project_key(project: str) -> str:
    return f"project#{project}"


def _milliseconds(seconds: float) -> dict[str, str]:
    """CodeBuild's times have fractions of a second."""
    return number(round(seconds * 1000))
