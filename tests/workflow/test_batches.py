"""A build of a batch comes back with its batch: what failed of it is run again, once, when it has finished failing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import pytest

from local.simulator import PullAnswer
from local.simulator.testing import simulate
from local.simulator.world import CommandsAnswer, Document
from tests.workflow.account import USER, Account, Json, outcome_of
from tests.workflow.commands import no_pulls_left
from tests.workflow.test_auto_retry import shows_the_originals_initiator, sign_in
from tests.workflow.watched import Held, Killed, once, refused, refusing, while_the_first_is_held

RETRY = "RetryBuildBatch"
UNLIMITED = {"imageOverride": "verified/python:3.12"}
"""Of a publisher whose pulls don't count."""
FOUR = [("lint", UNLIMITED), ("unit", {}), ("docs", UNLIMITED), ("package", {})]


def failed_batch(account: Account) -> tuple[str, list[Json]]:
    """A batch of four builds of which two were throttled: its id, and those two."""
    account.create_project()
    batch = account.simulator.start_batch("orders", FOUR, "maria")
    account.world.finish()
    return batch["id"], [build for build in account.builds() if build["buildStatus"] == "FAILED"]


@pytest.fixture(autouse=True)
def new_settings(account: Account) -> None:
    account.simulator.retry_uses = "project"


def retries(account: Account) -> list[str | None]:
    return [call.error for call in account.simulator.calls if call.operation == RETRY]


def assert_came_back(account: Account, outcome: Json) -> None:
    assert outcome["outcome"] == "remediated", outcome
    assert len(account.builds()) == 6
    assert [build["buildStatus"] for build in account.builds()[4:]] == ["SUCCEEDED"] * 2
    assert account.asked("StartBuild", "RetryBuild") == {}


def assert_told(account: Account, outcome: Json, *words: str) -> None:
    assert outcome["outcome"] == "patched", outcome
    assert "registryCredential" in account.project()["environment"]
    told = f"{outcome['reason']} {' '.join(outcome['advice'])}"
    for word in words:
        assert word in told, told
    assert account.asked("StartBuild", "RetryBuild") == {}


@pytest.mark.parametrize("batch_retry", ["same", "new"])
def test_what_failed_of_a_batch_is_run_again(account: Account, batch_retry: Literal["same", "new"]) -> None:
    account.simulator.batch_retry = batch_retry
    batch, (build, _) = failed_batch(account)
    outcome = account.remediate(build)
    assert_came_back(account, outcome)
    retried = account.build(outcome["retried_build"].rpartition("/")[2])
    assert (retried["buildBatchArn"].endswith(batch), retried in account.builds()[4:]) == (batch_retry == "same", True)
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", RETRY]
    request = next(call.request for call in account.simulator.calls if call.operation == RETRY)
    assert (request["id"], request["retryType"]) == (batch, "RETRY_FAILED_BUILDS")


@pytest.mark.parametrize("batch_retry", ["same", "new"])
def test_the_events_of_its_builds_lead_to_one_retry_of_the_batch(
    account: Account, batch_retry: Literal["same", "new"]
) -> None:
    account.simulator.batch_retry = batch_retry
    failed_batch(account)
    first, second = account.follow()
    assert_came_back(account, first)
    assert second["outcome"] == "skipped"
    assert "the batch that the build belongs to" in second["reason"]
    assert retries(account) == [None]
    assert account.updates() == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "operation"),
    [
        ("before", "TransactWriteItems"),
        ("after", "TransactWriteItems"),
        ("before", "UpdateProject"),
        ("before", RETRY),
        ("after", RETRY),
    ],
)
def test_both_events_at_the_same_time_lead_to_one_retry_of_the_batch(
    account: Account, moment: str, operation: str
) -> None:
    _, builds = failed_batch(account)
    held = Held(operation)
    (account.before if moment == "before" else account.after).append(held.hook)
    runs: list[Callable[[], Any]] = [lambda build=build: account.run(build) for build in builds]  # type: ignore[misc]
    outcomes = [outcome_of(result) for result in while_the_first_is_held(held, runs)]
    assert [outcome["outcome"] for outcome in outcomes] == ["remediated", "skipped"], outcomes
    assert_came_back(account, outcomes[0])
    assert retries(account) == [None]
    assert account.lease() is None


def test_a_batch_is_retried_when_its_last_build_has_ended(account: Account) -> None:
    account.create_project()
    account.world.when = "told"
    account.simulator.start_batch("orders", FOUR, "maria")
    lint, unit, docs, package = (build["id"] for build in account.builds())
    for build in (lint, unit, docs):
        account.world.finish(build)

    def ends() -> None:
        assert retries(account) == []
        account.world.finish(package)
        account.world.when = "watched"

    account.before.append(once("BatchGetBuildBatches", ends, at=4))
    assert_came_back(account, account.remediate(account.build(unit)))
    assert retries(account) == [None]


