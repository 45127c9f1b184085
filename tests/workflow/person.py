"""A person at a terminal, who runs `./remediator` against the account of a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from local.simulator.transport import attach
from remediator.services import Services
from tests.workflow.account import OWNER, Account
from tests.workflow.clients import REGION
from tests.workflow.fake_lambda import Body
from tests.workflow.watched import Calls, Watched
from undo.__main__ import main

STACK = "remediator"


@dataclass
class Person:
    """`writes` are the calls of the last command that changed anything, but for the lock on the secret's policy.
    `ever_asked` are the operations of all commands."""

    account: Account
    watch: Calls = field(default_factory=Calls)
    parameters: dict[str, str] = field(default_factory=dict)
    status: int = 0
    ever_asked: set[str] = field(default_factory=set)

    READS = ("Describe", "List", "Get", "BatchGet", "Scan")

    def runs(self, *arguments: str, stack: str = STACK) -> str:
        """Run a command; returns all that it printed. Its exit status is `status`."""
        self.watch.asked.clear()
        lines: list[str] = []
        self.status = main([*arguments, "--stack", stack], PersonsServices(self), lines.append)
        self.ever_asked.update(self.watch.asked)
        return "\n".join(lines)

    @property
    def writes(self) -> list[str]:
        return [call for call in self.watch.asked if not call.startswith(self.READS) and call != "UpdateItem"]


class PersonsServices(Services):
    """The real services on clients of the owner's, which answer in process."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._clients: dict[str, Any] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        assert region is None, "a person's commands are for one region"
        if service not in self._clients:
            self._clients[service] = Watched(self._connected(service), self._person.watch, exclusive=False)
        return self._clients[service]

    def _connected(self, service: str) -> Any:
        account = self._person.account
        client = account.lent.client(service)
        match service:
            case "codebuild":
                attach(client, account.simulator, caller=OWNER)
            case "lambda":
                account.lambda_.attach(client)
            case "cloudformation":
                client.meta.events.register("before-send.cloudformation", self._describe_stacks)
        return client

    def _describe_stacks(self, request: Any, **_: Any) -> AWSResponse:
        (name,) = parse_qs(request.body if isinstance(request.body, str) else request.body.decode())["StackName"]
        account = self._person.account
        if name == "other-app":
            return _answer(200, _described(name, {"Url": "https://example.com"}, {}))
        if name != STACK:
            return _answer(400, _refusal("ValidationError", f"Stack with id {name} does not exist"))
        outputs = {"SecretArn": account.secret_arn, "GrantPolicyArn": account.policy_arn, "JournalTable": "journal"}
        return _answer(200, _described(name, outputs, self._person.parameters))

    def pause(self, seconds: float) -> None:
        self._person.account.world.sleep(seconds)

    def now(self) -> float:
        return self._person.account.world.now()


def _described(name: str, outputs: Mapping[str, str], parameters: Mapping[str, str]) -> str:
    def members(kind: str, values: Mapping[str, str]) -> str:
        pairs = (
            f"<member><{kind}Key>{key}</{kind}Key><{kind}Value>{escape(value)}</{kind}Value></member>"
            for key, value in values.items()
        )
        return f"<{kind}s>{''.join(pairs)}</{kind}s>"

    stack = f"<StackName>{name}</StackName><StackStatus>CREATE_COMPLETE</StackStatus>"
    stack += f"<CreationTime>2026-11-01T00:00:00Z</CreationTime>{members('Output', outputs)}"
    stack += members("Parameter", parameters)
    result = f"<DescribeStacksResult><Stacks><member>{stack}</member></Stacks></DescribeStacksResult>"
    return f"<DescribeStacksResponse>{result}</DescribeStacksResponse>"


def _refusal(code: str, message: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


def _answer(status: int, body: str) -> AWSResponse:
    return AWSResponse(f"https://cloudformation.{REGION}.amazonaws.com/", status, HTTPHeaders(), Body(body.encode()))


def tags_of(account: Account, name: str = "orders") -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in account.project(name)["tags"]}
