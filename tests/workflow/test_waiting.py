"""Causes that no change cures: the project is left alone, and the build is run again when the cause has passed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from local.simulator import PullAnswer
from local.simulator.world import Credentials
from tests.workflow.account import PASSWORD, SECRET, USER, Account, Json, outcome_of
from tests.workflow.commands import inline, no_pulls_left
from tests.workflow.test_credentials import at_once
from tests.workflow.test_guards import LOCKED_OUT, OPEN_TO_STRANGERS, PREFIX, left_alone
from tests.workflow.watched import once

WINDOW = 21_600
ABUSE = f"{PREFIX}Error response from daemon: toomanyrequests: Too Many Requests (HAP429)"
CAUSES = {
    "account-limit": (
        f"{PREFIX}Error response from daemon: toomanyrequests: You have reached your pull rate limit as '{USER}': "
        "dckr_jti_abcdefghij=. You may increase the limit by upgrading. https://www.docker.com/increase-rate-limit"
    ),
    "login-lockout": LOCKED_OUT,
    "abuse-limit": ABUSE,
}


@pytest.fixture(autouse=True)
def _registry(account: Account) -> Iterator[None]:
    """The registry is shared by all tests: its account is as it was after each of these."""
    account.registry.log.clear()
    yield
    account.registry.add_account(USER, PASSWORD, read_only=True)


def signed_in_project(account: Account, name: str = "orders") -> None:
    """A project that was repaired before; its builds carry the secret."""
    account.create_project(name)
    outcome = account.remediate(account.failed_build(name))
    assert outcome["outcome"] == "remediated", outcome
    account.calls.clear()
    account.registry.log.clear()


def says(account: Account, build: Json, message: str) -> Json:
    """The build as if its image had been refused with this message."""
    document = account.simulator._builds.find(build["id"]).document
    document["buildStatus"] = "FAILED"
    for phase in document["phases"]:
        if phase["phaseType"] == "PROVISIONING":
            phase["phaseStatus"] = "FAILED"
            phase["contexts"] = [{"statusCode": "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", "message": message}]
    document["phases"] = [phase for phase in document["phases"] if phase["phaseType"] in _UNTIL_THE_PULL]
    return account.build(build["id"])


_UNTIL_THE_PULL = ("SUBMITTED", "QUEUED", "PROVISIONING", "COMPLETED")


def limited_build(account: Account, project: str = "orders") -> Json:
    """A build that the account's own limit has stopped; the next one is let in."""
    account.world.exhausted.add(USER)
    build = account.failed_build(project)
    account.world.exhausted.clear()
    assert "rate limit as" in str(build["phases"])
    return build


def locked_out_build(account: Account, project: str = "orders") -> Json:
    return says(account, account.failed_build(project), LOCKED_OUT)


def waits(result: Any, name: str) -> list[float]:
    """The seconds of the durable waits of this name, in order."""
    found = [operation for operation in in_order(result) if operation.name == name]
    return [(wait.scheduled_end_timestamp - wait.start_timestamp).total_seconds() for wait in found]


def in_order(result: Any) -> list[Any]:
    return sorted(result.get_all_operations()[1:], key=lambda operation: operation.start_timestamp)


def logins(account: Account) -> list[Json]:
    return [entry for entry in account.registry.log if entry["login"] is not None]


@contextmanager
def locked(account: Account) -> Iterator[None]:
    account.registry.accounts.lock(USER)
    try:
        yield
    finally:
        account.registry.accounts.lock(USER, locked=False)


# The account's own limit


def test_a_build_at_its_accounts_limit_is_run_again_after_the_window_and_nothing_is_changed(account: Account) -> None:
    signed_in_project(account)
    build = limited_build(account)
    before = account.project()
    with no_pulls_left(account):
        result = account.run(build)
    outcome = outcome_of(result)
    assert (outcome["outcome"], outcome["cause"]) == ("remediated", "account-limit"), outcome
    assert account.writes() == ["StartBuild"]
    assert account.project() == before
    (waited,) = waits(result, "window")
    assert WINDOW <= waited <= 1.1 * WINDOW
    assert account.lease() is None


