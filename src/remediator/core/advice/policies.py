"""Writes advice on who else has to let a role read the secret: the policy of a KMS key, or a permissions boundary."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from remediator.core.advice.layout import VALUE_LENGTH, artefact, one_line
from remediator.core.policies.evaluate import DECRYPT, READ_SECRET, SID, only_for


def let_key_policy(role_arn: str, secret_arn: str, kms_key_arn: str) -> str:
    """For a key that the secret is encrypted with, and whose policy does not let the role decrypt it."""
    principal = {"AWS": one_line(role_arn, VALUE_LENGTH)}
    statement = {"Sid": SID, "Effect": "Allow", "Principal": principal, **_decrypt("*", secret_arn)}
    return artefact(
        "Let the role decrypt the secret: add this statement to the key's policy, and leave the role out of every "
        "statement there that denies it.",
        where=f"the policy of the KMS key {one_line(kms_key_arn, VALUE_LENGTH)}",
        why="whoever reads the secret decrypts it with this key, and no other policy helps where the key's own policy "
        "does not let the role in",
        paste=json.dumps(statement, indent=2),
    )


def let_boundary(
    role_arn: str, boundary_arn: str, secret_arn: str, kms_key_arn: str = "", actions: Iterable[str] = ()
) -> str:
    """For a role whose permissions boundary refuses these `actions`, or all that reading the secret needs."""
    read = {"Sid": SID, "Effect": "Allow", "Action": READ_SECRET, "Resource": one_line(secret_arn, VALUE_LENGTH)}
    needed = {READ_SECRET: read}
    if kms_key_arn:
        key = one_line(kms_key_arn, VALUE_LENGTH)
        needed[DECRYPT] = {"Sid": f"{SID}Key", "Effect": "Allow", **_decrypt(key, secret_arn)}
    refused = set(actions) or set(needed)
    role, boundary = one_line(role_arn, VALUE_LENGTH), one_line(boundary_arn, VALUE_LENGTH)
    return artefact(
        _what_for(boundary),
        where=f"{boundary}, the permissions boundary of the role {role}",
        why="a role may do nothing that its boundary does not allow, whatever other policies grant",
        paste=",\n".join(json.dumps(needed[action], indent=2) for action in needed if action in refused),
    )


def _what_for(boundary_arn: str) -> str:
    """AWS's own managed policies can't be edited."""
    if ":iam::aws:policy/" in boundary_arn:
        return (
            "Give the role a boundary of your own that allows what AWS's policy does and has these statements too: "
            "AWS's own can't be edited."
        )
    return (
        "Let the boundary allow the role to read the secret: add these statements, and take the secret out of every "
        "statement there that denies it."
    )


def _decrypt(resource: str, secret_arn: str) -> dict[str, Any]:
    """Only through Secrets Manager, and this secret alone."""
    only = {key: one_line(value, VALUE_LENGTH) for key, value in only_for(secret_arn).items()}
    return {"Action": DECRYPT, "Resource": resource, "Condition": {"StringEquals": only}}
