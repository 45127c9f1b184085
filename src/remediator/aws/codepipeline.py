"""Reads a pipeline's state and definition, and retries a stage."""

from __future__ import annotations

from functools import partial
from typing import Any

from remediator.aws.client import found
from remediator.core.codebuild.pipeline import Document

_PAGES = 10


class CodePipeline:
    """https://docs.aws.amazon.com/codepipeline/latest/APIReference/"""

    def __init__(self, codepipeline: Any) -> None:
        self._client = codepipeline

    def state(self, pipeline: str) -> Document:
        state: Document = self._client.get_pipeline_state(name=pipeline)
        return state

    def definition(self, pipeline: str) -> Document:
        definition: Document = self._client.get_pipeline(name=pipeline)
        return definition

    def ran(self, pipeline: str, execution: str, external_id: str) -> bool:
        """Did this execution of the pipeline run that build or batch, by its id? Without an `execution`: did any?

        A pipeline's state does not tell: a stage's latest execution may not have reached all of its actions yet. Ten
        pages are read, a thousand actions. An execution that the pipeline does not know ran nothing.
        https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListActionExecutions.html
        """
        by = {"filter": {"pipelineExecutionId": execution}} if execution else {}
        asked: dict[str, Any] = {"pipelineName": pipeline, **by}
        for _ in range(_PAGES):
            call = partial(self._client.list_action_executions, **asked)
            page = found(call, "PipelineExecutionNotFoundException") or {}
            if any(_external_id(action) == external_id for action in page.get("actionExecutionDetails") or []):
                return True
            if not page.get("nextToken"):
                return False
            asked["nextToken"] = page["nextToken"]
        return False

    def retry_stage(self, pipeline: str, stage: str, execution: str) -> None:
        """Run the failed actions of the stage again; those that still run go on."""
        self._client.retry_stage_execution(
            pipelineName=pipeline, stageName=stage, pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
        )


def _external_id(action: Document) -> str | None:
    result = (action.get("output") or {}).get("executionResult") or {}
    return result.get("externalExecutionId")
