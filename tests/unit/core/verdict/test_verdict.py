"""What the result of a retried build says about the repair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from remediator.core.case import Case, FailedBuild
from remediator.core.diagnosis.diagnosis import NOT_INSPECTED
from remediator.core.diagnosis.failed_command import Finding
from remediator.core.outcome import Ending
from remediator.core.repair.change import AddDockerLogin, SetRegistryCredential
from remediator.core.repair.plan import Plan
from remediator.core.verdict.verdict import Judgement, Verdict, Watched, judge, verdict
from tests.unit import given

DENIED = "AccessDeniedException: not authorized to perform: secretsmanager:GetSecretValue"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"buildComplete": False, "buildStatus": "IN_PROGRESS", "phases": []}, Verdict.RUNNING),
        ({"buildComplete": False, "buildStatus": "FAILED"}, Verdict.RUNNING),
        ({"buildStatus": "SUCCEEDED", "phases": given.phases(failed=None)}, Verdict.PASSED),
        ({"buildStatus": "STOPPED", "phases": given.phases(failed=None)}, Verdict.STOPPED),
        ({"phases": given.phases(failed="BUILD", code="COMMAND_EXECUTION_ERROR", message="x")}, Verdict.PAST_PULL),
        ({"phases": given.phases(failed="DOWNLOAD_SOURCE", code="YAML_FILE_ERROR", message="x")}, Verdict.PAST_PULL),
        (
            {"phases": given.phases(failed="DOWNLOAD_SOURCE", code="Secrets Manager Error", message=DENIED)},
            Verdict.SECRET_UNREADABLE,
        ),
        ({"phases": given.phases(code="CLIENT_ERROR", message=DENIED)}, Verdict.SECRET_UNREADABLE),
        ({}, Verdict.THROTTLED),
        ({"phases": given.phases(message=given.ACCOUNT_LIMIT)}, Verdict.THROTTLED),
        ({"phases": given.phases(message=f"{given.UNABLE}manifest unknown")}, Verdict.BEFORE_PULL),
        (
            {"buildStatus": "TIMED_OUT", "phases": given.phases(failed="QUEUED", code="", message="")},
            Verdict.BEFORE_PULL,
        ),
        ({"buildStatus": "FAULT", "phases": []}, Verdict.BEFORE_PULL),
    ],
)
def test_a_retried_build_is_judged_by_how_far_it_came(members: dict[str, Any], expected: Verdict) -> None:
    assert verdict(given.build(**members)) is expected


NOT_FOUND = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
ON = "AccessDeniedException: not authorized to perform: secretsmanager:GetSecretValue on resource: "


@pytest.mark.parametrize(
    ("failed", "message", "expected"),
    [
        ("DOWNLOAD_SOURCE", f"{ON}{given.SECRET} because x", Verdict.SECRET_UNREADABLE),
        ("DOWNLOAD_SOURCE", f"{ON}{given.OTHER_SECRET} because x", Verdict.PAST_PULL),
        ("DOWNLOAD_SOURCE", f"{ON}my-token because x", Verdict.PAST_PULL),
        ("DOWNLOAD_SOURCE", f"{ON}docker-hub because x", Verdict.SECRET_UNREADABLE),
        ("DOWNLOAD_SOURCE", "Access to KMS is not allowed", Verdict.SECRET_UNREADABLE),
        ("DOWNLOAD_SOURCE", NOT_FOUND, Verdict.PAST_PULL),
        ("PROVISIONING", f"{ON}{given.SECRET}", Verdict.SECRET_UNREADABLE),
        ("PROVISIONING", f"{ON}{given.OTHER_SECRET}", Verdict.BEFORE_PULL),
    ],
)
def test_only_the_secret_that_the_repair_refers_to_tells_of_the_repair(
    failed: str, message: str, expected: Verdict
) -> None:
    build = given.build(phases=given.phases(failed=failed, code="Secrets Manager Error", message=message))

    assert verdict(build, secret_arn=given.SECRET) is expected


COMMAND: dict[str, Any] = {"phases": given.phases(failed="BUILD", code=given.COMMAND_FAILED, message=given.COMMAND)}
YAML: dict[str, Any] = {"phases": given.phases(failed="DOWNLOAD_SOURCE", code="YAML_FILE_ERROR", message="x")}
INSTALL: dict[str, Any] = {"phases": given.phases(failed="INSTALL", code=given.COMMAND_FAILED, message=given.COMMAND)}
ELSEWHERE = given.throttled("denied: public.ecr.aws/docker/library/x: toomanyrequests: Data limit exceeded")


@pytest.mark.parametrize(
    ("members", "finding", "expected"),
    [
        (COMMAND, given.throttled(), Verdict.THROTTLED),
        (COMMAND, Finding(), Verdict.PAST_PULL),
        (COMMAND, ELSEWHERE, Verdict.PAST_PULL),
        (COMMAND, Finding(unread="no log"), Verdict.UNKNOWN),
        (INSTALL, Finding(), Verdict.BEFORE_PULL),
        (YAML, NOT_INSPECTED, Verdict.BUILDSPEC_UNREADABLE),
        ({}, NOT_INSPECTED, Verdict.THROTTLED),
    ],
)
def test_after_a_throttled_command_the_retried_builds_log_decides(
    members: dict[str, Any], finding: Finding, expected: Verdict
) -> None:
    assert verdict(given.build(**members), "BUILD", finding) is expected


def test_a_throttled_command_of_a_build_whose_image_was_throttled_before_is_no_success() -> None:
    assert verdict(given.build(**COMMAND), "PROVISIONING", given.throttled()) is Verdict.THROTTLED


IMAGE = Case(None, plan=Plan((SetRegistryCredential(given.SECRET, "CODEBUILD"),)))
OF_BUILD = FailedBuild(build=str(given.BUILD_ARN), phase="BUILD")
LOGIN = replace(IMAGE, failed=OF_BUILD, plan=Plan((AddDockerLogin(1, "x", "docker login", "digest"),)))
AUTH_CONFIG = replace(IMAGE, failed=OF_BUILD, auth_config=True)
PROOF = "its image was pulled with the registry credential"


def judged(found: Verdict, case: Case = IMAGE, **seen: Any) -> Judgement:
    """What a result means, of a build that failed in BUILD unless it is told otherwise."""
    return judge(Watched(verdict=found, **{"phase": "BUILD", **seen}), case, given.SIGN_IN)


@pytest.mark.parametrize("found", [Verdict.PASSED, Verdict.PAST_PULL])
def test_only_a_build_that_shows_that_it_used_the_credentials_is_a_proof(found: Verdict) -> None:
    proven, unproven = judged(found, proof=PROOF), judged(found)

    assert proven.outcome.ending is Ending.REMEDIATED
    assert proven.outcome.reason.endswith(PROOF)
    assert unproven.outcome.ending is Ending.UNPROVEN
    assert unproven.outcome.ending.value == "remediated, unproven"
    assert "lucky" in unproven.outcome.reason
    assert not proven.take_back
    assert not unproven.take_back


@pytest.mark.parametrize("proof", ["", PROOF])
def test_a_build_that_failed_by_itself_after_the_pull_is_told_with_its_phase(proof: str) -> None:
    outcome = judged(Verdict.PAST_PULL, proof=proof, phase="POST_BUILD").outcome

    assert "got past the pull; it then failed in POST_BUILD by itself" in outcome.reason


@pytest.mark.parametrize("found", [one for one in Verdict if one not in (Verdict.PASSED, Verdict.PAST_PULL)])
@pytest.mark.parametrize("case", [IMAGE, LOGIN, AUTH_CONFIG])
def test_no_other_result_is_a_success_whatever_it_shows(found: Verdict, case: Case) -> None:
    ending = judged(found, case, proof=PROOF).outcome.ending

    assert ending in (Ending.GAVE_UP, Ending.PATCHED)


@pytest.mark.parametrize("case", [IMAGE, LOGIN, AUTH_CONFIG])
def test_a_secret_that_builds_can_not_read_does_not_stay_in_the_project(case: Case) -> None:
    found = judged(Verdict.SECRET_UNREADABLE, case)

    assert found.take_back
    assert found.outcome.ending is Ending.GAVE_UP
    assert found.outcome.advice


def test_a_buildspec_that_codebuild_can_not_read_any_more_is_taken_back() -> None:
    found = judged(Verdict.BUILDSPEC_UNREADABLE, LOGIN)

    assert found.take_back
    assert found.outcome.ending is Ending.GAVE_UP


@pytest.mark.parametrize("case", [IMAGE, AUTH_CONFIG])
def test_a_buildspec_that_nobody_here_edited_is_no_reason_to_take_a_repair_back(case: Case) -> None:
    found = judged(Verdict.BUILDSPEC_UNREADABLE, case)

    assert not found.take_back
    assert found.outcome.ending is Ending.GAVE_UP


@pytest.mark.parametrize("proof", ["", PROOF])
def test_what_docker_auth_config_may_have_broken_is_taken_back_with_what_to_do_otherwise(proof: str) -> None:
    found = judged(Verdict.PAST_PULL, AUTH_CONFIG, denied=True, proof=proof)

    assert found.take_back
    assert found.outcome.ending is Ending.GAVE_UP
    (by_hand,) = found.outcome.advice
    assert "docker login" in by_hand


def test_a_build_that_passed_was_denied_nothing() -> None:
    assert not judged(Verdict.PASSED, AUTH_CONFIG, denied=True).take_back


def test_a_retry_with_the_old_settings_that_is_throttled_says_nothing_about_the_repair() -> None:
    found = judged(Verdict.THROTTLED, old=True, log_says="pull rate limit")

    assert not found.take_back
    assert found.outcome.ending is Ending.PATCHED
    assert found.outcome.reason.endswith("throttled again: pull rate limit")
    assert found.outcome.advice == ("start the build again: the project is signed in",)


@pytest.mark.parametrize("found", [Verdict.STOPPED, Verdict.BEFORE_PULL, Verdict.RUNNING])
def test_old_settings_excuse_nothing_but_a_throttled_pull(found: Verdict) -> None:
    assert judged(found, old=True) == judged(found)


@pytest.mark.parametrize("told", ["", "toomanyrequests: as your account"])
def test_a_retry_that_is_throttled_with_the_credentials_is_given_up_with_the_evidence(told: str) -> None:
    outcome = judged(Verdict.THROTTLED, phase="PROVISIONING", log_says=told).outcome

    assert outcome.ending is Ending.GAVE_UP
    assert "throttled in PROVISIONING all the same" in outcome.reason
    assert outcome.reason.endswith(told)


@pytest.mark.parametrize(
    ("found", "ending", "words"),
    [
        (Verdict.UNKNOWN, Ending.PATCHED, "whether its pull got through is not told: no log"),
        (Verdict.STOPPED, Ending.PATCHED, "somebody stopped it"),
        (Verdict.RUNNING, Ending.GAVE_UP, "no result within its own time-outs"),
        (Verdict.BEFORE_PULL, Ending.GAVE_UP, "failed in BUILD, before the pull was through"),
    ],
)
def test_a_result_that_does_not_tell_enough_says_so_and_takes_nothing_back(
    found: Verdict, ending: Ending, words: str
) -> None:
    judgement = judged(found, log_says="no log")

    assert not judgement.take_back
    assert judgement.outcome.ending is ending
    assert words in judgement.outcome.reason
