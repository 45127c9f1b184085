"""Entry of Remediator, the durable function: hands the payload over to the workflow."""

from __future__ import annotations

import gc
from typing import Any

gc.disable()  # what is imported stays: looking for garbage in between only lengthens a cold start

from aws_durable_execution_sdk_python import DurableContext, durable_execution  # noqa: E402

from remediator.services import Services  # noqa: E402
from remediator.workflow.story import remediate  # noqa: E402

gc.freeze()
gc.enable()

_services = Services()


@durable_execution
def handler(event: Any, context: DurableContext) -> dict[str, Any]:
    return remediate(event, context, _services)
