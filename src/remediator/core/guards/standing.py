"""Tells whether there is anything to do for a project that somebody asks about, and what would hold it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from remediator.core.codebuild.build import Build
from remediator.core.guards.history import History, Limits, too_often, undone_again
from remediator.core.outcome import Outcome, skipped
from remediator.core.repair.plan import Plan
from remediator.core.wording import moment


def nothing_to_do(builds: Sequence[Build], history: History, *, signed_in: bool) -> Outcome | None:
    """Outcome for a project that is signed in and whose newest build that has ended passed; None for any other.
    `builds` are its newest, newest first."""
    newest = next((build for build in builds if build.ended), None)
    if not signed_in or newest is None or newest.status != "SUCCEEDED":
        return None
    return skipped(f"{signed_in_since(history)}, and its newest build passed: nothing to do")


def signed_in_since(history: History) -> str:
    """The first words of a sentence on a project that is signed in."""
    if history.repaired_at is None:
        return "the project is signed in, not by this stack as far as the journal tells"
    return f"the project has been signed in since {moment(history.repaired_at)}"


def held_back(
    stopped: str,
    refused_until: float,
    history: History,
    plan: Plan,
    build: Build | None,
    limits: Limits,
    now: float,
) -> Iterator[str]:
    """Why a remediation would not change the project right now, each in one sentence.

    `stopped` is what the stop switch says, `refused_until` how long the refused secret is not tried again (0 where it
    was not refused), `build` the newest one that failed.
    """
    if stopped:
        yield stopped
    if refused_until:
        yield (
            "Docker Hub has refused the credentials of the secret; the same version is not tried again before "
            f"{moment(refused_until)}, a new version at once"
        )
    if history.left_alone_until > now:
        yield f"a repair of the project was taken back, so it is left alone until {moment(history.left_alone_until)}"
    rule = too_often(history, build, limits, now) if build else None
    if rule:
        yield rule.reason
    undone = undone_again(history, plan)
    if undone:
        yield undone.reason
