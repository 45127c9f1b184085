"""Reads and writes single items of the stack's DynamoDB table, found by their key; what they mean is not known here.

Values are plain: texts, whole numbers (a fraction of a second is dropped), truth values, None, and sets of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of

Item = dict[str, Any]
Request = dict[str, Any]


class Table:
    def __init__(self, dynamodb: Any, name: str) -> None:
        self._client = dynamodb
        self._name = name

    def get(self, key: str) -> Item | None:
        answer = self._client.get_item(TableName=self._name, Key=_typed({"pk": key}), ConsistentRead=True)
        return _plain(answer["Item"]) if "Item" in answer else None

    def put(self, key: str, values: Item) -> None:
        self._client.put_item(TableName=self._name, Item=_typed({"pk": key, **values}))

    def put_new(self, key: str, values: Item) -> bool:
        """Write an item whose key nothing has; False where something has it."""
        request = {"TableName": self._name, "Item": _typed({"pk": key, **values})}
        absent = {"ConditionExpression": "attribute_not_exists(pk)"}
        return "Item" not in _answer(lambda: self._client.put_item(**request, **absent))

    def update(self, key: str, values: Item, condition: str = "", **more: Any) -> bool:
        """Make a `change`; False where its condition does not hold."""
        change = self.change(key, values, condition, **more)
        return "Item" not in _answer(lambda: self._client.update_item(**change))

    def take(self, key: str, values: Item, condition: str, **more: Any) -> tuple[bool, Item]:
        """The same as `update`, with the whole item: as it is afterwards, or as it stood against the condition."""
        change = self.change(key, values, condition, **more)
        shown = {"ReturnValues": "ALL_NEW", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        answer = _answer(lambda: self._client.update_item(**change, **shown))
        return "Attributes" in answer, _plain(answer.get("Attributes") or answer["Item"])

    def add(self, key: str, name: str, member: str) -> None:
        """Add a text to a set."""
        self._edit_set(key, f"ADD {name} :member", member)

    def take_out(self, key: str, name: str, member: str) -> None:
        """Take a text out of a set; nothing happens where it is not there."""
        self._edit_set(key, f"DELETE {name} :member", member)

    def _edit_set(self, key: str, expression: str, member: str) -> None:
        change = {"UpdateExpression": expression, "ExpressionAttributeValues": _typed({":member": [member]})}
        self._client.update_item(TableName=self._name, Key=_typed({"pk": key}), **change)

    def change(
        self, key: str, values: Item, condition: str = "", *, removed: tuple[str, ...] = (), **compared: Any
    ) -> Request:
        """The request that sets these attributes, and removes those, where the condition holds. `compared` are the
        values that the condition names: `me` is its `:me`."""
        sets = f"SET {', '.join(f'#{name} = :{name}' for name in values)}" if values else ""
        removes = f"REMOVE {', '.join(removed)}" if removed else ""
        return {
            **self.check(key, condition, **values, **compared),
            "UpdateExpression": f"{sets} {removes}".strip(),
            **({"ExpressionAttributeNames": {f"#{name}": name for name in values}} if values else {}),
        }

    def check(self, key: str, condition: str, **compared: Any) -> Request:
        """The part of a transaction that changes nothing, and fails where the condition does not hold."""
        return {
            "TableName": self._name,
            "Key": _typed({"pk": key}),
            "ExpressionAttributeValues": _typed({f":{name}": value for name, value in compared.items()}),
            **({"ConditionExpression": condition} if condition else {}),
        }

    def transact(self, items: list[dict[str, Request]]) -> list[Item | None]:
        """Write all or nothing; for each item the one that stood against it, and an empty list when all is written."""
        shown = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        writes = [{kind: {**request, **shown} for kind, request in item.items()} for item in items]
        try:
            self._client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            failed = [reason.get("Code") == "ConditionalCheckFailed" for reason in reasons]
            if not any(failed):
                raise
            return [_plain(reason.get("Item", {})) if no else None for reason, no in zip(reasons, failed, strict=True)]
        return []


def _answer(write: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer to a write, or `Item`, the one that stood against its condition."""
    try:
        return write()
    except ClientError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise
        return {"Item": error.response.get("Item", {})}


def _typed(values: Item) -> dict[str, dict[str, Any]]:
    return {name: _typed_value(value) for name, value in values.items()}


def _typed_value(value: Any) -> dict[str, Any]:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    return {"N": str(int(value))} if isinstance(value, int | float) else {"SS": sorted(value)}


def _plain(item: Mapping[str, Any]) -> Item:
    return {name: _plain_value(*typed) for name, value in item.items() for typed in value.items()}


def _plain_value(kind: str, value: Any) -> Any:
    return None if kind == "NULL" else int(value) if kind == "N" else value
