"""How a failed build is run again, or who has to do that instead. What differs from its project: test_overrides.py."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.codebuild.start import Start, Starter
from remediator.core.retry.way import Retry, Way, decide_retry
from tests.unit import given
from tests.unit.checkpoints import checkpointed

STARTED = given.build().started_at
BEFORE, AFTER = STARTED - 1, STARTED + 1
QUEUED = {"filterGroups": [[{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}]]}
RUNNERS: dict[str, dict[str, Any]] = {
    "GitHub": {"webhook": QUEUED},
    "GitLab": {"webhook": QUEUED, "source": {"type": "GITLAB", "location": "https://gitlab.com/example/orders.git"}},
    "Buildkite": {"webhook": {"buildType": "RUNNER_BUILDKITE_BUILD"}},
}
BATCH_ARN = f"arn:aws:codebuild:{given.REGION}:{given.ACCOUNT}:build-batch/{given.PROJECT}:6b0e"
DUE = {"autoRetryLimit": 2, "autoRetryNumber": 0}
USED_UP = {"autoRetryLimit": 2, "autoRetryNumber": 2}
LARGE = {"computeType": "BUILD_GENERAL1_LARGE"}
START = Retry(Way.START_BUILD)


def decide(
    *,
    project: dict[str, Any] | None = None,
    edited: float = BEFORE,
    env: dict[str, Any] | None = None,
    by: Starter = Starter.ANYBODY,
    **members: Any,
) -> Retry:
    """The way of a build with these members; `edited` is when somebody else last edited the project."""
    build, snapshot = given.build(env=env, **members), given.snapshot(**(project or {}))
    return decide_retry(given.reading(build, snapshot, start=Start("", by)), edited)


@pytest.mark.parametrize(
    "initiator",
    ["maria", "OrganizationAccountAccessRole/foo@example.com", "rule/nightly", "CodeBuild-Jenkins-Plugin", ""],
)
def test_what_a_person_a_rule_or_a_program_started_is_started_again(initiator: str) -> None:
    assert decide(initiator=initiator) == START


def test_a_webhooks_build_is_retried_as_itself() -> None:
    assert decide(by=Starter.WEBHOOK) == Retry(Way.RETRY_BUILD, then=Retry(Way.START_BUILD))


def test_a_name_alone_makes_no_webhooks_build() -> None:
    for initiator in ("GitHub-Hookshot/1cdf727", "gitlab-ci/1", "bitbucket-deployer"):
        assert decide(initiator=initiator) == START


def test_what_follows_a_webhooks_retry_with_the_old_settings_has_the_overrides_or_is_left_to_a_person() -> None:
    kept = decide(by=Starter.WEBHOOK, env=LARGE)
    assert (kept.way, kept.against, kept.overrides) == (Way.RETRY_BUILD, None, ("environment.computeType",))

    edited = decide(by=Starter.WEBHOOK, env=LARGE, edited=AFTER)
    assert (edited.way, edited.against) == (Way.RETRY_BUILD, None)
    assert edited.then is not None
    assert "was edited since" in (edited.then.against or "")


@pytest.mark.parametrize("source", [{"type": "CODEPIPELINE"}, {"type": "GITHUB", "location": "https://x"}])
def test_a_pipelines_build_is_run_again_by_its_stage(source: dict[str, str]) -> None:
    """A pipeline does not notice a build that it did not start."""
    assert decide(initiator="codepipeline/release", source=source) == Retry(Way.RETRY_STAGE)


def test_a_build_that_has_its_source_from_a_pipeline_and_was_not_started_by_one_is_left_to_a_person() -> None:
    retry = decide(source={"type": "CODEPIPELINE"}, project={"source": {"type": "CODEPIPELINE"}})

    assert "retry the failed stage of the pipeline" in (retry.against or "")


def test_a_build_of_a_batch_is_run_again_with_its_batch() -> None:
    assert decide(buildBatchArn=BATCH_ARN) == Retry(Way.RETRY_BATCH)


def test_a_batch_whose_build_could_not_read_a_secret_is_run_again_whatever_its_image() -> None:
    """CodeBuild's own images need no credential, so no image has to be moved first."""
    image = {"image": "aws/codebuild/standard:7.0", "imagePullCredentialsType": "CODEBUILD"}
    phases = given.phases(
        failed="DOWNLOAD_SOURCE", code="Secrets Manager Error", message="Access to KMS is not allowed"
    )
    project = {"environment": {**given.project()["environment"], **image}}

    assert decide(buildBatchArn=BATCH_ARN, env=image, project=project, phases=phases) == Retry(Way.RETRY_BATCH)


