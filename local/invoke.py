"""`make invoke EVENT=…`: sends an event file to Intake on the local AWS that `make deploy-local` started."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.deploy import STATE


class InvokeError(RuntimeError):
    """The event was not sent, or not answered."""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: make invoke EVENT=events/plan.json", file=sys.stderr)
        return 2
    try:
        answer = invoke(Path(arguments[0]))
    except (InvokeError, BotoCoreError, ClientError) as error:
        print(f"invoke: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2))
    return 1 if isinstance(answer, dict) and "error" in answer else 0


def invoke(path: Path) -> Any:
    """Intake's answer to the event in this file."""
    event = read_event(path)
    if not STATE.exists():
        raise InvokeError("no local AWS is running; start one with: make deploy-local")
    facts = json.loads(STATE.read_text(encoding="utf-8"))
    keys = facts["environment"]
    session: Any = boto3.Session(
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        region_name=facts["region"],
    )
    client = session.client("lambda", endpoint_url=facts["endpoint"])
    payload = as_from(facts["outputs"]["RemediatorAlias"], event)
    answer = client.invoke(FunctionName=facts["outputs"]["IntakeFunction"], Payload=payload)
    payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise InvokeError(f"Intake failed: {json.dumps(payload)}")
    return payload


def as_from(arn: str, event: str) -> str:
    """The event as if it came from the account and region of this ARN: Intake refuses every other."""
    document, (region, account) = json.loads(event), arn.split(":")[3:5]
    for member, own in (("account", account), ("region", region)):
        if isinstance(document, dict) and isinstance(document.get(member), str) and document[member]:
            event = event.replace(document[member], own)
    return event


def read_event(path: Path) -> str:
    """The file's text, which is JSON; InvokeError says what it is instead."""
    if path.is_dir():
        raise InvokeError(f"{path} is a folder; name one file of it")
    try:
        event = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvokeError(f"there is no file {path}; events/ has one for each case") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvokeError(f"{path} can't be read: {error}") from None
    if not event.strip():
        raise InvokeError(f"{path} is empty; an event or a command is a JSON object")
    try:
        json.loads(event)
    except ValueError as error:
        raise InvokeError(f"{path} is no JSON: {error}") from None
    return event


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
