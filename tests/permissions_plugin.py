"""At the end of a whole run: the calls of all tests against the policies that were deployed, and the table of both.

A run is whole when no paths and no `-k` were given, every test passed and a stack was deployed. What one process
recorded the others do not know, so calls and policies travel with the reports to the process that prints them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from local.permissions import comments
from local.template import TEMPLATE
from tests.permissions import RECORDED, Comparison, Recorded, compare

SEEN = "calls and policies"
"""The property by which a test tells what was recorded while it ran; it survives xdist."""

_COMPARED = pytest.StashKey[Comparison]()
_WHOLE = {pytest.Config.ArgsSource.TESTPATHS, pytest.Config.ArgsSource.INVOCATION_DIR}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    taken = RECORDED.take()
    if taken:
        report.user_properties.append((SEEN, taken))
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The run fails when a call has no statement, or a statement no call."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    seen = _all_that_was_seen(reporter)
    if exitstatus != pytest.ExitCode.OK or not _is_whole(session.config) or not seen.policies:
        return
    reasons = {sid: reason for (_, sid), reason in comments(TEMPLATE.read_text(encoding="utf-8")).items()}
    compared = compare(seen.policies, seen.calls, reasons)
    session.config.stash[_COMPARED] = compared
    if compared.faults:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    compared = config.stash.get(_COMPARED, None)
    if compared is not None:
        terminalreporter.section("permissions")
        for line in compared.lines():
            terminalreporter.write_line(line, red=line in compared.faults)


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
