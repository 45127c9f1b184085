"""A stack deployed to local AWS for tests: the account around it, and what it was seen to do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from local.aws.launch import LocalAws
from local.demo.record import Record
from local.demo.scene import Case, Names, Scene
from local.stack import client, deploy
from tests.permissions import DEPLOY, INTAKE, RECORDED, REMEDIATOR, Call, calls_of

Json = dict[str, Any]

RULE_DEAD_LETTERS = "RuleDeadLetters"


@dataclass
class Deployed:
    """`names`, `outputs` and `secret` are those of one stack; several stacks may share an AWS."""

    aws: LocalAws
    names: Names
    scene: Scene
    outputs: dict[str, str]
    secret: str
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    """By the function whose role asks, empty for the account's root user, and the service: each takes a while to make,
    and tests that wait ask ten times a second."""

    @classmethod
    def to(cls, aws: LocalAws, template: Path, seed: int, **parameters: str | int) -> Deployed:
        """A stack that uses a secret of its owner's, under the key that the parameters name."""
        scene = Scene(aws, Names.draw(seed))
        names = scene.names
        key = str(parameters.get("SecretKmsKeyArn", ""))
        secret = scene.make_secret(names.secret, names.user, names.password, key)
        return cls._deployed(scene, template, {"DockerHubSecretArn": secret, **parameters})

    @classmethod
    def with_a_secret_of_its_own(
        cls, aws: LocalAws, template: Path, seed: int, token: str, **parameters: str | int
    ) -> Deployed:
        scene = Scene(aws, replace(Names.draw(seed), password=token))
        own = {"DockerHubUsername": scene.names.user, "DockerHubToken": token}
        return cls._deployed(scene, template, {**own, **parameters})

    @classmethod
    def _deployed(cls, scene: Scene, template: Path, parameters: dict[str, str | int]) -> Deployed:
        aws, names = scene.aws, scene.names
        aws.order("account", user=names.user, password=names.password, read_only=True)
        given = {"DockerHubEndpoint": aws.registry, "ProjectNamePattern": f"{names.prefix}-*", **parameters}
        outputs = deploy(aws, template, names.stack, given)
        made = cls(aws, names, scene, outputs, outputs["SecretArn"])
        _deployed.append(made)
        return made

    def boto(self, service: str) -> Any:
        return self._client("", service, dict)

    def as_function(self, function: str, service: str) -> Any:
        """A client with a session of the deployed function's own role."""

        def keys() -> dict[str, str]:
            name = self.outputs[f"{function}Function"]
            role = self.boto("lambda").get_function_configuration(FunctionName=name)["Role"]
            credentials: dict[str, str] = self.aws.order("credentials", role_arn=role, session=name)["credentials"]
            return credentials

        return self._client(function, service, keys)

    def _client(self, function: str, service: str, keys: Callable[[], dict[str, str]]) -> Any:
        if (function, service) not in self._clients:
            self._clients[function, service] = client(self.aws, service, keys())
        return self._clients[function, service]

    def statements(self, function: str) -> list[Json]:
        """What the policies of the function's role say, as they are deployed."""
        name = self.outputs[f"{function}Function"]
        role = self.boto("lambda").get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
        iam = self.boto("iam")
        documents = [
            iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            arn = attached["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            documents.append(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
        return [statement for document in documents for statement in document["Statement"]]

    def case(self, word: str, image: str = "python:3.12", **environment: Any) -> Case:
        return self.scene.make_case(word, word, image, "", **environment)

    def fail(self, case: Case) -> None:
        """Start a build and wait until it has failed."""
        self.scene.start(case)
        self.wait_for("the build to fail", lambda: self.build(case.build)["buildComplete"])

    def build(self, arn: str) -> Json:
        found: Json = self.boto("codebuild").batch_get_builds(ids=[arn])["builds"][0]
        return found

    def outcome(self, case: Case, patience: float = 60) -> Json:
        """The journal's outcome for the case's build, when it is there."""
        key = {"pk": {"S": f"build#{case.build.rpartition('/')[2]}"}}
        table = self.outputs["JournalTable"]

        def item() -> Any:
            return self.boto("dynamodb").get_item(TableName=table, Key=key).get("Item", {}).get("report")

        self.wait_for("an outcome", item, patience)
        outcome: Json = json.loads(item()["S"])
        return outcome

    def caught(self, hold: int) -> bool:
        """Has a request fallen into this hold?"""
        return any(one["hold"] == hold and one["caught"] for one in self.aws.order("holds")["holds"])

    def record(self) -> Record:
        return Record.read(self.aws, self.names.stack)

    def ask(self, event: Any) -> Json:
        """Intake's answer to a person."""
        answer = self.boto("lambda").invoke(FunctionName=self.outputs["IntakeFunction"], Payload=json.dumps(event))
        document: Json = json.loads(answer["Payload"].read())
        return document

    def log_lines(self, function: str) -> list[str]:
        """Every line of a function's log group."""
        group = f"/aws/lambda/{self.names.stack}-{function}"
        events = self.boto("logs").filter_log_events(logGroupName=group)["events"]
        return [line for event in events for line in event["message"].splitlines()]

    def written(self) -> Iterator[tuple[str, str]]:
        """All that the functions of this stack have written, and where: logs, journal, what executions keep."""
        for function in (INTAKE, REMEDIATOR):
            yield from (("log", line) for line in self.log_lines(function))
        for item in self.boto("dynamodb").scan(TableName=self.outputs["JournalTable"])["Items"]:
            yield "journal", json.dumps(item)
        lambda_ = self.boto("lambda")
        executions = lambda_.get_paginator("list_durable_executions_by_function")
        history = lambda_.get_paginator("get_durable_execution_history")
        for page in executions.paginate(FunctionName=self.outputs["RemediatorFunction"]):
            for execution in page["DurableExecutions"]:
                arn = execution["DurableExecutionArn"]
                for events in history.paginate(DurableExecutionArn=arn, IncludeExecutionData=True):
                    yield "history", json.dumps(events["Events"], default=str)
        for queue in ("IntakeDeadLetters", "RemediatorDeadLetters", RULE_DEAD_LETTERS):
            letters = self.boto("sqs").receive_message(
                QueueUrl=self.outputs[queue], MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
            )
            yield queue, json.dumps(letters.get("Messages", []))

    def wait_for(self, what: str, done: Callable[[], Any], patience: float = 30) -> None:
        deadline = time.monotonic() + patience
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {patience} s for {what}")
            time.sleep(0.1)


_deployed: list[Deployed] = []


def record_permissions(aws: LocalAws) -> None:
    """Keep for the comparison at the end of the run what the stacks of this AWS may do, and what they did."""
    RECORDED.policies += deployed_policies(aws)
    RECORDED.calls.update(deployed_calls(aws))


def deployed_policies(aws: LocalAws) -> list[dict[str, list[Json]]]:
    """The statements of both roles of each stack that was deployed to this AWS."""
    stacks = [stack for stack in _deployed if stack.aws is aws]
    return [{role: stack.statements(role) for role in (INTAKE, REMEDIATOR)} for stack in stacks]


def deployed_calls(aws: LocalAws) -> Iterator[Call]:
    """The calls of the functions of these stacks, whose own processes wrote them down."""
    stacks = [stack for stack in _deployed if stack.aws is aws]
    roles = {stack.outputs[f"{role}Function"]: role for stack in stacks for role in (INTAKE, REMEDIATOR)}
    for file in aws.requests.parent.glob("scratch-*/functions/calls.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            if told["function"] in roles:
                for call in calls_of(told["event"], told["url"], told["authorization"], told["body"]):
                    yield replace(call, role=roles[told["function"]], where=DEPLOY)
