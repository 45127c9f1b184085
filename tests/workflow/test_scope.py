"""Which projects are in scope: the owner's tag, the mode that asks for it, the stack's own, and who shares a role."""

from __future__ import annotations

import pytest

from remediator.records.role_index import FRESH
from tests.workflow.account import Account
from tests.workflow.watched import once

TAG = "DockerHubRemediation"


def tagged(value: str) -> list[dict[str, str]]:
    return [{"key": TAG, "value": value}]


@pytest.mark.parametrize("value", ["off", "Off", "false", "no", ""])
def test_a_project_whose_tag_is_anything_but_on_is_left_alone(account: Account, value: str) -> None:
    account.create_project(tags=tagged(value))
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], account.writes()) == ("skipped", [])
    assert TAG in outcome["reason"]
    answer = account.ask({"command": "plan", "project": "orders"})
    assert (answer["outcome"], answer["reason"]) == ("skipped", outcome["reason"])


def test_a_persons_word_does_not_go_before_the_owners_tag(account: Account) -> None:
    account.create_project(tags=tagged("off"))
    assert account.remediate(account.failed_build(), attempt=2)["outcome"] == "skipped"


def test_where_tags_are_asked_for_only_a_tagged_project_is_repaired(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build(), TAGGED_PROJECTS_ONLY="true")
    assert (outcome["outcome"], account.writes()) == ("skipped", [])
    account.create_project("invoices", tags=tagged("on"))
    outcome = account.remediate(account.failed_build("invoices"), TAGGED_PROJECTS_ONLY="true")
    assert outcome["outcome"] == "remediated"


def test_a_project_that_is_tagged_while_it_waits_for_its_grant_is_left_alone(account: Account) -> None:
    account.create_project()
    account.after.append(once("AttachRolePolicy", lambda: account.edit(tags=tagged("off"))))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "advised"
    assert account.writes() == ["AttachRolePolicy"]
    assert "before that the role orders-build was let read the secret" in outcome["reason"]
    assert outcome["changes"] == [f"attach the policy {account.policy_arn} to the role orders-build"]
    assert f"detach-role-policy --policy-arn {account.policy_arn} --role-name orders-build" in outcome["advice"][1]


def test_a_project_out_of_scope_gets_no_retry_either_where_time_would_cure_it(account: Account) -> None:
    account.create_project(tags=tagged("off"))
    build = account.build_that_says("toomanyrequests: Too Many Requests (HAP429)")
    assert account.remediate(build)["outcome"] == "skipped"
    assert account.writes() == []


def test_the_stack_never_acts_on_what_is_its_own(account: Account) -> None:
    account.create_project(tags=[{"key": "aws:cloudformation:stack-name", "value": "remediator"}])
    own_role = account.remediate(account.failed_build(), STACK_NAME="", OWN_ROLE=account.role_arn)
    own_stack = account.remediate(account.failed_build())
    for outcome in (own_role, own_stack):
        assert outcome["outcome"] == "skipped"
        assert "never acts on itself" in outcome["reason"]
    assert account.writes() == []


# A role that several projects share


def test_projects_that_share_the_role_are_named(account: Account) -> None:
    for name in ("orders", "invoices", "billing"):
        account.create_project(name)
    account.create_project("apart", serviceRole=account.make_role("apart-build"))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "remediated"
    (told,) = [advice for advice in outcome["advice"] if "is shared with" in advice]
    assert "orders-build is shared with billing, invoices:" in told


def test_a_role_that_an_open_project_shares_is_granted_nothing(account: Account) -> None:
    account.create_project()
    account.create_project("open")
    account.plant("open", projectVisibility="PUBLIC_READ")
    build = account.failed_build()
    outcome = account.remediate(build)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "shares with open:" in outcome["reason"]
    assert account.remediate(build, attempt=2, UNTRUSTED_PROJECTS="repair")["outcome"] == "remediated"


def test_projects_out_of_the_name_pattern_are_not_asked_for(account: Account) -> None:
    account.create_project("ours-orders")
    account.create_project("theirs")
    outcome = account.remediate(account.failed_build("ours-orders"), PROJECT_NAME_PATTERN="ours-*")
    assert outcome["outcome"] == "remediated"
    assert not [advice for advice in outcome["advice"] if "is shared with" in advice]


@pytest.mark.parametrize("way", ["StartBuild", "RetryBuild"])
def test_a_project_that_is_tagged_before_its_retry_is_told_how_the_repair_is_taken_back(
    account: Account, way: str
) -> None:
    account.create_project()
    build = account.failed_build() if way == "StartBuild" else account.failed_build_of("GitHub-Hookshot/e0e1f2a")
    account.before.append(once("ListBuildsForProject", lambda: account.edit(tags=tagged("off"))))
    outcome = account.remediate(build)
    assert (outcome["outcome"], account.writes()) == ("patched", ["AttachRolePolicy", "UpdateProject"])
    assert "the build was not run again: the project's tag DockerHubRemediation is not `on`" in outcome["reason"]
    assert any("./remediator undo orders --stack remediator" in line for line in outcome["advice"])


def test_while_it_is_asked_who_shares_the_role_a_build_waits_for_its_retry(account: Account) -> None:
    account.create_project()
    build = account.failed_build()

    def another_reads() -> None:
        account.world.sleep(FRESH + 1)  # what is known of the roles is too old by now
        assert account.services().role_index.begin("another", account.world.now())

    account.waits_pass = True
    account.after.append(once("UpdateProject", another_reads))
    assert account.remediate(build)["outcome"] == "remediated"
    assert account.asked("StartBuild") == {"StartBuild": 1}
