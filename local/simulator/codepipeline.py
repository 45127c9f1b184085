"""CodePipeline as its callers see it: pipelines whose actions are builds of the simulated CodeBuild.

It looks at its builds when a build ends and whenever it is asked about a pipeline.
"""

import random
import uuid
from collections.abc import Callable, Sequence

from local.simulator import pipeline_documents
from local.simulator.codebuild import CodeBuild
from local.simulator.errors import ServiceError
from local.simulator.pipelines import ActionRun, Pipeline, Stage, StageRun
from local.simulator.service import Service
from local.simulator.world import Document, World

_RETRY_MODES = ("FAILED_ACTIONS", "ALL_ACTIONS")
_NOT_RETRYABLE = (
    "Unable to retry. The pipeline structure or stage state might have changed while actions awaited retry, "
    "or the stage contains no failed actions."
)
_BUSY = "Your request cannot be handled because the pipeline is busy handling ongoing activities. Try again later."
_Due = list[tuple[StageRun, str, ActionRun]]


def busy() -> ServiceError:
    """ConflictException, for a hook that refuses a call: nothing here makes a pipeline busy."""
    return ServiceError("ConflictException", _BUSY)


def too_many_executions() -> ServiceError:
    """ConcurrentPipelineExecutionsLimitExceededException, for a hook that refuses a call: here there is no limit."""
    return ServiceError(
        "ConcurrentPipelineExecutionsLimitExceededException",
        "The pipeline has reached the limit for concurrent pipeline executions.",
    )


