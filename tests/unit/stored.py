"""The stack's table in moto's DynamoDB, and what is kept in it, read past the code under test."""

from __future__ import annotations

from typing import Any

from remediator.records.table import Table
from tests.unit import given

NAME = "journal"
CLIENT = given.aws("dynamodb")
"""One for all tests: to make one takes longer than a test. moto keeps what each of them does apart."""


class Stored:
    """Make it inside `mock_aws`; `table` is what the code under test is given."""

    def __init__(self) -> None:
        self.table = Table(CLIENT, NAME)
        CLIENT.create_table(
            TableName=NAME,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )

    def items(self) -> dict[str, dict[str, Any]]:
        items = CLIENT.scan(TableName=NAME)["Items"]
        return {item.pop("pk")["S"]: item for item in items}

    def holder(self, key: str) -> str | None:
        item = self.items().get(key)
        return item["execution"]["S"] if item and "execution" in item else None
