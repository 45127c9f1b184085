"""Which calls the functions made, and whether the policies of their roles say the same: nothing missing, nothing left.

Calls are taken from botocore's `before-send` event, policies from the deployed roles. tests/permissions_plugin.py
brings both together at the end of a whole run. With each writing call goes the trail that the reading guide needs.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.aws.condition_keys import codebuild_keys
from local.permissions import EVERYWHERE
from local.template import actions as actions_of
from local.template import resources as resources_of
from tests.reading_guide import OPERATIONS, Trail, trails

Json = dict[str, Any]

# --- Calls ----------------------------------------------------------------------------------------------------------

INTAKE, REMEDIATOR = "Intake", "Remediator"
WORKFLOW, DEPLOY = "workflow", "deploy"

_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_OTHERWISE_NAMED = {"lambda:Invoke": "lambda:InvokeFunction"}


@dataclass(frozen=True)
class Call:
    """One action that IAM checks when a role makes a call.

    `keys` are the condition keys that the request carries; those of single environment variables are left out.
    `leading` is the kind of the journal's item (`build#`, `stop`), which `dynamodb:LeadingKeys` is about.
    `resource` is the end of the ARN that the call is on, after the account; empty where the request doesn't tell.
    """

    role: str
    action: str
    keys: tuple[str, ...] = ()
    resource: str = ""
    where: str = WORKFLOW
    leading: str = ""


def calls_of(event: str, url: str, authorization: str, body: bytes | str | None) -> list[Call]:
    """What IAM checks for a request that botocore is about to send; the role is still open.

    `event` is the event's name, such as `before-send.codebuild.UpdateProject`. The service is the one that the
    request is signed for, which is IAM's prefix for all services that the functions call.
    """
    operation = event.rpartition(".")[2]
    service = authorization.partition("Credential=")[2].split("/")[3]
    request = _request(body)
    path = unquote(urlsplit(url).path)
    keys = tuple(sorted(key for key in codebuild_keys(operation, request) if "/" not in key))
    resource = _resource(service, operation, request, path)
    asked = dict.fromkeys((action, _leading(one)) for action, one in items_asked(service, operation, request))
    return [
        Call("", action, keys if service == "codebuild" else (), resource, leading=leading) for action, leading in asked
    ]


def items_asked(service: str, operation: str, request: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The actions that IAM checks, each with the request that it is about. A transaction has no action of its own: IAM
    checks what is in it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    """
    if operation == "TransactWriteItems":
        items = [pair for item in request["TransactItems"] for pair in item.items()]
        return [(f"dynamodb:{_TRANSACTED[kind]}", one) for kind, one in items]
    return [(_OTHERWISE_NAMED.get(f"{service}:{operation}", f"{service}:{operation}"), request)]


def _leading(request: Mapping[str, Any]) -> str:
    """The partition key of the item that a request to DynamoDB names, up to its first `#`; empty for other requests."""
    key = (request.get("Key") or request.get("Item") or {}) if "TableName" in request else {}
    kind, sign, _ = str(key.get("pk", {}).get("S", "")).partition("#")
    return kind + sign


