"""What is read of a build's log before it is known whose failure it is, and what is told where it can't be read."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildFailure
from remediator.core.codebuild.log import LogPlace
from remediator.core.diagnosis.failed_command import Finding
from remediator.core.diagnosis.throttle import Cause
from remediator.core.repair.signed_in import login_of
from remediator.steps.read_log import LATE, inspect, login_shown, pushes_by_itself
from tests.unit import given
from tests.unit.fakes import FakeServices

PLACE = LogPlace("/aws/codebuild/orders-api", given.UUID)
STAMP = "[Container] 2026/11/20 09:14:08.002800 "
UNRELATED = [
    f"{STAMP}Entering phase BUILD",
    f"{STAMP}Running command npm test",
    "1 failing",
    f"{STAMP}Command did not exit successfully npm test exit status 1",
    f"{STAMP}Phase complete: BUILD State: FAILED",
]
THROTTLED = [
    f"{STAMP}Entering phase BUILD",
    f"{STAMP}Running command docker build -t app .",
    "#3 ERROR: unexpected status code https://registry-1.docker.io/v2/library/python/manifests/3.12: 429",
    given.LIMIT,
    f"{STAMP}Command did not exit successfully docker build -t app . exit status 1",
    f"{STAMP}Phase complete: BUILD State: FAILED",
    f"{STAMP}Entering phase POST_BUILD",
    f"{STAMP}Phase complete: POST_BUILD State: SUCCEEDED",
]
PASSED = [f"{STAMP}Running command docker build .", "built", f"{STAMP}Phase complete: BUILD State: SUCCEEDED"]


def failure(place: LogPlace | None = PLACE) -> BuildFailure:
    context = f"{given.COMMAND_FAILED}: {given.COMMAND}"
    return BuildFailure(given.BUILD_ARN, "FAILED", "BUILD", context, given.STANDARD_IMAGE, place)


def services(lines: list[str] | None = None, **settings: str) -> FakeServices:
    made = FakeServices(**settings)
    if lines is not None:
        made.logs_fake.streams[PLACE.group, PLACE.stream] = lines
    return made


def test_a_failure_that_is_not_ours_takes_one_read_where_the_event_names_the_log() -> None:
    told = services(UNRELATED)
    assert inspect(failure(), told) == Finding()
    assert told.logs_fake.asked == ["FilterLogEvents"]
    assert told.paused == [0]


def test_a_throttled_command_is_found_with_all_lines_beside_the_word() -> None:
    told = services(THROTTLED)
    found = inspect(failure(), told).throttle
    assert found
    assert (found.cause, found.registry) == (Cause.ANONYMOUS_LIMIT, "docker.io")
    assert "/v2/library/python/manifests/3.12" in found.excerpt
    assert told.logs_fake.asked == ["FilterLogEvents", "GetLogEvents"]


def test_a_log_that_nobody_names_is_looked_up_in_the_builds_record() -> None:
    told = services(THROTTLED)
    logs = {"groupName": PLACE.group, "streamName": PLACE.stream}
    told.codebuild_fake.builds = [given.throttled_command(logs=logs)]
    assert inspect(failure(None), told).throttle


@pytest.mark.parametrize(
    ("logs", "reason"),
    [
        ({"s3Logs": {"status": "ENABLED", "location": "bucket/x"}}, "in S3 only"),
        ({"s3LogsArn": "arn:aws:s3:::bucket/x.gz"}, "in S3 only"),
        ({"cloudWatchLogs": {"status": "DISABLED"}}, "turned off"),
        ({"groupName": None, "streamName": None}, "names no log"),
        ({}, "names no log"),
    ],
)
def test_a_build_without_a_log_that_can_be_read_is_told_so(logs: dict[str, Any], reason: str) -> None:
    told = services()
    told.codebuild_fake.builds = [given.throttled_command(logs=logs)]
    found = inspect(failure(None), told)
    assert found.throttle is None
    assert reason in found.unread
    assert told.logs_fake.asked == []


def test_a_build_that_is_gone_is_told_so() -> None:
    told = services()
    told.codebuild_fake.builds = []
    assert "no such build" in inspect(failure(None), told).unread


def test_a_log_that_is_late_is_looked_at_twice_more_within_two_minutes() -> None:
    told = services(UNRELATED[:-1])
    found = inspect(failure(), told)
    assert found.late
    assert "lacks the line on the end of BUILD" in found.unread
    assert told.logs_fake.asked == ["FilterLogEvents"] * 3
    assert told.paused == [0, *LATE]
    assert sum(told.paused) < 120


def test_a_log_that_comes_while_it_is_waited_for_decides() -> None:
    told = services(THROTTLED[:4])
    whole = iter([THROTTLED])

    def pause(seconds: float) -> None:
        if seconds:
            told.logs_fake.streams[PLACE.group, PLACE.stream] = next(whole)

    told.pause = pause  # type: ignore[method-assign]
    assert inspect(failure(), told).throttle


def test_evidence_without_the_agents_line_is_not_yet_evidence() -> None:
    assert inspect(failure(), services(THROTTLED[:4]), patience=()).throttle is None


def test_a_stream_that_is_not_there_is_told_at_once() -> None:
    """It is made in PROVISIONING, long before a command can fail."""
    told = services()
    assert "no log under the name" in inspect(failure(), told).unread
    assert len(told.logs_fake.asked) == 1


def test_a_long_log_is_searched_from_its_end_and_never_further_than_four_pages() -> None:
    told = services([*THROTTLED[:2], *(given.LIMIT for _ in range(1000))])
    told.logs_fake.page = 10
    inspect(failure(), told)
    assert told.logs_fake.asked.count("FilterLogEvents") == 4


def test_pages_without_a_line_are_not_the_end() -> None:
    told = services([*UNRELATED, *(f"line {n}" for n in range(25))])
    told.logs_fake.page = 10
    assert inspect(failure(), told) == Finding()
    assert told.logs_fake.asked == ["FilterLogEvents"] * 3


def test_at_most_six_calls_are_made_before_a_failure_is_known_not_to_be_ours() -> None:
    """One for the build's record, four pages, and the one read that the words between the lines deserve."""
    near_miss = [*UNRELATED[:2], "test: 429 Too Many Requests", *["."] * 27, *UNRELATED[3:]]
    told = services(near_miss)
    told.logs_fake.page = 8
    asked: list[str] = []
    told.codebuild_fake.builds = [given.throttled_command(logs={"groupName": PLACE.group, "streamName": PLACE.stream})]
    read = told.codebuild_fake.build
    told.codebuild_fake.build = lambda arn: (asked.append("BatchGetBuilds"), read(arn))[1]  # type: ignore[method-assign, func-returns-value]
    assert inspect(failure(None), told).throttle is None
    assert len([*asked, *told.logs_fake.asked]) <= 6
    assert "GetLogEvents" in told.logs_fake.asked


