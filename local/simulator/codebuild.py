"""The service as its callers see it: one operation, one answer or one refusal, and a record of every call."""

import copy
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from local.simulator.buildlog import BuildLog
from local.simulator.builds import Builds, Record, RetryUses, initiator_of
from local.simulator.errors import ServiceError, invalid_input
from local.simulator.projects import Projects
from local.simulator.run import BuildRun, Conditions
from local.simulator.webhooks import Webhooks
from local.simulator.world import Document, RunCommands, World, commands_succeed

BeforeCall = Callable[[str, Document], None]
_Operation = Callable[[Document], Document]


@dataclass(frozen=True)
class Call:
    """One request as it arrived: `time` in epoch seconds, `error` the code of a refusal or None."""

    time: float
    operation: str
    request: Document
    caller: str
    error: str | None


class CodeBuild:
    """A simulated CodeBuild of one account and region; safe to call from several threads.

    `seed` decides build ids, wordings and durations. `retry_uses` is the answer to what AWS leaves open:
    whether RetryBuild takes the old build's settings (`snapshot`) or the project's current ones; it may be
    changed at any time. `pace` stretches the seconds that phases take. `before_call` holds hooks that see each
    operation and request first, outside any lock: one that blocks holds that call back, one that raises
    ServiceError refuses it.
    `calls` records every call in the order in which they were answered.
    """

    def __init__(
        self,
        world: World,
        *,
        seed: int,
        retry_uses: RetryUses = "snapshot",
        pace: float = 1.0,
        unreadable_credential: Literal["PROVISIONING", "DOWNLOAD_SOURCE"] = "PROVISIONING",
        run_commands: RunCommands = commands_succeed,
    ) -> None:
        self.retry_uses = retry_uses
        self.before_call: list[BeforeCall] = []
        self.calls: list[Call] = []
        self._world = world
        self._conditions = Conditions(pace, unreadable_credential, run_commands)
        self._lock = threading.RLock()
        self._projects = Projects(world)
        self._builds = Builds(world, self._projects, random.Random(seed))
        self._webhooks = Webhooks(self._projects)
        self._operations: dict[str, _Operation] = {
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

    def call(self, operation: str, request: Document, caller: str) -> Document:
        """Answer one request as its JSON is on the wire; raises ServiceError. `caller` is an ARN."""
        seen = copy.deepcopy(request)
        error: str | None = None
        try:
            for hook in list(self.before_call):
                hook(operation, copy.deepcopy(seen))
            return self._dispatch(operation, copy.deepcopy(seen), caller)
        except ServiceError as refusal:
            error = refusal.code
            raise
        finally:
            with self._lock:
                self.calls.append(Call(self._world.now(), operation, seen, caller, error))

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

    def _dispatch(self, operation: str, request: Document, caller: str) -> Document:
        if operation in ("StartBuild", "RetryBuild"):
            return self._start(operation, request, initiator_of(caller))
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
            self._retry_automatically,
        )
        record.stop = run.stop
        return run

    def _launch(self, run: BuildRun) -> None:
        run.announce()
        self._world.start(run)

    def _retry_automatically(self, document: Document) -> Callable[[], None] | None:
        """CodeBuild's own auto-retry: how to launch the build that follows a failed one, if one does."""
        config = document.get("autoRetryConfig")
        if document["buildStatus"] != "FAILED" or not config:
            return None
        if config["autoRetryNumber"] >= config["autoRetryLimit"]:
            return None
        request = {"id": document["id"]}
        record, _ = self._builds.retry(request, str(document["initiator"]), self.retry_uses)
        record.document["autoRetryConfig"] = {
            "autoRetryLimit": config["autoRetryLimit"],
            "autoRetryNumber": config["autoRetryNumber"] + 1,
            "previousAutoRetry": document["arn"],
        }
        config["nextAutoRetry"] = record.document["arn"]
        return partial(self._launch, self._prepare(record))
