"""Says at the end of every run how many cases of the shared corpora it ran."""

from __future__ import annotations

from typing import Any, cast

import pytest

CORPUS_CASES = "corpus cases"
"""The property by which a corpus test tells (name, cases run, cases in the corpus); it survives xdist."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    counts: dict[str, tuple[int, int]] = {}
    absent = False
    name: str
    ran: int
    present: int
    for category in ("passed", "failed", "skipped"):
        for report in terminalreporter.getreports(category):
            if not isinstance(report, pytest.TestReport):
                continue
            for key, value in report.user_properties:
                if key == CORPUS_CASES:
                    name, ran, present = cast("tuple[str, int, int]", value)
                    counts[name] = (ran, present)
            absent = absent or (category == "skipped" and "corpora are not here" in str(report.longrepr))
    for name, (ran, present) in sorted(counts.items()):
        terminalreporter.write_line(f"corpus {name}: {ran} of {present} cases ran")
    if counts:
        terminalreporter.write_line(f"corpus cases ran: {sum(ran for ran, _ in counts.values())}")
    elif absent:
        terminalreporter.write_line("corpus cases ran: 0 (the shared corpora are not here)")