def _request(body: bytes | str | None) -> Json:
    """The members of a JSON or a query request; empty for a body of another kind."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    if text.startswith("{"):
        document: Json = json.loads(text)
        return document
    return dict(parse_qsl(text))


def _resource(service: str, operation: str, request: Json, path: str) -> str:
    match service:
        case "codebuild":
            named = request.get("projectName") or request.get("name") or request.get("id") or ""
            named = named or next(iter([*request.get("names", []), *request.get("ids", [])]), "")
            name = str(named).rpartition("/")[2].partition(":")[0]
            return f"project/{name}" if name else ""
        case "codepipeline":
            name = request.get("pipelineName") or request.get("name") or ""
            return f"{name}/{request['stageName']}" if operation == "RetryStageExecution" else str(name)
        case "dynamodb":
            return f"table/{request['TableName']}" if "TableName" in request else ""
        case "logs":
            return f"log-group:{request['logGroupName']}" if "logGroupName" in request else ""
        case "lambda":
            found = re.search(r"(?:function:|durable-executions/arn:.*?:function:)(.*?)(/[a-z]+)?$", path)
            return f"function:{found[1]}" if found else ""
    named = str(request.get("SecretId") or request.get("TopicArn") or request.get("KeyId") or "")
    return named.split(":", 5)[5] if named.startswith("arn:") else ""


# --- The record of this process -------------------------------------------------------------------------------------

_acting: ContextVar[str] = ContextVar("acting", default=REMEDIATOR)


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    """Calls of this thread are this role's for as long as this lasts; all others are Remediator's."""
    token = _acting.set(role)
    try:
        yield
    finally:
        _acting.reset(token)


@dataclass
class Recorded:
    """What was seen since the last test was reported: calls, the statements of deployed roles by role, and the files
    that writing calls went through."""

    calls: Counter[Call] = field(default_factory=Counter)
    policies: list[dict[str, list[Json]]] = field(default_factory=list)
    trails: set[Trail] = field(default_factory=set)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def note(self, request: Any, event_name: str, **_: object) -> None:
        """A `before-send` handler, which leaves the answer to others."""
        authorization = request.headers["Authorization"]
        text = authorization.decode() if isinstance(authorization, bytes) else authorization
        body = request.body if isinstance(request.body, (bytes, str)) else None
        with self.one_at_a_time:
            for call in calls_of(event_name, request.url, text, body):
                self.calls[replace(call, role=_acting.get(), resource="")] += 1
            operation = event_name.rpartition(".")[2]
            if operation in OPERATIONS:
                self.trails |= trails(operation, sys._getframe())

    def listen(self, client: Any) -> None:
        """Note every call of this client, before anybody answers it."""
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register_first(f"before-send.{service}", self.note)

    def take(self) -> Json:
        """All of it, as JSON, and forget it."""
        with self.one_at_a_time:
            calls = [{**asdict(call), "times": times} for call, times in self.calls.items()]
            taken: Json = {"calls": calls, "policies": list(self.policies), "trails": sorted(self.trails)}
            self.calls.clear()
            self.policies.clear()
            self.trails.clear()
        return taken if any(taken.values()) else {}

    def put(self, taken: Json) -> None:
        """Add what another process has taken."""
        for told in taken.get("calls", []):
            members = {**told, "keys": tuple(told["keys"])}
            times = members.pop("times")
            self.calls[Call(**members)] += times
        self.policies += taken.get("policies", [])
        self.trails |= {(operation, place, file) for operation, place, file in taken.get("trails", [])}


RECORDED = Recorded()

# --- The comparison -------------------------------------------------------------------------------------------------

_BY_LAMBDA = {
    "logs:CreateLogStream": "Lambda writes the log: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html",
    "logs:PutLogEvents": "Lambda writes the log: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html",
    "sqs:SendMessage": (
        "Lambda's dead letters: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"
    ),
    "lambda:CheckpointDurableExecution": (
        "the durable SDK: https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html"
    ),
    "lambda:GetDurableExecutionState": (
        "the durable SDK: https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html"
    ),
}
"""Actions that Lambda and its SDK ask for in the function's name, with their source."""

_VIA = {
    "secretsmanager": "https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
    "dynamodb": "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html",
    "sns": "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html",
    "sqs": "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html",
}
"""Services that ask KMS in the caller's name, with their source."""


@dataclass(frozen=True)
class Row:
    """How often one action of one statement was asked for; `why` it may be there without, with the source."""

    role: str
    sid: str
    action: str
    workflow: int
    deploy: int
    why: str


@dataclass(frozen=True)
class Comparison:
    """What does not fit, one sentence each.

    `missing`: calls that no statement allows, or no calls at all. `surplus`: actions that nobody asked for. `wide`:
    stars without a reason. `denied`: the statements that deny, with their reasons; no call belongs to them.
    """

    rows: tuple[Row, ...]
    missing: tuple[str, ...]
    wide: tuple[str, ...]
    denied: tuple[str, ...]

    @property
    def surplus(self) -> tuple[str, ...]:
        return tuple(
            f"{row.role}: {row.sid} allows {row.action}, which nobody asked for"
            for row in self.rows
            if not row.workflow and not row.deploy and not row.why
        )

    @property
    def faults(self) -> tuple[str, ...]:
        return (*self.missing, *self.surplus, *self.wide)

    def lines(self) -> Iterator[str]:
        """The table for people, and what is wrong below it."""
        yield f"{'role':<11}{'statement':<28}{'action':<36}{'workflow':>9}{'deploy':>8}  without calls because"
        for row in self.rows:
            why = "" if row.workflow + row.deploy else row.why
            yield f"{row.role:<11}{row.sid:<28}{row.action:<36}{row.workflow:>9}{row.deploy:>8}  {why}".rstrip()
        yield from (f"denied on purpose: {each}" for each in self.denied)
        yield from self.faults
        yield f"permissions: {len(self.missing)} missing, {len(self.surplus)} surplus, {len(self.wide)} too wide"


