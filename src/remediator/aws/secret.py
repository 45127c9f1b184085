"""Reads the one secret, and says which of its keys is missing or wrong, never what they hold; edits its own policy."""

from __future__ import annotations

import json
from dataclasses import field
from typing import Any

from remediator.aws.client import found
from remediator.core.value import value

KEYS = ("username", "password")


class MalformedSecret(ValueError):
    """The secret is not what CodeBuild's registry credential needs: a JSON object with a user name and a password."""


@value
class Credentials:
    """A Docker Hub user name and its password or access token, none of which is ever shown.

    `auth_config` holds both as the docker CLI reads them from DOCKER_AUTH_CONFIG, None where the secret has no such
    key. `version` is the secret's, by which a rotation is noticed.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)
    auth_config: str | None = field(default=None, repr=False)
    version: str = ""


class Secret:
    def __init__(self, secretsmanager: Any, secret_arn: str) -> None:
        self._client = secretsmanager
        self._arn = secret_arn

    def read(self) -> Credentials:
        """The secret's current user name and password; MalformedSecret names the keys that are wrong."""
        answer = self._client.get_secret_value(SecretId=self._arn)
        text = answer.get("SecretString")
        if text is None:
            raise MalformedSecret("it is binary; it has to be a JSON object with the keys username and password")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise MalformedSecret("it is no JSON object; it has to be one, with the keys username and password")
        faults = [f"its key {key} {fault}" for key in KEYS if (fault := _fault_in(content.get(key)))]
        auth_config = content.get("docker_auth_config")
        if auth_config is not None and not isinstance(auth_config, str):
            faults.append("its key docker_auth_config is no string; it has to hold JSON as a text")
        if faults:
            raise MalformedSecret("; ".join(faults))
        return Credentials(content["username"], content["password"], auth_config, answer["VersionId"])

    def customer_key(self) -> str:
        """The key that the secret is encrypted with: an ARN, an id or an alias; empty for Secrets Manager's own.
        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html"""
        key = str(self._client.describe_secret(SecretId=self._arn).get("KmsKeyId") or "")
        return "" if key.endswith("alias/aws/secretsmanager") else key

    def policy(self) -> str | None:
        """The text of the secret's resource policy; None when it has none, or when there is no such secret any more,
        which whoever reads it is told."""
        gone = ("ResourceNotFoundException", "InvalidRequestException")
        answer = found(lambda: self._client.get_resource_policy(SecretId=self._arn), *gone) or {}
        text: str | None = answer.get("ResourcePolicy")
        return text

    def put_policy(self, text: str) -> None:
        """Replace the secret's resource policy; Secrets Manager refuses one that lets in everybody."""
        self._client.put_resource_policy(SecretId=self._arn, ResourcePolicy=text, BlockPublicPolicy=True)


def _fault_in(credential: object) -> str:
    if not isinstance(credential, str) or not credential.strip():
        return "is missing, empty or no string"
    return "begins or ends with a blank or a line break" if credential != credential.strip() else ""
