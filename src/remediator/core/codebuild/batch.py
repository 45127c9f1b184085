"""What the record of a batch tells: whether it has ended, how, and which of its builds failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.core.codebuild.build import Text
from remediator.core.codebuild.failure import FAILED_STATUSES
from remediator.core.value import value

_MOST_BUILDS = 100


@value
class Batch:
    """One of the `buildBatches` of BatchGetBuildBatches."""

    document: Mapping[str, Any]

    id = Text("id")
    arn = Text("arn")
    status = Text("buildBatchStatus")
    initiator = Text("initiator")
    asked_version = Text("sourceVersion")
    commit = Text("resolvedSourceVersion")

    @property
    def started_at(self) -> float:
        """Seconds since 1970, to the millisecond."""
        return round(float(self.document.get("startTime") or 0.0), 3)

    @property
    def ended(self) -> bool:
        return bool(self.document.get("complete"))

    @property
    def failed_builds(self) -> tuple[str, ...]:
        """The ARNs of the builds that failed and were not run again since; one answer of BatchGetBuilds at most."""
        summaries = [group.get("currentBuildSummary") or {} for group in self._groups]
        failed = [str(one.get("arn", "")) for one in summaries if one.get("buildStatus") in FAILED_STATUSES]
        return tuple(failed[:_MOST_BUILDS])

    def group_of(self, build_arn: str) -> str:
        """The identifier of the group that has, or had, this build; empty for none."""
        for group in self._groups:
            summaries = [group.get("currentBuildSummary") or {}, *(group.get("priorBuildSummaryList") or [])]
            if any(summary.get("arn") == build_arn for summary in summaries):
                return str(group.get("identifier", ""))
        return ""

    def build_of(self, identifier: str) -> str:
        """The ARN of the build that a group has now; empty for none."""
        summaries = (g.get("currentBuildSummary") for g in self._groups if g.get("identifier") == identifier)
        return str((next(summaries, None) or {}).get("arn", ""))

    @property
    def _groups(self) -> list[dict[str, Any]]:
        return self.document.get("buildGroups") or []

    @property
    def minutes_allowed(self) -> int:
        """How long it may wait in the queue and then run, in minutes."""
        config = self.document.get("buildBatchConfig") or {}
        minutes = config.get("timeoutInMins") or self.document.get("buildTimeoutInMinutes") or 60
        return int(self.document.get("queuedTimeoutInMinutes") or 480) + int(minutes)
