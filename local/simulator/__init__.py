"""CodeBuild and CodePipeline on a developer's machine: raw documents, AWS's refusals, builds that act as their role."""

from local.simulator.codebuild import CodeBuild
from local.simulator.codepipeline import CodePipeline
from local.simulator.errors import ServiceError
from local.simulator.pipelines import Stage
from local.simulator.service import Call, Service
from local.simulator.world import (
    AgentLine,
    BuildAgent,
    CommandsAnswer,
    Credentials,
    Document,
    PullAnswer,
    RunCommands,
    SecretUnreadable,
    SourceAnswer,
    World,
)

__all__ = [
    "AgentLine",
    "BuildAgent",
    "Call",
    "CodeBuild",
    "CodePipeline",
    "CommandsAnswer",
    "Credentials",
    "Document",
    "PullAnswer",
    "RunCommands",
    "SecretUnreadable",
    "Service",
    "ServiceError",
    "SourceAnswer",
    "Stage",
    "World",
]
