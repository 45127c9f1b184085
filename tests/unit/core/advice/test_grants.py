"""How a person makes the grant that the stack would make, in each mode, and what is said of it to the role's stack."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from remediator.core.advice.grants import let_role_read, take_grant_back, take_grant_before_delete
from remediator.core.advice.layout import one_line
from remediator.core.policies.inline_policy import inline_policy, inline_policy_name
from remediator.core.policies.secret_policy import names_role, with_role
from remediator.core.repair.change import GrantBy, GrantSecretAccess
from tests.unit import given
from tests.unit.repairs import HOSTILE, POLICY, SECRET, pasted

ROLE = "arn:aws:iam::111122223333:role/service-role/web-build"
OTHER_ROLE = "arn:aws:iam::111122223333:role/api-build"
GRANT = GrantSecretAccess(ROLE, POLICY, SECRET)


# By hand


@pytest.mark.parametrize("by", ["managed", "none"])
def test_the_managed_policy_is_attached_to_the_role_in_full(by: str) -> None:
    assert let_role_read(by, ROLE, POLICY, SECRET, "") == (
        """\
Let the project's builds read the credentials, before anything refers to them.
where: the service role web-build
why: a build whose role may not read a secret that it refers to fails before its first command

aws iam attach-role-policy --role-name web-build --policy-arn arn:aws:iam::111122223333:policy/read-dockerhub"""
    )


@pytest.mark.parametrize("key", ["", given.KEY])
def test_with_inline_the_very_policy_is_put_that_the_stack_looks_for(key: str) -> None:
    words = shlex.split(pasted(let_role_read("inline", ROLE, POLICY, SECRET, key)))

    assert words[:5] == ["aws", "iam", "put-role-policy", "--role-name", "web-build"]
    assert words[5:8] == ["--policy-name", inline_policy_name(SECRET), "--policy-document"]
    assert json.loads(words[8]) == inline_policy(SECRET, key)


def test_with_secret_the_statement_is_told_that_the_stack_looks_for_and_goes_on_editing() -> None:
    text = let_role_read("secret", ROLE, POLICY, SECRET, "")
    lines = pasted(text).splitlines()
    policy = "\n".join(line for line in lines if not line.startswith(("#", "aws ")))

    assert text.splitlines()[1] == f"where: the policy of the secret {SECRET}"
    assert names_role(policy, ROLE)
    assert names_role(with_role(policy, OTHER_ROLE), ROLE)
    get, put = (line for line in lines if line.startswith("aws "))
    assert f"get-resource-policy --region eu-west-1 --secret-id {SECRET}" in get
    assert f"put-resource-policy --region eu-west-1 --secret-id {SECRET}" in put
    assert "attach" not in text
    assert "ROLE-ARN" not in text


def test_with_secret_a_role_of_which_only_the_name_is_known_is_looked_up_first() -> None:
    lines = pasted(let_role_read("secret", "web-build", POLICY, SECRET, "")).splitlines()
    policy = json.loads("\n".join(line for line in lines if not line.startswith(("#", "aws "))))

    assert policy["Statement"][0]["Principal"] == {"AWS": ["ROLE-ARN"]}
    assert "# ROLE-ARN: aws iam get-role --role-name web-build --query Role.Arn --output text" in lines


@pytest.mark.parametrize("by", ["managed", "inline", "secret"])
def test_hostile_names_are_arguments_of_the_commands_and_no_more(by: str) -> None:
    lines = pasted(let_role_read(by, HOSTILE, HOSTILE, HOSTILE, HOSTILE)).splitlines()
    commands = [shlex.split(line) for line in lines if line.startswith("aws ")]

    assert len(commands) == (2 if by == "secret" else 1)
    assert all(words[0] == "aws" for words in commands)
    assert not {"curl", "evil.example", "sh", ";"} & {word for words in commands for word in words}


# Before the role's stack is deleted


# A grant that was in vain


def back(by: str) -> str:
    return take_grant_back(by, ROLE, POLICY, SECRET)


def test_a_grant_in_vain_in_full() -> None:
    assert back("managed") == (
        """\
Take the grant back, unless this project, or another one with the role web-build, names the secret.
where: the service role web-build
why: the role may read the secret, and the project was not signed in after that

aws iam detach-role-policy --policy-arn arn:aws:iam::111122223333:policy/read-dockerhub --role-name web-build"""
    )


def test_an_inline_policy_in_vain_is_deleted() -> None:
    assert pasted(back("inline")) == (
        "aws iam delete-role-policy --policy-name docker-hub-pulls-AbCdEf --role-name web-build"
    )


def test_a_role_that_the_secret_names_in_vain_is_taken_out_of_its_policy() -> None:
    lines = pasted(back("secret")).splitlines()
    assert lines[0].startswith("aws secretsmanager get-resource-policy ")
    assert ROLE in lines[1]
    assert "delete-resource-policy" in lines[2]
    assert lines[3].endswith("--resource-policy file://policy.json --block-public-policy")


@pytest.mark.parametrize("by", ["managed", "inline", "secret"])
def test_a_hostile_role_begins_no_line_of_its_own(by: str) -> None:
    text = take_grant_back(by, f"arn:aws:iam::111122223333:role/{HOSTILE}", POLICY, SECRET)
    assert HOSTILE not in text


# Before a stack is deleted


def before_delete(grant: GrantSecretAccess, stack: str) -> tuple[str, ...]:
    return take_grant_before_delete(grant.by, grant.role_name, grant.policy_arn, grant.secret_arn, stack)


def test_a_role_of_a_stack_in_full() -> None:
    assert before_delete(GRANT, "web") == (
        """\
Run this before the stack web is deleted or replaces the role web-build.
where: the role web-build of the stack web
why: IAM deletes no role that has a policy, and the stack does not know of this one

aws iam detach-role-policy --policy-arn arn:aws:iam::111122223333:policy/read-dockerhub --role-name web-build""",
    )


def test_an_inline_policy_is_deleted_from_the_role_of_a_stack() -> None:
    [text] = before_delete(replace(GRANT, by="inline"), "web")

    assert text.startswith("Run this before the stack web is deleted or replaces the role web-build.\n")
    assert pasted(text) == "aws iam delete-role-policy --policy-name docker-hub-pulls-AbCdEf --role-name web-build"


def test_a_grant_in_the_secrets_policy_keeps_no_role_from_being_deleted() -> None:
    assert before_delete(replace(GRANT, by="secret"), "web") == ()


@pytest.mark.parametrize("by", ["managed", "inline"])
def test_a_hostile_role_is_one_argument(by: GrantBy) -> None:
    [text] = before_delete(GrantSecretAccess(HOSTILE, HOSTILE, HOSTILE, by), HOSTILE)

    words = shlex.split(pasted(text))
    assert words[:2] == ["aws", "iam"]
    assert words[3::2] == ["--policy-arn" if by == "managed" else "--policy-name", "--role-name"]
    assert words[6] == one_line(HOSTILE.rpartition("/")[2])
    assert len(words) == 7
