"""How botocore reaches the simulator without a network: its `before-send` event is answered in process.

botocore still validates, signs, retries and parses as it would with AWS, and the body of an answer passes its
`before-parse` handlers as it came from the service, unknown members included.
"""

from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from local.simulator import wire
from local.simulator.codebuild import CodeBuild

_EVENT = "before-send.codebuild"


def attach(target: Any, simulator: CodeBuild, *, caller: str) -> None:
    """Have every CodeBuild call of `target` answered by the simulator, as the caller with that ARN.

    `target` is a botocore or boto3 client, or a session: then all CodeBuild clients that it makes afterwards.
    A second attach to the same target replaces the first. Only JSON is spoken; a client that speaks another
    protocol gets UnknownOperationException.
    """

    def send(request: Any, **_: object) -> AWSResponse:
        target_header = request.headers.get("X-Amz-Target", b"")
        name = target_header.decode() if isinstance(target_header, bytes) else str(target_header)
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
        answer = wire.answer(simulator, name, body, caller)
        headers = HTTPHeaders.from_dict(answer.headers)
        return AWSResponse(request.url, answer.status, headers, _Body(answer.body))

    emitter = _emitter(target)
    emitter.unregister(_EVENT, unique_id=_EVENT)
    emitter.register(_EVENT, send, unique_id=_EVENT)


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
