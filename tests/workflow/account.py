"""An AWS account inside the test's process: moto, the CodeBuild simulator, a throttled registry, the durable runner."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from botocore.awsrequest import AWSResponse

from local.registry import Registry
from local.simulator import CodeBuild as Simulator
from local.simulator.testing import FakeWorld, simulate
from local.simulator.transport import attach
from remediator.services import Services
from remediator.settings import Settings
from remediator.workflow import remediate

ACCOUNT, REGION = "123456789012", "eu-west-1"
OWNER = f"arn:aws:iam::{ACCOUNT}:user/maria"
OURS = f"arn:aws:sts::{ACCOUNT}:assumed-role/stack-RemediatorRole/remediator"
REMEDIATOR = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:remediator:live"
GRANT = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
Json = dict[str, Any]


class Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Any:
        yield self._content


@dataclass
class FakeLambda:
    """Answers Lambda's calls in process: keeps what was started, by name, and says what still runs."""

    started: dict[str, Json] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)

    def attach(self, client: Any) -> Any:
        client.meta.events.register("before-send.lambda", self._send)
        return client

    def _send(self, request: Any, **_: object) -> AWSResponse:
        path = unquote(urlsplit(request.url).path)
        if path.endswith("/invocations"):
            name = request.headers["X-Amz-Durable-Execution-Name"]
            name = name.decode() if isinstance(name, bytes) else name
            body = request.body.read() if hasattr(request.body, "read") else request.body
            self.started.setdefault(name, json.loads(body))
            arn = f"{REMEDIATOR}/durable-execution/{name}/1".encode()
            return AWSResponse(request.url, 202, {"X-Amz-Durable-Execution-Arn": arn.decode()}, Body(b""))
        arn = path.rpartition("/durable-executions/")[2]
        status = "RUNNING" if arn in self.running else "SUCCEEDED"
        document = {"DurableExecutionArn": arn, "DurableExecutionName": "x", "FunctionArn": REMEDIATOR}
        answer = {**document, "StartTimestamp": 1.0, "Status": status, "Version": "1"}
        return AWSResponse(request.url, 200, {}, Body(json.dumps(answer).encode()))


