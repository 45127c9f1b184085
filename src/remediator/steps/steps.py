"""What the steps on lease, credentials, grant and report do.

Every method is one step: it may run again after an interruption, and returns names, ARNs and decisions as JSON.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import is_transient
from remediator.core.case import Case
from remediator.core.guards.history import History, stopped
from remediator.core.job import Order
from remediator.core.outcome import Outcome
from remediator.core.repair.change import GrantSecretAccess
from remediator.records.journal import Claim
from remediator.services import Services
from remediator.steps.credentials import Proving
from remediator.steps.grant import Grants

Json = dict[str, Any]

LEFT_ALONE = 86_400
"""Seconds for which a project is left alone after its repair was taken back."""


class Steps:
    def __init__(self, order: Order, services: Services) -> None:
        self._order = order
        self._services = services
        self._settings = services.settings
        self._proving = Proving(services, order.execution)

    def claim(self, looks: int, first: bool) -> Json:
        """Take the project's lease: `granted` with its history, `held` (look again later), `duplicate`, `left-alone`.

        A second attempt is a person's, who may go on where a repair was taken back. `looks` before this one failed.
        Only the `first` claim of an execution can find it to be a duplicate.
        """
        order = self._order
        told: Json = {"claim": "held", "by": "AWS did not answer", "looks": looks + 1, "history": None}
        try:
            claim = self._take("")
            if claim.held_by:
                if self._services.executions.is_running(claim.held_by):
                    same = first and claim.held_for == order.build.id
                    return {**told, "claim": "duplicate" if same else "held", "by": claim.held_by}
                claim = self._take(claim.held_by)
        except Exception as error:
            if not is_transient(error):
                raise
            return told
        if claim.left_alone:
            return {**told, "claim": "left-alone", "by": ""}
        granted = "granted" if claim.granted else "held"
        return {**told, "claim": granted, "by": claim.held_by, "history": claim.history.to_json()}

    def _take(self, evict: str) -> Claim:
        order = self._order
        now = self._services.now()
        return self._services.journal.claim(order.build, order.execution, now, evict, insist=order.attempt > 1)

    def release(self, history: History, shares: bool) -> None:
        """Give the lease back; `shares`: the project was signed in with the secret. That is told to people only, so no
        failure of it counts: a set of names has its limits."""
        self._services.journal.release(self._order.build.project, self._order.execution, history)
        if shares:
            with suppress(ClientError):
                self._services.secret_record.share(self._order.build.project)

    def check(self, case: Case) -> Json:
        """Are the credentials good, and what is known of their account? See `Proving`."""
        return self._proving.look(case)

    def allowance(self) -> Json:
        """What the secret's account may pull, until when at the latest it has to wait, and who shares it."""
        seen = self._proving.allowance()
        if seen["state"] != "accepted":
            return seen
        window = seen["window"] or 0
        projects = list(self._services.secret_record.sharing())
        return {**seen, "window": window, "until": self._services.now() + window, "projects": projects}

    def grant(self, change: GrantSecretAccess) -> Json:
        """Let the project's role read the secret, unless everything was stopped meanwhile. See `Grants.make`."""
        stop = self._services.switch.stopped()
        if stop:
            return {"refusal": stopped(stop).to_json()}
        return Grants(self._services).make(change, self._order.execution)

    def locked_out(self) -> Json:
        """Nobody signs in with the secret for a while; until when."""
        return {"until": self._proving.lock_out(), "seconds": self._settings.limits.minutes * 60}

    def leave_alone(self) -> None:
        """For a day: what was taken back would do the same harm at the project's next failure."""
        until = self._services.now() + LEFT_ALONE
        self._services.journal.leave_alone(self._order.build.project, self._order.execution, until)

    def locked_for(self) -> int:
        """For how many seconds nobody signs in with the secret from now on; 0 where anybody may."""
        now = self._services.now()
        until = self._services.secret_record.locked_until(now)
        return int(until - now) + 1 if until else 0

    def report(self, outcome: Outcome, history: History | None, wholes: tuple[str, ...]) -> Json:
        """The lease back where it is held, and what several builds come back with; then journal, log and metric, last,
        so that they are told once."""
        if history is not None:
            self.release(history, shares=bool(outcome.changes))
        for whole in wholes:
            self._services.journal.close(whole, self._order.execution, self._services.now())
        self._services.report.outcome(self._order, outcome, self._services.now())
        return outcome.to_json()
