"""Says at the end of every run how many cases of the shared corpora it ran, and fails what gave a canary away."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest

from tests import canaries

pytest_plugins = ["tests.permissions_plugin"]

CORPUS_CASES = "corpus cases"
"""The property by which a corpus test tells (name, cases run, cases in the corpus); it survives xdist."""
CANARY_TEXTS = "canary texts"
"""The property by which a test tells how many texts were looked through for canaries."""
MOMENTS = "between the check and the write"
"""The property by which a test tells (path, change, moments at which the change was made)."""
FUNCTIONS = str(Path("src", "remediator"))


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
    _tell_of_canaries(terminalreporter)
    _tell_of_moments(terminalreporter)


def _tell_of_moments(terminalreporter: Any) -> None:
    passed = terminalreporter.stats.get("passed", [])
    driven = [value for report in passed for key, value in report.user_properties if key == MOMENTS]
    if driven:
        moments, paths = sum(number for _, _, number in driven), len({path for path, _, _ in driven})
        changes = ", ".join(sorted({change for _, change, _ in driven}))
        told = f"{moments} moments of {paths} paths ({changes}), 0 writes after the one on its way"
        terminalreporter.write_line(f"{MOMENTS}: {told}")


def _tell_of_canaries(terminalreporter: Any) -> None:
    texts: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key == CANARY_TEXTS:
                    texts[report.nodeid] = texts.get(report.nodeid, 0) + cast("int", value)
    if texts:
        terminalreporter.write_line(f"canaries: {sum(texts.values())} texts of {len(texts)} tests were looked through")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test fails with the phase in which something gave a canary away, whatever else became of it."""
    report = yield
    for title, text in report.sections:
        canaries.saw(title, text)
    if call.excinfo and any(FUNCTIONS in str(entry.path) for entry in call.excinfo.traceback):
        canaries.saw("an exception", "".join(traceback.format_exception(call.excinfo.value)))
    texts, leaks = canaries.current().taken()
    if texts:
        report.user_properties.append((CANARY_TEXTS, texts))
    if leaks:
        told = "\n".join(("What came out held what must never come out:", *map(str, leaks)))
        report.outcome = "failed"
        report.longrepr = f"{report.longreprtext}\n{told}".lstrip()
    return report


@pytest.fixture
def capsys(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """pytest's own; what a test takes from it, no report has."""
    read = capsys.readouterr

    def readouterr() -> Any:
        taken = read()
        canaries.saw("stdout", taken.out)
        canaries.saw("stderr", taken.err)
        return taken

    capsys.readouterr = readouterr  # type: ignore[method-assign]
    return capsys
