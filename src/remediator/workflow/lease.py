"""Holds a project for this execution while it is changed, and keeps what the journal knows of its past."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aws_durable_execution_sdk_python import DurableOperationError

from remediator.core.case import Case
from remediator.core.guards.history import NEW, History
from remediator.core.job import Order
from remediator.core.outcome import Ending, Outcome
from remediator.services import Services
from remediator.steps.steps import Steps
from remediator.workflow.durable import Durable
from remediator.workflow.waiting import while_held

Json = dict[str, Any]


class Duplicate(Exception):
    """Another execution has this very build, and tells its outcome. Lambda's names keep this from happening."""


class Lease:
    """`waited`: was it somebody else's at first? `repaired`: was the project changed under it?

    `history` is the project's, with this execution's attempt in it.
    """

    def __init__(self, order: Order, services: Services, durable: Durable) -> None:
        self._order = order
        self._steps = Steps(order, services)
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
        state: Json = {"claim": "held", "by": "", "looks": 0, "history": None}
        first, self._is_first = self._is_first, False
        claim = self._durable.wait_for(name, lambda seen: self._steps.claim(seen["looks"], first), state, while_held)
        match claim["claim"]:
            case "granted":
                self._held, self.waited = True, claim["looks"] > 1
                self.history = History.from_json(claim["history"])
                return None
            case "duplicate":
                raise Duplicate(claim["by"])
            case "left-alone":
                return Outcome(
                    Ending.ADVISED,
                    "a repair of the project was taken back within the last day, so it was left alone",
                    advice=("mend what that outcome names, then use the remediate command",),
                    quiet=True,  # the outcome that took it back was the notice
                )
        reason = f"another execution held the project for an hour: {claim['by']}"
        return Outcome(Ending.GAVE_UP, reason)

    def count(self, case: Case) -> None:
        """Acting on this case is one of the project's attempts, or the last news of it for a while."""
        if case.counts:
            self.history = self.history.with_try(self._order.build.uuid, case.made_at, self._limits)
        if case.notices:
            self.history = self.history.with_notice()

    def give_back(self) -> None:
        """The project may be repaired by others while its build runs: whoever comes now finds nothing to change."""
        if self._held:
            history, shares = self.history, self.repaired
            with suppress(DurableOperationError):  # the report gives it back once more
                self._durable.step("release", lambda: self._steps.release(history, shares))
                self._held = False

    @property
    def left_to_report(self) -> History | None:
        """What the report has to give back with it; None when the lease is not held."""
        return self.history if self._held else None
