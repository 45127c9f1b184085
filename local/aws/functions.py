"""Lambda functions: where and how their code runs, and how an asynchronous invocation is delivered.

AWS tries an asynchronous invocation that failed twice more, after one and two minutes; here it is seconds. A dead
letter has `RequestID`, `ErrorCode` and `ErrorMessage` as attributes.
"""

from __future__ import annotations

import contextvars
import hashlib
import io
import json
import logging
import os
import queue
import shutil
import subprocess
import threading
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import lambda_svc, sqs

from local.aws.scope import in_scope

log = logging.getLogger("local.aws.functions")

WORKER = Path(__file__).with_name("worker.py")
CALLS = "calls.jsonl"
"""The file in the functions' folder with a line for each call that one made, as `worker.record_calls` writes it."""

RETRY_DELAYS = (1.0, 2.0)  # seconds; on AWS one and two minutes

Document = dict[str, Any]


class Functions:
    """Everything about running functions that one server shares."""

    def __init__(self, *, python: str, endpoint: str, folder: Path) -> None:
        self.python = python
        self.endpoint = endpoint
        self.folder = folder
        self.calls = folder / CALLS
        self._unpacking = threading.Lock()

    def unpack(self, code: bytes) -> Path:
        """The code's folder; each artifact is unpacked once and shared, its first process leaves the bytecode."""
        folder = self.folder / "code" / hashlib.sha256(code).hexdigest()[:24]
        with self._unpacking:
            if not folder.exists():
                unfinished = folder.with_suffix(".part")
                shutil.rmtree(unfinished, ignore_errors=True)
                with zipfile.ZipFile(io.BytesIO(code)) as archive:
                    archive.extractall(unfinished)
                unfinished.rename(folder)
        return folder

    def environment(self, config: Document, stream: str) -> dict[str, str]:
        """The function's variables, its role's session and what Lambda's runtime sets."""
        name, version = config.get("FunctionName", ""), config.get("Version", "$LATEST")
        region = config["FunctionArn"].split(":")[3]
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        variables: dict[str, str] = (config.get("Environment") or {}).get("Variables") or {}
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            **{key: str(value) for key, value in variables.items()},
            **lambda_runtime.execution_credentials(config),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_LOG_GROUP_NAME": group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "_HANDLER": config.get("Handler", ""),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": str(temporary),
            "HOME": str(temporary),
        }

    def execute(self, record: Document, event: Any, request_id: str) -> Document:
        """Stands in for `lambda_svc._execute_function_warm`: one invocation in a free or a fresh process."""
        config = record.get("config") or record
        name, version = config.get("FunctionName", "unknown"), config.get("Version", "$LATEST")
        worker, _ = lambda_runtime.acquire_worker(name, config, record["code_zip"], qualifier=version)
        try:
            answer: Document = worker.run(event, request_id, config["FunctionArn"])
        finally:
            lambda_runtime.release_worker(worker)
        printed = answer.get("log", "")
        if "error" in answer:
            return {"body": answer["error"], "error": True, "function_error": "Unhandled", "log": printed}
        return {"body": answer["result"].encode(), "log": printed}

    def invoke_asynchronously(self, record: Document, event: Any) -> None:
        """Stands in for `lambda_svc.invoke_async_with_retry`: deliver, retry, give up to the dead-letter queue."""
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._deliver, record, event), daemon=True).start()

    def _deliver(self, record: Document, event: Any) -> None:
        config = record.get("config") or record
        retries = _event_invoke_config(config).get("MaximumRetryAttempts")
        result: Document = {}
        for delay in (*RETRY_DELAYS[: 2 if retries is None else int(retries)], None):
            result = lambda_svc._execute_function_with_config_scope(record, event)
            if not result.get("error"):
                return
            if delay is not None:
                time.sleep(delay)
        self.give_up(config, event, result["body"].get("errorMessage", ""))

    def give_up(self, config: Document, event: Any, message: str) -> None:
        """Put the event into the function's dead-letter queue, if it has one and its role may."""
        target = (config.get("DeadLetterConfig") or {}).get("TargetArn", "")
        if not target:
            return
        region, account = config["FunctionArn"].split(":")[3:5]
        with in_scope(account, region):
            session = lambda_runtime.execution_credentials(config)
            principal = iam_evaluator.resolve_principal(session["AWS_ACCESS_KEY_ID"], account)
            context = iam_evaluator.EvalContext(
                principal.arn, principal.type, account, "sqs:SendMessage", target, region
            )
            if iam_evaluator.evaluate(context, principal.policies, *principal.limits).decision != "Allow":
                log.warning("%s may not send to its dead-letter queue %s", principal.arn, target)
                return
            attributes = {"RequestID": str(uuid.uuid4()), "ErrorCode": "200", "ErrorMessage": message[:1024]}
            send(target, json.dumps(event), attributes)

    def stop(self) -> None:
        """End every process that was started for a function."""
        lambda_runtime.reset()


