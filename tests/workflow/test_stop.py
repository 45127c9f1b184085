"""The stop switch: from the moment it is on nothing outside the stack is written, whatever already runs."""

from __future__ import annotations

import pytest

from tests.workflow.account import Account
from tests.workflow.test_waiting import limited_build, signed_in_project
from tests.workflow.watched import once

STOP = {"command": "stop", "reason": "something is odd"}


def test_while_it_is_on_nothing_is_written_and_every_failure_is_told_why(account: Account) -> None:
    account.create_project()
    assert account.ask(STOP)["stopped"] is True
    build = account.failed_build()
    outcome = account.remediate(build)
    assert (outcome["outcome"], account.writes()) == ("skipped", [])
    assert "something is odd" in outcome["reason"]
    assert account.entry(build)["outcome"] == "skipped"
    assert "execution" not in account.entry(build)


def test_afterwards_a_person_takes_up_what_failed_meanwhile(account: Account) -> None:
    account.create_project()
    account.ask(STOP)
    build = account.failed_build()
    account.remediate(build)
    refused = account.ask({"command": "remediate", "project": "orders"})
    assert "something is odd" in refused["error"]
    assert account.lambda_.started == {}
    assert account.ask({"command": "resume"}) == {"stopped": False}
    assert account.remediate(build, attempt=2)["outcome"] == "remediated"


@pytest.mark.parametrize(
    ("moment", "ending", "written"),
    [
        ("AttachRolePolicy", "advised", ["AttachRolePolicy"]),
        ("UpdateProject", "patched", ["AttachRolePolicy", "UpdateProject"]),
    ],
)
def test_an_execution_that_runs_already_stops_before_its_next_write(
    account: Account, moment: str, ending: str, written: list[str]
) -> None:
    account.create_project()
    account.after.append(once(moment, lambda: account.ask(STOP)))
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], account.writes()) == (ending, written)
    assert "something is odd" in outcome["reason"]


def test_a_build_that_waits_for_docker_hubs_window_is_not_run_again(account: Account) -> None:
    signed_in_project(account)
    build = limited_build(account)
    account.after.append(once("GetSecretValue", lambda: account.ask(STOP)))
    outcome = account.remediate(build)
    assert account.writes() == []
    assert "something is odd" in outcome["reason"]


def test_plans_are_answered_all_the_same(account: Account) -> None:
    account.create_project()
    account.failed_build()
    account.ask(STOP)
    assert account.ask({"command": "plan", "project": "orders"})["outcome"] == "planned"


def test_a_stop_while_docker_hub_is_asked_keeps_the_role_from_being_granted_anything(account: Account) -> None:
    account.create_project()
    account.after.append(once("GetSecretValue", lambda: account.ask(STOP)))
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], account.writes()) == ("skipped", [])
    assert account.attached() == []
    assert "something is odd" in outcome["reason"]
