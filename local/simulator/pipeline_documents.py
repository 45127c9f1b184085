"""A pipeline as CodePipeline shows it: its structure, and the state of its stages and actions."""

from local.simulator.pipelines import ActionRun, Pipeline, StageRun
from local.simulator.world import Document, World


def structure(world: World, pipeline: Pipeline) -> Document:
    """The answer of GetPipeline."""
    return {
        "pipeline": {
            "name": pipeline.name,
            "roleArn": f"arn:{world.partition}:iam::{world.account}:role/service-role/pipeline-{pipeline.name}",
            "artifactStore": {"type": "S3", "location": f"codepipeline-{world.region}-{world.account}"},
            "stages": [_stage_structure(stage) for stage in pipeline.stages],
            "version": pipeline.version,
            "executionMode": "SUPERSEDED",
            "pipelineType": "V2",
            **({"triggers": list(pipeline.triggers)} if pipeline.triggers else {}),
        },
        "metadata": {
            "pipelineArn": f"arn:{world.partition}:codepipeline:{world.region}:{world.account}:{pipeline.name}",
            "created": pipeline.created,
            "updated": pipeline.updated,
        },
    }


def state(world: World, pipeline: Pipeline) -> Document:
    """The answer of GetPipelineState; times are epoch seconds."""
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": pipeline.version,
        "stageStates": [_stage_state(world, stage) for stage in pipeline.stages],
        "created": pipeline.created,
        "updated": pipeline.updated,
    }


def action_execution(world: World, stage: StageRun, run: ActionRun) -> Document:
    """One of the `actionExecutionDetails` of ListActionExecutions; times are epoch seconds."""
    project = stage.plan.actions[run.name]
    result: Document = {}
    if run.build is not None:
        result["externalExecutionId"] = run.build
        result["externalExecutionUrl"] = _build_page(world, project, run.build)
    if run.error:
        result["errorDetails"] = {"code": "JobFailed", "message": run.error}
    return {
        "pipelineExecutionId": run.execution,
        "actionExecutionId": run.id,
        "pipelineVersion": run.version,
        "stageName": stage.plan.name,
        "actionName": run.name,
        "startTime": run.started,
        "lastUpdateTime": run.changed,
        "status": run.status,
        "output": {"outputArtifacts": [], **({"executionResult": result} if result else {})},
    }


def _stage_structure(stage: StageRun) -> Document:
    shown: Document = {
        "name": stage.plan.name,
        "actions": [_action_structure(name, project) for name, project in stage.plan.actions.items()],
    }
    if stage.plan.on_failure is not None:
        shown["onFailure"] = {
            "result": stage.plan.on_failure,
            "retryConfiguration": {"retryMode": "FAILED_ACTIONS"},
        }
    return shown


def _action_structure(name: str, project: str | None) -> Document:
    builds = project is not None
    return {
        "name": name,
        "actionTypeId": {
            "category": "Build" if builds else "Source",
            "owner": "AWS",
            "provider": "CodeBuild" if builds else "S3",
            "version": "1",
        },
        "runOrder": 1,
        "configuration": {"ProjectName": project} if builds else {"S3Bucket": "sources", "S3ObjectKey": "source.zip"},
        "inputArtifacts": [{"name": "SourceArtifact"}] if builds else [],
        "outputArtifacts": [] if builds else [{"name": "SourceArtifact"}],
    }


def _stage_state(world: World, stage: StageRun) -> Document:
    shown: Document = {
        "stageName": stage.plan.name,
        "inboundTransitionState": {"enabled": True},
        "actionStates": [
            _action_state(world, name, project, stage.actions.get(name)) for name, project in stage.plan.actions.items()
        ],
    }
    if stage.inbound is not None:
        waiting = {"pipelineExecutionId": stage.inbound, "status": "InProgress", "type": "STANDARD"}
        shown |= {"inboundExecution": waiting, "inboundExecutions": [waiting]}
    if stage.execution is not None:
        shown["latestExecution"] = {
            "pipelineExecutionId": stage.execution,
            "status": stage.status,
            "type": "STANDARD",
        }
    if stage.latest_trigger is not None:
        shown["retryStageMetadata"] = {
            "autoStageRetryAttempt": stage.automatic_retries,
            "manualStageRetryAttempt": stage.manual_retries,
            "latestRetryTrigger": stage.latest_trigger,
        }
    return shown


def _action_state(world: World, name: str, project: str | None, action: ActionRun | None) -> Document:
    shown: Document = {"actionName": name}
    if project is not None:
        shown["entityUrl"] = f"{_console(world)}/{project}/view"
    if action is not None:
        latest: Document = {
            "actionExecutionId": action.id,
            "status": action.status,
            "lastStatusChange": action.changed,
        }
        if action.build is not None:
            latest["externalExecutionId"] = action.build
            latest["externalExecutionUrl"] = _build_page(world, project, action.build)
        if action.error:
            latest["errorDetails"] = {"code": "JobFailed", "message": action.error}
        shown["latestExecution"] = latest
    return shown


def _build_page(world: World, project: str | None, build: str) -> str:
    return f"{_console(world)}/{project}/build/{build}/view/new"


def _console(world: World) -> str:
    return f"https://console.aws.amazon.com/codebuild/home?region={world.region}#/projects"
