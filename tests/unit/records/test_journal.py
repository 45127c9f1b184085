"""The journal's conditions, against moto's DynamoDB: each of them holds here, and says no here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from remediator.aws.client import is_transient
from remediator.core.codebuild.failure import BuildArn
from remediator.core.guards.history import NEW, History, Regrant
from remediator.records.journal import Claim, Entrance, Entry, Journal, UnitOwner
from remediator.records.switch import StopSwitch
from remediator.records.table import Table
from tests.moto_aws import mock_aws
from tests.unit import given
from tests.unit.stored import CLIENT, Stored

KEEP_DAYS = 30
BUILD = given.BUILD_ARN
OTHER_BUILD = BuildArn("aws", given.REGION, given.ACCOUNT, given.PROJECT, "1f8e7d6c-0000-4000-8000-a1b2c3d4e5f6")
OTHER_PROJECT = BuildArn("aws", given.REGION, given.ACCOUNT, "invoices", given.UUID)
ONE, TWO, THREE = "execution-one", "execution-two", "execution-three"
NOW = 1_795_000_200.75
DAY = 86_400
EXPIRES = str(1_795_000_200 + 30 * DAY)
OUTCOME = {"outcome": "skipped", "reason": "because", "project": given.PROJECT}
REPAIR = {"registryCredential": {"old": "absent", "new": given.SECRET}}
BATCH = f"batch#{given.PROJECT}:6b0e"
BUILD_KEY, PROJECT_KEY = f"build#{BUILD.id}", f"project#{given.PROJECT}"


@pytest.fixture
def stored() -> Iterator[Stored]:
    with mock_aws():
        yield Stored()


@pytest.fixture
def journal(stored: Stored) -> Journal:
    return Journal(stored.table, KEEP_DAYS)


def enter(
    journal: Journal, execution: str, attempt: int = 1, *, build: BuildArn = BUILD, now: float = NOW, **more: Any
) -> Entrance:
    return journal.enter(build, execution, attempt, now, **{"repair": {}, **more})


# The lease of a project, and its history


def test_a_project_that_nobody_saw_is_claimed_and_has_no_history(journal: Journal, stored: Stored) -> None:
    claim = journal.claim(BUILD, ONE, NOW)

    assert claim == Claim(history=NEW)
    assert claim.granted
    assert stored.items() == {
        PROJECT_KEY: {
            "execution": {"S": ONE},
            "build": {"S": BUILD.id},
            "claimed_at": {"N": "1795000200"},
            "expires_at": {"N": EXPIRES},
        }
    }


def test_an_execution_recognises_its_own_claim(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)

    assert journal.claim(BUILD, ONE, NOW + 5).granted
    assert stored.holder(PROJECT_KEY) == ONE


@pytest.mark.parametrize("build", [BUILD, OTHER_BUILD])
def test_a_project_that_is_held_is_refused_with_who_holds_it_for_which_build(
    journal: Journal, stored: Stored, build: BuildArn
) -> None:
    journal.claim(BUILD, ONE, NOW)
    before = stored.items()

    claim = journal.claim(build, TWO, NOW + 5)

    assert claim == Claim(held_by=ONE, held_for=BUILD.id)
    assert not claim.granted
    assert stored.items() == before


def test_a_build_of_another_project_is_claimed_beside_it(journal: Journal) -> None:
    journal.claim(BUILD, ONE, NOW)

    assert journal.claim(OTHER_PROJECT, TWO, NOW).granted


def test_the_lease_of_a_holder_that_no_longer_runs_is_taken_over(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)

    assert journal.claim(OTHER_BUILD, TWO, NOW, evict=ONE).granted
    assert stored.holder(PROJECT_KEY) == TWO
    assert stored.items()[PROJECT_KEY]["build"] == {"S": OTHER_BUILD.id}


def test_only_the_holder_that_was_looked_at_is_evicted(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, THREE, NOW)

    assert journal.claim(OTHER_BUILD, TWO, NOW, evict=ONE) == Claim(held_by=THREE, held_for=BUILD.id)
    assert stored.holder(PROJECT_KEY) == THREE


def test_who_insists_does_not_take_the_lease_of_one_that_works(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)

    assert journal.claim(BUILD, TWO, NOW, insist=True) == Claim(held_by=ONE, held_for=BUILD.id)
    assert stored.holder(PROJECT_KEY) == ONE


WHOLE = History(
    repaired_at=1_795_000_150.125,
    repaired_by=ONE,
    edited_at=1_795_000_000.25,
    members=("environment.registryCredential", "environment.environmentVariables.DOCKERHUB_USERNAME"),
    undone=1,
    tries=("b", "a"),
    window_ends=1_795_003_800.0,
    noticed=True,
)


def sets_aside(history: History) -> History:
    """DynamoDB keeps a set in no order."""
    return replace(history, members=tuple(sorted(history.members)), tries=tuple(sorted(history.tries)))


def test_a_history_is_told_to_who_claims_next(journal: Journal) -> None:
    journal.claim(BUILD, ONE, NOW)
    journal.record_repaired(given.PROJECT, ONE, WHOLE)
    journal.release(given.PROJECT, ONE, WHOLE)

    assert journal.claim(OTHER_BUILD, TWO, NOW).history == sets_aside(WHOLE)


def test_a_history_survives_an_eviction(journal: Journal) -> None:
    journal.claim(BUILD, ONE, NOW)
    journal.record_repaired(given.PROJECT, ONE, WHOLE)

    told = journal.claim(OTHER_BUILD, TWO, NOW, evict=ONE).history

    assert (told.repaired_at, told.repaired_by, told.undone) == (WHOLE.repaired_at, ONE, 1)


@pytest.mark.parametrize("repaired_at", [1_795_000_150.0, 1_795_000_150.001, 1_795_000_150.123, 1_795_000_150.999])
def test_when_a_project_was_repaired_is_kept_to_the_millisecond(journal: Journal, repaired_at: float) -> None:
    """It is compared with `lastModified` for equality, and that has milliseconds."""
    journal.claim(BUILD, ONE, NOW)
    journal.record_repaired(given.PROJECT, ONE, replace(WHOLE, repaired_at=repaired_at, edited_at=repaired_at - 0.001))

    told = journal.claim(BUILD, ONE, NOW).history

    assert told.repaired_at == repaired_at
    assert told.edited_at == pytest.approx(repaired_at - 0.001, abs=1e-6)


def test_a_repair_is_written_down_only_by_who_has_the_lease(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)
    journal.claim(OTHER_BUILD, TWO, NOW, evict=ONE)
    before = stored.items()

    journal.record_repaired(given.PROJECT, ONE, WHOLE)

    assert stored.items() == before


def test_a_repair_is_not_written_down_after_the_lease_was_given_back(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)
    journal.release(given.PROJECT, ONE, NEW)
    before = stored.items()

    journal.record_repaired(given.PROJECT, ONE, WHOLE)

    assert stored.items() == before


def test_a_repair_that_is_written_down_twice_is_the_same_entry(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)
    journal.record_repaired(given.PROJECT, ONE, WHOLE)
    once = stored.items()

    journal.record_repaired(given.PROJECT, ONE, WHOLE)

    assert stored.items() == once


def test_a_released_project_is_free_and_keeps_the_tries_of_its_window(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)

    journal.release(given.PROJECT, ONE, WHOLE)

    assert stored.items()[PROJECT_KEY] == {
        "tries": {"SS": ["a", "b"]},
        "window_ends": {"N": "1795003800"},
        "noticed": {"BOOL": True},
        "claimed_at": {"N": "1795000200"},
        "expires_at": {"N": EXPIRES},
    }
    told = journal.claim(OTHER_BUILD, TWO, NOW).history
    assert (told.tries, told.window_ends, told.noticed) == (("a", "b"), WHOLE.window_ends, True)


def test_a_release_without_a_try_leaves_none(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)

    journal.release(given.PROJECT, ONE, NEW)

    assert "tries" not in stored.items()[PROJECT_KEY]
    assert journal.claim(OTHER_BUILD, TWO, NOW) == Claim(history=NEW)


def test_a_new_window_takes_the_place_of_the_one_before(journal: Journal) -> None:
    for history in (WHOLE, replace(WHOLE, tries=("c",), window_ends=WHOLE.window_ends + 9, noticed=False)):
        journal.claim(BUILD, ONE, NOW)
        journal.release(given.PROJECT, ONE, history)

    told = journal.claim(BUILD, ONE, NOW).history
    assert (told.tries, told.window_ends, told.noticed) == (("c",), WHOLE.window_ends + 9, False)


def test_a_lease_that_was_taken_over_is_not_released_by_its_former_holder(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)
    journal.claim(OTHER_BUILD, TWO, NOW, evict=ONE)
    before = stored.items()

    journal.release(given.PROJECT, ONE, WHOLE)

    assert stored.items() == before


def test_a_lease_that_was_given_back_is_not_given_back_again(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)
    journal.release(given.PROJECT, ONE, NEW)
    before = stored.items()

    journal.release(given.PROJECT, ONE, WHOLE)

    assert stored.items() == before


# A project that is left alone


def left_alone(journal: Journal, until: float = NOW + DAY) -> None:
    journal.claim(BUILD, ONE, NOW)
    journal.record_repaired(given.PROJECT, ONE, WHOLE)
    journal.leave_alone(given.PROJECT, ONE, until)


def test_a_project_that_is_left_alone_is_taken_by_nobody_until_then(journal: Journal) -> None:
    left_alone(journal)

    refused = journal.claim(OTHER_BUILD, TWO, NOW + DAY - 1)

    assert refused == Claim(left_alone=True)
    assert not refused.granted
    assert journal.claim(OTHER_BUILD, TWO, NOW + DAY + 1).granted


def test_who_insists_takes_a_project_that_is_left_alone(journal: Journal, stored: Stored) -> None:
    left_alone(journal)

    assert journal.claim(OTHER_BUILD, TWO, NOW, insist=True).granted
    assert stored.holder(PROJECT_KEY) == TWO
    assert "left_alone_until" not in stored.items()[PROJECT_KEY]


def test_an_eviction_takes_no_project_that_is_left_alone(journal: Journal) -> None:
    left_alone(journal)

    assert journal.claim(OTHER_BUILD, TWO, NOW, evict=ONE) == Claim(left_alone=True)


def test_a_project_whose_repair_was_taken_back_is_repaired_no_more(journal: Journal) -> None:
    left_alone(journal)

    told = journal.claim(OTHER_BUILD, TWO, NOW, insist=True).history

    assert (told.repaired_at, told.members) == (None, ())
    assert told.undone == 1


def test_a_grant_that_is_made_again_is_counted_once_for_each_execution(journal: Journal, stored: Stored) -> None:
    assert journal.regrant("role") == Regrant()

    for execution in (ONE, ONE, TWO):
        journal.count_regrant("role", execution, NOW)

    assert journal.regrant("role") == Regrant(2, NOW, TWO)
    assert journal.regrant("another") == Regrant()
    assert stored.items()["role#role"]["expires_at"] == {"N": EXPIRES}


def test_a_repair_that_was_taken_back_is_known_until_somebody_takes_the_project(journal: Journal) -> None:
    journal.claim(BUILD, ONE, NOW)
    assert not journal.history(BUILD.project).taken_back
    journal.leave_alone(BUILD.project, ONE, NOW + DAY)
    assert journal.history(BUILD.project).taken_back
    assert not journal.claim(BUILD, TWO, NOW + 2 * DAY).history.taken_back


def test_only_the_holder_lets_a_project_alone(journal: Journal, stored: Stored) -> None:
    journal.claim(BUILD, ONE, NOW)
    journal.claim(OTHER_BUILD, TWO, NOW, evict=ONE)
    before = stored.items()

    journal.leave_alone(given.PROJECT, ONE, NOW + DAY)

    assert stored.items() == before


def test_letting_a_project_alone_twice_is_no_error_and_the_lease_is_not_released_after_it(
    journal: Journal, stored: Stored
) -> None:
    left_alone(journal)
    before = stored.items()

    journal.leave_alone(given.PROJECT, ONE, NOW + 2 * DAY)
    journal.release(given.PROJECT, ONE, WHOLE)

    assert stored.items() == before


# A build and what it comes from


def test_a_build_that_nobody_has_is_entered_with_what_is_about_to_change(journal: Journal, stored: Stored) -> None:
    assert enter(journal, ONE, repair=REPAIR) == Entrance()
    assert stored.items() == {
        BUILD_KEY: {
            "execution": {"S": ONE},
            "attempt": {"N": "1"},
            "claimed_at": {"N": "1795000200"},
            "expires_at": {"N": EXPIRES},
            "repair": {"S": json.dumps(REPAIR, sort_keys=True)},
        }
    }
    assert journal.entry(BUILD) == Entry(1, None, ONE)


def test_a_build_that_changes_nothing_has_no_repair_written_down(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE)

    assert "repair" not in stored.items()[BUILD_KEY]


def test_an_execution_recognises_the_build_and_the_origin_that_it_has(journal: Journal) -> None:
    enter(journal, ONE, unit=BATCH)

    assert enter(journal, ONE, unit=BATCH, now=NOW + 5) == Entrance()


def test_another_execution_of_the_same_attempt_does_not_get_the_build(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE, repair=REPAIR)
    before = stored.items()

    assert enter(journal, TWO, repair={"other": {}}) == Entrance(held_by=ONE, of_build=True)
    assert stored.items() == before


def test_a_later_attempt_takes_the_build_of_an_earlier_one(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE)

    assert enter(journal, TWO, 2) == Entrance()
    assert (stored.holder(BUILD_KEY), journal.entry(BUILD)) == (TWO, Entry(2, None, TWO))


def test_an_earlier_attempt_that_comes_late_is_refused(journal: Journal) -> None:
    enter(journal, TWO, 2)

    assert enter(journal, ONE, 1) == Entrance(held_by=TWO, of_build=True)


def test_a_triaged_build_may_still_be_entered(journal: Journal) -> None:
    journal.record_triage(BUILD, OUTCOME, NOW)

    assert enter(journal, ONE) == Entrance()


@pytest.mark.parametrize("origin", [BATCH, f"chain#{given.PROJECT}:first"])
def test_an_origin_is_taken_with_the_first_of_its_builds_and_with_no_other(
    journal: Journal, stored: Stored, origin: str
) -> None:
    assert enter(journal, ONE, unit=origin) == Entrance()

    assert enter(journal, TWO, build=OTHER_BUILD, unit=origin) == Entrance(held_by=ONE)
    assert stored.holder(origin) == ONE
    assert f"build#{OTHER_BUILD.id}" not in stored.items()


def test_an_origin_tells_who_has_it_and_when_that_was_over(journal: Journal) -> None:
    assert journal.unit_owner(BATCH) is None
    enter(journal, ONE, unit=BATCH)
    assert journal.unit_owner(BATCH) == UnitOwner(ONE, None)

    journal.close(BATCH, TWO, NOW + 5)
    assert journal.unit_owner(BATCH) == UnitOwner(ONE, None)
    journal.close(BATCH, ONE, NOW + 5)
    assert journal.unit_owner(BATCH) == UnitOwner(ONE, float(int(NOW) + 5))


def test_an_origin_is_taken_over_from_the_execution_that_is_named_and_from_no_other(journal: Journal) -> None:
    enter(journal, ONE, unit=BATCH)
    journal.close(BATCH, ONE, NOW + 5)

    assert enter(journal, TWO, build=OTHER_BUILD, unit=BATCH, evict=THREE) == Entrance(held_by=ONE)
    assert enter(journal, TWO, build=OTHER_BUILD, unit=BATCH, evict=ONE) == Entrance()
    assert journal.unit_owner(BATCH) == UnitOwner(TWO, None)


def test_a_build_that_this_stack_started_is_its_executions_whoever_looks_at_it(
    journal: Journal, stored: Stored
) -> None:
    assert journal.adopt(BUILD, ONE, OUTCOME, NOW)

    assert stored.items()[BUILD_KEY]["outcome"] == {"S": "skipped"}
    assert enter(journal, TWO) == Entrance(held_by=ONE, of_build=True)
    assert not journal.record_outcome(BUILD, TWO, 1, OUTCOME, NOW)
    assert not journal.record_triage(BUILD, OUTCOME, NOW)
    assert not journal.adopt(BUILD, TWO, OUTCOME, NOW)
    assert journal.adopt(BUILD, ONE, OUTCOME, NOW)


def test_what_an_execution_started_is_its_own_until_it_has_ended(journal: Journal) -> None:
    journal.take(BATCH, ONE, NOW)
    journal.take(BATCH, TWO, NOW)

    assert journal.unit_owner(BATCH) == UnitOwner(ONE, None)
    assert enter(journal, TWO, unit=BATCH) == Entrance(held_by=ONE)


def test_a_build_whose_event_came_first_is_adopted_all_the_same(journal: Journal) -> None:
    journal.record_triage(BUILD, OUTCOME, NOW)

    assert journal.adopt(BUILD, ONE, OUTCOME, NOW)


def test_a_later_attempt_takes_the_origin_too(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE, unit=BATCH)

    assert enter(journal, TWO, 2, build=OTHER_BUILD, unit=BATCH) == Entrance()
    assert stored.holder(BATCH) == TWO


def test_a_build_that_is_held_leaves_its_free_origin_free(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE)

    assert enter(journal, TWO, unit=BATCH) == Entrance(held_by=ONE, of_build=True)
    assert BATCH not in stored.items()


def test_what_is_about_to_change_is_written_down_anew_when_the_plan_is(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE, repair={"other": {}})

    journal.record_repair(BUILD, REPAIR)

    item = stored.items()[BUILD_KEY]
    assert json.loads(item["repair"]["S"]) == REPAIR
    assert item["execution"] == {"S": ONE}


# The stop switch


def test_nobody_enters_while_everything_is_stopped_and_is_told_why(journal: Journal, stored: Stored) -> None:
    StopSwitch(stored.table).turn("a deployment", NOW, stopped=True)
    before = stored.items()

    assert enter(journal, ONE, unit=BATCH) == Entrance(
        stopped="everything was stopped at 2026-11-18 11:10 UTC: a deployment"
    )
    assert stored.items() == before


def test_a_build_is_entered_when_everything_goes_on_again(journal: Journal, stored: Stored) -> None:
    switch = StopSwitch(stored.table)
    switch.turn("a deployment", NOW, stopped=True)
    switch.turn("", NOW + 60, stopped=False)

    assert enter(journal, ONE, unit=BATCH) == Entrance()


def test_a_build_that_is_held_is_told_as_that_while_everything_is_stopped_too(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE)
    StopSwitch(stored.table).turn("", NOW, stopped=True)

    entrance = enter(journal, TWO)

    assert (entrance.held_by, entrance.of_build) == (ONE, True)


def test_an_execution_that_has_its_build_is_stopped_too(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE, unit=BATCH)
    StopSwitch(stored.table).turn("", NOW, stopped=True)

    assert enter(journal, ONE, unit=BATCH).stopped
    assert enter(journal, ONE, unit=BATCH).held_by == ""


# Outcomes


def test_an_outcome_is_kept_beside_the_repair(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE, repair=REPAIR)

    journal.record_outcome(BUILD, ONE, 1, {**OUTCOME, "outcome": "remediated"}, NOW + 60)

    item = stored.items()[BUILD_KEY]
    assert item["execution"] == {"S": ONE}
    assert json.loads(item["repair"]["S"])["registryCredential"]["new"] == given.SECRET
    assert (item["outcome"], item["ended_at"]) == ({"S": "remediated"}, {"N": "1795000260"})
    assert json.loads(item["report"]["S"])["reason"] == "because"
    assert item["expires_at"] == {"N": str(1_795_000_260 + 30 * DAY)}
    assert journal.entry(BUILD) == Entry(1, "remediated", ONE)


def test_an_outcome_that_is_written_twice_is_the_same_entry(journal: Journal, stored: Stored) -> None:
    enter(journal, ONE)
    journal.record_outcome(BUILD, ONE, 1, OUTCOME, NOW)
    once = stored.items()

    journal.record_outcome(BUILD, ONE, 1, OUTCOME, NOW)

    assert stored.items() == once


def test_an_earlier_attempts_outcome_does_not_overwrite_a_later_one(journal: Journal, stored: Stored) -> None:
    enter(journal, TWO, 2)
    journal.record_outcome(BUILD, TWO, 2, {**OUTCOME, "outcome": "remediated"}, NOW)
    before = stored.items()

    journal.record_outcome(BUILD, ONE, 1, OUTCOME, NOW + 1)

    assert stored.items() == before


def test_the_outcome_of_an_execution_that_never_entered_takes_its_attempt(journal: Journal) -> None:
    journal.record_outcome(BUILD, ONE, 1, OUTCOME, NOW)

    assert journal.entry(BUILD) == Entry(1, "skipped")


def test_a_triaged_build_is_kept_once(journal: Journal) -> None:
    assert journal.record_triage(BUILD, OUTCOME, NOW)
    assert not journal.record_triage(BUILD, {**OUTCOME, "outcome": "advised"}, NOW)
    assert journal.entry(BUILD) == Entry(0, "skipped")


def test_triage_does_not_touch_a_build_that_an_execution_has(journal: Journal) -> None:
    enter(journal, ONE)

    assert not journal.record_triage(BUILD, OUTCOME, NOW)
    assert journal.entry(BUILD) == Entry(1, None, ONE)


def test_a_build_that_nobody_saw_has_no_entry(journal: Journal) -> None:
    assert journal.entry(BUILD) is None


# Errors that are no answers


def test_a_table_that_is_gone_is_an_error_and_no_answer() -> None:
    with mock_aws():
        journal = Journal(Table(CLIENT, "gone"), KEEP_DAYS)

        for ask in (
            lambda: journal.claim(BUILD, ONE, NOW),
            lambda: enter(journal, ONE),
            lambda: journal.record_repaired(given.PROJECT, ONE, WHOLE),
            lambda: journal.record_repair(BUILD, REPAIR),
            lambda: journal.record_outcome(BUILD, ONE, 1, OUTCOME, NOW),
            lambda: journal.record_triage(BUILD, OUTCOME, NOW),
            lambda: journal.release(given.PROJECT, ONE, NEW),
            lambda: journal.leave_alone(given.PROJECT, ONE, NOW),
            lambda: journal.entry(BUILD),
        ):
            with pytest.raises(ClientError, match="ResourceNotFoundException"):
                ask()


def cancelled(*codes: str) -> Journal:
    """A journal whose transaction DynamoDB cancels for these reasons, one for each item."""
    client = given.aws("dynamodb")
    stubber = Stubber(client)
    stubber.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": code} for code in codes]},
    )
    stubber.activate()
    return Journal(Table(client, "journal"), KEEP_DAYS)


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_conflicts_is_no_answer_and_is_worth_asking_again(code: str) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException") as raised:
        enter(cancelled(code, "None"), ONE)
    assert is_transient(raised.value)
