"""Events come twice and builds fail together: each failed build is retried once, each project repaired once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.workflow.account import Account, Json, outcome_of
from tests.workflow.watched import Held, while_the_first_is_held

pytestmark = pytest.mark.slow

FIRST_WRITES = ("TransactWriteItems", "AttachRolePolicy", "UpdateProject")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("operation", FIRST_WRITES)
def test_five_executions_of_one_build_lead_to_one_update_and_one_retry(
    account: Account, operation: str, moment: str
) -> None:
    account.create_project()
    build = account.failed_build()
    held = Held(operation)
    (account.before if moment == "before" else account.after).append(held.hook)
    results = while_the_first_is_held(held, [lambda: account.run(build)] * 5)
    outcomes = sorted(outcome_of(result)["outcome"] for result in results)
    assert outcomes == ["remediated", "skipped", "skipped", "skipped", "skipped"]
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 1}
    assert [b["buildStatus"] for b in account.builds()] == ["FAILED", "SUCCEEDED"]


@pytest.mark.parametrize("operation", FIRST_WRITES)
def test_the_same_event_five_times_starts_one_execution(account: Account, operation: str) -> None:
    account.create_project()
    event = account.event_of(account.failed_build())
    held = Held(operation)
    account.before.append(held.hook)
    started: set[str] = set()
    lock = threading.Lock()

    def deliver() -> Json:
        answer = account.ask(event)
        name = answer["started"].split("/")[-2]
        with lock:
            new = name not in started
            started.add(name)
        return outcome_of(account.execute(name, account.lambda_.started[name])) if new else answer

    while_the_first_is_held(held, [deliver] * 5)
    assert len(account.lambda_.starts) == 5
    assert len(account.lambda_.started) == 1
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 1}
    assert len(account.builds()) == 2


@pytest.mark.parametrize("operation", FIRST_WRITES)
def test_two_failed_builds_of_one_project_lead_to_one_repair_and_a_retry_of_each(
    account: Account, operation: str
) -> None:
    account.create_project()
    account.lambda_.patience = 2.0
    builds = [account.failed_build(sourceVersion=f"refs/heads/{letter}") for letter in "ab"]
    held = Held(operation)
    account.before.append(held.hook)
    runs: list[Callable[[], Any]] = [lambda build=build: account.run(build) for build in builds]  # type: ignore[misc]
    results = while_the_first_is_held(held, runs)
    outcomes = [outcome_of(result) for result in results]
    assert [outcome["outcome"] for outcome in outcomes] == ["remediated", "remediated"]
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 2}
    retried = {account.build(o["retried_build"].rpartition("/")[2])["sourceVersion"] for o in outcomes}
    assert {version.partition("^")[0] for version in retried} == {"refs/heads/a", "refs/heads/b"}
    assert account.lease() is None


def test_two_projects_do_not_wait_for_each_other(account: Account) -> None:
    account.create_project("orders")
    account.create_project("invoices")
    builds = [account.failed_build("orders"), account.failed_build("invoices")]
    held = Held("UpdateProject")
    account.before.append(held.hook)
    finished = threading.Event()

    def second() -> Any:
        result = account.run(builds[1])
        assert not held.let_go.is_set()
        finished.set()
        return result

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(account.run, builds[0])
        assert held.reached.wait(20)
        assert outcome_of(pool.submit(second).result(20))["outcome"] == "remediated"
        held.let_go.set()
        assert outcome_of(first.result(20))["outcome"] == "remediated"
    assert finished.is_set()
