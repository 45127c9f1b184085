"""What a build's own record tells about it: its settings, how it was started, and how far it came."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from remediator.core.codebuild.failure import BuildFailure
from remediator.core.value import value

COMMIT = r"[0-9a-f]{40}"
PULL_REQUEST = r"pr/[0-9]+"
REFERENCE_AND_COMMIT = ("CODECOMMIT", "GITHUB", "GITHUB_ENTERPRISE", "BITBUCKET")
_PAST_PULL = ("DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS")


class Text:
    """A text of a record's document, found by the names that lead to it; empty where the document has none."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __get__(self, record: Any, _: type) -> str:
        value: Any = record.document
        for name in self._names:
            value = (value or {}).get(name)
        return str(value or "")


@value
class Build:
    """One of the `builds` of BatchGetBuilds. Times are seconds since 1970, as CodeBuild tells them."""

    document: Mapping[str, Any]

    status = Text("buildStatus")
    service_role = Text("serviceRole")
    initiator = Text("initiator")
    asked_version = Text("sourceVersion")
    buildspec = Text("source", "buildspec")
    """The buildspec itself, its path, its ARN in S3, or nothing for buildspec.yml."""
    next_auto_retry = Text("autoRetryConfig", "nextAutoRetry")
    """The ARN of the build by which CodeBuild itself repeats it; empty while there is none."""
    previous_auto_retry = Text("autoRetryConfig", "previousAutoRetry")
    """The ARN of the build that CodeBuild itself repeats by it; empty for none."""

    @property
    def failure(self) -> BuildFailure:
        return BuildFailure.from_build(self.document)

    @property
    def ended(self) -> bool:
        return bool(self.document.get("buildComplete"))

    @property
    def started_at(self) -> float:
        """To the millisecond, as what it is compared with."""
        return round(float(self.document.get("startTime") or 0.0), 3)

    @property
    def number(self) -> int:
        """Numbers of a project's builds grow with each start."""
        return int(self.document.get("buildNumber") or 0)

    @property
    def environment(self) -> Mapping[str, Any]:
        return self.document.get("environment") or {}

    @property
    def pipeline(self) -> str:
        """The pipeline that its initiator names, empty for none: `Build.initiator` of CodeBuild's API."""
        kind, _, name = self.initiator.partition("/")
        return name if kind == "codepipeline" else ""

    @property
    def batch(self) -> str:
        """The id of the batch that it belongs to, `<project>:<uuid>`; empty for none."""
        return str(self.document.get("buildBatchArn") or "").rpartition("/")[2]

    @property
    def auto_retry_due(self) -> bool:
        """Does CodeBuild run it again by itself, or has it done so already?
        https://docs.aws.amazon.com/codebuild/latest/userguide/auto-retry-build.html"""
        return bool(self.next_auto_retry) or self.auto_retries_left > 0

    @property
    def auto_retries_left(self) -> int:
        """How often CodeBuild will run it, or what follows it, again by itself."""
        config = self.document.get("autoRetryConfig") or {}
        return max(0, int(config.get("autoRetryLimit") or 0) - int(config.get("autoRetryNumber") or 0))

    @property
    def why_no_log(self) -> str:
        """Why its log can't be read, by its own record, which names no log stream."""
        logs: Mapping[str, Any] = self.document.get("logs") or {}
        if (logs.get("s3Logs") or {}).get("status") == "ENABLED" or logs.get("s3LogsArn"):
            return "its log is kept in S3 only, which is not read"
        if (logs.get("cloudWatchLogs") or {}).get("status") == "DISABLED":
            return "its logs are turned off"
        return "its record names no log"

    @property
    def minutes_allowed(self) -> int:
        """How long the build may wait in the queue and then run, in minutes."""
        minutes = self.document.get("timeoutInMinutes") or 60
        return int(self.document.get("queuedTimeoutInMinutes") or 480) + int(minutes)

    @property
    def past_pull(self) -> bool:
        """Did it get past the pull of its image? PROVISIONING passed, or a later phase was entered."""
        return any(
            (phase.get("phaseType") == "PROVISIONING" and phase.get("phaseStatus") == "SUCCEEDED")
            or phase.get("phaseType") in _PAST_PULL
            for phase in self.document.get("phases") or []
        )

    @property
    def cannot_read_buildspec(self) -> bool:
        """Did it fail because CodeBuild could not read its buildspec? That fails in DOWNLOAD_SOURCE.
        https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html"""
        return self.failure.phase == "DOWNLOAD_SOURCE" and self.failure.context.startswith("YAML_FILE_ERROR")

    @property
    def source_version(self) -> str | None:
        """The source version that builds the same commit again, None where the build names none.

        `<reference>^{<commit>}` keeps both what was asked for and what was built. It takes a full reference and is
        documented for REFERENCE_AND_COMMIT only. A short name may be a branch or a tag, so there the commit alone is
        exact.
        https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version.html
        """
        asked: str | None = self.document.get("sourceVersion") or None
        commit: str | None = self.document.get("resolvedSourceVersion") or None
        if commit is None or not re.fullmatch(COMMIT, commit):
            return asked
        if asked is None or asked.endswith("^{" + commit + "}"):
            return asked or commit
        asked = asked.partition("^{")[0]
        source_type = (self.document.get("source") or {}).get("type")
        reference = f"refs/pull/{asked[3:]}/head" if re.fullmatch(PULL_REQUEST, asked) else asked
        if reference.startswith("refs/") and source_type in REFERENCE_AND_COMMIT:
            return f"{reference}^{{{commit}}}"
        return commit
