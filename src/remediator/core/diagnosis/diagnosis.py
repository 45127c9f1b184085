"""Decides what throttled a build, and whether Docker Hub credentials can help, from the failure's own words and log."""

from __future__ import annotations

import re
from dataclasses import replace

from remediator.core.codebuild.failure import COMMAND_PHASES, BuildArn, BuildFailure
from remediator.core.codebuild.image import CURATED, ImageReference
from remediator.core.diagnosis.failed_command import Finding
from remediator.core.diagnosis.throttle import Cause, find_throttle, is_pull_failure
from remediator.core.diagnosis.unreadable import SecretCause, find_unreadable_secret
from remediator.core.names import DOCKER_HUB
from remediator.core.outcome import Ending, Outcome, advised, skipped
from remediator.core.value import value

_OTHER_REASON = (
    r"(?i)unauthorized|denied|not found|manifest unknown|no such host|timeout|timed out|x509|refused"
    r"|no matching manifest|invalid reference|no space left"
)
"""Other reasons of Docker Hub or the daemon: a message with one of them was not cut, and is no throttling."""

_NO_CURE = {
    Cause.ACCOUNT_LIMIT: advised(
        "the build was signed in already and that account's own pull limit is used up; signing in again can't help",
        "wait until the account's six-hour window is over, or use an account with a larger allowance",
    ),
    Cause.LOGIN_LOCKOUT: advised(
        "Docker Hub has locked sign-ins out after too many failed ones, and every further one prolongs that",
        "find what signs in with a wrong password, correct it, and start the build again when the lockout is over",
    ),
    Cause.ABUSE_LIMIT: advised(
        "Docker Hub's abuse limit counts every request from an address, signed in or not; credentials can't help",
        "start the build again later, from another address, or with fewer pulls at once",
    ),
    Cause.OTHER_REGISTRY: skipped(
        "another registry than Docker Hub throttled the pull; Docker Hub's credentials have no business there"
    ),
    Cause.UNKNOWN: advised(
        "the pull was throttled, but the message does not tell which limit it was",
        "if it was Docker Hub's limit for the anonymous, make the changes that the plan command shows by hand",
    ),
}

WAITED_FOR = (Cause.ACCOUNT_LIMIT, Cause.LOGIN_LOCKOUT, Cause.ABUSE_LIMIT)
"""Causes that no change cures and that pass with time."""


@value
class Diagnosis:
    """What throttled, in which phase, of which registry, or that a secret could not be read. `refusal`: why neither
    credentials nor a grant can help, None where one can. `excerpt` holds the decisive lines, redacted."""

    cause: Cause | SecretCause | None
    registry: str | None
    phase: str
    excerpt: str
    refusal: Outcome | None


NOT_INSPECTED = Finding(unread="InspectBuildLogs is off")


def diagnose(failure: BuildFailure, finding: Finding = NOT_INSPECTED) -> Diagnosis:
    """Decide before any project is read: from the failing phase's context and the image, or from a command's log.
    `finding` is what the log says. It counts where a command failed, because the context does not quote its output."""
    said = find_unreadable_secret(failure)
    if said is not None:  # whose secret it is, the event alone does not tell
        return Diagnosis(SecretCause.UNREADABLE, None, failure.phase, said, refusal=None)
    diagnosis = _of_command(failure, finding) if failure.of_command else _of_image(failure)
    return replace(diagnosis, refusal=_with_mirrors(diagnosis, failure))


def _of_image(failure: BuildFailure) -> Diagnosis:
    image = _image(failure.image)
    registry = image.registry if image else None
    throttle = find_throttle(failure.context)
    cause = throttle.cause if throttle else None
    if throttle and registry not in (DOCKER_HUB, None):
        cause = Cause.OTHER_REGISTRY
    refusal = _refusal(failure, registry, cause)
    return Diagnosis(cause, registry, failure.phase, throttle.excerpt if throttle else "", refusal)


def _of_command(failure: BuildFailure, finding: Finding) -> Diagnosis:
    throttle, phase = finding.throttle, failure.phase
    if throttle:
        return Diagnosis(throttle.cause, throttle.registry, phase, throttle.excerpt, no_cure(throttle.cause))
    if finding == NOT_INSPECTED:
        refusal = skipped(f"a command failed in {phase}, and InspectBuildLogs is off")
    elif finding.denied:
        # Perhaps on purpose (LogGroupPattern), and true of every failed build of the project.
        refusal = skipped(f"a command failed in {phase}, and {finding.unread}")
    elif finding.unread:
        refusal = advised(
            f"a command failed in {phase}, and whether a pull was throttled can't be told: {finding.unread}",
            "look at the build yourself; with CloudWatch Logs turned on for the project this is done for you",
        )
    else:
        refusal = skipped(f"a command failed in {phase}, and what it said shows no throttled pull")
    return Diagnosis(None, None, phase, "", refusal)


def _with_mirrors(diagnosis: Diagnosis, failure: BuildFailure) -> Outcome | None:
    """Where nothing can be repaired here, the same image from elsewhere is a way out."""
    refusal = diagnosis.refusal
    if refusal is None or refusal.ending is not Ending.ADVISED or diagnosis.cause is None:
        return refusal
    mirrors = mirrors_of(failure.build, failure.phase, failure.image, diagnosis.excerpt)
    return refusal.with_facts(background=mirrors)


def mirrors_of(build: BuildArn, phase: str, image_of_build: str, excerpt: str) -> tuple[str, ...]:
    """Advice on where else to get the throttled image: the build's own, or one that a command's evidence names."""
    from remediator.core.advice.mirrors import image_named, mirror_advice

    image = image_named(excerpt) if phase in COMMAND_PHASES else _image(image_of_build)
    if image is None or not image.is_docker_hub:
        return ()
    return (mirror_advice(image, build.account, build.region, build.partition),)


def _image(text: str) -> ImageReference | None:
    try:
        return ImageReference.parse(text)
    except ValueError:
        return None


def _refusal(failure: BuildFailure, registry: str | None, cause: Cause | None) -> Outcome | None:
    if failure.phase != "PROVISIONING":
        phase = failure.phase or "an unknown phase"
        reason = f"the build failed in {phase}, neither while its image was pulled nor on a command"
        return Outcome(Ending.SKIPPED, reason, cause)
    if registry is None:
        return Outcome(Ending.SKIPPED, "the build's image is no readable image reference", cause)
    if registry == CURATED:
        return Outcome(Ending.SKIPPED, "the image is one of CodeBuild's own, which CodeBuild pulls for itself", cause)
    if registry != DOCKER_HUB:
        return Outcome(Ending.SKIPPED, f"the image comes from {registry}, not from Docker Hub", cause)
    return _not_throttled(failure) if cause is None else no_cure(cause)


def no_cure(cause: Cause) -> Outcome | None:
    """Why credentials do not help against this cause; None where they do."""
    if cause is Cause.ANONYMOUS_LIMIT:
        return None
    return _NO_CURE[cause].with_facts(cause=cause)


def _not_throttled(failure: BuildFailure) -> Outcome:
    if not is_pull_failure(failure.context):
        return skipped("the build did not fail because its image could not be pulled")
    if re.search(_OTHER_REASON, failure.context):
        return skipped("the image could not be pulled for another reason than a pull limit")
    return advised(
        "the image could not be pulled from Docker Hub, and the message was cut before the reason",
        "look at the image's registry; if it was the pull limit, set a registry credential by hand",
    )
