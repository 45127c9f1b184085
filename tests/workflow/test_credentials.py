"""Credentials that are missing, wrong or can't be tried out are never written into a project."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.workflow.account import PASSWORD, USER, Account
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
            self.send_header("Content-Length", "0")
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
    assert given == [status] * 5
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
    assert logins == [("/token", USER)]
    assert PASSWORD not in json.dumps(account.registry.log)
