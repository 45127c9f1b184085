"""Finds in a build's log what its failed command said, by the lines that CodeBuild's agent writes around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from remediator.core.codebuild.log import LogLine
from remediator.core.diagnosis.throttle import Throttle, find_throttle

PHASE_END = "Phase complete: "
RUNNING = "Running command "
MARKS = ("Entering phase ", RUNNING, "Command did not exit successfully", PHASE_END)
"""The agent's lines: which phase and which command the lines between them belong to."""

SIGN_IN_MARKS = ("Login Succeeded", "The push refers to repository [docker.io/", "pushing manifest for docker.io/")
"""What the docker CLI and BuildKit print after a login to any registry, and during a push to Docker Hub."""

DENIED = ("requested access to the resource is denied", "insufficient scopes")
"""What docker prints where the credentials that it used may do less than was asked, as those of DOCKER_AUTH_CONFIG do
that took the place of a login's."""

NEAR_END = 200
"""Lines from the end of what the failed command said in which the evidence has to be: a pull that was refused long
before was tolerated by the command, which then failed for another reason."""

_AGENT = r"\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? "
_FAILED = rf"{_AGENT}Command did not exit successfully"
_AGENTS_LINE = rf"{_AGENT}((?:Entering|Running|Command did not exit|Phase ).*)"
"""Some agents put their stamp before every line, also a command's."""
_QUOTED_COMMAND = r"Error while executing command: (.*)\. Reason: "


@dataclass(frozen=True, slots=True)
class Finding:
    """What a log says about a failed command: the throttled pull, None when it shows none.

    `unread` says why the log could not tell, empty when it could; `late` whether it may still come to tell, `denied`
    whether it may not be read.
    """

    throttle: Throttle | None = None
    unread: str = ""
    late: bool = False
    denied: bool = False


@dataclass(frozen=True, slots=True)
class FailedCommand:
    """The command that failed a phase. `text` is the command itself, as far as the phase's context quotes it."""

    phase: str
    text: str = ""

    @classmethod
    def of(cls, phase: str, context: str) -> FailedCommand:
        quoted = re.search(_QUOTED_COMMAND, context, re.DOTALL)
        return cls(phase, quoted[1] if quoted else "")

    def said(self, lines: Sequence[LogLine]) -> Said | None:
        """What it said, by these lines of the log, the oldest first; they may lack what lies between the agent's.

        None while the agent's line on the end of the phase is not there: then the log is not whole yet.
        """
        end = self._end(lines)
        if end is None:
            return None
        begin = _last(lines[:end], rf"{_AGENT}Entering phase {re.escape(self.phase)}\s*$")
        of_phase = lines[begin or 0 : end]
        failed = _last(of_phase, rf"{_FAILED} {re.escape(self._first_line)}") if self.text else None
        known = failed is not None
        if failed is None:
            # Commands of `finally` run after the one that failed.
            failed = _first(of_phase, _FAILED)
        until = of_phase if failed is None else of_phase[: failed + 1]
        announced = _last(until, rf"{_AGENT}Running command ")
        whole = begin is not None or (known and announced is not None)
        return Said(until[announced or 0 :], lines[end].at, whole)

    def throttle(self, lines: Sequence[LogLine]) -> Throttle | None:
        """The throttled pull that its lines end with. Its own text, which the agent announces, is no evidence."""
        text = "\n".join(line.text for line in lines[-NEAR_END:])
        return find_throttle(text.replace(self.text, "") if "\n" in self.text else text)

    @property
    def _first_line(self) -> str:
        return self.text.partition("\n")[0]

    def _end(self, lines: Sequence[LogLine]) -> int | None:
        return _last(lines, rf"{_AGENT}Phase complete: {re.escape(self.phase)} State: (?!SUCCEEDED)")


@dataclass(frozen=True, slots=True)
class Said:
    """A command's lines, from its announcement to its exit status, and when the phase `ended`, in milliseconds.

    `whole` tells that nothing older can belong to it.
    """

    lines: Sequence[LogLine]
    ended: int
    whole: bool

    def hold(self, words: Sequence[str]) -> bool:
        """Does one of these lines, not the agent's own, have one of the words?"""
        said = (line.text for line in self.lines if not agents_line(line.text))
        return any(word in text for text in said for word in words)


def agents_line(text: str) -> str:
    """What a line of the agent's own says behind its stamp; empty for a line of a command."""
    own = re.match(_AGENTS_LINE, text, re.DOTALL)
    return own[1] if own else ""


def _first(lines: Sequence[LogLine], pattern: str) -> int | None:
    return next((index for index, line in enumerate(lines) if re.match(pattern, line.text)), None)


def _last(lines: Sequence[LogLine], pattern: str) -> int | None:
    return next((index for index in range(len(lines) - 1, -1, -1) if re.match(pattern, lines[index].text)), None)
