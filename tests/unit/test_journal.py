"""The journal's conditions, against moto's DynamoDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from remediator.aws.journal import NOBODY, Claim, Entry, Journal
from remediator.core.failure import BuildArn
from tests.unit import given

TABLE = "journal"
BUILD = given.BUILD_ARN
OTHER_BUILD = BuildArn("aws", given.REGION, given.ACCOUNT, given.PROJECT, "1f8e7d6c-0000-4000-8000-a1b2c3d4e5f6")
OTHER_PROJECT = BuildArn("aws", given.REGION, given.ACCOUNT, "invoices", given.UUID)
ONE, TWO, THREE = "execution-one", "execution-two", "execution-three"
NOW = 1_795_000_200.75
OUTCOME = {"outcome": "skipped", "reason": "because", "project": given.PROJECT}


class Table:
    """The table itself, read past the journal."""

    def __init__(self, client: Any) -> None:
        self.client = client
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )

    def items(self) -> dict[str, dict[str, Any]]:
        items = self.client.scan(TableName=TABLE)["Items"]
        return {item.pop("pk")["S"]: item for item in items}

    def holder(self, key: str) -> str | None:
        item = self.items().get(key)
        return item["execution"]["S"] if item and "execution" in item else None


CLIENT = given.aws("dynamodb")
"""One for all tests: to make one takes longer than a test. moto keeps what each of them does apart."""


@pytest.fixture
def table() -> Iterator[Table]:
    with mock_aws():
        yield Table(CLIENT)


@pytest.fixture
def journal(table: Table) -> Journal:
    return Journal(table.client, TABLE, 30)


BUILD_KEY, LEASE_KEY = f"build#{BUILD.id}", f"lease#{given.PROJECT}"


def test_a_free_build_of_a_free_project_is_claimed(journal: Journal, table: Table) -> None:
    claim = journal.claim(BUILD, ONE, 1, NOW)

    assert claim == Claim()
    assert claim.granted
    assert table.items() == {
        BUILD_KEY: {
            "execution": {"S": ONE},
            "attempt": {"N": "1"},
            "claimed_at": {"N": "1795000200"},
            "expires_at": {"N": str(1_795_000_200 + 30 * 86_400)},
        },
        LEASE_KEY: {"execution": {"S": ONE}, "build": {"S": BUILD.id}},
    }


def test_an_execution_recognises_its_own_claim(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    assert journal.claim(BUILD, ONE, 1, NOW + 5).granted
    assert table.holder(LEASE_KEY) == ONE


def test_another_execution_of_the_same_attempt_gets_neither_build_nor_lease(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    claim = journal.claim(BUILD, TWO, 1, NOW)

    assert claim == Claim(build_held_by=ONE, project_held_by=ONE)
    assert not claim.granted
    assert (table.holder(BUILD_KEY), table.holder(LEASE_KEY)) == (ONE, ONE)


def test_another_build_of_the_project_is_refused_and_leaves_nothing_behind(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    assert journal.claim(OTHER_BUILD, TWO, 1, NOW) == Claim(project_held_by=ONE)
    assert f"build#{OTHER_BUILD.id}" not in table.items()


def test_a_build_that_is_held_is_refused_and_its_free_lease_stays_free(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)
    journal.release(BUILD, ONE)

    assert journal.claim(BUILD, TWO, 1, NOW) == Claim(build_held_by=ONE)
    assert LEASE_KEY not in table.items()


def test_a_build_of_another_project_is_claimed_beside_it(journal: Journal) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    assert journal.claim(OTHER_PROJECT, TWO, 1, NOW).granted


def test_a_later_attempt_takes_the_build_of_an_earlier_one(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)
    journal.release(BUILD, ONE)

    assert journal.claim(BUILD, TWO, 2, NOW).granted
    assert (table.holder(BUILD_KEY), journal.entry(BUILD)) == (TWO, Entry(2, None))


def test_an_earlier_attempt_that_comes_late_is_refused(journal: Journal) -> None:
    journal.claim(BUILD, TWO, 2, NOW)
    journal.release(BUILD, TWO)

    assert journal.claim(BUILD, ONE, 1, NOW) == Claim(build_held_by=TWO)


def test_a_later_attempt_waits_for_the_lease_of_an_earlier_one(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    assert journal.claim(BUILD, TWO, 2, NOW) == Claim(project_held_by=ONE)
    assert table.holder(BUILD_KEY) == ONE


def test_the_lease_of_a_holder_that_no_longer_runs_is_taken_over(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    assert journal.claim(OTHER_BUILD, TWO, 1, NOW, evict=ONE).granted
    assert table.holder(LEASE_KEY) == TWO


def test_only_the_holder_that_was_looked_at_is_evicted(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, THREE, 1, NOW)

    assert journal.claim(OTHER_BUILD, TWO, 1, NOW, evict=ONE) == Claim(project_held_by=THREE)
    assert table.holder(LEASE_KEY) == THREE


def test_a_triaged_build_may_still_be_claimed(journal: Journal, table: Table) -> None:
    journal.record_triage(BUILD, OUTCOME, NOW)

    assert journal.claim(BUILD, ONE, 1, NOW).granted


def test_a_released_project_is_free_and_its_build_stays_claimed(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    journal.release(BUILD, ONE)

    assert table.holder(BUILD_KEY) == ONE
    assert LEASE_KEY not in table.items()


def test_a_lease_that_was_taken_over_is_not_released_by_its_former_holder(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)
    journal.claim(OTHER_BUILD, TWO, 1, NOW, evict=ONE)

    journal.release(BUILD, ONE)

    assert table.holder(LEASE_KEY) == TWO


def test_releasing_twice_is_no_error(journal: Journal) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    journal.release(BUILD, ONE)
    journal.release(BUILD, ONE)


def test_a_repair_and_its_outcome_are_kept_beside_the_claim(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    journal.record_repair(BUILD, {"registryCredential": {"old": "absent", "new": given.SECRET}})
    journal.record_outcome(BUILD, ONE, 1, {**OUTCOME, "outcome": "remediated"}, NOW + 60)

    item = table.items()[BUILD_KEY]
    assert item["execution"] == {"S": ONE}
    assert json.loads(item["repair"]["S"])["registryCredential"]["new"] == given.SECRET
    assert (item["outcome"], item["ended_at"]) == ({"S": "remediated"}, {"N": "1795000260"})
    assert json.loads(item["report"]["S"])["reason"] == "because"
    assert item["expires_at"] == {"N": str(1_795_000_260 + 30 * 86_400)}
    assert journal.entry(BUILD) == Entry(1, "remediated")


def test_an_outcome_that_is_written_twice_is_the_same_entry(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, ONE, 1, NOW)
    journal.record_outcome(BUILD, ONE, 1, OUTCOME, NOW)
    once = table.items()

    journal.record_outcome(BUILD, ONE, 1, OUTCOME, NOW)

    assert table.items() == once


def test_a_triaged_build_is_kept_once(journal: Journal, table: Table) -> None:
    assert journal.record_triage(BUILD, OUTCOME, NOW)
    assert not journal.record_triage(BUILD, {**OUTCOME, "outcome": "advised"}, NOW)
    assert journal.entry(BUILD) == Entry(0, "skipped")


def test_triage_does_not_touch_a_build_that_an_execution_has(journal: Journal) -> None:
    journal.claim(BUILD, ONE, 1, NOW)

    assert not journal.record_triage(BUILD, OUTCOME, NOW)
    assert journal.entry(BUILD) == Entry(1, None)


def test_a_build_that_nobody_saw_has_no_entry(journal: Journal) -> None:
    assert journal.entry(BUILD) is None


def test_a_table_that_is_gone_is_an_error_and_no_answer() -> None:
    with mock_aws():
        journal = Journal(CLIENT, "gone", 30)

        for ask in (
            lambda: journal.claim(BUILD, ONE, 1, NOW),
            lambda: journal.record_triage(BUILD, OUTCOME, NOW),
            lambda: journal.release(BUILD, ONE),
            lambda: journal.entry(BUILD),
        ):
            with pytest.raises(ClientError, match="ResourceNotFoundException"):
                ask()


def cancelled(*reasons: dict[str, Any]) -> Journal:
    client = given.aws("dynamodb")
    stubber = Stubber(client)
    stubber.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": list(reasons)},
    )
    stubber.activate()
    return Journal(client, TABLE, 30)


def test_a_condition_that_failed_without_telling_the_item_is_held_by_somebody() -> None:
    journal = cancelled({"Code": "ConditionalCheckFailed"}, {"Code": "None"})

    assert journal.claim(BUILD, ONE, 1, NOW) == Claim(build_held_by="unknown")


def test_a_transaction_cancelled_for_no_condition_is_no_answer_about_the_holder() -> None:
    journal = cancelled({"Code": "TransactionConflict"}, {"Code": "None"})

    with pytest.raises(ClientError, match="TransactionCanceledException"):
        journal.claim(BUILD, ONE, 1, NOW)


def test_an_earlier_attempts_outcome_does_not_overwrite_a_later_one(journal: Journal, table: Table) -> None:
    journal.claim(BUILD, TWO, 2, NOW)
    journal.record_outcome(BUILD, TWO, 2, {**OUTCOME, "outcome": "remediated"}, NOW)
    before = table.items()

    journal.record_outcome(BUILD, ONE, 1, OUTCOME, NOW + 1)

    assert table.items() == before


def test_the_outcome_of_an_execution_that_never_got_its_claim_takes_its_attempt(journal: Journal) -> None:
    journal.record_outcome(BUILD, ONE, 1, OUTCOME, NOW)

    entry = journal.entry(BUILD)
    assert entry is not None
    assert entry.attempt == 1


DAY = 86_400


def test_a_project_that_is_left_alone_is_held_by_nobody_until_then(journal: Journal, table: Table) -> None:
    journal.leave_alone(BUILD, ONE, NOW + DAY)

    assert journal.claim(OTHER_BUILD, TWO, 1, NOW + DAY - 1) == Claim(project_held_by=NOBODY)
    assert journal.claim(OTHER_BUILD, TWO, 1, NOW + DAY + 1).granted
    assert "expires_at" not in table.items()[f"lease#{given.PROJECT}"]


def test_who_may_go_on_all_the_same_takes_it_from_nobody(journal: Journal) -> None:
    journal.leave_alone(BUILD, ONE, NOW + DAY)

    assert journal.claim(OTHER_BUILD, TWO, 2, NOW, evict=NOBODY).granted


def test_a_lease_of_another_execution_is_not_taken_for_nobody(journal: Journal, table: Table) -> None:
    journal.claim(OTHER_BUILD, TWO, 1, NOW)

    journal.leave_alone(BUILD, ONE, NOW + DAY)

    assert table.holder(f"lease#{given.PROJECT}") == TWO


def test_a_refusal_of_another_kind_is_not_swallowed_when_a_project_is_left_alone(journal: Journal) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        Journal(CLIENT, "no-such-table", 30).leave_alone(BUILD, ONE, NOW)
