"""Lambda durable functions, as the service starts and refuses them; `executions` runs them.

`DurableConfig` {ExecutionTimeout, RetentionPeriodInDays} belongs to a function from its creation. An asynchronous
invocation starts an execution and runs it to its end: the function is invoked, says that it is pending, and is
invoked again when a wait or a step's retry is due. The same `DurableExecutionName` with the same payload is the
execution that exists, with another payload it is refused. A failed execution is not retried.

MiniStack's routes are kept. Chained invocations are not there.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from aws_durable_execution_sdk_python_testing.exceptions import UnknownRouteError
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput
from ministack.core.concurrency import run_reentrant
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import lambda_durable, lambda_svc
from ministack.services.cloudformation import provisioners

from local.aws.executions import CALLS, VERSION, Document, Executions
from local.aws.functions import Functions

Answer = tuple[int, dict[str, str], bytes]

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LONGEST_SYNCHRONOUS = 900

UNQUALIFIED = "You cannot invoke a durable function using an unqualified ARN."
TOO_LONG = "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."


def invalid(message: str) -> Answer:
    return error_response_json("InvalidParameterValueException", message, 400)  # type: ignore[no-any-return]


class Durable:
    """The durable functions of one server."""

    def __init__(self, functions: Functions, region: str) -> None:
        self.functions = functions
        self.executions = Executions(region, self._run, self._bury)
        self._records: dict[str, Document] = {}
        self._names: dict[tuple[str, str], tuple[str, str]] = {}
        self._naming = threading.Lock()

    def install(self) -> None:
        self._invoke_plain = lambda_svc._invoke
        lambda_svc._invoke = self.invoke
        lambda_durable.try_route = self.route
        lambda_svc._create_function = _kept_config(lambda_svc._create_function)
        kind = "AWS::Lambda::Function"
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        handlers["create"] = _provisioned(handlers["create"])

    def stop(self) -> None:
        self.executions.shutdown()

    # Starting

    async def invoke(
        self, name: str, event: Any, headers: Document, path_qualifier: str | None = None, query_params: Any = None
    ) -> Any:
        """Stands in for `lambda_svc._invoke`."""
        function = lambda_svc._functions.get(name)
        wanted = _header(headers, "x-amz-durable-execution-name")
        config = durable_config(function)
        if config is None:
            if function is not None and wanted:
                return invalid("You cannot specify a durable execution name for a function that is not durable.")
            return await self._invoke_plain(name, event, headers, path_qualifier, query_params)
        qualifier = path_qualifier or lambda_svc._qp_first(query_params or {}, "Qualifier") or None
        kind = _header(headers, "x-amz-invocation-type") or "RequestResponse"
        if qualifier is None:
            return invalid(UNQUALIFIED)
        if kind == "RequestResponse" and config.get("ExecutionTimeout", 0) > LONGEST_SYNCHRONOUS:
            return invalid(TOO_LONG)
        if wanted and not NAME.fullmatch(wanted):
            return invalid(f"Value '{wanted}' at 'durableExecutionName' failed to satisfy constraint")
        record = record_of(function, name, qualifier)
        if record is None:
            arn = f"{lambda_svc._func_arn(name)}:{qualifier}"
            return error_response_json("ResourceNotFoundException", f"Function not found: {arn}", 404)
        version = record["config"].get("Version", "$LATEST")
        if kind == "DryRun":
            return 204, {"X-Amz-Executed-Version": version}, b""
        started = self.start(record, json.dumps(event), wanted)
        if started is None:
            message = f"Durable execution with name '{wanted}' has already been started with a different payload."
            return error_response_json("DurableExecutionAlreadyStartedException", message, 409)
        answer = {"X-Amz-Executed-Version": version, "X-Amz-Durable-Execution-Arn": started}
        if kind == "Event":
            return 202, answer, b""
        await run_reentrant(self.executions.wait_until_complete, started)
        answer["Content-Type"] = "application/json"
        ended = self.executions.get_execution_details(started)
        if ended.status == "SUCCEEDED":
            return 200, answer, (ended.result or "null").encode()
        answer["X-Amz-Function-Error"] = "Unhandled"
        shown = {"errorType": ended.error and ended.error.type, "errorMessage": ended.error and ended.error.message}
        return 200, answer, json.dumps(shown).encode()

    def start(self, record: Document, payload: str, name: str | None) -> str | None:
        """The ARN of the execution of that name, new or not; None when the name is taken by another payload."""
        config = record["config"]
        base = ":".join(config["FunctionArn"].split(":")[:7])
        version = config.get("Version", "$LATEST")
        settings = config["DurableConfig"]
        with self._naming:
            if name is not None and (base, name) in self._names:
                found, before = self._names[base, name]
                return found if before == payload else None
            given = StartDurableExecutionInput(
                account_id=base.split(":")[4],
                function_name=base.split(":")[6],
                function_qualifier=version,
                execution_name=name or str(uuid.uuid4()),
                execution_timeout_seconds=int(settings.get("ExecutionTimeout", 86400)),
                execution_retention_period_days=int(settings.get("RetentionPeriodInDays", 14)),
                invocation_id=str(uuid.uuid4()),
                input=payload,
            )
            arn = f"{base}:{version}/durable-execution/{given.execution_name}/{given.invocation_id}"
            self._records[arn] = record
            self._names[base, given.execution_name] = arn, payload
            self.executions.begin(arn, given)
        return arn

    def _run(self, arn: str, event: Document) -> Document:
        """Invoke an execution's function once, in the version with which it was started."""
        result: Document = lambda_svc._execute_function_with_config_scope(self._records[arn], event)
        return result

    def _bury(self, execution: Execution) -> None:
        """Give the event of a failed execution to the function's dead-letter queue."""
        status = execution.current_status().value
        if status in ("FAILED", "TIMED_OUT"):
            error = execution.result.error if execution.result else None
            message = (error.message if error else None) or status
            config = self._records[execution.durable_execution_arn]["config"]
            self.functions.give_up(config, json.loads(execution.start_input.input or "null"), message)

    def route(self, method: str, path: str, body: bytes, query_params: Document, function_arn_lookup: Any) -> Any:
        """Stands in for `lambda_durable.try_route`; None for what is no durable call."""
        parts = path.strip("/").split("/")
        if parts[0] != VERSION or len(parts) < 3:
            return None
        if parts[1] == "durable-executions":
            call = parts[-1:] if parts[-1] in CALLS else []
            arn = "/".join(parts[2 : len(parts) - len(call)])
            if arn.split(":")[3:5] != [get_region(), get_account_id()]:
                return error_response_json("ResourceNotFoundException", f"Durable execution not found: {arn}", 404)
            parts = [*parts[:2], quote(arn, safe=":"), *call]
        elif parts[1] == "durable-execution-callbacks":
            parts = [*parts[:2], quote("/".join(parts[2:-1]), safe=""), parts[-1]]
        elif parts[1] == "functions":
            found = function_arn_lookup(parts[2])
            if found is None:
                return error_response_json("ResourceNotFoundException", f"Function not found: {parts[2]}", 404)
            parts[2] = found.split(":")[6]
        query = {name: value if isinstance(value, list) else [value] for name, value in query_params.items()}
        query["StatusFilter"] = query.pop("Statuses", [])  # the package's name for it; it takes one
        try:
            answer = self.executions.answer(method, "/" + "/".join(parts), body, query)
        except UnknownRouteError:
            return None
        if answer.status_code >= 400:
            message = answer.body.get("message") or answer.body.get("Message")
            return error_response_json(answer.body["Type"], message, answer.status_code)
        return answer.status_code, answer.headers, answer.body_to_bytes()


