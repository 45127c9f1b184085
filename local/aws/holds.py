"""Holds requests back until they are released, so that a test decides what happens at the same time.

A hold names a service, an operation and, at will, a part of the principal's ARN. The next request that
matches is held (once: the hold is then spent), before it does anything, or with `after` when it has been
done but not answered. Everything else goes on.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Hold:
    """`caught` is the principal of the held request, or None while nothing matched."""

    number: int
    service: str
    operation: str
    principal: str
    after: bool
    caught: str | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def state(self) -> dict[str, Any]:
        return {
            "hold": self.number,
            "service": self.service,
            "operation": self.operation,
            "principal": self.principal,
            "after": self.after,
            "caught": self.caught,
            "released": self.released.is_set(),
        }


class Holds:
    """All holds of one server; used from its event loop alone."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.all: dict[int, Hold] = {}

    def add(self, service: str, operation: str, principal: str = "", after: bool = False) -> Hold:
        hold = Hold(next(self._numbers), service, operation, principal, after)
        self.all[hold.number] = hold
        return hold

    def catch(self, service: str, operation: str, principal: str, after: bool) -> Hold | None:
        """The hold that this request falls into, spent with it."""
        for hold in self.all.values():
            free = hold.caught is None and not hold.released.is_set() and hold.after == after
            if free and (hold.service, hold.operation) == (service, operation) and hold.principal in principal:
                hold.caught = principal
                return hold
        return None

    def release(self, number: int | None) -> list[Hold]:
        """Let go of one hold, or of all."""
        chosen = [hold for hold in self.all.values() if number in (None, hold.number)]
        for hold in chosen:
            hold.released.set()
        return chosen
