"""Keeps the order in which failed builds are run again: a superseded one is not, independent jobs come oldest first.

It writes to the journal only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.aws.client import NotStarted
from remediator.core.case import Case
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildArn
from remediator.core.job import Job
from remediator.core.outcome import Outcome, patched
from remediator.core.retry.way import Way
from remediator.core.value import value
from remediator.core.wording import moment
from remediator.services import Services

if TYPE_CHECKING:
    from remediator.records.retry_order import Waiting


@value
class Turn:
    """Is it this execution's turn to start its build?"""

    mine: bool = False


@value
class Order:
    job: Job
    services: Services

    # Independent jobs

    def line_up(self) -> Waiting | None:
        """Wait for a turn from now on; None for a build that CodeBuild does not know."""
        from remediator.records.retry_order import Waiting

        build = self.services.codebuild.build(self.job.build)
        if build is None:
            return None
        one = Waiting(round(build.started_at * 1000), self.job.build.uuid, self.job.execution)
        self.services.retry_order.enter(self.job.build.project, one)
        return one

    def turn(self, one: Waiting) -> Turn:
        """Is it the oldest one that waits? An execution that no longer runs waits no more."""
        project, order = self.job.build.project, self.services.retry_order
        for first in order.waiting(project):
            if first.text >= one.text:
                break
            if self.services.executions.is_running(first.execution):
                return Turn()
            order.leave(project, first)
        return Turn(mine=True)

    def leave(self, one: Waiting) -> None:
        self.services.retry_order.leave(self.job.build.project, one)

    # Builds that replace each other

    def objection(self, case: Case, known: tuple[str, ...]) -> Outcome | None:
        """Outcome where the job's build is superseded; None where it may be run again. `known` are the ARNs of builds,
        and the ids of batches, that this execution started."""
        newer = self.newer(case, known)
        return superseded(case, newer) if newer else None

    def newer(self, case: Case, known: tuple[str, ...]) -> Build | None:
        """The build that supersedes the job's, where that counts. NotStarted where that can't be told.

        A retry that failed too is as old as the build that it repeats, whose version says more. A batch is as old as
        its own start, a chain of automatic retries as its first build.
        """
        if self.services.settings.retry_superseded:
            return None
        codebuild, batch_id = self.services.codebuild, case.failed.batch
        batch = codebuild.batch(batch_id) if batch_id else None
        kind, _, id_ = case.failed.unit.partition("#")
        first = id_ if kind == "chain" else self.job.build.id
        builds = codebuild.builds_since(self.job.build.project, first, batch.started_at if batch else None)
        if not builds:
            return None
        from remediator.core.retry.superseded import newer_build

        build = next((one for one in builds if one.document["id"] == first), None)
        if build is None:
            raise NotStarted("CodeBuild no longer has its record, so whether a newer one replaces it can't be told")
        # A batch may wait before it starts its builds.
        ids = sorted({one.batch for one in builds if one.batch})
        batches = [one for at in range(0, len(ids), 100) for one in codebuild.batches(ids[at : at + 100])]
        return newer_build(build, builds, known, {one.id: one.started_at for one in batches})


def superseded(case: Case, newer: Build) -> Outcome:
    """Outcome for a build that is not run again, with the command for whoever wants it all the same."""
    signed_in = "" if case.waits else "the project is signed in; "
    return patched(
        f"{signed_in}the build was not run again: it is superseded by {newer.failure.build.id}, which was started for "
        f"the same reference at {moment(newer.started_at)}",
        _run_it_all_the_same(case),
    )


def _run_it_all_the_same(case: Case) -> str:
    import shlex

    from remediator.core.advice.layout import artefact

    failed = case.failed
    build = BuildArn.parse(failed.build)
    command = f"aws codebuild start-build --project-name {shlex.quote(build.project)}"
    if case.retry.way is Way.RETRY_BATCH:
        command = f"aws codebuild retry-build-batch --id {shlex.quote(failed.batch)} --retry-type RETRY_FAILED_BUILDS"
    elif case.retry.way is Way.RETRY_BUILD:
        command = f"aws codebuild retry-build --id {shlex.quote(build.id)}"
    elif failed.source_version:
        command = f"{command} --source-version {shlex.quote(failed.source_version)}"
    why = "an older state of the source would be built, or deployed, after a newer one"
    if case.retry.overrides:
        why = f"{why}; the build differs from the project in {', '.join(case.retry.overrides)}"
    return artefact("Start this build yourself only if you want its result.", where="a shell", why=why, paste=command)
