"""At the end of a whole run: the calls of all tests against the policies that were deployed, and the table of both.

A run is whole when no paths and no `-k` were given, every test passed and a stack was deployed. What one process
recorded the others do not know, so calls and policies travel with the reports to the process that prints them.

At the end of every run in which something was written: the files that it went through against the reading guide.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from local.permissions import comments
from local.template import TEMPLATE
from tests import reading_guide
from tests.permissions import RECORDED, Comparison, Recorded, compare

SEEN = "calls and policies"
"""The property by which a test tells what was recorded while it ran; it survives xdist."""

_COMPARED = pytest.StashKey[Comparison]()
_GUIDE = pytest.StashKey[reading_guide.Compared]()
_WHOLE = {pytest.Config.ArgsSource.TESTPATHS, pytest.Config.ArgsSource.INVOCATION_DIR}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    taken = RECORDED.take()
    if taken:
        report.user_properties.append((SEEN, taken))
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The run fails when a call has no statement, or a statement no call; or when the reading guide lacks a file."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    seen = _all_that_was_seen(reporter)
    passed = exitstatus == pytest.ExitCode.OK
    whole = passed and _is_whole(session.config) and bool(seen.policies)
    faults = [*_guide_faults(session.config, seen, whole), *(_permission_faults(session.config, seen) if whole else ())]
    if faults and passed:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _permission_faults(config: pytest.Config, seen: Recorded) -> tuple[str, ...]:
    reasons = {sid: reason for (_, sid), reason in comments(TEMPLATE.read_text(encoding="utf-8")).items()}
    compared = config.stash[_COMPARED] = compare(seen.policies, seen.calls, reasons)
    return compared.faults


def _guide_faults(config: pytest.Config, seen: Recorded, whole: bool) -> tuple[str, ...]:
    if not seen.trails:
        return ()
    guide = reading_guide.Guide.read(reading_guide.PAGE.read_text(encoding="utf-8"))
    compared = config.stash[_GUIDE] = reading_guide.compare(guide, seen.trails, whole=whole)
    return compared.faults


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    compared = config.stash.get(_COMPARED, None)
    if compared is not None:
        terminalreporter.section("permissions")
        for line in compared.lines():
            terminalreporter.write_line(line, red=line in compared.faults)
    guide = config.stash.get(_GUIDE, None)
    if guide is not None:
        for line in guide.told():
            terminalreporter.write_line(line, red=line in guide.faults)


def _is_whole(config: pytest.Config) -> bool:
    return config.args_source in _WHOLE and not config.option.keyword


def _all_that_was_seen(reporter: Any) -> Recorded:
    seen = Recorded()
    for reports in reporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key == SEEN:
                    seen.put(value)
    return seen