def test_the_outcome_tells_whose_limit_it_was_and_who_shares_it_and_never_the_user_name(account: Account) -> None:
    signed_in_project(account, "invoices")
    signed_in_project(account)
    build = limited_build(account)
    with no_pulls_left(account):
        outcome = account.remediate(build)
    reason = outcome["reason"]
    for told in (account.secret_arn, "200 images", f"{WINDOW} s", "had 0 left", "invoices, orders", "until 20"):
        assert told in reason
    assert USER not in json.dumps([outcome, account.entry(build)])


def test_the_lease_is_free_while_the_window_is_waited_for(account: Account) -> None:
    signed_in_project(account)
    build = limited_build(account)
    held: list[str | None] = []
    account.before.append(once("StartBuild", lambda: held.append(account.lease())))
    with no_pulls_left(account):
        account.remediate(build)
    assert held == [None]


@pytest.mark.parametrize("attempts", [1, 3])
def test_an_account_that_stays_at_its_limit_is_tried_max_attempts_times(account: Account, attempts: int) -> None:
    signed_in_project(account)
    account.world.sleep(3700)
    account.world.exhausted.add(USER)
    build = account.failed_build()
    with no_pulls_left(account):
        result = account.run(build, MAX_ATTEMPTS=str(attempts))
    outcome = outcome_of(result)
    assert outcome["outcome"] == "gave-up", outcome
    assert account.secret_arn in outcome["reason"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert account.writes() == ["StartBuild"] * attempts
    windows = waits(result, "window")
    assert len(windows) == attempts
    assert min(windows) >= WINDOW
    assert len(set(windows)) == attempts
    assert USER not in json.dumps(outcome)


def test_a_limit_of_another_account_is_advised_and_not_waited_for(account: Account) -> None:
    account.create_project()
    build = says(account, account.failed_build(), CAUSES["account-limit"].replace(USER, "somebody"))
    result = account.run(build)
    left_alone(account, outcome_of(result), "advised", "signed in already")
    assert waits(result, "window") == []
    assert logins(account) == []


def test_a_credential_of_another_account_is_advised_and_not_waited_for(account: Account) -> None:
    """The build is signed in, with a secret that is not ours: nothing is read of that account."""
    own = account.boto("secretsmanager").create_secret(Name="own", SecretString="{}")["ARN"]
    account.create_project(
        environment={"registryCredential": {"credential": own, "credentialProvider": "SECRETS_MANAGER"}}
    )
    build = says(account, account.failed_build(), CAUSES["account-limit"])
    result = account.run(build)
    assert outcome_of(result)["outcome"] == "advised"
    assert (account.writes(), waits(result, "window"), logins(account)) == ([], [], [])


def test_an_account_that_has_pulls_left_again_is_told_so_and_the_build_comes_back(account: Account) -> None:
    signed_in_project(account)
    build = limited_build(account)
    account.registry.accounts.set_pulls(USER, 150)
    result = account.run(build)
    outcome = outcome_of(result)
    assert outcome["outcome"] == "remediated", outcome
    assert "had 150 left" in outcome["reason"]
    assert account.writes() == ["StartBuild"]
    assert waits(result, "window")[0] <= 60


def test_pulls_that_were_left_and_did_not_do_are_waited_for_the_next_time(account: Account) -> None:
    signed_in_project(account)
    account.world.exhausted.add(USER)
    build = account.failed_build()
    account.registry.accounts.set_pulls(USER, 1)
    result = account.run(build)
    assert outcome_of(result)["outcome"] == "gave-up"
    first, second, third = waits(result, "window")
    assert first <= 60 < WINDOW <= second <= 1.1 * WINDOW
    assert WINDOW <= third <= 1.1 * WINDOW


def test_an_account_without_a_limit_any_more_is_told_so_and_the_build_comes_back_soon(account: Account) -> None:
    signed_in_project(account)
    result = account.run(limited_build(account))
    outcome = outcome_of(result)
    assert outcome["outcome"] == "remediated", outcome
    assert "reports none for it any more" in outcome["reason"]
    assert "invoices" not in outcome["reason"]
    (waited,) = waits(result, "window")
    assert waited <= 600


def test_asking_for_the_allowance_costs_no_pull(account: Account) -> None:
    signed_in_project(account)
    build = limited_build(account)
    with no_pulls_left(account):
        account.remediate(build)
    assert account.registry.pulls() == []
    assert [entry["method"] for entry in account.registry.log] == ["GET", "HEAD"]


def test_a_build_whose_commands_meet_the_accounts_limit_waits_for_its_window(account: Account) -> None:
    account.agent = account.run_commands()
    account.remediate(inline(account))
    account.calls.clear()
    with no_pulls_left(account):
        build = account.failed_build()
        result = account.run(build, MAX_ATTEMPTS="2")
    outcome = outcome_of(result)
    assert (outcome["outcome"], outcome["cause"]) == ("gave-up", "account-limit"), outcome
    assert account.writes() == ["StartBuild"] * 2
    assert all(WINDOW <= waited <= 1.1 * WINDOW for waited in waits(result, "window"))
    assert USER not in json.dumps(outcome)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("no JSON", "can't be used: it is no JSON object"),
        (json.dumps({**SECRET, "password": "rotated"}), "does not accept"),
    ],
)
def test_a_secret_that_was_rotated_to_something_wrong_is_not_waited_with(
    account: Account, text: str, word: str
) -> None:
    signed_in_project(account)
    build = limited_build(account)
    account.put_secret(text)
    result = account.run(build)
    outcome = outcome_of(result)
    assert (outcome["outcome"], outcome["cause"]) == ("rejected", "account-limit")
    assert word in outcome["reason"]
    assert (account.writes(), waits(result, "window")) == ([], [])


