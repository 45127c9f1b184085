"""Reports an outcome: in the journal, in the log as one structured line, as a metric and as a notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from remediator.aws.notices import Notices
from remediator.core.codebuild.failure import BuildArn
from remediator.core.job import Job
from remediator.core.outcome import Ending, Outcome
from remediator.records.journal import Journal

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.metrics import Metrics


class Report:
    """Call it inside a step: code outside steps is replayed, and would report the same outcome again."""

    def __init__(self, journal: Journal, logger: Logger, metrics: Metrics, notices: Notices) -> None:
        self._journal = journal
        self._logger = logger
        self._metrics = metrics
        self._notices = notices

    def outcome(self, job: Job, outcome: Outcome, now: float) -> None:
        """Keep the outcome of an execution, then log it: what is logged can be looked up. Not where a later attempt, or
        the execution whose retry the build is, has kept its own."""
        entry = outcome.entry(job.build.project, str(job.build))
        if self._journal.record_outcome(job.build, job.execution, job.attempt, entry, now):
            self._tell(entry)

    def triage(self, build: BuildArn, outcome: Outcome, now: float) -> dict[str, Any]:
        """The same for a failure that needed no execution; a repeated event is not reported again. Most failures have
        nothing to do with a pull limit: they are reported, and not kept."""
        entry = outcome.entry(build.project, str(build))
        unrelated = outcome.ending is Ending.SKIPPED and outcome.cause is None
        if unrelated or self._journal.record_triage(build, entry, now):
            self._tell(entry)
        return entry

    def _tell(self, entry: dict[str, Any]) -> None:
        """One line; and counts, on which people set alarms, and a notice, unless the outcome is quiet. A build that was
        run again and failed by itself is counted apart from one that passed."""
        self._logger.info("outcome", extra=entry)
        if entry["quiet"]:
            return
        self._metrics.add_dimension(name="outcome", value=entry["outcome"])
        self._metrics.add_metric(name="Outcomes", unit="Count", value=1)
        self._metrics.flush_metrics()
        if entry["retry_result"]:
            self._metrics.add_dimension(name="result", value=entry["retry_result"])
            self._metrics.add_metric(name="RetriedBuilds", unit="Count", value=1)
            self._metrics.flush_metrics()
        try:
            self._notices.publish(entry)
        except (ClientError, BotoCoreError) as error:
            # The outcome is in the journal by now, so a repeated step would not report it.
            self._logger.warning("no notice", extra={"build": entry["build"], "why": type(error).__name__})