def compare(
    policies: Iterable[Mapping[str, list[Json]]], calls: Mapping[Call, int], reasons: Mapping[str, str] | None = None
) -> Comparison:
    """Policies of the roles of each deployed stack against all calls.

    Each call has to be allowed by some stack's role, each allowed action has to be asked for by some call. `reasons`
    has those of the statements that deny, by Sid.
    """
    statements = [(role, one) for stack in policies for role, several in stack.items() for one in several]
    held = [(role, one) for role, one in statements if one["Effect"] == "Allow"]
    asked: dict[tuple[str, str, str], set[Call]] = {}
    why: dict[tuple[str, str, str], str] = {}
    for role, statement in held:
        for action in actions_of(statement):
            key = (role, statement.get("Sid", ""), action)
            fitting = {call for call in calls if call.action == action and _allows(role, statement, call)}
            asked[key] = asked.get(key, set()) | fitting
            why[key] = _why(statement, action)
    missing = {_told(call) for call in calls if not any(_allows(role, one, call) for role, one in held)}
    silent = {WORKFLOW, DEPLOY} - {call.where for call in calls}
    missing |= {f"no call of the {where} tests was recorded" for where in silent}
    denied = {
        f"{role}: {one['Sid']}, {', '.join(actions_of(one))}: {(reasons or {}).get(one['Sid'], '')}"
        for role, one in statements
        if one["Effect"] == "Deny"
    }
    return Comparison(
        tuple(Row(*key, *_times(asked[key], calls), why[key]) for key in sorted(asked)),
        tuple(sorted(missing)),
        tuple(sorted({fault for role, one in held for fault in _wide(role, one)})),
        tuple(sorted(denied)),
    )


def _times(asked: set[Call], calls: Mapping[Call, int]) -> tuple[int, int]:
    """How many calls the workflow tests and the deploy tests made."""
    found = Counter(dict.fromkeys((WORKFLOW, DEPLOY), 0))
    for call in asked:
        found[call.where] += calls[call]
    return found[WORKFLOW], found[DEPLOY]


def _allows(role: str, statement: Json, call: Call) -> bool:
    return (
        role == call.role
        and call.action in actions_of(statement)
        and _carries(statement.get("Condition", {}).get("Null", {}), call.keys)
        and _leads(statement.get("Condition", {}).get("ForAllValues:StringLike", {}), call.leading)
        and (not call.resource or any(_covers(pattern, call.resource) for pattern in resources_of(statement)))
    )


def _carries(null: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    """`Null: true` wants the key to be absent, `Null: false` to be there."""
    return all((key not in keys) == (str(absent).lower() == "true") for key, absent in null.items())


def _leads(like: Mapping[str, Any], leading: str) -> bool:
    """The key is in every request for one item, so a request without it is none that such a statement is for."""
    wanted = like.get("dynamodb:LeadingKeys")
    return wanted is None or any(_covers(each, leading) for each in ([wanted] if isinstance(wanted, str) else wanted))


def _covers(pattern: str, resource: str) -> bool:
    end = pattern.split(":", 5)[5] if pattern.startswith("arn:") else pattern
    wanted = "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in end)
    return re.fullmatch(wanted, resource) is not None


def _why(statement: Json, action: str) -> str:
    if not action.startswith("kms:"):
        return _BY_LAMBDA.get(action, "")
    via = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService", [])
    services = [name.partition(".")[0] for name in ([via] if isinstance(via, str) else via)]
    return ", ".join(f"{name} asks KMS: {_VIA[name]}" for name in services if name in _VIA)


def _wide(role: str, statement: Json) -> Iterator[str]:
    sid = statement.get("Sid", "")
    for action in actions_of(statement):
        if "*" in action:
            yield f"{role}: {sid} allows {action}"
        elif action not in EVERYWHERE and any(each == "*" or "arn:*" in each for each in resources_of(statement)):
            yield f"{role}: {sid} allows {action} on *, and no reason is written down"


def _told(call: Call) -> str:
    carrying = f" carrying {', '.join(call.keys)}" if call.keys else ""
    carrying += f" of {call.leading}…" if call.leading else ""
    on = f" on {call.resource}" if call.resource else ""
    return f"{call.role}: no statement allows {call.action}{on}{carrying} ({call.where} tests)"