def test_a_secret_that_goes_wrong_while_the_window_is_waited_for_is_no_remediation(account: Account) -> None:
    signed_in_project(account)
    build = limited_build(account)
    wrong = Credentials(USER, "rotated")

    def rotate() -> None:
        account.world.secrets[account.secret_arn] = json.dumps(
            {**SECRET, "username": wrong.username, "password": wrong.password}
        )

    account.before.append(once("StartBuild", rotate))
    with no_pulls_left(account):
        outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "failed in PROVISIONING, before the pull was through" in outcome["reason"]
    assert account.calls.count("StartBuild") == 1


def test_docker_hub_that_does_not_answer_is_asked_for_a_quarter_of_an_hour_and_nothing_is_retried(
    account: Account,
) -> None:
    signed_in_project(account)
    build = limited_build(account)
    account.waits_pass = True
    before = account.world.now()
    outcome = account.remediate(build, DOCKER_HUB_ENDPOINT="http://127.0.0.1:1")
    assert outcome["outcome"] == "gave-up", outcome
    assert "Docker Hub could not be asked about the credentials for 15 minutes" in outcome["reason"]
    assert account.writes() == []
    assert 900 <= account.world.now() - before < 1300


# A lockout


def unlock_at_look(account: Account, number: int) -> None:
    """Docker Hub takes sign-ins again when the secret is read for this time."""
    looks = count(1)

    def look(operation: str) -> None:
        if operation == "GetSecretValue" and next(looks) == number:
            account.registry.accounts.lock(USER, locked=False)

    account.before.append(look)


def word_on_sign_ins(account: Account) -> Json:
    word: Json = account.journal().get(f"secret#{account.secret_arn}", {})
    return word