def test_a_batch_that_a_pipeline_started_is_the_pipelines() -> None:
    assert decide(buildBatchArn=BATCH_ARN, initiator="codepipeline/release").way is Way.RETRY_STAGE


@pytest.mark.parametrize("host", RUNNERS)
@pytest.mark.parametrize(
    "members", [{}, {"initiator": "GitHub-Hookshot/1cdf727"}, {"buildBatchArn": BATCH_ARN}, {"autoRetryConfig": DUE}]
)
def test_a_runners_build_is_left_to_whose_job_it_ran(host: str, members: dict[str, Any]) -> None:
    """Its job is queued once; a build of it that comes again finds none."""
    retry = decide(project=RUNNERS[host], **members)

    assert f"re-run the job on {host}: " in (retry.against or "")
    assert retry.then is None


@pytest.mark.parametrize(
    "config",
    [
        DUE,
        {"autoRetryLimit": 2},
        {"autoRetryLimit": 2, "autoRetryNumber": 1.0},
        {**USED_UP, "nextAutoRetry": f"{given.BUILD_ARN}-next"},
    ],
)
def test_a_build_that_codebuild_retries_by_itself_is_followed_first_and_started_only_then(
    config: dict[str, Any],
) -> None:
    assert decide(autoRetryConfig=config) == Retry(Way.AUTO_RETRY, then=START)


@pytest.mark.parametrize("config", [{}, {"autoRetryLimit": 0, "autoRetryNumber": 0}, USED_UP])
def test_a_build_whose_own_retries_are_used_up_is_run_again(config: dict[str, Any]) -> None:
    assert decide(autoRetryConfig=config) == START


def test_what_stands_against_a_start_stands_after_codebuilds_own_retries_too() -> None:
    retry = decide(autoRetryConfig=DUE, serviceRole="arn:aws:iam::123456789012:role/other")

    assert (retry.way, retry.against) == (Way.AUTO_RETRY, None)
    assert retry.then is not None
    assert "serviceRole" in (retry.then.against or "")


def test_a_webhooks_build_is_retried_as_itself_after_codebuilds_own_retries() -> None:
    retry = decide(autoRetryConfig=DUE, by=Starter.WEBHOOK)

    assert retry == Retry(Way.AUTO_RETRY, then=Retry(Way.RETRY_BUILD, then=Retry(Way.START_BUILD)))


@pytest.mark.parametrize("edited", [0.0, BEFORE, STARTED])
def test_overrides_are_given_again_as_long_as_nobody_edited_the_project_since(edited: float) -> None:
    retry = decide(env=LARGE, timeoutInMinutes=5, edited=edited)

    assert retry == Retry(Way.START_BUILD, overrides=("environment.computeType", "timeoutInMinutes"))


def test_what_differs_from_a_project_that_was_edited_since_is_not_taken_for_an_override() -> None:
    retry = decide(env=LARGE, timeoutInMinutes=5, edited=AFTER)

    assert retry.overrides == ()
    assert "environment.computeType, timeoutInMinutes" in (retry.against or "")
    assert "edited since" in (retry.against or "")


def test_a_build_that_does_not_differ_is_started_again_whenever_the_project_was_edited() -> None:
    assert decide(edited=AFTER) == START


@pytest.mark.parametrize("edited", [BEFORE, AFTER])
def test_a_build_is_not_started_without_an_override_that_can_not_be_given_again(edited: float) -> None:
    debug = {"sessionEnabled": True}

    retry = decide(env=LARGE, debugSession=debug, edited=edited)

    assert (retry.against or "").endswith("it differs from the project in debugSession")
    assert retry.overrides == ()


def test_a_build_from_before_the_repair_carries_no_override() -> None:
    assert decide(project={"env": given.repaired_environment()}) == START


@pytest.mark.parametrize("edited", [BEFORE, AFTER])
@pytest.mark.parametrize("members", [{}, {"debugSession": {"sessionEnabled": True}}])
def test_a_value_of_an_overridden_variable_is_never_told(edited: float, members: dict[str, Any]) -> None:
    variables = {"environmentVariables": [{"name": "STAGE", "value": "hunter2", "type": "PLAINTEXT"}]}

    assert "hunter2" not in repr(decide(env=variables, edited=edited, **members))


@pytest.mark.parametrize(
    "retry",
    [
        START,
        Retry(Way.START_BUILD, "start it by hand", ("environment.image",)),
        Retry(Way.AUTO_RETRY, then=Retry(Way.START_BUILD, overrides=("cache",))),
        *(Retry(way) for way in Way),
    ],
)
def test_a_way_survives_a_checkpoint(retry: Retry) -> None:
    assert checkpointed(retry) == retry
