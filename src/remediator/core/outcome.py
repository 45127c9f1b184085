"""How a remediation ended, always with a reason: the one record that goes to the journal, the log and the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """An ending and its reason, with what was changed, what a person has to do, and the build that was run again.

    `quiet`: written down, but no news; the same was told before.
    """

    ending: Ending
    reason: str
    cause: str | None = None
    changes: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    retried_build: str | None = None
    quiet: bool = False

    def with_facts(self, **facts: Any) -> Outcome:
        return replace(self, **facts)

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": self.ending.value,
            "reason": self.reason,
            "cause": self.cause,
            "changes": list(self.changes),
            "advice": list(self.advice),
            "retried_build": self.retried_build,
            "quiet": self.quiet,
        }

    def entry(self, project: str, build: str) -> dict[str, Any]:
        """What the journal and the log say of this build (its ARN)."""
        return {"project": project, "build": build, **self.to_json()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Outcome:
        return cls(
            ending=Ending(document["outcome"]),
            reason=document["reason"],
            cause=document["cause"],
            changes=tuple(document["changes"]),
            advice=tuple(document["advice"]),
            retried_build=document["retried_build"],
            quiet=document["quiet"],
        )
