"""What it means that projects share a service role."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.codebuild.project import Snapshot
from remediator.core.guards.shared_role import MOST_TOLD, listed, shared_with
from remediator.core.outcome import Ending, Outcome
from tests.unit import given

PULL_REQUESTS = {"filterGroups": [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED"}]]}


def neighbour(name: str, **members: Any) -> Snapshot:
    return Snapshot(given.project(name=name, **members))


def test_a_role_of_one_projects_own_needs_no_word() -> None:
    assert shared_with([], given.ROLE_NAME, "advise") == ()


def test_the_projects_that_share_a_role_are_named() -> None:
    told = shared_with([neighbour("invoices"), neighbour("mails")], given.ROLE_NAME, "advise")

    assert told == (
        f"the service role {given.ROLE_NAME} is shared with invoices, mails: their builds can read the credentials too",
    )


@pytest.mark.parametrize("members", [{"projectVisibility": "PUBLIC_READ"}, {"webhook": PULL_REQUESTS}])
def test_strangers_in_a_neighbour_are_strangers_in_the_project(members: dict[str, Any]) -> None:
    told = shared_with([neighbour("invoices"), neighbour("open", **members)], given.ROLE_NAME, "advise")

    assert isinstance(told, Outcome)
    assert told.ending is Ending.ADVISED
    assert "shares with open:" in told.reason
    assert "invoices" not in told.reason
    assert "a service role of its own" in told.advice[0]


def test_the_word_repair_lets_strangers_of_a_neighbour_have_the_credentials_too() -> None:
    told = shared_with([neighbour("open", projectVisibility="PUBLIC_READ")], given.ROLE_NAME, "repair")

    assert isinstance(told, tuple)
    assert "is shared with open" in told[0]


def test_many_projects_are_counted_after_the_first() -> None:
    names = [f"p{number}" for number in range(MOST_TOLD + 5)]

    assert listed(names) == f"{', '.join(names[:MOST_TOLD])} and 5 more"
    assert listed(names[:MOST_TOLD]) == ", ".join(names[:MOST_TOLD])
