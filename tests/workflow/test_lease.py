"""Whose project it is while it is repaired: one execution's, and nobody's for longer than that execution runs."""

from __future__ import annotations

from tests.workflow.account import Account, Json
from tests.workflow.fake_lambda import execution_arn
from tests.workflow.watched import Killed, once, refused, refusing

OTHER = execution_arn("11111111-2222-3333-4444-555555555555-1")


def hold(account: Account, holder: str = OTHER) -> None:
    account.boto("dynamodb").put_item(
        TableName="journal",
        Item={"pk": {"S": "project#orders"}, "execution": {"S": holder}, "build": {"S": "orders:x"}},
    )


def test_the_lease_of_an_execution_that_no_longer_runs_is_taken_over(account: Account) -> None:
    account.create_project()
    hold(account)
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    assert account.calls[:3] == ["UpdateItem", "GetDurableExecution", "UpdateItem"]
    assert account.lease() is None


def test_the_lease_of_an_execution_that_lambda_does_not_know_is_taken_over(account: Account) -> None:
    account.create_project()
    hold(account)
    unknown = refused("GetDurableExecution", "ResourceNotFoundException", status=404)
    account.before.append(refusing("GetDurableExecution", unknown))
    assert account.remediate(account.failed_build())["outcome"] == "remediated"


def test_an_execution_that_runs_is_waited_for(account: Account) -> None:
    account.create_project()
    hold(account)
    account.lambda_.patience = 0.0
    account.lambda_.begin(OTHER)
    account.before.append(once("GetDurableExecution", lambda: account.lambda_.end(OTHER), at=4))
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    assert account.calls.count("GetDurableExecution") == 4
    assert account.calls.index("AttachRolePolicy") > max(
        i for i, call in enumerate(account.calls) if call == "GetDurableExecution"
    )


def test_a_project_that_is_never_free_is_left_alone_after_an_hour(account: Account) -> None:
    account.create_project()
    hold(account)
    account.lambda_.patience = 0.0
    account.lambda_.begin(OTHER)
    build = account.failed_build()
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up"
    assert OTHER in outcome["reason"]
    assert account.writes() == []
    assert account.entry(build)["outcome"] == "gave-up"
    assert account.lease() == OTHER


def test_an_execution_recognises_its_own_claim_when_the_step_runs_again(account: Account) -> None:
    account.create_project()
    account.after.append(refusing("UpdateItem", Killed("after the claim, before its checkpoint"), times=1))
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    assert account.calls[:3] == ["UpdateItem", "UpdateItem", "BatchGetBuilds"]
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 1}


def test_the_lease_goes_back_when_the_project_is_left_alone(account: Account) -> None:
    account.create_project()
    account.plant(projectVisibility="PUBLIC_READ")
    assert account.remediate(account.failed_build())["outcome"] == "advised"
    assert account.lease() is None


def test_the_lease_goes_back_when_a_step_fails_for_good(account: Account) -> None:
    account.create_project()
    account.before.append(refusing("BatchGetProjects", refused("BatchGetProjects", "AccessDeniedException")))
    build = account.failed_build()
    assert account.remediate(build)["outcome"] == "failed"
    assert account.lease() is None
    assert account.entry(build)["outcome"] == "failed"


def test_the_project_is_free_again_while_its_retried_build_runs(account: Account) -> None:
    account.create_project()
    free: list[bool] = []
    look = once("BatchGetBuilds", lambda: free.append(account.lease() is None), at=2)
    account.before.append(look)
    account.remediate(account.failed_build())
    assert free == [True]


def test_the_lease_of_another_execution_is_not_given_back(account: Account) -> None:
    account.create_project()
    account.before.append(once("StartBuild", lambda: hold(account)))
    account.remediate(account.failed_build())
    assert account.lease() == OTHER


def test_a_journal_that_does_not_answer_at_once_is_asked_again(account: Account) -> None:
    account.create_project()
    slow = refused("UpdateItem", "ThrottlingException")
    account.before.append(refusing("UpdateItem", slow, times=3))
    assert account.remediate(account.failed_build())["outcome"] == "remediated"


def test_two_writes_at_the_same_moment_are_a_reason_to_wait(account: Account) -> None:
    conflict = refused(
        "TransactWriteItems",
        "TransactionCanceledException",
        "Transaction cancelled",
        CancellationReasons=[{"Code": "None"}, {"Code": "TransactionConflict"}],
    )
    account.create_project()
    account.before.append(refusing("TransactWriteItems", conflict, times=1))
    assert account.remediate(account.failed_build())["outcome"] == "remediated"


def test_a_persons_attempt_beside_one_that_still_follows_its_retry_is_left_to_that(account: Account) -> None:
    account.create_project()
    account.lambda_.patience = 0.0
    build = account.failed_build()
    account.world.when = "told"
    beside: list[Json] = []

    def later() -> None:
        beside.append(account.remediate(build, attempt=2))
        account.world.finish()
        account.world.when = "watched"

    account.before.append(once("BatchGetBuilds", later, at=3))
    assert account.remediate(build)["outcome"] == "remediated"
    assert [(one["outcome"], "is with execution" in one["reason"]) for one in beside] == [("skipped", True)]
    entry = account.entry(build)
    assert (entry["attempt"], entry["outcome"]) == ("1", "remediated")
    assert account.calls.count("StartBuild") == 1
