"""Decides what throttled a build, and whether Docker Hub credentials can help, from the failure's own words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remediator.core.evidence import Cause, find_throttle, is_pull_failure
from remediator.core.failure import BuildFailure
from remediator.core.image import CURATED, DOCKER_HUB, ImageReference
from remediator.core.outcome import Ending, Outcome

_OTHER_REASON = re.compile(
    r"unauthorized|denied|not found|manifest unknown|no such host|timeout|timed out|x509|refused|no matching manifest"
    r"|invalid reference|no space left",
    re.IGNORECASE,
)
"""Reasons that Docker Hub or the daemon give in full: where one is told, nothing was cut and nothing throttled."""

_NO_CURE = {
    Cause.ACCOUNT_LIMIT: (
        Ending.ADVISED,
        "the build was signed in already and that account's own pull limit is used up; signing in again can't help",
        "wait until the account's six-hour window is over, or use an account with a larger allowance",
    ),
    Cause.LOGIN_LOCKOUT: (
        Ending.ADVISED,
        "Docker Hub has locked sign-ins out after too many failed ones, and every further one prolongs that",
        "find what signs in with a wrong password, mend it, and start the build again when the lockout is over",
    ),
    Cause.ABUSE_LIMIT: (
        Ending.ADVISED,
        "Docker Hub's abuse limit counts every request from an address, signed in or not; credentials can't help",
        "start the build again later, from another address, or with fewer pulls at once",
    ),
    Cause.OTHER_REGISTRY: (
        Ending.SKIPPED,
        "another registry than Docker Hub throttled the pull; Docker Hub's credentials have no business there",
        "",
    ),
    Cause.UNKNOWN: (
        Ending.ADVISED,
        "the pull was throttled, but the message does not tell which limit it was",
        "if it was Docker Hub's limit for the anonymous, make the changes that the plan command shows by hand",
    ),
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What throttled, in which phase, of which registry; `refusal` says why credentials can't help, if they can't.

    `excerpt` holds the decisive lines, redacted.
    """

    cause: Cause | None
    registry: str | None
    phase: str
    excerpt: str
    refusal: Outcome | None


def diagnose(failure: BuildFailure) -> Diagnosis:
    """Decide from the failing phase's context and the image, before anything else is read."""
    registry = _registry(failure.image)
    throttle = find_throttle(failure.context)
    cause = throttle.cause if throttle else None
    if throttle and registry not in (DOCKER_HUB, None):
        cause = Cause.OTHER_REGISTRY
    refusal = _refusal(failure, registry, cause)
    return Diagnosis(cause, registry, failure.phase, throttle.excerpt if throttle else "", refusal)


def _registry(image: str) -> str | None:
    try:
        return ImageReference.parse(image).registry
    except ValueError:
        return None


def _refusal(failure: BuildFailure, registry: str | None, cause: Cause | None) -> Outcome | None:
    if failure.phase != "PROVISIONING":
        phase = failure.phase or "no phase that is told"
        return Outcome(Ending.SKIPPED, f"the build failed in {phase}, not while its own image was pulled", cause)
    if registry is None:
        return Outcome(Ending.SKIPPED, "the build's image is no readable image reference", cause)
    if registry == CURATED:
        return Outcome(Ending.SKIPPED, "the image is one of CodeBuild's own, which CodeBuild pulls for itself", cause)
    if registry != DOCKER_HUB:
        return Outcome(Ending.SKIPPED, f"the image comes from {registry}, not from Docker Hub", cause)
    if cause is None:
        return _not_throttled(failure)
    if cause is not Cause.ANONYMOUS_LIMIT:
        ending, reason, advice = _NO_CURE[cause]
        return Outcome(ending, reason, cause, advice=(advice,) if advice else ())
    return None


def _not_throttled(failure: BuildFailure) -> Outcome:
    if not is_pull_failure(failure.context):
        return Outcome(Ending.SKIPPED, "the build did not fail because its image could not be pulled")
    if _OTHER_REASON.search(failure.context):
        return Outcome(Ending.SKIPPED, "the image could not be pulled for another reason than a pull limit")
    return Outcome(
        Ending.ADVISED,
        "the image could not be pulled from Docker Hub, and the message was cut before the reason",
        advice=("look at the image's registry; if it was the pull limit, set a registry credential by hand",),
    )
