"""Writes the article's inline policy: a role may read one secret, and decrypt with that secret's own key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.core.policies.evaluate import via_service


def inline_policy_name(secret_arn: str) -> str:
    """One for each secret, so that projects which name a former secret can go on reading that."""
    return f"docker-hub-pulls-{secret_arn[-6:]}"


def inline_policy(secret_arn: str, key_arn: str) -> Mapping[str, Any]:
    """The policy's document; `key_arn` is empty for Secrets Manager's own key, which needs no permission."""
    statements: list[Mapping[str, Any]] = [
        {
            "Sid": "ReadDockerHubCredentials",
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": secret_arn,
        }
    ]
    if key_arn:
        via = {"StringEquals": {"kms:ViaService": via_service(secret_arn)}}
        statements.append(
            {
                "Sid": "DecryptDockerHubCredentials",
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": key_arn,
                "Condition": via,
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}
