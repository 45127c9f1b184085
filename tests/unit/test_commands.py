"""What people may ask Intake."""

from __future__ import annotations

from typing import Any

import pytest

from remediator import commands
from remediator.core.codebuild.build import Build
from remediator.core.outcome import BadInput
from remediator.records.journal import Entry
from tests.unit import given
from tests.unit.fakes import NOW, FakeServices


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


def test_plan_shows_what_a_remediation_would_change_and_starts_nothing(services: FakeServices) -> None:
    answer = commands.run({"command": "plan", "project": given.PROJECT}, services)

    assert (answer["project"], answer["outcome"], answer["cause"]) == (given.PROJECT, "planned", "anonymous-limit")
    assert len(answer["changes"]) == 3
    assert "not read from here" in answer["advice"][-1]
    assert services.executions_fake.started == []
    assert services.report_fake.told == []


def test_plan_tells_what_only_a_person_can_do(services: FakeServices) -> None:
    services.codebuild_fake.projects = [
        given.project(env={"environmentVariables": [{"name": "DOCKERHUB_USERNAME", "value": "theirs"}]})
    ]
    services.codebuild_fake.builds = []

    answer = commands.run({"command": "plan", "project": given.PROJECT}, services)

    assert any("DOCKERHUB_USERNAME" in advice for advice in answer["advice"])


def test_plan_looks_at_the_newest_build_that_failed(services: FakeServices) -> None:
    services.codebuild_fake.builds = [
        given.build(buildStatus="SUCCEEDED"),
        given.build(phases=given.phases(message=given.ACCOUNT_LIMIT)),
        given.build(),
    ]

    assert commands.run({"command": "plan", "project": given.PROJECT}, services)["cause"] == "account-limit"


def test_plan_tells_why_a_project_would_be_left_alone(services: FakeServices) -> None:
    services.codebuild_fake.projects = [given.project(projectVisibility="PUBLIC_READ")]

    answer = commands.run({"command": "plan", "project": given.PROJECT}, services)

    assert (answer["outcome"], answer["changes"]) == ("advised", [])


@pytest.mark.parametrize(
    ("project", "outcome"),
    [
        (given.project(), "planned"),
        (given.project(env={"image": "ghcr.io/example/x"}), "skipped"),
        (given.project(projectVisibility="PUBLIC_READ"), "advised"),
    ],
)
def test_plan_for_a_project_that_never_failed_goes_by_the_project(
    services: FakeServices, project: given.Document, outcome: str
) -> None:
    services.codebuild_fake.projects = [project]
    services.codebuild_fake.builds = []

    assert commands.run({"command": "plan", "project": given.PROJECT}, services)["outcome"] == outcome


OFF = [{"key": "DockerHubRemediation", "value": "off"}]
OWN = [{"key": "aws:cloudformation:stack-name", "value": "docker-hub"}]


@pytest.mark.parametrize("builds", [[given.build()], []])
@pytest.mark.parametrize(
    ("tags", "settings", "word"),
    [
        (OFF, {}, "is not `on`"),
        ([], {"TAGGED_PROJECTS_ONLY": "true"}, "lacks the tag"),
        (OWN, {"STACK_NAME": "docker-hub"}, "belongs to this stack"),
    ],
)
def test_plan_tells_that_a_project_is_out_of_scope(
    builds: list[Build], tags: list[dict[str, str]], settings: dict[str, str], word: str
) -> None:
    services = FakeServices(**settings)
    services.codebuild_fake.projects, services.codebuild_fake.builds = [given.project(tags=tags)], builds

    answer = commands.run({"command": "plan", "project": given.PROJECT}, services)

    assert (answer["outcome"], answer["changes"]) == ("skipped", [])
    assert word in answer["reason"]


def test_plan_of_a_repaired_project_shows_no_change_of_the_project(services: FakeServices) -> None:
    services.codebuild_fake.projects = [given.project(env=given.repaired_environment())]

    changes = commands.run({"command": "plan", "project": given.PROJECT}, services)["changes"]

    assert [change.split()[0] for change in changes] == ["attach"]


def test_remediate_starts_the_next_attempt_and_says_how_to_see_its_outcome(services: FakeServices) -> None:
    services.journal_fake.known[given.BUILD_ARN.id] = Entry(attempt=2, outcome="gave-up")

    answer = commands.run({"command": "remediate", "project": given.PROJECT}, services)

    assert services.executions_fake.started == [(given.REMEDIATOR, given.BUILD_ARN, 3, None)]
    assert (answer["build"], answer["execution"]) == (str(given.BUILD_ARN), f"{given.UUID}-3")
    assert answer["show_outcome"].startswith("aws lambda get-durable-execution --durable-execution-arn arn:")


