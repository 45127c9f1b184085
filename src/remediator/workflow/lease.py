"""Holds a project for this execution while it is changed, and keeps what the journal knows of its past."""

from __future__ import annotations

from contextlib import suppress

from aws_durable_execution_sdk_python import DurableOperationError
from botocore.exceptions import ClientError

from remediator.aws.client import is_transient
from remediator.core.case import Case
from remediator.core.guards.history import NEW, History
from remediator.core.job import Job
from remediator.core.outcome import Ending, Outcome, gave_up
from remediator.core.value import value
from remediator.records.journal import Claim
from remediator.services import Services
from remediator.workflow.durable import Durable

PATIENCE = 3600
"""Seconds to wait for another execution to finish with the project; it needs minutes."""

LEFT_ALONE = 86_400
"""Seconds for which a project is left alone after its repair was taken back."""


class DuplicateBuild(Exception):
    """Another execution has this very build, and tells its outcome. Lambda's names keep this from happening."""


@value
class Claimed:
    """The project is this execution's; its past, and how many looks it took."""

    history: History
    looks: int


@value
class Held:
    """Another execution has the project, `by` its ARN or why nobody knows, after so many looks."""

    by: str
    looks: int


@value
class HasThisBuild:
    """The execution that has this very build."""

    by: str


@value
class LeftAlone:
    """Nobody has the project, and nobody is to take it for a while."""


Answer = Claimed | Held | HasThisBuild | LeftAlone


class Lease:
    """`waited`: was it somebody else's at first? `repaired`: was the project changed under it?

    `history` is the project's, with this execution's attempt in it.
    """

    def __init__(self, job: Job, services: Services, durable: Durable) -> None:
        self._job = job
        self._services = services
        self._limits = services.settings.limits
        self._durable = durable
        self._held = False
        self._is_first = True
        self.waited = False
        self.repaired = False
        self.history: History = NEW

    def take(self, name: str = "claim") -> Outcome | None:
        """Wait until it is free, an hour at most; the outcome where it is not to be had."""
        if self._held:
            return None
        first, self._is_first = self._is_first, False
        nobody_asked: Answer = Held("", looks=0)
        claim = self._durable.poll(
            name,
            lambda seen: self._claim(seen, first=first),
            nobody_asked,
            done=lambda seen: not isinstance(seen, Held),
            patience=lambda _: PATIENCE,
        )
        match claim:
            case Claimed(history, looks):
                self._held, self.waited, self.history = True, looks > 1, history
                return None
            case HasThisBuild(by):
                raise DuplicateBuild(by)
            case LeftAlone():
                return Outcome(
                    Ending.ADVISED,
                    "a repair of the project was taken back within the last day, so it was left alone",
                    advice=("mend what that outcome names, then use the remediate command",),
                    quiet=True,  # the outcome that took it back was the notice
                )
        return gave_up(f"another execution held the project for an hour: {claim.by}")

    def count(self, case: Case) -> None:
        """Acting on this case is one of the project's attempts, or the last news of it for a while."""
        if case.standing.attempt:
            self.history = self.history.with_try(self._job.build.uuid, case.times.made_at, self._limits)
        if case.standing.last_news:
            self.history = self.history.with_notice()

    def give_back(self) -> None:
        """The project may be repaired by others while its build runs: whoever comes now finds nothing to change."""
        if self._held:
            history, repaired = self.history, self.repaired
            with suppress(DurableOperationError):  # the report gives it back once more
                self._durable.step("release", lambda: self.release(history, repaired=repaired))
                self._held = False

    @property
    def left_to_report(self) -> History | None:
        """What the report has to give back with it; None when the lease is not held."""
        return self.history if self._held else None

    # Within steps

    def _claim(self, seen: Answer, *, first: bool) -> Answer:
        """Take the project's lease, or say who has it.

        A second attempt is a person's, who may go on where a repair was taken back. Only the `first` claim of an
        execution can find it to be a duplicate.
        """
        looks = (seen.looks if isinstance(seen, Held) else 0) + 1
        try:
            claim = self._ask_for_it("")
            if claim.held_by:
                if self._services.executions.is_running(claim.held_by):
                    same = first and claim.held_for == self._job.build.id
                    return HasThisBuild(claim.held_by) if same else Held(claim.held_by, looks)
                claim = self._ask_for_it(claim.held_by)
        except Exception as error:
            if not is_transient(error):
                raise
            return Held("AWS did not answer", looks)
        if claim.left_alone:
            return LeftAlone()
        return Claimed(claim.history, looks) if claim.granted else Held(claim.held_by, looks)

    def _ask_for_it(self, evict: str) -> Claim:
        job, now = self._job, self._services.now()
        return self._services.journal.claim(job.build, job.execution, now, evict, insist=job.attempt > 1)

    def release(self, history: History, *, repaired: bool) -> None:
        """Give the lease back. Who shares the secret is told to people only, so no failure of that counts: a set of
        names has its limits."""
        self._services.journal.release(self._job.build.project, self._job.execution, history)
        if repaired:
            with suppress(ClientError):
                self._services.secret_record.add_user(self._job.build.project)

    def leave_alone(self) -> None:
        """For a day: what was taken back would do the same harm at the project's next failure."""
        until = self._services.now() + LEFT_ALONE
        self._services.journal.leave_alone(self._job.build.project, self._job.execution, until)
