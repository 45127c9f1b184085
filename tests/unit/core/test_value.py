"""Values: made from all their members or not at all, equal by what they hold, never changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any

import pytest

from remediator.core.value import value


@value
class Point:
    x: int
    y: int = 2
    notes: list[str] = field(default_factory=list, compare=False, repr=False)


@value
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("it must be even")


def test_members_are_given_in_order_or_by_name_and_the_others_have_their_defaults() -> None:
    assert (Point(1).x, Point(1).y) == (1, 2)
    assert Point(1, y=3) == Point(y=3, x=1) == replace(Point(1), y=3)
    assert Point(1).notes is not Point(1).notes
    assert [member.name for member in fields(Point(1))] == ["x", "y", "notes"]


@pytest.mark.parametrize(
    ("given", "named", "says"),
    [
        ((), {}, "Point needs x"),
        ((1,), {"x": 2}, "x is given twice"),
        ((1,), {"z": 2}, "z is given twice or is no member"),
        ((1, 2, [], 4), {}, "3 members, and 4 values"),
    ],
)
def test_a_value_with_another_set_of_members_is_not_made(given: Any, named: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        Point(*given, **named)


def test_values_are_equal_by_the_members_that_are_compared_and_by_their_class() -> None:
    assert Point(1, notes=["a"]) == Point(1)
    assert hash(Point(1, notes=["a"])) == hash(Point(1))
    assert Point(1) != Point(2)
    other: object = Even(2)
    assert other != Point(2)
    assert repr(Point(1)) == "Point(x=1, y=2)"


def test_a_member_is_never_set_again_and_none_is_added() -> None:
    made = Point(1)
    for name in ("x", "z"):
        with pytest.raises(FrozenInstanceError, match=name):
            setattr(made, name, 5)
    assert made == Point(1)


def test_a_class_checks_its_own_values() -> None:
    assert Even(2).number == 2
    with pytest.raises(ValueError, match="even"):
        Even(3)
