"""CodeBuild on a developer's machine: raw documents, AWS's refusals, builds that act with their role."""

from local.simulator.codebuild import Call, CodeBuild
from local.simulator.errors import ServiceError
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
    "CommandsAnswer",
    "Credentials",
    "Document",
    "PullAnswer",
    "RunCommands",
    "SecretUnreadable",
    "ServiceError",
    "SourceAnswer",
    "World",
]
