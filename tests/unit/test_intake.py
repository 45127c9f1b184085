"""What Intake answers to events: no at once to what is not ours, a start for the rest, kindness to all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remediator import intake
from remediator.core.guards.history import NEW, History
from remediator.core.outcome import BadInput, Ending
from tests.unit import given
from tests.unit.fakes import NOW, FakeServices

EVENTS = Path(__file__).parents[3] / "shared" / "corpora" / "events"
SAMPLES = sorted(EVENTS.glob("*.json"))
OURS = {"assembled-provisioning-failed"}
OF_A_FAILED_BUILD = {
    "webhook-state-failed-build",
    "codepipeline-state-failed",
    "codepipeline-state-failed-yaml-file-error",
}


def remediator_of(event: given.Document) -> str:
    """The alias of a stack in the account and region of an event."""
    account, region = event.get("account", given.ACCOUNT), event.get("region", given.REGION)
    return given.REMEDIATOR.replace(given.ACCOUNT, account).replace(given.REGION, region)


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


def test_a_throttled_build_starts_its_first_execution_and_nothing_is_told_yet(services: FakeServices) -> None:
    answer = intake.answer(given.event(), services)

    assert services.executions_fake.started == [(given.REMEDIATOR, given.BUILD_ARN, 1, None)]
    assert services.report_fake.told == []
    assert answer == {
        "project": given.PROJECT,
        "build": str(given.BUILD_ARN),
        "started": f"{given.REMEDIATOR}/durable-execution/{given.UUID}-1/1",
    }


@pytest.mark.parametrize(
    ("event", "ending"),
    [
        (given.event(image="public.ecr.aws/docker/library/node:22"), "skipped"),
        (given.event(image="aws/codebuild/standard:7.0"), "skipped"),
        (given.event(context="CLIENT_ERROR: something else"), "skipped"),
    ],
)
def test_a_look_alike_is_told_by_its_event_alone(services: FakeServices, event: Any, ending: str) -> None:
    answer = intake.answer(event, services)

    assert answer["outcome"] == ending
    assert services.executions_fake.started == []
    [(build, outcome, now)] = services.report_fake.told
    assert (build, outcome.ending, now) == (given.BUILD_ARN, Ending(ending), NOW)


WAITED_FOR = {
    "account-limit": given.ACCOUNT_LIMIT,
    "login-lockout": given.LOCKED_OUT,
    "abuse-limit": given.ABUSED,
}


def of_cause(cause: str, **additional: str) -> given.Document:
    event = given.event(context=f"{given.PULL_FAILED}: {WAITED_FOR[cause]}")
    event["detail"]["additional-information"].update(additional)
    return event


@pytest.mark.parametrize("cause", WAITED_FOR)
def test_whose_limit_or_lockout_it_is_only_remediator_may_find_out(services: FakeServices, cause: str) -> None:
    answer = intake.answer(of_cause(cause), services)

    assert "started" in answer
    assert services.report_fake.told == []


@pytest.mark.parametrize("switch", [{"MODE": "plan"}, {"RETRY_BUILD": "false"}])
@pytest.mark.parametrize("cause", WAITED_FOR)
def test_where_no_build_is_run_again_nobody_waits_for_a_limit_to_pass(cause: str, switch: dict[str, str]) -> None:
    services = FakeServices(**switch)

    answer = intake.answer(of_cause(cause), services)

    assert (answer["outcome"], answer["cause"]) == ("advised", cause)
    assert services.executions_fake.started == []
    assert len(services.report_fake.told) == 1


OWN = "remediator-role/remediator"


@pytest.mark.parametrize("event", [given.event(), of_cause("account-limit")], ids=["anonymous", "waited-for"])
def test_a_failed_retry_of_this_stacks_own_starts_nothing(services: FakeServices, event: Any) -> None:
    event["detail"]["additional-information"]["initiator"] = OWN

    answer = intake.answer(event, services)

    assert services.executions_fake.started == []
    assert answer["outcome"] == "skipped"
    assert "a retry that this stack made" in answer["reason"]


@pytest.mark.parametrize("initiator", ["maria", "remediator", "admin/remediator-2", "remediator/maria", ""])
def test_a_failure_that_anybody_else_started_is_looked_at(services: FakeServices, initiator: str) -> None:
    event = given.event()
    event["detail"]["additional-information"]["initiator"] = initiator

    assert "started" in intake.answer(event, services)


def test_a_retry_of_this_stacks_own_that_failed_by_itself_is_told_as_that(services: FakeServices) -> None:
    event = given.event(context="CLIENT_ERROR: something else")
    event["detail"]["additional-information"]["initiator"] = OWN

    answer = intake.answer(event, services)

    assert (answer["outcome"], services.executions_fake.started) == ("skipped", [])


def test_a_project_out_of_scope_is_skipped_whatever_throttled_it() -> None:
    services = FakeServices(PROJECT_NAME_PATTERN="team-*")

    answer = intake.answer(given.event(), services)

    assert services.executions_fake.started == []
    assert (answer["outcome"], answer["cause"]) == ("skipped", "anonymous-limit")
    assert "ProjectNamePattern, team-*" in answer["reason"]


@pytest.mark.parametrize(
    ("field", "here", "elsewhere"),
    [
        ("account", given.ACCOUNT, "210987654321"),
        ("region", given.REGION, "us-east-1"),
        ("detail.build-id", given.ACCOUNT, "210987654321"),
        ("detail.build-id", given.REGION, "us-east-1"),
    ],
)
def test_an_event_of_another_account_or_region_is_refused_before_anything_is_written(
    services: FakeServices, field: str, here: str, elsewhere: str
) -> None:
    event = given.event()
    *parents, last = field.split(".")
    place = event[parents[0]] if parents else event
    place[last] = place[last].replace(here, elsewhere)

    answer = intake.answer(event, services)

    assert answer["field"] == field
    assert "Nothing was changed." in answer["error"]
    assert (services.executions_fake.started, services.report_fake.told) == ([], [])
    place[last] = place[last].replace(elsewhere, here)
    assert "started" in intake.answer(event, services)


def without_image(**of_event: Any) -> given.Document:
    """An event as a rule hands it on."""
    event = given.event(**of_event)
    del event["detail"]["additional-information"]["environment"]
    return event


@pytest.mark.parametrize(
    ("image", "answered"), [(given.IMAGE, "started"), ("public.ecr.aws/docker/library/node:22", "outcome")]
)
def test_where_the_event_names_no_image_the_builds_own_record_is_asked(
    services: FakeServices, image: str, answered: str
) -> None:
    services.codebuild_fake.builds = [given.build(env={"image": image})]

    assert answered in intake.answer(without_image(), services)


def test_an_event_of_a_build_that_codebuild_does_not_know_is_refused(services: FakeServices) -> None:
    services.codebuild_fake.builds = []

    answer = intake.answer(without_image(), services)

    assert (answer["field"], services.report_fake.told) == ("detail.build-id", [])


def test_the_record_of_a_project_out_of_scope_is_not_asked() -> None:
    services = FakeServices(PROJECT_NAME_PATTERN="team-*")
    services.codebuild_fake.builds = []

    assert "ProjectNamePattern" in intake.answer(without_image(), services)["reason"]


@pytest.mark.parametrize("event", [None, [], "text", 7, {}, {"detail": {}}, {"command": None}])
def test_what_is_no_event_is_answered_with_what_is_wrong_about_it(services: FakeServices, event: Any) -> None:
    answer = intake.answer(event, services)

    assert set(answer) == {"error", "field", "value", "allowed"}
    assert "Nothing was changed." in answer["error"]
    assert services.executions_fake.started == []
    assert services.report_fake.told == []


@pytest.mark.skipif(not SAMPLES, reason="the shared corpora are not here")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_published_event_is_answered_kindly(sample: Path) -> None:
    event = json.loads(sample.read_text())
    services = FakeServices(REMEDIATOR=remediator_of(event))

    answer = intake.answer(event, services)

    assert bool(services.executions_fake.started) is (sample.stem in OURS)
    assert bool(services.report_fake.told) is (sample.stem in OF_A_FAILED_BUILD)
    assert ("error" in answer) is (sample.stem not in OURS | OF_A_FAILED_BUILD)
    assert json.dumps(answer)


@pytest.mark.parametrize(
    "name", ["two\nlines", "x" * 100_000, "../../etc/passwd", "<script>", "name\u202ereversed", "a:b:c"]
)
def test_a_hostile_project_name_is_refused_in_one_short_line(services: FakeServices, name: str) -> None:
    answer = intake.answer(given.event(name=name), services)

    assert answer["field"] == "detail.build-id"
    assert len(answer["error"]) < 500
    assert answer["error"].isprintable()


def test_a_command_is_answered_as_a_command(services: FakeServices) -> None:
    assert intake.answer({"command": "plan", "project": given.PROJECT}, services)["outcome"] == "planned"


def test_the_handler_answers_with_services_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_services", FakeServices())

    assert intake.handler({"command": "no such command"}, None)["field"] == "command"


def test_an_intake_that_knows_no_remediator_fails_loudly_so_that_no_event_is_lost() -> None:
    services = FakeServices(REMEDIATOR="")
    with pytest.raises(BadInput, match="REMEDIATOR"):
        intake.answer(given.event(), services)


ON_SECRET = json.loads((Path(__file__).parents[2] / "events" / "secret-unreadable.json").read_text())
REPAIRED = History(repaired_at=NOW - 86_400)


def on_secret(message: str = "", initiator: str = "maria") -> given.Document:
    """The event of a build that could not read the stack's secret, or of one that failed with this message."""
    event: given.Document = json.loads(json.dumps(ON_SECRET))
    more = event["detail"]["additional-information"]
    more["initiator"] = initiator
    if message:
        (failed,) = (phase for phase in more["phases"] if phase.get("phase-status") == "FAILED")
        failed["phase-context"] = [f"Secrets Manager Error: {message}"]
    return event


