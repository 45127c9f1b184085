"""Builds that a person, a rule, a schedule or a webhook started are run again as they were, or it is said by whom."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from local.simulator import PullAnswer
from local.simulator.world import Credentials
from tests.workflow.account import OURS, OWNER, USER, Account, Json, outcome_of
from tests.workflow.commands import no_pulls_left
from tests.workflow.watched import Killed, once, refused, refusing

TOO_MANY = (
    "Unable to pull customer's container image. CannotPullContainerError: Error response from daemon: toomanyrequests: "
    "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
)


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
    account.hook()
    outcome = account.remediate(account.failed_build_of(initiator))
    assert outcome["outcome"] == "remediated", outcome
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", "RetryBuild"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"]


def test_a_retried_build_with_the_old_settings_is_stopped_and_one_started_with_the_new(account: Account) -> None:
    account.simulator.retry_uses = "snapshot"
    account.create_project()
    account.hook()
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
    account.hook()
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
    account.hook()
    build = account.failed_build_of("GitHub-Hookshot/0a1b2c3")
    account.before.append(refusing("StopBuild", refused("StopBuild", "AccessDeniedException", "no")))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert "stop the build that was retried" in outcome["advice"][0]


@pytest.mark.parametrize("code", ["ThrottlingException", "AccountLimitExceededException"])
def test_after_a_refusal_no_build_of_somebody_elses_is_taken_for_ours(account: Account, code: str) -> None:
    account.create_project()
    account.hook("PULL_REQUEST_CREATED")
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
    account.hook("PULL_REQUEST_CREATED")
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


def test_a_runners_build_is_left_to_github(account: Account) -> None:
    account.create_project()
    group = [{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}]
    account.plant(webhook={"url": "https://x", "filterGroups": [group]})
    build = account.failed_build_of("GitHub-Hookshot/1")
    assert account.remediate(build)["outcome"] == "advised"
    patched_without_retry(account, build, "GitHub", UNTRUSTED_PROJECTS="repair")


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


def test_the_versions_of_secondary_sources_come_back(account: Account) -> None:
    versions = [{"sourceIdentifier": "tools", "sourceVersion": "refs/heads/next"}]
    account.create_project(secondarySources=[{"sourceIdentifier": "tools", "type": "GITHUB", "location": "https://x"}])
    build = account.failed_build(secondarySourcesVersionOverride=versions)
    assert account.remediate(build)["outcome"] == "remediated"
    assert started_with(account)["secondarySourcesVersionOverride"] == versions
    assert account.builds()[-1]["secondarySourceVersions"] == versions


# Overrides

VALUE = "a-value-of-the-owner-4711"
STAGE = {"name": "STAGE", "value": VALUE, "type": "PLAINTEXT"}
OVERRIDES: dict[str, Json] = {
    "buildspec": {"buildspecOverride": "version: 0.2\nphases: {build: {commands: [make]}}\n"},
    "cache": {"cacheOverride": {"type": "LOCAL", "modes": ["LOCAL_DOCKER_LAYER_CACHE"]}},
    "compute-type": {"computeTypeOverride": "BUILD_GENERAL1_LARGE"},
    "privileged-mode": {"privilegedModeOverride": True},
    "queue-time-out": {"queuedTimeoutInMinutesOverride": 33},
    "source": {"sourceTypeOverride": "BITBUCKET", "sourceLocationOverride": "https://bitbucket.org/example/orders"},
    "time-out": {"timeoutInMinutesOverride": 17},
    "variables": {"environmentVariablesOverride": [STAGE]},
    "several": {"computeTypeOverride": "BUILD_GENERAL1_LARGE", "environmentVariablesOverride": [STAGE]},
}


def started_with(account: Account) -> Json:
    """The overrides of the last StartBuild of the functions."""
    made = next(call for call in account.simulator.calls[::-1] if call.operation == "StartBuild")
    assert made.caller == OURS
    apart = ("projectName", "idempotencyToken", "sourceVersion")
    return {name: value for name, value in made.request.items() if name not in apart}


@pytest.mark.parametrize("name", OVERRIDES)
def test_a_build_is_started_again_with_the_overrides_that_it_was_started_with(account: Account, name: str) -> None:
    account.create_project()
    build = account.failed_build(**OVERRIDES[name])
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert started_with(account) == OVERRIDES[name]
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", "StartBuild"]


def test_a_variable_of_the_project_that_the_build_was_started_with_otherwise_is_given_again(account: Account) -> None:
    own = {"name": "STAGE", "value": "live", "type": "PLAINTEXT"}
    account.create_project(environment={"environmentVariables": [own, {"name": "REGION", "value": "eu"}]})
    account.remediate(account.failed_build(environmentVariablesOverride=[STAGE]))
    assert started_with(account) == {"environmentVariablesOverride": [STAGE]}
    variables = {v["name"]: v["value"] for v in account.builds()[-1]["environment"]["environmentVariables"]}
    assert (variables["STAGE"], variables["REGION"]) == (VALUE, "eu")
    assert own in account.project()["environment"]["environmentVariables"]


@pytest.mark.parametrize("project_image", ["python:3.12", "aws/codebuild/standard:7.0"])
def test_an_image_of_docker_hub_is_given_again_with_the_credential(account: Account, project_image: str) -> None:
    environment = {"image": project_image}
    if project_image.startswith("aws/"):
        environment["imagePullCredentialsType"] = "CODEBUILD"
    account.create_project(environment=environment)
    build = account.failed_build(imageOverride="golang:1.22", imagePullCredentialsTypeOverride="SERVICE_ROLE")
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert started_with(account) == {
        "imageOverride": "golang:1.22",
        "imagePullCredentialsTypeOverride": "SERVICE_ROLE",
        "registryCredentialOverride": {"credential": account.secret_arn, "credentialProvider": "SECRETS_MANAGER"},
    }
    assert account.attached() == [account.policy_arn]
    assert account.builds()[-1]["buildStatus"] == "SUCCEEDED"
    assert account.project()["environment"]["image"] == project_image


def left_behind(account: Account, result: Any, capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that an execution leaves: its checkpoints, its outcome, the journal and what was logged."""
    logged = capsys.readouterr()
    return f"{result.get_all_operations()} {result.result} {account.journal()} {logged.out} {logged.err}"


