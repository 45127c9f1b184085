"""Decides what a policy document says about one request: allowed, denied, or nothing.

Three questions need it: does a role's permissions boundary let the role read the secret, does the policy of the
secret's KMS key let the role decrypt it, and does the secret's own policy deny it? Statements that can't be judged from
here do not count:

- an Allow with an unknown condition, because nothing may be promised that can't be seen;
- a Deny with one: organisations put a Deny with aws:PrincipalOrgID into all their policies, and where such a Deny does
  apply, the retried build shows it;
- a statement that can't be read: a document is whatever somebody wrote.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from remediator.core.names import aws_suffix
from remediator.core.policies.condition import has_variable, holds, like, texts
from remediator.core.value import value

READ_SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 - the name of an action
DECRYPT = "kms:Decrypt"
SID = "DockerHubPulls"
"""The name of every statement that a repair needs in somebody else's policy."""


class Effect(StrEnum):
    ALLOWED = "allowed"
    DENIED = "denied"
    SILENT = "silent"


@value
class Request:
    """`resource` is an ARN; `context` holds the request's known condition keys, with their values."""

    action: str
    resource: str
    context: Mapping[str, str]


def effect(document: Mapping[str, Any], request: Request) -> Effect:
    """What a policy without principals says: a role's own, or its boundary."""
    return _effect(document, lambda statement: _covers(statement, request, own_resource=False))


def effect_for(
    document: Mapping[str, Any],
    request: Request,
    role_arn: str,
    *,
    iam_decides: bool = True,
    bounded: bool = False,
) -> Effect:
    """What the policy of a key or a secret, one with principals, says to this role.

    A policy that names the role's account lets IAM decide there: with `iam_decides` an Allow for the account counts
    as one for the role. A Deny for it always counts. `bounded`: has the role a permissions boundary? Then a Deny with
    NotPrincipal spares it in no case.
    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    account = _field(role_arn, 4)
    itself = {("AWS", role_arn), ("AWS", "*")}
    root = f"arn:{_field(role_arn, 1)}:iam::{account}:root"
    its_account = {("AWS", account), ("AWS", root)} if account else set()

    def applies(statement: Mapping[str, Any]) -> bool:
        deny = statement.get("Effect") == "Deny"
        if "NotPrincipal" in statement:
            spared = _principals(statement["NotPrincipal"])
            speaks = deny and bool(spared) and (bounded or not _spares(spared, itself, its_account))
        else:
            names = itself | its_account if deny or iam_decides else itself
            speaks = not names.isdisjoint(_principals(statement.get("Principal")))
        return speaks and _covers(statement, request, own_resource=True)

    return _effect(document, applies)


def boundary_refuses(
    document: Mapping[str, Any], role_arn: str, secret_arn: str, kms_key_arn: str = ""
) -> tuple[str, ...]:
    """The actions of reading the secret that this role's permissions boundary (`document`) does not allow.

    `kms_key_arn` is empty without a customer key. A boundary also limits what a secret's or a key's own policy gives
    to the role by its ARN.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    """
    requests = [_reading(role_arn, secret_arn)]
    if kms_key_arn:
        requests.append(_decrypting(role_arn, secret_arn, kms_key_arn))
    return tuple(request.action for request in requests if effect(document, request) is not Effect.ALLOWED)


def key_policy_refuses(
    document: Mapping[str, Any],
    role_arn: str,
    secret_arn: str,
    kms_key_arn: str,
    *,
    iam_decides: bool = True,
    bounded: bool = False,
) -> bool:
    """Does the policy of the secret's key keep this role from decrypting the secret? Grants are not looked at.
    `iam_decides`: the role's own policies allow it, so it is enough that the key's policy names the account."""
    request = _decrypting(role_arn, secret_arn, kms_key_arn)
    said = effect_for(document, request, role_arn, iam_decides=iam_decides, bounded=bounded)
    return said is not Effect.ALLOWED


def denies_reading(document: Any, role_arn: str, secret_arn: str, *, bounded: bool = False) -> bool:
    """Does a statement of the secret's own policy deny this role to read it?"""
    request = _reading(role_arn, secret_arn)
    return effect_for(document, request, role_arn, bounded=bounded) is Effect.DENIED


