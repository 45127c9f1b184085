"""In which order builds come back: a build that is superseded does not, independent jobs do, oldest first."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from remediator.records.retry_order import Waiting
from remediator.workflow.retries import LIMIT_PATIENCE
from tests.workflow.account import Account, Json, outcome_of
from tests.workflow.fake_lambda import execution_arn
from tests.workflow.test_batches import FOUR, UNLIMITED
from tests.workflow.test_waiting import waits
from tests.workflow.watched import Hook, Killed, once, refused, refusing

MAIN = "refs/heads/main"
RETRIES = ("StartBuild", "RetryBuild", "RetryBuildBatch")


def passing_build(account: Account, version: str = MAIN, initiator: str = "maria") -> Json:
    """A build whose pull gets through: of a publisher whose pulls don't count."""
    build = account.failed_build_of(initiator, sourceVersion=version, **UNLIMITED)
    assert build["buildStatus"] == "SUCCEEDED"
    return build


def assert_superseded(account: Account, outcome: Json, by: Json) -> None:
    assert outcome["outcome"] == "patched", outcome
    assert f"superseded by {by['id']}" in outcome["reason"]
    assert outcome["retried_build"] is None
    assert account.asked(*RETRIES) == {}
    assert "registryCredential" in account.project()["environment"], "the project is repaired all the same"


def command_in(outcome: Json) -> str:
    lines = (line for text in outcome["advice"] for line in str(text).splitlines())
    (found,) = (line for line in lines if line.startswith("aws codebuild "))
    return found


# Superseded builds


@pytest.mark.parametrize("version", [MAIN, "main", "pr/7", None])
@pytest.mark.parametrize("ended", ["SUCCEEDED", "FAILED", "STOPPED", "IN_PROGRESS"])
def test_a_build_is_not_run_again_after_a_newer_one_of_its_reference(
    account: Account, version: str | None, ended: str
) -> None:
    account.create_project()
    more = {"sourceVersion": version} if version else {}
    build = account.failed_build(**more)
    newer = account.failed_build_of("jenkins", **more)
    account.simulator._builds.find(newer["id"]).document["buildStatus"] = ended
    assert_superseded(account, account.remediate(build), newer)


def test_a_build_is_run_again_after_a_newer_one_of_another_reference(account: Account) -> None:
    account.create_project()
    build = account.failed_build(sourceVersion=MAIN)
    account.failed_build(sourceVersion="refs/heads/develop")
    assert account.remediate(build)["outcome"] == "remediated"
    assert account.builds()[-1]["resolvedSourceVersion"] == build["resolvedSourceVersion"]


def test_of_three_that_fail_together_none_is_started_after_a_fourth_has_passed(account: Account) -> None:
    account.create_project()
    three = [account.failed_build(sourceVersion=MAIN) for _ in range(3)]
    account.remediate(three[0])
    account.calls.clear()
    account.world.sleep(10)
    green = passing_build(account)
    for build in three[1:]:
        assert_superseded(account, account.remediate(build), green)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_builds_that_failed_together_the_newest_of_each_reference_comes_back(
    account: Account, order: tuple[int, ...]
) -> None:
    account.create_project()
    versions = (MAIN, "main", "develop")
    builds = [account.failed_build(sourceVersion=version) for version in versions]
    outcomes = {number: account.remediate(builds[number]) for number in order}
    assert [outcomes[number]["outcome"] for number in range(3)] == ["patched", "remediated", "remediated"]
    assert "superseded by" in outcomes[0]["reason"]
    assert account.asked("UpdateProject", *RETRIES) == {"UpdateProject": 1, "StartBuild": 2}


def test_a_webhooks_build_is_not_retried_after_a_newer_one(account: Account) -> None:
    account.create_project()
    account.hook()
    build = account.failed_build_of("GitHub-Hookshot/0a1b2c3", sourceVersion=MAIN)
    newer = account.failed_build_of("GitHub-Hookshot/0a1b2c3", sourceVersion=MAIN)
    outcome = account.remediate(build)
    assert_superseded(account, outcome, newer)
    assert command_in(outcome) == f"aws codebuild retry-build --id {build['id']}"


@pytest.mark.parametrize("newer_is", ["a build", "a batch"])
def test_a_batch_is_not_retried_after_a_newer_build_of_its_reference(account: Account, newer_is: str) -> None:
    account.create_project()
    batch = account.simulator.start_batch("orders", FOUR, "maria")
    account.world.finish()
    build = next(build for build in account.builds() if build["buildStatus"] == "FAILED")
    if newer_is == "a build":
        newer = account.failed_build()
    else:
        account.simulator.start_batch("orders", FOUR, "maria")
        account.world.finish()
        newer = account.builds()[-1]
    outcome = account.remediate(build)
    assert_superseded(account, outcome, newer)
    assert command_in(outcome) == f"aws codebuild retry-build-batch --id {batch['id']} --retry-type RETRY_FAILED_BUILDS"