def test_no_value_of_an_override_leaves_the_builds_record(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.create_project()
    build = account.failed_build(environmentVariablesOverride=[STAGE])
    result = account.run(build)
    assert outcome_of(result)["outcome"] == "remediated"
    assert VALUE in str(started_with(account))
    left = left_behind(account, result, capsys)
    assert "environment.environmentVariables" in left
    assert VALUE not in left


@pytest.mark.parametrize("code", ["InvalidInputException", "ValidationException"])
def test_nor_does_it_when_codebuild_quotes_it_in_its_refusal(
    account: Account, code: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    account.create_project()
    build = account.failed_build(environmentVariablesOverride=[STAGE])
    message = f"Value '{VALUE}' at 'environmentVariablesOverride.1.member.value' failed to satisfy constraint"
    account.before.append(refusing("StartBuild", refused("StartBuild", code, message)))
    result = account.run(build)
    assert outcome_of(result)["outcome"] == "patched"
    assert code in outcome_of(result)["reason"]
    assert VALUE not in left_behind(account, result, capsys)
    assert VALUE not in caplog.text


@pytest.mark.parametrize("name", ["compute-type", "variables"])
def test_a_difference_that_may_be_somebodys_edit_is_not_forced_on_a_build(account: Account, name: str) -> None:
    account.create_project()
    build = account.failed_build(**OVERRIDES[name])
    account.edit(description="edited since")
    patched_without_retry(account, build, "the project was edited since")
    assert VALUE not in str(account.journal())


def test_an_image_that_may_be_somebodys_edit_is_left_to_them(account: Account) -> None:
    account.create_project()
    build = account.failed_build(imageOverride="golang:1.22")
    account.edit(description="edited since")
    assert account.remediate(build)["outcome"] == "advised"
    assert account.writes() == []


def test_an_edit_between_the_patch_and_the_start_keeps_the_build_from_being_started(account: Account) -> None:
    account.create_project()
    build = account.failed_build(computeTypeOverride="BUILD_GENERAL1_LARGE")
    account.after.append(once("BatchGetBuilds", lambda: account.edit(description="edited"), at=2))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert "the project was edited since" in outcome["reason"]
    assert account.writes() == ["AttachRolePolicy", "UpdateProject"]
    assert account.project()["description"] == "edited"


def test_what_a_repair_made_is_no_override(account: Account) -> None:
    account.create_project()
    builds = [account.failed_build(computeTypeOverride=f"BUILD_GENERAL1_{size}") for size in ("MEDIUM", "LARGE")]
    for build, size in zip(builds, ("MEDIUM", "LARGE"), strict=True):
        assert account.remediate(build, RETRY_SUPERSEDED="true")["outcome"] == "remediated"
        assert started_with(account) == {"computeTypeOverride": f"BUILD_GENERAL1_{size}"}
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 2}


def test_what_is_left_of_a_repair_is_no_override(account: Account) -> None:
    """Its owner took the credential away: the next build carries the rest of the repair."""
    account.create_project()
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    account.simulator.call("UpdateProject", {**_without_credential(account), "name": "orders"}, OWNER)
    assert account.remediate(account.failed_build(timeoutInMinutesOverride=17))["outcome"] == "remediated"
    assert started_with(account) == {"timeoutInMinutesOverride": 17}


def _without_credential(account: Account) -> Json:
    project = account.project()
    environment = {k: v for k, v in project["environment"].items() if k != "registryCredential"}
    return {"environment": environment, "tags": project["tags"]}


def test_a_build_with_a_session_for_debugging_is_left_to_who_debugs(account: Account) -> None:
    account.create_project()
    build = account.build_that_says(TOO_MANY, debugSession={"sessionEnabled": True})
    patched_without_retry(account, build, "debugSession")


def test_a_build_with_artifacts_of_its_own_is_left_to_who_knows_them(account: Account) -> None:
    account.create_project()
    artifacts = {"type": "S3", "location": "somebodys-bucket", "name": "orders.zip"}
    patched_without_retry(account, account.failed_build(artifactsOverride=artifacts), "artifacts")


def test_a_build_with_another_service_role_is_left_alone(account: Account) -> None:
    account.create_project()
    build = account.failed_build(serviceRoleOverride=account.make_role("somebody"))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "advised"
    assert "service role" in outcome["reason"]
    assert account.writes() == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_build_with_overrides_is_started_once_also_where_the_call_is_interrupted(
    account: Account, moment: str
) -> None:
    account.create_project()
    build = account.failed_build(computeTypeOverride="BUILD_GENERAL1_LARGE")
    hooks = account.before if moment == "before" else account.after
    hooks.append(refusing("StartBuild", Killed(moment), times=1))
    assert account.remediate(build)["outcome"] == "remediated"
    assert [one["environment"]["computeType"] for one in account.builds()] == ["BUILD_GENERAL1_LARGE"] * 2


def test_a_build_that_was_started_is_found_although_the_project_was_edited_since(account: Account) -> None:
    account.create_project()
    build = account.failed_build(computeTypeOverride="BUILD_GENERAL1_LARGE")

    def edited_and_killed() -> None:
        account.edit(description="edited")
        raise Killed("after StartBuild")

    account.after.append(once("StartBuild", edited_and_killed))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert len(account.builds()) == 2


# Overrides of a second retry


def throttled_twice(account: Account, limit: str) -> Json:
    """A build with an override that is throttled once more when it is retried, by this limit."""
    account.create_project(environment={"environmentVariables": [{**STAGE, "value": "live"}]})
    limits = [PullAnswer(429, "toomanyrequests: Too Many Requests (HAP429)")]
    if limit == "account":
        limits = [PullAnswer(429, f"toomanyrequests: You have reached your pull rate limit as '{USER}': dckr_jti_x")]

    def pull(image: str, credentials: Credentials | None) -> PullAnswer:
        return limits.pop() if credentials and limits else account.world._docker_hub(image, credentials)

    account.world._pull = pull
    return account.failed_build(environmentVariablesOverride=[STAGE])


def stages(account: Account) -> list[str]:
    """The value that each build had for the variable STAGE."""
    builds = [build["environment"]["environmentVariables"] for build in account.builds()]
    return [next(v["value"] for v in variables if v["name"] == "STAGE") for variables in builds]


@pytest.mark.parametrize("limit", ["abuse", "account"])
def test_a_second_retry_keeps_the_overrides_that_the_first_one_had(account: Account, limit: str) -> None:
    build = throttled_twice(account, limit)
    with no_pulls_left(account):
        outcome = account.remediate(build, ALLOW_LIMITED_ACCOUNT="true")
    assert outcome["outcome"] == "remediated", outcome
    assert stages(account) == [VALUE] * 3


@pytest.mark.parametrize("limit", ["abuse", "account"])
def test_a_second_retry_is_not_made_without_them_where_the_project_was_edited_since_the_first(
    account: Account, limit: str
) -> None:
    build = throttled_twice(account, limit)
    account.after.append(once("StartBuild", lambda: account.edit(description="edited")))
    with no_pulls_left(account):
        outcome = account.remediate(build, ALLOW_LIMITED_ACCOUNT="true")
    assert outcome["outcome"] == "patched", outcome
    assert "the project was edited since" in " ".join(outcome["advice"])
    assert stages(account) == [VALUE] * 2
