"""Reads what a customer key's own policy says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Kms:
    def __init__(self, kms: Any) -> None:
        self._client = kms

    def key_arn(self, key: str) -> str:
        """The ARN of a key, which may be given by ARN, id or alias."""
        return str(self._client.describe_key(KeyId=key)["KeyMetadata"]["Arn"])

    def policy(self, key_arn: str) -> Mapping[str, Any]:
        """The key's policy; a key of another account does not show it.
        https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html"""
        text = self._client.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"]
        document: Mapping[str, Any] = json.loads(text)
        return document
