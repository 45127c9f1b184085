"""What the functions give out: requests, checkpoints, exceptions. Each is looked through for canaries."""

from __future__ import annotations

import json
import re
import traceback
from typing import Any

from tests import canaries
from tests.canaries import saw

CARRIERS = ("UpdateProject", "StartBuild")
"""The requests whose purpose is to carry what is the project's own."""


def saw_request(request: Any, event_name: str, **_: object) -> None:
    """A request of the functions to AWS, as it is about to be signed."""
    service, operation = event_name.split(".")[1:]
    data: Any = request.data
    body: str = data.decode() if isinstance(data, bytes) else json.dumps(data, default=str)
    place = {"dynamodb": "a journal item", "sns": "a notification"}.get(service, "a request")
    key = re.search(r'"pk": \{"S": "([^"]+)"', body)
    may_hold = canaries.OF_THE_PROJECT if operation in CARRIERS else frozenset[str]()
    name = request.headers.get("X-Amz-Durable-Execution-Name", "")
    saw(f"{place} ({operation}{' of ' + key[1] if key else ''})", f"{request.url} {name} {body}", may_hold)


def saw_exception(function: str, error: BaseException) -> None:
    """An exception that left a function: Lambda logs it with what led to it."""
    saw(f"an exception of {function}", "".join(traceback.format_exception(error)))


def watch_checkpoints(client: Any) -> None:
    """Every checkpoint that an execution sends through this client, also those that a later one replaces."""
    send = client.checkpoint

    def checkpoint(**request: Any) -> Any:
        for update in request["updates"]:
            saw(f"the checkpoint of {update.name}", json.dumps(update.to_dict(), default=str))
        return send(**request)

    client.checkpoint = checkpoint
