"""Lambda durable functions, as the service runs and refuses them.

AWS: `DurableConfig` {ExecutionTimeout, RetentionPeriodInDays} belongs to a function from its creation. Such a
function is invoked by version or alias only, and not synchronously when its ExecutionTimeout is above 900
seconds. An asynchronous invocation starts an execution and runs it to its end: the function is invoked, says
that it is pending, and is invoked again when a wait or a step's retry is due. `DurableExecutionName` makes a
start idempotent: the same name with the same payload is the execution that exists, with another payload it is
refused. A failed execution is not retried; its event goes to the function's dead-letter queue.

MiniStack: has the preview (`DurableConfig.Enabled`), drops `DurableConfig` in CloudFormation, runs the first
part of an asynchronous start only, and knows neither names nor refusals nor dead letters. All of it is
replaced here; its routes are kept.

Unknown on AWS, decided here: an invocation that ends in an error (not a failed execution) is repeated after
1, 2, 4 … seconds, six times at most, then the execution has failed. Chained invocations are not there.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.concurrency import run_reentrant
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import lambda_durable, lambda_svc
from ministack.services.cloudformation import provisioners

from local.aws.executions import Document, Execution, Refused
from local.aws.functions import Functions
from local.aws.iam import body_of

log = logging.getLogger("local.aws.durable")

Answer = tuple[int, dict[str, str], bytes]

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LONGEST_SYNCHRONOUS = 900
INVOCATION_ATTEMPTS = 6

UNQUALIFIED = "You cannot invoke a durable function using an unqualified ARN."
TOO_LONG = "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."


def invalid(message: str) -> Answer:
    return error_response_json("InvalidParameterValueException", message, 400)  # type: ignore[no-any-return]


class Durable:
    """The executions of one server, and the threads that run them."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self._executions: dict[str, Execution] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._changed = threading.Condition()
        self._stopping = False

    def install(self) -> None:
        self._invoke_plain = lambda_svc._invoke
        lambda_svc._invoke = self.invoke
        lambda_durable.try_route = self.route
        lambda_svc._create_function = _kept_config(lambda_svc._create_function)
        kind = "AWS::Lambda::Function"
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        handlers["create"] = _provisioned(handlers["create"])

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

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
        execution = self.start(record, json.dumps(event), wanted)
        if execution is None:
            message = f"Durable execution with name '{wanted}' has already been started with a different payload."
            return error_response_json("DurableExecutionAlreadyStartedException", message, 409)
        answer = {"X-Amz-Executed-Version": version, "X-Amz-Durable-Execution-Arn": execution.arn}
        if kind == "Event":
            return 202, answer, b""
        await run_reentrant(self._await_end, execution)
        answer["Content-Type"] = "application/json"
        if execution.status == "SUCCEEDED":
            return 200, answer, (execution.result or "null").encode()
        answer["X-Amz-Function-Error"] = "Unhandled"
        error = execution.error or {}
        shown = {"errorType": error.get("ErrorType"), "errorMessage": error.get("ErrorMessage")}
        return 200, answer, json.dumps(shown).encode()

    def start(self, record: Document, payload: str, name: str | None) -> Execution | None:
        """The execution of that name, new or not; None when the name is taken by another payload."""
        config = record["config"]
        base = ":".join(config["FunctionArn"].split(":")[:7])
        settings = config["DurableConfig"]
        with self._changed:
            if name is not None and (base, name) in self._names:
                found = self._executions[self._names[base, name]]
                return found if found.payload == payload else None
            name = name or str(uuid.uuid4())
            version = config.get("Version", "$LATEST")
            execution = Execution(
                arn=f"{base}:{version}/durable-execution/{name}/{uuid.uuid4()}",
                name=name,
                function_arn=config["FunctionArn"],
                version=version,
                payload=payload,
                started=time.time(),
                timeout=int(settings.get("ExecutionTimeout", 86400)),
                retention_days=int(settings.get("RetentionPeriodInDays", 14)),
            )
            self._executions[execution.arn] = execution
            self._names[base, name] = execution.arn
        threading.Thread(target=self._run, args=(execution, record), daemon=True, name=f"durable {name}").start()
        return execution

    # Running

    def _run(self, execution: Execution, record: Document) -> None:
        """One execution from its start to its end, on a thread of its own."""
        try:
            failures = 0
            while self._proceed(execution):
                with self._changed:
                    event = execution.begin_invocation()
                result = lambda_svc._execute_function_with_config_scope(record, event)
                failures = failures + 1 if self._take(execution, result) else 0
                if failures == INVOCATION_ATTEMPTS:
                    body = result["body"]
                    error = {"ErrorType": body.get("errorType"), "ErrorMessage": body.get("errorMessage")}
                    self._finish(execution, "FAILED", None, error)
                elif failures:
                    self._pause(2.0 ** (failures - 1))
            if execution.status in ("FAILED", "TIMED_OUT"):
                message = (execution.error or {}).get("ErrorMessage") or execution.status
                self.functions.give_up(record["config"], json.loads(execution.payload), str(message))
        except Exception:
            log.exception("the durable execution %s cannot go on", execution.arn)
            self._finish(execution, "FAILED", None, {"ErrorType": "ServiceException", "ErrorMessage": "see the log"})

    def _proceed(self, execution: Execution) -> bool:
        """Wait until the function has to be invoked; False when the execution has ended."""
        with self._changed:
            while True:
                if self._stopping or execution.status != "RUNNING":
                    return False
                now = time.time()
                if now >= execution.deadline:
                    error = {"ErrorType": "ExecutionTimeout", "ErrorMessage": "The execution timed out"}
                    execution.finish("TIMED_OUT", None, error, now)
                    self._changed.notify_all()
                    return False
                if execution.invocations == 0 or execution.settle(now):
                    return True
                due = execution.due()
                if due is None and not self._waits_for_callback(execution):
                    message = "Cannot return PENDING status with no pending operations."
                    error = {"ErrorType": "InvalidParameterValueException", "ErrorMessage": message}
                    execution.finish("FAILED", None, error, now)
                    self._changed.notify_all()
                    return False
                self._changed.wait(min(due or execution.deadline, execution.deadline) - now)

    @staticmethod
    def _waits_for_callback(execution: Execution) -> bool:
        return any(o["Type"] == "CALLBACK" and o["Status"] == "STARTED" for o in execution.operations.values())

    def _take(self, execution: Execution, result: Document) -> bool:
        """Take over how an invocation ended; True when it ended in an error and has to be repeated."""
        if result.get("error"):
            with self._changed:
                execution.fresh.add(execution.arn.rpartition("/")[2])  # invoke again although nothing is due
            return True
        output = json.loads(result["body"])
        status = output.get("Status") if isinstance(output, dict) else None
        if status in ("SUCCEEDED", "FAILED"):
            error = output.get("Error") if status == "FAILED" else None
            self._finish(execution, status, output.get("Result"), error)
        elif status != "PENDING":
            error = {"ErrorType": "InvalidResponse", "ErrorMessage": "The function is not a durable handler"}
            self._finish(execution, "FAILED", None, error)
        return False

    def _finish(self, execution: Execution, status: str, result: str | None, error: Document | None) -> None:
        with self._changed:
            execution.finish(status, result, error, time.time())
            self._changed.notify_all()

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, seconds)

    def _await_end(self, execution: Execution) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or execution.status != "RUNNING")

    # The API of 2025-12-01

    def route(self, _method: str, path: str, body: bytes, query_params: Document, function_arn_lookup: Any) -> Any:
        """Stands in for `lambda_durable.try_route`; None for what is no durable call."""
        parts = path.strip("/").split("/")
        if parts[0] != "2025-12-01" or len(parts) < 3:
            return None
        try:
            if parts[1] == "functions" and parts[-1] == "durable-executions":
                return self._list(parts[2], query_params, function_arn_lookup)
            if parts[1] == "durable-execution-callbacks":
                return self._callback(parts[2], parts[-1], body)
            if parts[1] == "durable-executions":
                tail = parts[-1] if parts[-1] in ("checkpoint", "state", "history", "stop") else ""
                return self._execution(tail, "/".join(parts[2:-1] if tail else parts[2:]), body, query_params)
        except Refused as refusal:
            return invalid(str(refusal))
        return None

    def _execution(self, call: str, arn: str, body: bytes, query: Document) -> Answer:
        if "/durable-execution/" not in arn:
            return invalid(f"Invalid durable execution ARN: {arn}")
        with self._changed:
            execution = self._executions.get(arn)
            if execution is None or arn.split(":")[3:5] != [get_region(), get_account_id()]:
                return error_response_json(  # type: ignore[no-any-return]
                    "ResourceNotFoundException", f"Durable execution not found: {arn}", 404
                )
            answer: Document
            if call == "checkpoint":
                execution.settle(time.time())
                answer = execution.checkpoint(body_of(body), time.time())
                self._changed.notify_all()
            elif call == "state":
                if lambda_svc._qp_first(query, "CheckpointToken") != execution.token:
                    raise Refused("Invalid checkpoint token")
                answer = {"Operations": execution.shown_operations()}
            elif call == "history":
                events = list(execution.history)
                if lambda_svc._qp_first(query, "ReverseOrder") == "true":
                    events.reverse()
                answer = {"Events": events}
            elif call == "stop":
                error = body_of(body) or {"ErrorType": "StopRequested", "ErrorMessage": "Execution stopped by user"}
                execution.finish("STOPPED", None, error, time.time())
                answer = {"StopTimestamp": execution.ended}
                self._changed.notify_all()
            else:
                answer = execution.document(lambda_svc._qp_first(query, "IncludeExecutionData") != "false")
        return json_response(answer)  # type: ignore[no-any-return]

    def _list(self, name: str, query: Document, lookup: Callable[[str], str | None]) -> Answer:
        found = lookup(name)
        if found is None:
            message = f"Function not found: {name}"
            return error_response_json("ResourceNotFoundException", message, 404)  # type: ignore[no-any-return]
        base = ":".join(found.split(":")[:7])
        statuses = query.get("Statuses") or []
        wanted = lambda_svc._qp_first(query, "DurableExecutionName")
        with self._changed:
            listed = [
                execution.summary()
                for execution in self._executions.values()
                if execution.arn.startswith(f"{base}:")
                and (not statuses or execution.status in statuses)
                and (not wanted or execution.name == wanted)
            ]
        if lambda_svc._qp_first(query, "ReverseOrder") != "false":
            listed.reverse()
        return json_response({"DurableExecutions": listed})  # type: ignore[no-any-return]

    def _callback(self, callback_id: str, call: str, body: bytes) -> Answer:
        with self._changed:
            for execution in self._executions.values():
                operation = execution.callback(callback_id)
                if operation is None:
                    continue
                now = time.time()
                details = operation["CallbackDetails"]
                if call == "heartbeat":
                    if "_heartbeat_seconds" in details:
                        details["_heartbeat"] = now + details["_heartbeat_seconds"]
                else:
                    error = body_of(body) if call == "fail" else None
                    execution.answer_callback(operation, body.decode() if call == "succeed" else None, error, now)
                self._changed.notify_all()
                return 200, {"Content-Type": "application/json"}, b"{}"
        return error_response_json(  # type: ignore[no-any-return]
            "ResourceNotFoundException", f"Callback not found: {callback_id}", 404
        )


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
