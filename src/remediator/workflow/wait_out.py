"""Waits for causes that pass with time: a used-up account, a lockout of sign-ins, the abuse limit."""

from __future__ import annotations

from remediator.core.case import Case
from remediator.core.diagnosis.throttle import Cause
from remediator.core.guards.shared_role import listed
from remediator.core.job import Job
from remediator.core.outcome import Outcome, gave_up
from remediator.core.wording import moment
from remediator.services import Services
from remediator.steps.credentials import Accepted, AccountAllowance
from remediator.workflow.durable import Durable, jitter
from remediator.workflow.patient_check import PatientCheck

BACK_OFF = 600
"""Seconds before the first retry after Docker Hub's abuse limit, which counts requests of a minute; doubled each time.
Docker Hub names no time. https://docs.docker.com/docker-hub/usage/#abuse-rate-limit"""


class WaitOut:
    """`waited_for` ends an outcome's reason: who ran out of what and until when; empty where nothing was waited for."""

    def __init__(self, job: Job, services: Services, durable: Durable) -> None:
        self._check = PatientCheck(job, services, durable)
        self._attempts = services.settings.limits.attempts
        self._secret = services.settings.sign_in.secret_arn
        self._durable = durable
        self.waited_for = ""

    def sit_out(self, case: Case, name: str, number: int) -> Outcome | None:
        """Wait as long as the cause takes; the outcome where it can't be waited for, None when it is over.

        `name` draws the jitter, which spreads builds that failed together; `number` counts the retries before.
        """
        match case.cause:
            case Cause.ACCOUNT_LIMIT:
                return self._account_limit(name, number)
            case Cause.LOGIN_LOCKOUT:
                return self._lockout(name)
        seconds = BACK_OFF * 2**number
        abuse = "Docker Hub's abuse limit was met, which counts every request from an address, signed in or not"
        self.waited_for = f"; {abuse}"
        self._durable.pause("back-off", seconds + jitter(name, seconds))
        return None

    def _account_limit(self, name: str, number: int) -> Outcome | None:
        """Pulls that are left again are used at once, but only once: a build may need more than that."""
        allowance = self._check.allowance()
        if isinstance(allowance, Outcome):
            return allowance
        self.waited_for = f"; {_limit(allowance, self._secret)}"
        window = 0 if allowance.remaining and not number else allowance.window
        self._durable.pause("window", window + jitter(name, max(60, window // 10)))
        return None

    def _lockout(self, name: str) -> Outcome | None:
        """Wait only where Docker Hub itself says so: a build may print anything. Meanwhile no execution signs in; then
        one asks again."""
        for windows in range(self._attempts):
            seen = self._check.lockout()
            if isinstance(seen, Outcome):
                return seen
            if isinstance(seen, Accepted):
                if not windows:
                    self.waited_for = (
                        "; the build said that sign-ins were locked out, and Docker Hub took one all the same"
                    )
                return None
            told = moment(seen.until)
            self.waited_for = f"; Docker Hub had locked sign-ins out, and none was tried until {told} at least"
            self._durable.pause("lockout", seen.seconds + jitter(name, 60))
        return gave_up("Docker Hub locks sign-ins out again and again; find what signs in wrongly")


def _limit(allowance: AccountAllowance, secret: str) -> str:
    account = f"the account of the secret {secret}"
    shared = f"; the repaired projects {listed(allowance.projects)} share it" if allowance.projects else ""
    if allowance.limit is None:
        return f"{account} was at its own pull limit, and Docker Hub reports none for it any more{shared}"
    return (
        f"{account} may pull {allowance.limit} images in {allowance.window} s and had {allowance.remaining} "
        f"left, until {moment(allowance.until)} at the latest{shared}"
    )
