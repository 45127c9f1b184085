"""A secret under a customer key: known or refused, and its policy is looked at before anything refers to the secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.workflow.account import ACCOUNT, REGION, SECRET, Account
from tests.workflow.watched import refused, refusing

WITH_KEY: Any = {"SECRET_KMS_KEY_ARN": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/of-the-parameter"}
ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
EVERYBODY_HERE = {
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": "kms:Decrypt",
    "Resource": "*",
    "Condition": {
        "StringEquals": {
            "kms:CallerAccount": ACCOUNT,
            "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com",
        }
    },
}
"""As the key policy of aws/secretsmanager says it."""
ADMINISTRATORS = {**ROOT, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/admin"}}


def under_a_key(account: Account, statement: Any = ROOT) -> str:
    """A project, and the secret under a key with this policy; the key's ARN."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    key: str = account.boto("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    account.boto("secretsmanager").update_secret(
        SecretId=account.secret_arn, KmsKeyId=key, SecretString=json.dumps(SECRET)
    )
    account.create_project()
    return key


def test_a_key_that_the_stack_does_not_know_is_rejected_by_its_name(account: Account) -> None:
    key = under_a_key(account)
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], account.writes()) == ("rejected", [])
    assert key in outcome["reason"]
    assert "SecretKmsKeyArn" in outcome["advice"][0]


def test_a_secret_that_can_not_be_decrypted_is_rejected_by_the_name_of_its_key(account: Account) -> None:
    key = under_a_key(account)
    denied = refused("GetSecretValue", "AccessDeniedException", "Access to KMS is not allowed")
    account.before.append(refusing("GetSecretValue", denied))
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], account.writes()) == ("rejected", [])
    assert key in outcome["reason"]


@pytest.mark.parametrize("mode", ["managed", "inline"])
def test_a_key_whose_policy_lets_the_account_decide_is_used(account: Account, mode: str) -> None:
    under_a_key(account)
    outcome = account.remediate(account.failed_build(), POLICY_MODE=mode, **WITH_KEY)
    assert outcome["outcome"] == "remediated", outcome


def test_where_nothing_is_written_in_iam_the_keys_policy_has_to_let_the_role_in_itself(account: Account) -> None:
    under_a_key(account)
    build = account.failed_build()
    outcome = account.remediate(build, POLICY_MODE="secret", **WITH_KEY)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    account.boto("kms").put_key_policy(
        KeyId=account.boto("secretsmanager").describe_secret(SecretId=account.secret_arn)["KmsKeyId"],
        PolicyName="default",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [ROOT, EVERYBODY_HERE]}),
    )
    outcome = account.remediate(build, attempt=2, POLICY_MODE="secret", **WITH_KEY)
    assert outcome["outcome"] == "remediated", outcome


def test_an_inline_policy_lets_the_role_decrypt_that_secret_and_no_other_one(account: Account) -> None:
    key = under_a_key(account)
    account.remediate(account.failed_build(), POLICY_MODE="inline", **WITH_KEY)
    iam = account.boto("iam")
    (name,) = iam.list_role_policies(RoleName="orders-build")["PolicyNames"]
    document = iam.get_role_policy(RoleName="orders-build", PolicyName=name)["PolicyDocument"]
    decrypt = document["Statement"][1]
    assert (decrypt["Action"], decrypt["Resource"]) == ("kms:Decrypt", key)
    only = {
        "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com",
        "kms:EncryptionContext:SecretARN": account.secret_arn,
    }
    assert decrypt["Condition"] == {"StringEquals": only}


def test_a_key_whose_policy_would_refuse_the_role_is_told_with_the_statement_to_add(account: Account) -> None:
    key = under_a_key(account, ADMINISTRATORS)
    outcome = account.remediate(account.failed_build(), **WITH_KEY)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert key in outcome["reason"]
    statement = json.loads(outcome["advice"][0].partition("\n\n")[2])
    assert statement["Principal"] == {"AWS": account.role_arn}
    assert statement["Action"] == "kms:Decrypt"


def test_a_key_that_is_not_the_stacks_can_not_be_looked_at_and_is_told(account: Account) -> None:
    under_a_key(account)
    account.before.append(refusing("DescribeKey", refused("DescribeKey", "AccessDeniedException", "another key")))
    outcome = account.remediate(account.failed_build(), **WITH_KEY)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "SecretKmsKeyArn" in outcome["advice"][0]


def test_a_secret_of_another_account_or_region_is_refused_with_the_reason(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    for other in (("123456789012", "210987654321"), ("eu-west-1", "eu-central-1")):
        outcome = account.remediate(build, SECRET_ARN=account.secret_arn.replace(*other))
        assert (outcome["outcome"], account.writes()) == ("advised", [])
        assert "not of this account and region" in outcome["reason"]
    assert "GetSecretValue" not in account.calls


def test_a_key_whose_policy_is_for_the_one_secret_is_used_and_one_for_another_secret_is_not(account: Account) -> None:
    def of_secret(arn: str) -> Any:
        only = {"StringEquals": {"kms:EncryptionContext:SecretARN": arn}}
        return {**ROOT, "Condition": only}

    key = under_a_key(account, of_secret(f"{account.secret_arn}x"))
    build = account.failed_build()
    assert account.remediate(build, **WITH_KEY)["outcome"] == "advised"
    assert account.writes() == []
    policy = json.dumps({"Version": "2012-10-17", "Statement": [of_secret(account.secret_arn)]})
    account.boto("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert account.remediate(build, attempt=2, **WITH_KEY)["outcome"] == "remediated"
