"""Whose commands a pipeline builds."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.guards.pipelines import pipeline_objection, unread_pipeline
from remediator.core.outcome import Ending

Json = dict[str, Any]


def pipeline(*triggers: Json, **members: Any) -> Json:
    shown = {"name": "release", "pipelineType": "V2", "triggers": list(triggers), **members}
    return {"pipeline": shown, "metadata": {}}


def trigger(**filters: Any) -> Json:
    git = {"sourceActionName": "Code", **filters}
    return {"providerType": "CodeStarSourceConnection", "gitConfiguration": git}


TAGS = [{"tags": {"includes": ["v*"]}}]
OPENED = [{"events": ["OPEN", "UPDATED"], "branches": {"includes": ["main"]}}]


@pytest.mark.parametrize(
    "triggers",
    [
        [trigger(pullRequest=OPENED)],
        [trigger(pullRequest=[{"events": ["CLOSED"]}])],
        [trigger(pullRequest=[{}])],
        [trigger(push=TAGS), trigger(pullRequest=OPENED)],
        [trigger(push=TAGS, pullRequest=OPENED)],
        [trigger()],
        [trigger(push=[])],
        [{"providerType": "SOMETHING_NEW"}],
    ],
)
def test_a_pipeline_that_is_not_started_by_pushes_alone_is_a_strangers(triggers: list[Json]) -> None:
    objection = pipeline_objection(pipeline(*triggers))

    assert objection is not None
    assert objection.ending is Ending.ADVISED
    assert "release" in objection.reason
    assert "UntrustedProjects=repair" in objection.advice[0]


@pytest.mark.parametrize(
    "definition",
    [
        pipeline(),
        pipeline(triggers=None),
        pipeline(pipelineType="V1"),
        pipeline(trigger(push=TAGS)),
        pipeline(trigger(push=TAGS, pullRequest=[])),
        pipeline(trigger(push=TAGS), trigger(push=[{"branches": {"includes": ["main"]}}])),
    ],
)
def test_a_pipeline_that_pushes_start_is_no_objection(definition: Json) -> None:
    assert pipeline_objection(definition) is None


def test_a_pipeline_that_can_not_be_read_is_told_with_the_reason() -> None:
    outcome = unread_pipeline("release", "not authorized: codepipeline:GetPipeline")

    assert outcome.ending is Ending.ADVISED
    assert "release" in outcome.reason
    assert "codepipeline:GetPipeline" in outcome.reason
    assert "PipelineNamePattern" in outcome.advice[0]
