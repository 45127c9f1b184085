"""Reads from the stack's journal what it repaired in a project, and whether somebody works on the project now."""

from __future__ import annotations

import json
from typing import Any

from remediator.records.table import Table
from remediator.services import Services
from undo.stack import Stack
from undo.taken_out import Repair


class Journal:
    """It is only read here."""

    def __init__(self, services: Services, stack: Stack) -> None:
        self._services = services
        self._client = services.client("dynamodb")
        self._name = stack.journal

    def repairs_of(self, project: str) -> list[Repair]:
        """What was changed in the project, by member with its old value, newest first."""
        scan = self._client.get_paginator("scan").paginate(
            TableName=self._name,
            FilterExpression="begins_with(pk, :builds) AND attribute_exists(repair)",
            ExpressionAttributeValues={":builds": {"S": f"build#{project}:"}},
            ProjectionExpression="repair, claimed_at",
            ConsistentRead=True,
        )
        items: list[dict[str, Any]] = [item for page in scan for item in page["Items"]]
        items.sort(key=lambda item: float(item.get("claimed_at", {}).get("N", 0)), reverse=True)
        return [json.loads(item["repair"]["S"]) for item in items]

    def works_on(self, project: str) -> str:
        """The execution that works on the project at this moment; empty for none."""
        item = Table(self._client, self._name).get(f"project#{project}") or {}
        execution = str(item.get("execution", ""))
        return execution if execution and self._services.executions.is_running(execution) else ""
