"""Which events a webhook builds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

from remediator.core.codebuild.webhook import EVENTS, admitted_events, webhook_events

Json = dict[str, Any]


def event(pattern: Any, *, excluded: bool | None = None) -> Json:
    more = {} if excluded is None else {"excludeMatchedPattern": excluded}
    return {"type": "EVENT", "pattern": pattern, **more}


@pytest.mark.parametrize(
    ("group", "events"),
    [
        ([event("PUSH")], {"PUSH"}),
        ([event("PUSH,PULL_REQUEST_MERGED", excluded=False)], {"PUSH", "PULL_REQUEST_MERGED"}),
        ([event("PUSH, RELEASED"), {"type": "HEAD_REF", "pattern": "main"}], {"PUSH", "RELEASED"}),
        ([event("RELEASED")], {"RELEASED"}),
        ([event("PUSH, RELEASED"), event("RELEASED, PRERELEASED")], {"RELEASED"}),
        ([event("PUSH", excluded=True)], EVENTS - {"PUSH"}),
        ([event("PUSH, WORKFLOW_JOB_QUEUED", excluded=True)], EVENTS - {"PUSH", "WORKFLOW_JOB_QUEUED"}),
        ([event("PUSH"), event("PUSH", excluded=True)], set()),
        ([event(", ".join(EVENTS))], EVENTS),
    ],
)
def test_the_events_that_a_list_names_or_leaves_are_let_in(group: list[Json], events: set[str]) -> None:
    assert admitted_events(group) == events


@pytest.mark.parametrize(
    "pattern", ["", None, "PUSH|RELEASED", "^PUSH$", "PU.H", "push", "PUSH,", "PUSH, NEW_EVENT", 7]
)
@pytest.mark.parametrize("excluded", [None, False, True])
def test_a_pattern_that_is_no_list_of_known_events_keeps_none_out(pattern: Any, excluded: bool | None) -> None:
    assert admitted_events([event(pattern, excluded=excluded)]) == EVENTS


@pytest.mark.parametrize("group", [[], [{"type": "HEAD_REF", "pattern": "^refs/heads/main$"}], [{}]])
def test_a_group_without_an_event_filter_lets_every_event_in(group: list[Json]) -> None:
    assert admitted_events(group) == EVENTS


@pytest.mark.parametrize("webhook", [None, {}])
def test_a_project_without_a_webhook_builds_no_event(webhook: Json | None) -> None:
    assert webhook_events(webhook) == set()


@pytest.mark.parametrize("groups", [{}, {"filterGroups": None}, {"filterGroups": []}, {"filterGroups": [[]]}])
def test_a_webhook_without_filter_groups_builds_every_event(groups: Json) -> None:
    assert webhook_events({"url": "https://api.github.com/x", **groups}) == EVENTS


def test_one_group_that_lets_an_event_in_is_enough() -> None:
    groups = [[event("PUSH")], [event("RELEASED"), {"type": "TAG_NAME", "pattern": "^v1"}]]

    assert webhook_events({"filterGroups": groups}) == {"PUSH", "RELEASED"}


@holds_for(st.sets(st.sampled_from(sorted(EVENTS)), min_size=1), st.sampled_from([",", ", ", " , "]))
def test_a_list_and_its_exclusion_share_all_events_among_them(names: set[str], between: str) -> None:
    pattern = between.join(sorted(names))

    assert admitted_events([event(pattern)]) == names
    assert admitted_events([event(pattern, excluded=True)]) == EVENTS - names