def refusal(code: str, status: int) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "FilterLogEvents")  # type: ignore[arg-type]


def refusing(error: Exception) -> FakeServices:
    told = services(THROTTLED)

    def refuse(**_: Any) -> Any:
        raise error

    told.logs_fake.filter_log_events = refuse  # type: ignore[method-assign]
    return told


def test_a_log_that_may_not_be_read_is_told_with_awss_own_words() -> None:
    found = inspect(failure(), refusing(refusal("AccessDeniedException", 400)))
    assert found.unread == "its log can't be read: no"
    assert found.denied


def test_what_may_pass_by_itself_is_left_to_the_callers_retry() -> None:
    with pytest.raises(ClientError):
        inspect(failure(), refusing(refusal("ThrottlingException", 400)))
    with pytest.raises(ClientError):
        inspect(failure(), refusing(refusal("ServiceUnavailableException", 503)))


def test_nothing_is_read_where_logs_are_not_inspected() -> None:
    told = services(THROTTLED, INSPECT_BUILD_LOGS="false")
    assert inspect(failure(), told).unread == "InspectBuildLogs is off"
    assert told.logs_fake.asked == []


# Do builds sign in or push by themselves?

LOGGED = {"groupName": PLACE.group, "streamName": PLACE.stream}
OTHER = {"groupName": PLACE.group, "streamName": "passed"}
REPOSITORY = given.project(source={"type": "GITHUB", "location": "https://github.com/example/orders-api.git"})


def passed_build(logs: Any, name: str = "earlier", **members: Any) -> Build:
    arn = f"{given.BUILD_ARN}-{name}"
    return given.build(logs=logs, buildStatus="SUCCEEDED", arn=arn, phases=given.phases(failed=None), **members)


def pushes(failed: list[str] | None, passed: list[str] | None, project: Any = None) -> bool | None:
    told = services(failed)
    if passed is not None:
        told.logs_fake.streams[PLACE.group, "passed"] = passed
    told.codebuild_fake.builds = [given.build(logs=OTHER, buildStatus="STOPPED"), passed_build(OTHER)]
    return pushes_by_itself(given.throttled_command(buildspec="", logs=LOGGED), project or REPOSITORY, told)


def test_two_logs_without_a_login_or_a_push_say_that_there_is_none() -> None:
    assert pushes(THROTTLED, PASSED) is False


@pytest.mark.parametrize(
    "line",
    [
        "Login Succeeded",
        "The push refers to repository [docker.io/example/orders]",
        "#12 pushing manifest for docker.io/example/orders:latest@sha256:ab",
    ],
)
def test_one_log_with_a_login_or_a_push_is_enough(line: str) -> None:
    assert pushes(THROTTLED, [line, *PASSED]) is True
    assert pushes([line, *THROTTLED], PASSED) is True


def test_a_push_to_another_registry_is_no_push_to_docker_hub() -> None:
    assert pushes(THROTTLED, ["The push refers to repository [ghcr.io/example/orders]", *PASSED]) is False


@pytest.mark.parametrize(("failed", "passed"), [(THROTTLED, None), (None, PASSED), (THROTTLED, []), ([], PASSED)])
def test_a_log_that_is_gone_or_empty_tells_nothing(failed: list[str] | None, passed: list[str] | None) -> None:
    assert pushes(failed, passed) is None


