"""Runs inside a function's own process, as Lambda's runtime does: import the handler once, then call it for each event.

Started as a script by `functions` with an interpreter that sees no installed packages (`-I -S`), so the
artifact has to bring everything, as on AWS. Standard input carries one JSON document per line (first the
function, then invocations), the original standard output carries the answers; what the function prints goes
to standard error. Connections leave the loopback interface for nobody.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import json
import os
import sys
import threading
import time
import traceback
from typing import Any

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


def stay_home(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: no connection and no name look-up beyond this machine."""
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if isinstance(host, str) and host and not host.startswith(LOOPBACK):
        raise OSError(errno.ENETUNREACH, f"local AWS has no network beyond this machine: {host}")


def follow_parent(parent: int) -> None:
    """An invocation must not go on when the server is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


class Context:
    """The context object of Lambda's Python runtime."""

    def __init__(self, invocation: dict[str, Any]) -> None:
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = invocation["arn"]
        self.aws_request_id = invocation["request_id"]
        self.identity = None
        self.client_context = None
        self.tenant_id = None
        self._deadline = time.monotonic() + invocation["seconds"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def failure(error: BaseException, skip: int) -> dict[str, Any]:
    """What Lambda returns for an exception that left the handler: type, message and trace."""
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[skip:])
    return {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": frames}


def record_calls(file: str) -> None:
    """Write a line for each call that the function is about to make: botocore's own event, before anything is sent.

    Clients copy the event handlers of the session that makes them, and boto3 makes them with its default session.
    """
    if importlib.util.find_spec("boto3") is None:
        return  # a function that calls nobody
    boto3: Any = importlib.import_module("boto3")
    boto3.setup_default_session()
    lines = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(request: Any, event_name: str, **_: Any) -> None:
        line = {
            "function": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
            "event": event_name,
            "url": request.url,
            "authorization": text_of(request.headers.get("Authorization")),
            "body": text_of(request.body),
        }
        os.write(lines, json.dumps(line).encode() + b"\n")  # one write, so that processes do not mix

    boto3.DEFAULT_SESSION.events.register_first("before-send", note)


def text_of(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(document: dict[str, Any]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        answers.write(json.dumps(document) + "\n")
        answers.flush()

    function = json.loads(sys.stdin.readline())
    threading.Thread(target=follow_parent, args=(os.getppid(),), daemon=True).start()
    sys.addaudithook(stay_home)
    sys.path.insert(0, function["code"])
    record_calls(function["calls"])
    module, _, name = function["handler"].replace("/", ".").rpartition(".")
    try:
        handler = getattr(importlib.import_module(module), name)
    except BaseException as error:  # noqa: BLE001 - whatever the import does, the caller gets Lambda's answer
        traceback.print_exc()
        answer({"error": failure(error, 1)})
        return
    answer({"ready": True})
    for line in sys.stdin:
        invocation = json.loads(line)
        try:
            result = handler(invocation["event"], Context(invocation))
            text = json.dumps(result)
        except Exception as error:  # noqa: BLE001 - the same: Lambda answers for every exception
            traceback.print_exc()
            answer({"error": {**failure(error, 1), "requestId": invocation["request_id"]}})
        else:
            answer({"result": text})


if __name__ == "__main__":
    main()
