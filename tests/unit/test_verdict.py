"""What the result of a retried build says about the repair."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.buildlog import Finding
from remediator.core.diagnosis import NOT_INSPECTED
from remediator.core.verdict import Verdict, verdict
from tests.unit import given

DENIED = "AccessDeniedException: not authorized to perform: secretsmanager:GetSecretValue on resource: x"


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
        (COMMAND, Finding(unread="no log"), Verdict.UNTOLD),
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
