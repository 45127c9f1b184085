"""Service roles, their boundaries and the two grants that IAM keeps, against moto's IAM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from remediator.aws.iam import Iam
from remediator.core.codebuild.project import Role
from tests.moto_aws import mock_aws
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


def boundary_of(client: Any, arn: str) -> None:
    client.put_role_permissions_boundary(RoleName=given.ROLE_NAME, PermissionsBoundary=arn)


def test_a_role_is_read_by_its_arn_whatever_its_path(client: Any) -> None:
    arn = client.get_role(RoleName=given.ROLE_NAME)["Role"]["Arn"]

    assert arn.endswith(f":role/service-role/{given.ROLE_NAME}")
    assert Iam(client).role(arn) == Role(arn, given.CODEBUILD_TRUST)


def test_a_roles_tags_and_boundary_are_read_with_it(client: Any) -> None:
    boundary = policy(client, "boundary")
    client.tag_role(RoleName=given.ROLE_NAME, Tags=[{"Key": "team", "Value": "orders"}])
    boundary_of(client, boundary)

    role = Iam(client).role(given.ROLE)

    assert (role.tags, role.boundary) == ({"team": "orders"}, boundary)


def test_whether_a_role_holds_the_grant_is_not_iams_to_say(client: Any) -> None:
    """Only PolicyMode tells what the grant is."""
    Iam(client).attach(given.ROLE_NAME, policy(client, "docker-hub"))

    assert not Iam(client).role(given.ROLE).granted


def test_every_page_of_attached_policies_is_read(client: Any) -> None:
    arns = [policy(client, f"policy-{number:03}") for number in range(105)]
    for arn in arns:
        client.attach_role_policy(RoleName=given.ROLE_NAME, PolicyArn=arn)

    assert Iam(client).attached(given.ROLE_NAME) == frozenset(arns)


def test_a_grant_attaches_the_policy_and_a_second_one_changes_nothing(client: Any) -> None:
    arn = policy(client, "docker-hub")
    iam = Iam(client)

    iam.attach(given.ROLE_NAME, arn)
    iam.attach(given.ROLE_NAME, arn)

    assert iam.attached(given.ROLE_NAME) == {arn}


def test_a_managed_policy_is_read_in_the_version_that_counts(client: Any) -> None:
    arn = policy(client, "boundary")
    newer = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    client.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(newer), SetAsDefault=True)
    client.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps({**newer, "Id": "draft"}), SetAsDefault=False)

    assert Iam(client).policy(arn) == newer


INLINE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::a/%2F"}],
}


def test_an_inline_policy_is_read_as_it_was_written(client: Any) -> None:
    iam = Iam(client)

    iam.put_inline_policy(given.ROLE_NAME, "docker-hub-pulls", INLINE)

    assert iam.inline_policy(given.ROLE_NAME, "docker-hub-pulls") == INLINE


def test_an_inline_policy_takes_the_place_of_the_one_of_its_name_and_of_no_other(client: Any) -> None:
    iam = Iam(client)
    client.put_role_policy(RoleName=given.ROLE_NAME, PolicyName="theirs", PolicyDocument=json.dumps(INLINE))
    iam.put_inline_policy(given.ROLE_NAME, "docker-hub-pulls", INLINE)

    iam.put_inline_policy(given.ROLE_NAME, "docker-hub-pulls", {**INLINE, "Id": "anew"})

    assert iam.inline_policy(given.ROLE_NAME, "docker-hub-pulls") == {**INLINE, "Id": "anew"}
    assert iam.inline_policy(given.ROLE_NAME, "theirs") == INLINE


def test_a_role_has_no_inline_policy_of_another_name(client: Any) -> None:
    assert Iam(client).inline_policy(given.ROLE_NAME, "docker-hub-pulls") is None


def test_an_inline_policy_that_may_not_be_read_is_an_error_and_not_absent() -> None:
    with Stubber(given.aws("iam")) as stubber:
        stubber.add_client_error("get_role_policy", "AccessDenied")
        denied: Any = stubber.client

        with pytest.raises(ClientError, match="AccessDenied"):
            Iam(denied).inline_policy(given.ROLE_NAME, "docker-hub-pulls")


def test_a_role_that_does_not_exist_is_an_error_of_iams(client: Any) -> None:
    iam = Iam(client)
    for ask in (
        lambda: iam.role(f"{given.ROLE}-gone"),
        lambda: iam.attached("gone"),
        lambda: iam.attach("gone", policy(client, "docker-hub")),
        lambda: iam.put_inline_policy("gone", "docker-hub-pulls", INLINE),
        lambda: iam.policy(given.POLICY),
    ):
        with pytest.raises(ClientError, match="NoSuchEntity"):
            ask()
