"""How botocore reaches the simulator without a network: its `before-send` event is answered in process.

botocore still validates, signs, retries and parses as it would with AWS, and the body of an answer passes its
`before-parse` handlers as it came from the service, unknown members included.
"""

from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from local.simulator import wire
from local.simulator.service import Service


def attach(target: Any, simulator: Service, *, caller: str) -> None:
    """Have every call of `target` to the simulator's service answered by it, as the caller with that ARN.

    `target` is a botocore or boto3 client, or a session: then all clients of the service that it makes
    afterwards. A second attach of the same service to the same target replaces the first. Only JSON is spoken;
    a client that speaks another protocol gets UnknownOperationException.
    """

    def send(request: Any, **_: object) -> AWSResponse:
        target_header = request.headers.get("X-Amz-Target", b"")
        name = target_header.decode() if isinstance(target_header, bytes) else str(target_header)
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
        answer = wire.answer(simulator, name, body, caller)
        headers = HTTPHeaders.from_dict(answer.headers)
        return AWSResponse(request.url, answer.status, headers, _Body(answer.body))

    event = f"before-send.{simulator.name}"
    emitter = _emitter(target)
    emitter.unregister(event, unique_id=event)
    emitter.register(event, send, unique_id=event)


def _emitter(target: Any) -> Any:
    if hasattr(target, "meta"):
        return target.meta.events
    if hasattr(target, "events"):
        return target.events
    return target.get_component("event_emitter")


class _Body:
    """The part of urllib3's response that botocore reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content
