"""What the stack's parameters and a person's word hold back: everything, or the retry."""

from __future__ import annotations

from tests.workflow.account import Account
from tests.workflow.test_main_job import credential_of, variables_of


def test_mode_plan_reports_the_plan_and_writes_nothing(account: Account) -> None:
    account.create_project()
    before = account.project()
    build = account.failed_build()
    outcome = account.remediate(build, MODE="plan")
    assert outcome["outcome"] == "planned"
    assert account.writes() == []
    assert account.project() == before
    assert account.entry(build)["outcome"] == "planned"
    assert [line.split()[0] for line in outcome["changes"]] == ["attach", "pull", "set"]


def test_the_plan_names_the_changes_that_the_repair_then_makes(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    planned = account.remediate(build, MODE="plan")
    assert account.remediate(build, attempt=2)["changes"] == planned["changes"]


def test_retry_build_false_ends_with_a_patched_project_and_no_build(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build(), RETRY_BUILD="false")
    assert outcome["outcome"] == "patched"
    assert account.writes() == ["AttachRolePolicy", "UpdateProject"]
    assert account.project()["environment"]["registryCredential"] == credential_of(account)
    assert account.lease() is None


def test_a_person_may_ask_for_no_retry(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build(), retry=False)
    assert outcome["outcome"] == "patched"
    assert account.writes() == ["AttachRolePolicy", "UpdateProject"]


def test_a_person_can_not_ask_for_a_retry_that_the_stack_forbids(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build(), retry=True, RETRY_BUILD="false")
    assert (outcome["outcome"], account.calls.count("StartBuild")) == ("patched", 0)


def test_a_plan_with_nothing_to_do_changes_nothing_and_the_build_is_run_again(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.attach_policy()
    account.edit(
        environment={"registryCredential": credential_of(account), "environmentVariables": variables_of(account)}
    )
    before = account.project()
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated"
    assert outcome["changes"] == []
    assert account.writes() == ["StartBuild"]
    assert account.project() == before
    assert "repair" not in account.entry(build)


def test_a_project_that_lacks_the_grant_alone_gets_the_grant_alone(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.edit(
        environment={"registryCredential": credential_of(account), "environmentVariables": variables_of(account)}
    )
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated"
    assert account.writes() == ["AttachRolePolicy", "StartBuild"]


def test_no_time_is_spent_settling_where_nothing_was_granted(account: Account) -> None:
    account.create_project()
    account.attach_policy()
    result = account.run(account.failed_build())
    names = {operation.name for operation in result.get_all_operations()}
    assert "patch" in names
    assert not {"grant", "settle"} & names
