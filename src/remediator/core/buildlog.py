"""Finds in a build's log what its failed command said, by the lines that CodeBuild's agent writes around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from remediator.core.evidence import WORDS, Throttle, find_throttle

PHASE_END = "Phase complete: "
MARKS = ("Entering phase ", "Running command ", "Command did not exit successfully", PHASE_END)
"""The agent's lines: which phase and which command the lines between them belong to."""

SIGN_IN_MARKS = (
    "Login Succeeded",
    "The push refers to repository [docker.io/",
    "pushing manifest for docker.io/",
)
"""What the docker CLI and BuildKit print after a login to any registry, and during a push to Docker Hub."""

NEAR_END = 500
"""Lines from the end of what the failed command said in which the evidence has to be: a pull that was refused long
before was tolerated by the command, which then failed for another reason."""

_AGENT = r"\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? "
_QUOTED_COMMAND = r"Error while executing command: (.*)\. Reason: "


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A log stream of CloudWatch Logs."""

    group: str
    stream: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event of a log stream; `at` is in milliseconds since 1970."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a log says about a failed command: the throttled pull, None when it shows none.

    `unread` says why the log could not tell, empty when it could; `late` whether it may still come to tell.
    """

    throttle: Throttle | None = None
    unread: str = ""
    late: bool = False


def failed_command(lines: Sequence[LogLine], phase: str) -> Sequence[LogLine] | None:
    """The lines from the announcement of the command that failed `phase` to its end, oldest first.

    None while the agent's line on the failed phase is not there: then the log is not whole yet. `lines` may lack what
    lies between the agent's lines, or its beginning. Commands of `finally` run after the one that failed.
    """
    end = end_of(lines, phase)
    if end is None:
        return None
    begin = _last(lines[:end], rf"{_AGENT}Entering phase {re.escape(phase)}\s*$")
    of_phase = lines[begin or 0 : end]
    failed = _first(of_phase, rf"{_AGENT}Command did not exit successfully")
    until = of_phase if failed is None else of_phase[: failed + 1]
    announced = _last(until, rf"{_AGENT}Running command ")
    return until[announced or 0 :]


def end_of(lines: Sequence[LogLine], phase: str) -> int | None:
    """Where the agent's line on the end of the failed `phase` is among the lines; None while it is not there."""
    return _last(lines, rf"{_AGENT}Phase complete: {re.escape(phase)} State: (?!SUCCEEDED)")


def announces_command(line: LogLine) -> bool:
    return re.match(rf"{_AGENT}Running command ", line.text) is not None


def may_hold_evidence(lines: Sequence[LogLine]) -> bool:
    """Is it worth reading all that stands between these lines? Some of them, not the agent's, has one of the words."""
    return any(word in line.text for line in lines if not re.match(_AGENT, line.text) for word in WORDS)


def throttle_in(lines: Sequence[LogLine], context: str) -> Throttle | None:
    """The throttled pull that the failed command's lines end with.

    `context` is the phase's: it quotes the command, whose own text is no evidence where the agent announces it.
    """
    text = "\n".join(line.text for line in lines[-NEAR_END:])
    quoted = re.search(_QUOTED_COMMAND, context, re.DOTALL)
    if quoted and "\n" in quoted[1]:
        text = text.replace(quoted[1], "")
    return find_throttle(text)


def _first(lines: Sequence[LogLine], pattern: str) -> int | None:
    return next((index for index, line in enumerate(lines) if re.match(pattern, line.text)), None)


def _last(lines: Sequence[LogLine], pattern: str) -> int | None:
    return next((index for index in range(len(lines) - 1, -1, -1) if re.match(pattern, lines[index].text)), None)
