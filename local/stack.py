"""Builds the real artifact and deploys the real template to a local AWS: `sam build`, `sam deploy`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from local.aws.launch import ROOT, LocalAws

SAM = ROOT / ".tools" / "sam" / "bin" / "sam"
MINISTACK = ROOT / ".tools" / "local" / "bin" / "python"


class StackError(RuntimeError):
    """`sam build` or `sam deploy` failed; the message ends with what it printed."""


def build(folder: Path, source: Path = ROOT) -> Path:
    """`sam build` of the template in `source`; returns the built template, in `folder`."""
    _sam(["build", "--build-dir", str(folder)], os.environ, source)
    return folder / "template.yaml"


def deploy(aws: LocalAws, template: Path, name: str, parameters: Mapping[str, str | int]) -> dict[str, str]:
    """`sam deploy` of a built template; returns the stack's outputs."""
    arguments = ["deploy", "--template-file", str(template), "--stack-name", name, "--resolve-s3"]
    arguments += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    arguments += ["--no-progressbar", "--region", aws.region]
    arguments += ["--parameter-overrides", *(f"{key}={value}" for key, value in parameters.items())]
    _sam(arguments, {**os.environ, **aws.environment}, template.parent)
    stack = client(aws, "cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def client(aws: LocalAws, service: str, credentials: Mapping[str, str] | None = None) -> Any:
    """A boto3 client for this local AWS, as the account's root user or with the keys of `credentials`."""
    keys = credentials or aws.credentials
    session: Any = boto3.Session(
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=keys.get("AWS_SESSION_TOKEN"),
        region_name=aws.region,
    )
    return session.client(service, endpoint_url=aws.endpoint)


def _sam(arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
    quiet = {**environment, "SAM_CLI_TELEMETRY": "0", "PYTHONWARNINGS": "ignore"}
    result = subprocess.run(
        [str(SAM), *arguments], cwd=folder, env=quiet, capture_output=True, text=True, check=False, timeout=600
    )
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-40:])
        raise StackError(f"sam {arguments[0]} ended with {result.returncode}:\n{tail}")
