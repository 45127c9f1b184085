"""A customer key's ARN and policy, against moto's KMS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from remediator.aws.kms import Kms
from tests.moto_aws import mock_aws
from tests.unit import given

CLIENT = given.aws("kms")
"""One for all tests: to make one takes longer than a test. moto keeps what each of them does apart."""
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": given.ROLE}, "Action": "kms:Decrypt", "Resource": "*"}],
}


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        yield CLIENT


def key(client: Any) -> dict[str, str]:
    made: dict[str, str] = client.create_key(Policy=json.dumps(POLICY))["KeyMetadata"]
    client.create_alias(AliasName="alias/docker-hub", TargetKeyId=made["KeyId"])
    return made


@pytest.mark.parametrize("by", ["Arn", "KeyId", "alias"])
def test_a_key_is_known_by_its_arn_its_id_or_an_alias(client: Any, by: str) -> None:
    made = key(client)

    assert Kms(client).key_arn(made.get(by, "alias/docker-hub")) == made["Arn"]


def test_a_keys_own_policy_is_read_as_a_document(client: Any) -> None:
    assert Kms(client).policy(key(client)["Arn"]) == POLICY


def test_a_key_that_is_not_there_is_an_error_of_kmss(client: Any) -> None:
    with pytest.raises(ClientError, match="NotFoundException"):
        Kms(client).key_arn(given.KEY)
    with pytest.raises(ClientError, match="NotFoundException"):
        Kms(client).policy(given.KEY)
