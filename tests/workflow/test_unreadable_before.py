"""A secret that a role could not read: what was learned when a repair was taken back spares the next project that."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.workflow.account import SECRET, Account, Json
from tests.workflow.test_policy_modes import AUDITORS


def with_project(account: Account, name: str, role: str) -> Json:
    """A throttled build of a new project with this role."""
    account.create_project(name, serviceRole=role)
    return account.failed_build(name)


def taken_back(account: Account, name: str = "orders", role: str = "", mode: str = "managed") -> None:
    """A project whose role could not read the secret, so that its repair was taken back; then roles can again."""
    build = with_project(account, name, role or account.role_arn)
    account.world.late_reads = 1_000
    outcome = account.remediate(build, POLICY_MODE=mode)
    assert "were taken back" in outcome["reason"], outcome
    account.world.late_reads = 0
    account.calls.clear()


@pytest.mark.parametrize("mode", ["managed", "inline", "secret"])
def test_the_next_project_with_that_role_is_told_and_not_changed(account: Account, mode: str) -> None:
    taken_back(account, mode=mode)
    build = with_project(account, "invoices", account.role_arn)
    outcome = account.remediate(build, POLICY_MODE=mode)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "builds with the service role orders-build could not read the secret" in outcome["reason"]


def test_a_project_with_another_role_is_repaired(account: Account) -> None:
    taken_back(account)
    build = with_project(account, "invoices", account.make_role("invoices-build"))
    assert account.remediate(build)["outcome"] == "remediated"


def test_once_two_roles_could_not_read_it_nobody_is_tried_until_a_person_says_so(account: Account) -> None:
    taken_back(account)
    taken_back(account, "invoices", account.make_role("invoices-build"))
    build = with_project(account, "billing", account.make_role("billing-build"))
    outcome = account.remediate(build)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "other service roles (invoices-build, orders-build)" in outcome["reason"]
    assert account.remediate(build, attempt=2)["outcome"] == "remediated"
    assert account.remediate(with_project(account, "mails", account.role_arn))["outcome"] == "remediated"


def test_two_roles_of_their_own_fault_keep_no_third_one_out_where_others_read_the_secret(account: Account) -> None:
    taken_back(account)
    assert (
        account.remediate(with_project(account, "mails", account.make_role("mails-build")))["outcome"] == "remediated"
    )
    taken_back(account, "invoices", account.make_role("invoices-build"))
    build = with_project(account, "billing", account.make_role("billing-build"))
    assert account.remediate(build)["outcome"] == "remediated"
    outcome = account.remediate(with_project(account, "stock", account.role_arn))
    assert outcome["outcome"] == "advised"
    assert "builds with the service role orders-build" in outcome["reason"]


def test_what_a_committer_names_and_is_not_there_keeps_nobody_elses_project_from_its_repair(account: Account) -> None:
    """A buildspec may name any secret. Of one that is not there CodeBuild's message names none."""
    gone = {"name": "THEIRS", "value": f"{account.secret_arn}:username:AWSPREVIOUS", "type": "SECRETS_MANAGER"}
    for name in ("orders", "invoices"):
        account.create_project(name, environment={"environmentVariables": [gone]}, serviceRole=account.make_role(name))
        outcome = account.remediate(account.failed_build(name))
        assert "it then failed in DOWNLOAD_SOURCE by itself" in outcome["reason"], outcome
    outcome = account.remediate(with_project(account, "billing", account.make_role("billing-build")))
    assert outcome["outcome"] == "remediated", outcome


def _new_version(account: Account) -> None:
    account.put_secret(json.dumps(SECRET))


def _new_policy(account: Account) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [AUDITORS]})
    account.boto("secretsmanager").put_resource_policy(SecretId=account.secret_arn, ResourcePolicy=policy)


@pytest.mark.parametrize("change", [_new_version, _new_policy])
def test_a_new_version_and_an_edit_of_the_policy_make_it_tried_again(
    account: Account, change: Callable[[Account], None]
) -> None:
    taken_back(account)
    change(account)
    build = with_project(account, "invoices", account.role_arn)
    assert account.remediate(build)["outcome"] == "remediated"


def test_a_day_later_it_is_tried_again_too(account: Account) -> None:
    """What refuses a role may lie where nobody here can look."""
    taken_back(account)
    build = with_project(account, "invoices", account.role_arn)
    account.world.sleep(86_400 - 3_600)
    assert account.remediate(build)["outcome"] == "advised"
    account.world.sleep(3_600 + 60)
    assert account.remediate(with_project(account, "billing", account.role_arn))["outcome"] == "remediated"


def test_a_persons_word_that_did_not_help_is_learned_too(account: Account) -> None:
    taken_back(account)
    build = with_project(account, "invoices", account.role_arn)
    account.world.late_reads = 1_000
    assert account.remediate(build, attempt=2)["outcome"] == "gave-up"
    account.calls.clear()
    outcome = account.remediate(with_project(account, "billing", account.role_arn))
    assert (outcome["outcome"], account.writes()) == ("advised", [])


def test_what_was_only_planned_is_told_as_well(account: Account) -> None:
    taken_back(account)
    outcome = account.remediate(with_project(account, "invoices", account.role_arn), MODE="plan")
    assert outcome["outcome"] == "advised"
    assert "could not read the secret" in outcome["reason"]
