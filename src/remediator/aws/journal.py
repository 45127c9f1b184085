"""The DynamoDB table that holds who repairs a project right now, what each repair changed, and every outcome.

One item for each failed build (`build#<project>:<uuid>`): the execution that claimed it, its attempt, the repair, the
outcome; it expires. One item for each project under repair (`lease#<project>`): the execution that holds it. A project
whose repair was taken back is held by NOBODY for a while, so that its next failures do not do the same again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of
from remediator.core.failure import BuildArn

SECONDS_A_DAY = 86_400
NOBODY = "nobody"
"""Who holds the lease of a project that is left alone."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim: ours when nobody holds it; else who holds the build or the project's lease."""

    build_held_by: str | None = None
    project_held_by: str | None = None

    @property
    def granted(self) -> bool:
        return self.build_held_by is None and self.project_held_by is None


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal knows of a failed build."""

    attempt: int
    outcome: str | None


class Journal:
    def __init__(self, dynamodb: Any, table: str, keep_days: int) -> None:
        self._client = dynamodb
        self._table = table
        self._keep_seconds = keep_days * SECONDS_A_DAY

    def claim(self, build: BuildArn, execution: str, attempt: int, now: float, evict: str = "") -> Claim:
        """Take the build and its project's lease for this execution, both or neither.

        An execution recognises its own claim, since a step may run again. `evict` is an execution that no longer runs
        and whose lease may be taken over. A later attempt may claim a build that an earlier one had.
        """
        values = {":me": _text(execution), ":attempt": _number(attempt)}
        build_item = {
            "Key": {"pk": _text(_build_key(build))},
            "UpdateExpression": "SET execution = :me, attempt = :attempt, claimed_at = :now, expires_at = :expires",
            "ConditionExpression": "attribute_not_exists(execution) OR execution = :me OR attempt < :attempt",
            "ExpressionAttributeValues": {
                **values,
                ":now": _number(int(now)),
                ":expires": _number(self._expiry(now)),
            },
        }
        lease = {
            "Key": {"pk": _text(_lease_key(build.project))},
            "UpdateExpression": "SET execution = :me, build = :build REMOVE expires_at",
            "ConditionExpression": (
                "attribute_not_exists(pk) OR execution = :me OR execution = :evict OR expires_at < :now"
            ),
            "ExpressionAttributeValues": {
                ":me": _text(execution),
                ":evict": _text(evict or execution),
                ":build": _text(build.id),
                ":now": _number(int(now)),
            },
        }
        common = {"TableName": self._table, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            self._client.transact_write_items(
                TransactItems=[{"Update": {**common, **item}} for item in (build_item, lease)]
            )
        except ClientError as error:
            if code_of(error) != "TransactionCanceledException":
                raise
            holders = [_holder(reason) for reason in error.response["CancellationReasons"]]
            if holders == [None, None]:
                raise
            return Claim(*holders)
        return Claim()

    def record_repair(self, build: BuildArn, repair: Mapping[str, Any]) -> None:
        """Write down what is about to change, old and new, before it changes."""
        self._set(build, {"repair": _text(json.dumps(repair, sort_keys=True))})

    def record_outcome(
        self, build: BuildArn, execution: str, attempt: int, outcome: Mapping[str, Any], now: float
    ) -> None:
        """Keep the outcome, with the attempt also where the build was never claimed; a later attempt's own stays."""
        values = {"attempt": _number(attempt), **self._outcome(outcome, now)}
        _holds(
            lambda: self._set(
                build, values, "attribute_not_exists(execution) OR execution = :me", {":me": _text(execution)}
            )
        )

    def record_triage(self, build: BuildArn, outcome: Mapping[str, Any], now: float) -> bool:
        """Keep the outcome of a failure that needs no execution; False when the build has an entry already."""
        item = {"pk": _text(_build_key(build)), "attempt": _number(0), **self._outcome(outcome, now)}
        return _holds(
            lambda: self._client.put_item(
                TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
            )
        )

    def release(self, build: BuildArn, execution: str) -> None:
        """Give the project's lease back, unless it is no longer ours."""
        _holds(
            lambda: self._client.delete_item(
                TableName=self._table,
                Key={"pk": _text(_lease_key(build.project))},
                ConditionExpression="execution = :me",
                ExpressionAttributeValues={":me": _text(execution)},
            )
        )

    def leave_alone(self, build: BuildArn, execution: str, until: float) -> None:
        """Hold the project's lease for NOBODY, unless another execution has it by now."""
        _holds(
            lambda: self._client.update_item(
                TableName=self._table,
                Key={"pk": _text(_lease_key(build.project))},
                UpdateExpression="SET execution = :nobody, build = :build, expires_at = :until",
                ConditionExpression="attribute_not_exists(pk) OR execution = :me OR execution = :nobody",
                ExpressionAttributeValues={
                    ":me": _text(execution),
                    ":nobody": _text(NOBODY),
                    ":build": _text(build.id),
                    ":until": _number(int(until)),
                },
            )
        )

    def entry(self, build: BuildArn) -> Entry | None:
        item = self._client.get_item(
            TableName=self._table, Key={"pk": _text(_build_key(build))}, ConsistentRead=True
        ).get("Item")
        if item is None:
            return None
        return Entry(int(item.get("attempt", {}).get("N", "0")), item.get("outcome", {}).get("S"))

    def _outcome(self, outcome: Mapping[str, Any], now: float) -> dict[str, Any]:
        return {
            "outcome": _text(outcome["outcome"]),
            "report": _text(json.dumps(outcome, sort_keys=True)),
            "ended_at": _number(int(now)),
            "expires_at": _number(self._expiry(now)),
        }

    def _set(
        self,
        build: BuildArn,
        values: Mapping[str, Any],
        condition: str = "",
        compared: Mapping[str, Any] | None = None,
    ) -> None:
        self._client.update_item(
            TableName=self._table,
            Key={"pk": _text(_build_key(build))},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={**{f":{name}": value for name, value in values.items()}, **(compared or {})},
            **({"ConditionExpression": condition} if condition else {}),
        )

    def _expiry(self, now: float) -> int:
        return int(now) + self._keep_seconds


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


def _lease_key(project: str) -> str:
    return f"lease#{project}"


def _holder(reason: Mapping[str, Any]) -> str | None:
    if reason.get("Code") != "ConditionalCheckFailed":
        return None
    return str(reason.get("Item", {}).get("execution", {}).get("S", "unknown"))


def _text(value: str) -> dict[str, str]:
    return {"S": value}


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
