"""Tells whether a build carries the credentials of a repair."""

from __future__ import annotations

from remediator.core.codebuild.build import Build
from remediator.core.repair.plan import SignIn


def signed_in(build: Build, phase: str, sign_in: SignIn) -> bool:
    """Does this build carry the credentials of a repair where they matter, in the phase whose pull was throttled?"""
    if phase == "PROVISIONING":
        return sign_in.signs_in_image(build.environment)
    # Reading buildspecs takes modules that a failed pull of the image has no need of.
    from remediator.core.repair.signed_in import signs_in

    return signs_in(build.environment, build.buildspec, sign_in)
