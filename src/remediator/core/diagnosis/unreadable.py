"""Tells that a build failed because it could not read a secret: no pull was throttled, so it is no `throttle.Cause`."""

from __future__ import annotations

from enum import StrEnum

from remediator.core.codebuild.failure import BuildFailure
from remediator.core.diagnosis.throttle import EXCERPT_LENGTH, find_throttle
from remediator.core.wording import harmless

_LONGEST = 4_000
"""Characters of a message that are read."""


class SecretCause(StrEnum):
    """Why a build could not read the secret that its project names. GRANT_GONE: its role may not, by what this stack
    grants; that is known once the role was read. UNREADABLE: anything else, or not known yet."""

    GRANT_GONE = "grant-gone"
    UNREADABLE = "secret-unreadable"


def find_unreadable_secret(failure: BuildFailure) -> str | None:
    """What CodeBuild said about the secret, redacted and short; None where the build failed for another reason."""
    if not failure.cannot_read_secret or find_throttle(failure.context):
        return None
    from remediator.core.diagnosis.excerpt import redact

    return redact(harmless(failure.context[:_LONGEST]))[:EXCERPT_LENGTH]
