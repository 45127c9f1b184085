"""AWS JSON 1.1 over HTTP: from a request's target and body to status, headers and body of the answer."""

import json
import uuid
from dataclasses import dataclass

from local.simulator.errors import ServiceError
from local.simulator.service import Service

CONTENT_TYPE = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class HttpAnswer:
    """What goes back to the client."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer(simulator: Service, target: str, body: bytes, caller: str) -> HttpAnswer:
    """Answer one request: `target` is the header X-Amz-Target, `caller` the ARN that signed it."""
    try:
        return _http(200, simulator.call(_operation(simulator, target), _parse(body), caller), None)
    except ServiceError as error:
        return _http(error.status, {"__type": error.code, "message": error.message}, error.code)


def _operation(simulator: Service, target: str) -> str:
    if not target.startswith(simulator.target_prefix):
        raise ServiceError("UnknownOperationException", f"Not a target of {simulator.name}: {target or 'none'}")
    return target.removeprefix(simulator.target_prefix)


def _parse(body: bytes) -> dict[str, object]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        request = None
    if not isinstance(request, dict):
        raise ServiceError("SerializationException", "The body is not a JSON object")
    return request


def _http(status: int, document: dict[str, object], error: str | None) -> HttpAnswer:
    body = json.dumps(document).encode()
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    if error is not None:
        headers["x-amzn-ErrorType"] = error
    return HttpAnswer(status, headers, body)
