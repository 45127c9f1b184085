"""Batches of builds: what they consist of, what became of them, and how their failed builds are started again.

A batch's children are ordinary builds of the same project that carry its ARN; a batch says of itself only what
they say together. Nobody publishes an event about it.
"""

import copy
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from local.simulator.batchspec import BatchBuild, builds_of
from local.simulator.builds import Builds, Record, RetryUses
from local.simulator.composition import compose, resolved_version
from local.simulator.errors import invalid_input, not_found
from local.simulator.identifiers import arn_of, key_of
from local.simulator.projects import Projects, look_up
from local.simulator.tokens import Tokens
from local.simulator.world import Document, World

BatchRetry = Literal["same", "new"]
_KIND = "build-batch"
_NOT_FOR_BUILDS = (
    "buildBatchConfigOverride",
    "buildTimeoutInMinutesOverride",
    "debugSessionEnabled",
    "idempotencyToken",
    "reportBuildBatchStatusOverride",
)
_RENAMED = {"logsConfig": "logConfig", "timeoutInMinutes": "buildTimeoutInMinutes"}


@dataclass(frozen=True)
class Group:
    """One build of a batch: its id now, and those of the builds that were there before it."""

    identifier: str
    build: str
    prior: tuple[str, ...] = ()


@dataclass
class Batch:
    """`document` has what never changes; `running_since` is when its builds were last started."""

    document: Document
    running_since: float
    groups: list[Group] = field(default_factory=list)


