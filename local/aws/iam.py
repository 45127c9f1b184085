"""What a request is authorized as: action, resources and condition keys.

A call that names several builds or projects needs all of them allowed, one that hands a role to a service
`iam:PassRole` on that role too, and one that uses a customer's key rights on that (see `keys`). The account's
root user may do everything; users and assumed roles are held to their policies.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import dynamodb, kms
from ministack.services import iam as iam_service

from local.aws import keys
from local.aws.condition_keys import codebuild_keys

Document = dict[str, Any]

DURABLE_ACTIONS = {
    ("POST", "checkpoint"): "CheckpointDurableExecution",
    ("GET", "state"): "GetDurableExecutionState",
    ("GET", "history"): "GetDurableExecutionHistory",
    ("POST", "stop"): "StopDurableExecution",
    ("GET", ""): "GetDurableExecution",
}
CALLBACK_ACTIONS = {
    "succeed": "SendDurableExecutionCallbackSuccess",
    "fail": "SendDurableExecutionCallbackFailure",
    "heartbeat": "SendDurableExecutionCallbackHeartbeat",
}
PASSING = {"CreateProject": "codebuild.amazonaws.com", "UpdateProject": "codebuild.amazonaws.com"}


class Resources(str):  # noqa: SLOT000 - a subclass of str may not have slots with values
    """The first ARN of a call, which is what MiniStack asks for, and all of them."""

    all: tuple[str, ...]

    def __new__(cls, arns: tuple[str, ...]) -> Self:
        made = super().__new__(cls, arns[0] if arns else "*")
        made.all = arns or ("*",)
        return made


_passed: contextvars.ContextVar[tuple[str, str] | None] = contextvars.ContextVar("passed role", default=None)


@dataclass(frozen=True)
class Denied:
    """What a call was refused for; a service that uses a key for its caller has a code and words of its own."""

    action: str
    resource: str
    code: str = ""
    message: str = ""


_denied: contextvars.ContextVar[Denied | None] = contextvars.ContextVar("denied", default=None)


def install() -> None:
    """Put the wrappers around MiniStack's functions; each falls back on the one that it wraps."""
    iam_actions.extract_iam_action = _action(iam_actions.extract_iam_action)
    iam_actions.extract_resource_arn = _resource(iam_actions.extract_resource_arn)
    iam_actions.request_tag_context = _context(iam_actions.request_tag_context)
    iam_actions.access_denied_response = _denial(iam_actions.access_denied_response)
    iam_evaluator.enforce = _enforcement(iam_evaluator.enforce)


def body_of(body: bytes) -> Document:
    try:
        document = json.loads(body or b"{}")
    except (ValueError, UnicodeDecodeError):
        return {}
    return document if isinstance(document, dict) else {}


def durable_action(method: str, path: str) -> tuple[str, str] | None:
    """Action and resource of the durable execution calls, whose paths MiniStack's table does not know."""
    parts = unquote(path).strip("/").split("/")
    if parts[:1] != ["2025-12-01"]:
        return None
    if parts[1:2] == ["durable-execution-callbacks"] and len(parts) > 3:
        return CALLBACK_ACTIONS.get(parts[-1], ""), "*"
    if parts[1:2] == ["functions"] and len(parts) == 4:
        return "ListDurableExecutionsByFunction", function_arn(parts[2], {})
    if parts[1:2] == ["durable-executions"]:
        last = parts[-1] if (method, parts[-1]) in DURABLE_ACTIONS else ""
        arn = "/".join(parts[2:-1] if last else parts[2:])
        return DURABLE_ACTIONS.get((method, last), ""), arn
    return None


def function_arn(named: str, params: Document) -> str:
    """The ARN that a call on a function is checked on: with the version or alias that it names."""
    qualifier = params.get("Qualifier") or ""
    qualifier = qualifier[0] if isinstance(qualifier, list) else qualifier
    if named.startswith("arn:"):
        arn = named
    else:
        arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{named.rpartition(':function:')[2]}"
    return f"{arn}:{qualifier}" if qualifier and arn.count(":") == 6 else arn


def role_arn(name: str, account: str) -> str:
    """A role's ARN with its path; without one when there is no such role."""
    role = iam_service._roles.get_scoped(account, None, name) or {}
    return str(role.get("Arn") or f"arn:aws:iam::{account}:role/{name}")


def project_arns(request: Document, region: str, account: str) -> tuple[str, ...]:
    """The projects that a CodeBuild call acts on, in the order in which it names them; none for List calls."""
    named: list[str] = []
    for member in ("projectName", "name"):
        if isinstance(request.get(member), str):
            named.append(request[member])
            break
    named += [str(name) for name in request.get("names") or []]
    for identifier in [request.get("id"), *(request.get("ids") or [])]:
        if isinstance(identifier, str):
            key = identifier.rpartition("/")[2] if identifier.startswith("arn:") else identifier
            named.append(key.partition(":")[0])
    if not named and isinstance(request.get("projectArn"), str):
        return (request["projectArn"],)
    names = [name.rpartition(":project/")[2] for name in named]
    return tuple(dict.fromkeys(f"arn:aws:codebuild:{region}:{account}:project/{name}" for name in names))


def pipeline_arn(operation: str, request: Document, region: str, account: str) -> str:
    """What a CodePipeline call acts on: a pipeline, or one of its stages when that is retried.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodepipeline.html
    """
    name = request.get("pipelineName") or request.get("name")
    if not isinstance(name, str):
        return "*"
    arn = f"arn:aws:codepipeline:{region}:{account}:{name}"
    return f"{arn}/{request.get('stageName')}" if operation == "RetryStageExecution" else arn


