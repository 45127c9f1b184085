"""What the demo claims, each claim by the name of the break that it must find out."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from local.demo.record import Record
from local.demo.scene import Case

Document = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    name: str
    text: str
    holds: bool


@dataclass(frozen=True)
class StackFacts:
    """What the claims need to know of the deployed stack."""

    policy: str
    user: str
    settle_seconds: int


def repaired(
    case: Case, record: Record, before: Document, after: Document, secret: str, stack: StackFacts
) -> list[Claim]:
    """The claims about the project that must come back."""
    grants = record.writes(case, "AttachRolePolicy")
    patches = record.writes(case, "UpdateProject")
    retries = record.writes(case, "StartBuild")
    counted = [len(grants), len(patches), len(retries)]
    granted, patched = _time(grants), _time(patches)
    settled = bool(grants and patches) and patched - granted >= stack.settle_seconds
    pulls = record.pulls(case.image, since=_time(retries)) if retries else []
    signed_in = [pull for pull in pulls if pull["status"] == 200 and pull["account"] == stack.user]
    right_policy = all(line["parameters"].get("PolicyArn") == stack.policy for line in grants)
    return [
        Claim("no-grant", "the role was given the stack's policy to read the secret", bool(grants) and right_policy),
        Claim("patch-first", f"the project was changed {stack.settle_seconds} s after the grant or later", settled),
        Claim(
            "drop-member",
            "the project differs by exactly the planned members",
            _planned(before, secret) == _comparable(after),
        ),
        Claim(
            "no-lease",
            f"five deliveries led to one grant, one update, one retry (counted: {', '.join(map(str, counted))})",
            counted == [1, 1, 1],
        ),
        Claim(
            "wrong-password",
            f"the retried build pulled {case.image} signed in with the secret's account",
            bool(signed_in),
        ),
    ]


def left_alone(case: Case, record: Record, before: Document, after: Document) -> Claim:
    """Nothing was written for a look-alike."""
    writes = [line["operation"] for line in record.writes(case)]
    text = f"{case.name}: nothing was written, nothing was retried"
    found = f" (found: {', '.join(writes)})" if writes else ""
    return Claim("other-registry", text + found, not writes and before == after)


def _planned(before: Document, secret: str) -> Document:
    """The project as it has to be: the registry credential and the two variables, nothing else."""
    wanted = copy.deepcopy(_comparable(before))
    environment = wanted["environment"]
    environment["imagePullCredentialsType"] = "SERVICE_ROLE"
    environment["registryCredential"] = {"credential": secret, "credentialProvider": "SECRETS_MANAGER"}
    environment["environmentVariables"] = [
        *environment.get("environmentVariables", []),
        {"name": "DOCKERHUB_USERNAME", "value": f"{secret}:username", "type": "SECRETS_MANAGER"},
        {"name": "DOCKERHUB_PASSWORD", "value": f"{secret}:password", "type": "SECRETS_MANAGER"},
    ]
    return wanted


def _comparable(project: Document) -> Document:
    return {name: value for name, value in project.items() if name != "lastModified"}


def _time(lines: list[Document]) -> float:
    return float(lines[0]["time"]) if lines else 0.0
