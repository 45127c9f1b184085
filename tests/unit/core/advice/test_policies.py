"""What the advice on a key's policy and on a boundary says, to the letter, and that its statements help."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remediator.core.advice.policies import let_boundary, let_key_policy
from remediator.core.policies.evaluate import DECRYPT, READ_SECRET, boundary_refuses, key_policy_refuses
from tests.unit.repairs import HOSTILE, SECRET, SMUGGLED, pasted

ROLE = "arn:aws:iam::111122223333:role/web-build"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::111122223333:policy/developers"


def statements(text: str) -> list[dict[str, Any]]:
    """As they are pasted into a list of statements."""
    read: list[dict[str, Any]] = json.loads(f"[{pasted(text)}]")
    return read


def test_a_keys_policy_in_full() -> None:
    assert let_key_policy(ROLE, SECRET, KEY) == (
        """\
Let the role decrypt the secret: add this statement to the key's policy, and leave the role out of every statement \
there that denies it.
where: the policy of the KMS key arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
why: whoever reads the secret decrypts it with this key, and no other policy helps where the key's own policy does \
not let the role in

{
  "Sid": "DockerHubPulls",
  "Effect": "Allow",
  "Principal": {
    "AWS": "arn:aws:iam::111122223333:role/web-build"
  },
  "Action": "kms:Decrypt",
  "Resource": "*",
  "Condition": {
    "StringEquals": {
      "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com",
      "kms:EncryptionContext:SecretARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf"
    }
  }
}"""
    )


def test_a_boundary_in_full() -> None:
    assert let_boundary(ROLE, BOUNDARY, SECRET, KEY) == (
        """\
Let the boundary allow the role to read the secret: add these statements, and take the secret out of every statement \
there that denies it.
where: arn:aws:iam::111122223333:policy/developers, the permissions boundary of the role \
arn:aws:iam::111122223333:role/web-build
why: a role may do nothing that its boundary does not allow, whatever other policies grant

{
  "Sid": "DockerHubPulls",
  "Effect": "Allow",
  "Action": "secretsmanager:GetSecretValue",
  "Resource": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf"
},
{
  "Sid": "DockerHubPullsKey",
  "Effect": "Allow",
  "Action": "kms:Decrypt",
  "Resource": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
  "Condition": {
    "StringEquals": {
      "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com",
      "kms:EncryptionContext:SecretARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf"
    }
  }
}"""
    )


def test_the_statement_lets_the_role_in() -> None:
    document = {"Statement": statements(let_key_policy(ROLE, SECRET, KEY))}
    assert not key_policy_refuses(document, ROLE, SECRET, KEY)
    assert key_policy_refuses(document, f"{ROLE}er", SECRET, KEY)
    assert key_policy_refuses(document, ROLE, f"{SECRET[:-1]}g", KEY)


@pytest.mark.parametrize("key", ["", KEY])
def test_a_boundary_with_the_statements_refuses_nothing(key: str) -> None:
    document = {"Statement": statements(let_boundary(ROLE, BOUNDARY, SECRET, key))}
    refused = (READ_SECRET, DECRYPT) if key else (READ_SECRET,)
    assert boundary_refuses(document, ROLE, SECRET, key) == ()
    assert boundary_refuses(document, ROLE, f"{SECRET[:-1]}g", key) == refused


@pytest.mark.parametrize(
    ("key", "refused", "asked"),
    [
        (KEY, (READ_SECRET,), [READ_SECRET]),
        (KEY, (DECRYPT,), [DECRYPT]),
        (KEY, (READ_SECRET, DECRYPT), [READ_SECRET, DECRYPT]),
        (KEY, (), [READ_SECRET, DECRYPT]),
        ("", (), [READ_SECRET]),
    ],
)
def test_only_what_the_boundary_refuses_is_asked_for(key: str, refused: tuple[str, ...], asked: list[str]) -> None:
    text = let_boundary(ROLE, BOUNDARY, SECRET, key, refused)
    assert [statement["Action"] for statement in statements(text)] == asked


def test_a_boundary_that_is_awss_own_is_replaced() -> None:
    text = let_boundary(ROLE, "arn:aws:iam::aws:policy/ReadOnlyAccess", SECRET)
    assert text.startswith("Give the role a boundary of your own that allows what AWS's policy does and has these ")


def test_hostile_names_stay_in_their_strings() -> None:
    for text in (let_key_policy(HOSTILE, HOSTILE, HOSTILE), let_boundary(HOSTILE, HOSTILE, HOSTILE, HOSTILE)):
        assert not any(line.startswith(SMUGGLED) for line in text.splitlines()[3:])
        assert all(line.isprintable() for line in text.split("\n"))
        assert statements(text)[0]["Sid"] == "DockerHubPulls"
