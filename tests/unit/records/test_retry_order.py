"""The builds of a project that wait to be run again stand in the journal, oldest first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from remediator.records.retry_order import RetryOrder, Waiting
from tests.moto_aws import mock_aws
from tests.unit.stored import Stored

EARLY, LATE = Waiting(999, "b", "arn:aws:lambda:x y"), Waiting(1000, "a", "arn:aws:lambda:z")


@pytest.fixture
def order() -> Iterator[RetryOrder]:
    with mock_aws():
        yield RetryOrder(Stored().table)


def test_nobody_waits_at_first(order: RetryOrder) -> None:
    assert order.waiting("orders") == ()
    order.leave("orders", EARLY)
    assert order.waiting("orders") == ()


def test_the_oldest_is_first_whoever_came_first(order: RetryOrder) -> None:
    for one in (LATE, EARLY, LATE):
        order.enter("orders", one)
    assert order.waiting("orders") == (EARLY, LATE)
    assert order.waiting("invoices") == ()


def test_who_leaves_waits_no_more(order: RetryOrder) -> None:
    for one in (LATE, EARLY):
        order.enter("orders", one)
    order.leave("orders", EARLY)
    assert order.waiting("orders") == (LATE,)
    order.leave("orders", LATE)
    assert order.waiting("orders") == ()
