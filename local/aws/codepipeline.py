"""CodePipeline in this AWS: every call goes to `local.simulator`.

A pipeline's builds run in threads of their own; the simulator moves a pipeline on when one of them ends, so it
goes on when nobody asks about it.
"""

from __future__ import annotations

from ministack import app
from ministack.core import iam_actions, router

from local.aws.codebuild import handler
from local.simulator import CodePipeline

SERVICE = CodePipeline.name


def install(pipelines: CodePipeline) -> None:
    """Let MiniStack recognise CodePipeline's requests, authorize them, and send them to the simulator."""
    router.SERVICE_PATTERNS[SERVICE] = {
        "target_prefixes": [CodePipeline.target_prefix],
        "host_patterns": [r"codepipeline\."],
        "credential_scope": SERVICE,
    }
    iam_actions.SERVICE_TO_IAM_NAMESPACE[SERVICE] = SERVICE
    app.SERVICE_HANDLERS[SERVICE] = handler(pipelines)
