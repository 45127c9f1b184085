"""Finds a failed build in its pipeline's state, and tells whether its stage can be retried from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from remediator.core.value import value

Document = Mapping[str, Any]


@value
class Place:
    """The action that ran a build: its stage, its name and an execution of the pipeline."""

    stage: str
    action: str
    execution: str


def place_of(state: Document, external_id: str) -> Place | None:
    """Where a build or batch ran, by its id, which the action keeps as `externalExecutionId`.

    `state` is GetPipelineState's answer. The execution is the stage's latest one, which need not have run the build:
    an action that it has not reached still shows what it ran for an older one. None when the pipeline does not show
    the build any more: a newer execution has entered the stage, or the stage was retried.
    """
    for stage, action in _actions(state):
        if (action.get("latestExecution") or {}).get("externalExecutionId") == external_id:
            execution = (stage.get("latestExecution") or {}).get("pipelineExecutionId", "")
            return Place(str(stage["stageName"]), str(action["actionName"]), str(execution))
    return None


def external_id_at(state: Document, place: Place) -> str | None:
    """The id of the build that the action runs now for the same execution of the pipeline. None when that execution is
    gone; empty while the action has started nothing since its stage was retried."""
    for stage, action in _actions(state):
        if (stage.get("stageName"), action.get("actionName")) == (place.stage, place.action):
            if (stage.get("latestExecution") or {}).get("pipelineExecutionId") != place.execution:
                return None
            return str((action.get("latestExecution") or {}).get("externalExecutionId") or "")
    return None


def retries_itself(definition: Document, stage: str) -> bool:
    """Does the stage retry on failure by itself? A second retry beside that would run its builds twice.
    https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html"""
    stages = (definition.get("pipeline") or {}).get("stages") or []
    return any(s.get("name") == stage and (s.get("onFailure") or {}).get("result") == "RETRY" for s in stages)


def _actions(state: Document) -> Iterator[tuple[Document, Document]]:
    for stage in state.get("stageStates") or []:
        for action in stage.get("actionStates") or []:
            yield stage, action
