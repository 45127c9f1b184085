"""Runs a pipeline's failed stage again, and finds the build that it starts; each method is a step."""

from __future__ import annotations

from dataclasses import replace

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, is_transient, message_of, raise_if_transient
from remediator.core.case import Case
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.pipeline import Place, external_id_at, place_of, retries_itself
from remediator.core.job import Job
from remediator.core.outcome import Outcome, patched
from remediator.core.value import value
from remediator.services import Services
from remediator.steps.rerun.build import not_run_again
from remediator.steps.still_allowed import Busy, still_allowed

_NOT_YET = ("StageNotRetryableException", "ConflictException")
"""The pipeline has not noticed the failure: worth asking again for a while."""
_LIMIT = "ConcurrentPipelineExecutionsLimitExceededException"
"""Other executions run: worth asking again for hours."""

_GONE = ("PipelineNotFoundException", "StageNotFoundException")
_SUPERSEDED = "a newer execution of the pipeline has entered the stage since, so there is nothing left to retry"
_NOT_SHOWN = "the pipeline shows it no more: a newer execution has entered its stage, or the stage was retried"
_CHANGED = "the pipeline was changed since the build began, and CodePipeline retries no stage of before"


@value
class StageSeen:
    """How far the retry of a stage is. `place` is the action, `asked`: was the retry made from here? `changed`: was the
    pipeline edited since the build began? `limited`: does a limit or throttling forbid the retry right now? `not_yet`
    is why CodePipeline does not retry it yet. `next` is the id of what the retry started, empty for nothing yet, seen
    `at` (seconds since 1970); `refusal` ends it."""

    place: Place
    asked: bool = False
    changed: bool = False
    limited: bool = False
    not_yet: str = "no answer"
    next: str = ""
    at: float = 0.0
    refusal: Outcome | None = None


@value
class Stages:
    job: Job
    services: Services

    def find(self, case: Case, subject: BuildArn) -> Place | Outcome:
        """Where the build ran: stage, action and execution; or the outcome, where its stage is not to be retried.

        For a retry that is where the pipeline shows it now, for the first build where it was when it was examined.
        """
        pipelines, pipeline = self.services.codepipeline, case.failed.pipeline
        try:
            place = case.failed.place or place_of(pipelines.state(pipeline), _external_id(case, subject))
            if place is None:
                advice = f"look at the pipeline {pipeline}: what it started before the repair may be throttled too"
                return _not_retried(case, _NOT_SHOWN, advice)
            if not pipelines.ran(pipeline, place.execution, _external_id(case, subject)):
                return _superseded(case)
            if retries_itself(pipelines.definition(pipeline), place.stage):
                reason = f"the stage {place.stage} retries on failure by itself, so it was not retried from here"
                advice = f"retry the stage {place.stage} of the pipeline {pipeline} if its own retry failed too"
                return _not_retried(case, reason, advice)
        except ClientError as error:
            raise_if_transient(error)
            return _not_retried(case, f"it can't be looked at: {message_of(error)}")
        return place

    def retry(self, seen: StageSeen, case: Case, subject: BuildArn) -> StageSeen:
        """One look of many: ask for the retry unless it was made. Where the action runs something else for the same
        execution of the pipeline, somebody has retried its stage."""
        pipelines, place, name = self.services.codepipeline, seen.place, case.failed.pipeline
        try:
            pipeline = pipelines.state(name)
            now = external_id_at(pipeline, place)
            if now is None:
                return replace(seen, refusal=_superseded(case))
            if now != _external_id(case, subject):
                return replace(seen, next=now, at=self.services.now())
            seen = replace(seen, limited=False, changed=pipeline["updated"].timestamp() > case.failed.started_at)
            if not seen.asked:
                allowed = still_allowed(case, self.job.build.project, self.job.execution, self.services)
                if isinstance(allowed, Busy):
                    return replace(seen, limited=True, not_yet=f"other executions {allowed.doing}")
                if isinstance(allowed, Outcome):
                    return replace(seen, refusal=not_run_again(case, allowed, self.services.settings.scope.stack))
                pipelines.retry_stage(name, place.stage, place.execution)
        except ClientError as error:
            if is_transient(error) or code_of(error) == _LIMIT:
                return replace(seen, limited=True, not_yet=message_of(error) or code_of(error))
            return self._refused(error, seen, case)
        return replace(seen, asked=True, limited=False)

    def _refused(self, error: ClientError, seen: StageSeen, case: Case) -> StageSeen:
        code = code_of(error)
        if code in _NOT_YET:
            return replace(seen, not_yet=message_of(error) or code)
        if code == "NotLatestPipelineExecutionException":
            return replace(seen, refusal=_superseded(case))
        reason = "the pipeline or its stage is gone" if code in _GONE else message_of(error) or code
        return replace(seen, refusal=_not_retried(case, reason))


def _external_id(case: Case, subject: BuildArn) -> str:
    """An action that runs a batch keeps the batch's id."""
    return case.failed.batch or subject.id


def not_retryable(seen: StageSeen, case: Case) -> Outcome:
    """Outcome for a stage that could not be retried in time."""
    if seen.asked:
        reason = "its stage was retried, but the build that this starts did not show"
        return _not_retried(case, reason, "look at the pipeline: the retried stage may wait for something else")
    if seen.changed:
        return _not_retried(case, _CHANGED, f"start a new execution of the pipeline {case.failed.pipeline}")
    return _not_retried(case, f"CodePipeline does not retry its stage: {seen.not_yet}")


def _not_retried(case: Case, reason: str, advice: str = "") -> Outcome:
    """The advice is to retry it by hand, where there is none of its own."""
    pipeline = case.failed.pipeline
    text = f"the project is signed in; the build of the pipeline {pipeline} was not run again: {reason}"
    return patched(text, advice or f"retry the failed stage of the pipeline {pipeline}")


def _superseded(case: Case) -> Outcome:
    return _not_retried(case, _SUPERSEDED, "nothing: the newer execution builds signed in")
