"""What the rules hand on of CodeBuild's events: all that Intake reads of them, and nothing that is a project's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.input_transformer import handed_on, transformed
from local.template import Stack
from remediator import intake
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildFailure
from remediator.core.guards.history import History
from tests.unit import given
from tests.unit.fakes import NOW, FakeServices

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "events", ROOT.parent / "shared" / "corpora" / "events")
RULES = ("ThrottledPull", "FailedCommand", "UnreadableSecret")
HOSTILE = 'x", "build-status": "SUCCEEDED"}, "account": "999999999999", \n "y": "\\'


def matches(rule: str, event: Any) -> bool:
    """Does the rule's pattern match? The place is the stack's own wherever the event comes from."""
    pattern = Stack().resources[rule]["Properties"]["EventPattern"]
    detail = event.get("detail") or {}
    phases = (detail.get("additional-information") or {}).get("phases") or []
    contexts = [text for phase in phases for text in phase.get("phase-context") or []]
    (wanted,) = pattern["detail"]["additional-information"]["phases"].values()
    return (
        all(event.get(member) in pattern[member] for member in ("source", "detail-type"))
        and detail.get("build-status") in pattern["detail"]["build-status"]
        and any(_fits(each, text) for each in wanted for text in contexts)
    )


def _fits(wanted: dict[str, str], text: str) -> bool:
    if "prefix" in wanted:
        return text.startswith(wanted["prefix"])
    return re.fullmatch(wanted["wildcard"].replace("*", ".*"), text, re.DOTALL) is not None


def samples() -> Iterator[Any]:
    for path in (path for folder in FOLDERS for path in sorted(folder.glob("*.json"))):
        event = json.loads(path.read_text(encoding="utf-8"))
        for rule in RULES:
            if matches(rule, event):
                yield pytest.param(rule, event, id=f"{path.stem}-{rule}")


def record_of(event: Any) -> Build:
    """CodeBuild's own record of the event's build."""
    detail = event["detail"]
    more = detail["additional-information"]
    phases = [given.phase(one["phase-type"], one.get("phase-status"), *_context(one)) for one in more["phases"]]
    return given.build(
        arn=detail["build-id"],
        buildStatus=detail["build-status"],
        initiator=more["initiator"],
        env={"image": more["environment"]["image"]},
        phases=phases,
    )


def _context(phase: Any) -> tuple[str, str]:
    code, _, message = (phase.get("phase-context") or [": "])[0].partition(": ")
    return code, message


def services_for(event: Any, **settings: str) -> FakeServices:
    alias = given.REMEDIATOR.replace(given.ACCOUNT, event["account"]).replace(given.REGION, event["region"])
    services = FakeServices(REMEDIATOR=alias, **settings)
    services.codebuild_fake.builds = [record_of(event)]
    services.journal_fake.histories[record_of(event).failure.build.project] = History(repaired_at=NOW - 86_400)
    return services


def test_there_are_events_for_every_rule() -> None:
    assert {rule for rule, _ in (sample.values for sample in samples())} == {*RULES}


@pytest.mark.parametrize("settings", [{}, {"MODE": "plan"}, {"PROJECT_NAME_PATTERN": "no-such-*"}])
@pytest.mark.parametrize(("rule", "event"), [*samples()])
def test_intake_decides_the_same_as_by_the_whole_event(rule: str, event: Any, settings: dict[str, str]) -> None:
    by_event, by_hand = services_for(event, **settings), services_for(event, **settings)

    answer = intake.answer(handed_on(event, rule), by_event)

    whole = intake.answer(event, by_hand)
    if settings.get("PROJECT_NAME_PATTERN"):  # nobody may ask for the image there, so whose limit it was is not known
        whole["cause"] = answer["cause"]
    assert answer == whole
    assert by_event.executions_fake.started == by_hand.executions_fake.started
    assert "error" not in answer


@pytest.mark.parametrize(("rule", "event"), [*samples()])
def test_nothing_is_handed_on_but_what_intake_reads(rule: str, event: Any) -> None:
    handed = handed_on(event, rule)
    assert handed.keys() == {"account", "region", "source", "detail-type", "detail"}
    assert handed["detail"].keys() == {"build-id", "build-status", "additional-information"}
    assert handed["detail"]["additional-information"].keys() == {"initiator", "logs", "phases"}


@pytest.mark.parametrize(("rule", "event"), [*samples()])
def test_no_value_of_a_variable_and_no_text_of_whoever_starts_the_build_is_handed_on(rule: str, event: Any) -> None:
    more = event["detail"]["additional-information"]
    before = handed_on(event, rule)
    more["environment"]["environment-variables"] = [{"name": "TOKEN", "type": "PLAINTEXT", "value": "kanari"}]
    more["environment"]["image"] = more["source-version"] = HOSTILE
    more["source"] = {"type": "GITHUB", "location": "https://kanari@example.org", "buildspec": HOSTILE}
    assert handed_on(event, rule) == before
    assert "kanari" not in json.dumps(before)


def test_a_command_or_a_log_stream_that_breaks_out_of_a_text_stays_a_text() -> None:
    event = given.event(context=f"COMMAND_EXECUTION_ERROR: Error while executing command: echo '{HOSTILE}'.")
    more = event["detail"]["additional-information"]
    more["logs"] = {"group-name": "/g", "stream-name": HOSTILE}
    handed = handed_on(event)["detail"]["additional-information"]
    assert handed["phases"] == more["phases"]
    assert handed["logs"] == [more["logs"]]


@pytest.mark.parametrize("rule", RULES)
def test_a_build_of_which_the_event_tells_no_log_is_handed_on_all_the_same(rule: str) -> None:
    """What leaves nothing in a list leaves JSON; elsewhere the event would not come."""
    event = given.event()
    assert "logs" not in event["detail"]["additional-information"]
    handed = handed_on(event, rule)
    assert handed["detail"]["additional-information"]["logs"] == []
    assert BuildFailure.from_event(handed) == replace(BuildFailure.from_event(event), image="")


def test_an_event_without_an_initiator_is_handed_on_with_an_empty_one() -> None:
    event = given.event()
    event["detail"]["additional-information"]["logs"] = {"deep-link": "x"}
    handed = handed_on(event)
    assert handed["detail"]["additional-information"]["initiator"] == ""


def test_texts_stand_in_quotes_and_objects_outside_of_them() -> None:
    paths = {"text": "$.text", "many": "$.many"}
    event = {"text": "a", "many": [{"b": '"'}]}

    def made(template: str, told: Any = event) -> str:
        return transformed(told, {"InputPathsMap": paths, "InputTemplate": template})

    assert made('{"x": "<text>", "y": <many>}') == '{"x": "a", "y": [{"b": "\\""}]}'
    assert made('{"x": "<text>"}', {"text": '", "y": "'}) == '{"x": "", "y": ""}', "a text is not escaped"
    assert made('{"x": "<text>", "y": <many>}', {}) == '{"x": "", "y": }', "what is not there leaves nothing"
    for wrong in ('{"x": <text>}', '{"x": "<many>"}'):
        with pytest.raises(ValueError, match="quotes"):
            made(wrong)