def only_for(secret_arn: str) -> dict[str, str]:
    """The condition, by StringEquals, under which a key is used for this secret and for nothing else: Secrets Manager
    asks for it, and names the secret in its encryption context.
    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    """
    via = f"secretsmanager.{_field(secret_arn, 3)}.{aws_suffix(_field(secret_arn, 1))}"
    return {"kms:ViaService": via, "kms:EncryptionContext:SecretARN": secret_arn}


def _reading(role_arn: str, secret_arn: str) -> Request:
    return Request(READ_SECRET, secret_arn, _by(role_arn, secret_arn))


def _decrypting(role_arn: str, secret_arn: str, kms_key_arn: str) -> Request:
    caller = {"kms:CallerAccount": _field(role_arn, 4)}
    return Request(DECRYPT, kms_key_arn, {**_by(role_arn, secret_arn), **only_for(secret_arn), **caller})


def _by(role_arn: str, secret_arn: str) -> dict[str, str]:
    """What is known of every request that a build makes with its service role: who asks, in which region, over TLS.
    That a service uses the role makes the role no service.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
    return {
        "aws:PrincipalAccount": _field(role_arn, 4),
        "aws:PrincipalArn": role_arn,
        "aws:PrincipalIsAWSService": "false",
        "aws:RequestedRegion": _field(secret_arn, 3),
        "aws:SecureTransport": "true",
    }


def _field(arn: str, number: int) -> str:
    """Partition 1, service 2, region 3, account 4; empty for what is no ARN."""
    fields = arn.split(":", 5)
    return fields[number] if len(fields) == 6 else ""


def _effect(document: Any, applies: Callable[[Mapping[str, Any]], bool]) -> Effect:
    """An explicit Deny wins over every Allow."""
    statements = document.get("Statement") if isinstance(document, Mapping) else None
    listed = statements if isinstance(statements, list) else [statements]
    effects = [statement.get("Effect") for statement in listed if isinstance(statement, Mapping) and applies(statement)]
    if "Deny" in effects:
        return Effect.DENIED
    return Effect.ALLOWED if "Allow" in effects else Effect.SILENT


def _spares(spared: list[tuple[str, str]], itself: set[tuple[str, str]], its_account: set[tuple[str, str]]) -> bool:
    """Does a NotPrincipal spare the role? It has to list the role and its account: IAM looks at both, one after the
    other. A list that names everybody does.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
    """
    return ("AWS", "*") in spared or not (itself.isdisjoint(spared) or its_account.isdisjoint(spared))


def _principals(value: Any) -> list[tuple[str, str]]:
    if value == "*":
        return [("AWS", "*")]
    groups = value.items() if isinstance(value, Mapping) else ()
    return [(kind, name) for kind, group in groups for name in texts(group)]


def _covers(statement: Mapping[str, Any], request: Request, *, own_resource: bool) -> bool:
    """Are action, resource and conditions known to be those of the request?

    `own_resource`: a statement without a resource is about the one that has the policy. In a resource's ARN, other
    than in a condition, a `*` may reach beyond a colon.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    action = request.action.lower()
    return (
        _matches(statement, "Action", lambda pattern: like(pattern.lower(), action))
        and _matches(statement, "Resource", lambda pattern: like(pattern, request.resource), absent=own_resource)
        and holds(statement.get("Condition", {}), request.context)
    )


def _matches(
    statement: Mapping[str, Any], element: str, matches: Callable[[str], bool], *, absent: bool = False
) -> bool:
    """Does the element, or else its opposite (`NotAction`, `NotResource`), include the request?"""
    if element in statement:
        return any(matches(pattern) for pattern in texts(statement[element]))
    if f"Not{element}" in statement:
        patterns = texts(statement[f"Not{element}"])
        return bool(patterns) and not any(has_variable(pattern) or matches(pattern) for pattern in patterns)
    return absent
