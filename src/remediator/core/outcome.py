"""How a remediation ended, always with a reason; and the error for input that somebody has to correct."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from enum import StrEnum
from typing import Any

from remediator.core.value import value
from remediator.core.wording import harmless

PASSED, FAILED_BY_ITSELF = "passed", "failed by itself"
"""What becomes of a build that was run again, once its pull is through."""

LINE_LENGTH = 2_000
"""Characters of a reason, and of a change."""
ADVICE_LENGTH = 8_000
"""Characters of one advice."""
ALL_ADVICE = 16_000
"""Characters of all of them together. JSON writes a character with up to twelve: with these three bounds an outcome
fits into a checkpoint (256 KB) and into a journal's item (400 KB) whatever it is made of."""


class Ending(StrEnum):
    """The words for an outcome; README's table says what each one asks of its reader."""

    REMEDIATED = "remediated"
    UNPROVEN = "remediated, unproven"
    PATCHED = "patched"
    PLANNED = "planned"
    ADVISED = "advised"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    GAVE_UP = "gave-up"
    FAILED = "failed"


@value
class Outcome:
    """An ending and its reason, with what was changed, what a person has to do, and the build that was run again.

    `retry_result` is what became of that build after its pull: `passed`, or `failed by itself`; None where it did not
    get so far. `background` is advice that asks for nothing: it stands behind all other. `quiet`: written down, but no
    news; the same was told before.
    """

    ending: Ending
    reason: str
    cause: str | None = None
    changes: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    retried_build: str | None = None
    quiet: bool = False
    retry_result: str | None = None
    background: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Any part of the texts may come from a build, an image, a buildspec or AWS. So a reason and a change are one
        line each, an advice is lines, a terminal obeys nothing in them, and what is too long is cut."""
        object.__setattr__(self, "reason", _line(self.reason))
        object.__setattr__(self, "changes", tuple(map(_line, self.changes)))
        advice, background = _advice(self.advice, self.background)
        object.__setattr__(self, "advice", advice)
        object.__setattr__(self, "background", background)

    def with_facts(self, **facts: Any) -> Outcome:
        return replace(self, **facts)

    def to_json(self) -> dict[str, Any]:
        """For the log, the journal and whoever asked."""
        facts = {name: getattr(self, name) for name in _told()}
        lists = {"changes": list(self.changes), "advice": [*self.advice, *self.background]}
        return {"outcome": self.ending.value, **facts, **lists}

    def entry(self, project: str, build: str) -> dict[str, Any]:
        """What the journal and the log say of this build (its ARN)."""
        return {"project": project, "build": build, **self.to_json()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Outcome:
        facts = {name: document[name] for name in _told() if name in document}
        lists = {name: tuple(facts[name]) for name in ("changes", "advice")}
        return cls(Ending(document["outcome"]), **{**facts, **lists})


def _told() -> list[str]:
    """The members that JSON has under their own names; `background` is the end of its advice."""
    return [field.name for field in fields(Outcome) if field.name not in ("ending", "background")]


def _ending_in(ending: Ending) -> Callable[..., Outcome]:
    def outcome(reason: str, *advice: str) -> Outcome:
        return Outcome(ending, reason, advice=advice)

    return outcome


skipped, rejected, advised = map(_ending_in, (Ending.SKIPPED, Ending.REJECTED, Ending.ADVISED))
patched, gave_up, failed = map(_ending_in, (Ending.PATCHED, Ending.GAVE_UP, Ending.FAILED))


def _line(text: str) -> str:
    return _cut(harmless(text), LINE_LENGTH)


def _advice(*kinds: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Lines stay lines: advice is there to be pasted. What is too long in all is cut from its end."""
    left = ALL_ADVICE
    for texts in kinds:
        kept: list[str] = []
        for text in texts:
            cut = _cut("\n".join(map(harmless, text.split("\n"))), min(ADVICE_LENGTH, left))
            left -= len(cut)
            kept += [cut] if cut else []
        yield tuple(kept)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…" if length else ""


SHOWN = 120
"""How many characters of a wrong value are shown: enough to recognise it, too few to flood a log."""


class BadInput(ValueError):
    """A field of an event, command or setting has a value that is not allowed; nothing was changed. Whoever sent it may
    have named the field too. `wrong` says what is wrong with the value, where that is more than not being allowed."""

    def __init__(self, field: str, value: object, allowed: str, wrong: str = "") -> None:
        self.field = _short(harmless(field))
        self.value = shown(value)
        self.allowed = allowed
        is_wrong = f"`{self.field}` is missing" if value is None else f"{self.field}: {self.value} is not allowed"
        super().__init__(f"{harmless(wrong) or is_wrong}; {allowed}. Nothing was changed.")

    def to_json(self) -> dict[str, Any]:
        return {"error": str(self), "field": self.field, "value": self.value, "allowed": self.allowed}


def shown(value: object) -> str:
    """A short form of any value that is safe in a one-line message (control characters escaped)."""
    return "nothing" if value is None else _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
