"""`remediated` is said only of a build that shows that its credentials were used; the four endings are told apart."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.simulator import PullAnswer
from local.simulator.testing import simulate
from tests.workflow.account import SECRET, USER, Account, Json
from tests.workflow.commands import BUILDSPEC, INLINE, LOCATION, in_repository, inline
from tests.workflow.test_verdicts import commands_fail_in_build
from tests.workflow.watched import once

DOCKER = {"image": "docker:27", "privilegedMode": True}
LUCKY = "nothing in its record or log shows that the credentials were used"


@pytest.fixture(autouse=True)
def _registry(account: Account) -> Iterator[None]:
    """The registry is shared by all tests: it throttles the anonymous and lets the account in again after each."""
    yield
    account.registry.accounts.set_pulls(None, 0)
    account.registry.accounts.lock(USER, locked=False)


def lift_the_anonymous_limit(account: Account) -> None:
    """Another address is met: the anonymous may pull again."""
    account.registry.accounts.set_pulls(None, None)


def log_of(account: Account, build: Json) -> str:
    return "\n".join(account.world.logs[build["logs"]["groupName"], build["logs"]["streamName"]])


# What shows it


def test_an_image_that_was_pulled_with_the_registry_credential_is_a_proof(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "remediated"
    assert f"pulled with the registry credential {account.secret_arn}" in outcome["reason"]
    assert account.world.pulls[-1][1].username == USER  # type: ignore[union-attr]


def test_a_login_that_the_log_shows_as_accepted_is_a_proof(account: Account) -> None:
    account.agent = account.run_commands()
    account.registry.log.clear()
    outcome = account.remediate(inline(account))
    assert outcome["outcome"] == "remediated"
    assert "docker accepted the login of the repair" in outcome["reason"]
    assert "Login Succeeded" in log_of(account, account.builds()[-1])
    assert [pull["account"] for pull in account.registry.pulls() if pull["status"] == 200] == [USER]


# What does not


def test_a_pass_with_docker_auth_config_is_unproven(account: Account) -> None:
    account.agent = account.run_commands()
    outcome = account.remediate(in_repository(account))
    assert outcome["outcome"] == "remediated, unproven"
    assert LUCKY in outcome["reason"]
    assert account.entry(account.builds()[1])["outcome"] == "remediated, unproven"


def test_a_pass_whose_login_was_refused_is_unproven(account: Account) -> None:
    """The login line never fails a build, and the anonymous limit was lifted meanwhile."""
    account.agent = account.run_commands()
    build = inline(account)
    account.before.append(once("StartBuild", lambda: lift_the_anonymous_limit(account)))
    account.before.append(once("StartBuild", lambda: account.registry.accounts.lock(USER)))
    outcome = account.remediate(build)
    retried = account.builds()[-1]
    assert retried["buildStatus"] == "SUCCEEDED"
    assert "Login Succeeded" not in log_of(account, retried)
    assert outcome["outcome"] == "remediated, unproven", outcome
    assert LUCKY in outcome["reason"]


def test_a_pass_whose_secret_was_rotated_to_something_wrong_is_unproven(account: Account) -> None:
    account.agent = account.run_commands()
    build = inline(account)

    def rotate() -> None:
        account.world.secrets[account.secret_arn] = json.dumps({**SECRET, "password": "rotated"})
        lift_the_anonymous_limit(account)

    account.before.append(once("StartBuild", rotate))
    outcome = account.remediate(build)
    assert account.builds()[-1]["buildStatus"] == "SUCCEEDED"
    assert outcome["outcome"] == "remediated, unproven", outcome


def test_a_pass_without_a_log_is_unproven(account: Account) -> None:
    account.agent = account.run_commands()
    build = inline(account)
    quiet = {"cloudWatchLogs": {"status": "DISABLED"}}
    account.before.append(once("StartBuild", lambda: account.plant(logsConfig=quiet)))
    outcome = account.remediate(build)
    assert account.builds()[-1]["buildStatus"] == "SUCCEEDED"
    assert outcome["outcome"] == "remediated, unproven", outcome


def test_a_build_that_got_past_its_pull_without_a_proof_and_failed_by_itself_is_unproven(account: Account) -> None:
    account.agent = account.run_commands()
    build = in_repository(account)

    def break_it() -> None:
        files = account.agent.repositories[LOCATION]
        account.agent.repositories[LOCATION] = {**files, "buildspec.yml": BUILDSPEC + "      - exit 3\n"}

    account.before.append(once("StartBuild", break_it))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated, unproven", outcome
    assert "got past the pull; it then failed in BUILD by itself" in outcome["reason"]


# The four endings


def test_first_ending_it_passed(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], "run again and passed" in outcome["reason"]) == ("remediated", True)
    assert outcome["retried_build"] == account.builds()[-1]["arn"]


@pytest.mark.parametrize("of_command", [False, True])
def test_second_ending_it_got_past_the_pull_and_failed_for_reasons_of_its_own(
    account: Account, of_command: bool
) -> None:
    if of_command:
        account.agent = account.run_commands()
        build = inline(account, INLINE + "      - echo tests && exit 3\n")
    else:
        account._simulate(simulate(account.world, run_commands=commands_fail_in_build)[0])
        account.create_project()
        build = account.failed_build()
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert "got past the pull; it then failed in BUILD by itself" in outcome["reason"]
    assert account.calls.count("StartBuild") == 1
    assert account.builds()[-1]["buildStatus"] == "FAILED"


def test_third_ending_it_was_throttled_in_another_phase_repaired_there_too_and_passed(account: Account) -> None:
    account.agent = account.run_commands()
    account.create_project(environment=DOCKER, source={"type": "NO_SOURCE", "buildspec": INLINE})
    build = account.failed_build()
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert account.asked("AttachRolePolicy", "UpdateProject", "StartBuild") == {
        "AttachRolePolicy": 1,
        "UpdateProject": 2,
        "StartBuild": 2,
    }
    assert [b["buildStatus"] for b in account.builds()] == ["FAILED", "FAILED", "SUCCEEDED"]
    repair = json.loads(account.entry(build)["repair"])
    assert {"registryCredential", "source.buildspec"} <= repair.keys()
    assert any("docker login" in line for line in outcome["changes"])
    assert any("registry credential" in line for line in outcome["changes"])


def test_a_second_phase_is_not_repaired_where_a_build_may_be_retried_once_only(account: Account) -> None:
    account.agent = account.run_commands()
    account.create_project(environment=DOCKER, source={"type": "NO_SOURCE", "buildspec": INLINE})
    outcome = account.remediate(account.failed_build(), MAX_ATTEMPTS="1")
    assert outcome["outcome"] == "gave-up", outcome
    assert "as often as MaxAttempts allows, and throttled in BUILD" in outcome["reason"]
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 1}


def test_fourth_ending_its_image_was_throttled_in_the_same_place(account: Account) -> None:
    account.create_project()
    account.throttle(PullAnswer(429))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "gave-up", outcome
    assert "carried the credentials already and Docker Hub throttled it as anonymous" in outcome["reason"]
    assert "toomanyrequests" in outcome["reason"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert len(outcome["changes"]) == 3
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 1}


def test_fourth_ending_its_commands_were_throttled_in_the_same_place(account: Account) -> None:
    """Its login is refused, and the anonymous are throttled as before."""
    account.agent = account.run_commands()
    build = inline(account)

    def rotate() -> None:
        text = json.dumps({**SECRET, "password": "rotated-4711"})
        account.world.secrets[account.secret_arn] = text
        account.put_secret(text)

    account.before.append(once("StartBuild", rotate))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "commands carried the credentials already" in outcome["reason"]
    assert "does not accept the user name and password of the secret" in outcome["reason"]
    assert "toomanyrequests" in outcome["reason"]
    assert "rotated-4711" not in json.dumps(outcome)
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 1}
