"""Edits the resource policy of the secret as text: its statement SID names the roles that may read the secret."""

from __future__ import annotations

import json
import math
import re
from hashlib import sha256
from typing import Any

from remediator.core.policies.evaluate import READ_SECRET, SID

LONGEST_POLICY = 20_480
"""Characters of a secret's resource policy.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html"""

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[^\s*]+")

# What IAM puts in place of a deleted role. Such a name is refused when the policy is written again.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
_DELETED = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")


class SecretPolicyFault(ValueError):
    """The secret's resource policy can't be read or changed from here; nothing was changed."""


def with_role(text: str | None, role_arn: str) -> str:
    """The policy in which our statement names the role; the same text when it does so already.

    `text` is the present policy, None where the secret has none. Its other statements keep their places and contents;
    deleted roles leave ours. The resource `*` is the secret itself. SecretPolicyFault when the present policy can't be
    added to, when somebody else wrote or changed our statement, or when the new policy would be too long.
    """
    if not _ROLE.fullmatch(role_arn):
        raise SecretPolicyFault(f"{role_arn[:120]!r} is not the ARN of one role")
    policy = _read(text)
    statements = _statements(policy)
    own = _own(statements)
    present = _roles(statements[own]) if own is not None else []
    if text and role_arn in present:
        return text
    roles = sorted({role_arn, *(name for name in present if _ROLE.fullmatch(name))})
    statement = statement_for(roles)
    changed = [*statements, statement] if own is None else [*statements[:own], statement, *statements[own + 1 :]]
    new = json.dumps({**policy, "Statement": changed}, separators=(",", ":"))
    if len(new) > LONGEST_POLICY:
        raise SecretPolicyFault(
            f"the secret's resource policy would have {len(new):,} characters, and no more than {LONGEST_POLICY:,} are "
            f"possible; number of roles in its statement {SID}: {len(roles)}"
        )
    return new


def without_role(text: str | None, role_arn: str) -> str:
    """The policy in which our statement no longer names the role; empty when nothing is left in it.

    The same text when it does not name it now. SecretPolicyFault as for `with_role`.
    """
    policy = _read(text)
    statements = _statements(policy)
    own = _own(statements)
    if not text or own is None or role_arn not in _roles(statements[own]):
        return text or ""
    roles = sorted(name for name in _roles(statements[own]) if _ROLE.fullmatch(name) and name != role_arn)
    changed = [*statements[:own], *([statement_for(roles)] if roles else []), *statements[own + 1 :]]
    return json.dumps({**policy, "Statement": changed}, separators=(",", ":")) if changed else ""


def names_role(text: str | None, role_arn: str) -> bool:
    """Does our statement name the role? SecretPolicyFault for a policy that can't be read."""
    statements = _statements(_read(text))
    own = _own(statements)
    return own is not None and role_arn in _roles(statements[own])


def digest_of_others(text: str) -> str:
    """A digest of the policy without our statement, which each grant changes; empty where there is no other one."""
    try:
        policy = _read(text)
        others = [each for each in _statements(policy) if not (isinstance(each, dict) and each.get("Sid") == SID)]
        written = json.dumps({**policy, "Statement": others}, sort_keys=True) if others else ""
    except SecretPolicyFault:
        written = text
    return sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:16] if written else ""


def _read(text: str | None) -> dict[str, Any]:
    if not text:
        return {"Version": "2012-10-17", "Statement": []}
    try:
        policy = json.loads(text, object_pairs_hook=_object, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        raise SecretPolicyFault("the secret's resource policy is no JSON object, or has a key twice")
    return policy


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is there twice: one of its values would be lost."""
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a key twice")
    return read


def _finite(number: str) -> float:
    """Refuse a number that JSON could not write again."""
    if not math.isfinite(float(number)):
        raise ValueError(number)
    return float(number)


def _statements(policy: dict[str, Any]) -> list[Any]:
    found = policy.get("Statement", [])
    if isinstance(found, dict):
        return [found]
    if not isinstance(found, list):
        raise SecretPolicyFault("the Statement of the secret's resource policy is neither a statement nor a list")
    return found


def statement_for(roles: list[str]) -> dict[str, Any]:
    """Our statement, which lets these roles read the secret."""
    return {"Sid": SID, "Effect": "Allow", "Principal": {"AWS": roles}, "Action": READ_SECRET, "Resource": "*"}


def _own(statements: list[Any]) -> int | None:
    """The place of our statement, which must be as `statement_for` makes it."""
    places = [place for place, found in enumerate(statements) if isinstance(found, dict) and found.get("Sid") == SID]
    if not places:
        return None
    if len(places) > 1 or not _is_ours(statements[places[0]]):
        raise SecretPolicyFault(
            f"the secret's resource policy has a statement {SID} that was not written from here, or was changed since: "
            "give it another Sid"
        )
    return places[0]


def _is_ours(found: dict[str, Any]) -> bool:
    """A list of one and the one are the same to AWS."""
    expected = statement_for([])
    return (
        set(found) == set(expected)
        and all(found[name] in (expected[name], [expected[name]]) for name in ("Effect", "Action", "Resource"))
        and isinstance(found["Principal"], dict)
        and set(found["Principal"]) == {"AWS"}
        and all(isinstance(name, str) and (_ROLE.fullmatch(name) or _DELETED.fullmatch(name)) for name in _roles(found))
    )


def _roles(statement: dict[str, Any]) -> list[Any]:
    names = statement["Principal"]["AWS"]
    return names if isinstance(names, list) else [names]
