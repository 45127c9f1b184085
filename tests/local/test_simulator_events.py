"""Events have the shapes that were captured from CodeBuild, member by member."""

import json
import os
import re
from datetime import datetime
from pathlib import Path

import pytest

from local.simulator import Document
from local.simulator.events import event_time
from local.simulator.testing import FakeWorld, simulate
from tests.local.simulated import OWNER, ROLE, built, environment, request, with_credential

_ROOT = Path(__file__).resolve().parents[2]
CORPORA = Path(os.environ.get("CORPORA", _ROOT.parent / "shared" / "corpora")) / "events"
DATE = re.compile(r"^[A-Z][a-z]{2} [1-9]\d?, \d{4} ([1-9]|1[012]):\d{2}:\d{2} [AP]M$")


def captured(name: str) -> Document:
    path = CORPORA / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"no captured event at {path}")
    event: Document = json.loads(path.read_text(encoding="utf-8"))
    return event


def events_of(project: Document, *, seed: int = 1) -> list[Document]:
    simulator, world = simulate(FakeWorld(may_read=lambda _role, _secret: True), seed=seed)
    world.add_secret("hub", '{"username": "acme", "password": "s3cret"}')
    simulator.call("CreateProject", project, OWNER)
    built(simulator, world, sourceVersion="main")
    return world.events


def state_changes(events: list[Document]) -> list[Document]:
    return [event for event in events if event["detail-type"] == "CodeBuild Build State Change"]


def information(event: Document) -> Document:
    found: Document = event["detail"]["additional-information"]
    return found


def test_a_failed_pull_has_the_shape_of_the_published_event() -> None:
    expected = captured("assembled-provisioning-failed")
    project = request(
        source={
            "type": "GITHUB",
            "location": "https://github.com/example/orders.git",
            "gitCloneDepth": 1,
            "reportBuildStatus": True,
        }
    )
    _, event = state_changes(events_of(project))
    assert event.keys() == expected.keys()
    assert event["detail"].keys() == expected["detail"].keys()
    ours, theirs = information(event), information(expected)
    assert ours.keys() == theirs.keys()
    for member in ("cache", "source", "artifact", "environment"):
        assert ours[member].keys() == theirs[member].keys(), member
    phase = next(phase for phase in ours["phases"] if phase["phase-type"] == "PROVISIONING")
    assert phase.keys() == theirs["phases"][2].keys()
    assert ours["phases"][-1].keys() == theirs["phases"][-1].keys()
    assert isinstance(phase["phase-context"], list)
    assert phase["phase-context"][0].startswith("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull")


def test_a_build_in_progress_has_the_shape_of_the_captured_event() -> None:
    expected = captured("manual-state-in-progress-no-log-group")
    started, _ = state_changes(events_of(request()))
    assert started["detail"].keys() == expected["detail"].keys()
    assert started["detail"]["current-phase"] == "SUBMITTED"
    assert information(started).keys() - {"source-version"} == information(expected).keys()
    assert information(started)["logs"]["deep-link"].endswith("group=null;stream=null")


def test_a_failure_with_a_log_has_the_shape_of_the_captured_event() -> None:
    expected = captured("webhook-state-failed-build")
    variables = [{"name": "A", "type": "SECRETS_MANAGER", "value": "hub:nokey"}]
    curated = environment(image="aws/codebuild/standard:7.0", environmentVariables=variables)
    _, failed = state_changes(events_of(request(environment=curated)))
    assert information(failed).keys() == information(expected).keys()
    assert information(failed)["logs"].keys() == information(expected)["logs"].keys()
    phases = {phase["phase-type"]: phase for phase in information(failed)["phases"]}
    assert phases["SUBMITTED"]["phase-context"] == phases["QUEUED"]["phase-context"] == []
    assert phases["PROVISIONING"]["phase-context"] == [": "]
    assert phases["DOWNLOAD_SOURCE"]["phase-context"][0].startswith("Secrets Manager Error: ")
    assert phases["COMPLETED"].keys() == {"phase-type", "start-time"}


def test_a_phase_change_has_the_shape_of_the_captured_event() -> None:
    expected = captured("webhook-phase-pre-build-succeeded")
    curated = environment(image="aws/codebuild/standard:7.0")
    changes = [
        event
        for event in events_of(request(environment=curated))
        if event["detail-type"] == "CodeBuild Build Phase Change"
    ]
    assert [event["detail"]["completed-phase"] for event in changes][:3] == ["SUBMITTED", "QUEUED", "PROVISIONING"]
    pre_build = next(event for event in changes if event["detail"]["completed-phase"] == "PRE_BUILD")
    assert pre_build["detail"].keys() == expected["detail"].keys()
    assert pre_build["detail"]["completed-phase-context"] == "[: ]"
    assert changes[0]["detail"]["completed-phase-context"] == "[]"
    assert information(pre_build)["phases"][-1].keys() == {"phase-type", "start-time"}


def test_a_failed_phase_tells_its_context_in_brackets() -> None:
    failed = next(event for event in events_of(request()) if event["detail"].get("completed-phase-status") == "FAILED")
    assert failed["detail"]["completed-phase-context"].startswith("[BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable")
    assert failed["detail"]["completed-phase-context"].endswith("]")


def test_no_event_holds_the_registry_credential() -> None:
    events = events_of(request(environment=with_credential("hub")))
    assert "redential" not in json.dumps(events).replace("image-pull-credentials-type", "")


def test_times_are_written_in_english_with_twelve_unpadded_hours() -> None:
    assert event_time(1_795_166_048.9) == "Nov 20, 2026 9:14:08 AM"
    assert event_time(1_504_239_149) == "Sep 1, 2017 4:12:29 AM"
    assert event_time(1_504_224_000) == "Sep 1, 2017 12:00:00 AM"
    assert event_time(1_504_267_200) == "Sep 1, 2017 12:00:00 PM"
    event = state_changes(events_of(request()))[-1]
    for phase in information(event)["phases"]:
        assert DATE.match(phase["start-time"])
        assert datetime.strptime(phase["start-time"], "%b %d, %Y %I:%M:%S %p").year == 2026  # noqa: DTZ007 - has no zone


def test_numbers_are_integers_in_some_runs_and_floats_in_others() -> None:
    kinds = {type(information(events_of(request(), seed=seed)[0])["timeout-in-minutes"]) for seed in range(12)}
    assert kinds == {int, float}


def test_the_end_of_a_failed_pull_differs_as_far_as_nobody_knows_it() -> None:
    finals = [information(state_changes(events_of(request(), seed=seed))[-1]) for seed in range(16)]
    assert {"FINALIZING" in [phase["phase-type"] for phase in final["phases"]] for final in finals} == {True, False}
    assert {final["logs"].get("group-name", "absent") for final in finals} == {None, "absent"}


def test_events_name_account_region_and_build() -> None:
    event = events_of(request())[0]
    arn = event["detail"]["build-id"]
    assert re.match(r"^arn:aws:codebuild:eu-west-1:123456789012:build/orders:[0-9a-f-]{36}$", arn)
    assert event["resources"] == [arn]
    assert (event["source"], event["account"], event["region"]) == ("aws.codebuild", "123456789012", "eu-west-1")
    assert re.match(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$", event["time"])
    assert ROLE not in json.dumps(event)
