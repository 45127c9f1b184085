"""Every AWS request as one line of JSON: who called what, on which resource, and how it was answered.

A line has `time` (epoch seconds when it arrived), `seconds`, `service`, `operation`, `principal` (ARN),
`resource`, `parameters`, `status` and `error` (AWS's code or null); `held` when an order held it back.
Parameters are kept for the services that checks count on, with everything that may be secret left out;
bodies of answers are not kept at all. The file is complete up to its last line break at any time.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

Document = dict[str, Any]

KEPT = (
    "codebuild",
    "codepipeline",
    "iam",
    "lambda",
    "dynamodb",
    "events",
    "sts",
    "secretsmanager",
    "kms",
    "sns",
    "logs",
)
SECRET = re.compile(
    r"secret(string|binary)|password|token|credentials$|payload$|^plaintext$|^updates$|^message$|^detail$",
    re.IGNORECASE,
)
LEFT_OUT = "(left out)"
XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")


class RequestLog:
    """Appends lines to a file; safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.write_text("")

    def write(self, line: Document) -> None:
        text = json.dumps(line, default=str) + "\n"
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(text)


def parameters(service: str, headers: dict[str, str], query: Document, body: bytes) -> Document:
    """What the request asked for, without secrets; empty for services that nobody counts."""
    if service not in KEPT:
        return {}
    found: Document = {name: values[0] if len(values) == 1 else values for name, values in query.items()}
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
        found.update({name: values[0] for name, values in form.items()})
        found.pop("Version", None)
    elif service != "lambda":
        try:
            document = json.loads(body or b"{}")
        except ValueError:
            document = {}
        found.update(document if isinstance(document, dict) else {})
    elif "x-amz-invocation-type" in headers or "x-amz-durable-execution-name" in headers:
        found["InvocationType"] = headers.get("x-amz-invocation-type", "RequestResponse")
        found["DurableExecutionName"] = headers.get("x-amz-durable-execution-name")
        found["Payload"] = body[:2048].decode(errors="replace")
        return found
    cleaned: Document = clean(found)
    return cleaned


def clean(value: Any) -> Any:
    """The value with everything that may be secret replaced."""
    if isinstance(value, dict):
        # a variable's value is a reference when its type says so, and anybody's secret otherwise
        plain = "name" in value and "value" in value and value.get("type", "PLAINTEXT") == "PLAINTEXT"
        return {
            name: LEFT_OUT if SECRET.search(name) or (plain and name == "value") else clean(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [clean(element) for element in value]
    return value


def error_code(status: int, headers: dict[str, str], body: bytes) -> str | None:
    """AWS's code of an error answer, from the header, JSON or XML that carries it."""
    if status < 400:
        return None
    if kind := headers.get("x-amzn-errortype"):
        return kind.partition(":")[0]
    if found := XML_CODE.search(body):
        return found.group(1).decode()
    try:
        document = json.loads(body)
    except ValueError:
        return str(status)
    kind = document.get("__type") or document.get("code") or document.get("Code") or str(status)
    return str(kind).rpartition("#")[2]


def operation(action: str | None, headers: dict[str, str], method: str, path: str) -> str:
    """The operation's name: from the target header, else as it is authorized, else the request line."""
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if action:
        name = action.partition(":")[2]
        return {"InvokeFunction": "Invoke"}.get(name, name)
    return f"{method} {unquote(path)}"