def test_a_retry_that_runs_already_goes_on_when_a_newer_build_starts(account: Account) -> None:
    account.create_project()
    build = account.failed_build(sourceVersion=MAIN)
    account.after.append(once("StartBuild", lambda: passing_build(account)))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert account.asked("StartBuild", "StopBuild") == {"StartBuild": 1}


def test_a_build_that_was_started_while_an_answer_was_lost_is_found_and_what_came_before_it_is_not(
    account: Account,
) -> None:
    """Killed before it asked; somebody starts a newer one; the execution goes on, and starts nothing."""
    account.create_project()
    build = account.failed_build(sourceVersion=MAIN)

    def lost() -> None:
        account.failed_build(sourceVersion=MAIN)
        raise Killed("before StartBuild")

    account.before.append(once("StartBuild", lost))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert f"superseded by {account.builds()[-1]['id']}" in outcome["reason"]
    assert len(account.builds()) == 2


def test_the_command_for_who_wants_it_all_the_same_starts_the_very_commit(account: Account) -> None:
    account.create_project()
    build = account.failed_build(sourceVersion=MAIN, computeTypeOverride="BUILD_GENERAL1_LARGE")
    account.failed_build(sourceVersion=MAIN)
    outcome = account.remediate(build)
    version = f"'refs/heads/main^{{{build['resolvedSourceVersion']}}}'"
    assert command_in(outcome) == f"aws codebuild start-build --project-name orders --source-version {version}"
    assert "environment.computeType" in " ".join(outcome["advice"])


def test_a_build_whose_record_is_gone_is_not_started_beside_newer_ones(account: Account) -> None:
    account.create_project()
    build = account.failed_build(sourceVersion=MAIN)
    account.failed_build(sourceVersion="refs/heads/develop")
    account.before.append(once("ListBuildsForProject", lambda: account.simulator._builds.records.pop(build["id"])))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert "no longer has its record" in outcome["reason"]
    assert account.asked(*RETRIES) == {}


# Independent jobs


def test_with_retry_superseded_each_build_comes_back(account: Account) -> None:
    account.create_project()
    builds = [account.failed_build(sourceVersion=MAIN) for _ in range(3)]
    outcomes = [account.remediate(build, RETRY_SUPERSEDED="true") for build in builds]
    assert [outcome["outcome"] for outcome in outcomes] == ["remediated"] * 3
    assert account.asked(*RETRIES) == {"StartBuild": 3}
    assert account.journal()["order#orders"].get("waiting") is None, "nobody waits any more"


@pytest.mark.slow
def test_independent_jobs_that_fail_together_come_back_oldest_first(account: Account) -> None:
    account.environment["RETRY_SUPERSEDED"] = "true"
    account.create_project()
    versions = [f"{number:040x}" for number in range(6)]
    builds = [account.failed_build(sourceVersion=version) for version in versions]
    with ThreadPoolExecutor(len(builds)) as pool:
        account.after.append(_all_have_lined_up(len(builds)))
        results = [run.result(120) for run in [pool.submit(account.run, build) for build in reversed(builds)]]
    assert [outcome_of(result)["outcome"] for result in results] == ["remediated"] * len(builds)
    started = [build["sourceVersion"] for build in account.builds()[len(builds) :]]
    assert started == versions
    assert account.updates() == 1


def _all_have_lined_up(number: int) -> Hook:
    """Nobody goes on from its first write, which keeps its place, before all have theirs."""
    together = Barrier(number)

    def hold(operation: str) -> None:
        if operation == "UpdateItem" and not passed:
            together.wait(60)
            passed.append(True)

    passed: list[bool] = []
    return hold


def test_an_execution_that_died_while_it_waited_holds_nobody_up(account: Account) -> None:
    account.environment["RETRY_SUPERSEDED"] = "true"
    account.create_project()
    early, late = (account.failed_build(sourceVersion=MAIN) for _ in range(2))
    account.services().retry_order.enter("orders", _waiting(early, execution_arn("dead-1", "dead")))
    assert account.remediate(late)["outcome"] == "remediated"
    assert account.journal()["order#orders"].get("waiting") is None


def _waiting(build: Json, execution: str) -> Waiting:
    return Waiting(round(build["startTime"] * 1000), build["id"].partition(":")[2], execution)


# Limits that pass


