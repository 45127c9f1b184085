"""The AWS clients of the tests: each takes longer to make than most tests run, so they are made once and lent."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import boto3
from botocore.config import Config

from remediator.aws.client import discreet

REGION = "eu-west-1"

ONE_AT_A_TIME = threading.RLock()

_CONFIG = Config(user_agent="tests")
"""One text; botocore's own is put together anew for each request."""


@cache
def _session() -> boto3.session.Session:
    """One for all tests: each session reads the service models anew. It is not safe to share between threads."""
    return boto3.session.Session("k", "s", region_name=REGION)


def _new_client(service: str) -> Any:
    client: Any = _session().client(service, config=_CONFIG)  # type: ignore[call-overload]
    return discreet(client)


@cache
def owners_client(service: str) -> Any:
    """The owner's client, whose calls nobody counts."""
    with ONE_AT_A_TIME:
        return _new_client(service)


@dataclass
class _Loan:
    """A client, and the handlers that were registered while it is lent: event, handler and unique id."""

    service: str
    client: Any
    handlers: list[tuple[str, Any, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        events = self.client.meta.events
        for name in ("register", "register_first", "register_last"):
            setattr(events, name, self._remembering(getattr(type(events), name).__get__(events)))

    def _remembering(self, register: Callable[..., None]) -> Callable[..., None]:
        def remember(event: str, handler: Any, unique_id: str | None = None, **more: Any) -> None:
            self.handlers.append((event, handler, unique_id))
            register(event, handler, unique_id, **more)

        return remember

    def make_as_new(self) -> None:
        for event, handler, unique_id in self.handlers:
            self.client.meta.events.unregister(event, handler, unique_id)


class Lent:
    """The clients that one account's functions have; `give_back` makes them as new, for the next account."""

    _shelf: ClassVar[defaultdict[str, list[Any]]] = defaultdict(list)

    def __init__(self) -> None:
        self._loans: list[_Loan] = []

    def client(self, service: str) -> Any:
        with ONE_AT_A_TIME:
            shelf = self._shelf[service]
            self._loans.append(_Loan(service, shelf.pop() if shelf else _new_client(service)))
            return self._loans[-1].client

    def give_back(self) -> None:
        with ONE_AT_A_TIME:
            for loan in self._loans:
                loan.make_as_new()
                self._shelf[loan.service].append(loan.client)
            self._loans.clear()
