"""An AWS account inside the test's process: moto, the CodeBuild simulator, a throttled registry, the durable runner."""

from __future__ import annotations

import json
import re
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any
from uuid import uuid4

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner

from local.agent import Agent
from local.registry import Registry
from local.simulator import CodeBuild as Simulator
from local.simulator import CodePipeline, PullAnswer
from local.simulator.testing import FakeWorld, pipelines_of, simulate
from local.simulator.transport import attach
from remediator import intake
from remediator.services import Services
from remediator.settings import Settings
from remediator.workflow.story import remediate
from tests import canaries
from tests.canaries import saw
from tests.moto_aws import mock_aws
from tests.permissions import INTAKE, RECORDED, acting_as
from tests.workflow.clients import ONE_AT_A_TIME, REGION, Lent, owners_client
from tests.workflow.fake_lambda import REMEDIATOR, FakeLambda, execution_arn
from tests.workflow.fake_logs import FakeLogs
from tests.workflow.watched import Calls, Killed, Watched

__all__ = ["REGION", "Account", "AccountServices", "new_account", "outcome_of"]

ACCOUNT = "123456789012"
OWNER = f"arn:aws:iam::{ACCOUNT}:user/maria"
OURS = f"arn:aws:sts::{ACCOUNT}:assumed-role/stack-RemediatorRole/remediator"
USER, PASSWORD = canaries.USER, canaries.PASSWORD
SECRET = {
    "username": USER,
    "password": PASSWORD,
    "docker_auth_config": json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": canaries.AUTH}}}),
}
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "k",
    "AWS_SECRET_ACCESS_KEY": "s",
    "POWERTOOLS_SERVICE_NAME": "remediator",
    "POWERTOOLS_METRICS_NAMESPACE": "DockerHubRemediator",
}
WRITES = (
    "AttachRolePolicy",
    "UpdateProject",
    "StartBuild",
    "RetryBuild",
    "StopBuild",
    "RetryBuildBatch",
    "RetryStageExecution",
    "PutRolePolicy",
    "PutResourcePolicy",
)
CARRIERS = ("UpdateProject", "StartBuild")
"""The requests whose purpose is to carry what is the project's own."""
LOCATION = f"https://{canaries.SOURCE_TOKEN}@github.com/example/orders.git"
Json = dict[str, Any]


