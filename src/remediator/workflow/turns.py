"""Waits for the turn of a build, where all builds of a project come back, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.core.job import Job
from remediator.services import Services
from remediator.steps.rerun.order import Order, Turn
from remediator.workflow.durable import Durable

if TYPE_CHECKING:
    from remediator.records.retry_order import Waiting

PATIENCE = 14_400
"""Seconds to wait for the turn; then the build is started all the same."""
BETWEEN = 20
"""Seconds between two looks whether it has come."""


class Turns:
    """Nothing is done where superseded builds don't come back: then no two builds wait for each other."""

    def __init__(self, job: Job, services: Services, durable: Durable) -> None:
        self._wanted = services.settings.retry_superseded
        self._order = Order(job, services)
        self._durable = durable
        self._waiting: Waiting | None = None

    def line_up(self) -> None:
        """Keep this build's place from now on."""
        if self._wanted and self._waiting is None:
            self._waiting = self._durable.step("line-up", self._order.line_up)

    def wait(self) -> None:
        self.line_up()
        waiting = self._waiting
        if waiting:
            self._durable.poll(
                "turn",
                lambda _: self._order.turn(waiting),
                Turn(),
                done=lambda turn: turn.mine,
                patience=lambda _: PATIENCE,
                longest=BETWEEN,
            )

    def leave(self) -> None:
        """Others need not wait for this one any more."""
        waiting, self._waiting = self._waiting, None
        if waiting:
            self._durable.step("leave-line", lambda: self._order.leave(waiting))
