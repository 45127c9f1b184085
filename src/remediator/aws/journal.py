"""The DynamoDB table that holds who works on a project right now, what was done to it, and every outcome.

One item for each failed build (`build#<project>:<uuid>`): the execution that has it, its attempt, the repair, the
outcome. One for what several failed builds come back with (`batch#…`, `stage#…`, `chain#…`): the execution that runs it
again, and when that ended. One for each project (`project#<name>`): the execution that works on it, its lease, and its
history. Two for the secret in use: the projects that were signed in with it (`sharing#<ARN>`), and until when nobody
signs in (`lockout#<ARN>`). All but the last two expire.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of
from remediator.core.failure import BuildArn
from remediator.core.history import NEW, History

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
    """The answer to a build's execution: it may go on; or another one has the build (`of_build`) or its origin; or
    nobody may sign in with the secret until `locked_until` (seconds since 1970)."""

    held_by: str = ""
    of_build: bool = False
    locked_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Who runs something again that several builds belong to; `ended_at` (seconds since 1970) where that is over."""

    execution: str
    ended_at: float | None


class Journal:
    def __init__(self, dynamodb: Any, table: str, keep_days: int, secret_arn: str) -> None:
        self._client = dynamodb
        self._table = table
        self._keep_seconds = keep_days * SECONDS_A_DAY
        self._sharing_key = f"sharing#{secret_arn}"
        self._lockout_key = f"lockout#{secret_arn}"

    # A project

    def claim(self, build: BuildArn, execution: str, now: float, evict: str = "", insist: bool = False) -> Claim:
        """Take the project's lease for this execution, which recognises its own, since a step may run again.

        `evict` is an execution that no longer runs and whose lease may be taken over. With `insist` also a project
        that is left alone is taken.
        """
        free = "(attribute_not_exists(execution) OR execution IN (:me, :evict))"
        wanted = "(attribute_not_exists(left_alone_until) OR left_alone_until < :now)"
        answer = _held(
            lambda: self._client.update_item(
                TableName=self._table,
                Key={"pk": _text(_project_key(build.project))},
                UpdateExpression=(
                    "SET execution = :me, build = :build, expires_at = :expires, claimed_at = :now "
                    "REMOVE left_alone_until"
                ),
                ConditionExpression=free if insist else f"{free} AND {wanted}",
                ExpressionAttributeValues={
                    ":me": _text(execution),
                    ":evict": _text(evict or execution),
                    ":build": _text(build.id),
                    ":now": _number(int(now)),
                    ":expires": _number(self._expiry(now)),
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        )
        if "Attributes" in answer:
            return Claim(history=_history(answer["Attributes"]))
        item = answer["Item"]
        holder = item.get("execution", {}).get("S", "")
        return Claim(holder, item.get("build", {}).get("S", ""), left_alone=not holder)

    def history(self, project: str) -> History:
        return _history(self._get(_project_key(project)) or {})

    def record_repaired(self, project: str, execution: str, history: History) -> None:
        """Write down that the project was repaired, unless its lease is no longer this execution's."""
        values: dict[str, Any] = {
            "repaired_at": _milliseconds(history.repaired_at or 0.0),
            "repaired_by": _text(history.repaired_by),
            "edited_at": _milliseconds(history.edited_at),
            "undone": _number(history.undone),
        }
        if history.members:
            values["members"] = {"SS": sorted(history.members)}
        update = self._update(_project_key(project), values, "execution = :me", {":me": _text(execution)})
        _holds(lambda: self._client.update_item(**update))

    def release(self, project: str, execution: str, history: History) -> None:
        """Give the project's lease back and keep the attempts of its window, unless it is no longer ours."""
        values = {"window_ends": _number(int(history.window_ends)), "noticed": {"BOOL": history.noticed}}
        if history.tries:
            values["tries"] = {"SS": sorted(history.tries)}
        self._give_back(project, execution, values)

    def leave_alone(self, project: str, execution: str, until: float) -> None:
        """Give the lease back so that nobody takes it for a while; what was repaired is repaired no more."""
        self._give_back(project, execution, {"left_alone_until": _number(int(until))}, "repaired_at", "members")

    def _give_back(self, project: str, execution: str, values: Mapping[str, Any], *removed: str) -> None:
        update = self._update(_project_key(project), values, "execution = :me", {":me": _text(execution)})
        update["UpdateExpression"] += f" REMOVE {', '.join(('execution', 'build', *removed))}"
        _holds(lambda: self._client.update_item(**update))

    # A failed build

    def enter(
        self,
        build: BuildArn,
        execution: str,
        attempt: int,
        now: float,
        *,
        repair: Mapping[str, Any],
        origin: str = "",
        evict: str = "",
        signs_in: bool = True,
    ) -> Entrance:
        """Take the build for this execution, and its `origin`, the key of what it comes back with, where that is more.
        What is about to change is written down with it, old and new.

        A later attempt may take a build that an earlier one had. `evict` is an execution that has ended and whose
        origin may be taken over. One that `signs_in` is refused while nobody may.
        """
        mine = "attribute_not_exists(execution) OR execution = :me OR attempt < :attempt"
        taken = {
            "execution": _text(execution),
            "attempt": _number(attempt),
            "claimed_at": _number(int(now)),
            "expires_at": _number(self._expiry(now)),
        }
        compared = {":me": _text(execution)}
        values = {**taken, "repair": _text(json.dumps(repair, sort_keys=True))} if repair else taken
        items = [{"Update": self._update(_build_key(build), values, mine, compared)}]
        if origin:
            free = f"{mine} OR execution = :evict"
            taking_over = self._update(origin, taken, free, {**compared, ":evict": _text(evict or execution)})
            taking_over["UpdateExpression"] += " REMOVE ended_at"
            items.append({"Update": taking_over})
        lockout = {
            "TableName": self._table,
            "Key": {"pk": _text(self._lockout_key)},
            "ConditionExpression": "attribute_not_exists(locked_until) OR locked_until < :now",
            "ExpressionAttributeValues": {":now": _number(int(now))},
        }
        taking = len(items)
        failed = self._transact([*items, {"ConditionCheck": lockout}] if signs_in else items)
        holders = ["" if item is None else item.get("execution", {}).get("S", "unknown") for item in failed[:taking]]
        locked = failed[taking] if failed[taking:] else None
        return Entrance(
            held_by=next(filter(None, holders), ""),
            of_build=bool(holders and holders[0]),
            locked_until=float(locked["locked_until"]["N"]) if locked else 0.0,
        )

    def origin(self, key: str) -> Origin | None:
        """Who has the origin of a build; None while nobody has."""
        item = self._get(key)
        if item is None:
            return None
        ended_at = item.get("ended_at", {}).get("N")
        return Origin(item.get("execution", {}).get("S", ""), float(ended_at) if ended_at else None)

    def take(self, key: str, execution: str, now: float) -> None:
        """Take what this execution has started itself: what belongs to it is followed already."""
        taken = {"execution": _text(execution), "attempt": _number(1), "expires_at": _number(self._expiry(now))}
        update = self._update(key, taken, "attribute_not_exists(execution)")
        _holds(lambda: self._client.update_item(**update))

    def close(self, key: str, execution: str, now: float) -> None:
        """The execution that has this origin has ended; what belongs to it and starts later is nobody's yet."""
        update = self._update(key, {"ended_at": _number(int(now))}, "execution = :me", {":me": _text(execution)})
        _holds(lambda: self._client.update_item(**update))

    def adopt(self, build: BuildArn, execution: str, entry: Mapping[str, Any], now: float) -> bool:
        """Take a build that this execution started, with what is said of it; False where another has it."""
        values = {"execution": _text(execution), "attempt": _number(1), **self._outcome(entry, now)}
        mine = "attribute_not_exists(execution) OR execution = :me"
        update = self._update(_build_key(build), values, mine, {":me": _text(execution)})
        return _holds(lambda: self._client.update_item(**update))

    def record_repair(self, build: BuildArn, repair: Mapping[str, Any]) -> None:
        """Write down what is about to change, old and new, before it changes."""
        self._client.update_item(
            **self._update(_build_key(build), {"repair": _text(json.dumps(repair, sort_keys=True))})
        )

    def record_outcome(
        self, build: BuildArn, execution: str, attempt: int, outcome: Mapping[str, Any], now: float
    ) -> bool:
        """Keep the outcome, with the attempt also where the build was never claimed; a later attempt's own stays, and
        then the answer is False."""
        values = {"attempt": _number(attempt), **self._outcome(outcome, now)}
        mine = "attribute_not_exists(execution) OR execution = :me"
        return _holds(
            lambda: self._client.update_item(**self._update(_build_key(build), values, mine, {":me": _text(execution)}))
        )

    def record_triage(self, build: BuildArn, outcome: Mapping[str, Any], now: float) -> bool:
        """Keep the outcome of a failure that needs no execution; False when the build has an entry already."""
        item = {"pk": _text(_build_key(build)), "attempt": _number(0), **self._outcome(outcome, now)}
        return _holds(
            lambda: self._client.put_item(
                TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
            )
        )

    def entry(self, build: BuildArn) -> Entry | None:
        item = self._get(_build_key(build))
        if item is None:
            return None
        return Entry(
            int(item.get("attempt", {}).get("N", "0")),
            item.get("outcome", {}).get("S"),
            item.get("execution", {}).get("S", ""),
        )

    # The secret

    def sharing(self) -> tuple[str, ...]:
        """The projects that were signed in with the secret in use."""
        item = self._get(self._sharing_key) or {}
        return tuple(sorted(item.get("projects", {}).get("SS", [])))

    def share(self, project: str) -> None:
        """One more project is signed in with the secret in use."""
        self._client.update_item(
            TableName=self._table,
            Key={"pk": _text(self._sharing_key)},
            UpdateExpression="ADD projects :project",
            ExpressionAttributeValues={":project": {"SS": [project]}},
        )

    def locked_until(self, now: float) -> float | None:
        """Until when nobody signs in with the secret (seconds since 1970); None where anybody may at `now`."""
        until = float((self._get(self._lockout_key) or {}).get("locked_until", {}).get("N", "0"))
        return until if until >= int(now) else None

    def lock_out(self, until: float) -> None:
        """Nobody signs in with the secret until then: Docker Hub refuses it, and each further try prolongs that."""
        self._client.update_item(**self._update(self._lockout_key, {"locked_until": _number(int(until))}))

    # Requests

    def _get(self, key: str) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table, Key={"pk": _text(key)}, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def _outcome(self, outcome: Mapping[str, Any], now: float) -> dict[str, Any]:
        return {
            "outcome": _text(outcome["outcome"]),
            "report": _text(json.dumps(outcome, sort_keys=True)),
            "ended_at": _number(int(now)),
            "expires_at": _number(self._expiry(now)),
        }

    def _update(
        self, key: str, values: Mapping[str, Any], condition: str = "", compared: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": {"pk": _text(key)},
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            "ExpressionAttributeNames": {f"#{name}": name for name in values},
            "ExpressionAttributeValues": {**{f":{name}": v for name, v in values.items()}, **(compared or {})},
            **({"ConditionExpression": condition} if condition else {}),
        }

    def _transact(self, items: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
        """Write all or nothing; for each item the one that stood against it, and an empty list when all is written."""
        told = [
            {kind: {**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}
            for item in items
            for kind, request in item.items()
        ]
        try:
            self._client.transact_write_items(TransactItems=told)
        except ClientError as error:
            if code_of(error) != "TransactionCanceledException":
                raise
            reasons: list[Any] = error.response["CancellationReasons"]
            against: list[dict[str, Any] | None] = [
                reason.get("Item", {}) if reason.get("Code") == "ConditionalCheckFailed" else None for reason in reasons
            ]
            if against == [None] * len(items):
                raise
            return against
        return []

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


def _held(write: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer to a write that has a condition, or the error's, which shows the item that stood against it."""
    try:
        return write()
    except ClientError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise
        return {"Item": error.response.get("Item", {})}


def _holds(write: Callable[[], object]) -> bool:
    """Make a write that has a condition; False when the condition does not hold, and nothing was written."""
    try:
        write()
    except ClientError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _build_key(build: BuildArn) -> str:
    return f"build#{build.id}"


def _project_key(project: str) -> str:
    return f"project#{project}"


def _text(value: str) -> dict[str, str]:
    return {"S": value}


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}


def _milliseconds(seconds: float) -> dict[str, str]:
    """CodeBuild's times have fractions of a second."""
    return _number(round(seconds * 1000))
