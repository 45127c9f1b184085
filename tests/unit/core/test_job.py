"""What Remediator is asked to do."""

from __future__ import annotations

import pytest

from remediator.core.job import Job
from remediator.core.outcome import BadInput
from tests.unit import given


def test_a_builds_arn_is_the_whole_order() -> None:
    assert Job.read(str(given.BUILD_ARN), given.EXECUTION) == Job(given.BUILD_ARN, given.EXECUTION, 1, retry=True)


def test_the_attempt_is_the_last_number_of_the_executions_name() -> None:
    arn = given.EXECUTION.replace(f"{given.UUID}-1", f"{given.UUID}-12")

    assert Job.read(str(given.BUILD_ARN), arn).attempt == 12


@pytest.mark.parametrize("arn", ["", "local", f"{given.REMEDIATOR}/durable-execution/{given.UUID}/1"])
def test_an_execution_without_our_kind_of_name_is_the_first_attempt(arn: str) -> None:
    assert Job.read(str(given.BUILD_ARN), arn).attempt == 1


@pytest.mark.parametrize("retry", [True, False])
def test_a_person_may_say_whether_the_build_runs_again(retry: bool) -> None:
    assert Job.read({"build": str(given.BUILD_ARN), "retry": retry}, given.EXECUTION).retry is retry


def test_an_order_that_says_nothing_about_the_retry_wants_one() -> None:
    assert Job.read({"build": str(given.BUILD_ARN)}, given.EXECUTION).retry


@pytest.mark.parametrize("retry", ["no", 0, None, []])
def test_a_word_on_the_retry_that_is_no_yes_or_no_is_refused(retry: object) -> None:
    with pytest.raises(BadInput, match=r"`?retry`?.* true or false"):
        Job.read({"build": str(given.BUILD_ARN), "retry": retry}, given.EXECUTION)


@pytest.mark.parametrize(("payload", "field"), [(None, "payload"), ([], "payload"), ("x", "payload"), ({}, "build")])
def test_an_order_without_a_build_is_refused(payload: object, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        Job.read(payload, given.EXECUTION)

    assert refused.value.field == field
