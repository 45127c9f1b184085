"""Durable executions: AWS's own testing package keeps and runs them, here under AWS's ARNs and with any function.

What the package decides, from Lambda's API of 2025-12-01: which updates a checkpoint takes, when a function is invoked
again, what becomes of callbacks, and the answers. MiniStack is not needed here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from aws_durable_execution_sdk_python.execution import DurableExecutionInvocationInput
from aws_durable_execution_sdk_python_testing.checkpoint.processor import CheckpointProcessor
from aws_durable_execution_sdk_python_testing.clock import Clock
from aws_durable_execution_sdk_python_testing.exceptions import DurableFunctionsTestError
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.executor import Executor
from aws_durable_execution_sdk_python_testing.invoker import InvokeResponse, LambdaInvoker
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput
from aws_durable_execution_sdk_python_testing.scheduler import Scheduler
from aws_durable_execution_sdk_python_testing.stores.memory import InMemoryExecutionStore
from aws_durable_execution_sdk_python_testing.web.models import HTTPRequest, HTTPResponse
from aws_durable_execution_sdk_python_testing.web.routes import BytesPayloadRoute, Router
from aws_durable_execution_sdk_python_testing.web.server import WebServer

Document = dict[str, Any]
Invoke = Callable[[str, Document], Document]
"""Runs the function of an execution (its ARN) once: `body`, its answer as JSON or its error, and `error` if so."""

VERSION = "2025-12-01"
CALLS = ("checkpoint", "state", "history", "stop")


class Executions(Executor):
    """All executions of one server. `ended` hears of each that is over."""

    RETRY_BACKOFF_SECONDS = 1
    """Between an invocation that ended in an error and the next; AWS's own figure is not published."""

    def __init__(
        self, region: str, invoke: Invoke, ended: Callable[[Execution], None], clock: Clock | None = None
    ) -> None:
        store, self._timers = InMemoryExecutionStore(), Scheduler()
        processor = CheckpointProcessor(store, self._timers, clock=clock)
        super().__init__(store, self._timers, _Invoker(invoke), processor, region=region, clock=clock)
        self._ended = ended
        self._router = Router()
        # The handlers need the executor alone; a WebServer would open a port.
        self._handlers = WebServer._create_endpoint_handlers(SimpleNamespace(executor=self))  # type: ignore[arg-type]
        self._timers.start()  # type: ignore[no-untyped-call]

    def begin(self, arn: str, given: StartDurableExecutionInput) -> None:
        """Start an execution under this ARN, whose last part is `given.invocation_id`."""
        execution = Execution(arn, given, [])
        execution.region = self.region
        execution.start(now=self._clock.now())
        self._store.save(execution)
        self._launch_execution(execution, given.execution_timeout_seconds)

    def shutdown(self) -> None:
        super().shutdown()
        self._timers.stop()  # type: ignore[no-untyped-call]

    def answer(self, method: str, path: str, body: bytes, query: Document) -> HTTPResponse:
        """The answer to a call. In the path an ARN or callback is one part: its slashes are quoted."""
        route = self._router.find_route(path, method)
        make = HTTPRequest.from_raw_bytes if isinstance(route, BytesPayloadRoute) else HTTPRequest.from_bytes
        return self._handlers[type(route)].handle(route, make(body, method=method, path=route, query_params=query))

    def _complete_events(self, execution_arn: str) -> None:
        super()._complete_events(execution_arn)
        self._ended(self.get_execution(execution_arn))


class _Invoker(LambdaInvoker):
    """The package's own, which would call an endpoint; `create_invocation_input` is kept."""

    def __init__(self, invoke: Invoke) -> None:
        super().__init__(None)
        self._invoke = invoke

    def invoke(
        self,
        function_name: str,  # noqa: ARG002 - the execution knows its function
        input: DurableExecutionInvocationInput,  # noqa: A002 - the package's word
        *_: Any,
        **__: Any,
    ) -> InvokeResponse:
        result = self._invoke(input.durable_execution_arn, dict(input.to_json_dict()))
        if result.get("error"):
            raise DurableFunctionsTestError(result["body"].get("errorMessage"))
        return InvokeResponse.from_payload(result["body"], str(uuid.uuid4()))
