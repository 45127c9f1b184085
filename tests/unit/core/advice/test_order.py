"""Advice is told by what it asks for."""

from __future__ import annotations

from remediator.core.advice.order import Advice, Kind, in_order


def test_what_to_do_now_comes_first_and_background_last_whatever_the_order_of_finding() -> None:
    found = [Advice(Kind.BACKGROUND, "d"), Advice(Kind.KEEP, "c"), Advice(Kind.DO_NOW, "a"), Advice(Kind.DO_NOW, "b")]

    assert in_order(found) == ("a", "b", "c", "d")


def test_the_same_text_is_told_once_in_its_first_place() -> None:
    assert in_order([Advice(Kind.BACKGROUND, "a"), Advice(Kind.DO_NOW, "a"), Advice(Kind.KEEP, "b")]) == ("a", "b")
