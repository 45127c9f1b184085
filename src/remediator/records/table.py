"""Reads and writes single items of the stack's DynamoDB table, found by their key; what they mean is not known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of

Request = dict[str, Any]


class Table:
    def __init__(self, dynamodb: Any, name: str) -> None:
        self.client = dynamodb
        self.name = name

    def get(self, key: str) -> dict[str, Any] | None:
        answer = self.client.get_item(TableName=self.name, Key={"pk": text(key)}, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def put(self, item: Mapping[str, Any]) -> None:
        self.client.put_item(TableName=self.name, Item=item)

    def put_new(self, item: Mapping[str, Any]) -> bool:
        """Write an item whose key nothing has; False where something has it."""
        request = {"TableName": self.name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        return "Item" not in self._told(lambda: self.client.put_item(**request))

    def update(
        self,
        key: str,
        values: Mapping[str, Any],
        condition: str = "",
        compared: Mapping[str, Any] | None = None,
        removed: tuple[str, ...] = (),
    ) -> Request:
        """The request that sets these attributes, and removes those, where the condition holds."""
        sets = ", ".join(f"#{name} = :{name}" for name in values)
        parts = (f"SET {sets}" if sets else "", f"REMOVE {', '.join(removed)}" if removed else "")
        return {
            "TableName": self.name,
            "Key": {"pk": text(key)},
            "UpdateExpression": " ".join(filter(None, parts)),
            "ExpressionAttributeValues": {**{f":{name}": v for name, v in values.items()}, **(compared or {})},
            **({"ExpressionAttributeNames": {f"#{name}": name for name in values}} if values else {}),
            **({"ConditionExpression": condition} if condition else {}),
        }

    def write(self, request: Request) -> bool:
        """Make a write that may have a condition; False when it does not hold, and nothing was written."""
        return "Item" not in self.answer(request)

    def answer(self, request: Request) -> dict[str, Any]:
        """The answer to a write, or `Item`, the one that stood against it where the request asks to be told it."""
        return self._told(lambda: self.client.update_item(**request))

    def transact(self, items: list[Request]) -> list[dict[str, Any] | None]:
        """Write all or nothing; for each item the one that stood against it, and an empty list when all is written."""
        told = [
            {kind: {**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}
            for item in items
            for kind, request in item.items()
        ]
        try:
            self.client.transact_write_items(TransactItems=told)
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

    def _told(self, write: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return write()
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return {"Item": error.response.get("Item", {})}


def text(value: str) -> dict[str, str]:
    return {"S": value}


def number(value: int) -> dict[str, str]:
    return {"N": str(value)}
