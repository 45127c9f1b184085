"""The stop switch, against moto's DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from remediator.records.switch import StopSwitch
from remediator.records.table import Table
from tests.moto_aws import mock_aws
from tests.unit.stored import CLIENT, Stored

NOW = 1_795_000_200.75


@pytest.fixture
def stored() -> Iterator[Stored]:
    with mock_aws():
        yield Stored()


@pytest.fixture
def switch(stored: Stored) -> StopSwitch:
    return StopSwitch(stored.table)


def test_nothing_is_stopped_where_nobody_touched_the_switch(switch: StopSwitch) -> None:
    assert switch.stopped() == ""


def test_what_is_stopped_tells_since_when_and_why(switch: StopSwitch) -> None:
    switch.turn("a deployment", NOW, stopped=True)

    assert switch.stopped() == "everything was stopped at 2026-11-18 11:10 UTC: a deployment"


def test_who_gave_no_reason_is_told_as_that(switch: StopSwitch) -> None:
    switch.turn("", NOW, stopped=True)

    assert switch.stopped() == "everything was stopped at 2026-11-18 11:10 UTC: no reason was given"


def test_a_second_stop_tells_its_own_reason(switch: StopSwitch) -> None:
    switch.turn("one", NOW, stopped=True)
    switch.turn("two", NOW + 60, stopped=True)

    assert switch.stopped() == "everything was stopped at 2026-11-18 11:11 UTC: two"


def test_it_goes_on_after_a_resume(switch: StopSwitch) -> None:
    switch.turn("a deployment", NOW, stopped=True)
    switch.turn("", NOW + 60, stopped=False)

    assert switch.stopped() == ""


def test_a_stop_is_never_forgotten(switch: StopSwitch, stored: Stored) -> None:
    switch.turn("a deployment", NOW, stopped=True)

    assert stored.items() == {
        "stop": {"stopped": {"BOOL": True}, "reason": {"S": "a deployment"}, "since": {"N": "1795000200"}}
    }


def test_a_switch_that_cannot_be_read_is_an_error_and_not_off() -> None:
    with mock_aws(), pytest.raises(ClientError, match="ResourceNotFoundException"):
        StopSwitch(Table(CLIENT, "gone")).stopped()
