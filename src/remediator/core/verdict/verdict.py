"""Decides what the result of a retried build says about the repair."""

from __future__ import annotations

from enum import StrEnum

from remediator.core.case import Case
from remediator.core.case_advice import mirrors_for, sign_in_without_key
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import COMMAND_PHASES
from remediator.core.diagnosis.diagnosis import NOT_INSPECTED
from remediator.core.diagnosis.failed_command import Finding
from remediator.core.diagnosis.throttle import Cause, find_throttle
from remediator.core.outcome import FAILED_BY_ITSELF, PASSED, Ending, Outcome, gave_up, patched
from remediator.core.repair.sign_in import SignIn
from remediator.core.value import value

_ORDER = ("PROVISIONING", "DOWNLOAD_SOURCE", *COMMAND_PHASES)


class Verdict(StrEnum):
    """What became of a retried build; only the first two say that the credentials work."""

    PASSED = "passed"
    PAST_PULL = "past-pull"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    BUILDSPEC_UNREADABLE = "buildspec-unreadable"
    SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105 - the name of a verdict
    BEFORE_PULL = "before-pull"
    STOPPED = "stopped"
    RUNNING = "running"


def verdict(
    build: Build, phase: str = "PROVISIONING", finding: Finding = NOT_INSPECTED, secret_arn: str = ""
) -> Verdict:
    """Read one retried build; `phase` is where the first build failed, `finding` what the retried one's log says.

    `secret_arn` is the repair's own, which was read a moment ago: another secret that can't be read, or one that does
    not exist, says nothing about the repair. What our own change may have broken comes first: it fails a build that got
    past its pull.
    """
    if not build.ended:
        return Verdict.RUNNING
    if build.status == "SUCCEEDED":
        return Verdict.PASSED
    if build.status == "STOPPED":
        return Verdict.STOPPED
    failure = build.failure
    if failure.cannot_read_secret and not (failure.finds_no_secret or failure.names_other_secret(secret_arn)):
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
        return Verdict.UNKNOWN
    return Verdict.PAST_PULL


@value
class Watched:
    """What a retried build has told so far.

    `build` is its ARN, empty for none yet; `verdict` what became of it, `phase` where it failed, `log_says` what its
    log says about that, `proof` what shows that the credentials were used. `denied`: was docker denied something while
    DOCKER_AUTH_CONFIG was set? `ours`: where a secret could not be read, is it surely the repair's? `old`: does it run
    with the settings that the first one failed with? `started_at` is by CodeBuild's clock, `at` the last look by ours,
    both in seconds since 1970; `late` counts looks at a late log. Of a batch: its id, the group whose build counts, and
    how many minutes it may take.
    """

    build: str = ""
    verdict: Verdict = Verdict.RUNNING
    phase: str = ""
    log_says: str = ""
    proof: str = ""
    denied: bool = False
    ours: bool = False
    old: bool = False
    started_at: float = 0.0
    at: float = 0.0
    late: int = 0
    batch: str = ""
    group: str = ""
    minutes: int = 0


@value
class Judgement:
    """How the remediation ends, and whether its changes to the project are taken back first."""

    outcome: Outcome
    take_back: bool = False


def judge(seen: Watched, case: Case, sign_in: SignIn) -> Judgement:
    """What a retried build's result means for the case."""
    verdict, phase = seen.verdict, seen.phase
    if verdict is Verdict.SECRET_UNREADABLE:
        reason = "the project's role can't read the secret although it was granted"
        advice = "look for a permissions boundary, a service control policy or a KMS key that refuses the role"
        return Judgement(gave_up(reason, advice), take_back=True)
    if verdict is Verdict.BUILDSPEC_UNREADABLE and case.plan.edits_source:
        return Judgement(gave_up("CodeBuild could not read the buildspec of the retried build"), take_back=True)
    if verdict is Verdict.PAST_PULL and seen.denied:
        reason = f"docker was denied something in {phase}, for which DOCKER_AUTH_CONFIG may be the reason"
        by_hand = sign_in_without_key(case, sign_in, "DOCKER_AUTH_CONFIG goes before the build's own login")
        return Judgement(gave_up(reason, by_hand).with_facts(background=mirrors_for(case)), take_back=True)
    if verdict in (Verdict.PASSED, Verdict.PAST_PULL):
        return Judgement(_through(verdict, phase, seen.proof))
    return Judgement(_not_through(seen))


def _through(verdict: Verdict, phase: str, proof: str) -> Outcome:
    """A pass proves little by itself: another address may have had anonymous pulls left."""
    passed = verdict is Verdict.PASSED
    far = "passed" if passed else f"got past the pull; it then failed in {phase} by itself"
    lucky = (
        "nothing in its record or log shows that the credentials were used, so it may have been lucky with the address "
        "that it pulled from"
    )
    ending = Ending.REMEDIATED if proof else Ending.UNPROVEN
    result = PASSED if passed else FAILED_BY_ITSELF
    return Outcome(ending, f"the build was run again and {far}; {proof or lucky}", retry_result=result)


def _not_through(seen: Watched) -> Outcome:
    again, verdict, phase, log_says = "the build was run again", seen.verdict, seen.phase, seen.log_says
    if seen.old and verdict is Verdict.THROTTLED:
        reason = f"{again} with the settings that it first failed with, and throttled again: {log_says}"
        return patched(reason, "start the build again: the project is signed in")
    match verdict:
        case Verdict.THROTTLED:
            reason = f"{again} as often as MaxAttempts allows, and throttled in {phase} all the same"
            return gave_up(f"{reason}: {log_says}" if log_says else reason)
        case Verdict.UNKNOWN:
            reason = f"{again} and failed in {phase}; whether its pull got through is not told: {log_says}"
            return patched(reason, "look at the retried build's log")
        case Verdict.STOPPED:
            reason = f"{again}, and somebody stopped it before its result"
            return patched(reason, "start the build again if its result is wanted")
        case Verdict.RUNNING:
            return gave_up(f"{again} and had no result within its own time-outs")
    return gave_up(f"{again} and failed in {phase}, before the pull was through")
