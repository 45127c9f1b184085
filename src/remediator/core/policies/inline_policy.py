"""Writes the article's inline policy: a role may read one secret, and decrypt with that secret's own key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.core.policies.evaluate import DECRYPT, READ_SECRET, via_service


def inline_policy_name(secret_arn: str) -> str:
    """One for each secret: projects that still use a former secret can go on reading it."""
    return f"docker-hub-pulls-{secret_arn[-6:]}"


def inline_policy(secret_arn: str, key_arn: str) -> Mapping[str, Any]:
    """The policy's document; `key_arn` is empty for Secrets Manager's own key, which needs no permission."""
    read = {"Sid": "ReadDockerHubCredentials", "Effect": "Allow", "Action": READ_SECRET, "Resource": secret_arn}
    decrypt = {"Sid": "DecryptDockerHubCredentials", "Effect": "Allow", "Action": DECRYPT, "Resource": key_arn}
    via = {"Condition": {"StringEquals": {"kms:ViaService": via_service(secret_arn)}}}
    return {"Version": "2012-10-17", "Statement": [read, {**decrypt, **via}] if key_arn else [read]}
