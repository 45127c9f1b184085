"""Has the credentials proved at Docker Hub, and waits where it can't be asked: the step `check` and its patience."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from remediator.core.case import Case
from remediator.core.job import Order
from remediator.core.outcome import Ending, Outcome
from remediator.services import Services
from remediator.steps.credentials import NOT_TOLD
from remediator.steps.steps import Steps
from remediator.workflow.durable import Durable
from remediator.workflow.waiting import HUB_PATIENCE, while_not_told

Json = dict[str, Any]

TRUSTED = "trusted"
EARLIER = "Docker Hub could not be asked about the credentials; it has accepted this version of the secret before"


class Checking:
    def __init__(self, order: Order, services: Services, durable: Durable) -> None:
        self._trusts = services.settings.trust_earlier_proof
        self._steps = Steps(order, services)
        self._durable = durable

    def check(self, case: Case, *, trusts: bool = True) -> Case | Outcome:
        """The case once Docker Hub has accepted the credentials, or has before and can't be asked; or how it ends.

        After a lockout its own word is wanted: it `trusts` nothing earlier then.
        """
        trusts = trusts and self._trusts
        seen = self._told("check", lambda: _with_trust(self._steps.check(case), trusts=trusts))
        if isinstance(seen, Outcome):
            return seen
        if seen["state"] == TRUSTED:
            return replace(case, plan=replace(case.plan, advice=(*case.plan.advice, EARLIER)))
        return case

    def allowance(self) -> Json | Outcome:
        """What the secret's account may pull; that is of no use unless it is told now."""
        return self._told("allowance", self._steps.allowance)

    def _told(self, name: str, look: Callable[[], Json]) -> Json | Outcome:
        """What Docker Hub says, or how it ends. Another execution that signs in at this moment has its answer in
        seconds, which is then this one's too."""
        seen = self._durable.step(name, look)
        if seen["state"] in NOT_TOLD:
            seen = self._durable.wait_for(f"{name}-again", lambda _: look(), seen, while_not_told)
        if seen["state"] == "refused":
            return Outcome.from_json(seen["refusal"])
        if seen["state"] in NOT_TOLD:
            reason = f"Docker Hub could not be asked about the credentials for {HUB_PATIENCE // 60} minutes"
            advice = ("use the remediate command when Docker Hub answers again",)
            return Outcome(Ending.GAVE_UP, f"{reason}; nothing was written", advice=advice)
        return seen


def _with_trust(seen: Json, *, trusts: bool) -> Json:
    trusted = trusts and seen["state"] == "unreachable" and seen["earlier"]
    return {**seen, "state": TRUSTED} if trusted else seen
