"""Decides how a failed build is run again, or who has to do that instead."""

from __future__ import annotations

from enum import StrEnum

from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot
from remediator.core.codebuild.start import Starter
from remediator.core.reading import Reading
from remediator.core.repair.sign_in import takes_registry_credential
from remediator.core.value import value


class Way(StrEnum):
    """How a build is run again: the call, or CodeBuild's own automatic retry."""

    START_BUILD = "StartBuild"
    RETRY_BUILD = "RetryBuild"
    RETRY_STAGE = "RetryStageExecution"
    RETRY_BATCH = "RetryBuildBatch"
    AUTO_RETRY = "auto-retry"


@value
class Retry:
    """`against` is the advice where a build that is started from here would be another one.

    `overrides` names the members that StartBuild has to be given again; their values stay with CodeBuild. `then` is the
    next way if this one fails: CodeBuild's own retries are used up, or RetryBuild took the old settings.
    """

    way: Way
    against: str | None = None
    overrides: tuple[str, ...] = ()
    then: Retry | None = None

    @property
    def lasting(self) -> Retry:
        """The way of a second retry: CodeBuild's own come once."""
        return self.then if self.way is Way.AUTO_RETRY and self.then else self


_RUNS_JOBS = {"github": "GitHub", "gitlab": "GitLab", "buildkite": "Buildkite"}


def decide_retry(reading: Reading, edited_at: float) -> Retry:
    """The way of this build. `edited_at`: when somebody else than us last edited the project (CodeBuild's clock)."""
    build = reading.build
    if reading.snapshot.runner:
        where = _RUNS_JOBS[reading.snapshot.runner]
        return Retry(Way.RETRY_BUILD, f"re-run the job on {where}: the build was the runner of one queued job")
    # A pipeline does not notice a build that it did not start; a batch is run again as one.
    if build.pipeline:
        return Retry(Way.RETRY_STAGE)
    if build.batch:
        return Retry(Way.RETRY_BATCH, _not_as_batch(build, reading.snapshot))
    # The variables of a webhook (CODEBUILD_WEBHOOK_…) exist in RetryBuild's build only.
    ours = _start(reading, edited_at)
    if reading.start.by is Starter.WEBHOOK:
        ours = Retry(Way.RETRY_BUILD, overrides=ours.overrides, then=ours)
    return Retry(Way.AUTO_RETRY, overrides=ours.overrides, then=ours) if build.auto_retry_due else ours


def _not_as_batch(build: Build, snapshot: Snapshot) -> str | None:
    """A batch gives its builds images of their own, but no other credential than the project's."""
    if build.failure.phase != "PROVISIONING" or takes_registry_credential(snapshot.environment):
        return None
    return (
        f"set the image {build.environment.get('image')} in the project, then retry the failed builds of the batch: "
        "they pull with the project's credential, and CodeBuild takes none with the image that the project has"
    )


def _start(reading: Reading, edited_at: float) -> Retry:
    build, found = reading.build, reading.overrides
    if (build.document.get("source") or {}).get("type") == "CODEPIPELINE":
        return Retry(Way.START_BUILD, "retry the failed stage of the pipeline: the build has its source from there")
    if found.lost:
        lost = ", ".join(found.lost)
        return Retry(Way.START_BUILD, f"start the build again as it was started; it differs from the project in {lost}")
    if not found.names or edited_at <= build.started_at:
        return Retry(Way.START_BUILD, overrides=found.names)
    return Retry(
        Way.START_BUILD,
        f"start the build again; it differs from the project in {', '.join(found.names)}, and the project was edited "
        "since, so whether these were overrides can't be told",
    )
