"""Which builds there are, how one is started again, and what a list of them says."""

import copy
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from local.simulator.buildlog import no_log_yet
from local.simulator.composition import compose
from local.simulator.errors import not_found
from local.simulator.identifiers import arn_of, key_of
from local.simulator.projects import Projects, look_up, page
from local.simulator.tokens import Tokens
from local.simulator.world import Document, World

RetryUses = Literal["snapshot", "project"]


@dataclass
class Record:
    """A build as it is shown, and what was asked for to make it."""

    document: Document
    settings: Document
    request: Document
    rng: random.Random
    stop: Callable[[], None] = field(default=lambda: None)


class Builds:
    """The builds of one account and region. Not thread-safe: CodeBuild holds the lock."""

    def __init__(self, world: World, projects: Projects, rng: random.Random) -> None:
        self.records: dict[str, Record] = {}
        self._world = world
        self._projects = projects
        self._rng = rng
        self._tokens = Tokens(world)
        self._counts: dict[str, int] = {}

    def start(self, request: Document, initiator: str, batch_arn: str | None = None) -> tuple[Record, bool]:
        """A build of the project's current settings, or the one that the same token started: (record, new)."""
        project = self._projects.find(request.get("projectName"))
        earlier = self._tokens.made("StartBuild", request)
        if earlier is not None:
            return self.records[earlier], False
        settings = compose(project, request, self._world.account)
        record = self._add(project["name"], settings, request, initiator, batch_arn)
        self._tokens.remember("StartBuild", request, record.document["id"])
        return record, True

    def retry(
        self, request: Document, initiator: str, uses: RetryUses, batch_arn: str | None = None
    ) -> tuple[Record, bool]:
        """A build again; that AWS takes the old build's settings, or the project's, is documented nowhere."""
        original = self.find(request.get("id"))
        earlier = self._tokens.made("RetryBuild", request)
        if earlier is not None:
            return self.records[earlier], False
        project = self._projects.find(original.document["projectName"])
        if uses == "snapshot":
            settings = copy.deepcopy(original.settings)
        else:
            settings = compose(project, original.request, self._world.account)
        record = self._add(project["name"], settings, original.request, initiator, batch_arn)
        self._tokens.remember("RetryBuild", request, record.document["id"])
        return record, True

    def find(self, build_id: object) -> Record:
        """A record by the build's id or ARN."""
        key = key_of(build_id, "build")
        if key not in self.records:
            raise not_found(f"Build {key} cannot be found")
        return self.records[key]

    def batch_get(self, request: Document) -> Document:
        """BatchGetBuilds."""
        return look_up("builds", "build ids", request.get("ids"), lambda key: copy.deepcopy(self.find(key).document))

    def list(self, request: Document) -> Document:
        """ListBuilds and, with a projectName, ListBuildsForProject: newest first unless told otherwise."""
        name = self._projects.find(request["projectName"])["name"] if "projectName" in request else None
        ids = [key for key, record in self.records.items() if name in (None, record.document["projectName"])]
        if request.get("sortOrder") != "ASCENDING":
            ids.reverse()
        return page(ids, "ids", request)

    def _add(
        self, project: str, settings: Document, request: Document, initiator: str, batch_arn: str | None
    ) -> Record:
        world = self._world
        rng = random.Random(self._rng.randbytes(16))
        number = self._counts[project] = self._counts.get(project, 0) + 1
        build_id = f"{project}:{uuid.UUID(bytes=rng.randbytes(16), version=4)}"
        now = world.now()
        shown: Document = copy.deepcopy(settings)
        limit = shown.pop("autoRetryLimit", 0)
        shown.pop("logsConfig", None)
        document: Document = {
            "id": build_id,
            "arn": arn_of(world, "build", build_id),
            "buildNumber": number,
            "startTime": now,
            "currentPhase": "SUBMITTED",
            "buildStatus": "IN_PROGRESS",
            "projectName": project,
            "phases": [{"phaseType": "SUBMITTED", "startTime": now}],
            **shown,
            "logs": no_log_yet(world, nulls=rng.random() < 1 / 2),
            "buildComplete": False,
            "initiator": initiator,
        }
        if limit:
            document["autoRetryConfig"] = {"autoRetryLimit": limit, "autoRetryNumber": 0}
        if batch_arn is not None:
            document["buildBatchArn"] = batch_arn
        if request.get("debugSessionEnabled"):
            document["debugSession"] = {"sessionEnabled": True, "sessionTarget": build_id}
        record = Record(document, settings, copy.deepcopy(request), rng)
        self.records[build_id] = record
        return record


def initiator_of(caller: str) -> str:
    """Who started a build, as builds and events show it: a user's name, or `<Role>/<session>`."""
    kind, _, rest = caller.rsplit(":", 1)[-1].partition("/")
    if kind == "assumed-role":
        return rest
    return rest.rsplit("/", 1)[-1] or kind