def durable_config(function: Document | None) -> Document | None:
    config: Document | None = ((function or {}).get("config") or {}).get("DurableConfig")
    return config or None


def record_of(function: Document | None, name: str, qualifier: str | None) -> Document | None:
    """The function record behind a qualifier, with the ARN by which it was called."""
    record, config = lambda_svc._effective_func_record_for_qualifier(function, qualifier)
    if record is None or config is None or function is None:
        return None
    arn = lambda_svc._func_arn(name) + (f":{qualifier}" if qualifier else "")
    # `DurableConfig` is the function's, whatever version runs
    durable = {"DurableConfig": function["config"]["DurableConfig"]} if durable_config(function) else {}
    return {**record, "config": {**config, **durable, "FunctionArn": arn}}


def _header(headers: Document, name: str) -> str | None:
    return next((str(value) for key, value in headers.items() if key.lower() == name), None)


def _kept_config(original: Callable[[Document], Any]) -> Callable[[Document], Any]:
    """CreateFunction that checks DurableConfig as the API does."""

    def create(data: Document) -> Any:
        config = data.get("DurableConfig")
        if config is not None and not 1 <= int(config.get("ExecutionTimeout", 0)) <= 31_622_400:
            return invalid("DurableConfig.ExecutionTimeout must be between 1 and 31622400 seconds")
        return original(data)

    return create


def _provisioned(original: Callable[..., Any]) -> Callable[..., Any]:
    """CloudFormation's function that keeps DurableConfig."""

    def create(logical_id: str, properties: Document, stack_name: str) -> Any:
        made = original(logical_id, properties, stack_name)
        config = properties.get("DurableConfig")
        if config:
            lambda_svc._functions[made[0]]["config"]["DurableConfig"] = {k: int(v) for k, v in config.items()}
        return made

    return create