def test_a_batch_that_does_not_end_in_its_time_is_told(account: Account) -> None:
    account.create_project(timeoutInMinutes=10, queuedTimeoutInMinutes=10)
    account.world.when = "told"
    account.simulator.start_batch("orders", FOUR, "maria")
    build = account.builds()[1]["id"]
    account.world.finish(build)
    assert_told(account, account.remediate(account.build(build)), "had not ended", "when it has ended")
    assert retries(account) == []


@pytest.mark.parametrize("batch_retry", ["same", "new"])
def test_a_batch_that_comes_back_with_the_old_settings_is_retried_once_and_told(
    account: Account, batch_retry: Literal["same", "new"]
) -> None:
    account.simulator.retry_uses, account.simulator.batch_retry = "snapshot", batch_retry
    _, (build, _) = failed_batch(account)
    assert_told(
        account,
        account.remediate(build),
        "settings that it first failed with",
        "start the build again: the project is signed in",
    )
    assert retries(account) == [None]


@pytest.mark.parametrize("batch_retry", ["same", "new"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_batch_is_retried_once_also_where_the_call_is_interrupted(
    account: Account, moment: str, batch_retry: Literal["same", "new"]
) -> None:
    account.simulator.batch_retry = batch_retry
    _, (build, _) = failed_batch(account)
    hooks = account.before if moment == "before" else account.after
    hooks.append(refusing(RETRY, Killed(moment), times=1))
    assert_came_back(account, account.remediate(build))


@pytest.mark.parametrize("ended", [True, False])
def test_a_retried_batch_is_found_also_when_its_token_is_forgotten(account: Account, ended: bool) -> None:
    _, (build, _) = failed_batch(account)

    def killed_for_long() -> None:
        account.world.sleep(600)
        if ended:
            account.world.finish()
        raise Killed("after")

    account.after.append(once(RETRY, killed_for_long))
    assert_came_back(account, account.remediate(build))
    assert retries(account) == [None]


def test_a_retry_that_aws_refuses_is_told(account: Account) -> None:
    _, (build, _) = failed_batch(account)
    denied = refused(RETRY, "AccessDeniedException", "not authorized to perform: codebuild:RetryBuildBatch")
    account.before.append(refusing(RETRY, denied))
    assert_told(account, account.remediate(build), "not authorized")
    assert len(account.builds()) == 4


def test_a_batch_that_somebody_retries_at_the_same_moment_is_not_retried_again(account: Account) -> None:
    batch, (build, _) = failed_batch(account)
    request = {"id": batch, "retryType": "RETRY_FAILED_BUILDS"}
    account.before.append(once(RETRY, lambda: account.simulator.call(RETRY, request, "arn:aws:iam::1:user/maria")))
    assert_told(account, account.remediate(build), "only batch builds that have failed can be retried")
    assert len(account.builds()) == 6


def test_a_batch_that_was_stopped_is_not_retried(account: Account) -> None:
    _, (build, _) = failed_batch(account)
    stopped(account)
    assert_told(account, account.remediate(build), "STOPPED", "start the batch again")
    assert retries(account) == []


def test_a_batch_that_is_gone_is_not_retried(account: Account) -> None:
    _, (build, _) = failed_batch(account)
    account.simulator._batches._batches.clear()
    assert_told(account, account.remediate(build), "unknown")


def test_a_retried_batch_that_is_stopped_is_no_remediation(account: Account) -> None:
    _, (build, _) = failed_batch(account)

    def ends_and_is_stopped() -> None:
        account.world.finish()
        stopped(account)

    account.after.append(once(RETRY, ends_and_is_stopped))
    assert_told(account, account.remediate(build), "somebody stopped it")


def stopped(account: Account) -> None:
    """CodeBuild has every batch as stopped from now on; the simulator stops single builds only."""
    account.simulator._batches._status = lambda _batch: "STOPPED"  # type: ignore[method-assign,assignment]


def test_a_retried_batch_that_fails_later_by_itself_is_a_remediation_that_says_so(account: Account) -> None:
    def fail(_build: Document, phase: str, _variables: Mapping[str, str]) -> CommandsAnswer:
        return CommandsAnswer("COMMAND_EXECUTION_ERROR", "exit status 2") if phase == "BUILD" else CommandsAnswer()

    account._simulate(simulate(account.world, run_commands=fail, retry_uses="project")[0])
    account.create_project()
    account.simulator.start_batch("orders", FOUR, "maria")
    account.world.finish()
    outcome = account.remediate(account.builds()[1])
    assert outcome["outcome"] == "remediated", outcome
    assert "past the pull" in outcome["reason"]
    assert "BUILD" in outcome["reason"]
    assert retries(account) == [None]


def test_a_retried_batch_that_was_only_lucky_is_unproven(account: Account) -> None:
    account.simulator.retry_uses = "snapshot"
    _, (build, _) = failed_batch(account)
    account.throttle(PullAnswer(200))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated, unproven", outcome
    assert "lucky" in outcome["reason"]


def test_a_retried_batch_that_fails_before_its_pull_is_through_is_no_remediation(account: Account) -> None:
    _, (build, _) = failed_batch(account)
    account.throttle(PullAnswer(404, "manifest unknown"))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "before the pull was through" in outcome["reason"]
    assert outcome["retried_build"] in [one["arn"] for one in account.builds()[4:]]
    assert retries(account) == [None]


def test_a_retried_batch_that_is_throttled_again_is_retried_as_often_as_allowed(account: Account) -> None:
    _, (build, _) = failed_batch(account)
    account.world.exhausted.add("hubuser")
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "throttled in PROVISIONING all the same" in outcome["reason"]
    assert retries(account) == [None] * 3


def test_a_batch_of_which_another_build_is_throttled_again_is_no_remediation(account: Account) -> None:
    """That build's event was left to this execution, so what it tells counts."""
    account.create_project()
    account.simulator.start_batch("orders", [("unit", {}), ("go", {"imageOverride": "golang:1.22"})], "maria")
    account.world.finish()
    limit = PullAnswer(429, "toomanyrequests: You have reached your pull rate limit as 'hubuser'")
    account.world._pull = lambda image, _credentials: limit if image == "golang:1.22" else PullAnswer(200)
    outcome = account.remediate(account.builds()[0])
    assert outcome["outcome"] == "gave-up", outcome
    assert "throttled in PROVISIONING all the same" in outcome["reason"]


def test_a_batch_of_which_another_build_fails_by_itself_is_judged_by_the_build_that_came_back(account: Account) -> None:
    account.create_project()
    account.simulator.start_batch("orders", [("go", {"imageOverride": "golang:0"}), ("unit", {})], "maria")
    account.world.finish()
    account.world._pull = lambda image, _: PullAnswer(404, "unknown") if image == "golang:0" else PullAnswer(200)
    outcome = account.remediate(account.builds()[1])
    assert outcome["outcome"] == "remediated", outcome
    assert "passed" in outcome["reason"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"]


def test_a_batch_with_an_image_that_its_project_can_not_sign_in_for_is_left_to_its_owner(account: Account) -> None:
    """A batch gives its builds no credential of their own, and CodeBuild takes none with its curated images."""
    account.create_project(environment={"image": "aws/codebuild/standard:7.0", "imagePullCredentialsType": "CODEBUILD"})
    account.simulator.start_batch("orders", [("unit", {"imageOverride": "python:3.12"}), ("docs", {})], "maria")
    account.world.finish()
    outcome = account.remediate(account.builds()[0])
    assert outcome["outcome"] == "patched", outcome
    assert "set the image" in outcome["advice"][0]
    assert retries(account) == []


def test_new_batches_that_meet_the_accounts_own_limit_are_retried_as_often_as_allowed(account: Account) -> None:
    """The events of each new batch's builds come like those of any other."""
    account.simulator.batch_retry = "new"
    shows_the_originals_initiator(account)
    account.waits_pass = True
    account.create_project()
    sign_in(account)
    account.world.exhausted.add(USER)
    account.simulator.start_batch("orders", FOUR[1:2], "maria")
    with no_pulls_left(account):
        first, *others = account.follow()
    assert first["outcome"] == "gave-up", first
    assert [outcome["outcome"] for outcome in others] == ["skipped"] * len(others)
    assert retries(account) == [None] * 3


def test_a_look_that_shows_the_batch_as_it_was_before_its_retry_is_no_result(account: Account) -> None:
    batch, (build, _) = failed_batch(account)
    operations, late = account.simulator._operations, list[Json]()
    look = operations["BatchGetBuildBatches"]
    account.before.append(once(RETRY, lambda: late.append(look({"ids": [batch]}))))
    operations["BatchGetBuildBatches"] = lambda request: late.pop() if late else look(request)
    assert_came_back(account, account.remediate(build))
    assert (retries(account), late) == ([None], [])


def test_a_batch_whose_execution_died_is_taken_over_by_that_of_another_of_its_builds(account: Account) -> None:
    _, (first, second) = failed_batch(account)
    dead = list[str]()

    def die(operation: str) -> None:
        if dead or operation == "AttachRolePolicy":
            dead.append(operation)
            raise Killed("for good")

    account.before.append(die)
    assert account.run(first).status.value == "FAILED"
    account.before.clear()
    assert_came_back(account, account.remediate(second))
    assert retries(account) == [None]


def test_a_build_whose_batch_came_back_already_is_told_so(account: Account) -> None:
    _, (first, second) = failed_batch(account)
    assert_came_back(account, account.remediate(first))
    outcome = account.remediate(second)
    assert outcome["outcome"] == "skipped", outcome
    assert "the batch that the build belongs to was with execution" in outcome["reason"]
    assert retries(account) == [None]
