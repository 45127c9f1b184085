"""Which lines of a log belong to the command that failed, and what they are evidence of."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from remediator.core.codebuild.log import LogLine
from remediator.core.diagnosis.failed_command import NEAR_END, FailedCommand, Said
from remediator.core.diagnosis.throttle import WORDS, Cause, Throttle

LIMIT = (
    "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
)
CONTEXT = "COMMAND_EXECUTION_ERROR: Error while executing command: docker build -t app .. Reason: exit status 1"


def log(*texts: str) -> list[LogLine]:
    """Lines of a log, a millisecond apart; those that begin with `> ` are the agent's."""
    stamp = "[Container] 2026/11/20 09:14:08.002800 "
    return [
        LogLine(at, text.replace("> ", stamp, 1) if text.startswith("> ") else text) for at, text in enumerate(texts)
    ]


def said_by(lines: Sequence[LogLine], phase: str = "BUILD", context: str = "") -> Said | None:
    return FailedCommand.of(phase, context).said(lines)


def throttle_of(lines: Sequence[LogLine], context: str = "") -> Throttle | None:
    said = said_by(lines, context=context)
    assert said
    return FailedCommand.of("BUILD", context).throttle(said.lines)


FAILED_BUILD = log(
    "> Entering phase PRE_BUILD",
    "> Running command docker pull redis:7 || true",
    LIMIT,
    "> Phase complete: PRE_BUILD State: SUCCEEDED",
    "> Entering phase BUILD",
    "> Running command make",
    "made",
    "> Running command docker build -t app .",
    LIMIT,
    "> Command did not exit successfully docker build -t app . exit status 1",
    "> Running command docker image prune -f",
    "Total reclaimed space: 0B",
    "> Phase complete: BUILD State: FAILED",
    "> Entering phase POST_BUILD",
    "> Running command echo done",
    "> Phase complete: POST_BUILD State: SUCCEEDED",
)


def test_what_the_failed_command_said_stands_between_its_announcement_and_its_exit_status() -> None:
    said = said_by(FAILED_BUILD, context=CONTEXT)
    assert said == Said(FAILED_BUILD[7:10], ended=12, whole=True)
    assert said.hold(WORDS)
    throttle = throttle_of(FAILED_BUILD, CONTEXT)
    assert throttle
    assert throttle.cause is Cause.ANONYMOUS_LIMIT


def test_without_the_agents_line_on_the_failed_phase_nothing_can_be_told() -> None:
    assert said_by(FAILED_BUILD[:12]) is None
    assert said_by([]) is None
    assert said_by(FAILED_BUILD, "INSTALL") is None


def test_a_phase_that_passed_is_no_failed_phase() -> None:
    assert said_by(FAILED_BUILD, "PRE_BUILD") is None


def test_an_imitation_of_the_agents_line_in_the_middle_of_a_line_counts_for_nothing() -> None:
    lines = log(
        "> Entering phase BUILD", "> Running command x", "said: [Container] Phase complete: BUILD State: FAILED"
    )
    assert said_by(lines) is None


@pytest.mark.parametrize("older", [["docker pull redis:7 || true"], ["docker pull redis:7 || true", "npm ci"]])
def test_a_pull_that_an_earlier_command_tolerated_is_not_it(older: list[str]) -> None:
    lines = log(
        "> Entering phase BUILD",
        *(line for command in older for line in (f"> Running command {command}", LIMIT)),
        "> Running command npm test",
        "1 failing",
        "> Command did not exit successfully npm test exit status 1",
        "> Phase complete: BUILD State: FAILED",
    )
    said = said_by(lines)
    assert said
    assert not said.hold(WORDS)
    assert throttle_of(lines) is None


def test_a_pull_that_the_failed_command_tolerated_long_before_it_failed_is_not_it() -> None:
    def lines(between: int) -> list[LogLine]:
        return log(
            "> Entering phase BUILD",
            "> Running command ./all.sh",
            LIMIT,
            *(f"test {n} ok" for n in range(between)),
            "> Command did not exit successfully ./all.sh exit status 1",
            "> Phase complete: BUILD State: FAILED",
        )

    assert throttle_of(lines(NEAR_END)) is None
    assert throttle_of(lines(NEAR_END // 2))


def test_the_words_in_a_commands_own_text_are_no_evidence() -> None:
    command = f"docker build . || {{\n  echo {LIMIT}\n  exit 1\n}}"
    lines = log(
        "> Entering phase BUILD",
        *f"> Running command {command}".split("\n"),
        "no Dockerfile",
        "> Command did not exit successfully docker build . exit status 1",
        "> Phase complete: BUILD State: FAILED",
    )
    context = f"COMMAND_EXECUTION_ERROR: Error while executing command: {command}. Reason: exit status 1"
    assert throttle_of(lines, context) is None


def test_the_form_in_two_lines_is_read() -> None:
    lines = log(
        "> Entering phase BUILD",
        "> Running command docker build .",
        "#3 ERROR: failed to copy: httpReadSeeker: failed open: unexpected status code "
        "https://registry-1.docker.io/v2/library/python/manifests/sha256:ab: 429 Too Many Requests - Server message:",
        LIMIT,
        "> Command did not exit successfully docker build . exit status 1",
        "> Phase complete: BUILD State: FAILED",
    )
    throttle = throttle_of(lines, CONTEXT)
    assert throttle
    assert throttle.registry == "docker.io"


def test_where_the_beginning_lacks_the_rest_is_read() -> None:
    said = said_by(FAILED_BUILD[8:], context=CONTEXT)
    assert said == Said(FAILED_BUILD[8:10], ended=12, whole=False)


def test_with_nothing_but_a_command_of_finally_the_rest_has_to_be_looked_for() -> None:
    said = said_by(FAILED_BUILD[10:], context=CONTEXT)
    assert said
    assert not said.whole


def test_an_imitated_exit_status_does_not_end_the_command_that_the_context_names() -> None:
    lines = log(
        "> Entering phase BUILD",
        "> Running command docker build -t app .",
        "> Command did not exit successfully make exit status 2",
        LIMIT,
        "> Command did not exit successfully docker build -t app . exit status 1",
        "> Phase complete: BUILD State: FAILED",
    )
    assert throttle_of(lines, CONTEXT)


def test_an_agent_that_stamps_every_line_is_read_too() -> None:
    lines = log(
        "> Entering phase BUILD",
        "> Running command docker build -t app .",
        f"> {LIMIT}",
        "> Command did not exit successfully docker build -t app . exit status 1",
        "> Phase complete: BUILD State: FAILED",
    )
    said = said_by(lines, context=CONTEXT)
    assert said
    assert said.hold(WORDS)
    assert throttle_of(lines, CONTEXT)


def test_any_lines_in_any_order_are_read_without_an_error() -> None:
    rng = random.Random(3)
    for _ in range(300):
        lines = [rng.choice(FAILED_BUILD) for _ in range(rng.randrange(12))]
        said = said_by(lines, context=CONTEXT)
        assert said is None or throttle_of(lines, CONTEXT) is None or said.hold(WORDS)