class CodePipeline(Service):
    """A simulated CodePipeline of one account and region; safe to call from several threads.

    CodePipeline notices a failed build later than CodeBuild tells of it. `lag` is how many RetryStageExecution
    calls for its stage are refused, once the build has ended, before the failure is noticed (a stage that retries
    itself waits as long); it may be changed at any time. `page` is how many action executions a page has at most.
    `seed` decides the ids of executions.
    """

    name = "codepipeline"
    target_prefix = "CodePipeline_20150709."

    def __init__(self, world: World, codebuild: CodeBuild, *, seed: int = 1, lag: int = 0, page: int = 100) -> None:
        super().__init__(world)
        self.lag = lag
        self.page = page
        self._codebuild = codebuild
        self._rng = random.Random(f"pipelines {seed}")
        self._pipelines: dict[str, Pipeline] = {}
        self._operations: dict[str, Callable[[Document], Document]] = {
            "GetPipeline": self._get_pipeline,
            "GetPipelineState": self._get_state,
            "ListActionExecutions": self._list_action_executions,
            "RetryStageExecution": self._retry_stage,
            "StartPipelineExecution": self._start_execution,
        }
        codebuild.after_build.append(self._after_build)

    def plant_pipeline(self, name: str, stages: Sequence[Stage], triggers: Sequence[Document] = ()) -> None:
        """Put a pipeline there; it replaces one of the same name."""
        now = self._world.now()
        with self._lock:
            runs = [StageRun(stage) for stage in stages]
            self._pipelines[name] = Pipeline(name, runs, now, now, triggers=triggers)

    def change(self, name: str, triggers: Sequence[Document] = ()) -> None:
        """Change the pipeline's structure as an UpdatePipeline would: what failed before can't be retried. It may be
        given `triggers` besides."""
        pipeline = self._find(name)
        self._go_on(pipeline)
        with self._lock:
            pipeline.version += 1
            pipeline.updated = self._world.now()
            pipeline.triggers = triggers or pipeline.triggers

    def start(self, name: str) -> str:
        """Send a new execution into the first stage, or to its door; returns its id."""
        pipeline = self._find(name)
        self._go_on(pipeline)
        with self._lock:
            execution = self._new_id()
            pipeline.executions.add(execution)
            pipeline.stages[0].inbound = execution
        self._go_on(pipeline)
        return execution

    def reject(self, name: str, stage: str, action: str) -> None:
        """Have the next execution that enters the stage fail in this action, which builds nothing, as an approval
        can. The actions after it do not start: they still show what they ran for an older execution, until the
        stage is retried."""
        pipeline = self._find(name)
        with self._lock:
            found = pipeline.stage(stage)
            if found is None or found.plan.actions.get(action, "") is not None:
                raise ValueError(f"The pipeline {name} has no action {stage}/{action} that builds nothing")
            found.rejects = action

    def state(self, name: str) -> Document:
        """What GetPipelineState answers, without a call on record."""
        pipeline = self._find(name)
        self._go_on(pipeline)
        with self._lock:
            return pipeline_documents.state(self._world, pipeline)

    def running_builds(self, name: str) -> list[str]:
        """The ids of the builds whose end the pipeline waits for; none when there is no such pipeline."""
        with self._lock:
            pipeline = self._pipelines.get(name)
            stages = pipeline.stages if pipeline else []
            return [a.build for stage in stages for a in stage.actions.values() if a.running and a.build is not None]

    def _dispatch(self, operation: str, request: Document, caller: str) -> Document:  # noqa: ARG002 - no caller is kept
        if operation not in self._operations:
            raise ServiceError("UnknownOperationException", f"The simulator has no operation {operation}")
        return self._operations[operation](request)

    def _get_pipeline(self, request: Document) -> Document:
        pipeline = self._find(_required(request, "name"))
        self._go_on(pipeline)
        with self._lock:
            version = request.get("version")
            if version not in (None, pipeline.version):
                message = f"Pipeline {pipeline.name} has no version {version}"
                raise ServiceError("PipelineVersionNotFoundException", message)
            return pipeline_documents.structure(self._world, pipeline)

    def _get_state(self, request: Document) -> Document:
        return self.state(_required(request, "name"))

    def _list_action_executions(self, request: Document) -> Document:
        """https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListActionExecutions.html"""
        pipeline = self._find(_required(request, "pipelineName"))
        most, token = request.get("maxResults", 100), request.get("nextToken")
        if not isinstance(most, int) or not 1 <= most <= 100:
            raise _invalid("maxResults", str(most), "Member must have value between 1 and 100")
        by = request.get("filter") or {}
        if "latestInPipelineExecution" in by:
            raise ServiceError("ValidationException", "The simulator has no filter latestInPipelineExecution")
        execution = by.get("pipelineExecutionId")
        self._go_on(pipeline)
        with self._lock:
            if execution is not None and execution not in pipeline.executions:
                message = f"The pipeline {pipeline.name} has no execution {execution}"
                raise ServiceError("PipelineExecutionNotFoundException", message)
            shown = [
                pipeline_documents.action_execution(self._world, stage, run) for stage, run in pipeline.past(execution)
            ]
        return _page(shown, min(most, self.page), token)

    def _start_execution(self, request: Document) -> Document:
        return {"pipelineExecutionId": self.start(_required(request, "name"))}

    def _retry_stage(self, request: Document) -> Document:
        """https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-retry.html"""
        pipeline = self._find(_required(request, "pipelineName"))
        name, execution = _required(request, "stageName"), _required(request, "pipelineExecutionId")
        mode = _required(request, "retryMode")
        if mode not in _RETRY_MODES:
            raise _invalid("retryMode", mode, f"Member must satisfy enum value set: [{', '.join(_RETRY_MODES)}]")
        self._go_on(pipeline)
        with self._lock:
            stage = pipeline.stage(name)
            if stage is None:
                raise ServiceError("StageNotFoundException", f"Pipeline {pipeline.name} has no stage {name}")
            if stage.execution != execution:
                message = f"The execution {execution} is not the latest one in the stage {name}"
                raise ServiceError("NotLatestPipelineExecutionException", message)
            everything = mode == "ALL_ACTIONS"
            if not _retryable(pipeline, stage, everything=everything):
                self._count_refusal(stage)
                raise ServiceError("StageNotRetryableException", _NOT_RETRYABLE)
            names = list(stage.actions) if everything else stage.failed
            stage.retry(names, "ManualStageRetry", pipeline.version, self._world.now(), self._new_id)
        self._go_on(pipeline)
        return {"pipelineExecutionId": execution}

    def _count_refusal(self, stage: StageRun) -> None:
        for action in stage.actions.values():
            if action.running and action.build is not None and self._codebuild.build(action.build)["buildComplete"]:
                action.refusals += 1

    def _after_build(self, build: Document) -> None:
        starter, _, name = str(build["initiator"]).partition("/")
        with self._lock:
            pipeline = self._pipelines.get(name) if starter == "codepipeline" else None
        if pipeline is not None:
            self._go_on(pipeline)

    def _go_on(self, pipeline: Pipeline) -> None:
        """Notice which builds have ended and start those that follow, until none follows."""
        while due := self._due(pipeline):
            for stage, project, action in due:
                self._start_build(pipeline, stage, project, action)

    def _due(self, pipeline: Pipeline) -> _Due:
        """The actions whose builds the caller now has to start, outside the lock."""
        with self._lock:
            now = self._world.now()
            for stage in pipeline.stages:
                self._notice(pipeline, stage, now)
                if stage.plan.on_failure == "RETRY" and stage.status == "Failed" and not stage.automatic_retries:
                    stage.retry(stage.failed, "AutomatedStageRetry", pipeline.version, now, self._new_id)
            pipeline.move(now, self._new_id)
            due: _Due = []
            for stage in pipeline.stages:
                for name, project in stage.plan.actions.items():
                    action = stage.actions.get(name)
                    if project is not None and action is not None and action.running and not action.claimed:
                        action.claimed = True
                        due.append((stage, project, action))
            return due

    def _notice(self, pipeline: Pipeline, stage: StageRun, now: float) -> None:
        for action in stage.actions.values():
            if not action.running or action.build is None:
                continue
            build = self._codebuild.build(action.build)
            if build["buildStatus"] == "SUCCEEDED":
                action.end("Succeeded", now)
            elif build["buildComplete"] and action.refusals >= self.lag:
                action.end("Failed", now, f"Build terminated with state: {build['buildStatus']}")
                stage.failed_version = pipeline.version

    def _start_build(self, pipeline: Pipeline, stage: StageRun, project: str, action: ActionRun) -> None:
        request = {"projectName": project, "sourceVersion": self._artifact(pipeline)}
        try:
            build = self._codebuild.start_build(request, f"codepipeline/{pipeline.name}")
        except ServiceError as error:
            with self._lock:
                action.end("Failed", self._world.now(), f"Error calling startBuild: {error.message}")
                stage.failed_version = pipeline.version
        else:
            with self._lock:
                action.build = build["id"]

    def _artifact(self, pipeline: Pipeline) -> str:
        """A source's zip in the pipeline's bucket."""
        world = self._world
        with self._lock:
            key = self._new_id()[:7]
        bucket = f"codepipeline-{world.region}-{world.account}"
        return f"arn:{world.partition}:s3:::{bucket}/{pipeline.name}/SourceArti/{key}"

    def _find(self, name: str) -> Pipeline:
        with self._lock:
            if name not in self._pipelines:
                message = f"Account '{self._world.account}' does not have a pipeline with name '{name}'"
                raise ServiceError("PipelineNotFoundException", message)
            return self._pipelines[name]

    def _new_id(self) -> str:
        return str(uuid.UUID(bytes=self._rng.randbytes(16), version=4))


