"""Where the permission to read the secret is written: in each mode the build comes back, or a person is told why."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.workflow.account import ACCOUNT, Account, Json, outcome_of
from tests.workflow.watched import Killed, once, refused, refusing

IAM_WRITES = ("AttachRolePolicy", "PutRolePolicy")

AUDITORS = {
    "Sid": "Auditors",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/audit"},
    "Action": "secretsmanager:DescribeSecret",
    "Resource": "*",
}
"""A statement of the owner's own in the secret's policy."""


def roles_in(account: Account) -> list[str]:
    """The roles that the secret's own policy names."""
    (statement,) = json.loads(account.secret_policy())["Statement"]
    names = statement["Principal"]["AWS"]
    return [names] if isinstance(names, str) else list(names)


def inline_policies(account: Account, role: str = "orders-build") -> dict[str, Json]:
    iam = account.boto("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}


def test_in_the_secrets_own_policy_the_role_is_named_and_nothing_is_written_in_iam(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build(), POLICY_MODE="secret")
    assert outcome["outcome"] == "remediated", outcome
    assert roles_in(account) == [account.role_arn]
    assert account.writes() == ["PutResourcePolicy", "UpdateProject", "StartBuild"]
    assert not {*IAM_WRITES, "ListAttachedRolePolicies", "GetRolePolicy"} & {*account.calls}
    assert "name the role orders-build in the resource policy of the secret" in outcome["changes"][0]


def test_roles_that_are_named_already_and_other_statements_stay_in_the_secrets_policy(account: Account) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [AUDITORS]})
    account.boto("secretsmanager").put_resource_policy(SecretId=account.secret_arn, ResourcePolicy=policy)
    first, second = account.role_arn, account.make_role("invoices-build")
    account.create_project()
    account.create_project("invoices", serviceRole=second)
    for name in ("orders", "invoices"):
        assert account.remediate(account.failed_build(name), POLICY_MODE="secret")["outcome"] == "remediated"
    kept, ours = json.loads(account.secret_policy())["Statement"]
    assert kept == AUDITORS
    assert ours["Principal"] == {"AWS": sorted([first, second])}


def test_ten_repairs_at_once_lose_no_role_from_the_secrets_policy(account: Account) -> None:
    roles = [account.make_role(f"build-{number}") for number in range(10)]
    for number, role in enumerate(roles):
        account.create_project(f"project-{number}", serviceRole=role)
    builds = [account.failed_build(f"project-{number}") for number in range(10)]
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda build: account.run(build, POLICY_MODE="secret"), builds))
    assert {outcome_of(result)["outcome"] for result in results} == {"remediated"}
    assert roles_in(account) == sorted(roles)


def test_an_edit_of_the_secrets_policy_that_was_killed_is_made_again(account: Account) -> None:
    account.create_project()

    def kill() -> None:
        raise Killed("in the middle of the edit")

    account.before.append(once("PutResourcePolicy", kill))
    assert account.remediate(account.failed_build(), POLICY_MODE="secret")["outcome"] == "remediated"
    assert roles_in(account) == [account.role_arn]


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        (
            {"Sid": "DockerHubPulls", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
            "DockerHubPulls",
        ),
        ({"Sid": "X" * 20_300, "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}, "20,480"),
    ],
)
def test_a_secrets_policy_that_can_not_take_the_role_is_left_as_it_is_and_told(
    account: Account, policy: Json, word: str
) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    account.boto("secretsmanager").put_resource_policy(SecretId=account.secret_arn, ResourcePolicy=text)
    account.create_project()
    outcome = account.remediate(account.failed_build(), POLICY_MODE="secret")
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert word in outcome["reason"]
    assert account.secret_policy() == text


MODES = ["managed", "inline", "secret", "none"]


ONLY_OUR_OWN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "secretsmanager:GetSecretValue",
                "Resource": "*",
                "Condition": {"StringNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/remediator*"}},
            }
        ],
    }
)


@pytest.mark.parametrize("mode", MODES)
def test_a_secrets_policy_that_denies_the_role_is_told_before_anything_is_changed(account: Account, mode: str) -> None:
    account.attach_policy()  # with the mode none a person has to
    policy = ONLY_OUR_OWN
    account.boto("secretsmanager").put_resource_policy(SecretId=account.secret_arn, ResourcePolicy=policy)
    account.create_project()
    build = account.failed_build()
    outcome = account.remediate(build, POLICY_MODE=mode)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert f"denies the role {account.role_arn}" in outcome["reason"]
    text = policy.replace("role/remediator*", "role/service-role/*")
    account.boto("secretsmanager").put_resource_policy(SecretId=account.secret_arn, ResourcePolicy=text)
    assert account.remediate(build, attempt=2, POLICY_MODE=mode)["outcome"] == "remediated"


