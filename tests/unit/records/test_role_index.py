"""Who shares a role is read once for a wave of failures, by one execution, and believed for two minutes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from remediator.core.guards.shared_role import RoleUsers
from remediator.records.role_index import FRESH, MOST, READING, RoleIndex
from tests.moto_aws import mock_aws
from tests.unit.stored import Stored

NOW = 1_795_000_200.0
ONE, TWO = "execution-one", "execution-two"
FOUND = {"build-role": RoleUsers(3, ["invoices", "mails", "orders"], 1, ["mails"]), "other": RoleUsers(2, ["a", "b"])}


@pytest.fixture
def index() -> Iterator[RoleIndex]:
    with mock_aws():
        yield RoleIndex(Stored().table)


def kept(index: RoleIndex, now: float = NOW) -> None:
    assert index.begin(ONE, now)
    index.keep(FOUND, ONE, now)


def test_nothing_is_known_before_somebody_has_read_the_projects(index: RoleIndex) -> None:
    assert index.users(NOW) is None


def test_what_was_found_is_known_to_all_for_two_minutes(index: RoleIndex) -> None:
    kept(index)

    assert index.users(NOW) == FOUND
    assert index.users(NOW + FRESH - 1) == FOUND
    assert index.users(NOW + FRESH + 1) is None


def test_what_was_read_in_the_future_by_a_clock_that_went_back_is_not_believed(index: RoleIndex) -> None:
    kept(index)

    assert index.users(NOW - FRESH + 1) == FOUND
    assert index.users(NOW - FRESH - 1) is None


def test_an_account_without_a_shared_role_is_known_too(index: RoleIndex) -> None:
    index.begin(ONE, NOW)
    index.keep({}, ONE, NOW)

    assert index.users(NOW) == {}


def test_one_execution_reads_at_a_time(index: RoleIndex) -> None:
    assert index.begin(ONE, NOW)
    assert not index.begin(TWO, NOW + 1)
    assert index.begin(ONE, NOW + 1), "a step may run again"

    index.keep(FOUND, ONE, NOW)

    assert index.begin(TWO, NOW + 2)


def test_a_reader_that_died_is_waited_for_no_longer_than_a_reading_takes(index: RoleIndex) -> None:
    index.begin(ONE, NOW)

    assert not index.begin(TWO, NOW + READING - 1)
    assert index.begin(TWO, NOW + READING + 1)


def test_a_reader_that_took_too_long_keeps_nothing_over_the_next_ones_turn(index: RoleIndex) -> None:
    index.begin(ONE, NOW)
    index.begin(TWO, NOW + READING + 1)

    index.keep(FOUND, ONE, NOW)

    assert index.users(NOW) is None
    assert not index.begin(ONE, NOW + READING + 2)


def test_while_the_projects_are_read_again_what_was_found_before_counts_until_its_end(index: RoleIndex) -> None:
    kept(index)
    index.begin(TWO, NOW + FRESH - 2)

    assert index.users(NOW + FRESH - 1) == FOUND
    assert index.users(NOW + FRESH + 1) is None


def test_what_does_not_fit_into_an_item_is_not_kept_and_keeps_nobody_waiting(index: RoleIndex) -> None:
    index.begin(ONE, NOW)
    index.keep({f"role-{number}": RoleUsers(2, ["x" * 100, "y" * 100]) for number in range(MOST // 200)}, ONE, NOW)

    assert index.users(NOW) is None
    assert index.begin(TWO, NOW + 1)


def test_who_can_not_read_all_projects_keeps_nothing_and_nobody_waiting(index: RoleIndex) -> None:
    index.begin(ONE, NOW)
    index.give_up(ONE)

    assert index.users(NOW) is None
    assert index.begin(TWO, NOW + 1)
    index.give_up(ONE)
    assert not index.begin(ONE, NOW + 2), "the turn is another one's by now"
