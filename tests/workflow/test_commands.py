"""What people ask Intake by hand: a plan, a remediation, and what they get for a slip of the pen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflow.account import Account, Json, outcome_of
from tests.workflow.test_no_loop import dies_after_its_retry


def test_plan_shows_what_the_remediation_then_changes_and_writes_nothing(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    before = account.project()
    answer = account.ask({"command": "plan", "project": "orders"})
    assert answer["outcome"] == "planned"
    assert (answer["project"], answer["cause"]) == ("orders", "anonymous-limit")
    assert account.calls == ["BatchGetProjects", "ListBuildsForProject", "BatchGetBuilds"]
    assert account.project() == before
    assert account.journal() == {}
    assert account.lambda_.started == {}
    assert account.remediate(build)["changes"] == answer["changes"]


def test_plan_says_no_where_the_remediation_would(account: Account) -> None:
    account.create_project()
    account.plant(projectVisibility="PUBLIC_READ")
    build = account.failed_build()
    answer = account.ask({"command": "plan", "project": "orders"})
    outcome = account.remediate(build)
    assert (answer["outcome"], answer["reason"]) == (outcome["outcome"], outcome["reason"])


def test_plan_of_a_project_without_a_failed_build_shows_what_is_missing(account: Account) -> None:
    account.create_project()
    answer = account.ask({"command": "plan", "project": "orders"})
    assert answer["outcome"] == "planned"
    assert len(answer["changes"]) == 3


def test_plan_of_another_registrys_image_is_skipped(account: Account) -> None:
    account.create_project(environment={"image": "ghcr.io/example/tool:1"})
    assert account.ask({"command": "plan", "project": "orders"})["outcome"] == "skipped"


def test_remediate_starts_an_execution_and_says_how_to_see_its_outcome(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    answer = account.ask({"command": "remediate", "project": "orders"})
    # The first attempt is the rules' own.
    name = f"{build['id'].partition(':')[2]}-2"
    assert answer["execution"] == name
    assert answer["build"] == build["arn"]
    assert f"/durable-execution/{name}/" in answer["show_outcome"]
    assert account.lambda_.started == {name: build["arn"]}
    assert account.writes() == []
    assert outcome_of(account.execute(name, account.lambda_.started[name]))["outcome"] == "remediated"


def test_remediate_again_is_the_next_attempt_and_may_claim_the_build(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.remediate(build, MODE="plan")
    answer = account.ask({"command": "remediate", "project": "orders"})
    name = f"{build['id'].partition(':')[2]}-2"
    assert answer["execution"] == name
    assert outcome_of(account.execute(name, account.lambda_.started[name]))["outcome"] == "remediated"
    assert account.entry(build)["attempt"] == "2"


def test_an_earlier_attempt_may_not_claim_what_a_later_one_has(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.remediate(build, attempt=2)
    assert account.remediate(build, attempt=1)["outcome"] == "skipped"
    assert account.calls.count("StartBuild") == 1


def test_remediate_after_an_execution_has_died_is_a_new_attempt_which_starts_nothing_twice(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.ask(account.event_of(build))
    (first,) = account.lambda_.started
    dies_after_its_retry(account, build)
    account.world.finish()
    answer = account.ask({"command": "remediate", "project": "orders"})
    assert list(account.lambda_.started) == [first, answer["execution"]]
    outcome = outcome_of(account.execute(answer["execution"], account.lambda_.started[answer["execution"]]))
    assert outcome["outcome"] == "patched", outcome
    assert "superseded by" in outcome["reason"]
    assert account.entry(build)["attempt"] == "2"
    assert len(account.builds()) == 2


@pytest.mark.parametrize("retry", [True, False])
def test_the_persons_word_on_the_retry_is_carried_through(account: Account, retry: bool) -> None:
    account.create_project()
    account.failed_build()
    account.ask({"command": "remediate", "project": "orders", "retry": retry})
    ((name, payload),) = account.lambda_.started.items()
    outcome = outcome_of(account.execute(name, payload))
    assert outcome["outcome"] == ("remediated" if retry else "patched")
    assert account.calls.count("StartBuild") == int(retry)


def test_remediate_takes_the_newest_failed_build(account: Account) -> None:
    account.create_project()
    account.failed_build()
    newest = account.failed_build()
    account.edit(environment={"image": "ghcr.io/example/tool:1"})
    assert account.failed_build()["buildStatus"] == "SUCCEEDED"
    assert account.ask({"command": "remediate", "project": "orders"})["build"] == newest["arn"]


BAD: dict[str, tuple[Any, str, str]] = {
    "no object": ("orders", "event", "orders"),
    "nothing": (None, "event", "nothing"),
    "a list": ([], "event", "[]"),
    "an event of another service": ({"source": "aws.ec2", "detail": {}}, "source", "aws.ec2"),
    "an event of another kind": (
        {"source": "aws.codebuild", "detail-type": "CodeBuild Build Phase Change", "detail": {}},
        "detail-type",
        "CodeBuild Build Phase Change",
    ),
    "an event without a build": (
        {"source": "aws.codebuild", "detail-type": "CodeBuild Build State Change", "detail": {}},
        "detail.build-id",
        "nothing",
    ),
    "an unknown command": ({"command": "rollbak", "project": "orders"}, "command", "rollbak"),
    "a command of the wrong type": ({"command": ["plan"]}, "command", "plan"),
    "no project": ({"command": "plan"}, "project", "nothing"),
    "a project of the wrong type": ({"command": "plan", "project": 7}, "project", "7"),
    "a project with a strange name": ({"command": "plan", "project": "../x"}, "project", "../x"),
    "no such project": ({"command": "remediate", "project": "ordres"}, "project", "ordres"),
    "a project without a failed build": ({"command": "remediate", "project": "fresh"}, "project", "fresh"),
    "a retry of the wrong type": (
        {"command": "remediate", "project": "orders", "retry": "no"},
        "retry",
        "no",
    ),
    "an unknown field": ({"command": "plan", "project": "orders", "retry": False}, "retry", "False"),
    "a misspelt field": ({"command": "remediate", "project": "orders", "rerty": False}, "rerty", "False"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_the_field_the_value_and_what_is_allowed(account: Account, case: str) -> None:
    event, field, value = BAD[case]
    account.create_project()
    account.create_project("fresh")
    account.failed_build()
    answer: Json = account.ask(event)
    assert answer["field"] == field
    assert value in answer["value"]
    assert answer["allowed"]
    assert field in answer["error"]
    assert account.writes() == []
    assert account.lambda_.started == {}
    assert account.journal() == {}


@pytest.mark.parametrize("command", ["plan", "remediate"])
def test_a_command_for_a_project_outside_the_pattern_is_refused(account: Account, command: str) -> None:
    account.create_project()
    account.failed_build()
    answer = account.ask({"command": command, "project": "orders"}, PROJECT_NAME_PATTERN="team-*")
    assert (answer["field"], "team-*" in answer["allowed"]) == ("project", True)
    assert account.calls == []


def test_an_event_of_a_build_that_passed_is_refused(account: Account) -> None:
    account.create_project(environment={"image": "ghcr.io/example/tool:1"})
    answer = account.ask(account.event_of(account.failed_build()))
    assert answer["field"] == "detail.build-status"
    assert account.calls == []


def test_an_event_that_comes_again_is_told_once(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.world.others_throttled = True
    account.create_project(environment={"image": "public.ecr.aws/docker/library/python:3.12"})
    event = account.event_of(account.failed_build())
    answers = [account.ask(event) for _ in range(3)]
    assert [answer["outcome"] for answer in answers] == ["skipped"] * 3
    assert capsys.readouterr().out.count('"message":"outcome"') == 1


def test_a_wrong_setting_fails_intake_instead_of_swallowing_events(account: Account) -> None:
    account.create_project()
    event = account.event_of(account.failed_build())
    with pytest.raises(ValueError, match="SETTLE_SECONDS"):
        account.ask(event, SETTLE_SECONDS="soon")
