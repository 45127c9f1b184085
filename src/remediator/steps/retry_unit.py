"""Finds the retry unit of a failed build, what has to be run again as one: who started it, and which execution owns it.

That is the build alone, its batch, its pipeline's stage, or the chain of builds that CodeBuild has retried by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from botocore.exceptions import ClientError

from remediator.aws.client import raise_if_transient
from remediator.core.codebuild.batch import Batch
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.pipeline import Place, place_of
from remediator.core.codebuild.project import Document
from remediator.core.codebuild.start import Start, Starter, host_named
from remediator.core.job import Job
from remediator.core.names import CLOCK_SKEW
from remediator.core.value import value
from remediator.services import Services

T = TypeVar("T")

LONGEST_CHAIN = 10
"""CodeBuild's limit on its own retries of a build.
https://docs.aws.amazon.com/codebuild/latest/APIReference/API_AutoRetryConfig.html"""

_KINDS = {
    "batch": "the batch that the build belongs to",
    "chain": "the build that CodeBuild retried",
    "stage": "the stage of the pipeline that the build belongs to",
}


@value
class RetryUnit:
    """`key` is the journal's, empty for a build that is run again alone; `initiator` is who started the first build.
    `held_by` is the execution that has it (empty for none), which `runs`, or `ended_at` some time, or died."""

    key: str
    initiator: str
    place: Place | None = None
    held_by: str = ""
    runs: bool = False
    ended_at: float | None = None

    @property
    def name(self) -> str:
        """What it is, for people."""
        return _KINDS[self.key.partition("#")[0]]

    def is_free_for(self, build: Build) -> bool:
        """May another execution take it? When its holder is none or dead, or had ended when this build started: then
        nobody follows the build."""
        return not self.runs and (self.ended_at is None or build.started_at > self.ended_at + CLOCK_SKEW)


@value
class RetryUnits:
    services: Services

    def of(self, build: Build, execution: str) -> RetryUnit:
        """The unit as this execution finds it; its own unit is free for it."""
        unit = self._unit(build)
        journal = self.services.journal
        owner = journal.unit_owner(unit.key) if unit.key else None
        if owner is None or owner.execution == execution:
            return unit
        runs = owner.ended_at is None and self.services.executions.is_running(owner.execution)
        if owner.ended_at is None and not runs:
            # It has died, or it has ended since the journal was read.
            owner = journal.unit_owner(unit.key) or owner
        return replace(unit, held_by=owner.execution, runs=runs, ended_at=owner.ended_at)

    def start(self, build: Build, project: Document, unit: RetryUnit) -> Start:
        """How the unit of this build was started, and by whom, as far as its starter can't choose that."""
        initiator, version = unit.initiator, build.asked_version
        batch = self._batch(build)
        if batch:
            initiator = batch.initiator
            # CodeBuild gives the builds of a batch the commit that it has found for the batch's version.
            version = batch.asked_version if version in ("", batch.commit) else version
        if build.pipeline:
            return Start(version, Starter.PIPELINE if unit.place or self._ran(build) else Starter.ANYBODY)
        host = host_named(initiator, version, project.get("webhook"))
        return Start(version, Starter.WEBHOOK if host and not self._is_role(host) else Starter.ANYBODY)

    def start_of(self, job: Job, retried: Build, project: Document) -> Start:
        """The same for a build that this job has retried: its commands are those of the job's own build."""
        build = self.services.codebuild.build(job.build) or retried
        return self.start(build, project, self._unit(build))

    def _unit(self, build: Build) -> RetryUnit:
        if build.pipeline:
            place = self._place(build)
            key = f"stage#{build.pipeline}/{place.execution}/{place.stage}/{place.action}" if place else ""
            return RetryUnit(key, build.initiator, place)
        if build.batch:
            return RetryUnit(f"batch#{build.batch}", build.initiator)
        if build.auto_retry_due or build.previous_auto_retry:
            first = self._first_of_chain(build)
            return RetryUnit(f"chain#{first.failure.build.id}", first.initiator)
        return RetryUnit("", build.initiator)

    def _place(self, build: Build) -> Place | None:
        """None where the pipeline does not show the build, or may not be read: its stage is not retried then."""
        state = self._read(lambda: self.services.codepipeline.state(build.pipeline))
        return place_of(state, _external_id(build)) if state is not None else None

    def _ran(self, build: Build) -> bool:
        """Does the pipeline list the build, or its batch, among what it ran? Nobody else can put it there."""
        return self._read(lambda: self.services.codepipeline.ran(build.pipeline, "", _external_id(build))) or False

    def _batch(self, build: Build) -> Batch | None:
        """None where it has no record any more, or may not be read: then the build's own record has to do."""
        return self._read(lambda: self.services.codebuild.batch(build.batch)) if build.batch else None

    def _is_role(self, name: str) -> bool:
        """Has the account a role of this name? Its sessions would be shown as a webhook is (`<role>/<session>`). So it
        has where that may not be read."""
        return self._read(lambda: self.services.iam.has_role(name)) is not False

    @staticmethod
    def _read(call: Callable[[], T]) -> T | None:
        """AWS's answer; None where it is a refusal."""
        try:
            return call()
        except ClientError as error:
            raise_if_transient(error)
            return None

    def _first_of_chain(self, build: Build) -> Build:
        """The oldest build of the chain that has a record."""
        for _ in range(LONGEST_CHAIN):
            arn = build.previous_auto_retry
            previous = self.services.codebuild.build(BuildArn.parse(arn)) if arn else None
            if previous is None:
                break
            build = previous
        return build


def _external_id(build: Build) -> str:
    """What a pipeline's action keeps of what it ran."""
    return build.batch or build.failure.build.id