def leading_keys(request: Document) -> list[str]:
    """The partition key of the one item that a DynamoDB call reads or writes by its key; empty for other calls."""
    table = dynamodb._tables.get(str(request.get("TableName"))) or {}
    value = (request.get("Key") or request.get("Item") or {}).get(table.get("pk_name")) or {}
    return [str(text) for text in value.values()]


def _action(original: Callable[..., Any]) -> Callable[..., Any]:
    def extract(service: str, method: str, path: str, headers: Any, body: bytes, params: Any, *rest: Any) -> Any:
        if service == "lambda" and (found := durable_action(method, path)) is not None and found[0]:
            return f"lambda:{found[0]}"
        return original(service, method, path, headers, body, params, *rest)

    return extract


def _resource(original: Callable[..., str]) -> Callable[..., str]:
    def extract(
        service: str,
        method: str,
        path: str,
        headers: Any,
        body: bytes,
        params: Document,
        region: str,
        account: str,
    ) -> str:
        found = original(service, method, path, headers, body, params, region, account)
        if service == "codebuild":
            operation = str(headers.get("x-amz-target", "")).rpartition(".")[2]
            request = body_of(body)
            passed = request.get("serviceRole") if operation in PASSING else request.get("serviceRoleOverride")
            _passed.set((str(passed), "codebuild.amazonaws.com") if passed else None)
            return Resources(project_arns(request, region, account))
        _passed.set(None)
        if service == "codepipeline":
            operation = str(headers.get("x-amz-target", "")).rpartition(".")[2]
            return pipeline_arn(operation, body_of(body), region, account)
        if service == "lambda":
            if (durable := durable_action(method, path)) is not None:
                return durable[1]
            if ":function:" in found:
                return function_arn(found, params)
        if service == "iam" and ":role/" in found:
            return role_arn(found.rpartition("/")[2], account)
        if service == "kms" and (key := kms._resolve_key(str(body_of(body).get("KeyId") or ""))) is not None:
            return str(key["Arn"])
        return found

    return extract


def _context(original: Callable[..., Document]) -> Callable[..., Document]:
    def keys(service: str, action: str, body: bytes, params: Document) -> Document:
        found = dict(original(service, action, body, params))
        if service == "iam":
            policy = params.get("PolicyArn")
            if policy:
                found["iam:PolicyARN"] = policy[0] if isinstance(policy, list) else policy
        if service == "secretsmanager" and isinstance(blocked := body_of(body).get("BlockPublicPolicy"), bool):
            found["secretsmanager:BlockPublicPolicy"] = str(blocked).lower()
        if service == "dynamodb" and (leading := leading_keys(body_of(body))):
            found["dynamodb:LeadingKeys"] = leading
        if service == "codebuild":
            request = body_of(body)
            found.update(codebuild_keys(action.partition(":")[2], request))
            tags = request.get("tags")
            if isinstance(tags, list) and tags:
                found["aws:TagKeys"] = [str(tag.get("key")) for tag in tags]
                found.update({f"aws:RequestTag/{tag.get('key')}": str(tag.get("value")) for tag in tags})
        return found

    return keys


def _enforcement(original: Callable[..., Any]) -> Callable[..., Any]:
    def enforce(
        key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
    ) -> Any:
        _denied.set(None)
        for arn in getattr(resource_arn, "all", (resource_arn,)):
            denied = original(key, action, service, region, resource_arn=str(arn), service_context=service_context)
            if denied is not None:
                _denied.set(Denied(action, str(arn)))
                return denied
        passed, _ = _passed.get(), _passed.set(None)
        if passed is not None and service == "codebuild":
            role, receiver = passed
            context = {"iam:PassedToService": receiver}
            denied = original(key, "iam:PassRole", "iam", region, resource_arn=role, service_context=context)
            if denied is not None:
                _denied.set(Denied("iam:PassRole", role))
                return denied
        use = keys.used(action, str(resource_arn))
        return None if use is None else _with_key(original, key, region, use)

    return enforce


def _with_key(original: Callable[..., Any], key: str, region: str, use: keys.Use) -> Any:
    """The denial of a caller who may make the call but not use the customer key that it needs."""
    for action in use.actions:
        denied = original(key, action, "kms", region, resource_arn=use.key, service_context=use.context)
        if denied is not None:
            message = use.refusal(action, str(getattr(denied, "principal_arn", "")))
            _denied.set(Denied(action, use.key, use.code, message))
            return denied
    return None


def _denial(original: Callable[..., Any]) -> Callable[..., Any]:
    def respond(service: str, action: str, principal: str, request_id: str, **details: Any) -> Any:
        headers = details.get("headers") or {}
        decided, _ = _denied.get(), _denied.set(None)
        if decided is not None and not details.get("error_code") and not details.get("message"):
            if decided.message:
                details |= {"error_code": decided.code, "message": decided.message}
                _, answer_headers, body = original(service, action, principal, request_id, **details)
                return 400, answer_headers, body
            if not details.get("resource_policy_arn"):
                explicit = bool(details.get("explicit_deny"))
                words = iam_actions.identity_denial_message
                details["message"] = words(decided.action, principal, decided.resource, explicit)
        status, answer_headers, body = original(service, action, principal, request_id, **details)
        if status == 403 and headers.get("x-amz-target") and not details.get("error_code"):
            status = 400
        return status, answer_headers, body

    return respond
