"""What a project is after each request: members that are sent replace whole members, the rest stays."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from local.simulator import checks
from local.simulator.errors import ServiceError, invalid_input, not_found
from local.simulator.world import Document, World

_MOST = 100
"""That a BatchGet call may name."""
_PAGE = 100


class Projects:
    """The projects of one account and region, as raw documents. Not thread-safe: CodeBuild holds the lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._documents: dict[str, Document] = {}

    def arn(self, name: str) -> str:
        world = self._world
        return f"arn:{world.partition}:codebuild:{world.region}:{world.account}:project/{name}"

    def find(self, name: object) -> Document:
        """The stored document itself, by name or ARN."""
        key = str(name).rsplit("/", 1)[-1] if str(name).startswith("arn:") else str(name)
        if key not in self._documents:
            raise not_found(f"Project cannot be found: {self.arn(key)}")
        return self._documents[key]

    def plant(self, document: Document) -> Document:
        """Put a project there as it is, unchecked; what AWS adds to every project is added where it is missing."""
        world = self._world
        now = world.now()
        project = {
            "timeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            "encryptionKey": f"arn:{world.partition}:kms:{world.region}:{world.account}:alias/aws/s3",
            "cache": {"type": "NO_CACHE"},
            "arn": self.arn(document["name"]),
            "created": now,
            "lastModified": now,
            "badge": {"badgeEnabled": False},
            "projectVisibility": "PRIVATE",
            "tags": [],
            **copy.deepcopy(document),
        }
        self._documents[project["name"]] = project
        return project

    def create(self, request: Document) -> Document:
        """CreateProject."""
        checks.check_members(request, "CreateProject")
        name = checks.check_name(request.get("name"))
        if name in self._documents:
            raise ServiceError("ResourceAlreadyExistsException", f"Project already exists: {self.arn(name)}")
        settings = copy.deepcopy(request)
        badge = {"badgeEnabled": bool(settings.pop("badgeEnabled", False))}
        checks.check_complete(settings)
        checks.check_project(settings, self._world.account)
        settings["environment"] = _environment(settings["environment"])
        return {"project": _shown(self.plant({**settings, "badge": badge}))}

    def update(self, request: Document) -> Document:
        """UpdateProject: as AWS, tags that are not sent are removed."""
        checks.check_members(request, "UpdateProject")
        before = self.find(checks.check_name(request.get("name")))
        sent = {member: value for member, value in copy.deepcopy(request).items() if value is not None}
        badge = sent.pop("badgeEnabled", None)
        checks.check_project(sent, self._world.account)
        after = {**before, "tags": [], **sent}
        if "environment" in sent:
            after["environment"] = _environment(sent["environment"])
        if badge is not None:
            after["badge"] = {"badgeEnabled": bool(badge)}
        if after.get("concurrentBuildLimit") == -1:
            del after["concurrentBuildLimit"]
        # A clock with coarse steps must not hide an update from who compares lastModified.
        after["lastModified"] = max(self._world.now(), round(before["lastModified"] + 0.001, 3))
        self._documents[after["name"]] = after
        return {"project": _shown(after)}

    def delete(self, request: Document) -> Document:
        """DeleteProject: no error when there is no such project."""
        self._documents.pop(checks.check_name(request.get("name")), None)
        return {}

    def batch_get(self, request: Document) -> Document:
        """BatchGetProjects, by names or ARNs."""
        return look_up("projects", "project names", request.get("names"), lambda name: _shown(self.find(name)))

    def list(self, request: Document) -> Document:
        """ListProjects: names in pages of a hundred, by name when nothing else is asked for."""
        checks.check_order(request)
        by = {"CREATED_TIME": "created", "LAST_MODIFIED_TIME": "lastModified"}.get(request.get("sortBy") or "", "name")
        ordered = sorted(self._documents.values(), key=lambda project: project[by])
        if request.get("sortOrder") == "DESCENDING":
            ordered.reverse()
        return page([project["name"] for project in ordered], "projects", request)


def look_up(member: str, what: str, named: list[str] | None, find: Callable[[str], Document]) -> Document:
    """The answer to a BatchGet call: each of those named once, found or not."""
    named = named or []
    if not 1 <= len(named) <= _MOST:
        raise invalid_input(f"Invalid {what}: must hold 1 to {_MOST} {what.rpartition(' ')[2]}")
    found, missing = [], []
    for name in dict.fromkeys(named):
        try:
            found.append(find(name))
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":
                raise
            missing.append(name)
    return {member: found, f"{member}NotFound": missing}


def page(values: list[str], member: str, request: Mapping[str, Any]) -> Document:
    """One page of a list; the token is the number of the next one's first value."""
    token = request.get("nextToken") or "0"
    if not token.isdigit() or int(token) > len(values):
        raise invalid_input("Invalid next token")
    start = int(token)
    answer: Document = {member: values[start : start + _PAGE]}
    if start + _PAGE < len(values):
        answer["nextToken"] = str(start + _PAGE)
    return answer


def _environment(sent: Document) -> Document:
    return {
        "environmentVariables": [],
        "privilegedMode": False,
        "imagePullCredentialsType": "CODEBUILD",
        **sent,
    }


def _shown(project: Document) -> Document:
    """The project as BatchGetProjects returns it."""
    shown = copy.deepcopy(project)
    if "dockerServer" in shown.get("environment", {}):
        shown["environment"]["dockerServer"].setdefault("status", {"status": "ACTIVE"})
    return shown
