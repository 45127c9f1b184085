"""Who may make a project build, and who may look at it: webhooks and visibility."""

import copy

from local.simulator.errors import ServiceError, invalid_input, not_found
from local.simulator.projects import Projects
from local.simulator.world import Document

_SETTINGS = (
    "branchFilter",
    "filterGroups",
    "buildType",
    "manualCreation",
    "scopeConfiguration",
    "pullRequestBuildPolicy",
)


class Webhooks:
    """Webhook and visibility of the projects. Not thread-safe: CodeBuild holds the lock."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    def create(self, request: Document) -> Document:
        """CreateWebhook."""
        project = self._projects.find(request.get("projectName"))
        if "webhook" in project:
            raise ServiceError("ResourceAlreadyExistsException", f"Webhook already exists: {project['arn']}")
        if project["source"]["type"] in ("NO_SOURCE", "S3", "CODEPIPELINE", "CODECOMMIT"):
            raise invalid_input(f"Webhooks are not supported for source type {project['source']['type']}")
        project["webhook"] = {
            "url": f"https://api.github.com/repos/example/{project['name']}/hooks/1",
            "status": "ACTIVE",
            **_settings(request),
        }
        return {"webhook": copy.deepcopy(project["webhook"])}

    def update(self, request: Document) -> Document:
        """UpdateWebhook."""
        webhook = self._find(request)["webhook"]
        webhook.update(_settings(request))
        return {"webhook": copy.deepcopy(webhook)}

    def delete(self, request: Document) -> Document:
        """DeleteWebhook."""
        del self._find(request)["webhook"]
        return {}

    def update_visibility(self, request: Document) -> Document:
        """UpdateProjectVisibility."""
        project = self._projects.find(request.get("projectArn"))
        visibility = request.get("projectVisibility")
        if visibility not in ("PUBLIC_READ", "PRIVATE"):
            raise invalid_input(f"Invalid project visibility: {visibility}")
        project["projectVisibility"] = visibility
        project["publicProjectAlias"] = f"alias-{project['name']}"
        if "resourceAccessRole" in request:
            project["resourceAccessRole"] = request["resourceAccessRole"]
        return {member: project[member] for member in ("projectVisibility", "publicProjectAlias")} | {
            "projectArn": project["arn"]
        }

    def _find(self, request: Document) -> Document:
        project = self._projects.find(request.get("projectName"))
        if "webhook" not in project:
            raise not_found(f"Webhook cannot be found for project: {project['arn']}")
        return project


def _settings(request: Document) -> Document:
    return {member: copy.deepcopy(request[member]) for member in _SETTINGS if member in request}
