"""`make invoke EVENT=…`: sends an event file to Intake on the local AWS that `make deploy-local` started."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from local.deploy import STATE


class InvokeError(RuntimeError):
    """The event was not sent, or not answered."""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: make invoke EVENT=events/plan.json", file=sys.stderr)
        return 2
    try:
        print(json.dumps(invoke(Path(arguments[0])), indent=2))
    except (InvokeError, BotoCoreError) as error:
        print(f"invoke: {error}", file=sys.stderr)
        return 1
    return 0


def invoke(path: Path) -> Any:
    """Intake's answer to the event in this file."""
    try:
        event = path.read_text(encoding="utf-8")
        json.loads(event)
    except FileNotFoundError:
        raise InvokeError(f"there is no file {path}; events/ has one for each case") from None
    except ValueError as error:
        raise InvokeError(f"{path} is no JSON: {error}") from None
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
    answer = client.invoke(FunctionName=facts["outputs"]["IntakeFunction"], Payload=event)
    payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise InvokeError(f"Intake failed: {json.dumps(payload)}")
    return payload


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
