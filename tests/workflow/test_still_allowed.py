"""Between the check and the write: whenever an owner closes a project, or somebody opens it, nothing more is written.

At each call of several paths in turn, right before it. A write is on its way when what tells of the change had been
read for it already; at most that one is still made. Ending what this stack itself started is no such write.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import pytest

from local.registry import Registry
from remediator.records.switch import StopSwitch
from remediator.records.table import Table
from tests.conftest import MOMENTS
from tests.workflow.account import ENVIRONMENT, PASSWORD, USER, WRITES, Account, Json, new_account
from tests.workflow.commands import inline
from tests.workflow.test_batches import failed_batch
from tests.workflow.test_lost_grant import lost
from tests.workflow.test_pipelines import PULL_REQUEST, failed_in_pipeline, started_by
from tests.workflow.test_waiting import limited_build, signed_in_project
from tests.workflow.watched import Killed, once, refused, refusing


def image(account: Account) -> Json:
    account.create_project()
    return account.failed_build()


def command(account: Account) -> Json:
    account.agent = account.run_commands()
    return inline(account)


def webhook(account: Account) -> Json:
    account.simulator.retry_uses = "snapshot"
    account.create_project()
    account.hook()
    return account.failed_build_of("GitHub-Hookshot/e0e1f2a")


def batch(account: Account) -> Json:
    account.simulator.retry_uses = "project"
    return failed_batch(account)[1][0]


def limit(account: Account) -> Json:
    signed_in_project(account)
    return limited_build(account)


PATHS: dict[str, Callable[[Account], Json]] = {
    "image": image,
    "command": command,
    "webhook": webhook,
    "pipeline": failed_in_pipeline,
    "batch": batch,
    "account's limit": limit,
    "lost grant": lost,
}


FIVE = ("image", "command", "webhook", "pipeline", "batch")
ONLY = {"tag": tuple(PATHS), "pipeline": ("pipeline",)}
"""The paths on which a change is made, where that is not FIVE."""
OFF = [{"key": "DockerHubRemediation", "value": "off"}]


def set_tag_to_off(account: Account) -> None:
    account.edit(tags=OFF)


def stop(account: Account) -> None:
    StopSwitch(Table(account.boto("dynamodb"), "journal")).turn("odd", account.world.now(), stopped=True)


def make_public(account: Account) -> None:
    account.plant(projectVisibility="PUBLIC_READ")


def open_webhook(account: Account) -> None:
    account.plant(webhook={"filterGroups": [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED"}]]})


def open_pipeline(account: Account) -> None:
    account.pipelines.change("release", started_by(pullRequest=PULL_REQUEST))


def replace_role(account: Account) -> None:
    account.edit(serviceRole=account.make_role("another-build"))


def open_role(account: Account) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    account.boto("iam").update_assume_role_policy(RoleName="orders-build", PolicyDocument=document)


CHANGES: dict[str, tuple[Callable[[Account], None], str]] = {
    "tag": (set_tag_to_off, "BatchGetProjects"),
    "stop": (stop, "GetItem"),
    "public": (make_public, "BatchGetProjects"),
    "webhook": (open_webhook, "BatchGetProjects"),
    "another role": (replace_role, "BatchGetProjects"),
    "open role": (open_role, "GetRole"),
    "pipeline": (open_pipeline, "GetPipeline"),
}
"""What is done to the project, and the call that tells of it."""


@dataclass
class Seen:
    """What the functions asked from the change on, how it ended, whether the change was still there then, and whether
    anything was written at all."""

    calls: list[str]
    outcome: Json
    lasted: bool
    has_written: bool


def run(registry: Registry, path: str, change: str, number: int) -> Seen:
    """One remediation in an account of its own, with the change right before its call of this number."""
    apply, _ = CHANGES[change]
    with new_account(registry) as account:
        build = PATHS[path](account)
        account.calls.clear()
        begun: list[int] = []

        def at_its_turn(_: str) -> None:
            if len(account.calls) == number and not begun:
                begun.append(number)
                apply(account)

        account.before.append(at_its_turn)
        outcome = account.remediate(build)
        lasted = change != "tag" or account.project()["tags"] == OFF
        return Seen(account.calls[number - 1 :], outcome, lasted, bool(account.writes()))


def written_after(seen: Seen, told_by: str) -> list[str]:
    """What was written after the change, without the one that was on its way, and without ending a retry of ours."""
    writes = [(at, call) for at, call in enumerate(seen.calls) if call in WRITES and call != "StopBuild"]
    on_its_way = writes[:1] if writes and told_by not in seen.calls[: writes[0][0]] else []
    return [call for _, call in writes[len(on_its_way) :]]


@pytest.fixture(autouse=True)
def _environment(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    registry.add_account(USER, PASSWORD, read_only=True)


def drive(registry: Registry, path: str, change: str) -> int:
    """The change right before each call of the path in turn; how many moments that were."""
    for number in count(1):
        seen = run(registry, path, change, number)
        if not seen.calls:
            return number - 1
        if not seen.lasted:  # UpdateProject was on its way and took the new tag with it: the last writer wins
            assert seen.calls[0] == "UpdateProject"
            continue
        told = (path, change, number, seen)
        assert written_after(seen, CHANGES[change][1]) == [], told
        assert not (seen.has_written and "nothing was written" in seen.outcome["reason"]), told
    raise AssertionError


def told(record_property: Callable[[str, object], None], path: str, change: str, moments: int) -> None:
    record_property(MOMENTS, (path, change, moments))
    assert moments > 15


def test_after_its_owner_has_closed_a_project_nothing_is_written(
    registry: Registry, record_property: Callable[[str, object], None]
) -> None:
    told(record_property, "image", "tag", drive(registry, "image", "tag"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "change"),
    [(path, change) for change in CHANGES for path in PATHS if path in ONLY.get(change, FIVE)],
)
def test_whatever_closes_or_opens_a_project_nothing_is_written_after_it(
    registry: Registry, path: str, change: str, record_property: Callable[[str, object], None]
) -> None:
    told(record_property, path, change, drive(registry, path, change))


# A write whose answer was lost: it is made, and may not be made again

GRANTS = {"managed": "AttachRolePolicy", "secret": "PutResourcePolicy", "inline": "PutRolePolicy"}


def lost_after(account: Account, write: str, change: str, mode: str = "managed") -> Json:
    """The outcome where the invocation ends right after this write, and the project is closed or opened then."""
    build = image(account)

    def lose() -> None:
        CHANGES[change][0](account)
        raise Killed(f"after {write}")

    account.after.append(once(write, lose))
    return account.remediate(build, POLICY_MODE=mode)


@pytest.mark.parametrize("change", ["tag", "stop", "open role"])
@pytest.mark.parametrize("mode", GRANTS)
def test_a_grant_whose_answer_was_lost_is_told_with_the_way_to_take_it_back(
    account: Account, mode: str, change: str
) -> None:
    outcome = lost_after(account, GRANTS[mode], change, mode)
    assert account.writes() == [GRANTS[mode]]
    assert (outcome["outcome"], len(outcome["changes"])) == ("advised", 1), outcome
    assert "was let read the secret, and it still may" in outcome["reason"]
    assert "nothing was written" not in outcome["reason"]
    assert any("Take the grant back" in advice for advice in outcome["advice"])


@pytest.mark.parametrize("change", ["tag", "stop", "open role"])
def test_a_patch_whose_answer_was_lost_is_told_with_the_way_to_take_it_back(account: Account, change: str) -> None:
    outcome = lost_after(account, "UpdateProject", change)
    assert account.writes() == ["AttachRolePolicy", "UpdateProject"]
    assert (outcome["outcome"], len(outcome["changes"])) == ("patched", 3), outcome
    assert outcome["reason"].startswith("the project is signed in; the build was not run again")
    assert any("./remediator undo orders" in advice for advice in outcome["advice"])
    assert not any("Take the grant back" in advice for advice in outcome["advice"])


# What allows a retry can't be read, or does not allow another one


@pytest.mark.parametrize(
    ("path", "retry"), [("image", "StartBuild"), ("webhook", "RetryBuild"), ("batch", "RetryBuildBatch")]
)
@pytest.mark.parametrize("read", ["GetRole", "BatchGetProjects", "GetItem"])
def test_a_retry_waits_for_what_allows_it_to_be_read(account: Account, path: str, retry: str, read: str) -> None:
    """For longer than the few tries of a step."""
    build = PATHS[path](account)
    account.waits_pass = True
    begun: list[float] = []

    def throttle(operation: str) -> None:
        if operation == "ListBuildsForProject" and "UpdateProject" in account.calls and not begun:
            begun.append(account.world.now())
        if operation == read and begun and account.world.now() < begun[0] + 1800:
            raise refused(read, "ThrottlingException", "slow down")

    account.before.append(throttle)
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert account.world.now() > begun[0] + 1800
    assert account.asked(retry) == {retry: 1}


@pytest.mark.parametrize("path", ["image", "webhook", "batch"])
def test_where_what_allows_a_retry_may_not_be_read_it_is_told_that_nothing_was_started(
    account: Account, path: str
) -> None:
    build = PATHS[path](account)
    account.after.append(
        once("UpdateProject", lambda: account.before.append(refusing("GetItem", refused("GetItem", "AccessDenied"))))
    )
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert "the build could not be started: whether it still may be can't be read" in outcome["reason"]
    assert account.writes() == ["AttachRolePolicy", "UpdateProject"]


@pytest.mark.parametrize("change", ["tag", "stop"])
def test_a_retry_that_came_too_early_is_told_where_another_one_is_not_allowed(account: Account, change: str) -> None:
    build = image(account)
    account.world.late_reads = 1
    account.after.append(once("StartBuild", lambda: CHANGES[change][0](account)))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert "before that it was run again, and could not read the secret" in outcome["reason"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"] != build["arn"]
    assert any("undo the repair" in advice for advice in outcome["advice"])
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", "StartBuild"]