@pytest.mark.parametrize("known", [None, Entry(attempt=0, outcome="advised"), Entry(attempt=1, outcome="gave-up")])
def test_a_person_never_starts_the_first_attempt_which_is_held_to_the_rules(
    services: FakeServices, known: Entry | None
) -> None:
    if known:
        services.journal_fake.known[given.BUILD_ARN.id] = known
    commands.run({"command": "remediate", "project": given.PROJECT}, services)

    assert services.executions_fake.started[0][2] == 2


@pytest.mark.parametrize("retry", [True, False, None])
def test_remediate_passes_a_persons_word_on_the_retry_on(services: FakeServices, retry: bool | None) -> None:
    commands.run({"command": "remediate", "project": given.PROJECT, "retry": retry}, services)

    assert services.executions_fake.started[0][3] is retry


def test_remediate_needs_a_build_that_failed(services: FakeServices) -> None:
    services.codebuild_fake.builds = [given.build(buildStatus="SUCCEEDED")]

    with pytest.raises(BadInput, match="orders-api has no failed build among its newest hundred"):
        commands.run({"command": "remediate", "project": given.PROJECT}, services)

    assert services.executions_fake.started == []


@pytest.mark.parametrize("name", ["plan", "remediate"])
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "project"),
        ({"project": None}, "project"),
        ({"project": ["orders-api"]}, "project"),
        ({"project": ""}, "project"),
        ({"project": "two\nlines"}, "project"),
        ({"project": f"{given.PROJECT}\n"}, "project"),
        ({"project": "*"}, "project"),
        ({"project": "arn:aws:codebuild:eu-west-1:123456789012:project/orders-api"}, "project"),
        ({"project": "no-such-project"}, "project"),
        ({"project": given.PROJECT, "force": True}, "force"),
        ({"project": given.PROJECT, "retry": "no"}, "retry"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_started(
    services: FakeServices, name: str, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        commands.run({"command": name, **fields}, services)

    assert refused.value.field == field
    assert services.executions_fake.started == []


@pytest.mark.parametrize("command", [None, 7, "", "PLAN", "rollback", ["plan"], {"plan": 1}])
def test_an_unknown_command_is_answered_with_those_that_there_are(services: FakeServices, command: Any) -> None:
    with pytest.raises(BadInput, match="plan, remediate"):
        commands.run({"command": command}, services)


def test_a_project_out_of_scope_is_not_even_read() -> None:
    services = FakeServices(PROJECT_NAME_PATTERN="team-*")
    services.codebuild_fake.projects = []

    with pytest.raises(BadInput, match=r"ProjectNamePattern, team-\*"):
        commands.run({"command": "plan", "project": given.PROJECT}, services)


# Stop and resume


def test_stop_turns_everything_off_with_its_reason_and_says_how_to_go_on() -> None:
    services = FakeServices()

    answer = commands.run({"command": "stop", "reason": "odd \x1b[31mrepairs\n"}, services)

    assert answer["stopped"] is True
    assert services.switch_fake.turned == [("odd repairs ", NOW, True)]
    assert "resume" in answer["go_on_with"]


def test_resume_turns_everything_on_again() -> None:
    services = FakeServices()
    commands.run({"command": "stop"}, services)

    assert commands.run({"command": "resume"}, services) == {"stopped": False}
    assert services.switch_fake.stopped() == ""


@pytest.mark.parametrize("reason", [7, None, ["x"], "x" * 201])
def test_a_reason_that_is_no_short_text_stops_nothing(reason: object) -> None:
    services = FakeServices()

    with pytest.raises(BadInput, match="reason"):
        commands.run({"command": "stop", "reason": reason}, services)
    assert services.switch_fake.turned == []


@pytest.mark.parametrize("command", ["stop", "resume"])
def test_a_field_that_the_switch_does_not_know_is_refused(command: str) -> None:
    services = FakeServices()

    with pytest.raises(BadInput, match="until"):
        commands.run({"command": command, "until": "tomorrow"}, services)
    assert services.switch_fake.turned == []


def test_while_everything_is_stopped_no_remediation_is_started() -> None:
    services = FakeServices()
    commands.run({"command": "stop", "reason": "odd"}, services)

    answer = commands.run({"command": "remediate", "project": given.PROJECT}, services)

    assert "nothing was started" in answer["error"]
    assert services.executions_fake.started == []


def test_while_everything_is_stopped_people_may_still_ask_what_would_be_changed() -> None:
    services = FakeServices()
    commands.run({"command": "stop"}, services)

    assert commands.run({"command": "plan", "project": given.PROJECT}, services)["outcome"] == "planned"


def test_a_stop_without_a_reason_is_a_stop_too() -> None:
    services = FakeServices()

    commands.run({"command": "stop"}, services)

    assert services.switch_fake.turned == [("", NOW, True)]


def test_the_longest_reason_stops_everything() -> None:
    services = FakeServices()

    commands.run({"command": "stop", "reason": "x" * 200}, services)

    assert services.switch_fake.turned == [("x" * 200, NOW, True)]