def test_a_lockout_that_docker_hub_confirms_is_waited_out_with_one_login_after_it_and_then_the_build_comes_back(
    account: Account,
) -> None:
    account.waits_pass = True
    signed_in_project(account)
    build = locked_out_build(account)
    unlock_at_look(account, 2)
    with locked(account):
        result = account.run(build)
    outcome = outcome_of(result)
    assert (outcome["outcome"], outcome["cause"]) == ("remediated", "login-lockout"), outcome
    assert "none was tried until 20" in outcome["reason"]
    assert [entry["status"] for entry in logins(account)] == [429, 200]
    assert account.writes() == ["StartBuild"]
    (waited,) = waits(result, "lockout")
    assert waited >= 3600
    names = [operation.name for operation in in_order(result)]
    assert names.index("lock-out") < names.index("lockout") < names.index("retry")


def test_the_cooldown_is_how_long_a_lockout_is_waited_for(account: Account) -> None:
    account.waits_pass = True
    signed_in_project(account)
    build = locked_out_build(account)
    unlock_at_look(account, 2)
    with locked(account):
        (waited,) = waits(account.run(build, COOLDOWN_MINUTES="240"), "lockout")
    assert 240 * 60 <= waited <= 240 * 60 + 61


def test_a_lockout_that_lasts_is_given_up_after_one_login_for_each_window(account: Account) -> None:
    account.waits_pass = True
    signed_in_project(account)
    build = locked_out_build(account)
    with locked(account):
        result = account.run(build, MAX_ATTEMPTS="2")
    outcome = outcome_of(result)
    assert outcome["outcome"] == "gave-up", outcome
    assert "again and again" in outcome["reason"]
    assert [entry["status"] for entry in logins(account)] == [429, 429]
    assert min(waits(result, "lockout")) >= 3600
    assert account.writes() == []


def test_a_line_that_only_says_so_costs_one_login_and_keeps_nobody_waiting(account: Account) -> None:
    """Anybody who writes a command can print it."""
    signed_in_project(account)
    result = account.run(locked_out_build(account))
    outcome = outcome_of(result)
    assert (outcome["outcome"], outcome["cause"]) == ("remediated", "login-lockout"), outcome
    assert "Docker Hub took one all the same" in outcome["reason"]
    assert [entry["status"] for entry in logins(account)] == [200]
    assert waits(result, "lockout") == []
    assert account.writes() == ["StartBuild"]
    assert "locked_until" not in word_on_sign_ins(account)
    account.create_project("invoices")
    assert account.remediate(account.failed_build("invoices"))["outcome"] == "remediated"


def test_such_lines_of_many_builds_cost_one_login_in_a_window(account: Account) -> None:
    projects = [f"project-{number}" for number in range(4)]
    for project in projects:
        signed_in_project(account, project)
    builds = [locked_out_build(account, project) for project in projects]
    outcomes = at_once(account, builds)
    outcomes += [account.remediate(locked_out_build(account, project), attempt=2) for project in projects]
    assert {outcome["outcome"] for outcome in outcomes} == {"remediated"}, outcomes
    assert len(logins(account)) == 1


def test_a_429_that_does_not_speak_of_failed_logins_locks_nobody_out(account: Account) -> None:
    """Docker Hub gives it to an address that many share, too."""
    signed_in_project(account)
    account.create_project("invoices")
    account.world.sleep(3600)
    build, other = locked_out_build(account), account.failed_build("invoices")
    account.registry.accounts.lock(USER, saying="Too Many Requests (HAP429)")
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "could not be asked" in outcome["reason"]
    assert account.writes() == []
    assert "locked_until" not in word_on_sign_ins(account)
    assert account.remediate(other)["outcome"] == "remediated", "by the earlier proof"


def during_a_lockout(account: Account) -> None:
    """Another project's remediation has asked Docker Hub, which confirmed the lockout, and waits."""
    signed_in_project(account, "invoices")
    build = locked_out_build(account, "invoices")
    with locked(account):
        account.remediate(build)
    account.registry.log.clear()
    account.calls.clear()


