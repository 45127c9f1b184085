"""Takes the project for this execution, and gives it back: the steps `claim`, `release` and `leave-alone`."""

from __future__ import annotations

from contextlib import suppress

from botocore.exceptions import ClientError

from remediator.aws.client import is_transient
from remediator.core.guards.history import History
from remediator.core.job import Job
from remediator.core.value import value
from remediator.records.journal import Claim
from remediator.services import Services

LEFT_ALONE = 86_400
"""Seconds for which a project is left alone after its repair was taken back."""


@value
class Claimed:
    """The project is this execution's, with its past, after so many looks."""

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


ClaimAnswer = Claimed | Held | HasThisBuild | LeftAlone


@value
class ProjectClaim:
    job: Job
    services: Services

    def claim(self, seen: ClaimAnswer, *, first: bool) -> ClaimAnswer:
        """Take the project's lease, or say who has it. A second attempt is a person's, who may go on where a repair was
        taken back. Only the `first` claim of an execution can find it to be a duplicate."""
        looks = (seen.looks if isinstance(seen, Held) else 0) + 1
        try:
            claim = self._ask_for_it("")
            if claim.held_by:
                if self.services.executions.is_running(claim.held_by):
                    same = first and claim.held_for == self.job.build.id
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
        job, now = self.job, self.services.now()
        return self.services.journal.claim(job.build, job.execution, now, evict, insist=job.attempt > 1)

    def release(self, history: History, *, repaired: bool) -> None:
        """Give the lease back. The list of the secret's users is for people only: where it is full that is no error."""
        self.services.journal.release(self.job.build.project, self.job.execution, history)
        if repaired:
            with suppress(ClientError):
                self.services.secret_record.add_user(self.job.build.project)

    def leave_alone(self) -> None:
        """For a day: the repair that was taken back would do the same harm at the next failure."""
        until = self.services.now() + LEFT_ALONE
        self.services.journal.leave_alone(self.job.build.project, self.job.execution, until)
