"""Idempotency tokens: the same request with the same token is answered with what the first one made."""

import copy

from local.simulator.errors import invalid_input
from local.simulator.world import Document, World

_SECONDS = 300


class Tokens:
    """The tokens of one service. Each is "valid for five minutes" (API reference of RetryBuild)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._used: dict[tuple[str, str], tuple[float, Document, str]] = {}

    def made(self, operation: str, request: Document) -> str | None:
        """What an earlier request with this token made; InvalidInputException when it asked for something else."""
        token = request.get("idempotencyToken")
        known = self._used.get((operation, token)) if token else None
        if known is None or self._world.now() - known[0] > _SECONDS:
            return None
        if known[1] != request:
            raise invalid_input("Invalid idempotency token: it was used with other parameters")
        return known[2]

    def remember(self, operation: str, request: Document, key: str) -> None:
        """This request made what has that id."""
        token = request.get("idempotencyToken")
        if token:
            self._used[(operation, str(token))] = (self._world.now(), copy.deepcopy(request), key)
