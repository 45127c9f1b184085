"""The first door of the server: orders, holds and the request log, then MiniStack.

Every request is read whole, logged with what MiniStack answered, and held back where a hold says so.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack
from ministack.core import iam_actions
from ministack.core.router import detect_service, extract_access_key_id, extract_region

from local.aws import requests
from local.aws.holds import Holds
from local.aws.orders import OrderError, Orders
from local.aws.principals import account_of, principal
from local.aws.scope import in_scope

Document = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

PREFIX = "/_local/"


class Front:
    """The ASGI application that is served."""

    def __init__(self, orders: Orders, holds: Holds, log: requests.RequestLog) -> None:
        self.orders = orders
        self.holds = holds
        self.log = log

    async def __call__(self, scope: Document, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await ministack.app(scope, receive, send)
            return
        body = await _whole_body(receive)
        if body is None:
            return
        if scope["path"].startswith(PREFIX):
            await self._order(scope, body, send)
        elif scope["path"].startswith("/_ministack/"):
            await ministack.app(scope, _replay(body, receive), send)
        else:
            await self._request(scope, body, receive, send)

    async def _order(self, scope: Document, body: bytes, send: Send) -> None:
        status: int
        answer: Document
        try:
            given = json.loads(body or b"{}")
            status, answer = 200, await self.orders.carry_out(scope["path"].removeprefix(PREFIX), given)
        except (OrderError, ValueError) as error:
            status, answer = 400, {"error": str(error)}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer, default=str).encode()})

    async def _request(self, scope: Document, body: bytes, receive: Receive, send: Send) -> None:
        started = time.time()
        line = _describe(scope, body)
        service, operation, who = line["service"], line["operation"], line["principal"]
        held = self.holds.catch(service, operation, who, after=False)
        if held is not None:
            await held.released.wait()
        answer: list[Any] = []

        async def keep(message: Any) -> None:
            answer.append(message)

        await ministack.app(scope, _replay(body, receive), keep)
        late = self.holds.catch(service, operation, who, after=True)
        if late is not None:
            await late.released.wait()
        self.log.write({**line, **_outcome(answer), "time": started, "seconds": round(time.time() - started, 4)})
        for message in answer:
            await send(message)


async def _whole_body(receive: Receive) -> bytes | None:
    """The request's body; None when the client has gone."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _describe(scope: Document, body: bytes) -> Document:
    """Service, operation, principal, resource and parameters of a request."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope.get("query_string", b"").decode(), keep_blank_values=True)
    method, path = scope["method"], scope["path"]
    params = ministack._routing_params(method, path, headers, body, query)
    service = detect_service(method, path, headers, params)
    region = extract_region(headers, query)
    account = account_of(extract_access_key_id(headers, query))
    with in_scope(account, region):
        action = iam_actions.extract_iam_action(service, method, path, headers, body, params)
        resource = iam_actions.extract_resource_arn(service, method, path, headers, body, params, region, account)
    everything = getattr(resource, "all", None)
    return {
        "service": service,
        "operation": requests.operation(action, headers, method, path),
        "principal": principal(headers, query),
        "resource": list(everything) if everything is not None and len(everything) > 1 else str(resource),
        "parameters": requests.parameters(service, headers, query, body),
    }


def _outcome(answer: list[Any]) -> Document:
    status, headers = 0, {}
    body = b"".join(message.get("body", b"") for message in answer if message["type"] == "http.response.body")
    for message in answer:
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in message.get("headers", [])}
    return {"status": status, "error": requests.error_code(status, headers, body)}


async def serve(front: Front, host: str, port: int, until: asyncio.Event, ready: Callable[[], None]) -> None:
    """Serve until told to stop; `ready` is called when the port answers."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"{host}:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.loglevel = "WARNING"
    serving = asyncio.ensure_future(hypercorn_serve(front, config, shutdown_trigger=until.wait))
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            ready()
            break
    await serving
