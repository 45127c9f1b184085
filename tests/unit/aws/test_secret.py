"""The one secret, against moto's Secrets Manager: what is wrong with it is told, what it holds never."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from remediator.aws.secret import Credentials, MalformedSecret, Secret
from tests.moto_aws import mock_aws
from tests.unit import given

CLIENT = given.aws("secretsmanager")
"""One for all tests: to make one takes longer than a test. moto keeps what each of them does apart."""


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        yield CLIENT


def secret(client: Any, text: str) -> Secret:
    return Secret(client, client.create_secret(Name="docker-hub", SecretString=text)["ARN"])


def test_user_name_and_password_are_read(client: Any) -> None:
    text = json.dumps({"username": "hubuser", "password": "dckr_pat", "email": "x"})

    found = secret(client, text).read()

    version = client.get_secret_value(SecretId="docker-hub")["VersionId"]
    assert found == Credentials("hubuser", "dckr_pat", version=version)


def test_a_rotated_secret_is_read_anew_and_noticed_by_its_version(client: Any) -> None:
    found = secret(client, json.dumps({"username": "u", "password": "old"}))
    before = found.read()
    client.put_secret_value(SecretId="docker-hub", SecretString=json.dumps({"username": "u", "password": "new"}))

    after = found.read()

    assert after.password == "new"
    assert after.version != before.version
    assert found.read() == after


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hunter2", "no JSON object"),
        ('"hunter2"', "no JSON object"),
        ('["hunter2"]', "no JSON object"),
        ('{"username": "hunter2"', "no JSON object"),
        ('{"username": "hunter2"}', "key password"),
        ('{"password": "hunter2"}', "key username"),
        ('{"username": "", "password": "hunter2"}', "key username"),
        ('{"username": "hunter2", "password": " "}', "key password"),
        ('{"username": "hunter2", "password": null}', "key password"),
        ('{"username": "hunter2", "password": 7}', "key password"),
        ('{"username": ["hunter2"], "password": "x"}', "key username"),
        ('{"Username": "hunter2", "Password": "hunter2"}', "key username"),
    ],
)
def test_a_malformed_secret_is_told_by_its_key_and_never_by_its_content(client: Any, text: str, told: str) -> None:
    with pytest.raises(MalformedSecret) as refused:
        secret(client, text).read()

    assert told in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_binary_secret_is_malformed(client: Any) -> None:
    arn = client.create_secret(Name="binary", SecretBinary=b"hunter2")["ARN"]

    with pytest.raises(MalformedSecret, match="it is binary"):
        Secret(client, arn).read()


def test_a_secret_that_is_not_there_is_an_error_of_secrets_managers(client: Any) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        Secret(client, given.SECRET).read()


def test_credentials_are_never_shown() -> None:
    assert "hunter2" not in repr(Credentials("hunter2", "hunter2"))


# Its key


@pytest.mark.parametrize("key", ["alias/docker-hub", "0f8e7d6c-1111-4222-8333-a1b2c3d4e5f6", given.KEY])
def test_a_customer_key_is_told_as_secrets_manager_tells_it(client: Any, key: str) -> None:
    arn = client.create_secret(Name="docker-hub", SecretString="{}", KmsKeyId=key)["ARN"]

    assert Secret(client, arn).customer_key() == key


@pytest.mark.parametrize(
    "key", [None, "", "alias/aws/secretsmanager", f"{given.KEY.partition('key/')[0]}alias/aws/secretsmanager"]
)
def test_secrets_managers_own_key_is_no_customer_key(key: str | None) -> None:
    with Stubber(given.aws("secretsmanager")) as stubber:
        answer = {"ARN": given.SECRET, **({} if key is None else {"KmsKeyId": key})}
        stubber.add_response("describe_secret", answer, {"SecretId": given.SECRET})
        described: Any = stubber.client

        assert Secret(described, given.SECRET).customer_key() == ""


# Its policy

POLICY = '{"Version": "2012-10-17", "Statement": []}'


def stubbed(method: str, answer: dict[str, Any], asked: dict[str, Any]) -> Any:
    """Secrets Manager that expects this one request; moto keeps no policy of a secret's in the form it was given."""
    stubber = Stubber(given.aws("secretsmanager"))
    stubber.add_response(method, answer, asked)
    stubber.activate()
    return stubber.client


@pytest.mark.parametrize(("answer", "policy"), [({"ResourcePolicy": POLICY}, POLICY), ({}, None)])
def test_the_secrets_policy_is_read_as_text_where_it_has_one(answer: dict[str, Any], policy: str | None) -> None:
    client = stubbed("get_resource_policy", {"ARN": given.SECRET, **answer}, {"SecretId": given.SECRET})

    assert Secret(client, given.SECRET).policy() == policy


def test_the_secrets_policy_is_never_written_without_the_block_of_public_ones() -> None:
    asked = {"SecretId": given.SECRET, "ResourcePolicy": POLICY, "BlockPublicPolicy": True}
    client = stubbed("put_resource_policy", {"ARN": given.SECRET}, asked)

    Secret(client, given.SECRET).put_policy(POLICY)


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "InvalidRequestException"])
def test_a_secret_that_is_gone_has_no_policy(code: str) -> None:
    assert Secret(refusing("get_resource_policy", code), given.SECRET).policy() is None


def test_a_policy_that_may_not_be_read_is_an_error() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        Secret(refusing("get_resource_policy", "AccessDeniedException"), given.SECRET).policy()


def refusing(call: str, code: str) -> Any:
    client = given.aws("secretsmanager")
    stub = Stubber(client)
    stub.add_client_error(call, code)
    stub.activate()
    return client