class Account:
    """One project of one owner, a secret, the stack's policy and journal, and everything that was asked of AWS.

    Use it inside moto's `mock_aws`. `waits_pass`: the waits of executions are skipped, and the account's time passes by
    as much; without it they take no time at all. `calls`, `before` and `after` are those of `Calls`.
    """

    def __init__(self, world: FakeWorld, registry: Registry, **settings: str) -> None:
        self.world = world
        self.registry = registry
        self.watch = Calls()
        self.calls, self.before, self.after = self.watch.asked, self.watch.before, self.watch.after
        self.invocations = 0
        self.waits_pass = False
        self.agent: Agent
        self.lambda_ = FakeLambda()
        self.logs = FakeLogs(world)
        self.lent = Lent()
        self._clients: dict[str, Any] = {}
        self.secret_arn = self._make_secret()
        self.policy_arn = self.make_policy("grant")
        self.role_arn = self.make_role("orders-build")
        self._make_journal()
        self.simulator: Simulator
        self.pipelines: CodePipeline
        self._simulate(simulate(world)[0])
        self.environment = {
            "JOURNAL_TABLE": "journal",
            "REMEDIATOR": REMEDIATOR,
            "SECRET_ARN": self.secret_arn,
            "GRANT_POLICY_ARN": self.policy_arn,
            "DOCKER_HUB_ENDPOINT": registry.url,
            "SETTLE_SECONDS": "60",
            "NOTICES_TOPIC": self.boto("sns").create_topic(Name="notices")["TopicArn"],
            "STACK_NAME": "remediator",
            "OWN_ROLE": f"arn:aws:iam::{ACCOUNT}:role/remediator",
            **settings,
        }
        world.secrets[self.secret_arn] = json.dumps(SECRET)

    def boto(self, service: str) -> Any:
        """The owner's client, whose calls are not counted."""
        return owners_client(service)

    def functions_client(self, service: str) -> Any:
        """A client of the functions, one for all executions; CodeBuild's keeps answers and is not shared."""
        if service == "codebuild":
            return self._connected(service)
        with ONE_AT_A_TIME:
            return self._clients.get(service) or self._clients.setdefault(service, self._connected(service))

    def _connected(self, service: str) -> Any:
        client = self.lent.client(service)
        RECORDED.listen(client)
        match service:
            case "codebuild":
                attach(client, self.simulator, caller=OURS)
            case "codepipeline":
                attach(client, self.pipelines, caller=OURS)
            case "lambda":
                self.lambda_.attach(client)
            case "logs":
                self.logs.attach(client)
        client.meta.events.register("request-created", _saw_request)
        return client

    # What the owner has

    def _make_secret(self) -> str:
        text = json.dumps(SECRET)
        return str(self.boto("secretsmanager").create_secret(Name="hub", SecretString=text)["ARN"])

    def put_secret(self, text: str) -> None:
        self.boto("secretsmanager").put_secret_value(SecretId=self.secret_arn, SecretString=text)

    def run_commands(self) -> Agent:
        """From now on the commands of builds are run for real, with a docker that pulls from the registry."""
        agent = Agent(self.registry.url)
        self._simulate(simulate(self.world, run_commands=agent)[0])
        return agent

    def _simulate(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.pipelines = pipelines_of(simulator, self.world)
        self._clients.pop("codepipeline", None)

    def make_policy(self, name: str) -> str:
        grant = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [grant]})
        return str(self.boto("iam").create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"])

    def make_role(self, name: str, principal: Any = None) -> str:
        principal = principal or {"Service": "codebuild.amazonaws.com"}
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = self.boto("iam").create_role(RoleName=name, Path="/service-role/", AssumeRolePolicyDocument=document)
        return str(role["Role"]["Arn"])

    def attach_policy(self, role_arn: str = "") -> None:
        name = (role_arn or self.role_arn).rpartition("/")[2]
        self.boto("iam").attach_role_policy(RoleName=name, PolicyArn=self.policy_arn)

    def attached(self, role_arn: str = "") -> list[str]:
        name = (role_arn or self.role_arn).rpartition("/")[2]
        answer = self.boto("iam").list_attached_role_policies(RoleName=name)
        return [policy["PolicyArn"] for policy in answer["AttachedPolicies"]]

    def _make_journal(self) -> None:
        self.boto("dynamodb").create_table(
            TableName="journal",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def may_read(self, role_arn: str, secret_arn: str) -> bool:
        """The grant as AWS has it: by the stack's policy, by an inline one, or by the secret's own."""
        name = role_arn.rpartition("/")[2]
        return secret_arn == self.secret_arn and (
            self.policy_arn in self.attached(role_arn)
            or bool(self.boto("iam").list_role_policies(RoleName=name)["PolicyNames"])
            or role_arn in self.secret_policy()
        )

    def secret_policy(self) -> str:
        """The text of the secret's resource policy, empty for none."""
        answer = self.boto("secretsmanager").get_resource_policy(SecretId=self.secret_arn)
        return str(answer.get("ResourcePolicy") or "")

    def create_project(self, name: str = "orders", **members: Any) -> Json:
        """A project of the owner's, in which canaries are: in a variable, its source's location, its webhook."""
        environment = {
            "type": "LINUX_CONTAINER",
            "image": "python:3.12",
            "computeType": "BUILD_GENERAL1_SMALL",
            "imagePullCredentialsType": "SERVICE_ROLE",
            **members.pop("environment", {}),
        }
        environment["environmentVariables"] = _with_canary(environment.get("environmentVariables", []))
        request = {
            "name": name,
            "source": {"type": "GITHUB", "location": LOCATION},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": environment,
            "serviceRole": self.role_arn,
            "tags": [{"key": "team", "value": "orders"}],
            **members,
        }
        self.simulator.call("CreateProject", request, OWNER)
        return self.project(name)

    def project(self, name: str = "orders") -> Json:
        """The project as BatchGetProjects tells it, but for the canary among its variables."""
        project: Json = self.simulator.call("BatchGetProjects", {"names": [name]}, OWNER)["projects"][0]
        environment = project["environment"]
        variables = [one for one in environment["environmentVariables"] if one != canaries.PLAINTEXT]
        return {**project, "environment": {**environment, "environmentVariables": variables}}

    def edit(self, name: str = "orders", **members: Any) -> None:
        """Edit the project as its owner would, environment members given as `environment`."""
        before = self.project(name)
        if "environment" in members:
            environment = {**before["environment"], **members["environment"]}
            variables = _with_canary(environment["environmentVariables"])
            members["environment"] = {**environment, "environmentVariables": variables}
        self.simulator.call("UpdateProject", {"name": name, "tags": before["tags"], **members}, OWNER)

    def plant(self, name: str = "orders", **members: Any) -> None:
        """Put members into the project that no UpdateProject takes; lastModified stays. A webhook has its secret."""
        if "webhook" in members:
            members["webhook"] = {"secret": canaries.WEBHOOK_SECRET, **members["webhook"]}
        self.simulator.plant_project({**self.simulator.project(name), **members})

    # Builds

    def failed_build(self, project: str = "orders", caller: str = OWNER, **overrides: Any) -> Json:
        """Start a build as its owner would, and take it to its end; returns its record."""
        started = self.simulator.call("StartBuild", {"projectName": project, **overrides}, caller)["build"]
        self.world.finish(started["id"])
        return self.build(started["id"])

    def failed_build_of(self, initiator: str, project: str = "orders", **members: Any) -> Json:
        """The same for a build that no caller of StartBuild started."""
        batch_arn = members.pop("batch_arn", None)
        started = self.simulator.start_build({"projectName": project, **members}, initiator, batch_arn=batch_arn)
        self.world.finish(started["id"])
        return self.build(started["id"])

    def build_that_says(self, message: str, **members: Any) -> Json:
        """A failed build whose PROVISIONING ended with this message, and with these members in its record."""
        build = self.failed_build()
        document = self.simulator._builds.find(build["id"]).document
        for phase in document["phases"]:
            if phase["phaseType"] == "PROVISIONING":
                phase["contexts"][0]["message"] = message
        document.update(members)
        return self.build(build["id"])

    def throttle(self, answer: PullAnswer) -> None:
        """Have the registry answer every pull like this from now on."""
        self.world._pull = lambda _image, _credentials: answer

    def build(self, build_id: str) -> Json:
        build: Json = self.simulator.build(build_id)
        return build

    def builds(self, project: str = "orders") -> list[Json]:
        """All builds of the project, oldest first."""
        ids = self.simulator.call("ListBuildsForProject", {"projectName": project, "sortOrder": "ASCENDING"}, OWNER)
        return [self.build(build_id) for build_id in ids["ids"]]

    def event_of(self, build: Json) -> Json:
        """The event that CodeBuild published when this build ended."""
        return next(
            event
            for event in self.world.events
            if event["detail-type"] == "CodeBuild Build State Change"
            and event["detail"]["build-id"] == build["arn"]
            and event["detail"]["build-status"] != "IN_PROGRESS"
        )

    # What the functions do

    def services(self, **settings: str) -> AccountServices:
        return AccountServices(self, {**self.environment, **settings})

    def ask(self, event: Any, **settings: str) -> Json:
        """Give Intake an event or a command; returns its answer."""
        try:
            with acting_as(INTAKE):
                answer = intake.answer(event, self.services(**settings))
        except BaseException as error:
            _saw_exception("Intake", error)
            raise
        saw("an answer of Intake", json.dumps(answer))
        return answer

    def remediate(self, build: Json, attempt: int = 1, retry: bool | None = None, **settings: str) -> Json:
        """Run Remediator's durable execution for this build to its end, waits skipped; returns the outcome."""
        return outcome_of(self.run(build, attempt, retry, **settings))

    def run(self, build: Json, attempt: int = 1, retry: bool | None = None, **settings: str) -> Any:
        """The same; returns what the runner knows of the execution, its operations included."""
        payload: Any = build["arn"] if retry is None else {"build": build["arn"], "retry": retry}
        return self.execute(f"{build['arn'].rpartition(':')[2]}-{attempt}", payload, **settings)

    def execute(self, name: str, payload: Any, **settings: str) -> Any:
        """Run one execution of this name to its end, whether or not another of that name has run."""
        services = self.services(**settings)
        arn = execution_arn(name, uuid4().hex)
        story = durable_execution(lambda event, context: remediate(event, _named(context, arn), services))

        def invoke(event: Any, context: Any) -> Any:
            self.invocations += 1
            try:
                answer = story(event, context)
            except Killed as error:
                services.start_cold()
                raise RuntimeError(f"the invocation was killed: {error}") from None
            except BaseException as error:
                _saw_exception("Remediator", error)
                raise
            saw("an answer of Remediator", json.dumps(answer))
            return answer

        self.lambda_.begin(arn)
        try:
            with DurableFunctionTestRunner(handler=invoke, poll_interval=0.02, region=REGION) as runner:
                if self.waits_pass:
                    self._pass_with(runner._clock)
                _watch_checkpoints(runner._service_client)
                return runner.run(json.dumps(payload), execution_timeout=600, execution_name=name)
        finally:
            self.lambda_.end(arn)

    def _pass_with(self, clock: Any) -> None:
        """Let the account's time pass by as much as the runner skips."""
        skip = clock.arm

        def arm(wake: Any) -> float:
            self.world.sleep(max(0.0, (wake - clock.now()).total_seconds()))
            seconds: float = skip(wake)
            return seconds

        clock.arm = arm

    def follow(self, **settings: str) -> list[Json]:
        """Deliver the events of failed builds, also those that follow from them, until nothing is left to deliver.

        Returns the outcomes in order. It gives up after 30 events: a loop never ends.
        """
        outcomes: list[Json] = []
        delivered, ran = 0, set[str]()
        while delivered < 30:
            self.world.finish()
            failed = [e for e in self.world.events if e["detail"].get("build-status") == "FAILED"]
            if delivered == len(failed):
                return outcomes
            answer = self.ask(failed[delivered], **settings)
            delivered += 1
            if "started" not in answer:
                outcomes.append(answer)
            for name in [name for name in self.lambda_.started if name not in ran]:
                ran.add(name)
                outcomes.append(outcome_of(self.execute(name, self.lambda_.started[name], **settings)))
        raise AssertionError("the events did not end")

    # What came of it

    def writes(self) -> list[str]:
        """The calls of the functions that change something outside the journal, in order."""
        return [call for call in self.calls if call in WRITES]

    def updates(self) -> int:
        return self.calls.count("UpdateProject")

    def journal(self) -> dict[str, Json]:
        items = self.boto("dynamodb").scan(TableName="journal")["Items"]
        return {item["pk"]["S"]: {k: next(iter(v.values())) for k, v in item.items()} for item in items}

    def lease(self, project: str = "orders") -> str | None:
        """The execution that holds the project."""
        holder: str | None = self.journal().get(f"project#{project}", {}).get("execution")
        return holder

    def entry(self, build: Json) -> Json:
        """The journal's item of a failed build."""
        return self.journal()[f"build#{build['id']}"]

    def asked(self, *operations: str) -> Counter[str]:
        """How often the functions asked AWS for each of these operations."""
        return Counter(call for call in self.calls if call in operations)


class AccountServices(Services):
    """The real services on clients that answer in process, their requests counted."""

    def __init__(self, account: Account, environment: dict[str, str]) -> None:
        self._account = account
        self._environment = environment

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_environment(self._environment)

    def start_cold(self) -> None:
        """Lambda goes on elsewhere: what the last invocation had made is not there any more."""
        for name in [name for name in self.__dict__ if not name.startswith("_") and name != "settings"]:
            del self.__dict__[name]

    def client(self, service: str) -> Any:
        client = self._account.functions_client(service)
        return Watched(client, self._account.watch, exclusive=service == "dynamodb")

    def pause(self, seconds: float) -> None:
        self._account.world.sleep(seconds)

    @property
    def own_name(self) -> str:
        return "remediator"

    def now(self) -> float:
        return self._account.world.now()


@contextmanager
def new_account(registry: Registry) -> Iterator[Account]:
    """An account for as long as this lasts, in an environment that has ENVIRONMENT.

    moto lacks the CodeBuild calls that matter, Lambda's of durable functions, and searching a log backwards: those are
    answered by `Account`.
    """

    def may_read(role: str, secret: str) -> bool:
        return made.may_read(role, secret)

    with mock_aws(core={"passthrough": {"services": ["codebuild", "codepipeline", "lambda", "logs"]}}):
        world = FakeWorld(may_read=may_read)
        world.accounts[USER] = PASSWORD
        made = Account(world, registry)
        try:
            yield made
        finally:
            made.lent.give_back()


def outcome_of(result: Any) -> Json:
    assert result.status.value == "SUCCEEDED", result.error
    outcome: Json = json.loads(result.result)
    return outcome


def _named(context: Any, arn: str) -> Any:
    """The durable context with an execution's ARN as Lambda makes it: the runner's is a bare id."""
    context.execution_context = replace(context.execution_context, durable_execution_arn=arn)
    return context


def _with_canary(variables: Sequence[Json]) -> list[Json]:
    return [canaries.PLAINTEXT, *(one for one in variables if one != canaries.PLAINTEXT)]


# What the functions gave out


def _saw_request(request: Any, event_name: str, **_: object) -> None:
    """A request of the functions to AWS, as it is about to be signed."""
    service, operation = event_name.split(".")[1:]
    data: Any = request.data
    body: str = data.decode() if isinstance(data, bytes) else json.dumps(data, default=str)
    place = {"dynamodb": "a journal item", "sns": "a notification"}.get(service, "a request")
    key = re.search(r'"pk": \{"S": "([^"]+)"', body)
    may_hold = canaries.OF_THE_PROJECT if operation in CARRIERS else frozenset[str]()
    name = request.headers.get("X-Amz-Durable-Execution-Name", "")
    saw(f"{place} ({operation}{' of ' + key[1] if key else ''})", f"{request.url} {name} {body}", may_hold)


def _saw_exception(function: str, error: BaseException) -> None:
    """An exception that left a function: Lambda logs it with what led to it."""
    saw(f"an exception of {function}", "".join(traceback.format_exception(error)))


def _watch_checkpoints(client: Any) -> None:
    """Every checkpoint that an execution sends through this client, also those that a later one replaces."""
    send = client.checkpoint

    def checkpoint(**request: Any) -> Any:
        for update in request["updates"]:
            saw(f"the checkpoint of {update.name}", json.dumps(update.to_dict(), default=str))
        return send(**request)

    client.checkpoint = checkpoint
