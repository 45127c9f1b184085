"""Decides whether strangers could start the pipeline that builds a project: then they choose its commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.core.guards.strangers import ON_A_PERSONS_WORD
from remediator.core.outcome import Outcome, advised


def pipeline_objection(definition: Mapping[str, Any]) -> Outcome | None:
    """A pipeline that a pull request starts builds the commands of that. `definition` is GetPipeline's answer.

    Whether pull requests of forks start it is documented nowhere. Trusted is a trigger with a filter for pushes alone.
    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GitConfiguration.html
    """
    pipeline = definition["pipeline"]
    triggers = [trigger.get("gitConfiguration") or {} for trigger in pipeline.get("triggers") or []]
    if all(trigger.get("push") and not trigger.get("pullRequest") for trigger in triggers):
        return None
    return advised(
        f"strangers could read the secret through this project: its pipeline {pipeline.get('name')} has a trigger "
        "that is not for pushes alone, and pull requests of anybody might start it",
        ON_A_PERSONS_WORD,
        "to close it, build pull requests with a pipeline, a project and a service role of their own",
    )


def unread_pipeline(pipeline: str, why: str) -> Outcome:
    """Outcome where nobody can tell from here whether pull requests start the pipeline; `why` it can't be read."""
    return advised(
        f"whether pull requests start the pipeline {pipeline}, and strangers could read the secret through this "
        f"project, can't be told, because its triggers can't be read: {why}",
        "deploy with a PipelineNamePattern that covers the pipeline, then use the remediate command",
        "or deploy with UntrustedProjects=repair if whoever opens a pull request there may have the credentials",
    )
