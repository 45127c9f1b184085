"""Reads a corpus of cases and runs every one of them, or fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

SHARED = Path(__file__).resolve().parents[3] / "shared" / "corpora"
OWN = Path(__file__).resolve().parent / "cases"

Case = Mapping[str, Any]


@dataclass(frozen=True)
class Corpus:
    """A YAML file that is one list of cases; `present` is counted from its text, not from what a parser makes of it."""

    name: str
    cases: list[Case]
    present: int

    @classmethod
    def read(cls, path: Path) -> Corpus:
        text = path.read_text(encoding="utf-8")
        return cls(path.name, yaml.safe_load(text), len(re.findall(r"^- ", text, re.MULTILINE)))

    @classmethod
    def shared(cls, name: str) -> Corpus:
        """A corpus that is kept beside the repository; the test is skipped in a clone that has none."""
        if not SHARED.is_dir():
            pytest.skip(f"the shared corpora are not here ({SHARED})")
        return cls.read(SHARED / name)

    def check(self, wrong: Callable[[Case], str | None], record: Callable[[str, object], None]) -> None:
        """Run all cases; `wrong` says what is wrong with one, or None. Fails with all that is wrong, or was not run."""
        complaints = []
        ran = 0
        for case in self.cases:
            complaint = wrong(case)
            ran += 1
            if complaint is not None:
                complaints.append(complaint)
        record("corpus cases", (self.name, ran, self.present))
        assert not complaints, f"{len(complaints)} of {ran} cases of {self.name}:\n" + "\n".join(complaints)
        assert ran == self.present > 0, f"{ran} of {self.present} cases of {self.name} ran"
