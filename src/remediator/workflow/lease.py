"""Holds a project for this execution while it is changed, and keeps what the journal knows of its past."""

from __future__ import annotations

from contextlib import suppress

from aws_durable_execution_sdk_python import DurableOperationError

from remediator.core.case import Case
from remediator.core.guards.history import NEW, History
from remediator.core.job import Job
from remediator.core.outcome import Ending, Outcome, gave_up
from remediator.services import Services
from remediator.steps.claim import ClaimAnswer, Claimed, HasThisBuild, Held, LeftAlone, ProjectClaim
from remediator.workflow.durable import Durable

PATIENCE = 3600
"""Seconds to wait for another execution with the project; it needs minutes."""


class DuplicateBuild(Exception):
    """Another execution has this very build, and reports its outcome. Lambda's names keep this from happening."""


class Lease:
    """`held`: is it this execution's? `waited`: was it somebody else's at first? `repaired`: was the project changed
    under it? `history` is the project's, with this execution's attempt in it. `project` has the steps."""

    def __init__(self, job: Job, services: Services, durable: Durable) -> None:
        self._job = job
        self._limits = services.settings.limits
        self._durable = durable
        self._is_first = True
        self.held = False
        self.project = ProjectClaim(job, services)
        self.waited = False
        self.repaired = False
        self.history: History = NEW

    def take(self, name: str = "claim") -> Outcome | None:
        """Wait until it is free, an hour at most; the outcome where this execution does not get it."""
        if self.held:
            return None
        first, self._is_first = self._is_first, False
        unknown: ClaimAnswer = Held("", looks=0)
        claim = self._durable.poll(
            name,
            lambda seen: self.project.claim(seen, first=first),
            unknown,
            done=lambda seen: not isinstance(seen, Held),
            patience=lambda _: PATIENCE,
        )
        match claim:
            case Claimed(history, looks):
                self.held, self.waited, self.history = True, looks > 1, history
                return None
            case HasThisBuild(by):
                raise DuplicateBuild(by)
            case LeftAlone():
                return Outcome(
                    Ending.ADVISED,
                    "a repair of the project was taken back within the last day, so it was left alone",
                    advice=("correct what that outcome names, then use the remediate command",),
                    quiet=True,  # the outcome that took it back was the notice
                )
        return gave_up(f"another execution held the project for an hour: {claim.by}")

    def count(self, case: Case) -> None:
        """Note in the history that this case is one of the project's attempts, or the last news for a while."""
        if case.standing.attempt:
            self.history = self.history.with_try(self._job.build.uuid, case.times.made_at, self._limits)
        if case.standing.last_news:
            self.history = self.history.with_notice()

    def give_back(self) -> None:
        """Others may repair the project while its build runs; they find nothing to change."""
        if self.held:
            history, repaired = self.history, self.repaired
            with suppress(DurableOperationError):  # the report gives it back once more
                self._durable.step("release", lambda: self.project.release(history, repaired=repaired))
                self.held = False
