"""A project's past, and the rules that keep another failed build of it from being acted on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given as randomly
from hypothesis import strategies as st

from remediator.core.codebuild.build import Build
from remediator.core.guards.history import (
    NEW,
    History,
    Limits,
    Regrant,
    belongs_to_watcher,
    retry_of_ours,
    started_by,
    too_often,
    undone_again,
)
from remediator.core.outcome import Ending
from remediator.core.repair.plan import Plan, make_plan
from remediator.core.wording import moment
from tests.unit import given
from tests.unit.checkpoints import checkpointed

LIMITS = Limits(attempts=3, minutes=60)
NOW = 1_795_000_200.0
HOUR = 3600.0
STARTED = given.build().started_at
REPAIRED = replace(NEW, repaired_at=STARTED - 10, repaired_by=given.EXECUTION, edited_at=STARTED - 100)
PLAN = make_plan(given.snapshot(), given.SIGN_IN)
SET = tuple(PLAN.record())


def build(uuid: str = given.UUID, started_at: float = STARTED) -> Build:
    arn = f"arn:aws:codebuild:{given.REGION}:{given.ACCOUNT}:build/{given.PROJECT}:{uuid}"
    return given.build(arn=arn, id=f"{given.PROJECT}:{uuid}", startTime=started_at)


def full(**changes: Any) -> History:
    """Three builds were acted on in a window that is not over."""
    return replace(NEW, tries=("a", "b", "c"), window_ends=NOW + HOUR, **changes)


# What a build is to a repair


@pytest.mark.parametrize(
    ("repaired_at", "precedes"),
    [(None, False), (STARTED - 0.001, True), (STARTED, False), (STARTED + 0.001, False)],
)
def test_a_repair_precedes_a_build_that_started_after_it(repaired_at: float | None, precedes: bool) -> None:
    assert replace(NEW, repaired_at=repaired_at).precedes(build()) is precedes


@pytest.mark.parametrize(
    ("repaired_at", "counts"),
    [(None, True), (STARTED - 1, True), (STARTED, False), (STARTED + 1, False)],
)
def test_a_build_that_failed_before_the_repair_is_none_of_the_projects_attempts(
    repaired_at: float | None, counts: bool
) -> None:
    assert replace(NEW, repaired_at=repaired_at).counts(build()) is counts


def test_of_a_build_that_a_running_execution_still_follows_nothing_is_made() -> None:
    outcome = belongs_to_watcher(REPAIRED.repaired_by)

    assert outcome.ending is Ending.SKIPPED
    assert given.EXECUTION in outcome.reason


# A grant that was made again

GRANTED = replace(REPAIRED, regrant=Regrant(1, STARTED - 5, "another"))


def granted(at: float) -> Regrant:
    return Regrant(1, at, "another")


@pytest.mark.parametrize(
    ("history", "watchers"),
    [
        (NEW, ()),
        (REPAIRED, (given.EXECUTION,)),
        (GRANTED, (given.EXECUTION, "another")),
        (replace(GRANTED, regrant=granted(STARTED)), (given.EXECUTION,)),
        (replace(GRANTED, repaired_at=STARTED + 1), ("another",)),
        (replace(GRANTED, repaired_at=None), ("another",)),
    ],
)
def test_a_build_tells_about_the_repair_and_the_grant_that_were_made_before_it(
    history: History, watchers: tuple[str, ...]
) -> None:
    assert history.watchers_of(build()) == watchers


@pytest.mark.parametrize(("granted_at", "counts"), [(0.0, True), (STARTED - 1, True), (STARTED, False)])
def test_a_build_that_failed_before_the_grant_was_made_again_is_none_of_the_projects_attempts(
    granted_at: float, counts: bool
) -> None:
    assert replace(REPAIRED, regrant=granted(granted_at)).counts(build()) is counts


@pytest.mark.parametrize(
    ("history", "late"),
    [
        (NEW, False),
        (replace(NEW, repaired_at=STARTED - 599), True),
        (replace(NEW, repaired_at=STARTED - 600), False),
        (replace(NEW, repaired_at=STARTED - HOUR, regrant=granted(STARTED - 599)), True),
        (replace(NEW, repaired_at=STARTED - HOUR, regrant=granted(STARTED + HOUR)), True),
        (replace(NEW, repaired_at=STARTED - HOUR, regrant=granted(STARTED - 600)), False),
    ],
)
def test_a_build_that_started_within_ten_minutes_of_a_grant_or_before_it_proves_nothing(
    history: History, late: bool
) -> None:
    assert history.grant_may_be_late(build()) is late


@pytest.mark.parametrize(("history", "was"), [(NEW, False), (REPAIRED, True), (History(left_alone_until=1), True)])
def test_a_project_whose_repair_was_taken_back_was_repaired_once(history: History, was: bool) -> None:
    assert history.was_repaired is was


# Edits by others


def test_our_own_update_of_the_project_is_no_edit() -> None:
    history = replace(NEW, repaired_at=1_795_000_000.25, edited_at=1_794_000_000.5)

    assert history.edited_before(given.snapshot(lastModified=1_795_000_000.25)) == 1_794_000_000.5


@pytest.mark.parametrize("repaired_at", [None, 1_795_000_000.249, 1_794_000_000.0])
def test_any_other_update_is_somebodys_edit(repaired_at: float | None) -> None:
    history = replace(NEW, repaired_at=repaired_at, edited_at=1_790_000_000.0)

    assert history.edited_before(given.snapshot(lastModified=1_795_000_000.25)) == 1_795_000_000.25


def test_a_plan_that_sets_again_what_was_set_tells_that_it_was_taken_away() -> None:
    assert replace(REPAIRED, members=SET).was_undone(PLAN)
    assert replace(REPAIRED, members=SET[:1]).was_undone(PLAN)


@pytest.mark.parametrize(
    ("history", "plan"),
    [
        (NEW, PLAN),
        (replace(NEW, members=SET), PLAN),
        (replace(REPAIRED, members=("source.buildspec",)), PLAN),
        (replace(REPAIRED, members=SET), Plan()),
    ],
    ids=["never repaired", "repaired no more", "another member", "nothing to set"],
)
def test_a_repair_that_nobody_took_away_was_not_undone(history: History, plan: Plan) -> None:
    assert not history.was_undone(plan)
    assert undone_again(replace(history, undone=5), plan) is None


def test_a_repair_that_was_taken_away_once_is_made_again() -> None:
    assert undone_again(replace(REPAIRED, members=SET, undone=0), PLAN) is None


@pytest.mark.parametrize("undone", [1, 2, 7])
def test_a_repair_that_was_taken_away_twice_is_left_to_its_owner_with_what_to_do(undone: int) -> None:
    outcome = undone_again(replace(REPAIRED, members=SET, undone=undone), PLAN)

    assert outcome is not None
    assert outcome.ending is Ending.ADVISED


# Builds that this stack started


@pytest.mark.parametrize("initiator", ["role/remediator", "path/role/remediator", "/remediator"])
def test_a_build_that_this_stack_started_is_never_acted_on(initiator: str) -> None:
    outcome = retry_of_ours(initiator, "remediator")

    assert started_by(initiator, "remediator")
    assert outcome is not None
    assert outcome.ending is Ending.SKIPPED


@pytest.mark.parametrize(
    ("initiator", "name"),
    [
        ("", "remediator"),
        ("maria", "remediator"),
        ("remediator", "remediator"),
        ("remediator/maria", "remediator"),
        ("role/remediator-2", "remediator"),
        ("role/old-remediator", "remediator"),
        ("role/Remediator", "remediator"),
        ("codepipeline/remediator-release", "remediator"),
        ("role/", ""),
        ("maria", ""),
    ],
)
def test_a_build_that_anybody_else_started_is_not_taken_for_ours(initiator: str, name: str) -> None:
    assert not started_by(initiator, name)
    assert retry_of_ours(initiator, name) is None


# Attempts and their window


def test_a_window_begins_with_its_first_try() -> None:
    assert NEW.with_try("a", NOW, LIMITS) == replace(NEW, tries=("a",), window_ends=NOW + HOUR)


def test_further_tries_do_not_prolong_their_window() -> None:
    history = NEW.with_try("a", NOW, LIMITS).with_try("b", NOW + HOUR - 1, LIMITS)

    assert (history.tries, history.window_ends) == (("a", "b"), NOW + HOUR)


def test_a_build_that_is_looked_at_again_is_one_try() -> None:
    assert NEW.with_try("a", NOW, LIMITS).with_try("a", NOW + 1, LIMITS).tries == ("a",)


def test_when_a_window_is_over_the_next_try_begins_another_and_its_owner_may_be_told_again() -> None:
    history = full(noticed=True, undone=1).with_try("d", NOW + HOUR, LIMITS)

    assert history == replace(NEW, tries=("d",), window_ends=NOW + 2 * HOUR, noticed=False, undone=1)


def test_a_project_that_has_attempts_left_is_acted_on() -> None:
    assert too_often(NEW, build(), LIMITS, NOW) is None
    assert too_often(full(repaired_at=None, repaired_by=""), build(), replace(LIMITS, attempts=4), NOW) is None


def test_one_more_is_the_last_news_of_the_window() -> None:
    outcome = too_often(full(), build(), LIMITS, NOW)

    assert outcome is not None
    assert (outcome.ending, outcome.quiet) == (Ending.GAVE_UP, False)
    assert "3 of its builds were acted on within 60 minutes" in outcome.reason
    assert moment(NOW + HOUR) in outcome.reason
    assert outcome.advice


def test_after_that_the_project_is_quiet() -> None:
    outcome = too_often(full().with_notice(), build(), LIMITS, NOW)

    assert outcome is not None
    assert (outcome.ending, outcome.quiet) == (Ending.SKIPPED, True)
    assert moment(NOW + HOUR) in outcome.reason


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_the_limit_is_what_the_settings_say(attempts: int) -> None:
    history = NEW
    for name in ("a", "b", "c")[:attempts]:
        assert too_often(history, build(), Limits(attempts, 60), NOW) is None
        history = history.with_try(name, NOW, LIMITS)

    assert too_often(history, build(), Limits(attempts, 60), NOW) is not None


@pytest.mark.parametrize(("seconds", "acts"), [(-0.001, False), (0.0, True), (1.0, True)])
def test_a_project_is_acted_on_again_when_its_window_is_over(seconds: float, acts: bool) -> None:
    assert (too_often(full(noticed=True), build(), LIMITS, NOW + HOUR + seconds) is None) is acts


def test_a_build_that_was_acted_on_is_followed_to_its_end() -> None:
    assert too_often(replace(full(), tries=("a", "b", given.UUID)), build(), LIMITS, NOW) is None


def test_a_build_from_before_the_repair_is_run_again_once_however_many_there_were() -> None:
    repaired = full(repaired_at=STARTED + 1)

    assert too_often(repaired, build(), LIMITS, NOW) is None
    assert too_often(repaired, build(started_at=STARTED + 2), LIMITS, NOW) is not None


@pytest.mark.parametrize("history", [NEW, REPAIRED, full(noticed=True, members=SET, undone=2)])
def test_a_history_survives_a_checkpoint(history: History) -> None:
    assert checkpointed(history) == history


FAILURES = st.lists(
    st.tuples(st.integers(0, 9), st.floats(0, 4 * HOUR), st.floats(0, 600), st.booleans()), min_size=1, max_size=40
)
"""Failed builds: which one, when it started, how much later than the one before it is looked at, and whether the
project is repaired for it."""


@randomly(failures=FAILURES, attempts=st.integers(1, 5), minutes=st.integers(5, 120))
def test_whatever_fails_when_a_window_has_so_many_attempts_one_notice_and_silence_after_it(
    failures: list[tuple[int, float, float, bool]], attempts: int, minutes: int
) -> None:
    limits, history, now = Limits(attempts, minutes), NEW, NOW
    windows: dict[float, tuple[set[str], list[str]]] = {}
    for number, started, later, repairs in failures:
        now += later
        failed = build(f"build-{number}", NOW - HOUR + started)
        told = too_often(history, failed, limits, now)
        counts = history.counts(failed)
        if told is None:
            if counts:
                history = history.with_try(f"build-{number}", now, limits)
                acted_on, said = windows.setdefault(history.window_ends, (set(), []))
                assert not said or f"build-{number}" in acted_on
                acted_on.add(f"build-{number}")
            if repairs:
                history = replace(history, repaired_at=now)
        else:
            assert counts
            windows[history.window_ends][1].append("quiet" if told.quiet else "notice")
            if not told.quiet:
                history = history.with_notice()
    ends = sorted(windows)
    assert all(later - earlier >= minutes * 60 for earlier, later in pairwise(ends))
    for acted_on, said in windows.values():
        assert len(acted_on) <= attempts
        assert said in ([], ["notice"] + ["quiet"] * (len(said) - 1))


def test_a_repair_is_recognised_though_codebuilds_time_is_finer_than_the_journals() -> None:
    snapshot = given.snapshot(lastModified=1_795_000_100.1234567)
    history = History(repaired_at=1_795_000_100.123, edited_at=5.0)

    assert history.edited_before(snapshot) == 5.0
    assert not history.precedes(given.build(startTime=1_795_000_100.1234))