class Account:
    """One project of one owner, a secret, the stack's policy and journal, and everything that was asked of AWS.

    Use it inside moto's `mock_aws`.
    """

    def __init__(self, world: FakeWorld, registry: Registry, **settings: str) -> None:
        self.world = world
        self.registry = registry
        self.calls: list[str] = []
        self.requests: list[tuple[str, Any]] = []
        self.lambda_ = FakeLambda()
        self.secret_arn = self._make_secret()
        self.policy_arn = self._make_policy()
        self.role_arn = self.make_role("orders-build")
        self._make_journal()
        self.simulator: Simulator
        self.simulator, _ = simulate(world)
        self.environment = {
            "JOURNAL_TABLE": "journal",
            "REMEDIATOR": REMEDIATOR,
            "SECRET_ARN": self.secret_arn,
            "GRANT_POLICY_ARN": self.policy_arn,
            "DOCKER_HUB_ENDPOINT": registry.url,
            "SETTLE_SECONDS": "60",
            **settings,
        }
        world.secrets[self.secret_arn] = self.secret_text

    secret_text = json.dumps({"username": "hubuser", "password": "dckr_pat_right"})

    def boto(self, service: str) -> Any:
        client: Any = boto3.client(service, region_name=REGION)  # type: ignore[call-overload]
        return client

    def _make_secret(self) -> str:
        return str(self.boto("secretsmanager").create_secret(Name="hub", SecretString=self.secret_text)["ARN"])

    def _make_policy(self) -> str:
        document = json.dumps({"Version": "2012-10-17", "Statement": [GRANT]})
        return str(self.boto("iam").create_policy(PolicyName="grant", PolicyDocument=document)["Policy"]["Arn"])

    def make_role(self, name: str, principal: Any = None) -> str:
        principal = principal or {"Service": "codebuild.amazonaws.com"}
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = self.boto("iam").create_role(RoleName=name, Path="/service-role/", AssumeRolePolicyDocument=document)
        return str(role["Role"]["Arn"])

    def _make_journal(self) -> None:
        self.boto("dynamodb").create_table(
            TableName="journal",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def may_read(self, role_arn: str, secret_arn: str) -> bool:
        """The grant as IAM has it: is the stack's policy attached to the role?"""
        attached = self.boto("iam").list_attached_role_policies(RoleName=role_arn.rpartition("/")[2])
        return secret_arn == self.secret_arn and any(
            policy["PolicyArn"] == self.policy_arn for policy in attached["AttachedPolicies"]
        )

    def create_project(self, name: str = "orders", **members: Any) -> Json:
        environment = {
            "type": "LINUX_CONTAINER",
            "image": "python:3.12",
            "computeType": "BUILD_GENERAL1_SMALL",
            "imagePullCredentialsType": "SERVICE_ROLE",
            **members.pop("environment", {}),
        }
        request = {
            "name": name,
            "source": {"type": "GITHUB", "location": "https://github.com/example/orders.git"},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": environment,
            "serviceRole": self.role_arn,
            "tags": [{"key": "team", "value": "orders"}],
            **members,
        }
        project: Json = self.simulator.call("CreateProject", request, OWNER)["project"]
        return project

    def project(self, name: str = "orders") -> Json:
        project: Json = self.simulator.call("BatchGetProjects", {"names": [name]}, OWNER)["projects"][0]
        return project

    def failed_build(self, project: str = "orders", caller: str = OWNER, **overrides: Any) -> Json:
        """Start a build as its owner would, and take it to its end; returns its record."""
        started = self.simulator.call("StartBuild", {"projectName": project, **overrides}, caller)["build"]
        self.world.finish(started["id"])
        return self.build(started["id"])

    def build(self, build_id: str) -> Json:
        build: Json = self.simulator.build(build_id)
        return build

    def event_of(self, build: Json) -> Json:
        """The event that CodeBuild published when this build ended."""
        return next(
            event
            for event in self.world.events
            if event["detail-type"] == "CodeBuild Build State Change"
            and event["detail"]["build-id"] == build["arn"]
            and event["detail"]["build-status"] != "IN_PROGRESS"
        )

    def services(self, **settings: str) -> Services:
        return AccountServices(self, {**self.environment, **settings})

    def remediate(self, build: Json, attempt: int = 1, retry: bool | None = None, **settings: str) -> Json:
        """Run Remediator's durable execution for this build to its end, waits skipped; returns the outcome."""
        result = self.run(build, attempt, retry, **settings)
        assert result.status.value == "SUCCEEDED", result.error
        outcome: Json = json.loads(result.result)
        return outcome

    def run(self, build: Json, attempt: int = 1, retry: bool | None = None, **settings: str) -> Any:
        services = self.services(**settings)
        handler = durable_execution(lambda event, context: remediate(event, context, services))
        payload: Any = build["arn"] if retry is None else {"build": build["arn"], "retry": retry}
        uuid = build["arn"].rpartition(":")[2]
        with DurableFunctionTestRunner(handler=handler, poll_interval=0.02, region=REGION) as runner:
            return runner.run(json.dumps(payload), execution_timeout=600, execution_name=f"{uuid}-{attempt}")

    def journal(self) -> dict[str, Json]:
        items = self.boto("dynamodb").scan(TableName="journal")["Items"]
        return {item["pk"]["S"]: {k: next(iter(v.values())) for k, v in item.items()} for item in items}

    def asked(self, *operations: str) -> Counter[str]:
        """How often the functions asked AWS for each of these operations."""
        return Counter(call for call in self.calls if call in operations)


class AccountServices(Services):
    """The real services on clients that answer in process, their requests counted."""

    def __init__(self, account: Account, environment: dict[str, str]) -> None:
        self._account = account
        self._environment = environment
        self.lines: list[Json] = []
        self._lock = threading.Lock()

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_environment(self._environment)

    def client(self, service: str) -> Any:
        client = self._account.boto(service)
        client.meta.events.register(f"before-call.{service}", self._count)
        if service == "codebuild":
            attach(client, self._account.simulator, caller=OURS)
        if service == "lambda":
            self._account.lambda_.attach(client)
        return client

    def _count(self, model: Any, params: Any, **_: object) -> None:
        with self._lock:
            self._account.calls.append(model.name)
            self._account.requests.append((model.name, params.get("body")))

    @property
    def own_name(self) -> str:
        return "remediator"

    def now(self) -> float:
        return self._account.world.now()