def test_another_projects_remediation_does_not_sign_in_during_a_lockout(account: Account) -> None:
    during_a_lockout(account)
    account.create_project()
    outcome = account.remediate(account.failed_build())
    left_until_later(account, outcome)
    assert account.attached() == [account.policy_arn]
    assert "locked sign-ins out" in account.ask({"command": "plan", "project": "orders"})["reason"]


def left_until_later(account: Account, outcome: Json) -> None:
    assert outcome["outcome"] == "gave-up", outcome
    assert "until 20" in outcome["reason"]
    assert "locked" in outcome["reason"]
    assert (account.writes(), account.registry.log) == ([], [])


def test_nobody_asks_for_an_allowance_during_a_lockout(account: Account) -> None:
    """That signs in too."""
    signed_in_project(account)
    build = limited_build(account)
    during_a_lockout(account)
    left_until_later(account, account.remediate(build))


def test_nobody_tries_the_secret_during_a_lockout_to_tell_why_it_was_not_used(account: Account) -> None:
    signed_in_project(account)
    account.throttle(PullAnswer(429))
    build = account.failed_build()
    account.world._pull = account.world._docker_hub
    during_a_lockout(account)
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "carried the credentials already" in outcome["reason"]
    assert (account.writes(), account.registry.log) == ([], [])


def test_after_the_lockout_the_other_project_is_repaired(account: Account) -> None:
    during_a_lockout(account)
    account.create_project()
    build = account.failed_build()
    assert account.remediate(build)["outcome"] == "gave-up"
    account.world.sleep(3700)
    assert account.remediate(build, attempt=2)["outcome"] == "remediated"


def test_a_lockout_of_a_build_that_is_not_signed_in_is_advised(account: Account) -> None:
    account.create_project()
    result = account.run(account.build_that_says(LOCKED_OUT))
    left_alone(account, outcome_of(result), "advised", "locked sign-ins out")
    assert (waits(result, "lockout"), logins(account)) == ([], [])
    assert "locked_until" not in word_on_sign_ins(account)


@pytest.mark.parametrize(
    ("text", "word"),
    [("no JSON", "can't be used"), (json.dumps({**SECRET, "password": "rotated"}), "does not accept")],
)
def test_a_secret_that_goes_wrong_during_the_lockout_is_tried_once_and_the_build_is_not_run_again(
    account: Account, text: str, word: str
) -> None:
    account.waits_pass = True
    signed_in_project(account)
    build = locked_out_build(account)
    account.after.append(once("GetSecretValue", lambda: account.put_secret(text)))
    unlock_at_look(account, 2)
    with locked(account):
        outcome = account.remediate(build)
    assert outcome["outcome"] == "rejected", outcome
    assert word in outcome["reason"]
    assert account.writes() == []
    assert [entry["status"] for entry in logins(account)][1:] in ([], [401])


def test_docker_hub_that_does_not_answer_about_a_lockout_ends_it_without_a_retry(account: Account) -> None:
    account.waits_pass = True
    signed_in_project(account)
    outcome = account.remediate(locked_out_build(account), DOCKER_HUB_ENDPOINT="http://127.0.0.1:1")
    assert outcome["outcome"] == "gave-up", outcome
    assert "could not be asked" in outcome["reason"]
    assert account.writes() == []
    assert "locked_until" not in word_on_sign_ins(account)


# Who a wait is not for


