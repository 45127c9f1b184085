"""Account and region for work that no request started: MiniStack keeps both in context variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ministack.core.responses import _request_account_id, _request_region


@contextmanager
def in_scope(account: str, region: str) -> Iterator[None]:
    """Act as MiniStack does while it serves a request of this account in this region."""
    before = _request_account_id.set(account), _request_region.set(region)
    try:
        yield
    finally:
        _request_account_id.reset(before[0])
        _request_region.reset(before[1])