class Batches:
    """The batches of one account and region. Not thread-safe: CodeBuild holds the lock.

    Any project may have batches, with `buildBatchConfig` or without.
    """

    def __init__(self, world: World, projects: Projects, builds: Builds, rng: random.Random) -> None:
        self._world = world
        self._projects = projects
        self._builds = builds
        self._rng = rng
        self._tokens = Tokens(world)
        self._batches: dict[str, Batch] = {}
        self._counts: dict[str, int] = {}

    def start(
        self, request: Document, initiator: str, builds: Sequence[BatchBuild] | None = None
    ) -> tuple[Batch, list[Record]]:
        """StartBuildBatch: the batch, and the builds that have to be launched; `builds` replaces the buildspec's."""
        project = self._projects.find(request.get("projectName"))
        earlier = self._tokens.made("StartBuildBatch", request)
        if earlier is not None:
            return self._batches[earlier], []
        shared = _for_builds(request)
        settings = compose(project, shared, self._world.account)
        listed = builds_of(str(settings["source"].get("buildspec", ""))) if builds is None else builds
        if not listed or len({identifier for identifier, _ in listed}) < len(listed):
            raise invalid_input("Invalid batch: it needs builds, each with an identifier of its own")
        config = request.get("buildBatchConfigOverride") or project.get("buildBatchConfig") or {}
        batch = self._add(project["name"], settings, config, initiator)
        records = []
        for identifier, overrides in listed:
            record, _ = self._builds.start(_merged(shared, overrides), initiator, batch.document["arn"])
            records.append(record)
            batch.groups.append(Group(identifier, record.document["id"]))
        self._tokens.remember("StartBuildBatch", request, batch.document["id"])
        return batch, records

    def retry(
        self, request: Document, initiator: str, uses: RetryUses, makes: BatchRetry
    ) -> tuple[Batch, list[Record]]:
        """RetryBuildBatch: the batch, and the builds that have to be launched; without a type all are retried.

        "Only batch builds that have failed can be retried." Documented nowhere: whether the retried batch is the
        same one, and whose settings its builds have.
        """
        original = self.find(request.get("id"))
        kind = request.get("retryType") or "RETRY_ALL_BUILDS"
        if kind not in ("RETRY_ALL_BUILDS", "RETRY_FAILED_BUILDS"):
            raise invalid_input(f"Invalid retry type: {kind}")
        earlier = self._tokens.made("RetryBuildBatch", request)
        if earlier is not None:
            return self._batches[earlier], []
        if self._status(original) != "FAILED":
            raise invalid_input("Invalid build batch status: only batch builds that have failed can be retried")
        self._projects.find(original.document["projectName"])
        batch = original if makes == "same" else self._copy(original, initiator)
        groups, records = [], []
        for group in original.groups:
            if kind == "RETRY_FAILED_BUILDS" and self._build(group.build)["buildStatus"] == "SUCCEEDED":
                groups.append(group)
                continue
            record, _ = self._builds.retry({"id": group.build}, initiator, uses, batch.document["arn"])
            records.append(record)
            groups.append(Group(group.identifier, record.document["id"], (*group.prior, group.build)))
        batch.groups = groups
        batch.running_since = self._world.now()
        self._tokens.remember("RetryBuildBatch", request, batch.document["id"])
        return batch, records

    def find(self, batch_id: object) -> Batch:
        """A batch by its id or ARN."""
        key = key_of(batch_id, _KIND)
        if key not in self._batches:
            raise not_found(f"Build batch {key} cannot be found")
        return self._batches[key]

    def batch_get(self, request: Document) -> Document:
        """BatchGetBuildBatches."""
        return look_up("buildBatches", "build batch ids", request.get("ids"), lambda key: self.shown(self.find(key)))

    def shown(self, batch: Batch) -> Document:
        """The batch as BatchGetBuildBatches returns it now."""
        status = self._status(batch)
        document = {
            **copy.deepcopy(batch.document),
            "currentPhase": status,
            "buildBatchStatus": status,
            "complete": status != "IN_PROGRESS",
            "buildGroups": [self._shown_group(group) for group in batch.groups],
        }
        started, running = batch.document["startTime"], batch.running_since
        phases = [_phase("SUBMITTED", started, running), _phase("DOWNLOAD_BATCHSPEC", running, running)]
        if status == "IN_PROGRESS":
            phases.append({"phaseType": "IN_PROGRESS", "startTime": running})
        else:
            ended = max(self._build(group.build)["endTime"] for group in batch.groups)
            document["endTime"] = ended
            phases += [_phase("IN_PROGRESS", running, ended, status), {"phaseType": status, "startTime": ended}]
        return {**document, "phases": phases}

    def _status(self, batch: Batch) -> str:
        builds = [self._build(group.build) for group in batch.groups]
        if not all(build["buildComplete"] for build in builds):
            return "IN_PROGRESS"
        return "SUCCEEDED" if all(build["buildStatus"] == "SUCCEEDED" for build in builds) else "FAILED"

    def _shown_group(self, group: Group) -> Document:
        return {
            "identifier": group.identifier,
            "dependsOn": [],
            "ignoreFailure": False,
            "currentBuildSummary": self._summary(group.build),
            "priorBuildSummaryList": [self._summary(build) for build in group.prior],
        }

    def _summary(self, build_id: str) -> Document:
        build = self._build(build_id)
        return {"arn": build["arn"], "requestedOn": build["startTime"], "buildStatus": build["buildStatus"]}

    def _build(self, build_id: str) -> Document:
        return self._builds.find(build_id).document

    def _add(self, project: str, settings: Document, config: Document, initiator: str) -> Batch:
        shown = {_RENAMED.get(member, member): value for member, value in copy.deepcopy(settings).items()}
        shown.pop("autoRetryLimit", None)
        commit = resolved_version(settings["source"], settings.get("sourceVersion") or "")
        return self._keep(
            {
                "projectName": project,
                "initiator": initiator,
                **shown,
                **({"resolvedSourceVersion": commit} if commit else {}),
                "buildBatchConfig": copy.deepcopy(config),
                "debugSessionEnabled": False,
                "reportArns": [],
            }
        )

    def _copy(self, original: Batch, initiator: str) -> Batch:
        return self._keep({**copy.deepcopy(original.document), "initiator": initiator})

    def _keep(self, members: Document) -> Batch:
        """A batch of these members under an id of its own."""
        project = str(members["projectName"])
        number = self._counts[project] = self._counts.get(project, 0) + 1
        key = f"{project}:{uuid.UUID(bytes=self._rng.randbytes(16), version=4)}"
        now = self._world.now()
        own = {"id": key, "arn": arn_of(self._world, _KIND, key), "startTime": now, "buildBatchNumber": number}
        batch = Batch({**members, **own}, now)
        self._batches[key] = batch
        return batch


def _for_builds(request: Document) -> Document:
    """What a StartBuildBatch request says of every build of the batch, as StartBuild takes it."""
    shared = {member: value for member, value in request.items() if member not in _NOT_FOR_BUILDS}
    if request.get("buildTimeoutInMinutesOverride") is not None:
        shared["timeoutInMinutesOverride"] = request["buildTimeoutInMinutesOverride"]
    return shared


def _merged(shared: Document, own: Document) -> Document:
    merged = {**shared, **own}
    variables = "environmentVariablesOverride"
    if variables in merged:
        merged[variables] = [*(shared.get(variables) or []), *(own.get(variables) or [])]
    return merged


def _phase(kind: str, start: float, end: float, status: str = "SUCCEEDED") -> Document:
    return {
        "phaseType": kind,
        "phaseStatus": status,
        "startTime": start,
        "endTime": end,
        "durationInSeconds": int(end - start),
    }
