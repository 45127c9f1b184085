"""Reads a pipeline's state and definition, and retries a stage."""

from __future__ import annotations

from typing import Any

from remediator.core.pipeline import Document


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

    def retry_stage(self, pipeline: str, stage: str, execution: str) -> None:
        """Run the failed actions of the stage again; those that still run go on."""
        self._client.retry_stage_execution(
            pipelineName=pipeline, stageName=stage, pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
        )
