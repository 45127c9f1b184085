"""What the functions ask of AWS, call by call, and the hooks by which a test gets in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

Hook = Callable[[str], object]


@dataclass
class Calls:
    """The operations that the functions asked for, in order.

    Hooks in `before` are told the name of an operation before it is sent; one that raises refuses it, one that blocks
    holds it back. Hooks in `after` are told when it was done and before its answer is there.
    """

    asked: list[str] = field(default_factory=list)
    before: list[Hook] = field(default_factory=list)
    after: list[Hook] = field(default_factory=list)
    one_at_a_time: threading.RLock = field(default_factory=threading.RLock)


class Killed(BaseException):
    """The invocation ends here, as when Lambda's machine is lost: nothing after it runs."""


class Watched:
    """A client whose calls are counted and pass the hooks. moto's tables take one call at a time only."""

    def __init__(self, client: Any, calls: Calls, *, exclusive: bool) -> None:
        self._client = client
        self._calls = calls
        self._exclusive = exclusive

    def __getattr__(self, name: str) -> Any:
        operation = self._client.meta.method_to_api_mapping.get(name)
        if operation is None:
            return getattr(self._client, name)
        return lambda **request: self._call(operation, getattr(self._client, name), request)

    def get_paginator(self, name: str) -> Any:
        """Of one page, which is what these tests have."""
        return _OnePage(getattr(self, name))

    def _call(self, operation: str, call: Callable[..., Any], request: Mapping[str, Any]) -> Any:
        calls = self._calls
        calls.asked.append(operation)
        for hook in list(calls.before):
            hook(operation)
        if self._exclusive:
            with calls.one_at_a_time:
                answer = call(**request)
        else:
            answer = call(**request)
        for hook in list(calls.after):
            hook(operation)
        return answer


class _OnePage:
    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def paginate(self, **request: Any) -> list[Any]:
        return [self._call(**request)]


def refused(operation: str, code: str, message: str = "no", status: int = 400, **more: Any) -> ClientError:
    """AWS's refusal of a call, as botocore raises it."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(answer, operation)  # type: ignore[arg-type]


def refusing(operation: str, error: Exception | BaseException, times: int = 1_000) -> Hook:
    """A hook that raises this at the first `times` calls of the operation."""
    left = [times]

    def hook(called: str) -> None:
        if called == operation and left[0] > 0:
            left[0] -= 1
            raise error

    return hook


def once(operation: str, action: Callable[[], object], at: int = 1) -> Hook:
    """A hook that does something at the `at`th call of the operation, and only then."""
    seen = [0]

    def hook(called: str) -> None:
        if called == operation:
            seen[0] += 1
            if seen[0] == at:
                action()

    return hook


class Held:
    """Holds the first call of an operation, before it is sent or before its answer is there, until it is let go."""

    def __init__(self, operation: str) -> None:
        self.reached = threading.Event()
        self.let_go = threading.Event()
        self._operation = operation
        self._taken = threading.Lock()

    @property
    def hook(self) -> Hook:
        def hold(called: str) -> None:
            if called == self._operation and self._taken.acquire(blocking=False):
                self.reached.set()
                assert self.let_go.wait(20)

        return hold


def while_the_first_is_held(held: Held, runs: list[Callable[[], Any]]) -> list[Any]:
    """Start the first, wait until it is held, run the others, let it go; returns all answers in order."""
    with ThreadPoolExecutor(len(runs)) as pool:
        first = pool.submit(runs[0])
        assert held.reached.wait(20)
        others = [pool.submit(run) for run in runs[1:]]
        try:
            settled = threading.Timer(0.5, held.let_go.set)
            settled.start()
            answers = [other.result(30) for other in others]
        finally:
            held.let_go.set()
        return [first.result(30), *answers]
