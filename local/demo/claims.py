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
    secret: str


def repaired(case: Case, record: Record, before: Document, after: Document, stack: StackFacts) -> list[Claim]:
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
            _planned(before, stack.secret) == _comparable(after),
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


def signed_in(case: Case, record: Record, before: Document, after: Document, stack: StackFacts) -> Claim:
    """A build came back and pulled as the registry's log has to show it, and its project gained what it needs and
    nothing else, by exactly so many writes."""
    counted = [len(record.writes(case, name)) for name in ("AttachRolePolicy", "UpdateProject")]
    counted.append(len(record.retries(case)))
    exactly = _as_repaired(case, before, after, stack.secret) == _comparable(after)
    how = "anonymously, with another's luck" if case.name == "lucky" else "signed in"
    text = (
        f"{case.project} gained {_GAINED[case.name]} and the variables, nothing else; its build came back and pulled "
        f"{case.image} {how} (grants, updates, retries: {', '.join(map(str, counted))})"
    )
    pulled = record.shows(case) == (case.shown or case.expected)
    return Claim(case.name, text, pulled and exactly and counted == _WRITES.get(case.name, [1, 1, 1]))


_GAINED = {
    "inline": "one command more in its buildspec",
    "repository": "DOCKER_AUTH_CONFIG",
    "lucky": "DOCKER_AUTH_CONFIG",
    "pipeline": "the registry credential",
    "second-phase": "the registry credential, one command more in its buildspec",
}
_WRITES = {"second-phase": [1, 2, 2]}
"""Grants, updates and retries, where a build takes more than one of each."""


def few_reads(case: Case, record: Record) -> Claim:
    """What an ordinary failed build costs: reads of the functions that name it or its log."""
    reads = [line["operation"] for line in record.reads(case)]
    return Claim("unrelated", f"{case.project} was left alone after {len(reads)} reads (2 at most)", len(reads) <= 2)


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


def _as_repaired(case: Case, before: Document, after: Document, secret: str) -> Document:
    """The project as it has to be. An inline buildspec keeps each of its lines, and has one more."""
    if case.name in ("pipeline", "second-phase"):
        wanted = _planned(before, secret)
    else:
        wanted = copy.deepcopy(_comparable(before))
        keys = {"DOCKERHUB_USERNAME": "username", "DOCKERHUB_PASSWORD": "password"}
        if case.name in ("repository", "lucky"):
            keys["DOCKER_AUTH_CONFIG"] = "docker_auth_config"
        wanted["environment"]["environmentVariables"] += [
            {"name": name, "value": f"{secret}:{key}", "type": "SECRETS_MANAGER"} for name, key in keys.items()
        ]
    if case.name in ("inline", "second-phase"):
        lines = after["source"]["buildspec"].splitlines(keepends=True)
        added = [line for line in lines if "docker login" in line]
        if len(added) == 1 and "".join(line for line in lines if line not in added) == before["source"]["buildspec"]:
            wanted["source"]["buildspec"] = after["source"]["buildspec"]
    return wanted


def _comparable(project: Document) -> Document:
    return {name: value for name, value in project.items() if name != "lastModified"}


def _time(lines: list[Document]) -> float:
    return float(lines[0]["time"]) if lines else 0.0
