"""A project's past, and the rules by which another failed build of it is not acted on: no loop is possible."""

from __future__ import annotations

from dataclasses import replace

from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot
from remediator.core.names import PATIENCE_AFTER_GRANT
from remediator.core.outcome import Ending, Outcome, advised, gave_up, skipped
from remediator.core.repair.plan import Plan
from remediator.core.value import value
from remediator.core.wording import moment


@value
class Limits:
    """How often a project, and a failed build, is acted on: so many times within so many minutes."""

    attempts: int
    minutes: int


@value
class Regrant:
    """How many `times` a role was given the grant again that it had lost, whichever project asked; when the last time
    was, `at` (by our clock), and `by` which execution."""

    times: int = 0
    at: float = 0.0
    by: str = ""


@value
class History:
    """A project's past, as the journal keeps it. Times are seconds since 1970.

    `repaired_at` is the `lastModified` of our last UpdateProject, None for a project that is not repaired;
    `repaired_by` is the execution that made it, `members` what it set, `edited_at` the last edit of others before it.
    `undone` counts repairs that somebody took away. `tries` are the failed builds that were acted on in the window that
    ends at `window_ends`. `noticed`: was the owner told that the project is quiet for the rest of it?
    `left_alone_until`: after a repair was taken back, and 0 when somebody has come since. `regrant` is the role's; who
    asks about it reads it apart.
    """

    repaired_at: float | None = None
    repaired_by: str = ""
    edited_at: float = 0.0
    members: tuple[str, ...] = ()
    undone: int = 0
    tries: tuple[str, ...] = ()
    window_ends: float = 0.0
    noticed: bool = False
    left_alone_until: float = 0.0
    regrant: Regrant = Regrant()

    @property
    def taken_back(self) -> bool:
        """Was its repair taken back, and has nobody come since?"""
        return self.left_alone_until > 0

    def precedes(self, build: Build) -> bool:
        """Did the build start after the project was repaired? Both times are by CodeBuild's own clock."""
        return self.repaired_at is not None and build.started_at > self.repaired_at

    def counts(self, build: Build) -> bool:
        """Is acting on this build one of the project's attempts? A build that started before the repair, or before the
        role was granted the secret again, is none: it had to fail, finds nothing to change, and is run again once."""
        return self.repaired_at is None or (self.precedes(build) and build.started_at > self.regrant.at)

    @property
    def was_repaired(self) -> bool:
        """Has this stack repaired the project, be it that the repair was taken back?"""
        return self.repaired_at is not None or self.taken_back

    def watchers_of(self, build: Build) -> tuple[str, ...]:
        """The executions whose repair, or whose grant, this build tells about, as it started after that."""
        made = ((self.repaired_at, self.repaired_by), (self.regrant.at or None, self.regrant.by))
        return tuple(by for at, by in made if at is not None and build.started_at > at)

    def grant_may_be_late(self, build: Build) -> bool:
        """Did the build start before a grant of ours has surely arrived? Then it may have failed for that alone."""
        return build.started_at < max(self.regrant.at, self.repaired_at or 0.0) + PATIENCE_AFTER_GRANT

    def edited_before(self, snapshot: Snapshot) -> float:
        """When somebody else than us last edited the project."""
        return self.edited_at if snapshot.last_modified == self.repaired_at else snapshot.last_modified

    def was_undone(self, plan: Plan) -> bool:
        """Does the plan set again what a repair has set before?"""
        return self.repaired_at is not None and not plan.record().keys().isdisjoint(self.members)

    def with_try(self, build: str, now: float, limits: Limits) -> History:
        """The history after this build (its uuid) was acted on at `now`; a window begins with its first try."""
        if now < self.window_ends:
            return replace(self, tries=tuple(dict.fromkeys((*self.tries, build))))
        return replace(self, tries=(build,), window_ends=now + limits.minutes * 60, noticed=False)

    def with_notice(self) -> History:
        """The history after its owner was told that the project is quiet for the rest of the window."""
        return replace(self, noticed=True)


NEW = History()


def owned_by_another(unit: str, holder: str, *, runs: bool) -> Outcome:
    """Outcome for a build whose `unit` (batch, stage or retry chain, in words) another execution already owns."""
    if runs:
        return skipped(f"{unit} is with execution {holder}, which still works on it")
    advice = "use the remediate command if that outcome leaves something to do"
    return skipped(f"{unit} was with execution {holder}; its outcome tells what came of it", advice)


def retry_of_ours(initiator: str, own_name: str) -> Outcome | None:
    """A build that this stack started is never acted on: the execution that started it follows it."""
    told = "the build is a retry that this stack made; the outcome of the build that it repeats tells what came of it"
    return Outcome(Ending.SKIPPED, told, quiet=True) if started_by(initiator, own_name) else None


def started_by(initiator: str, function: str) -> bool:
    """CodeBuild shows who started a build as `<role>/<session>`, and the session has the function's name."""
    return bool(function) and initiator.endswith(f"/{function}")


def stopped(told: str) -> Outcome:
    """Outcome while the stop switch is on; `told` says since when, and why."""
    advice = "send the command resume, then use the remediate command for this project"
    return skipped(told, advice)


def locked_out(until: float) -> Outcome:
    """Outcome while nobody signs in: Docker Hub refuses that, and each further try prolongs it."""
    reason = f"Docker Hub has locked sign-ins out; none is tried until {moment(until)}"
    return gave_up(reason, "use the remediate command after that")


def belongs_to_watcher(watcher: str) -> Outcome:
    """Outcome for a build that started after a repair whose execution still runs."""
    told = "the build started after its project was repaired, so it tells about that repair"
    return skipped(f"{told}, which execution {watcher} still follows")


def too_often(history: History, build: Build, limits: Limits, now: float) -> Outcome | None:
    """The project keeps failing: one notice, then quiet until the window ends."""
    tried = build.failure.build.uuid in history.tries
    if now >= history.window_ends or tried or len(history.tries) < limits.attempts or not history.counts(build):
        return None
    until = moment(history.window_ends)
    if history.noticed:
        return Outcome(Ending.SKIPPED, f"the project keeps failing and is left alone until {until}", quiet=True)
    return gave_up(
        f"the project keeps failing: {len(history.tries)} of its builds were acted on within {limits.minutes} minutes, "
        f"and no more is tried until {until}; its next failures are in the journal only",
        "look at the outcomes of its builds in the journal, correct what they name, then use remediate",
    )


def undone_again(history: History, plan: Plan) -> Outcome | None:
    """A repair that was taken away twice is not made a third time: its owner's deploys would take it away again."""
    told = "the repair was undone twice, most likely by deployments of the project's own definition; it is left alone"
    return advised(told) if history.undone and history.was_undone(plan) else None
