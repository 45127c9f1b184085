"""Waits out what no change cures: an account's own limit, a lockout of sign-ins, Docker Hub's limit on abuse."""

from __future__ import annotations

from typing import Any

from remediator.core.case import Case
from remediator.core.diagnosis.throttle import Cause
from remediator.core.guards.shared_role import listed
from remediator.core.job import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.wording import moment
from remediator.services import Services
from remediator.steps.steps import Steps
from remediator.workflow.checking import Checking
from remediator.workflow.durable import Durable
from remediator.workflow.waiting import jitter

Json = dict[str, Any]

BACK_OFF = 600
"""Seconds before the first retry after Docker Hub's abuse limit, which counts requests of a minute; then twice as many
each time. Nothing that Docker Hub tells names a time. https://docs.docker.com/docker-hub/usage/#abuse-rate-limit"""


class Patience:
    """`told` says who ran out of what and until when, for the outcome; empty as long as nothing was waited for."""

    def __init__(self, order: Order, services: Services, durable: Durable) -> None:
        self._steps = Steps(order, services)
        self._checking = Checking(order, services, durable)
        self._attempts = services.settings.limits.attempts
        self._secret = services.settings.sign_in.secret_arn
        self._durable = durable
        self.told = ""

    def sit_out(self, case: Case, name: str, number: int) -> Outcome | None:
        """Wait as long as the cause takes; the outcome where it can't be waited for, None when it is over.

        `name` draws the jitter, so that builds that failed together are not run again at once; `number` counts the
        retries before.
        """
        match case.cause:
            case Cause.ACCOUNT_LIMIT:
                return self._account_limit(name, number)
            case Cause.LOGIN_LOCKOUT:
                return self._lockout(case, name)
        seconds = BACK_OFF * 2**number
        self.told = "Docker Hub's abuse limit was met, which counts every request from an address, signed in or not"
        self._durable.pause("back-off", seconds + jitter(name, seconds))
        return None

    def _account_limit(self, name: str, number: int) -> Outcome | None:
        """Pulls that are left again are used at once, but only once: a build may need more of them than there are."""
        allowance = self._checking.allowance()
        if isinstance(allowance, Outcome):
            return allowance
        self.told = _limit(allowance, self._secret)
        window = 0 if allowance["remaining"] and not number else int(allowance["window"])
        self._durable.pause("window", window + jitter(name, max(60, window // 10)))
        return None

    def _lockout(self, case: Case, name: str) -> Outcome | None:
        """No sign-in until the lockout may be over, not of another build's either, then one."""
        locked = self._durable.step("lock-out", self._steps.locked_out)
        self.told = f"Docker Hub had locked sign-ins out, and none was tried until {moment(locked['until'])} at least"
        seconds = int(locked["seconds"])
        for _ in range(self._attempts):
            self._durable.pause("lockout", seconds + jitter(name, 60))
            seconds = self._durable.step("locked", self._steps.locked_for)
            if not seconds:
                break
        else:
            return Outcome(Ending.GAVE_UP, "Docker Hub locks sign-ins out again and again; find what signs in wrongly")
        checked = self._checking.check(case, trusts=False)
        return checked if isinstance(checked, Outcome) else None


def _limit(allowance: Json, secret: str) -> str:
    account = f"the account of the secret {secret}"
    shared = f"; the repaired projects {listed(allowance['projects'])} share it" if allowance["projects"] else ""
    if allowance["limit"] is None:
        return f"{account} was at its own pull limit, and Docker Hub reports none for it any more{shared}"
    return (
        f"{account} may pull {allowance['limit']} images in {allowance['window']} s and had {allowance['remaining']} "
        f"left, until {moment(allowance['until'])} at the latest{shared}"
    )