STRANGERS = {
    "public builds": OPEN_TO_STRANGERS["public builds"],
    "pull requests of anybody": OPEN_TO_STRANGERS["pull requests of anybody"],
    "a role that an account may assume": OPEN_TO_STRANGERS["a role that an account may assume"],
}


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("cause", CAUSES)
def test_a_project_that_strangers_could_use_gets_no_wait_no_retry_and_no_login(
    account: Account, cause: str, stranger: str
) -> None:
    signed_in_project(account)
    build = says(account, account.failed_build(), CAUSES[cause])
    change, *_, word = STRANGERS[stranger]
    change(account)
    result = account.run(build)
    outcome = outcome_of(result)
    assert (outcome["outcome"], outcome["cause"]) == ("advised", cause), outcome
    assert "not run again from here" in outcome["reason"]
    assert word in outcome["reason"]
    assert (account.writes(), logins(account)) == ([], [])
    assert {name for name in ("window", "lockout", "back-off") if waits(result, name)} == set()
    assert "locked_until" not in word_on_sign_ins(account)


@pytest.mark.parametrize("cause", CAUSES)
def test_a_project_of_the_owners_people_alone_is_waited_for(account: Account, cause: str) -> None:
    """So that what stands against the others is the stranger."""
    signed_in_project(account)
    build = says(account, account.failed_build(), CAUSES[cause])
    assert account.remediate(build)["outcome"] == "remediated"
    assert account.writes() == ["StartBuild"]


# The abuse limit


@pytest.mark.parametrize("signed_in", [True, False])
def test_the_abuse_limit_is_backed_off_from_twice_as_long_each_time(account: Account, signed_in: bool) -> None:
    if signed_in:
        signed_in_project(account)
    else:
        account.create_project()
    before = account.project()
    account.throttle(PullAnswer(429, "Too Many Requests (HAP429)"))
    build = account.failed_build()
    result = account.run(build)
    outcome = outcome_of(result)
    assert (outcome["outcome"], outcome["cause"]) == ("gave-up", "abuse-limit"), outcome
    assert account.writes() == ["StartBuild"] * 3
    first, second, third = waits(result, "back-off")
    assert 600 <= first <= 1200 <= second <= 2400 <= third <= 4800
    assert any("fewer pulls" in line for line in outcome["advice"])
    assert "abuse limit" in outcome["reason"]
    assert account.project() == before
    assert logins(account) == []


def test_the_abuse_limit_that_has_passed_is_told_with_its_advice(account: Account) -> None:
    signed_in_project(account)
    account.throttle(PullAnswer(429, "Too Many Requests (HAP429)"))
    build = account.failed_build()
    account.world._pull = account.world._docker_hub
    outcome = account.remediate(build)
    assert (outcome["outcome"], outcome["cause"]) == ("remediated", "abuse-limit"), outcome
    assert any("fewer pulls" in line for line in outcome["advice"])
    assert account.writes() == ["StartBuild"]


# Where waiting is not wanted


@pytest.mark.parametrize("settings", [{"RETRY_BUILD": "false"}, {"MODE": "plan"}])
@pytest.mark.parametrize("cause", CAUSES)
def test_where_nothing_is_run_again_intake_advises_at_once(
    account: Account, cause: str, settings: dict[str, str]
) -> None:
    account.create_project()
    account.throttle(PullAnswer(429))
    build = says(account, account.failed_build(), CAUSES[cause])
    event = account.event_of(build)
    outcome = account.ask(event, **settings)
    left_alone(account, outcome, "advised")
    assert outcome["cause"] == cause
    assert outcome["advice"]
    assert account.lambda_.started == {}
    assert account.entry(build)["outcome"] == "advised"
    assert account.ask(event).get("started")


@pytest.mark.parametrize("cause", CAUSES)
def test_a_person_who_wants_no_retry_is_advised_and_nothing_is_waited_for(account: Account, cause: str) -> None:
    signed_in_project(account)
    build = says(account, account.failed_build(), CAUSES[cause])
    result = account.run(build, retry=False)
    assert outcome_of(result)["outcome"] == "advised"
    assert account.writes() == []
    assert [o.name for o in result.get_all_operations() if o.name in ("window", "lockout", "back-off")] == []
