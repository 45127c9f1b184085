"""Is there anything to do for a project that somebody asks about, and what would hold it back?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.codebuild.build import Build
from remediator.core.guards.history import NEW, History, Limits
from remediator.core.guards.standing import held_back, nothing_to_do
from remediator.core.repair.plan import Plan
from tests.unit import given

NOW = 1_795_000_200.0
REPAIRED = History(repaired_at=NOW - 1000)
LIMITS = Limits(3, 60)


def ended(status: str) -> Build:
    return given.build(buildStatus=status, buildComplete=True)


RUNNING = given.build(buildStatus="IN_PROGRESS", buildComplete=False)


def test_a_project_that_is_signed_in_and_passed_last_needs_nothing() -> None:
    for builds in ([ended("SUCCEEDED")], [RUNNING, ended("SUCCEEDED"), ended("FAILED")]):
        outcome = nothing_to_do(builds, REPAIRED, signed_in=True)
        assert outcome is not None
        assert outcome.reason == (
            "the project has been signed in since 2026-11-18 10:53 UTC, and its newest build passed: nothing to do"
        )


def test_who_signed_it_in_is_only_told_where_the_journal_knows() -> None:
    outcome = nothing_to_do([ended("SUCCEEDED")], NEW, signed_in=True)
    assert outcome is not None
    assert outcome.reason.startswith("the project is signed in, not by this stack as far as the journal tells")


@pytest.mark.parametrize(
    ("builds", "signed_in"),
    [([ended("SUCCEEDED")], False), ([ended("FAILED"), ended("SUCCEEDED")], True), ([RUNNING], True), ([], True)],
)
def test_any_other_project_may_need_something(builds: list[Build], signed_in: bool) -> None:
    assert nothing_to_do(builds, REPAIRED, signed_in=signed_in) is None


def test_nothing_holds_a_new_project_back() -> None:
    assert list(held_back("", 0.0, NEW, Plan(), given.build(), LIMITS, NOW)) == []
    over = replace(NEW, left_alone_until=NOW - 1, tries=("a", "b", "c"), window_ends=NOW - 1)
    assert list(held_back("", 0.0, over, Plan(), given.build(), LIMITS, NOW)) == []


def test_each_thing_that_holds_it_back_is_a_sentence_of_its_own() -> None:
    history = replace(NEW, left_alone_until=NOW + 60, tries=("a", "b", "c"), window_ends=NOW + 60)
    stopped, refused, alone, often = held_back("stopped", NOW + 60, history, Plan(), given.build(), LIMITS, NOW)
    assert stopped == "stopped"
    assert "refused the credentials" in refused
    assert "left alone until 2026-11-18 11:11 UTC" in alone
    assert "3 of its builds were acted on within 60 minutes" in often
