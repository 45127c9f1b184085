"""An AWS account inside the test's process: moto, the CodeBuild simulator, a throttled registry, the durable runner."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from local.registry import Registry
from local.simulator.testing import FakeWorld
from tests.moto_aws import mock_aws
from tests.workflow.builds import LOCATION, OWNER
from tests.workflow.clients import REGION
from tests.workflow.fake_lambda import REMEDIATOR
from tests.workflow.functions import OURS, AccountServices, Functions, outcome_of
from tests.workflow.stored import ACCOUNT, PASSWORD, SECRET, USER, Json

__all__ = [
    "ACCOUNT",
    "ENVIRONMENT",
    "LOCATION",
    "OURS",
    "OWNER",
    "PASSWORD",
    "REGION",
    "SECRET",
    "USER",
    "WRITES",
    "Account",
    "AccountServices",
    "Json",
    "new_account",
    "outcome_of",
]

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "k",
    "AWS_SECRET_ACCESS_KEY": "s",
    "POWERTOOLS_SERVICE_NAME": "remediator",
    "POWERTOOLS_METRICS_NAMESPACE": "DockerHubRemediator",
}
WRITES = (
    "AttachRolePolicy",
    "UpdateProject",
    "StartBuild",
    "RetryBuild",
    "StopBuild",
    "RetryBuildBatch",
    "RetryStageExecution",
    "PutRolePolicy",
    "PutResourcePolicy",
)


class Account(Functions):
    """One project of one owner, a secret, the stack's policy and journal, and everything that was asked of AWS.

    Use it inside moto's `mock_aws`. What it stores is in `Stored`, its projects and builds in `Builds`, the functions
    and their calls in `Functions`.
    """

    def __init__(self, world: FakeWorld, registry: Registry, **settings: str) -> None:
        super().__init__(world, registry)
        self.environment = {
            "JOURNAL_TABLE": "journal",
            "REMEDIATOR": REMEDIATOR,
            "SECRET_ARN": self.secret_arn,
            "GRANT_POLICY_ARN": self.policy_arn,
            "DOCKER_HUB_ENDPOINT": registry.url,
            "SETTLE_SECONDS": "60",
            "NOTICES_TOPIC": self.boto("sns").create_topic(Name="notices")["TopicArn"],
            "STACK_NAME": "remediator",
            "OWN_ROLE": f"arn:aws:iam::{ACCOUNT}:role/remediator",
            **settings,
        }
        world.secrets[self.secret_arn] = json.dumps(SECRET)

    def writes(self) -> list[str]:
        """The calls of the functions that change something outside the journal, in order."""
        return [call for call in self.calls if call in WRITES]

    def updates(self) -> int:
        return self.calls.count("UpdateProject")

    def asked(self, *operations: str) -> Counter[str]:
        """How often the functions asked AWS for each of these operations."""
        return Counter(call for call in self.calls if call in operations)


@contextmanager
def new_account(registry: Registry) -> Iterator[Account]:
    """An account for as long as this lasts, in an environment that has ENVIRONMENT.

    moto lacks the CodeBuild calls that matter, Lambda's of durable functions, and searching a log backwards: those are
    answered by `Account`.
    """

    def may_read(role: str, secret: str) -> bool:
        return made.may_read(role, secret)

    with mock_aws(
        core={"passthrough": {"services": ["cloudformation", "codebuild", "codepipeline", "lambda", "logs"]}}
    ):
        world = FakeWorld(may_read=may_read)
        world.accounts[USER] = PASSWORD
        made = Account(world, registry)
        try:
            yield made
        finally:
            made.lent.give_back()
