"""What CodeBuild retries by itself is not retried beside that: its build is followed, and ours comes after the last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from local.simulator import PullAnswer
from tests.workflow.account import OURS, USER, Account, Json, outcome_of
from tests.workflow.commands import no_pulls_left
from tests.workflow.test_main_job import credential_of
from tests.workflow.watched import Held, Killed, once, refusing, while_the_first_is_held

OUR_STARTS = ("StartBuild", "RetryBuild")


def ours(account: Account) -> list[str]:
    """The initiators of the builds that this stack started, in order."""
    return [build["arn"] for build in account.builds() if OURS.endswith(build["initiator"])]


def first_failed(account: Account, limit: int) -> Json:
    """The first build, which has failed; CodeBuild's own retry of it is in flight."""
    account.create_project(autoRetryLimit=limit)
    build = account.failed_build()
    assert build["autoRetryConfig"]["nextAutoRetry"] == account.builds()[1]["arn"]
    return build


def first_failed_early(account: Account) -> Json:
    """The same, where its event comes before CodeBuild has made its retry, which then has the project's settings."""
    account.simulator.retry_uses = "project"
    account.create_project(autoRetryLimit=1)
    retry, due = account.simulator._retry_automatically, list[Json]()
    account.simulator._retry_automatically = due.append  # type: ignore[method-assign,assignment]
    build = account.failed_build()

    def comes() -> None:
        account.simulator._retry_automatically = retry  # type: ignore[method-assign]
        run = retry(due[0])
        assert run is not None
        account.simulator._launch(run)

    account.before.append(once("BatchGetBuilds", comes, at=5))
    return build


def shows_the_originals_initiator(account: Account) -> None:
    """From now on a build that RetryBuild starts shows the initiator of the one that it repeats."""
    retry = account.simulator._builds.retry

    def retry_as_the_original(request: Json, _initiator: str, *more: Any) -> Any:
        return retry(request, account.build(request["id"])["initiator"], *more)

    account.simulator._builds.retry = retry_as_the_original  # type: ignore[method-assign,assignment]


def sign_in(account: Account) -> None:
    """Have the project signed in by its owner."""
    account.attach_policy()
    credential = {"credential": account.secret_arn, "credentialProvider": "SECRETS_MANAGER"}
    account.edit(environment={"registryCredential": credential})


def test_a_retry_of_codebuilds_own_that_passes_is_followed_and_none_is_made_beside_it(account: Account) -> None:
    account.simulator.retry_uses = "project"
    build = first_failed(account, 2)
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert [one["buildStatus"] for one in account.builds()] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert account.asked(*OUR_STARTS) == {}


def test_a_retry_of_codebuilds_own_that_is_due_after_the_repair_is_waited_for(account: Account) -> None:
    outcome = account.remediate(first_failed_early(account))
    assert outcome["outcome"] == "remediated", outcome
    assert [one["buildStatus"] for one in account.builds()] == ["FAILED", "SUCCEEDED"]
    assert account.asked(*OUR_STARTS) == {}


@pytest.mark.parametrize("limit", [1, 2])
def test_when_codebuilds_own_retries_are_used_up_exactly_one_of_ours_follows(account: Account, limit: int) -> None:
    account.simulator.retry_uses = "snapshot"
    build = first_failed(account, limit)
    used_up = list[str]()
    account.before.append(once("StartBuild", lambda: used_up.extend(b["buildStatus"] for b in account.builds())))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert used_up == ["FAILED"] * (limit + 1)
    assert account.asked(*OUR_STARTS) == {"StartBuild": 1}
    assert ours(account) == [outcome["retried_build"]]
    assert len(account.builds()) == limit + 2


def test_ours_has_the_overrides_of_the_first_build(account: Account) -> None:
    account.create_project(autoRetryLimit=1)
    account.remediate(account.failed_build(computeTypeOverride="BUILD_GENERAL1_LARGE"))
    assert [one["environment"]["computeType"] for one in account.builds()] == ["BUILD_GENERAL1_LARGE"] * 3


@pytest.mark.parametrize("uses", ["snapshot", "project"])
def test_a_webhooks_build_is_retried_as_itself_when_codebuilds_own_retries_are_used_up(
    account: Account, uses: Literal["snapshot", "project"]
) -> None:
    account.simulator.retry_uses = uses
    account.create_project(autoRetryLimit=1)
    account.hook()
    outcome = account.remediate(account.failed_build_of("GitHub-Hookshot/0a1b2c3"))
    assert outcome["outcome"] == "remediated", outcome
    assert account.calls.count("RetryBuild") == 1
    assert account.calls.count("StartBuild") == (1 if uses == "snapshot" else 0)


def test_a_retry_of_codebuilds_own_that_never_comes_is_given_up_after_some_looks(account: Account) -> None:
    account.create_project(autoRetryLimit=1)
    account.simulator._retry_automatically = lambda _: None  # type: ignore[method-assign,assignment]
    build = account.failed_build()
    assert "nextAutoRetry" not in build["autoRetryConfig"]
    looks = list[int]()
    account.before.append(once("StartBuild", lambda: looks.append(account.calls.count("BatchGetBuilds"))))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert ours(account) == [outcome["retried_build"]]
    assert 6 < looks[0] < 20


