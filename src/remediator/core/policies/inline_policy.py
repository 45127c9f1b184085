"""Writes the article's inline policy: a role may read one secret, and decrypt that secret alone with its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.core.policies.evaluate import DECRYPT, READ_SECRET, only_for


def inline_policy_name(secret_arn: str) -> str:
    """One for each secret: projects that still use a former secret can go on reading it."""
    return f"docker-hub-pulls-{secret_arn[-6:]}"


def inline_policy(secret_arn: str, key_arn: str) -> Mapping[str, Any]:
    """The policy's document; `key_arn` is empty for Secrets Manager's own key, which needs no permission."""
    return _document(secret_arn, key_arn, only_for(secret_arn))


def earlier_inline_policy(secret_arn: str, key_arn: str) -> Mapping[str, Any]:
    """The document that release 0.1.0 wrote, which let a role decrypt other secrets of that key too."""
    return _document(secret_arn, key_arn, {"kms:ViaService": only_for(secret_arn)["kms:ViaService"]})


def _document(secret_arn: str, key_arn: str, condition: Mapping[str, str]) -> Mapping[str, Any]:
    read = {"Sid": "ReadDockerHubCredentials", "Effect": "Allow", "Action": READ_SECRET, "Resource": secret_arn}
    decrypt = {"Sid": "DecryptDockerHubCredentials", "Effect": "Allow", "Action": DECRYPT, "Resource": key_arn}
    only = {"Condition": {"StringEquals": dict(condition)}}
    return {"Version": "2012-10-17", "Statement": [read, {**decrypt, **only}] if key_arn else [read]}
