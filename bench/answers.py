"""AWS at zero latency: answers every request of botocore in process, the same for every program that is measured.

Run inside a measured process. Standard library and botocore only. `CALLS` lists what was asked.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import botocore.httpsession
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

Json = dict[str, Any]

CALLS: list[str] = []
ACCOUNT = "123456789012"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:hub-AbCdEf"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/grant"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/"
BUILD = f"arn:aws:codebuild:eu-west-1:{ACCOUNT}:build/orders:0f9e2c3a-0000-4000-8000-000000000001"
RETRIED = f"{BUILD[:-1]}2"
THROTTLED = (
    "Unable to pull customer's container image. CannotPullContainerError: Error response from daemon: toomanyrequests: "
    "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
)
REPAIRED = {
    "imagePullCredentialsType": "SERVICE_ROLE",
    "registryCredential": {"credential": SECRET, "credentialProvider": "SECRETS_MANAGER"},
    "environmentVariables": [
        {"name": "DOCKERHUB_USERNAME", "value": f"{SECRET}:username", "type": "SECRETS_MANAGER"},
        {"name": "DOCKERHUB_PASSWORD", "value": f"{SECRET}:password", "type": "SECRETS_MANAGER"},
    ],
}


STAMP = "[Container] 2026/11/20 09:14:08.002800 "
LOG = [
    f"{STAMP}Entering phase BUILD",
    f"{STAMP}Running command npm test",
    f"{STAMP}Command did not exit successfully npm test exit status 1",
    f"{STAMP}Phase complete: BUILD State: FAILED",
]
NEAR_MISS = "FAIL retries.test.js: expected 429 Too Many Requests, got 200"


class Account:
    """Projects with a failed build and a role each; `repaired` from the start or by UpdateProject.

    `pages`: of the log, all but the last without a line; with more than one of them the last has a near miss too.
    `names`: of the projects, `orders` where there is one.
    """

    def __init__(
        self, repaired: bool = False, pages: int = 1, names: tuple[str, ...] = ("orders",), image: str = "python:3.12"
    ) -> None:
        self.pages = pages
        self.failed_with: Json = {"type": "LINUX_CONTAINER", "image": image, "computeType": "SMALL"}
        self.environments = {name: {**self.failed_with, **(REPAIRED if repaired else {})} for name in names}
        self.attached = repaired
        self.operations: dict[str, Json] = {}
        self.roles: Json = {}

    def answer(self, operation: str, body: Any) -> tuple[str, bytes]:
        found = getattr(self, operation, None)
        document = found(body) if found else {}
        if isinstance(document, str):
            return "text/xml", document.encode()
        return "application/x-amz-json-1.1", json.dumps(document).encode()

    def build(self, id_: str, **members: Any) -> Json:
        name = id_.partition(":")[0]
        return {
            "id": id_,
            "arn": f"{BUILD.rpartition('/')[0]}/{id_}",
            "projectName": name,
            "startTime": 1_795_000_000.0,
            "serviceRole": role_of(name),
            "initiator": "maria",
            "source": {"type": "NO_SOURCE"},
            "timeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            "logs": {"groupName": "/aws/codebuild/orders", "streamName": "1"},
            **members,
        }

    def FilterLogEvents(self, body: Json) -> Json:  # noqa: N802
        page = int(body.get("nextToken", 1))
        if page < self.pages:
            return {"events": [], "nextToken": str(page + 1)}
        return {"events": self.log()[::-1]}

    def GetLogEvents(self, _: Json) -> Json:  # noqa: N802
        return {"events": self.log()}

    def log(self) -> list[Json]:
        lines = [*LOG[:2], NEAR_MISS, *LOG[2:]] if self.pages > 1 else LOG
        return [{"timestamp": 1_795_000_000_000 + n, "message": f"{line}\n"} for n, line in enumerate(lines)]

    def BatchGetBuilds(self, body: Json) -> Json:  # noqa: N802 - AWS's names
        id_ = body["ids"][0]
        if id_.endswith(RETRIED[-1:]):
            return {"builds": [self.build(id_, buildStatus="IN_PROGRESS", phases=[], buildComplete=False)]}
        context = {"statusCode": "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", "message": THROTTLED}
        phases = [{"phaseType": "PROVISIONING", "phaseStatus": "FAILED", "contexts": [context]}]
        failed = {"buildStatus": "FAILED", "buildComplete": True, "phases": phases}
        return {"builds": [self.build(id_, environment=self.failed_with, **failed)]}

    def BatchGetProjects(self, body: Json) -> Json:  # noqa: N802
        return {"projects": [self.project(name) for name in body["names"]]}

    def UpdateProject(self, body: Json) -> Json:  # noqa: N802
        self.environments[body["name"]] = body["environment"]
        return {"project": self.project(body["name"])}

    def StartBuild(self, body: Json) -> Json:  # noqa: N802
        return {"build": self.build(f"{body['projectName']}:{RETRIED.rpartition(':')[2]}", buildStatus="IN_PROGRESS")}

    def project(self, name: str) -> Json:
        return {
            "name": name,
            "environment": self.environments[name],
            "serviceRole": role_of(name),
            "source": {"type": "NO_SOURCE"},
            "timeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            "lastModified": 1_794_000_000.0,
            "tags": [],
        }

    def GetItem(self, body: Json) -> Json:  # noqa: N802
        """Nothing is kept but who shares the roles."""
        return {"Item": self.roles} if body["Key"]["pk"]["S"] == "roles" and self.roles else {}

    def UpdateItem(self, body: Json) -> Json:  # noqa: N802
        """Of a project's item, with an empty history."""
        if body["Key"]["pk"]["S"] == "roles":
            values = body["ExpressionAttributeValues"]
            self.roles |= {name: values[f":{name}"] for name in body["ExpressionAttributeNames"].values()}
        return {"Attributes": {"execution": {"S": "x"}}}

    def ListBuildsForProject(self, body: Json) -> Json:  # noqa: N802
        return {"ids": [f"{body['projectName']}:{BUILD.rpartition(':')[2]}"]}

    def ListProjects(self, body: Json) -> Json:  # noqa: N802
        """A hundred names a page."""
        names, begin = list(self.environments), int(body.get("nextToken", 0))
        more = {"nextToken": str(begin + 100)} if begin + 100 < len(names) else {}
        return {"projects": names[begin : begin + 100], **more}

    def GetSecretValue(self, _: Json) -> Json:  # noqa: N802
        text = '{"username": "hubuser", "password": "right"}'
        return {"ARN": SECRET, "Name": "hub", "VersionId": "1" * 36, "SecretString": text}

    def GetRole(self, form: Any) -> str:  # noqa: N802
        trust = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22"
        trust += "codebuild.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%7D"
        role = f"<Arn>{ROLES}{form['RoleName'][0]}</Arn><AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>"
        return f"<GetRoleResponse><GetRoleResult><Role>{role}</Role></GetRoleResult></GetRoleResponse>"

    def ListAttachedRolePolicies(self, _: Json) -> str:  # noqa: N802
        member = f"<member><PolicyArn>{POLICY}</PolicyArn></member>" if self.attached else ""
        inner = f"<IsTruncated>false</IsTruncated><AttachedPolicies>{member}</AttachedPolicies>"
        result = f"<ListAttachedRolePoliciesResult>{inner}</ListAttachedRolePoliciesResult>"
        return f"<ListAttachedRolePoliciesResponse>{result}</ListAttachedRolePoliciesResponse>"

    def AttachRolePolicy(self, _: Json) -> str:  # noqa: N802
        return "<AttachRolePolicyResponse/>"

    def Publish(self, _: Json) -> str:  # noqa: N802
        return "<PublishResponse><PublishResult/></PublishResponse>"

    def Checkpoint(self, body: Json) -> Json:  # noqa: N802
        """Lambda's answer to the durable engine: each operation as it stands after these updates."""
        for update in body["Updates"]:
            self._update(update)
        state = {"Operations": list(self.operations.values())}
        return {"CheckpointToken": "next", "NewExecutionState": state}

    def _update(self, update: Json) -> None:
        status = {"START": "STARTED", "SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "RETRY": "PENDING"}[update["Action"]]
        operation = self.operations.setdefault(update["Id"], {"Id": update["Id"], "StartTimestamp": 1.0})
        operation |= {"Type": update["Type"], "Status": status, "Name": update.get("Name")}
        operation |= {"SubType": update.get("SubType")}
        operation["StepDetails"] = {"Attempt": 0, "Result": update.get("Payload")}


def role_of(project: str) -> str:
    """Each project has its own."""
    return f"{ROLES}{project}-build"


def install(account: Account) -> None:
    """Answer every request from now on."""

    def send(_session: Any, request: Any) -> AWSResponse:
        operation, body = _asked(request)
        CALLS.append(operation)
        kind, content = account.answer(operation, body)
        headers = HTTPHeaders.from_pairs([("Content-Type", kind)])
        return AWSResponse(request.url, 202 if operation == "Invoke" else 200, headers, _Body(content))

    botocore.httpsession.URLLib3Session.send = send  # type: ignore[method-assign]


def _asked(request: Any) -> tuple[str, Any]:
    """The operation and its decoded body, from the target header, the form, or Lambda's path."""
    raw = request.body or b""
    raw = raw if isinstance(raw, (bytes, str)) else raw.read()
    target = request.headers.get("X-Amz-Target", b"")
    target = target.decode() if isinstance(target, bytes) else str(target)
    if target:
        return target.rpartition(".")[2], json.loads(raw)
    if "/durable-executions/" in request.url:
        return "Checkpoint", json.loads(raw)
    if "/invocations" in request.url:
        return "Invoke", None
    form = parse_qs(raw.decode() if isinstance(raw, bytes) else raw)
    return form["Action"][0], form


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Any:
        yield self._content
