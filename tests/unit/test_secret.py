"""The one secret, against moto's Secrets Manager: what is wrong with it is told, what it holds never."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from remediator.aws.secret import Credentials, MalformedSecret, Secret
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

    assert secret(client, text).read() == Credentials("hubuser", "dckr_pat")


def test_a_rotated_secret_is_read_anew(client: Any) -> None:
    found = secret(client, json.dumps({"username": "u", "password": "old"}))
    client.put_secret_value(SecretId="docker-hub", SecretString=json.dumps({"username": "u", "password": "new"}))

    assert found.read().password == "new"


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
