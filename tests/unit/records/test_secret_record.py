"""What is kept on the secret: who may sign in, what Docker Hub said, who shares it, who edits its policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError

from remediator.records.secret_record import (
    ACCEPTED_FOR,
    ASKING,
    EDITING,
    REFUSED_FOR,
    UNREADABLE_FOR,
    Known,
    SecretRecord,
)
from remediator.records.table import Table
from tests.moto_aws import mock_aws
from tests.unit import given
from tests.unit.stored import CLIENT, Stored

ONE, TWO = "execution-one", "execution-two"
OLD, NEW = "version-old", "version-new"
NOW = 1_795_000_200.75
SECOND = float(int(NOW))
"""What the table keeps of NOW."""
LATER = 1.5
"""Seconds after a term of whole seconds, when it is over."""
ALLOWED = (200, 7, 21_600)


@pytest.fixture
def stored() -> Iterator[Stored]:
    with mock_aws():
        yield Stored()


@pytest.fixture
def record(stored: Stored) -> SecretRecord:
    return SecretRecord(stored.table, given.SECRET)


def accept(record: SecretRecord, version: str = OLD, now: float = NOW) -> None:
    assert record.ask(version, ONE, now).may_ask
    record.accepted(version, ONE, now, *ALLOWED)


def refuse(record: SecretRecord, version: str = OLD, now: float = NOW) -> None:
    assert record.ask(version, ONE, now).may_ask
    record.refused(version, ONE, now)


# Whose turn it is


def test_who_comes_first_may_ask_and_nothing_is_known_before(record: SecretRecord) -> None:
    assert record.ask(OLD, ONE, NOW) == Known(may_ask=True)


def test_while_one_asks_others_have_to_wait_for_the_answer(record: SecretRecord) -> None:
    record.ask(OLD, ONE, NOW)

    assert record.ask(OLD, TWO, NOW + 1) == Known(may_ask=False)
    assert record.ask(NEW, TWO, NOW + 1) == Known(may_ask=False)
    assert record.ask(OLD, TWO, NOW + 1, afresh=True) == Known(may_ask=False)


def test_an_execution_recognises_its_own_turn(record: SecretRecord) -> None:
    record.ask(OLD, ONE, NOW)

    assert record.ask(OLD, ONE, NOW + 1).may_ask


def test_a_turn_ends_by_itself(record: SecretRecord) -> None:
    record.ask(OLD, ONE, NOW)

    assert not record.ask(OLD, TWO, NOW + ASKING).may_ask
    assert record.ask(OLD, TWO, NOW + ASKING + LATER).may_ask


def test_a_turn_that_told_nothing_is_given_back_at_once(record: SecretRecord) -> None:
    record.ask(OLD, ONE, NOW)
    record.not_told(ONE)

    assert record.ask(OLD, TWO, NOW) == Known(may_ask=True)


# What Docker Hub said


def test_an_accepted_version_is_not_tried_again_for_a_while_whoever_comes(record: SecretRecord) -> None:
    accept(record)

    told = Known(
        may_ask=False,
        accepted=True,
        accepted_before=True,
        fresh_until=SECOND + ACCEPTED_FOR,
        limit=200,
        remaining=7,
        window=21_600,
    )
    assert record.ask(OLD, ONE, NOW + 1) == told
    assert record.ask(OLD, TWO, NOW + ACCEPTED_FOR) == told


def test_an_account_without_a_limit_is_remembered_as_that(record: SecretRecord) -> None:
    accept(record)
    assert record.ask(OLD, ONE, NOW + ACCEPTED_FOR + LATER).may_ask
    record.accepted(OLD, ONE, NOW + ACCEPTED_FOR + LATER, None, None, None)

    known = record.ask(OLD, TWO, NOW + ACCEPTED_FOR + LATER)

    assert known.accepted
    assert (known.limit, known.remaining, known.window) == (None, None, None)


def test_an_accepted_version_is_tried_again_after_that_and_was_accepted_before(record: SecretRecord) -> None:
    accept(record)

    known = record.ask(OLD, TWO, NOW + ACCEPTED_FOR + LATER)

    assert (known.may_ask, known.accepted, known.accepted_before) == (True, None, True)


def test_a_refused_version_is_not_tried_again_for_longer(record: SecretRecord) -> None:
    refuse(record)

    told = Known(may_ask=False, accepted=False, fresh_until=SECOND + REFUSED_FOR)
    assert REFUSED_FOR > ACCEPTED_FOR
    assert record.ask(OLD, TWO, NOW + REFUSED_FOR) == told
    assert record.ask(OLD, TWO, NOW + REFUSED_FOR + LATER) == Known(may_ask=True, fresh_until=SECOND + REFUSED_FOR)


@pytest.mark.parametrize("say", [accept, refuse])
def test_a_new_version_is_tried_at_once(record: SecretRecord, say: Callable[[SecretRecord], None]) -> None:
    say(record)

    known = record.ask(NEW, TWO, NOW + 1)

    assert (known.may_ask, known.accepted, known.accepted_before) == (True, None, False)


def test_what_was_accepted_before_is_still_known_after_nothing_was_told(record: SecretRecord) -> None:
    accept(record)
    record.ask(OLD, ONE, NOW, afresh=True)
    record.not_told(ONE)

    known = record.ask(OLD, TWO, NOW + ACCEPTED_FOR + LATER)

    assert (known.may_ask, known.accepted_before) == (True, True)


def test_what_was_refused_since_it_was_accepted_is_told_as_refused(record: SecretRecord) -> None:
    accept(record)
    refuse(record, now=NOW + ACCEPTED_FOR + LATER)

    known = record.ask(OLD, TWO, NOW + ACCEPTED_FOR + LATER)

    assert (known.may_ask, known.accepted) == (False, False)


def test_what_was_accepted_is_asked_anew_where_that_is_wanted(record: SecretRecord) -> None:
    accept(record)

    known = record.ask(OLD, TWO, NOW + 1, afresh=True)

    assert known.may_ask


def test_what_was_refused_is_never_asked_anew(record: SecretRecord) -> None:
    refuse(record)

    known = record.ask(OLD, TWO, NOW + 1, afresh=True)

    assert (known.may_ask, known.accepted) == (False, False)


def test_the_answer_of_one_that_took_too_long_does_not_overwrite_that_of_the_next(
    record: SecretRecord, stored: Stored
) -> None:
    record.ask(OLD, ONE, NOW)
    record.ask(NEW, TWO, NOW + ASKING + LATER)
    before = stored.items()

    record.refused(OLD, ONE, NOW + ASKING + 2)
    record.accepted(OLD, ONE, NOW + ASKING + 2, *ALLOWED)
    record.not_told(ONE)
    assert stored.items() == before

    record.accepted(NEW, TWO, NOW + ASKING + 3, *ALLOWED)
    record.refused(OLD, ONE, NOW + ASKING + 4)
    assert record.ask(NEW, TWO, NOW + ASKING + 5).accepted


def test_an_answer_that_is_written_twice_is_the_same(record: SecretRecord, stored: Stored) -> None:
    accept(record)
    once = stored.items()

    record.accepted(OLD, ONE, NOW + 9, *ALLOWED)

    assert stored.items() == once


def test_another_secrets_word_is_its_own(record: SecretRecord, stored: Stored) -> None:
    refuse(record)
    record.lock_out(NOW + 3600)

    assert SecretRecord(stored.table, given.OTHER_SECRET).ask(OLD, ONE, NOW) == Known(may_ask=True)


def test_nothing_of_the_word_expires(record: SecretRecord, stored: Stored) -> None:
    accept(record)

    assert stored.items()[f"secret#{given.SECRET}"].keys() == {
        *("version", "accepted", "fresh_until", "accepted_version", "limit", "remaining", "window", "pushes")
    }


# Sign-ins that are locked out


def test_nobody_asks_until_the_lockout_is_over(record: SecretRecord) -> None:
    record.lock_out(NOW + 3600)

    assert record.ask(OLD, ONE, NOW) == Known(may_ask=False, locked_until=SECOND + 3600)
    assert record.ask(OLD, ONE, NOW, afresh=True).locked_until
    assert record.ask(OLD, ONE, NOW + 3601).may_ask


def test_a_rotated_secret_is_locked_out_too_for_the_account_is(record: SecretRecord) -> None:
    accept(record)
    record.lock_out(NOW + 3600)

    assert not record.ask(NEW, TWO, NOW).may_ask
    assert not record.ask(OLD, TWO, NOW, afresh=True).may_ask


def test_until_when_nobody_signs_in_is_told_and_nothing_after_that(record: SecretRecord) -> None:
    assert record.locked_until(NOW) == 0
    record.lock_out(NOW + 3600)

    assert record.locked_until(NOW) == SECOND + 3600
    assert record.locked_until(NOW + 3601) == 0


def test_a_later_lockout_takes_the_place_of_the_one_before(record: SecretRecord) -> None:
    record.lock_out(NOW + 3600)
    record.lock_out(NOW + 7200)

    assert record.locked_until(NOW) == SECOND + 7200


# A lockout that a build tells of


def test_a_builds_word_of_a_lockout_is_asked_about_though_the_version_was_accepted_before(record: SecretRecord) -> None:
    accept(record)

    assert record.ask(OLD, TWO, NOW + 1, of_lockout=True).may_ask


def test_while_one_asks_others_have_to_wait_and_what_was_said_before_does_not_count(record: SecretRecord) -> None:
    accept(record)
    record.ask(OLD, ONE, NOW + 1, of_lockout=True)

    doubting = record.ask(OLD, TWO, NOW + 2, of_lockout=True)

    assert (doubting.may_ask, doubting.accepted) == (False, None)
    assert record.ask(OLD, TWO, NOW + 2).accepted, "who repairs is not kept from that"


def test_it_is_asked_about_once_in_a_window_whoever_comes(record: SecretRecord) -> None:
    accept(record)
    assert record.ask(OLD, ONE, NOW + 1, of_lockout=True).may_ask
    record.accepted(OLD, ONE, NOW + 1, *ALLOWED, no_lockout_until=NOW + 3600)

    for execution in (ONE, TWO):
        known = record.ask(OLD, execution, NOW + 2, of_lockout=True)
        assert (known.may_ask, known.accepted) == (False, True)
    assert record.ask(OLD, TWO, NOW + 1 + ACCEPTED_FOR + LATER, of_lockout=True).may_ask, "as anybody may by then"


def test_after_the_window_it_is_asked_about_again(record: SecretRecord) -> None:
    accept(record)
    record.ask(OLD, ONE, NOW + 1, of_lockout=True)
    record.accepted(OLD, ONE, NOW + 1, *ALLOWED, no_lockout_until=NOW + 60)

    assert not record.ask(OLD, TWO, NOW + 30, of_lockout=True).may_ask
    assert record.ask(OLD, TWO, NOW + 60 + LATER, of_lockout=True).may_ask


def test_a_question_that_nobody_answered_is_asked_again(record: SecretRecord) -> None:
    accept(record)
    record.ask(OLD, ONE, NOW + 1, of_lockout=True)
    record.not_told(ONE)

    assert record.ask(OLD, TWO, NOW + 2, of_lockout=True).may_ask


def test_an_execution_that_was_interrupted_goes_on_with_its_question(record: SecretRecord) -> None:
    accept(record)
    record.ask(OLD, ONE, NOW + 1, of_lockout=True)

    assert record.ask(OLD, ONE, NOW + 2, of_lockout=True).may_ask


def test_what_was_refused_is_not_asked_again_for_a_builds_word(record: SecretRecord) -> None:
    refuse(record)

    known = record.ask(OLD, TWO, NOW + 1, of_lockout=True)

    assert (known.may_ask, known.accepted) == (False, False)


# What its token may do


@pytest.mark.parametrize("pushes", [True, False, None])
def test_what_is_found_of_a_token_is_known_with_the_version(record: SecretRecord, pushes: bool | None) -> None:
    record.ask(OLD, ONE, NOW)
    record.accepted(OLD, ONE, NOW, *ALLOWED, pushes=pushes)

    for now in (NOW + 1, NOW + ACCEPTED_FOR + LATER):
        assert record.ask(OLD, TWO, now).pushes is pushes
    assert record.could_push() is (pushes is True)


def test_nothing_is_known_of_another_versions_token(record: SecretRecord) -> None:
    record.ask(OLD, ONE, NOW)
    record.accepted(OLD, ONE, NOW, *ALLOWED, pushes=True)

    assert record.ask(NEW, TWO, NOW + 1).pushes is None
    record.accepted(NEW, TWO, NOW + 1, *ALLOWED)
    assert record.ask(NEW, TWO, NOW + 2).pushes is None
    assert not record.could_push()


def test_an_item_that_was_written_before_tokens_were_looked_at_says_nothing_of_one(
    record: SecretRecord, stored: Stored
) -> None:
    word = {"version": OLD, "accepted_version": OLD, "accepted": True, "fresh_until": NOW + 9}
    stored.table.put(f"secret#{given.SECRET}", {**word, "limit": None, "remaining": None, "window": None})

    known = record.ask(OLD, ONE, NOW)

    assert (known.accepted, known.pushes, known.lacks_scope, record.could_push()) == (True, None, False, False)


def test_a_token_that_lacks_a_scope_is_tried_again_soon_for_that_can_be_changed(record: SecretRecord) -> None:
    record.ask(OLD, ONE, NOW)
    record.refused(OLD, ONE, NOW, lacks_scope=True)

    known = record.ask(OLD, TWO, NOW + 1)
    assert (known.may_ask, known.accepted, known.lacks_scope) == (False, False, True)
    assert record.ask(OLD, TWO, NOW + ACCEPTED_FOR + LATER).may_ask


def test_a_refusal_for_a_scope_is_forgotten_with_the_next_answer(record: SecretRecord) -> None:
    record.ask(OLD, ONE, NOW)
    record.refused(OLD, ONE, NOW, lacks_scope=True)
    refuse(record, now=NOW + ACCEPTED_FOR + LATER)

    assert not record.ask(OLD, TWO, NOW + ACCEPTED_FOR + LATER).lacks_scope


def test_who_asks_while_others_are_locked_out_gives_the_turn_back(record: SecretRecord) -> None:
    """A 429 ends the turn of the one that got it."""
    record.ask(OLD, ONE, NOW)
    record.lock_out(NOW + 30)
    record.not_told(ONE)

    assert record.ask(OLD, TWO, NOW + 31 + LATER).may_ask


# Who shares it


def test_the_projects_that_share_the_secret_are_listed_in_order(record: SecretRecord) -> None:
    assert record.users() == ()
    for project in ("orders-api", "invoices", "orders-api"):
        record.add_user(project)

    assert record.users() == ("invoices", "orders-api")


def test_a_stack_with_another_secret_shares_it_with_nobody(record: SecretRecord, stored: Stored) -> None:
    record.add_user(given.PROJECT)

    assert SecretRecord(stored.table, given.OTHER_SECRET).users() == ()


def test_a_lockout_and_the_projects_that_share_the_secret_are_kept_side_by_side(record: SecretRecord) -> None:
    record.lock_out(NOW + 3600)
    record.add_user(given.PROJECT)
    record.lock_out(NOW + 7200)

    assert record.users() == (given.PROJECT,)
    assert record.locked_until(NOW) == SECOND + 7200


# Who edits its policy


def test_a_policy_is_edited_by_one_at_a_time(record: SecretRecord) -> None:
    assert record.begin_edit(ONE, NOW)

    assert not record.begin_edit(TWO, NOW + EDITING)
    record.end_edit(ONE)
    assert record.begin_edit(TWO, NOW)


def test_an_execution_recognises_its_own_edit(record: SecretRecord) -> None:
    assert record.begin_edit(ONE, NOW)
    assert record.begin_edit(ONE, NOW + 5)


def test_an_edit_that_was_never_ended_ends_by_itself(record: SecretRecord) -> None:
    record.begin_edit(ONE, NOW)

    assert record.begin_edit(TWO, NOW + EDITING + LATER)


def test_an_edit_is_ended_only_by_who_has_it(record: SecretRecord) -> None:
    record.begin_edit(ONE, NOW)
    record.begin_edit(TWO, NOW + EDITING + LATER)

    record.end_edit(ONE)

    assert not record.begin_edit(ONE, NOW + EDITING + 2)


def test_another_secrets_policy_is_edited_beside_it(record: SecretRecord, stored: Stored) -> None:
    record.begin_edit(ONE, NOW)

    assert SecretRecord(stored.table, given.OTHER_SECRET).begin_edit(TWO, NOW)


# Errors that are no answers


def test_a_table_that_is_gone_is_an_error_and_no_answer() -> None:
    with mock_aws():
        record = SecretRecord(Table(CLIENT, "gone"), given.SECRET)

        for ask in (
            lambda: record.ask(OLD, ONE, NOW),
            lambda: record.accepted(OLD, ONE, NOW, *ALLOWED),
            lambda: record.refused(OLD, ONE, NOW),
            lambda: record.not_told(ONE),
            lambda: record.lock_out(NOW),
            lambda: record.locked_until(NOW),
            lambda: record.add_user(given.PROJECT),
            record.users,
            lambda: record.begin_edit(ONE, NOW),
            lambda: record.end_edit(ONE),
        ):
            with pytest.raises(ClientError, match="ResourceNotFoundException"):
                ask()


# Who could not read it


def test_roles_that_could_not_read_the_secret_are_known_with_what_it_was_then(record: SecretRecord) -> None:
    record.add_unreadable("orders-build", "one", NOW)
    record.add_unreadable("invoices-build", "one", NOW)
    record.add_unreadable("orders-build", "one", NOW)

    known = record.ask(OLD, ONE, NOW)

    assert (known.unreadable, known.unreadable_as) == (("invoices-build", "orders-build"), "one")


def test_what_was_learned_of_another_version_or_policy_is_not_kept(record: SecretRecord) -> None:
    record.add_unreadable("orders-build", "one", NOW)
    record.add_unreadable("invoices-build", "two", NOW)

    known = record.ask(OLD, ONE, NOW)

    assert (known.unreadable, known.unreadable_as) == (("invoices-build",), "two")


def test_what_was_learned_can_be_forgotten_and_learned_again(record: SecretRecord) -> None:
    record.add_unreadable("orders-build", "one", NOW)
    record.forget_unreadable()
    assert record.ask(OLD, ONE, NOW).unreadable_as == ""

    record.add_unreadable("invoices-build", "one", NOW)

    assert record.ask(OLD, ONE, NOW).unreadable == ("invoices-build",)


def test_what_was_learned_is_believed_for_a_day(record: SecretRecord) -> None:
    record.add_unreadable("orders-build", "one", NOW)
    assert record.ask(OLD, ONE, NOW + UNREADABLE_FOR - LATER).unreadable == ("orders-build",)
    assert record.ask(OLD, ONE, NOW + UNREADABLE_FOR + LATER).unreadable == ()

    record.add_unreadable("invoices-build", "one", NOW + UNREADABLE_FOR + LATER)

    assert record.ask(OLD, ONE, NOW + UNREADABLE_FOR + LATER).unreadable == ("invoices-build",)


def test_what_was_learned_stays_while_docker_hub_is_asked(record: SecretRecord) -> None:
    record.add_unreadable("orders-build", "one", NOW)
    accept(record)

    assert record.ask(OLD, TWO, NOW + 1).unreadable == ("orders-build",)


def test_a_role_that_reads_the_secret_ends_the_row_of_those_that_could_not_and_none_is_forgotten(
    record: SecretRecord,
) -> None:
    for role in ("orders-build", "invoices-build"):
        record.add_unreadable(role, "one", NOW)
    record.end_row("two")
    assert record.ask(OLD, ONE, NOW).in_a_row == ("invoices-build", "orders-build")

    record.end_row("one")
    record.add_unreadable("billing-build", "one", NOW)

    known = record.ask(OLD, ONE, NOW)
    assert known.in_a_row == ("billing-build",)
    assert known.unreadable == ("billing-build", "invoices-build", "orders-build")
