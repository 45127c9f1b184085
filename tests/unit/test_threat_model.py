"""docs/threat-model.md: every threat has what stops it, a test that is there, and what remains."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
THREATS = {
    threat: re.split(r"\n#", told)[0] for threat, _, told in (part.partition("\n") for part in PAGE.split("\n### ")[1:])
}
"""What the page tells of each threat, by its heading."""
SHAPE = re.compile(
    r"\n\*\*What stops it:\*\*\s.+\.\n\n\*\*Tests:\*\*\n\n(?P<tests>(?:- .+\n)+)\n\*\*What remains:\*\*\s.+\.\n",
    re.DOTALL,
)
NAMED = re.compile(r"- `([\w/]+\.py)::(test_\w+)`")


def test_there_are_threats() -> None:
    assert len(THREATS) >= 45


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat[:60])
def test_a_threat_has_what_stops_it_a_test_that_is_there_and_what_remains(threat: str) -> None:
    told = SHAPE.fullmatch(THREATS[threat])
    assert told, "not: what stops it, tests, what remains"
    for line in told["tests"].splitlines():
        named = NAMED.fullmatch(line)
        assert named, line
        source = (TESTS / named[1]).read_text(encoding="utf-8")
        assert f"def {named[2]}(" in source, f"{named[1]} has no test {named[2]}"


def test_a_threat_is_told_in_short_lines_and_not_in_a_table() -> None:
    assert not any(line.startswith("|") for told in THREATS.values() for line in told.splitlines())


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat[:60])
def test_a_heading_is_short_and_is_understood_without_the_one_before_it(threat: str) -> None:
    assert len(threat) <= 100
    assert not threat.startswith("The same")


def test_no_line_has_to_be_read_sideways() -> None:
    assert [line for line in PAGE.splitlines() if len(line) > 160 and line[0] not in "|-"] == []
