"""Which build failed, where and with which words: from events and from CodeBuild's own record."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from remediator.core.codebuild.failure import BuildArn, BuildFailure
from remediator.core.outcome import SHOWN, BadInput, shown
from tests.unit import given


def test_an_event_tells_the_build_the_failing_phase_its_words_and_the_image() -> None:
    assert BuildFailure.from_event(given.event()) == given.failure()


def test_the_record_of_the_same_build_tells_the_same() -> None:
    event = given.event()
    event["detail"]["additional-information"]["initiator"] = "maria"

    assert BuildFailure.from_build(given.document()) == BuildFailure.from_event(event)


@pytest.mark.parametrize("initiator", [None, ""])
def test_an_event_that_does_not_tell_who_started_the_build_is_read_all_the_same(initiator: Any) -> None:
    event = given.event()
    event["detail"]["additional-information"]["initiator"] = initiator

    assert BuildFailure.from_event(event) == given.failure()


def test_a_build_arn_is_written_as_it_was_read() -> None:
    assert str(BuildArn.parse(str(given.BUILD_ARN))) == str(given.BUILD_ARN)
    assert given.BUILD_ARN.id == f"{given.PROJECT}:{given.UUID}"


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "aws-iso-b"])
def test_build_arns_of_every_partition_are_read(partition: str) -> None:
    text = str(given.BUILD_ARN).replace("arn:aws:", f"arn:{partition}:")

    assert BuildArn.parse(text).partition == partition


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        given.BUILD_ARN.id,
        f"{given.BUILD_ARN}\n",
        f"{given.BUILD_ARN}/../other",
        str(given.BUILD_ARN).replace(given.PROJECT, "two\nlines"),
        str(given.BUILD_ARN).replace(given.PROJECT, "x"),
        str(given.BUILD_ARN).replace(given.PROJECT, "-starts-with-a-dash"),
        str(given.BUILD_ARN).replace("build/", "build-batch/"),
        str(given.BUILD_ARN).replace(given.ACCOUNT, "12345"),
        str(given.BUILD_ARN).replace("codebuild", "lambda"),
    ],
)
def test_what_is_no_arn_of_a_build_is_refused_with_the_name_of_its_field(text: object) -> None:
    with pytest.raises(BadInput) as refused:
        BuildArn.parse(text, "detail.build-id")

    assert refused.value.field == "detail.build-id"
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("event", [None, [], "text", 7, True, [{"source": "aws.codebuild"}]])
def test_an_event_that_is_no_object_is_refused(event: object) -> None:
    with pytest.raises(BadInput, match=r"`?event`?.* it must be an object"):
        BuildFailure.from_event(event)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("source", "aws.ec2", "aws.codebuild"),
        ("source", None, "aws.codebuild"),
        ("detail-type", "CodeBuild Build Phase Change", "CodeBuild Build State Change"),
        ("detail", "text", "an object"),
        ("detail", None, "an object"),
    ],
)
def test_an_event_of_another_kind_is_refused_with_its_field_and_what_is_allowed(
    field: str, value: Any, allowed: str
) -> None:
    with pytest.raises(BadInput) as refused:
        BuildFailure.from_event({**given.event(), field: value})

    assert (refused.value.field, refused.value.value) == (field, shown(value))
    assert allowed in refused.value.allowed


@pytest.mark.parametrize("status", ["SUCCEEDED", "IN_PROGRESS", "STOPPED", None, ["FAILED"], {}])
def test_an_event_of_a_build_that_did_not_fail_is_refused(status: object) -> None:
    event = given.event()
    event["detail"]["build-status"] = status

    with pytest.raises(BadInput, match="FAILED, FAULT, TIMED_OUT"):
        BuildFailure.from_event(event)


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "TIMED_OUT"])
def test_every_way_of_failing_is_read(status: str) -> None:
    event = given.event()
    event["detail"]["build-status"] = status

    assert BuildFailure.from_event(event).status == status


@pytest.mark.parametrize("more", [None, [], "cut"])
def test_an_event_without_additional_information_is_refused(more: object) -> None:
    event = given.event()
    event["detail"]["additional-information"] = more

    with pytest.raises(BadInput, match=r"detail\.additional-information"):
        BuildFailure.from_event(event)


def test_an_event_that_tells_neither_phases_nor_image_is_read_as_saying_nothing() -> None:
    event = given.event()
    event["detail"]["additional-information"] = {}

    assert BuildFailure.from_event(event) == given.failure(phase_type="", context="", image="")


@pytest.mark.parametrize("contexts", [None, [], "text", [None, 7], {}])
def test_phase_contexts_that_are_no_strings_say_nothing(contexts: object) -> None:
    event = given.event()
    event["detail"]["additional-information"]["phases"][2]["phase-context"] = contexts

    failure = BuildFailure.from_event(event)

    assert (failure.phase, failure.context) == ("PROVISIONING", "")


@pytest.mark.parametrize("phases", [None, {}, "text", [None, "text", {}], [{"phase-type": "BUILD"}]])
def test_phases_of_another_form_tell_no_failing_phase(phases: object) -> None:
    event = given.event()
    event["detail"]["additional-information"]["phases"] = phases

    assert BuildFailure.from_event(event).phase == ""


@pytest.mark.parametrize("environment", [None, [], {}, {"image": None}, {"image": ["x"]}])
def test_an_image_that_is_not_told_is_empty(environment: object) -> None:
    event = given.event()
    event["detail"]["additional-information"]["environment"] = environment

    assert BuildFailure.from_event(event).image == ""


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "TIMED_OUT", "CLIENT_ERROR"])
def test_the_first_phase_that_failed_is_the_failing_phase(status: str) -> None:
    document = given.document(
        phases=[
            given.phase("PROVISIONING"),
            given.phase("BUILD", status, "COMMAND_EXECUTION_ERROR", "exit status 1"),
            given.phase("POST_BUILD", "FAILED", "COMMAND_EXECUTION_ERROR", "later"),
        ]
    )

    failure = BuildFailure.from_build(document)

    assert (failure.phase, failure.context) == ("BUILD", "COMMAND_EXECUTION_ERROR: exit status 1")


def test_several_contexts_become_several_lines() -> None:
    document = given.document()
    document["phases"][2]["contexts"] = [{"statusCode": "A", "message": "b"}, {}]

    assert BuildFailure.from_build(document).context == "A: b\n: "


@pytest.mark.parametrize("contexts", [None, []])
def test_a_failing_phase_without_contexts_says_nothing(contexts: object) -> None:
    document = given.document()
    document["phases"][2]["contexts"] = contexts

    assert BuildFailure.from_build(document).context == ""


def test_a_build_that_has_just_started_has_no_failing_phase() -> None:
    document = {"arn": str(given.BUILD_ARN)}

    assert BuildFailure.from_build(document) == BuildFailure(given.BUILD_ARN, "", "", "", "")


def test_reading_an_event_leaves_it_as_it_was() -> None:
    event = given.event()
    before = copy.deepcopy(event)

    BuildFailure.from_event(event)

    assert event == before


def test_bad_input_names_field_value_and_what_is_allowed_in_one_line() -> None:
    error = BadInput("project", "two\nlines", "it must be a name")

    assert error.to_json() == {
        "error": r"project: 'two\nlines' is not allowed; it must be a name. Nothing was changed.",
        "field": "project",
        "value": r"'two\nlines'",
        "allowed": "it must be a name",
    }


def test_a_missing_value_is_told_as_nothing() -> None:
    assert str(BadInput("command", None, "say one")).startswith("`command` is missing; say one")


def test_a_huge_value_is_cut() -> None:
    assert len(shown("x" * 100_000)) == SHOWN + 1