BUSY = "Cannot have more than 1 builds in queue for the account"
CODES = ("AccountLimitExceededException", "ThrottlingException", "TooManyRequestsException")


@pytest.mark.parametrize("code", CODES)
def test_a_full_queue_is_waited_for_with_growing_waits(account: Account, code: str) -> None:
    account.create_project()
    account.before.append(refusing("StartBuild", refused("StartBuild", code, BUSY), times=5))
    result = account.run(account.failed_build())
    assert outcome_of(result)["outcome"] == "remediated"
    pauses = waits(result, "retry-later")
    assert len(pauses) == 5
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 2 * pauses[0]


@pytest.mark.parametrize("operation", ["StartBuild", "RetryBuild", "RetryBuildBatch"])
def test_a_queue_that_stays_full_is_waited_for_two_hours_at_least_and_then_told(
    account: Account, operation: str
) -> None:
    account.simulator.retry_uses = "project"
    account.create_project()
    account.hook()
    account.before.append(refusing(operation, refused(operation, "AccountLimitExceededException", BUSY)))
    if operation == "RetryBuildBatch":
        account.simulator.start_batch("orders", FOUR, "maria")
        account.world.finish()
        build = next(build for build in account.builds() if build["buildStatus"] == "FAILED")
    else:
        build = account.failed_build_of("GitHub-Hookshot/1" if operation == "RetryBuild" else "maria")
    result = account.run(build)
    outcome = outcome_of(result)
    assert outcome["outcome"] == "patched", outcome
    assert BUSY in outcome["reason"]
    assert sum(waits(result, "retry-later")) >= LIMIT_PATIENCE >= 2 * 3600
    assert any("quota" in text for text in outcome["advice"])


def test_a_build_that_is_superseded_while_it_waits_for_the_queue_is_not_run_again(account: Account) -> None:
    account.create_project()
    build = account.failed_build(sourceVersion=MAIN)
    account.before.append(refusing("StartBuild", refused("StartBuild", "AccountLimitExceededException", BUSY), times=1))
    account.before.append(once("StartBuild", lambda: None))
    newer: list[Json] = []

    def somebody_pushes(operation: str) -> None:
        if operation == "ListBuildsForProject" and account.calls.count("StartBuild") == 1 and not newer:
            newer.append(account.failed_build(sourceVersion=MAIN))

    account.before.append(somebody_pushes)
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert re.search("superseded by", outcome["reason"])
    assert len(account.builds()) == 2


def test_a_second_retry_is_not_made_after_a_newer_build_of_the_first_ones_branch(account: Account) -> None:
    """The retry of a short branch name is a bare commit: which branch it is of, only the first build tells."""
    account.create_project()
    build = account.failed_build(sourceVersion="main")
    account.world.late_reads = 2  # the retry can't read the secret yet, and would be made once more
    account.after.append(once("StartBuild", lambda: account.failed_build(sourceVersion="main")))
    outcome = account.remediate(build, SETTLE_SECONDS="0")
    assert outcome["outcome"] == "patched", outcome
    assert "superseded by" in outcome["reason"]
    assert account.asked("StartBuild") == {"StartBuild": 1}


def test_a_batch_is_not_retried_after_a_build_that_began_before_its_failed_one(account: Account) -> None:
    account.create_project()
    account.simulator.start_batch("orders", FOUR, "maria")
    account.world.finish()
    late = [build for build in account.builds() if build["buildStatus"] == "FAILED"][-1]
    newer = passing_build(account, initiator="jenkins")
    document = account.simulator._builds.find(newer["id"]).document
    document.pop("sourceVersion", None)
    failed = account.simulator._builds.find(late["id"]).document
    failed["startTime"], document["startTime"] = document["startTime"] + 5, document["startTime"]
    outcome = account.remediate(account.build(late["id"]))
    assert outcome["outcome"] == "patched", outcome
    assert account.asked("RetryBuildBatch") == {}


def test_a_newer_push_to_a_pull_request_is_not_taken_for_a_retry_that_was_interrupted(account: Account) -> None:
    account.simulator.retry_uses = "project"
    account.create_project()
    account.hook()
    build = account.failed_build_of("GitHub-Hookshot/1", sourceVersion=MAIN)
    document = account.simulator._builds.find(build["id"]).document

    def lost() -> None:
        newer = account.failed_build_of("GitHub-Hookshot/1", sourceVersion=MAIN)
        account.simulator._builds.find(newer["id"]).document["resolvedSourceVersion"] = "f" * 40
        raise Killed("before RetryBuild")

    assert document["resolvedSourceVersion"] != "f" * 40
    account.before.append(once("RetryBuild", lost))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert "superseded by" in outcome["reason"]
    assert len(account.builds()) == 2
