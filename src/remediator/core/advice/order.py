"""Puts advice in order by what it asks of its reader: what to do now, what to keep, what to know."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from remediator.core.value import value


class Kind(IntEnum):
    """What an advice asks for. Lower numbers are told first, and are cut last where all advice is too long."""

    DO_NOW = 1
    KEEP = 2
    BACKGROUND = 3


@value
class Advice:
    kind: Kind
    text: str


def in_order(advice: Iterable[Advice]) -> tuple[str, ...]:
    """The texts by kind, each once; those of one kind stay in the order in which they were given."""
    return tuple(dict.fromkeys(each.text for each in sorted(advice, key=lambda each: each.kind)))
