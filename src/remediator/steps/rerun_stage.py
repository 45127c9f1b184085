"""Runs a pipeline's failed stage again, and finds the build that it starts; each method is a step."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, is_transient, message_of
from remediator.core.case import Case
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.pipeline import Place, external_id_at, place_of, retries_itself
from remediator.core.outcome import Ending, Outcome
from remediator.services import Services

Json = dict[str, Any]

_NOT_YET = ("StageNotRetryableException", "ConflictException", "ConcurrentPipelineExecutionsLimitExceededException")
"""The pipeline has not noticed the failure, or is busy: worth asking again."""

_GONE = ("PipelineNotFoundException", "StageNotFoundException")
_SUPERSEDED = "a newer execution of the pipeline has entered the stage meanwhile, so there is nothing left to retry"
_NOT_SHOWN = "the pipeline shows it no more: a newer execution has entered its stage, or the stage was retried"
_CHANGED = "the pipeline was changed since the build began, and CodePipeline retries no stage of before"


class Stages:
    def __init__(self, services: Services) -> None:
        self._services = services

    def find(self, case: Case, subject: BuildArn) -> Json:
        """Where the build ran: stage, action and execution; or the outcome, where its stage is not to be retried."""
        pipelines = self._services.codepipeline
        try:
            place = self._place(case, subject)
            if place is None:
                advice = f"look at the pipeline {case.pipeline}: what it started before the repair may be throttled too"
                return {"refusal": _refusal(case, _NOT_SHOWN, advice)}
            if not pipelines.ran(case.pipeline, place.execution, _external_id(case, subject)):
                return {"refusal": _superseded(case)}
            if retries_itself(pipelines.definition(case.pipeline), place.stage):
                reason = f"the stage {place.stage} retries on failure by itself, so it was not retried from here"
                advice = f"retry the stage {place.stage} of the pipeline {case.pipeline} if its own retry failed too"
                return {"refusal": _refusal(case, reason, advice)}
        except ClientError as error:
            if is_transient(error):
                raise
            return {"refusal": _refusal(case, f"it can't be looked at: {message_of(error)}", _by_hand(case))}
        return place.to_json()

    def _place(self, case: Case, subject: BuildArn) -> Place | None:
        """As it was when the first build was examined; a retry of it is where the pipeline shows it now."""
        if case.place:
            return Place(**case.place)
        return place_of(self._services.codepipeline.state(case.pipeline), _external_id(case, subject))

    def retry(self, state: Json, case: Case, subject: BuildArn) -> Json:
        """One look: ask for the retry unless it was made; `next` is the id of what it started, when it is there.

        May run any number of times: where the action runs something else for the same execution of the pipeline, its
        stage was retried, by whomever.
        """
        pipelines = self._services.codepipeline
        place = Place(state["stage"], state["action"], state["execution"])
        try:
            pipeline = pipelines.state(case.pipeline)
            now = external_id_at(pipeline, place)
            if now is None:
                return {**state, "refusal": _superseded(case)}
            if now != _external_id(case, subject):
                return {**state, "next": now, "at": self._services.now()}
            state = {**state, "changed": pipeline["updated"].timestamp() > case.started_at}
            if not state["asked"]:
                stop = self._services.switch.stopped()
                if stop:
                    return {**state, "refusal": _refusal(case, stop, _by_hand(case))}
                pipelines.retry_stage(case.pipeline, place.stage, place.execution)
        except ClientError as error:
            return state if is_transient(error) else self._refused(error, state, case)
        return {**state, "asked": True}

    def _refused(self, error: ClientError, state: Json, case: Case) -> Json:
        code = code_of(error)
        if code in _NOT_YET:
            return {**state, "refused": message_of(error) or code}
        if code == "NotLatestPipelineExecutionException":
            return {**state, "refusal": _superseded(case)}
        reason = "the pipeline or its stage is gone" if code in _GONE else message_of(error) or code
        return {**state, "refusal": _refusal(case, reason, _by_hand(case))}


def _external_id(case: Case, subject: BuildArn) -> str:
    """An action that runs a batch keeps the batch's id."""
    return case.batch or subject.id


def not_retryable(state: Json, case: Case) -> Outcome:
    """The outcome where the stage could not be retried within the time that is given to it."""
    if state["asked"]:
        reason = "its stage was retried, but the build that this starts did not show"
        return _told(case, reason, "look at the pipeline: the retried stage may wait for something else")
    if state["changed"]:
        return _told(case, _CHANGED, f"start a new execution of the pipeline {case.pipeline}")
    return _told(case, f"CodePipeline does not retry its stage: {state.get('refused', 'no answer')}", _by_hand(case))


def _told(case: Case, reason: str, advice: str) -> Outcome:
    text = f"the project is signed in; the build of the pipeline {case.pipeline} was not run again: {reason}"
    return Outcome(Ending.PATCHED, text, advice=(advice,))


def _superseded(case: Case) -> Json:
    return _refusal(case, _SUPERSEDED, "nothing: the newer execution builds signed in")


def _refusal(case: Case, reason: str, advice: str) -> Json:
    return _told(case, reason, advice).to_json()


def _by_hand(case: Case) -> str:
    return f"retry the failed stage of the pipeline {case.pipeline}"
