"""What a build's record tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from remediator.core.codebuild.build import Build
from tests.unit import given

DENIED = (
    "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/r/AWSCodeBuild is not authorized to perform: "
    "secretsmanager:GetSecretValue on resource: docker-hub because no identity-based policy allows it"
)


def test_a_build_tells_its_settings() -> None:
    build = given.build()

    assert build.failure == replace(given.failure(), initiator="maria")
    assert (build.ended, build.status, build.initiator) == (True, "FAILED", "maria")
    assert build.started_at == 1_795_000_100.5
    assert build.service_role == given.ROLE
    assert build.environment == given.environment()


def test_an_empty_record_tells_nothing_and_raises_nothing() -> None:
    build = Build({})

    assert (build.ended, build.status, build.initiator, build.service_role) == (False, "", "", "")
    assert (build.started_at, build.environment, build.past_pull) == (0.0, {}, False)
    assert build.source_version is None


def test_a_build_may_take_its_time_in_the_queue_and_its_time_to_run() -> None:
    assert given.build(queuedTimeoutInMinutes=5, timeoutInMinutes=10).minutes_allowed == 15


def test_a_build_that_tells_no_time_outs_has_codebuilds_defaults() -> None:
    assert Build({}).minutes_allowed == 540


@pytest.mark.parametrize(
    ("phases", "past"),
    [
        (None, False),
        ([], False),
        ([given.phase("QUEUED")], False),
        ([given.phase("PROVISIONING", None)], False),
        (given.phases(), False),
        ([*given.phases(), given.phase("FINALIZING")], False),
        ([given.phase("PROVISIONING")], True),
        (given.phases(failed="DOWNLOAD_SOURCE"), True),
        (given.phases(failed="BUILD"), True),
        ([given.phase("UPLOAD_ARTIFACTS", None)], True),
    ],
)
def test_a_build_is_past_its_pull_when_provisioning_passed_or_a_later_phase_was_entered(
    phases: Any, past: bool
) -> None:
    assert Build({"phases": phases}).past_pull is past


@pytest.mark.parametrize(
    ("failed", "code", "message", "cannot"),
    [
        ("DOWNLOAD_SOURCE", "Secrets Manager Error", DENIED, True),
        ("DOWNLOAD_SOURCE", "Secrets Manager Error", "Access to KMS is not allowed", True),
        ("DOWNLOAD_SOURCE", "CLIENT_ERROR", f"git said: {DENIED}", False),
        ("DOWNLOAD_SOURCE", "YAML_FILE_ERROR", "mapping values are not allowed", False),
        ("PROVISIONING", "CLIENT_ERROR", DENIED, True),
        ("PROVISIONING", "CLIENT_ERROR", "Secrets Manager can't find the specified secret.", True),
        ("PROVISIONING", given.PULL_FAILED, given.THROTTLED, False),
        ("BUILD", "COMMAND_EXECUTION_ERROR", DENIED, False),
    ],
)
def test_a_secret_that_cannot_be_read_is_told_by_phase_and_words(
    failed: str, code: str, message: str, cannot: bool
) -> None:
    build = given.build(phases=given.phases(failed=failed, code=code, message=message))

    assert build.failure.cannot_read_secret is cannot


@pytest.mark.parametrize(
    ("message", "other"),
    [
        (f"not authorized on resource: {given.OTHER_SECRET} because x", True),
        (f"not authorized on resource: {given.OTHER_SECRET}.", True),
        (f"not authorized on resource: {given.SECRET} because x", False),
        (f"not authorized on resource: {given.SECRET}.", False),
        (f"not authorized on resource: {given.SECRET}:password::", False),
        (f"neither {given.OTHER_SECRET} nor {given.SECRET}", False),
        ("not authorized on resource: docker-hub", False),
        ("Access to KMS is not allowed", False),
    ],
)
def test_another_secret_is_told_by_the_arn_in_the_refusal(message: str, other: bool) -> None:
    phases = given.phases(failed="DOWNLOAD_SOURCE", code="Secrets Manager Error", message=message)

    assert given.build(phases=phases).failure.names_other_secret(given.SECRET) is other


@pytest.mark.parametrize(
    ("asked", "resolved", "source", "wanted"),
    [
        (None, None, "GITHUB", None),
        ("", "", "GITHUB", None),
        ("refs/heads/main", None, "GITHUB", "refs/heads/main"),
        ("arn:aws:s3:::bucket/key", "v1", "S3", "arn:aws:s3:::bucket/key"),
        (None, given.COMMIT, "GITHUB", given.COMMIT),
        ("main", given.COMMIT, "GITHUB", given.COMMIT),
        (given.COMMIT, given.COMMIT, "GITHUB", given.COMMIT),
        ("refs/heads/main", given.COMMIT, "GITHUB", f"refs/heads/main^{{{given.COMMIT}}}"),
        ("refs/heads/main", given.COMMIT, "BITBUCKET", f"refs/heads/main^{{{given.COMMIT}}}"),
        ("refs/heads/main", given.COMMIT, "CODECOMMIT", f"refs/heads/main^{{{given.COMMIT}}}"),
        ("refs/heads/main", given.COMMIT, "GITLAB", given.COMMIT),
        ("refs/heads/main", given.COMMIT, None, given.COMMIT),
        ("pr/12", given.COMMIT, "GITHUB", f"refs/pull/12/head^{{{given.COMMIT}}}"),
        ("pr/12x", given.COMMIT, "GITHUB", given.COMMIT),
        (f"refs/heads/main^{{{given.COMMIT}}}", given.COMMIT, "GITHUB", f"refs/heads/main^{{{given.COMMIT}}}"),
    ],
)
def test_the_source_version_builds_the_same_commit_again(
    asked: str | None, resolved: str | None, source: str | None, wanted: str | None
) -> None:
    build = Build({"sourceVersion": asked, "resolvedSourceVersion": resolved, "source": {"type": source}})

    assert build.source_version == wanted


@pytest.mark.parametrize(
    ("initiator", "pipeline"),
    [
        ("codepipeline/release", "release"),
        ("codepipeline/with/slash", "with/slash"),
        ("codepipeline", ""),
        ("maria/codepipeline", ""),
        ("remediator-role/remediator", ""),
        ("", ""),
    ],
)
def test_the_pipeline_that_started_a_build_is_told_by_its_initiator(initiator: str, pipeline: str) -> None:
    assert given.build(initiator=initiator).pipeline == pipeline


@pytest.mark.parametrize(
    ("arn", "batch"),
    [
        (f"arn:aws:codebuild:{given.REGION}:{given.ACCOUNT}:build-batch/orders-api:6b0e", "orders-api:6b0e"),
        (None, ""),
        ("", ""),
    ],
)
def test_the_batch_of_a_build_is_told_by_its_id(arn: str | None, batch: str) -> None:
    assert given.build(buildBatchArn=arn).batch == batch


NEXT, PREVIOUS = f"{given.BUILD_ARN}-next", f"{given.BUILD_ARN}-previous"


@pytest.mark.parametrize(
    ("config", "due", "left"),
    [
        (None, False, 0),
        ({}, False, 0),
        ({"autoRetryLimit": 0, "autoRetryNumber": 0}, False, 0),
        ({"autoRetryLimit": 2}, True, 2),
        ({"autoRetryLimit": 2, "autoRetryNumber": 0}, True, 2),
        ({"autoRetryLimit": 2.0, "autoRetryNumber": 1.0}, True, 1),
        ({"autoRetryLimit": 2, "autoRetryNumber": 2}, False, 0),
        ({"autoRetryLimit": 1, "autoRetryNumber": 2}, False, 0),
        ({"autoRetryLimit": 2, "autoRetryNumber": 2, "nextAutoRetry": NEXT}, True, 0),
    ],
)
def test_codebuilds_own_retries_are_due_as_long_as_the_build_has_some_left_or_was_followed_by_one(
    config: dict[str, Any] | None, due: bool, left: int
) -> None:
    build = given.build(autoRetryConfig=config)

    assert (build.auto_retry_due, build.auto_retries_left) == (due, left)


def test_codebuilds_own_retries_are_linked_both_ways() -> None:
    build = given.build(autoRetryConfig={"nextAutoRetry": NEXT, "previousAutoRetry": PREVIOUS})

    assert (build.next_auto_retry, build.previous_auto_retry) == (NEXT, PREVIOUS)
    assert (given.build().next_auto_retry, given.build().previous_auto_retry) == ("", "")
