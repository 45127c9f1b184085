"""The article's inline policy: one secret, its own key, through Secrets Manager, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from remediator.core.policies.evaluate import DECRYPT, READ_SECRET, Effect, Request, effect
from remediator.core.policies.inline_policy import inline_policy, inline_policy_name
from tests.unit import given

KEY = given.KEY
CONTEXT = "kms:EncryptionContext:SecretARN"
VIA = {
    "kms:ViaService": f"secretsmanager.{given.REGION}.amazonaws.com",
    "kms:EncryptionContext:SecretARN": given.SECRET,
}


@dataclass(frozen=True)
class Asked:
    """A request and whether both forms of the policy allow it."""

    request: Request
    without_key: Effect
    with_key: Effect


ASKED = [
    Asked(Request(READ_SECRET, given.SECRET, {}), Effect.ALLOWED, Effect.ALLOWED),
    Asked(Request(READ_SECRET, given.OTHER_SECRET, {}), Effect.SILENT, Effect.SILENT),
    Asked(Request(READ_SECRET, f"{given.SECRET}x", {}), Effect.SILENT, Effect.SILENT),
    Asked(Request("secretsmanager:PutSecretValue", given.SECRET, {}), Effect.SILENT, Effect.SILENT),
    Asked(Request(DECRYPT, KEY, VIA), Effect.SILENT, Effect.ALLOWED),
    Asked(Request(DECRYPT, KEY, {}), Effect.SILENT, Effect.SILENT),
    Asked(Request(DECRYPT, KEY, {**VIA, "kms:ViaService": "s3.eu-west-1.amazonaws.com"}), Effect.SILENT, Effect.SILENT),
    Asked(Request(DECRYPT, KEY, {**VIA, CONTEXT: given.OTHER_SECRET}), Effect.SILENT, Effect.SILENT),
    Asked(Request(DECRYPT, KEY, {"kms:ViaService": VIA["kms:ViaService"]}), Effect.SILENT, Effect.SILENT),
    Asked(Request(DECRYPT, f"{KEY[:-1]}0", VIA), Effect.SILENT, Effect.SILENT),
    Asked(Request("kms:Encrypt", KEY, VIA), Effect.SILENT, Effect.SILENT),
]


@pytest.mark.parametrize("asked", ASKED)
def test_it_allows_to_read_the_one_secret_and_with_a_key_to_decrypt_that(asked: Asked) -> None:
    assert effect(inline_policy(given.SECRET, ""), asked.request) is asked.without_key
    assert effect(inline_policy(given.SECRET, KEY), asked.request) is asked.with_key


@pytest.mark.parametrize("key", ["", KEY])
def test_it_holds_no_wildcard(key: str) -> None:
    assert "*" not in str(inline_policy(given.SECRET, key))


def test_each_secret_has_a_policy_of_its_own() -> None:
    assert inline_policy_name(given.SECRET) == "docker-hub-pulls-AbCdEf"
    assert inline_policy_name(given.OTHER_SECRET) != inline_policy_name(given.SECRET)
