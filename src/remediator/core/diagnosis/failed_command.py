"""Finds in a build's log what its failed command said, by the lines that CodeBuild's agent writes around it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from remediator.core.codebuild.log import LogLine
from remediator.core.diagnosis.throttle import Throttle, find_throttle
from remediator.core.value import value

PHASE_END = "Phase complete: "
RUNNING = "Running command "
MARKS = ("Entering phase ", RUNNING, "Command did not exit successfully", PHASE_END)
"""The agent's lines: which phase and which command the lines between them belong to."""

SIGN_IN_MARKS = ("Login Succeeded", "The push refers to repository [docker.io/", "pushing manifest for docker.io/")
"""What the docker CLI and BuildKit print after a login to any registry, and during a push to Docker Hub."""

DENIED = ("requested access to the resource is denied", "insufficient scopes")
"""What docker prints where its credentials may not do what was asked, as those of DOCKER_AUTH_CONFIG may not."""

NEAR_END = 200
"""How many of the failed command's last lines may hold the evidence: it tolerated a pull that was refused earlier."""

_AGENT = r"\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? "
_FAILED = rf"{_AGENT}Command did not exit successfully"
_AGENTS_LINE = rf"{_AGENT}((?:Entering|Running|Command did not exit|Phase ).*)"
"""Some agents put their stamp before every line, also a command's."""
_QUOTED_COMMAND = r"Error while executing command: (.*)\. Reason: "


@value
class Finding:
    """What a log says about a failed command: the throttled pull, None when it shows none. `unread`: why the log gave
    no answer, or empty. `late`: it may give one later. `denied`: AWS refused to show it."""

    throttle: Throttle | None = None
    unread: str = ""
    late: bool = False
    denied: bool = False


@value
class FailedCommand:
    """The command that failed a phase. `text` is as much of it as the phase's context quotes."""

    phase: str
    text: str = ""

    @classmethod
    def of(cls, phase: str, context: str) -> FailedCommand:
        quoted = re.search(_QUOTED_COMMAND, context, re.DOTALL)
        return cls(phase, quoted[1] if quoted else "")

    def said(self, lines: Sequence[LogLine]) -> Said | None:
        """Its output in these lines of the log, the oldest first; some lines between the agent's may be missing. None
        while the log is not whole: the agent's line on the end of the phase is not there yet."""
        end = _last(lines, rf"{_AGENT}Phase complete: {re.escape(self.phase)} State: (?!SUCCEEDED)")
        if end is None:
            return None
        begin = _last(lines[:end], rf"{_AGENT}Entering phase {re.escape(self.phase)}\s*$")
        of_phase = lines[begin or 0 : end]
        first_line = self.text.partition("\n")[0]
        failed = _last(of_phase, rf"{_FAILED} {re.escape(first_line)}") if self.text else None
        known = failed is not None
        if failed is None:
            # The first one: commands of `finally` run after the one that failed.
            failed = next((at for at, line in enumerate(of_phase) if re.match(_FAILED, line.text)), None)
        until = of_phase if failed is None else of_phase[: failed + 1]
        announced = _last(until, rf"{_AGENT}Running command ")
        whole = begin is not None or (known and announced is not None)
        return Said(until[announced or 0 :], lines[end].at, whole)

    def throttle(self, lines: Sequence[LogLine]) -> Throttle | None:
        """The throttled pull that its lines end with. Its own text, which the agent announces, is no evidence."""
        text = "\n".join(line.text for line in lines[-NEAR_END:])
        return find_throttle(text.replace(self.text, "") if "\n" in self.text else text)


@value
class Said:
    """A command's lines, from its announcement to its exit status; `whole`: no older line can belong to it. `ended` is
    the end of the phase, in milliseconds."""

    lines: Sequence[LogLine]
    ended: int
    whole: bool

    def hold(self, words: Sequence[str]) -> bool:
        """Does one of these lines, the agent's own aside, have one of the words?"""
        said = (line.text for line in self.lines if not agents_line(line.text))
        return any(word in text for text in said for word in words)


def agents_line(text: str) -> str:
    """What a line of the agent's own says behind its stamp; empty for a line of a command."""
    own = re.match(_AGENTS_LINE, text, re.DOTALL)
    return own[1] if own else ""


def _last(lines: Sequence[LogLine], pattern: str) -> int | None:
    return next((index for index in range(len(lines) - 1, -1, -1) if re.match(pattern, lines[index].text)), None)