def _event_invoke_config(config: Document) -> Document:
    """How often an asynchronous invocation is retried is set for each version or alias, `$LATEST` among them."""
    function = lambda_svc._functions.get(config.get("FunctionName", "")) or {}
    qualifier = ":".join(config["FunctionArn"].split(":")[7:]) or "$LATEST"
    configs = function.get("event_invoke_configs") or {}
    found: Document = configs.get(qualifier) or (configs.get("") if qualifier == "$LATEST" else None) or {}
    return found


def send(queue_arn: str, body: str, attributes: dict[str, str]) -> None:
    """Put a message into a queue of this AWS, from inside."""
    found = sqs._queue_by_arn(queue_arn)
    if found is None:
        log.warning("there is no queue %s for a dead letter", queue_arn)
        return
    now = time.time()
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    found["messages"].append(
        {
            "id": str(uuid.uuid4()),
            "body": body,
            "md5_body": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
            "md5_attrs": sqs._md5_msg_attrs(typed),
            "receipt_handle": None,
            "sent_at": now,
            "visible_at": now,
            "receive_count": 0,
            "first_receive_at": None,
            "message_attributes": typed,
            "sys": {"SenderId": "lambda", "SentTimestamp": str(int(now * 1000))},
            "group_id": None,
            "dedup_id": None,
            "dedup_cache_key": None,
            "seq": None,
        }
    )


def worker_class(functions: Functions) -> type[Any]:
    """MiniStack's worker, which its pool keeps, with a process of ours inside."""

    class Worker(lambda_runtime.Worker):  # type: ignore[misc]
        def _begin(self) -> Document | None:
            """Start the process; the error document when the handler could not be imported."""
            stream = f"{time.strftime('%Y/%m/%d')}/[{self.config.get('Version', '$LATEST')}]{uuid.uuid4().hex}"
            code = functions.unpack(self.code_zip)
            self._stderr_queue: queue.Queue[str] = queue.Queue()
            self._proc: Any = subprocess.Popen(
                [functions.python, "-I", "-S", str(WORKER)],
                cwd=code,
                env={**functions.environment(self.config, stream), "LAMBDA_TASK_ROOT": str(code)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                bufsize=1,
            )
            threading.Thread(target=self._read_stderr, daemon=True).start()
            handler = self.config.get("Handler", "")
            self._tell({"code": str(code), "handler": handler, "calls": str(functions.calls)})
            answer = self._hear(10 + float(self.config.get("Timeout", 3)))
            return None if answer.get("ready") else answer["error"]

        def _tell(self, document: Document) -> None:
            try:
                self._proc.stdin.write(json.dumps(document) + "\n")
                self._proc.stdin.flush()
            except OSError:
                pass  # the process is gone; reading its answer will tell

        def _hear(self, seconds: float) -> Document:
            """The next answer; an error document when the process ends or takes longer than `seconds`."""
            lines: queue.Queue[str] = queue.Queue()
            listen = self._proc.stdout.readline
            threading.Thread(target=lambda: lines.put(listen()), daemon=True).start()
            try:
                line = lines.get(timeout=seconds)
            except queue.Empty:
                self._end()
                message = f"Task timed out after {float(self.config.get('Timeout', 3)):.2f} seconds"
                return {"error": {"errorMessage": message, "errorType": "Sandbox.Timedout"}}
            if not line:
                self._end()
                message = "RequestId: Error: Runtime exited without providing a reason"
                return {"error": {"errorMessage": message, "errorType": "Runtime.ExitError"}}
            answer: Document = json.loads(line)
            return answer

        def _end(self) -> None:
            process, self._proc = self._proc, None
            if process is not None:
                process.kill()
                process.wait()

        def run(self, event: Any, request_id: str, arn: str) -> Document:
            with self._lock:
                broken = None
                if self._proc is None or self._proc.poll() is not None:
                    broken = self._begin()
                if broken is not None:
                    self._end()
                    answer: Document = {"error": broken}
                else:
                    seconds = float(self.config.get("Timeout", 3))
                    self._tell({"event": event, "request_id": request_id, "arn": arn, "seconds": seconds})
                    answer = self._hear(seconds)
                self.last_used = time.time()
                return {**answer, "log": self._drain_stderr_bounded(first_line_wait=0.02)}

    return Worker


def install(functions: Functions) -> None:
    """Replace MiniStack's way of running functions with ours."""
    worker = worker_class(functions)
    lambda_runtime._worker_class_for = lambda config: worker
    lambda_svc._execute_function_warm = functions.execute
    lambda_svc.invoke_async_with_retry = functions.invoke_asynchronously
