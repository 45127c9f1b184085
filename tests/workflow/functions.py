"""The functions as Lambda runs them: Intake for an event, Remediator as a durable execution."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property
from typing import Any
from uuid import uuid4

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner

from local.registry import Registry
from local.simulator import CodeBuild as Simulator
from local.simulator.testing import FakeWorld
from local.simulator.transport import attach
from remediator import intake
from remediator.services import Services
from remediator.settings import Settings
from remediator.workflow.story import remediate
from tests.canaries import saw
from tests.permissions import INTAKE, RECORDED, acting_as
from tests.workflow.builds import Builds, handed_to_intake
from tests.workflow.clients import ONE_AT_A_TIME, REGION, Lent
from tests.workflow.fake_lambda import FakeLambda, execution_arn
from tests.workflow.fake_logs import FakeLogs
from tests.workflow.given_out import saw_exception, saw_request, watch_checkpoints
from tests.workflow.stored import ACCOUNT, Json
from tests.workflow.watched import Calls, Killed, Watched

OURS = f"arn:aws:sts::{ACCOUNT}:assumed-role/stack-RemediatorRole/remediator"


class Functions(Builds):
    """Intake and Remediator in this account, and all that they ask of AWS.

    `waits_pass`: the waits of executions are skipped, and the account's time passes by as much; without it they take no
    time at all. `calls`, `before` and `after` are those of `Calls`.
    """

    environment: dict[str, str]

    def __init__(self, world: FakeWorld, registry: Registry) -> None:
        self.watch = Calls()
        self.calls, self.before, self.after = self.watch.asked, self.watch.before, self.watch.after
        self.invocations = 0
        self.waits_pass = False
        self.lambda_ = FakeLambda()
        self.logs = FakeLogs(world)
        self.lent = Lent()
        self.elsewhere: dict[str, Simulator] = {}
        """CodeBuild of other regions, by their names."""
        self._clients: dict[str, Any] = {}
        super().__init__(world, registry)

    def functions_client(self, service: str, region: str | None = None) -> Any:
        """A client of the functions, one for all executions; CodeBuild's keeps answers and is not shared."""
        if service == "codebuild":
            return self._connected(service, region)
        with ONE_AT_A_TIME:
            return self._clients.get(service) or self._clients.setdefault(service, self._connected(service))

    def _connected(self, service: str, region: str | None = None) -> Any:
        client = self.lent.client(service)
        RECORDED.listen(client)
        match service:
            case "codebuild":
                attach(client, self.elsewhere[region] if region else self.simulator, caller=OURS)
            case "codepipeline":
                attach(client, self.pipelines, caller=OURS)
            case "lambda":
                self.lambda_.attach(client)
            case "logs":
                self.logs.attach(client)
        client.meta.events.register("request-created", saw_request)
        return client

    def _simulate(self, simulator: Simulator) -> None:
        super()._simulate(simulator)
        self._clients.pop("codepipeline", None)

    # Their runs

    def services(self, **settings: str) -> AccountServices:
        return AccountServices(self, {**self.environment, **settings})

    def ask(self, event: Any, **settings: str) -> Json:
        """Give Intake an event or a command; returns its answer."""
        try:
            with acting_as(INTAKE):
                answer = intake.answer(event, self.services(**settings))
        except BaseException as error:
            saw_exception("Intake", error)
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
                saw_exception("Remediator", error)
                raise
            saw("an answer of Remediator", json.dumps(answer))
            return answer

        self.lambda_.begin(arn)
        try:
            with DurableFunctionTestRunner(handler=invoke, poll_interval=0.02, region=REGION) as runner:
                if self.waits_pass:
                    self._pass_with(runner._clock)
                watch_checkpoints(runner._service_client)
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
            answer = self.ask(handed_to_intake(failed[delivered]), **settings)
            delivered += 1
            if "started" not in answer:
                outcomes.append(answer)
            for name in [name for name in self.lambda_.started if name not in ran]:
                ran.add(name)
                outcomes.append(outcome_of(self.execute(name, self.lambda_.started[name], **settings)))
        raise AssertionError("the events did not end")


class AccountServices(Services):
    """The real services on clients that answer in process, their requests counted."""

    def __init__(self, account: Functions, environment: dict[str, str]) -> None:
        self._account = account
        self._environment = environment

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_environment(self._environment)

    def start_cold(self) -> None:
        """Lambda goes on elsewhere: what the last invocation had made is not there any more."""
        for name in [name for name in self.__dict__ if not name.startswith("_") and name != "settings"]:
            del self.__dict__[name]

    def client(self, service: str, region: str | None = None) -> Any:
        client = self._account.functions_client(service, region)
        return Watched(client, self._account.watch, exclusive=service == "dynamodb")

    def pause(self, seconds: float) -> None:
        self._account.world.sleep(seconds)

    @property
    def own_name(self) -> str:
        return "remediator"

    def now(self) -> float:
        return self._account.world.now()


def outcome_of(result: Any) -> Json:
    assert result.status.value == "SUCCEEDED", result.error
    outcome: Json = json.loads(result.result)
    return outcome


def _named(context: Any, arn: str) -> Any:
    """The durable context with an execution's ARN as Lambda makes it: the runner's is a bare id."""
    context.execution_context = replace(context.execution_context, durable_execution_arn=arn)
    return context
