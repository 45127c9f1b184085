"""CodeBuild as its callers see it: projects, builds, batches of builds, webhooks."""

import copy
import random
from collections.abc import Callable, Sequence
from typing import Literal

from local.simulator.batches import Batches, BatchRetry
from local.simulator.batchspec import BatchBuild
from local.simulator.buildlog import BuildLog
from local.simulator.builds import Builds, Record, RetryUses, initiator_of
from local.simulator.errors import ServiceError, invalid_input
from local.simulator.projects import Projects
from local.simulator.run import BuildRun, Conditions
from local.simulator.service import Service
from local.simulator.webhooks import Webhooks
from local.simulator.world import Document, RunCommands, World, commands_succeed

_Operation = Callable[[Document], Document]


class CodeBuild(Service):
    """A simulated CodeBuild of one account and region; safe to call from several threads.

    `seed` decides build ids, wordings and durations. What AWS leaves open is answered by two settings that may
    be changed at any time: `retry_uses`, whether a build that is retried, alone or in its batch, has the old
    build's settings (`snapshot`) or the project's current ones; `batch_retry`, whether a retried batch is the
    `same` batch or a `new` one. `pace` stretches the seconds that phases take. `after_build` holds what is
    called with each build's document when it has ended, outside any lock and after its last event.
    """

    name = "codebuild"
    target_prefix = "CodeBuild_20161006."

    def __init__(
        self,
        world: World,
        *,
        seed: int,
        retry_uses: RetryUses = "snapshot",
        batch_retry: BatchRetry = "same",
        pace: float = 1.0,
        unreadable_credential: Literal["PROVISIONING", "DOWNLOAD_SOURCE"] = "PROVISIONING",
        run_commands: RunCommands = commands_succeed,
    ) -> None:
        super().__init__(world)
        self.retry_uses = retry_uses
        self.batch_retry = batch_retry
        self.after_build: list[Callable[[Document], None]] = []
        self._conditions = Conditions(pace, unreadable_credential, run_commands)
        self._projects = Projects(world)
        self._builds = Builds(world, self._projects, random.Random(seed))
        self._batches = Batches(world, self._projects, self._builds, random.Random(f"batches {seed}"))
        self._webhooks = Webhooks(self._projects)
        self._operations: dict[str, _Operation] = {
            "BatchGetBuildBatches": self._batches.batch_get,
            "BatchGetBuilds": self._builds.batch_get,
            "BatchGetProjects": self._projects.batch_get,
            "CreateProject": self._projects.create,
            "CreateWebhook": self._webhooks.create,
            "DeleteProject": self._projects.delete,
            "DeleteWebhook": self._webhooks.delete,
            "ListBuilds": self._builds.list,
            "ListBuildsForProject": self._list_for_project,
            "ListProjects": self._projects.list,
            "UpdateProject": self._projects.update,
            "UpdateProjectVisibility": self._webhooks.update_visibility,
            "UpdateWebhook": self._webhooks.update,
        }

    def plant_project(self, document: Document) -> None:
        """Put a project there unchecked, with members that no model knows if need be; `name` is required."""
        with self._lock:
            self._projects.plant(document)

    def project(self, name: str) -> Document:
        """A project's stored document, whole, without a call on record."""
        with self._lock:
            return copy.deepcopy(self._projects.find(name))

    def build(self, build_id: str) -> Document:
        """A build's document, without a call on record."""
        with self._lock:
            return copy.deepcopy(self._builds.find(build_id).document)

    def start_build(self, request: Document, initiator: str, *, batch_arn: str | None = None) -> Document:
        """Start a build as no caller does: initiator `codepipeline/x`, `GitHub-Hookshot/x`; in a batch."""
        with self._lock:
            record, _ = self._builds.start(request, initiator, batch_arn)
            answer = copy.deepcopy(record.document)
            run = self._prepare(record)
        self._launch(run)
        return answer

    def batch(self, batch_id: str) -> Document:
        """A batch's document as it is now, without a call on record."""
        with self._lock:
            return self._batches.shown(self._batches.find(batch_id))

    def start_batch(self, project: str, builds: Sequence[BatchBuild], initiator: str) -> Document:
        """Start a batch of just these builds: an identifier and StartBuild's overrides for each."""
        with self._lock:
            batch, records = self._batches.start({"projectName": project}, initiator, builds)
            answer = self._batches.shown(batch)
            runs = [self._prepare(record) for record in records]
        for run in runs:
            self._launch(run)
        return answer

    def _dispatch(self, operation: str, request: Document, caller: str) -> Document:
        if operation in ("StartBuild", "RetryBuild"):
            return self._start(operation, request, initiator_of(caller))
        if operation in ("StartBuildBatch", "RetryBuildBatch"):
            return self._start_batch(operation, request, initiator_of(caller))
        if operation == "StopBuild":
            return self._stop(request)
        if operation not in self._operations:
            raise ServiceError("UnknownOperationException", f"The simulator has no operation {operation}")
        with self._lock:
            return self._operations[operation](request)

    def _start(self, operation: str, request: Document, initiator: str) -> Document:
        with self._lock:
            if operation == "StartBuild":
                self._refuse_pipeline(request)
                record, new = self._builds.start(request, initiator)
            else:
                record, new = self._builds.retry(request, initiator, self.retry_uses)
            answer = {"build": copy.deepcopy(record.document)}
            run = self._prepare(record) if new else None
        if run is not None:
            self._launch(run)
        return answer

    def _start_batch(self, operation: str, request: Document, initiator: str) -> Document:
        with self._lock:
            if operation == "StartBuildBatch":
                batch, records = self._batches.start(request, initiator)
            else:
                batch, records = self._batches.retry(request, initiator, self.retry_uses, self.batch_retry)
            answer = {"buildBatch": self._batches.shown(batch)}
            runs = [self._prepare(record) for record in records]
        for run in runs:
            self._launch(run)
        return answer

    def _refuse_pipeline(self, request: Document) -> None:
        # https://github.com/aws-actions/aws-codebuild-run-build/issues/114
        project = self._projects.find(request.get("projectName"))
        if project["artifacts"]["type"] == "CODEPIPELINE" and "artifactsOverride" not in request:
            raise invalid_input("ArtifactsOverride must be set when using artifacts type CodePipelines")

    def _stop(self, request: Document) -> Document:
        with self._lock:
            record = self._builds.find(request.get("id"))
        record.stop()
        with self._lock:
            return {"build": copy.deepcopy(record.document)}

    def _list_for_project(self, request: Document) -> Document:
        if not request.get("projectName"):
            raise invalid_input("Project name is required")
        return self._builds.list(request)

    def _prepare(self, record: Record) -> BuildRun:
        log = BuildLog(self._world, record.document, record.settings.get("logsConfig", {}))
        run = BuildRun(
            self._world,
            record.document,
            log,
            record.rng,
            self._lock,
            self._conditions,
            self._ended,
        )
        record.stop = run.stop
        return run

    def _launch(self, run: BuildRun) -> None:
        run.announce()
        self._world.start(run)

    def _ended(self, document: Document) -> Callable[[], None]:
        """What follows the end of a build, to be called when its last event is out."""
        next_run = self._retry_automatically(document)
        ended = copy.deepcopy(document)

        def follow() -> None:
            if next_run is not None:
                self._launch(next_run)
            for hook in list(self.after_build):
                hook(copy.deepcopy(ended))

        return follow

    def _retry_automatically(self, document: Document) -> BuildRun | None:
        """CodeBuild's own auto-retry: the build that follows a failed one, if one does.

        "CodeBuild does not support auto-retry for CodePipeline."
        https://docs.aws.amazon.com/codebuild/latest/userguide/auto-retry-build.html. Of the builds of a batch
        nothing is documented; here none follows them either.
        """
        config = document.get("autoRetryConfig")
        if document["buildStatus"] != "FAILED" or not config:
            return None
        if str(document["initiator"]).startswith("codepipeline/") or "buildBatchArn" in document:
            return None
        if config["autoRetryNumber"] >= config["autoRetryLimit"]:
            return None
        try:
            record, _ = self._builds.retry({"id": document["id"]}, str(document["initiator"]), self.retry_uses)
        except ServiceError:  # the project is gone, or can't be built any more
            return None
        record.document["autoRetryConfig"] = {
            "autoRetryLimit": config["autoRetryLimit"],
            "autoRetryNumber": config["autoRetryNumber"] + 1,
            "previousAutoRetry": document["arn"],
        }
        config["nextAutoRetry"] = record.document["arn"]
        return self._prepare(record)
