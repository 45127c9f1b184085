"""Each kind of build is run again in its own way, or by somebody else: then the advice says by whom."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.workflow.account import Account, Json
from tests.workflow.watched import Killed, once, refused, refusing


def patched_without_retry(account: Account, build: Json, *words: str, **settings: str) -> None:
    outcome = account.remediate(build, 2 if settings else 1, None, **settings)
    assert outcome["outcome"] == "patched", outcome
    assert account.writes() == ["AttachRolePolicy", "UpdateProject"]
    assert "registryCredential" in account.project()["environment"]
    advice = " ".join(outcome["advice"])
    for word in words:
        assert word in advice, outcome
    assert account.entry(build)["outcome"] == "patched"


@pytest.mark.parametrize("initiator", ["GitHub-Hookshot/0a1b2c3", "Bitbucket-Webhooks/2.0", "GitLab/17.1"])
def test_a_webhooks_build_is_retried_as_itself(account: Account, initiator: str) -> None:
    """The variables of its webhook exist only there."""
    account.simulator.retry_uses = "project"
    account.create_project()
    outcome = account.remediate(account.failed_build_of(initiator))
    assert outcome["outcome"] == "remediated", outcome
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", "RetryBuild"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"]


def test_a_retried_build_with_the_old_settings_is_stopped_and_one_started_with_the_new(account: Account) -> None:
    account.simulator.retry_uses = "snapshot"
    account.create_project()
    outcome = account.remediate(account.failed_build_of("GitHub-Hookshot/0a1b2c3"))
    assert outcome["outcome"] == "remediated", outcome
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", "RetryBuild", "StopBuild", "StartBuild"]
    assert [build["buildStatus"] for build in account.builds()] == ["FAILED", "STOPPED", "SUCCEEDED"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"]


@pytest.mark.parametrize("uses", ["project", "snapshot"])
@pytest.mark.parametrize("call", ["RetryBuild", "StopBuild", "StartBuild"])
def test_a_webhooks_build_is_retried_once_also_where_an_answer_is_lost(
    account: Account, uses: Literal["project", "snapshot"], call: str
) -> None:
    account.simulator.retry_uses = uses
    account.create_project()
    build = account.failed_build_of("GitHub-Hookshot/0a1b2c3")

    def die() -> None:
        raise Killed(call)

    account.after.append(once(call, die))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    results = [one["buildStatus"] for one in account.builds()[1:]]
    assert results.count("SUCCEEDED") == 1
    assert set(results) <= {"SUCCEEDED", "STOPPED"}


def test_a_build_with_the_old_settings_that_can_not_be_stopped_is_named(account: Account) -> None:
    account.simulator.retry_uses = "snapshot"
    account.create_project()
    build = account.failed_build_of("GitHub-Hookshot/0a1b2c3")
    account.before.append(refusing("StopBuild", refused("StopBuild", "AccessDeniedException", "no")))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert "stop the build that was retried" in outcome["advice"][-2]


@pytest.mark.parametrize("code", ["ThrottlingException", "AccountLimitExceededException"])
def test_after_a_refusal_no_build_of_somebody_elses_is_taken_for_ours(account: Account, code: str) -> None:
    account.create_project()
    first = account.failed_build_of("GitHub-Hookshot/1", sourceVersion="pr/1")
    second = account.failed_build_of("GitHub-Hookshot/1", sourceVersion="pr/2")
    account.simulator.retry_uses = "project"
    assert account.remediate(first)["outcome"] == "remediated"
    account.before.append(refusing("RetryBuild", refused("RetryBuild", code, "no")))
    outcome = account.remediate(second)
    assert outcome["outcome"] == "patched", outcome
    assert outcome["retried_build"] is None


def test_after_an_interruption_the_retry_of_another_commit_is_not_taken_for_ours(account: Account) -> None:
    account.create_project()
    first = account.failed_build_of("GitHub-Hookshot/1", sourceVersion="pr/1")
    second = account.failed_build_of("GitHub-Hookshot/1", sourceVersion="pr/2")
    account.simulator.retry_uses = "project"
    account.remediate(first)

    def die() -> None:
        raise Killed("RetryBuild")

    account.before.append(once("RetryBuild", die))
    outcome = account.remediate(second)
    assert outcome["outcome"] == "remediated", outcome
    assert account.build(outcome["retried_build"].rpartition("/")[2])["sourceVersion"] == "pr/2"


def test_a_pipelines_build_is_left_to_the_pipeline(account: Account) -> None:
    account.create_project(source={"type": "CODEPIPELINE"}, artifacts={"type": "CODEPIPELINE"})
    patched_without_retry(account, account.failed_build_of("codepipeline/release"), "pipeline release")


def test_a_batchs_build_is_left_to_the_batch(account: Account) -> None:
    account.create_project()
    arn = "arn:aws:codebuild:eu-west-1:123456789012:build-batch/orders:1"
    patched_without_retry(account, account.failed_build_of("maria", batch_arn=arn), "RetryBuildBatch")


def test_a_build_that_codebuild_will_retry_itself_is_left_to_codebuild(account: Account) -> None:
    account.create_project(autoRetryLimit=1)
    account.world.when = "told"
    build = account.failed_build()
    patched_without_retry(account, build, "autoRetryLimit")


def test_a_runners_build_is_left_to_github(account: Account) -> None:
    account.create_project()
    group = [{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}]
    account.plant(webhook={"url": "https://x", "filterGroups": [group]})
    build = account.failed_build_of("GitHub-Hookshot/1")
    assert account.remediate(build)["outcome"] == "advised"
    patched_without_retry(account, build, "GitHub", UNTRUSTED_PROJECTS="repair")


@pytest.mark.parametrize(
    ("override", "member"),
    [
        ({"buildspecOverride": "version: 0.2"}, "source.buildspec"),
        ({"computeTypeOverride": "BUILD_GENERAL1_LARGE"}, "environment.computeType"),
        ({"privilegedModeOverride": True}, "environment.privilegedMode"),
        ({"timeoutInMinutesOverride": 17}, "timeoutInMinutes"),
        (
            {"environmentVariablesOverride": [{"name": "STAGE", "value": "a-value-of-the-owner", "type": "PLAINTEXT"}]},
            "environment.environmentVariables",
        ),
    ],
)
def test_a_build_with_overrides_is_left_to_who_knows_them(account: Account, override: Json, member: str) -> None:
    account.create_project()
    build = account.failed_build(**override)
    patched_without_retry(account, build, "overrides", member)
    assert "a-value-of-the-owner" not in str(account.journal())


@pytest.mark.parametrize("initiator", ["maria", "rule/nightly", "Deployer/jenkins", "CodeBuild-Jenkins-Plugin"])
def test_a_build_of_a_person_a_rule_or_a_schedule_is_started_again(account: Account, initiator: str) -> None:
    account.create_project()
    assert account.remediate(account.failed_build_of(initiator))["outcome"] == "remediated"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("refs/heads/main", "refs/heads/main^{{{commit}}}"),
        ("pr/17", "refs/pull/17/head^{{{commit}}}"),
        ("a" * 40, "{commit}"),
        ("main", "{commit}"),
        (None, "{commit}"),
    ],
)
def test_the_same_commit_is_built_again(account: Account, asked: str | None, wanted: str) -> None:
    account.create_project()
    build = account.failed_build(**({"sourceVersion": asked} if asked else {}))
    account.remediate(build)
    request = next(call.request for call in account.simulator.calls[::-1] if call.operation == "StartBuild")
    assert request["sourceVersion"] == wanted.format(commit=build["resolvedSourceVersion"])
    assert account.builds()[-1]["resolvedSourceVersion"] == build["resolvedSourceVersion"]


def test_a_source_without_versions_is_built_without_one(account: Account) -> None:
    account.create_project(source={"type": "NO_SOURCE", "buildspec": "version: 0.2"})
    account.remediate(account.failed_build())
    request = next(call.request for call in account.simulator.calls[::-1] if call.operation == "StartBuild")
    assert "sourceVersion" not in request