@pytest.mark.parametrize("history", [REPAIRED, History(left_alone_until=1.0)])
@pytest.mark.parametrize("message", ["", "AccessDeniedException: Access to KMS is not allowed"])
def test_a_repaired_project_that_cannot_read_the_secret_is_looked_at(
    services: FakeServices, history: History, message: str
) -> None:
    services.journal_fake.histories[given.PROJECT] = history

    assert "started" in intake.answer(on_secret(message), services)
    assert services.report_fake.told == []


OTHER = (
    f"AccessDeniedException: not authorized to perform: secretsmanager:GetSecretValue on resource: {given.OTHER_SECRET}"
)


@pytest.mark.parametrize(
    ("history", "message", "reason"),
    [
        (NEW, "", "this stack has not repaired its project"),
        (NEW, OTHER, "not the one of this stack"),
        (REPAIRED, OTHER, "not the one of this stack"),
        (REPAIRED, OTHER.replace(given.OTHER_SECRET, "my-token"), "not the one of this stack"),
    ],
)
def test_anybody_elses_secret_is_no_news_and_not_kept(
    services: FakeServices, history: History, message: str, reason: str
) -> None:
    services.journal_fake.histories[given.PROJECT] = history

    answer = intake.answer(on_secret(message), services)

    # Without a cause it is logged and not kept (see `Report.triage`); quiet, it is not counted either.
    assert (answer["outcome"], answer["cause"], answer["quiet"]) == ("skipped", None, True)
    assert reason in answer["reason"]
    assert services.executions_fake.started == []


def test_a_secret_of_a_project_out_of_scope_is_no_news_either() -> None:
    services = FakeServices(PROJECT_NAME_PATTERN="team-*")
    services.journal_fake.histories[given.PROJECT] = REPAIRED

    answer = intake.answer(on_secret(), services)

    assert (answer["outcome"], answer["cause"], answer["quiet"]) == ("skipped", None, True)
    assert services.executions_fake.started == []


def test_a_retry_of_this_stacks_own_that_cannot_read_the_secret_starts_nothing(services: FakeServices) -> None:
    services.journal_fake.histories[given.PROJECT] = REPAIRED

    answer = intake.answer(on_secret(initiator=OWN), services)

    assert (answer["outcome"], services.executions_fake.started) == ("skipped", [])
    assert "a retry that this stack made" in answer["reason"]
