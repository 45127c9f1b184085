"""Service roles and the one grant, against moto's IAM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from remediator.aws.iam import Iam
from remediator.core.snapshot import Role
from tests.unit import given

CLIENT = given.aws("iam")
"""One for all tests: to make one takes longer than a test. moto keeps what each of them does apart."""


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        CLIENT.create_role(
            Path="/service-role/",
            RoleName=given.ROLE_NAME,
            AssumeRolePolicyDocument=json.dumps(given.CODEBUILD_TRUST),
        )
        yield CLIENT


def policy(client: Any, name: str) -> str:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
    created = client.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
    return str(created["Policy"]["Arn"])


def test_a_role_is_read_by_its_arn_whatever_its_path(client: Any) -> None:
    arn = client.get_role(RoleName=given.ROLE_NAME)["Role"]["Arn"]

    assert arn.endswith(f":role/service-role/{given.ROLE_NAME}")
    assert Iam(client).role(arn) == Role(arn, given.CODEBUILD_TRUST, frozenset())


def test_every_page_of_attached_policies_is_read(client: Any) -> None:
    arns = [policy(client, f"policy-{number:03}") for number in range(105)]
    for arn in arns:
        client.attach_role_policy(RoleName=given.ROLE_NAME, PolicyArn=arn)

    assert Iam(client).role(given.ROLE).attached == frozenset(arns)


def test_a_grant_attaches_the_policy_and_a_second_one_changes_nothing(client: Any) -> None:
    arn = policy(client, "docker-hub")
    iam = Iam(client)

    iam.attach(given.ROLE_NAME, arn)
    iam.attach(given.ROLE_NAME, arn)

    assert iam.role(given.ROLE).attached == {arn}


def test_a_role_that_does_not_exist_is_an_error_of_iams(client: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchEntity"):
        Iam(client).role(f"{given.ROLE}-gone")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        Iam(client).attach("gone", policy(client, "docker-hub"))