def test_a_project_without_a_build_that_passed_tells_nothing() -> None:
    told = services(THROTTLED)
    told.codebuild_fake.builds = [given.build(logs=LOGGED)]
    assert pushes_by_itself(given.throttled_command(buildspec="", logs=LOGGED), REPOSITORY, told) is None


def test_of_the_builds_that_passed_an_older_one_may_be_the_one_that_pushes() -> None:
    told = services(THROTTLED)
    told.logs_fake.streams[PLACE.group, "passed"] = PASSED
    told.logs_fake.streams[PLACE.group, "pushed"] = ["Login Succeeded", *PASSED]
    told.codebuild_fake.builds = [passed_build(OTHER, "pr"), passed_build({**OTHER, "streamName": "pushed"}, "main")]
    assert pushes_by_itself(given.throttled_command(buildspec="", logs=LOGGED), REPOSITORY, told) is True


@pytest.mark.parametrize(
    "source",
    [
        {**REPOSITORY["source"], "buildspec": "version: 0.2\nphases: {}\n"},
        {**REPOSITORY["source"], "location": "https://github.com/example/other.git"},
    ],
)
def test_a_build_that_passed_with_an_override_says_nothing_about_the_repositorys_own(source: Any) -> None:
    told = services(THROTTLED)
    told.logs_fake.streams[PLACE.group, "passed"] = PASSED
    told.codebuild_fake.builds = [passed_build(OTHER, source=source)]
    assert pushes_by_itself(given.throttled_command(buildspec="", logs=LOGGED), REPOSITORY, told) is None


def test_a_list_of_builds_that_may_not_be_read_tells_nothing() -> None:
    told = services(THROTTLED)

    def refuse(project: str) -> list[Build]:
        raise refusal("AccessDeniedException", 400)

    told.codebuild_fake.latest_builds = refuse  # type: ignore[method-assign]
    assert pushes_by_itself(given.throttled_command(buildspec="", logs=LOGGED), REPOSITORY, told) is None


def test_an_inline_buildspec_is_read_itself_and_no_log_is_asked() -> None:
    inline = given.project(source={"type": "NO_SOURCE", "buildspec": given.BUILDSPEC})
    told = services(THROTTLED)
    assert pushes_by_itself(given.throttled_command(buildspec="", logs=LOGGED), inline, told) is None
    assert told.logs_fake.asked == []


LOGIN = login_of("posix", given.SIGN_IN)
ACCEPTED = [
    f"{STAMP}Entering phase PRE_BUILD",
    f"{STAMP}Running command {LOGIN}",
    "Login Succeeded",
    f"{STAMP}Running command docker build .",
    *(f"step {n}" for n in range(30)),
    f"{STAMP}Phase complete: BUILD State: SUCCEEDED",
]
RETRIED = given.throttled_command(buildStatus="SUCCEEDED", logs=LOGGED)


@pytest.mark.parametrize("page", [10_000, 10])
def test_a_login_that_docker_accepted_is_found_at_the_head_of_the_log(page: int) -> None:
    told = services(ACCEPTED)
    told.logs_fake.page = page
    assert login_shown(RETRIED, told)
    assert told.logs_fake.asked == ["FilterLogEvents"]


def test_a_login_is_found_on_the_pages_of_its_search_together() -> None:
    told = services(ACCEPTED)
    told.logs_fake.page = 2
    assert login_shown(RETRIED, told)
    assert told.logs_fake.asked == ["FilterLogEvents"] * 2


@pytest.mark.parametrize(
    "lines",
    [
        PASSED,
        [line for line in ACCEPTED if line != "Login Succeeded"],
        [line for line in ACCEPTED if LOGIN not in line],
        [],
    ],
    ids=["no login", "not accepted", "of another command", "nothing"],
)
def test_a_log_without_our_login_shows_none(lines: list[str]) -> None:
    assert not login_shown(RETRIED, services(lines))


def test_a_login_that_no_log_can_show_is_not_shown() -> None:
    assert not login_shown(given.throttled_command(logs={"s3LogsArn": "arn:aws:s3:::b/x"}), services(ACCEPTED))
    assert not login_shown(RETRIED, services())
    off = services(ACCEPTED, INSPECT_BUILD_LOGS="false")
    assert not login_shown(RETRIED, off)
    assert off.logs_fake.asked == []


def test_a_log_that_may_not_be_read_shows_no_login_and_one_that_does_not_answer_is_asked_again() -> None:
    told = services(ACCEPTED)
    for error, transient in (
        (refusal("AccessDeniedException", 400), False),
        (refusal("ThrottlingException", 400), True),
    ):

        def refuse(error: ClientError = error, **_: Any) -> Any:
            raise error

        told.logs_fake.filter_log_events = refuse  # type: ignore[method-assign]
        if transient:
            with pytest.raises(ClientError):
                login_shown(RETRIED, told)
        else:
            assert not login_shown(RETRIED, told)