def test_events_in_the_order_of_the_builds_lead_to_one_repair_and_one_retry(account: Account) -> None:
    first_failed(account, 1)
    outcomes = account.follow()
    assert [outcome["outcome"] for outcome in outcomes] == ["remediated", "skipped"], outcomes
    assert "the build that CodeBuild retried" in outcomes[1]["reason"]
    assert account.asked("UpdateProject", *OUR_STARTS) == {"UpdateProject": 1, "StartBuild": 1}


def test_the_event_of_the_retry_may_come_first(account: Account) -> None:
    build = first_failed(account, 1)
    account.world.finish()
    second, first = account.remediate(account.builds()[1]), account.remediate(build)
    assert (second["outcome"], first["outcome"]) == ("remediated", "skipped"), (second, first)
    assert "was with execution" in first["reason"]
    assert account.asked("UpdateProject", *OUR_STARTS) == {"UpdateProject": 1, "StartBuild": 1}
    assert len(account.builds()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("operation", ["TransactWriteItems", "StartBuild"])
def test_events_of_both_builds_at_the_same_time_lead_to_one_retry(
    account: Account, operation: str, backwards: bool
) -> None:
    first_failed(account, 1)
    account.world.finish()
    builds = account.builds()[::-1] if backwards else account.builds()
    held = Held(operation)
    account.before.append(held.hook)
    runs: list[Callable[[], Any]] = [lambda build=build: account.run(build) for build in builds]  # type: ignore[misc]
    outcomes = [outcome_of(result)["outcome"] for result in while_the_first_is_held(held, runs)]
    assert outcomes == ["remediated", "skipped"]
    assert account.asked("UpdateProject", *OUR_STARTS) == {"UpdateProject": 1, "StartBuild": 1}
    assert account.lease() is None


@pytest.mark.parametrize("moment", ["before", "after"])
def test_ours_is_made_once_also_where_the_call_is_interrupted(account: Account, moment: str) -> None:
    build = first_failed(account, 1)
    hooks = account.before if moment == "before" else account.after
    hooks.append(refusing("StartBuild", Killed(moment), times=1))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert ours(account) == [outcome["retried_build"]]


def test_codebuilds_own_retry_of_ours_is_followed_too(account: Account) -> None:
    """The project's limit holds for the build that we start as well."""
    build = first_failed(account, 1)
    answers = [PullAnswer(404, "manifest unknown")]

    def fail_once() -> None:
        account.world._pull = lambda *_: answers.pop() if answers else PullAnswer(200)

    account.simulator.retry_uses = "project"
    account.before.append(once("StartBuild", fail_once))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert account.asked(*OUR_STARTS) == {"StartBuild": 1}
    assert len(ours(account)) == 2
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert all(outcome["outcome"] == "skipped" for outcome in account.follow()[1:])


def test_where_ours_can_not_follow_a_person_is_told(account: Account) -> None:
    account.create_project(autoRetryLimit=1)
    build = account.failed_build(artifactsOverride={"type": "S3", "location": "somebodys-bucket", "name": "x"})
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert "artifacts" in " ".join(outcome["advice"])
    assert account.asked(*OUR_STARTS) == {}


def test_a_late_event_of_a_retry_that_began_after_the_repair_is_no_news(account: Account) -> None:
    """Its build had the old settings, and the first build's execution, which has ended, ran it again."""
    account.simulator.retry_uses = "snapshot"
    outcome = account.remediate(first_failed(account, 2))
    assert outcome["outcome"] == "remediated"
    late = account.remediate(account.builds()[2])
    assert late["outcome"] == "skipped", late
    assert account.asked(*OUR_STARTS) == {"StartBuild": 1}


def test_a_build_that_codebuild_retries_in_vain_is_given_up_by_one_execution(account: Account) -> None:
    build = first_failed(account, 1)
    account.world.exhausted.add("hubuser")
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert account.asked(*OUR_STARTS) == {"StartBuild": 3}


def test_a_grant_that_is_late_is_no_verdict_for_codebuilds_own_retry_either(account: Account) -> None:
    build = first_failed_early(account)
    account.world.late_reads = 1
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert [one["buildStatus"] for one in account.builds()] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert account.asked(*OUR_STARTS) == {"StartBuild": 1}
    assert account.project()["environment"]["registryCredential"] == credential_of(account)


def test_a_webhooks_build_that_meets_the_accounts_own_limit_is_retried_as_often_as_allowed(account: Account) -> None:
    """CodeBuild retries each of ours by itself, and who is shown as their initiator is the webhook."""
    account.simulator.retry_uses = "project"
    shows_the_originals_initiator(account)
    account.waits_pass = True
    account.create_project(autoRetryLimit=1)
    account.hook()
    sign_in(account)
    account.world.exhausted.add(USER)
    account.failed_build_of("GitHub-Hookshot/1")
    with no_pulls_left(account):
        outcomes = account.follow(MAX_ATTEMPTS="2")
    assert outcomes[0]["outcome"] == "gave-up", outcomes
    assert [outcome["outcome"] for outcome in outcomes[1:]] == ["skipped"] * len(outcomes[1:])
    assert account.asked(*OUR_STARTS) == {"RetryBuild": 2}
