"""Credentials that are missing, wrong or can't be tried out are never written into a project."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.workflow.account import PASSWORD, SECRET, USER, Account, Json, outcome_of
from tests.workflow.watched import refused, refusing

MALFORMED = {
    "no JSON": ("hubuser:dckr_pat_right", "JSON"),
    "a list": ('["hubuser", "dckr_pat_right"]', "JSON"),
    "no password": ('{"username": "hubuser", "token": "dckr_pat_right"}', "password"),
    "no user name": ('{"user": "hubuser", "password": "dckr_pat_right"}', "username"),
    "an empty password": ('{"username": "hubuser", "password": ""}', "password"),
    "blanks for a user name": ('{"username": "  ", "password": "dckr_pat_right"}', "username"),
    "a number": ('{"username": "hubuser", "password": 4711}', "password"),
    "null": ('{"username": "hubuser", "password": null}', "password"),
}


@contextmanager
def hub_that_answers(*statuses: int) -> Iterator[tuple[str, list[int]]]:
    """A token endpoint that gives these answers in turn, the last one for ever; yields its address and what it gave."""
    given: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = statuses[min(len(given), len(statuses) - 1)]
            given.append(status)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            body = b'{"token": "t"}' if status == 200 else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            """No headers on a limit: the account has none."""
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", given
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_secret_is_rejected_and_what_is_wrong_with_it_named(account: Account, case: str) -> None:
    text, word = MALFORMED[case]
    account.create_project()
    account.put_secret(text)
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "rejected"
    assert word in outcome["reason"]
    assert account.writes() == []
    told = json.dumps([outcome, account.journal()])
    assert "hubuser" not in told
    assert "dckr_pat_right" not in told


def test_a_secret_that_may_not_be_read_is_rejected_at_once(account: Account) -> None:
    account.create_project()
    denied = refused("GetSecretValue", "AccessDeniedException", "not authorized")
    account.before.append(refusing("GetSecretValue", denied))
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], account.writes()) == ("rejected", [])
    assert account.calls.count("GetSecretValue") == 1


def test_credentials_that_docker_hub_rejects_are_not_used(account: Account) -> None:
    account.create_project()
    account.put_secret(json.dumps({"username": USER, "password": "dckr_pat_wrong"}))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "rejected"
    assert "401" in outcome["reason"]
    assert outcome["cause"] == "anonymous-limit"
    assert "remediate command" in outcome["advice"][0]
    assert account.writes() == []


def test_wrong_credentials_are_tried_once_so_that_no_lockout_comes_of_it(account: Account) -> None:
    account.create_project()
    with hub_that_answers(401) as (url, given):
        account.remediate(account.failed_build(), DOCKER_HUB_ENDPOINT=url)
    assert given == [401]


@pytest.mark.parametrize("status", [503, 403, 302])
def test_an_answer_that_says_nothing_about_the_credentials_ends_with_nothing_written(
    account: Account, status: int
) -> None:
    account.create_project()
    build = account.failed_build()
    with hub_that_answers(status) as (url, given):
        outcome = account.remediate(build, DOCKER_HUB_ENDPOINT=url)
    assert outcome["outcome"] == "gave-up"
    assert "nothing was written" in outcome["reason"]
    assert account.writes() == []
    assert set(given) == {status}
    assert len(given) > 5, "it was waited for, and asked again"
    assert account.entry(build)["outcome"] == "gave-up"


def test_docker_hub_that_is_not_there_ends_with_nothing_written(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build(), DOCKER_HUB_ENDPOINT="http://127.0.0.1:1")
    assert (outcome["outcome"], account.writes()) == ("gave-up", [])


def test_a_passing_trouble_of_docker_hub_is_waited_out(account: Account) -> None:
    account.create_project()
    with hub_that_answers(503, 200) as (url, given):
        outcome = account.remediate(account.failed_build(), DOCKER_HUB_ENDPOINT=url)
    assert outcome["outcome"] == "remediated"
    assert given == [503, 200]


def test_the_right_credentials_are_asked_about_once_and_go_nowhere_else(account: Account) -> None:
    account.create_project()
    asked = len(account.registry.log)
    account.remediate(account.failed_build())
    logins = [(entry["path"].partition("?")[0], entry["login"]) for entry in account.registry.log[asked:]]
    assert logins == [("/token", USER), ("/v2/ratelimitpreview/test/manifests/latest", None), ("/token", USER)]
    assert PASSWORD not in json.dumps(account.registry.log)


# A fleet


def fleet(account: Account, projects: int) -> list[Json]:
    for number in range(projects):
        account.create_project(f"project-{number}", serviceRole=account.make_role(f"build-{number}"))
    return [account.failed_build(f"project-{number}") for number in range(projects)]


def at_once(account: Account, builds: list[Json], **settings: Any) -> list[Json]:
    with ThreadPoolExecutor(len(builds)) as pool:
        return [outcome_of(result) for result in pool.map(lambda build: account.run(build, **settings), builds)]


def test_a_fleet_that_fails_at_once_tries_a_wrong_password_once(account: Account) -> None:
    builds = fleet(account, 6)
    with hub_that_answers(401) as (url, given):
        outcomes = at_once(account, builds, DOCKER_HUB_ENDPOINT=url)
    assert given == [401]
    assert {outcome["outcome"] for outcome in outcomes} == {"rejected"}
    assert account.writes() == []


def test_a_fleet_that_fails_at_once_asks_once_about_good_credentials_too(account: Account) -> None:
    builds = fleet(account, 4)
    with hub_that_answers(200) as (url, given):
        outcomes = at_once(account, builds, DOCKER_HUB_ENDPOINT=url)
    assert given == [200]
    assert {outcome["outcome"] for outcome in outcomes} == {"remediated"}


def test_a_rotated_secret_is_tried_at_once_and_the_one_before_is_forgotten(account: Account) -> None:
    account.create_project()
    account.put_secret(json.dumps({**SECRET, "password": "wrong"}))
    build = account.failed_build()
    refusal = account.remediate(build)
    assert refusal["outcome"] == "rejected"
    assert "a new version of the secret is tried at once" in refusal["advice"][1]
    account.put_secret(json.dumps(SECRET))
    assert account.remediate(build, attempt=2)["outcome"] == "remediated"


def test_a_wrong_password_is_tried_again_after_a_while(account: Account) -> None:
    account.create_project()
    with hub_that_answers(401, 200) as (url, given):
        account.remediate(account.failed_build(), DOCKER_HUB_ENDPOINT=url)
        account.remediate(account.failed_build(), DOCKER_HUB_ENDPOINT=url)
        assert given == [401]
        account.world.sleep(3601)
        assert account.remediate(account.failed_build(), DOCKER_HUB_ENDPOINT=url)["outcome"] == "remediated"
    assert given == [401, 200]


# An account with a limit of its own


def test_an_account_with_a_pull_limit_is_advised_with_the_figure_and_the_ways_out(account: Account) -> None:
    account.create_project()
    account.registry.accounts.set_pulls(USER, 150)
    try:
        build = account.failed_build()
        outcome = account.remediate(build)
        allowed = account.remediate(build, attempt=2, ALLOW_LIMITED_ACCOUNT="true")
    finally:
        account.registry.accounts.set_pulls(USER, None)
    assert outcome["outcome"] == "advised"
    assert "200 images in 21600 s and has 150 left" in outcome["reason"]
    assert any("AllowLimitedAccount=true" in advice for advice in outcome["advice"])
    assert allowed["outcome"] == "remediated"


# What the token may do

COULD_PUSH = "can also push to Docker Hub"


def says_that_it_could_push(outcome: Json) -> bool:
    return any(COULD_PUSH in advice and "Public Repo Read-only" in advice for advice in outcome["advice"])


def test_a_token_that_could_push_is_used_and_each_outcome_and_plan_says_so(account: Account) -> None:
    account.create_project()
    account.create_project("invoices")
    account.registry.add_account(USER, PASSWORD)
    assert says_that_it_could_push(account.remediate(account.failed_build()))
    account.world.sleep(3600)
    planned = account.remediate(account.failed_build("invoices"), MODE="plan")
    assert (planned["outcome"], says_that_it_could_push(planned)) == ("planned", True)
    answer = account.ask({"command": "plan", "project": "invoices"})
    assert (answer["outcome"], says_that_it_could_push(answer)) == ("planned", True)
    assert COULD_PUSH not in answer["reason"]


def test_a_token_that_could_push_repairs_nothing_where_that_is_refused(account: Account) -> None:
    account.create_project()
    account.registry.add_account(USER, PASSWORD)
    outcome = account.remediate(account.failed_build(), WRITABLE_TOKEN="refuse")
    assert (outcome["outcome"], outcome["cause"], account.writes()) == ("advised", "anonymous-limit", []), outcome
    assert COULD_PUSH in outcome["reason"]
    assert "Public Repo Read-only" in outcome["advice"][0]
    answer = account.ask({"command": "plan", "project": "orders"}, WRITABLE_TOKEN="refuse")
    assert f"held back right now: the token in the secret {COULD_PUSH}" in answer["reason"]


@pytest.mark.parametrize("setting", ["warn", "refuse"])
def test_a_read_only_token_repairs_and_nothing_is_said_of_it(account: Account, setting: str) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build(), WRITABLE_TOKEN=setting)
    answer = account.ask({"command": "plan", "project": "orders"}, WRITABLE_TOKEN=setting)
    assert outcome["outcome"] == "remediated", outcome
    assert COULD_PUSH not in json.dumps([outcome, answer])


@pytest.mark.parametrize("setting", ["warn", "refuse"])
def test_a_token_of_which_docker_hub_shows_nothing_repairs_and_nothing_is_said_of_it(
    account: Account, setting: str
) -> None:
    account.create_project()
    build = account.failed_build()
    with hub_that_answers(200) as (url, given):
        outcome = account.remediate(build, DOCKER_HUB_ENDPOINT=url, WRITABLE_TOKEN=setting)
    assert outcome["outcome"] == "remediated", outcome
    assert COULD_PUSH not in json.dumps(outcome)
    assert given == [200]


def test_an_organizations_token_that_may_not_read_public_repositories_is_rejected_with_that_scope(
    account: Account,
) -> None:
    account.create_project()
    build = account.failed_build()
    account.registry.add_account(USER, PASSWORD, chosen_only=True)
    outcome = account.remediate(build)
    assert (outcome["outcome"], account.writes()) == ("rejected", []), outcome
    assert "read public repositories" in outcome["reason"]
    account.registry.add_account(USER, PASSWORD, read_only=True)
    account.world.sleep(301)
    assert account.remediate(build, attempt=2)["outcome"] == "remediated", "once it may"


# A Docker Hub that can't be asked


def test_a_secret_that_was_accepted_before_is_used_while_docker_hub_can_not_be_asked(account: Account) -> None:
    account.create_project()
    account.create_project("invoices")
    account.remediate(account.failed_build())
    account.world.sleep(3600)
    outcome = account.remediate(account.failed_build("invoices"), DOCKER_HUB_ENDPOINT="http://127.0.0.1:1")
    assert outcome["outcome"] == "remediated"
    assert any("accepted this version of the secret before" in advice for advice in outcome["advice"])


@pytest.mark.parametrize("why", ["the parameter says so", "it is another version"])
def test_it_is_waited_for_docker_hub_and_nothing_written_where(account: Account, why: str) -> None:
    account.create_project()
    account.create_project("invoices")
    account.remediate(account.failed_build())
    account.world.sleep(3600)
    account.calls.clear()
    if why == "it is another version":
        account.put_secret(json.dumps({**SECRET, "note": "rotated"}))
    unreachable = "wait" if why == "the parameter says so" else "accepted-before"
    outcome = account.remediate(
        account.failed_build("invoices"),
        DOCKER_HUB_ENDPOINT="http://127.0.0.1:1",
        DOCKER_HUB_UNREACHABLE=unreachable,
    )
    assert (outcome["outcome"], account.writes()) == ("gave-up", [])