def test_a_person_who_is_to_make_the_grant_is_told_at_once_that_the_secrets_policy_denies_the_role(
    account: Account,
) -> None:
    account.boto("secretsmanager").put_resource_policy(SecretId=account.secret_arn, ResourcePolicy=ONLY_OUR_OWN)
    account.create_project()
    outcome = account.remediate(account.failed_build(), POLICY_MODE="none")
    assert outcome["reason"].startswith("PolicyMode is none")
    assert f"denies the role {account.role_arn}" in outcome["reason"]
    assert any("leave the role out of that statement" in advice for advice in outcome["advice"])
    assert any("attach-role-policy" in advice for advice in outcome["advice"])


def test_the_articles_inline_policy_names_the_one_secret(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build(), POLICY_MODE="inline")
    assert outcome["outcome"] == "remediated", outcome
    (document,) = inline_policies(account).values()
    assert [(s["Action"], s["Resource"]) for s in document["Statement"]] == [
        ("secretsmanager:GetSecretValue", account.secret_arn)
    ]
    assert account.writes() == ["PutRolePolicy", "UpdateProject", "StartBuild"]


def test_an_inline_policy_that_is_there_is_not_put_again(account: Account) -> None:
    account.create_project()
    account.remediate(account.failed_build(), POLICY_MODE="inline")
    account.create_project("invoices")
    account.calls.clear()
    assert account.remediate(account.failed_build("invoices"), POLICY_MODE="inline")["outcome"] == "remediated"
    assert account.writes() == ["UpdateProject", "StartBuild"]


def test_a_role_outside_of_the_path_is_advised(account: Account) -> None:
    account.create_project()
    account.before.append(refusing("PutRolePolicy", refused("PutRolePolicy", "AccessDenied", "not under /ci/")))
    outcome = account.remediate(account.failed_build(), POLICY_MODE="inline")
    assert (outcome["outcome"], inline_policies(account)) == ("advised", {})
    assert "not under /ci/" in outcome["reason"]
    assert "UpdateProject" not in account.calls


def test_with_none_a_person_is_told_how_to_grant_and_then_the_rest_is_done(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    outcome = account.remediate(build, POLICY_MODE="none")
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert f"attach-role-policy --role-name orders-build --policy-arn {account.policy_arn}" in outcome["advice"][0]
    account.attach_policy()
    assert account.remediate(build, attempt=2, POLICY_MODE="none")["outcome"] == "remediated"
    assert account.writes() == ["UpdateProject", "StartBuild"]


def test_a_role_with_ten_policies_is_told_with_the_ways_out(account: Account) -> None:
    account.create_project()
    for number in range(10):
        arn = account.make_policy(f"other-{number}")
        account.boto("iam").attach_role_policy(RoleName="orders-build", PolicyArn=arn)
    limit = refused("AttachRolePolicy", "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", 409)
    account.before.append(refusing("AttachRolePolicy", limit))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "advised"
    assert "PoliciesPerRole: 10" in outcome["reason"]
    assert "PolicyMode=secret" in outcome["advice"][0]
    assert "UpdateProject" not in account.calls


BOUNDARY = {"Effect": "Allow", "Action": ["codebuild:*", "logs:*"], "Resource": "*"}


@pytest.mark.parametrize("mode", ["managed", "secret", "inline"])
def test_a_boundary_that_keeps_the_role_from_the_secret_is_told_with_the_statement_to_add(
    account: Account, mode: str
) -> None:
    with_boundary(account, BOUNDARY)
    outcome = account.remediate(account.failed_build(), POLICY_MODE=mode)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "permissions boundary" in outcome["reason"]
    assert '"secretsmanager:GetSecretValue"' in outcome["advice"][0]


def test_a_boundary_that_lets_the_role_read_the_secret_is_no_objection(account: Account) -> None:
    with_boundary(account, {"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert account.remediate(account.failed_build())["outcome"] == "remediated"


def with_boundary(account: Account, statement: Json) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = account.boto("iam")
    arn = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="orders-build", PermissionsBoundary=arn)
    account.create_project()
