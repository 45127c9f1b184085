"""What it means that projects share a service role."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.codebuild.project import Snapshot
from remediator.core.guards.shared_role import (
    MOST_TOLD,
    RoleUsers,
    listed,
    region_unreadable,
    shared_with,
    users_of_roles,
)
from remediator.core.guards.strangers import Untrusted
from remediator.core.outcome import Ending, Outcome
from tests.unit import given

PULL_REQUESTS = {"filterGroups": [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED"}]]}


def neighbour(name: str, **members: Any) -> Snapshot:
    return Snapshot(given.project(name=name, **members))


def told_of(*neighbours: Snapshot, untrusted: Untrusted = "advise") -> str | Outcome:
    """What is said of the project's own role."""
    users = users_of_roles([Snapshot(given.project()), *neighbours])
    return shared_with(users, given.ROLE_NAME, given.PROJECT, untrusted)


def test_a_role_of_one_projects_own_needs_no_word() -> None:
    assert told_of() == ""
    assert users_of_roles([Snapshot(given.project())]) == {}


def test_a_project_that_was_given_the_role_of_an_open_one_after_all_were_read_is_refused_all_the_same() -> None:
    users = users_of_roles([neighbour("open", projectVisibility="PUBLIC_READ")])

    refused = shared_with(users, given.ROLE_NAME, given.PROJECT, "advise")

    assert isinstance(refused, Outcome)
    assert "shares with open:" in refused.reason
    assert "is shared with open:" in str(shared_with(users, given.ROLE_NAME, given.PROJECT, "repair"))


def test_an_open_project_shares_its_own_role_with_nobody() -> None:
    users = users_of_roles([Snapshot(given.project(projectVisibility="PUBLIC_READ"))])

    assert shared_with(users, given.ROLE_NAME, given.PROJECT, "repair") == ""


@pytest.mark.parametrize("role", ["arn:aws:iam::123456789012:role/another/role", "another-role"])
def test_a_role_of_another_name_is_not_shared(role: str) -> None:
    assert told_of(neighbour("invoices", serviceRole=role)) == ""


def test_another_accounts_role_of_the_same_name_is_another_role() -> None:
    elsewhere = given.ROLE.replace(given.ACCOUNT, "999999999999")

    assert told_of(neighbour("invoices", serviceRole=elsewhere, projectVisibility="PUBLIC_READ")) == ""


@pytest.mark.parametrize(
    "role", [given.ROLE_NAME, f"arn:aws:iam::123456789012:role/{given.ROLE_NAME}", given.ROLE_NAME.upper()]
)
def test_a_role_is_told_by_its_name_however_a_project_writes_it(role: str) -> None:
    assert "is shared with invoices" in str(told_of(neighbour("invoices", serviceRole=role)))


def test_projects_of_other_regions_are_told_with_their_region_and_are_not_those_of_that_name_here() -> None:
    elsewhere = f"arn:aws:codebuild:us-east-1:{given.ACCOUNT}:project/{given.PROJECT}"
    projects = [Snapshot(given.project()), neighbour(given.PROJECT, arn=elsewhere, projectVisibility="PUBLIC_READ")]

    refused = shared_with(users_of_roles(projects, given.REGION), given.ROLE_NAME, given.PROJECT, "advise")

    assert isinstance(refused, Outcome)
    assert f"shares with {given.PROJECT} in us-east-1:" in refused.reason


def test_a_region_whose_projects_can_not_be_read_ends_with_its_name_and_what_to_do() -> None:
    refused = region_unreadable("build-role", "us-east-1", "AWS says no")

    assert refused.ending is Ending.ADVISED
    assert "build-role" in refused.reason
    assert "the projects in us-east-1 can't be read: AWS says no" in refused.reason
    assert "RoleRegions" in refused.advice[0]


def test_the_projects_that_share_a_role_are_named() -> None:
    assert told_of(neighbour("invoices"), neighbour("mails")) == (
        f"the service role {given.ROLE_NAME} is shared with invoices, mails: once it may read the credentials, "
        "their builds can too"
    )


@pytest.mark.parametrize("members", [{"projectVisibility": "PUBLIC_READ"}, {"webhook": PULL_REQUESTS}])
def test_strangers_in_a_neighbour_are_strangers_in_the_project(members: dict[str, Any]) -> None:
    told = told_of(neighbour("invoices"), neighbour("open", **members))

    assert isinstance(told, Outcome)
    assert told.ending is Ending.ADVISED
    assert "shares with open:" in told.reason
    assert "invoices" not in told.reason
    assert "a service role of its own" in told.advice[0]


def test_the_word_repair_lets_strangers_of_a_neighbour_have_the_credentials_too() -> None:
    told = told_of(neighbour("open", projectVisibility="PUBLIC_READ"), untrusted="repair")

    assert isinstance(told, str)
    assert "is shared with open" in told


def test_of_many_users_some_names_are_kept_and_all_are_counted() -> None:
    others = [neighbour(f"p{number}", projectVisibility="PUBLIC_READ") for number in range(MOST_TOLD + 5)]

    users = users_of_roles([Snapshot(given.project()), *others])

    assert users == {
        given.ROLE_NAME: RoleUsers(
            count=MOST_TOLD + 6,
            names=[given.PROJECT, *(f"p{number}" for number in range(MOST_TOLD))],
            open_count=MOST_TOLD + 5,
            open_names=[f"p{number}" for number in range(MOST_TOLD + 1)],
        )
    }
    told = shared_with(users, given.ROLE_NAME, "p0", "advise")
    assert isinstance(told, Outcome)
    assert "p0," not in told.reason
    assert "and 4 more" in told.reason
    assert "and 5 more" in str(shared_with(users, given.ROLE_NAME, given.PROJECT, "repair"))


def test_many_projects_are_counted_after_the_first() -> None:
    names = [f"p{number}" for number in range(MOST_TOLD + 5)]

    assert listed(names) == f"{', '.join(names[:MOST_TOLD])} and 5 more"
    assert listed(names[:MOST_TOLD]) == ", ".join(names[:MOST_TOLD])
