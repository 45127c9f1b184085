"""Finds out with what a failed build comes back, and who runs that again.

By itself, or with its batch, its pipeline's stage, or the first of the builds that CodeBuild has retried by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from remediator.aws.client import is_transient
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.pipeline import Place, place_of
from remediator.services import Services

CLOCK_SKEW = 60
"""Seconds by which this function's clock may differ from CodeBuild's."""

LONGEST_CHAIN = 10
"""How many builds of CodeBuild's own retries are followed back to the first: its limit on them.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_AutoRetryConfig.html
"""


_KINDS = {
    "batch": "the batch that the build belongs to",
    "chain": "the build that CodeBuild retried",
    "stage": "the stage of the pipeline that the build belongs to",
}


@dataclass(frozen=True, slots=True)
class Whole:
    """`key` is the journal's, empty for a build that comes back by itself; `initiator` is who started the first build.

    `held_by` is the execution that has it (empty for none), which `runs`, or `ended_at` some time, or died.
    """

    key: str
    initiator: str
    place: Mapping[str, str] | None = None
    held_by: str = ""
    runs: bool = False
    ended_at: float | None = None

    @property
    def what(self) -> str:
        """For people."""
        return _KINDS[self.key.partition("#")[0]]

    def is_free_for(self, build: Build) -> bool:
        """May another execution take it? When nobody has it, or who had it died, or had ended when this build started:
        then nobody follows the build, which somebody has run again."""
        if self.runs:
            return False
        return self.ended_at is None or build.started_at > self.ended_at + CLOCK_SKEW


class Origins:
    def __init__(self, services: Services) -> None:
        self._services = services

    def of(self, build: Build, execution: str) -> Whole:
        """As this execution finds it: what it has itself is free for it."""
        whole = self._whole(build)
        journal = self._services.journal
        origin = journal.origin(whole.key) if whole.key else None
        if origin is None or origin.execution == execution:
            return whole
        runs = origin.ended_at is None and self._services.executions.is_running(origin.execution)
        if origin.ended_at is None and not runs:
            # It has died, or it has ended since the journal was read.
            origin = journal.origin(whole.key) or origin
        return replace(whole, held_by=origin.execution, runs=runs, ended_at=origin.ended_at)

    def _whole(self, build: Build) -> Whole:
        if build.pipeline:
            place = self._place(build)
            if place is None:
                return Whole("", build.initiator)
            key = f"stage#{build.pipeline}/{place.execution}/{place.stage}/{place.action}"
            return Whole(key, build.initiator, place.to_json())
        if build.batch:
            return Whole(f"batch#{build.batch}", build.initiator)
        if build.auto_retry_due or build.previous_auto_retry:
            first = self._first_of_chain(build)
            return Whole(f"chain#{first.failure.build.id}", first.initiator)
        return Whole("", build.initiator)

    def _place(self, build: Build) -> Place | None:
        """None where the pipeline does not show the build, or may not be read: then its stage is not retried."""
        try:
            state = self._services.codepipeline.state(build.pipeline)
        except ClientError as error:
            if is_transient(error):
                raise
            return None
        return place_of(state, build.batch or build.failure.build.id)

    def _first_of_chain(self, build: Build) -> Build:
        """As far as the records are there."""
        for _ in range(LONGEST_CHAIN):
            if not build.previous_auto_retry:
                break
            previous = self._services.codebuild.build(BuildArn.parse(build.previous_auto_retry))
            if previous is None:
                break
            build = previous
        return build
