"""Makes each AWS client and the settings when they are first used: the one place where real parts are wired."""

from __future__ import annotations

import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from remediator.aws.client import client
from remediator.aws.codebuild import CodeBuild
from remediator.aws.executions import Executions
from remediator.aws.iam import Iam
from remediator.aws.notices import Notices
from remediator.aws.secret import Secret
from remediator.records.journal import Journal
from remediator.records.report import Report
from remediator.records.secret_record import SecretRecord
from remediator.records.switch import StopSwitch
from remediator.records.table import Table
from remediator.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from remediator.aws.codepipeline import CodePipeline
    from remediator.aws.kms import Kms
    from remediator.records.retry_order import RetryOrder
    from remediator.records.role_index import RoleIndex


class Services:
    """A resumed execution uses only a few of these, and a client costs tens of milliseconds. Powertools is imported
    with the first logged line; most invocations log none."""

    def client(self, service: str, region: str | None = None) -> Any:
        return client(service, region)

    @property
    def codebuild_elsewhere(self) -> dict[str, CodeBuild]:
        """CodeBuild of the other regions that the stack was told of, by their names; nothing is written there."""
        return {region: CodeBuild(self.client("codebuild", region)) for region in self.settings.other_regions}

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_environment(os.environ)

    codebuild = cached_property(lambda self: CodeBuild(self.client("codebuild")))
    executions = cached_property(lambda self: Executions(self.client("lambda")))
    iam = cached_property(lambda self: Iam(self.client("iam")))
    secret = cached_property(lambda self: Secret(self.client("secretsmanager"), self.settings.sign_in.secret_arn))
    sns = cached_property(lambda self: self.client("sns"))
    logs = cached_property(lambda self: self.client("logs"))
    """CloudWatch Logs' own client: every look into a log is an object of its own."""

    table = cached_property(lambda self: Table(self.client("dynamodb"), self.settings.journal_table))
    journal = cached_property(lambda self: Journal(self.table, self.settings.journal_days))
    secret_record = cached_property(lambda self: SecretRecord(self.table, self.settings.sign_in.secret_arn))
    switch = cached_property(lambda self: StopSwitch(self.table))

    @cached_property
    def codepipeline(self) -> CodePipeline:
        from remediator.aws.codepipeline import CodePipeline

        return CodePipeline(self.client("codepipeline"))

    @cached_property
    def kms(self) -> Kms:
        from remediator.aws.kms import Kms

        return Kms(self.client("kms"))

    @cached_property
    def role_index(self) -> RoleIndex:
        from remediator.records.role_index import RoleIndex

        return RoleIndex(self.table)

    @cached_property
    def retry_order(self) -> RetryOrder:
        from remediator.records.retry_order import RetryOrder

        return RetryOrder(self.table)

    @cached_property
    def log(self) -> Logger:
        from aws_lambda_powertools import Logger

        return Logger()

    @cached_property
    def report(self) -> Report:
        from aws_lambda_powertools.metrics import Metrics

        notices = Notices(lambda: self.sns, self.settings.notices_topic, self.settings.journal_table)
        return Report(self.journal, self.log, Metrics(), notices)

    @property
    def own_name(self) -> str:
        """The function's name, which is also the session name under which its role acts."""
        return os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> float:
        """Seconds since 1970; asked inside steps only, so that a replay sees the same answer."""
        return time.time()
