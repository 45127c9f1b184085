"""Decides what the result of a retried build says about the repair."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from remediator.core.build import Build
from remediator.core.buildlog import Finding
from remediator.core.case import Case
from remediator.core.diagnosis import NOT_INSPECTED
from remediator.core.evidence import Cause, find_throttle
from remediator.core.failure import COMMAND_PHASES
from remediator.core.outcome import Ending, Outcome

_ORDER = ("PROVISIONING", "DOWNLOAD_SOURCE", *COMMAND_PHASES)


class Verdict(StrEnum):
    """What became of a retried build; only the first two say that the credentials work."""

    PASSED = "passed"
    PAST_PULL = "past-pull"
    THROTTLED = "throttled"
    UNTOLD = "untold"
    BUILDSPEC_UNREADABLE = "buildspec-unreadable"
    SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105 - the name of a verdict
    BEFORE_PULL = "before-pull"
    STOPPED = "stopped"
    RUNNING = "running"


def verdict(build: Build, phase: str = "PROVISIONING", finding: Finding = NOT_INSPECTED) -> Verdict:
    """Read one retried build; `phase` is where the first build failed, `finding` what the retried one's log says.

    What our own change may have broken comes first: it fails a build that got past its pull.
    """
    if not build.ended:
        return Verdict.RUNNING
    if build.status == "SUCCEEDED":
        return Verdict.PASSED
    if build.status == "STOPPED":
        return Verdict.STOPPED
    if build.cannot_read_secret:
        return Verdict.SECRET_UNREADABLE
    if build.cannot_read_buildspec and phase in COMMAND_PHASES:
        return Verdict.BUILDSPEC_UNREADABLE
    if finding.throttle and finding.throttle.cause is not Cause.OTHER_REGISTRY:
        return Verdict.THROTTLED
    if not build.past_pull:
        return Verdict.THROTTLED if find_throttle(build.failure.context) else Verdict.BEFORE_PULL
    # A command that fails before the phase of the one that pulled tells nothing about the pull.
    if build.failure.phase in _ORDER[: _ORDER.index(phase)]:
        return Verdict.BEFORE_PULL
    if finding.unread and build.failure.phase == phase:
        return Verdict.UNTOLD
    return Verdict.PAST_PULL


@dataclass(frozen=True, slots=True)
class Judgement:
    """How the remediation ends, and whether its changes to the project are taken back first."""

    outcome: Outcome
    take_back: bool = False


def judge(verdict: Verdict, phase: str, told: str, denied: bool, case: Case) -> Judgement:
    """What a retried build's result means for the case.

    `phase` is where it failed, `told` what its log says about that, `denied` whether it shows that docker was refused
    something with the credentials of DOCKER_AUTH_CONFIG.
    """
    if verdict is Verdict.SECRET_UNREADABLE:
        reason = "the project's role can't read the secret although it was granted"
        advice = "look for a permissions boundary, a service control policy or a KMS key that refuses the role"
        return Judgement(Outcome(Ending.GAVE_UP, reason, advice=(advice,)), take_back=True)
    if verdict is Verdict.BUILDSPEC_UNREADABLE and case.plan.edits_source:
        reason = "CodeBuild could not read the buildspec of the retried build"
        return Judgement(Outcome(Ending.GAVE_UP, reason), take_back=True)
    if verdict is Verdict.PAST_PULL and denied:
        reason = f"docker was denied something in {phase}, for which DOCKER_AUTH_CONFIG may be the reason"
        return Judgement(Outcome(Ending.GAVE_UP, reason, advice=case.otherwise), take_back=True)
    return Judgement(_outcome(verdict, phase, told, case))


def _outcome(verdict: Verdict, phase: str, told: str, case: Case) -> Outcome:
    again = "the build was run again"
    match verdict:
        case Verdict.PASSED:
            return Outcome(Ending.REMEDIATED, f"{again} and passed")
        case Verdict.PAST_PULL:
            return Outcome(Ending.REMEDIATED, f"{again} and got past the pull; it then failed in {phase} by itself")
        case Verdict.THROTTLED if phase != case.phase:
            reason = f"{again}, and another pull of it, in {phase}, was throttled"
            return Outcome(Ending.PATCHED, reason, advice=("nothing: that failure is looked at by itself",))
        case Verdict.THROTTLED:
            reason = f"{again} with the credentials and throttled all the same"
            return Outcome(Ending.GAVE_UP, f"{reason}: {told}" if told else reason)
        case Verdict.UNTOLD:
            reason = f"{again} and failed in {phase}; whether its pull got through is not told: {told}"
            return Outcome(Ending.PATCHED, reason, advice=("look at the retried build's log",))
        case Verdict.STOPPED:
            return Outcome(Ending.PATCHED, f"{again}, and somebody stopped it before its result")
        case Verdict.RUNNING:
            return Outcome(Ending.GAVE_UP, f"{again} and had no result within its own time-outs")
    return Outcome(Ending.GAVE_UP, f"{again} and failed in {phase}, before the pull was through")
