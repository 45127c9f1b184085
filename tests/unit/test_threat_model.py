"""docs/threat-model.md: every threat has what stops it, a test that is there, and what remains."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.partition("## Threats")[2].partition("\n## ")[0].splitlines() if line.startswith("| ")][
    1:
]
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_there_are_threats() -> None:
    assert len(LINES) >= 30


@pytest.mark.parametrize("line", LINES, ids=lambda line: cells(line)[0][:60])
def test_a_threat_has_what_stops_it_a_test_that_is_there_and_what_remains(line: str) -> None:
    threat, stops, test, remains = cells(line)
    assert all((threat, stops, remains))
    named = NAMED.findall(test)
    assert named, "no test is named"
    for file, name in named:
        source = (TESTS / file).read_text(encoding="utf-8")
        assert f"def {name}(" in source, f"{file} has no test {name}"
