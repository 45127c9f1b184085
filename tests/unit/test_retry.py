"""How a failed build may be run again, or who has to do it instead."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.retry import overrides, reason_against_retry, way_to_retry
from remediator.core.snapshot import Snapshot
from tests.unit import given

RUNNER = {"filterGroups": [[{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}]]}


def against(project: dict[str, Any] | None = None, **members: Any) -> str | None:
    return reason_against_retry(given.build(**members), given.snapshot(**(project or {})), given.SIGN_IN)


@pytest.mark.parametrize(
    "initiator",
    ["maria", "OrganizationAccountAccessRole/foo@example.com", "rule/nightly", "CodeBuild-Jenkins-Plugin", ""],
)
def test_a_build_that_a_person_a_rule_or_a_program_started_may_be_run_again(initiator: str) -> None:
    assert against(initiator=initiator) is None
    assert way_to_retry(given.build(initiator=initiator)) == "StartBuild"


@pytest.mark.parametrize("initiator", ["GitHub-Hookshot/1cdf727", "Bitbucket/x", "GitLab/x"])
def test_a_webhooks_build_is_retried_as_itself(initiator: str) -> None:
    assert against(initiator=initiator) is None
    assert way_to_retry(given.build(initiator=initiator)) == "RetryBuild"


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"initiator": "codepipeline/release"}, "pipeline release"),
        ({"initiator": "maria", "source": {"type": "CODEPIPELINE"}}, "pipeline that started it"),
        ({"buildBatchArn": "arn:aws:codebuild:eu-west-1:1:build-batch/x:1"}, "RetryBuildBatch"),
        ({"autoRetryConfig": {"autoRetryLimit": 2, "autoRetryNumber": 0}}, "autoRetryLimit"),
        ({"autoRetryConfig": {"autoRetryLimit": 2, "autoRetryNumber": 1.0}}, "autoRetryLimit"),
        ({"autoRetryConfig": {"autoRetryLimit": 2}}, "autoRetryLimit"),
        (
            {"autoRetryConfig": {"autoRetryLimit": 2, "autoRetryNumber": 2, "nextAutoRetry": "arn:x"}},
            "autoRetryLimit",
        ),
    ],
)
def test_a_build_that_somebody_else_has_to_run_again_is_left_to_them(members: dict[str, Any], word: str) -> None:
    assert word in (against(**members) or "")


@pytest.mark.parametrize(
    "auto", [{}, {"autoRetryLimit": 0, "autoRetryNumber": 0}, {"autoRetryLimit": 2, "autoRetryNumber": 2}]
)
def test_a_build_whose_own_retries_are_used_up_may_be_run_again(auto: dict[str, Any]) -> None:
    assert against(autoRetryConfig=auto) is None


def test_a_runners_build_is_left_to_github() -> None:
    assert "GitHub" in (against({"webhook": RUNNER}) or "")


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"env": {"computeType": "BUILD_GENERAL1_LARGE"}}, "environment.computeType"),
        ({"env": {"privilegedMode": True}}, "environment.privilegedMode"),
        ({"env": {"certificate": "arn:aws:s3:::b/cert.pem"}}, "environment.certificate"),
        ({"env": {"newerThanTheModel": {"x": 1}}}, "environment.newerThanTheModel"),
        (
            {"env": {"environmentVariables": [{"name": "STAGE", "value": "live", "type": "PLAINTEXT"}]}},
            "environment.environmentVariables",
        ),
        ({"env": {"environmentVariables": []}}, "environment.environmentVariables"),
        (
            {"env": {"environmentVariables": [{"name": "STAGE", "value": "test", "type": "PARAMETER_STORE"}]}},
            "environment.environmentVariables",
        ),
        ({"source": {"type": "S3", "location": "b/x.zip"}}, "source.type, source.location"),
        ({"source": {**given.project()["source"], "buildspec": "other.yml"}}, "source.buildspec"),
        ({"source": {**given.project()["source"], "gitCloneDepth": 5}}, "source.gitCloneDepth"),
        ({"timeoutInMinutes": 5}, "timeoutInMinutes"),
        ({"queuedTimeoutInMinutes": 5}, "queuedTimeoutInMinutes"),
        ({"encryptionKey": "arn:aws:kms:eu-west-1:1:key/other"}, "encryptionKey"),
        ({"cache": {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE"]}}, "cache"),
        ({"secondarySources": [{"type": "S3", "sourceIdentifier": "x"}]}, "secondarySources"),
        (
            {"secondarySourceVersions": [{"sourceIdentifier": "x", "sourceVersion": "v1"}]},
            "secondarySourceVersions",
        ),
    ],
)
def test_an_override_is_reported_by_the_name_of_its_member(members: dict[str, Any], member: str) -> None:
    assert (against(**members) or "").endswith(f"it differs from the project in {member}")


def test_several_overrides_are_told_together() -> None:
    build = given.build(env={"privilegedMode": True}, timeoutInMinutes=5)

    assert overrides(build, given.snapshot(), given.SIGN_IN) == ("environment.privilegedMode", "timeoutInMinutes")


def test_a_build_from_before_the_repair_carries_no_override() -> None:
    project = given.project(env=given.repaired_environment())

    assert overrides(given.build(), Snapshot(project), given.SIGN_IN) == ()


def test_a_value_of_an_overridden_variable_is_never_told() -> None:
    told = against(env={"environmentVariables": [{"name": "STAGE", "value": "hunter2", "type": "PLAINTEXT"}]})

    assert "hunter2" not in (told or "")


@pytest.mark.parametrize(
    ("project", "build"),
    [
        ({"env": {"privilegedMode": None}}, {"env": {"privilegedMode": False}}),
        ({"env": {"environmentVariables": None}}, {"env": {"environmentVariables": []}}),
        ({"env": {"dockerServer": {"computeType": "X"}}}, {"env": {}}),
        ({"source": {"type": "NO_SOURCE", "buildspec": ""}}, {"source": {"type": "NO_SOURCE"}}),
        ({"secondarySourceVersions": []}, {}),
        ({}, {"cache": None}),
    ],
)
def test_defaults_that_the_builds_record_fills_in_are_no_override(project: Any, build: Any) -> None:
    assert overrides(given.build(**build), given.snapshot(**project), given.SIGN_IN) == ()


def test_an_environment_that_is_not_told_is_read_as_empty() -> None:
    assert overrides(given.build(), Snapshot({"source": given.project()["source"]}), given.SIGN_IN) != ()
