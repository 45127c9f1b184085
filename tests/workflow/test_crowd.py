"""Fifty builds of fifty branches fail within a minute: the project is repaired once, each is run again once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.workflow.account import Account, Json, outcome_of
from tests.workflow.test_waiting import in_order, waits
from tests.workflow.watched import Held

BUILDS = 50
AT_ONCE = 10
"""How many executions run at a time: enough that most of them meet a lease that another one holds."""


def crowd(account: Account, builds: list[Json]) -> list[Any]:
    """The executions of all of these builds; the first holds the project until others wait for it."""
    account.lambda_.patience = 2.0
    held = Held("AttachRolePolicy")
    account.before.append(held.hook)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(account.run, build) for build in builds]
        assert held.reached.wait(20)
        within(20, lambda: account.calls.count("GetDurableExecution") >= 2 * (AT_ONCE - 1))
        held.let_go.set()
        return [run.result(60) for run in runs]


@pytest.mark.slow
def test_fifty_builds_that_fail_together_are_one_repair_and_a_retry_of_each_spread_over_minutes(
    account: Account,
) -> None:
    account.create_project()
    versions = [f"refs/heads/{number}" for number in range(BUILDS)]
    builds = [account.failed_build(sourceVersion=version) for version in versions]
    results = crowd(account, builds)
    outcomes = [outcome_of(result) for result in results]
    assert [outcome["outcome"] for outcome in outcomes] == ["remediated"] * BUILDS
    assert account.asked("UpdateProject", "AttachRolePolicy", "StartBuild") == {
        "UpdateProject": 1,
        "AttachRolePolicy": 1,
        "StartBuild": BUILDS,
    }
    retried = [account.build(outcome["retried_build"].rpartition("/")[2])["sourceVersion"] for outcome in outcomes]
    assert [version.partition("^")[0] for version in retried] == versions
    assert sum(1 for outcome in outcomes if outcome["changes"]) == 1
    assert account.lease() is None
    assert account.journal()["project#orders"]["undone"] == "0"

    waited = [result for result in results if looks_at_the_lease(result) > 1]
    assert len(waited) >= AT_ONCE - 1
    spread = [wait for result in waited for wait in waits(result, "spread")]
    assert len(spread) == len(waited)
    assert len(set(spread)) >= len(spread) * 3 // 4
    assert max(spread) - min(spread) >= 60
    assert all(0 <= wait <= 300 for wait in spread)


def within(seconds: float, happened: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def looks_at_the_lease(result: Any) -> int:
    claim = next(operation for operation in in_order(result) if operation.name == "claim")
    return int(claim.attempt)
