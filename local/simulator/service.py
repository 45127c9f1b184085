"""What every simulated service is to its callers: one operation, one answer or one refusal, a record of every call."""

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from local.simulator.errors import ServiceError
from local.simulator.world import Document, World

BeforeCall = Callable[[str, Document], None]


@dataclass(frozen=True)
class Call:
    """One request as it arrived: `time` in epoch seconds, `error` the code of a refusal or None."""

    time: float
    operation: str
    request: Document
    caller: str
    error: str | None


class Service:
    """`name` is that of botocore's events, `target_prefix` what stands before an operation in X-Amz-Target.

    `before_call` holds hooks that see each operation and request first, outside any lock: one that blocks holds
    that call back, one that raises ServiceError refuses it.
    `calls` records every call in the order in which they were answered.
    """

    name: ClassVar[str]
    target_prefix: ClassVar[str]

    def __init__(self, world: World) -> None:
        self.before_call: list[BeforeCall] = []
        self.calls: list[Call] = []
        self._world = world
        self._lock = threading.RLock()

    def call(self, operation: str, request: Document, caller: str) -> Document:
        """Answer one request as its JSON is on the wire; raises ServiceError. `caller` is an ARN."""
        seen = copy.deepcopy(request)
        error: str | None = None
        try:
            for hook in list(self.before_call):
                hook(operation, copy.deepcopy(seen))
            return self._dispatch(operation, copy.deepcopy(seen), caller)
        except ServiceError as refusal:
            error = refusal.code
            raise
        finally:
            with self._lock:
                self.calls.append(Call(self._world.now(), operation, seen, caller, error))

    def _dispatch(self, operation: str, request: Document, caller: str) -> Document:
        raise NotImplementedError