def _retryable(pipeline: Pipeline, stage: StageRun, *, everything: bool) -> bool:
    """Whether something failed, no retry runs, and the structure is still the one that it failed in.

    A retry of all actions also needs that none runs (API reference of RetryStageExecution).
    """
    if not stage.failed or stage.retrying or (everything and stage.running):
        return False
    return stage.failed_version == pipeline.version


def _page(shown: list[Document], most: int, token: str | None) -> Document:
    """What follows the action execution that the token names; those that began since do not shift it."""
    start = 0
    if token is not None:
        ids = [document["actionExecutionId"] for document in shown]
        if token not in ids:
            raise ServiceError("InvalidNextTokenException", "The next token was specified in an invalid format")
        start = ids.index(token) + 1
    page = shown[start : start + most]
    more = {"nextToken": page[-1]["actionExecutionId"]} if len(shown) > start + most else {}
    return {"actionExecutionDetails": page, **more}


def _required(request: Document, member: str) -> str:
    value = request.get(member)
    if not isinstance(value, str) or not value:
        raise _invalid(member, "null", "Member must not be null")
    return value


def _invalid(member: str, value: str, constraint: str) -> ServiceError:
    shown = value if value == "null" else f"'{value}'"
    message = f"1 validation error detected: Value {shown} at '{member}' failed to satisfy constraint: {constraint}"
    return ServiceError("ValidationException", message)
