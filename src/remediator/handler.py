"""Entry of Remediator, the durable function: hands the payload over to the workflow."""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution

from remediator.services import Services
from remediator.workflow import remediate

_services = Services()


@durable_execution
def handler(event: Any, context: DurableContext) -> dict[str, Any]:
    return remediate(event, context, _services)
