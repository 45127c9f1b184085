"""Has the credentials proved at Docker Hub, and waits while another execution asks or Docker Hub does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from remediator.core.case import Case
from remediator.core.job import Job
from remediator.core.outcome import Outcome, gave_up
from remediator.services import Services
from remediator.steps.credentials import (
    Accepted,
    AccountAllowance,
    Asking,
    CredentialCheck,
    LockedOut,
    Trusted,
    Unreachable,
)
from remediator.workflow.durable import Durable

HUB_PATIENCE = 900
"""Seconds to wait for a Docker Hub that can't be asked."""

T = TypeVar("T")


class PatientCheck:
    def __init__(self, job: Job, services: Services, durable: Durable) -> None:
        self._trusts = services.settings.trust_earlier_proof
        self._credentials = CredentialCheck(services, job.execution)
        self._durable = durable

    def check(self, case: Case) -> Accepted | Trusted | Outcome:
        """Does Docker Hub accept the credentials, or did it before, where it can't be asked now? Else how it ends."""
        return self._answer("check", lambda: self._credentials.check(case, trusts=self._trusts))

    def lockout(self) -> Accepted | LockedOut | Outcome:
        """Does Docker Hub itself lock sign-ins out? No earlier proof is good enough."""
        return self._answer("lock-out", self._credentials.lockout)

    def allowance(self) -> AccountAllowance | Outcome:
        """What the secret's account may pull, by Docker Hub's word of this moment."""
        return self._answer("allowance", self._credentials.allowance)

    def _answer(self, name: str, look: Callable[[], T | Asking | Unreachable]) -> T | Outcome:
        """What Docker Hub says, or how it ends. Another execution that signs in now has an answer for both soon."""
        seen = self._durable.insist(name, look, while_it_is=(Asking, Unreachable), patience=HUB_PATIENCE)
        if isinstance(seen, (Asking, Unreachable)):
            reason = f"Docker Hub could not be asked about the credentials for {HUB_PATIENCE // 60} minutes"
            advice = "use the remediate command when Docker Hub answers again"
            return gave_up(f"{reason}; nothing was written", advice)
        return seen
