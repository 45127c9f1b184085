"""A role goes by its name, however a project writes it, and it is one for all regions."""

from __future__ import annotations

import json

import pytest

from local.simulator import CodeBuild as Simulator
from local.simulator.testing import FakeWorld, simulate
from tests.workflow.account import ACCOUNT, OWNER, Account, Json
from tests.workflow.test_policy_modes import roles_in
from tests.workflow.watched import once, refused

ELSEWHERE = "us-east-1"
SPELLINGS = ["orders-build", f"arn:aws:iam::{ACCOUNT}:role/orders-build"]
"""Of a role whose ARN has a path."""


def called(account: Account, project_role: str, build_role: str = "") -> Json:
    """A throttled build of a project; both call their role like this."""
    account.create_project()
    build = account.failed_build()
    account.plant(serviceRole=project_role)
    if build_role:
        account.simulator._builds.find(build["id"]).document["serviceRole"] = build_role
    return build


@pytest.mark.parametrize("mode", ["managed", "inline", "secret"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_role_that_is_written_without_its_path_is_granted_by_its_real_name(
    account: Account, spelling: str, mode: str
) -> None:
    outcome = account.remediate(called(account, spelling), POLICY_MODE=mode)
    assert outcome["outcome"] == "remediated", outcome
    if mode == "secret":
        assert roles_in(account) == [account.role_arn]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_build_that_writes_the_role_of_its_project_in_another_way_had_no_other_role(
    account: Account, spelling: str
) -> None:
    assert account.remediate(called(account, account.role_arn, spelling))["outcome"] == "remediated"


def test_a_name_of_another_role_is_another_role(account: Account) -> None:
    account.make_role("other-build")
    outcome = account.remediate(called(account, "orders-build", "other-build"))
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "ran with the service role other-build, the project has orders-build" in outcome["reason"]


def test_the_advice_on_a_key_names_the_role_as_iam_does(account: Account) -> None:
    """With the grant left to a person: the statement that is pasted needs the real ARN."""
    outcome = account.remediate(called(account, "orders-build"), POLICY_MODE="none")
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "--role-name orders-build" in outcome["advice"][0]


def test_a_project_with_the_functions_own_role_is_left_alone_whatever_it_calls_that(account: Account) -> None:
    outcome = account.remediate(called(account, "orders-build"), OWN_ROLE=account.role_arn)
    assert (outcome["outcome"], account.writes()) == ("skipped", [])
    assert "never acts on itself" in outcome["reason"]


# Projects of other regions


def elsewhere(account: Account, name: str = "orders", *, is_open: bool = False, region: str = ELSEWHERE) -> Simulator:
    """A project with the same role in another region."""
    world = FakeWorld()
    world.region = region
    there = account.elsewhere.setdefault(region, simulate(world)[0])
    project = {**account.project(), "name": name, "description": "elsewhere"}
    members = ("name", "source", "artifacts", "environment", "serviceRole", "description")
    there.call("CreateProject", {member: project[member] for member in members}, OWNER)
    if is_open:
        there.plant_project({**there.project(name), "projectVisibility": "PUBLIC_READ"})
    return there


def test_a_role_that_an_open_project_of_another_region_has_is_granted_nothing(account: Account) -> None:
    account.create_project()
    elsewhere(account, is_open=True)
    build = account.failed_build()
    outcome = account.remediate(build, ROLE_REGIONS=ELSEWHERE)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "shares with orders in us-east-1:" in outcome["reason"]
    assert account.remediate(build, attempt=2, ROLE_REGIONS=ELSEWHERE, MODE="plan")["outcome"] == "advised"


def test_projects_of_other_regions_that_share_the_role_are_told_with_their_region(account: Account) -> None:
    account.create_project()
    elsewhere(account, "billing")
    elsewhere(account, "mails", region="eu-north-1")
    outcome = account.remediate(account.failed_build(), ROLE_REGIONS=f"{ELSEWHERE},eu-north-1")
    assert outcome["outcome"] == "remediated"
    (told,) = [advice for advice in outcome["advice"] if "is shared with" in advice]
    assert "is shared with billing in us-east-1, mails in eu-north-1:" in told


def test_without_the_parameter_only_projects_of_this_region_are_read(account: Account) -> None:
    account.create_project()
    there = elsewhere(account, is_open=True)
    before = len(there.calls)
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    assert len(there.calls) == before


def test_a_region_that_can_not_be_read_ends_it_and_holds_nobody_up(account: Account) -> None:
    account.create_project()
    elsewhere(account)
    denied = refused("ListProjects", "AccessDeniedException", "not authorized in us-east-1")
    asked = [0]

    def deny(operation: str) -> None:
        asked[0] += operation == "ListProjects"
        if operation == "ListProjects" and asked[0] == 2:
            raise denied

    account.before.append(deny)
    build = account.failed_build()
    outcome = account.remediate(build, ROLE_REGIONS=ELSEWHERE)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "the projects in us-east-1 can't be read: not authorized in us-east-1" in outcome["reason"]
    assert account.remediate(build, attempt=2, ROLE_REGIONS=ELSEWHERE)["outcome"] == "remediated"


def test_a_region_that_can_no_longer_be_read_after_the_grant_is_told_with_the_way_to_take_it_back(
    account: Account,
) -> None:
    account.create_project()
    elsewhere(account)
    account.waits_pass = True  # what was read before the grant is too old after it
    account.before.append(once("ListProjects", lambda: _raise(refused("ListProjects", "AccessDeniedException")), at=4))
    outcome = account.remediate(account.failed_build(), ROLE_REGIONS=ELSEWHERE, SETTLE_SECONDS="200")
    assert (outcome["outcome"], account.writes()) == ("advised", ["AttachRolePolicy"])
    assert "the projects in us-east-1 can't be read" in outcome["reason"]
    assert "it still may" in outcome["reason"]
    assert "nothing was written" not in outcome["reason"]
    assert any("Take the grant back" in advice for advice in outcome["advice"])


def _raise(error: Exception) -> None:
    raise error


def test_a_wave_reads_the_other_regions_once(account: Account) -> None:
    account.create_project("first")
    account.create_project(serviceRole=account.make_role("another-build"))
    elsewhere(account)
    account.remediate(account.failed_build("first"), ROLE_REGIONS=ELSEWHERE)
    assert account.asked("ListProjects", "BatchGetProjects")["ListProjects"] == 2
    account.calls.clear()
    assert account.remediate(account.failed_build(), ROLE_REGIONS=ELSEWHERE)["outcome"] == "remediated"
    assert "ListProjects" not in account.calls


def test_the_journal_of_the_roles_tells_projects_of_two_regions_apart(account: Account) -> None:
    account.create_project()
    elsewhere(account)
    account.remediate(account.failed_build(), ROLE_REGIONS=ELSEWHERE)
    (users,) = json.loads(account.journal()["roles"]["users"]).values()
    assert users[:2] == [2, ["orders", "orders in us-east-1"]]
