"""What the record of a batch tells: whether it has ended, how, and which of its builds failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remediator.core.codebuild.failure import FAILED_STATUSES

_MOST_BUILDS = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """One of the `buildBatches` of BatchGetBuildBatches."""

    document: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.document.get("id", ""))

    @property
    def arn(self) -> str:
        return str(self.document.get("arn", ""))

    @property
    def ended(self) -> bool:
        return bool(self.document.get("complete"))

    @property
    def status(self) -> str:
        return str(self.document.get("buildBatchStatus", ""))

    @property
    def failed_builds(self) -> tuple[str, ...]:
        """The ARNs of the builds that failed and were not run again since; one answer of BatchGetBuilds at most."""
        summaries = [group.get("currentBuildSummary") or {} for group in self._groups]
        failed = [str(one.get("arn", "")) for one in summaries if one.get("buildStatus") in FAILED_STATUSES]
        return tuple(failed[:_MOST_BUILDS])

    def group_of(self, build_arn: str) -> str:
        """The identifier of the group that a build is, or was, of; empty for none."""
        for group in self._groups:
            summaries = [group.get("currentBuildSummary") or {}, *(group.get("priorBuildSummaryList") or [])]
            if any(summary.get("arn") == build_arn for summary in summaries):
                return str(group.get("identifier", ""))
        return ""

    def build_of(self, identifier: str) -> str:
        """The ARN of the build that a group has now; empty for none."""
        for group in self._groups:
            if group.get("identifier") == identifier:
                return str((group.get("currentBuildSummary") or {}).get("arn", ""))
        return ""

    @property
    def _groups(self) -> list[Mapping[str, Any]]:
        groups: list[Mapping[str, Any]] = self.document.get("buildGroups") or []
        return groups

    @property
    def minutes_allowed(self) -> int:
        """How long it may wait in the queue and then run, in minutes."""
        config = self.document.get("buildBatchConfig") or {}
        minutes = config.get("timeoutInMins") or self.document.get("buildTimeoutInMinutes") or 60
        return int(self.document.get("queuedTimeoutInMinutes") or 480) + int(minutes)
