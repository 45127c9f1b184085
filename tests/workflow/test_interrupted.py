"""An invocation may end anywhere: what it had done is found again, and no build is started twice."""

from __future__ import annotations

import pytest

from tests.workflow.account import OURS, Account, outcome_of
from tests.workflow.test_auto_retry import shows_the_originals_initiator
from tests.workflow.watched import Killed, once, refused, refusing


def test_a_build_that_an_interrupted_retry_had_started_is_found_and_not_started_twice(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.after.append(refusing("StartBuild", Killed("after StartBuild"), times=1))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated"
    # CodeBuild knows the token, and answers with the same build.
    assert account.asked("StartBuild") == {"StartBuild": 2}
    assert [b["arn"] for b in account.builds()] == [build["arn"], outcome["retried_build"]]


def test_after_a_long_interruption_the_build_is_looked_for_among_the_newest(account: Account) -> None:
    account.create_project()
    build = account.failed_build()

    def lost() -> None:
        account.world.sleep(3600)
        raise Killed("after StartBuild")

    account.after.append(once("StartBuild", lost))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated"
    assert account.asked("StartBuild") == {"StartBuild": 1}
    assert [b["arn"] for b in account.builds()] == [build["arn"], outcome["retried_build"]]


@pytest.mark.parametrize("away", [0, 3600])
def test_a_retry_that_was_interrupted_before_it_asked_is_made(account: Account, away: int) -> None:
    account.create_project()
    build = account.failed_build()

    def lost() -> None:
        account.world.sleep(away)
        raise Killed("before StartBuild")

    account.before.append(once("StartBuild", lost))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated"
    assert len(account.builds()) == 2


@pytest.mark.parametrize("initiator", ["maria", "GitHub-Hookshot/1"])
def test_a_build_that_somebody_else_started_meanwhile_is_not_taken_for_the_retry(
    account: Account, initiator: str
) -> None:
    account.create_project()
    build = account.failed_build()

    def somebody() -> None:
        version = build["resolvedSourceVersion"]
        account.simulator.start_build({"projectName": "orders", "sourceVersion": version}, initiator)

    account.before.append(once("StartBuild", somebody))
    account.before.append(refusing("StartBuild", Killed("before StartBuild"), times=1))
    outcome = account.remediate(build, RETRY_SUPERSEDED="true")
    retried = account.build(outcome["retried_build"].rpartition("/")[2])
    assert retried["initiator"] == "stack-RemediatorRole/remediator"
    assert OURS.endswith(retried["initiator"])
    assert len(account.builds()) == 3


@pytest.mark.parametrize("operation", ["AttachRolePolicy", "UpdateProject", "UpdateItem", "TransactWriteItems"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_repair_that_is_interrupted_in_any_write_ends_as_if_it_had_not_been(
    account: Account, operation: str, moment: str
) -> None:
    account.create_project()
    build = account.failed_build()
    hooks = account.before if moment == "before" else account.after
    hooks.append(refusing(operation, Killed(f"{moment} {operation}"), times=1))
    outcome = account.remediate(build)
    assert operation in account.calls
    assert outcome["outcome"] == "remediated"
    assert len(outcome["changes"]) == 3
    assert account.attached() == [account.policy_arn]
    assert len(account.project()["environment"]["environmentVariables"]) == 2
    assert account.calls.count("StartBuild") == 1
    assert account.entry(build)["outcome"] == "remediated"
    assert "registryCredential" in account.entry(build)["repair"]
    assert account.lease() is None


def test_a_watch_that_is_interrupted_goes_on(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.looks = 4
    account.before.append(once("BatchGetBuilds", _killed, at=3))
    assert account.remediate(build)["outcome"] == "remediated"
    assert account.calls.count("StartBuild") == 1


def _killed() -> None:
    raise Killed("here")


def test_a_second_chance_that_is_interrupted_does_not_find_the_first(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.late_reads = 1
    account.before.append(once("StartBuild", _killed, at=2))
    result = account.run(build)
    assert outcome_of(result)["outcome"] == "remediated"
    assert [b["buildStatus"] for b in account.builds()] == ["FAILED", "FAILED", "SUCCEEDED"]
    names = [operation.name for operation in result.get_all_operations()]
    assert (names.count("watch"), names.count("settle-again")) == (2, 1)


def test_after_a_long_interruption_a_retry_that_shows_the_originals_initiator_is_found(account: Account) -> None:
    account.simulator.retry_uses = "project"
    shows_the_originals_initiator(account)
    account.create_project()
    account.hook()
    account.failed_build_of("GitHub-Hookshot/1")

    def lost() -> None:
        account.world.sleep(900)
        raise Killed("after RetryBuild")

    account.after.append(once("RetryBuild", lost))
    (outcome,) = account.follow()
    assert outcome["outcome"] == "remediated", outcome
    assert account.asked("RetryBuild", "StartBuild") == {"RetryBuild": 1}
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert len(account.builds()) == 2


def test_a_build_that_runs_was_started_also_where_it_can_not_be_written_down(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    broken = refused("UpdateItem", "InternalServerError", status=500)
    account.after.append(once("StartBuild", lambda: account.before.append(refusing("UpdateItem", broken, times=6))))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert len(account.builds()) == 2
