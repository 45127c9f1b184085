"""What people ask Intake by hand: a plan, a remediation, and what they get for a slip of the pen."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from local.simulator import PullAnswer
from local.simulator.world import CommandsAnswer
from tests.workflow.account import SECRET, Account, Json, outcome_of
from tests.workflow.test_no_loop import dies_after_its_retry
from tests.workflow.watched import once, refused, refusing


def test_plan_shows_what_the_remediation_then_changes_and_writes_nothing(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    before = account.project()
    answer = account.ask({"command": "plan", "project": "orders"})
    assert answer["outcome"] == "planned"
    assert (answer["project"], answer["cause"]) == ("orders", "anonymous-limit")
    read = {"BatchGetProjects", "ListBuildsForProject", "BatchGetBuilds", "GetItem"}
    assert set(account.calls) == read
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
    assert list(account.lambda_.started) == [first]
    assert "its newest build passed: nothing to do" in answer["reason"]
    outcome = account.remediate(build, attempt=2)
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
    assert field in answer["error"] or value in answer["error"]
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


# What a person learns without anything being done


def repaired(account: Account) -> Json:
    account.create_project()
    build = account.failed_build()
    assert account.remediate(build)["outcome"] == "remediated"
    account.calls.clear()
    return build


@pytest.mark.parametrize("command", ["plan", "remediate"])
def test_a_healthy_project_is_left_alone(account: Account, command: str) -> None:
    build = repaired(account)
    report = account.entry(build)["report"]
    answer = account.ask({"command": command, "project": "orders"})
    assert answer["outcome"] == "skipped"
    assert answer["reason"].startswith("the project has been signed in since 2026-")
    assert answer["reason"].endswith("its newest build passed: nothing to do")
    assert (account.lambda_.started, account.writes()) == ({}, [])
    assert account.entry(build)["report"] == report


def test_remediate_starts_for_a_project_that_is_signed_in_and_fails(account: Account) -> None:
    repaired(account)
    account.throttle(PullAnswer(429))
    build = account.failed_build()
    answer = account.ask({"command": "remediate", "project": "orders"})
    assert answer["build"] == build["arn"]


def test_remediate_starts_for_a_project_that_passes_by_luck_and_is_not_signed_in(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.failed_build(imageOverride="verified/python:3.12")
    assert account.ask({"command": "remediate", "project": "orders"})["build"] == build["arn"]


def test_plan_of_a_signed_in_project_plans_no_attachment_that_is_there(account: Account) -> None:
    repaired(account)
    account.failed_build(imageOverride="python:3.13")
    account.simulator._builds.find(account.builds()[-1]["id"]).document["buildStatus"] = "FAILED"
    answer = account.ask({"command": "plan", "project": "orders"})
    assert not any("attach" in change for change in answer["changes"]), answer
    assert "signed in since" in answer["reason"] or answer["outcome"] != "planned"


def test_plan_says_that_everything_is_stopped(account: Account) -> None:
    account.create_project()
    account.failed_build()
    account.ask({"command": "stop", "reason": "a release"})
    answer = account.ask({"command": "plan", "project": "orders"})
    assert answer["outcome"] == "planned"
    assert "held back right now: everything was stopped at" in answer["reason"]
    assert "a release" in answer["reason"]


def test_plan_says_that_the_credentials_were_refused_a_moment_ago(account: Account) -> None:
    account.put_secret(json.dumps({**SECRET, "password": "wrong"}))
    account.create_project()
    account.remediate(account.failed_build())
    answer = account.ask({"command": "plan", "project": "orders"})
    assert "Docker Hub has refused the credentials of the secret" in answer["reason"]


def test_plan_says_which_rule_holds_a_project_back(account: Account) -> None:
    account.create_project()
    account.failed_build()
    item: Json = {
        "pk": {"S": "project#orders"},
        "undone": {"N": "1"},
        "repaired_at": {"N": "1000"},
        "members": {"SS": ["registryCredential"]},
        "left_alone_until": {"N": "32000000000"},
    }
    item |= {"tries": {"SS": ["a", "b", "c"]}, "window_ends": {"N": "32000000000"}}
    account.boto("dynamodb").put_item(TableName="journal", Item=item)
    reason = account.ask({"command": "plan", "project": "orders"})["reason"]
    assert "it is left alone until" in reason
    assert "3 of its builds were acted on within 60 minutes" in reason
    assert "the repair was undone twice" in reason


@pytest.mark.parametrize("command", ["plan", "remediate"])
def test_a_slip_of_the_pen_is_told_in_one_reading(account: Account, command: str) -> None:
    account.create_project("fresh")
    said = [account.ask({"command": command, **more})["error"] for more in ({}, {"project": "frehs"})]
    assert said[0].startswith("`project` is missing")
    assert said[1].startswith("there is no project frehs in eu-west-1")
    answer = account.ask({"command": "remediate", "project": "fresh"})
    assert answer["error"].startswith("fresh has no failed build among its newest hundred")


def test_plan_refuses_a_secret_of_another_region_before_anything_has_failed(account: Account) -> None:
    account.create_project()
    elsewhere = account.secret_arn.replace("eu-west-1", "us-east-1")
    answer = account.ask({"command": "plan", "project": "orders"}, SECRET_ARN=elsewhere)
    assert answer["outcome"] == "advised"
    assert "not of this account and region" in answer["reason"]


def test_what_an_earlier_attempt_changed_and_said_is_kept(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.remediate(build)
    first = account.entry(build)
    assert "registryCredential" in first["repair"]
    account.failed_build()
    account.remediate(build, attempt=2)
    account.remediate(build, attempt=3)
    journal = account.journal()
    kept = journal[f"build#{build['id']}#1"]
    assert (kept["repair"], kept["report"]) == (first["repair"], first["report"])
    assert "superseded" in journal[f"build#{build['id']}#2"]["report"]
    assert journal[f"build#{build['id']}"]["attempt"] == "3"


def test_a_retry_that_failed_by_itself_is_told_apart_from_one_that_passed(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.before.append(once("StartBuild", lambda: fails_by_itself(account)))
    outcome = account.remediate(build)
    assert (outcome["outcome"], outcome["retry_result"]) == ("remediated", "failed by itself")
    assert "it then failed in BUILD by itself" in outcome["reason"]


def fails_by_itself(account: Account) -> None:
    why = CommandsAnswer("COMMAND_EXECUTION_ERROR", "Error while executing command: make. Reason: exit status 2")
    run = lambda _build, phase, _variables: why if phase == "BUILD" else CommandsAnswer()  # noqa: E731
    account.simulator._conditions = replace(account.simulator._conditions, run_commands=run)


def test_remediate_can_be_repeated_after_an_attempt_that_was_refused_early(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.before.append(refusing("StartBuild", refused("StartBuild", "AccessDeniedException", "no"), times=1))
    assert account.remediate(build)["outcome"] == "patched"
    account.plant(projectVisibility="PUBLIC_READ")
    assert account.remediate(build, attempt=2)["outcome"] == "advised"
    assert account.entry(build)["attempt"] == "2"
    account.plant(projectVisibility="PRIVATE")
    answer = account.ask({"command": "remediate", "project": "orders"})
    assert answer["execution"].endswith("-3")
    assert outcome_of(account.execute(answer["execution"], account.lambda_.started[answer["execution"]]))[
        "outcome"
    ] == ("remediated")
