"""What a build is made of: the project's settings as they are now, and the overrides of one request."""

import copy
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from local.simulator import checks
from local.simulator.errors import invalid_input
from local.simulator.world import Document

_ENVIRONMENT = {
    "environmentTypeOverride": "type",
    "imageOverride": "image",
    "computeTypeOverride": "computeType",
    "certificateOverride": "certificate",
    "privilegedModeOverride": "privilegedMode",
    "registryCredentialOverride": "registryCredential",
    "imagePullCredentialsTypeOverride": "imagePullCredentialsType",
    "fleetOverride": "fleet",
    "hostKernelOverride": "hostKernel",
}
_SOURCE = {
    "sourceTypeOverride": "type",
    "sourceLocationOverride": "location",
    "sourceAuthOverride": "auth",
    "gitCloneDepthOverride": "gitCloneDepth",
    "gitSubmodulesConfigOverride": "gitSubmodulesConfig",
    "buildspecOverride": "buildspec",
    "insecureSslOverride": "insecureSsl",
    "reportBuildStatusOverride": "reportBuildStatus",
    "buildStatusConfigOverride": "buildStatusConfig",
}
_BUILD = {
    "cacheOverride": "cache",
    "serviceRoleOverride": "serviceRole",
    "timeoutInMinutesOverride": "timeoutInMinutes",
    "queuedTimeoutInMinutesOverride": "queuedTimeoutInMinutes",
    "encryptionKeyOverride": "encryptionKey",
    "secondarySourcesOverride": "secondarySources",
    "secondarySourcesVersionOverride": "secondarySourceVersions",
    "artifactsOverride": "artifacts",
    "secondaryArtifactsOverride": "secondaryArtifacts",
    "logsConfigOverride": "logsConfig",
    "autoRetryLimitOverride": "autoRetryLimit",
    "sourceVersion": "sourceVersion",
}
_FROM_PROJECT = (
    "source",
    "secondarySources",
    "sourceVersion",
    "secondarySourceVersions",
    "artifacts",
    "cache",
    "environment",
    "serviceRole",
    "timeoutInMinutes",
    "queuedTimeoutInMinutes",
    "encryptionKey",
    "vpcConfig",
    "logsConfig",
    "fileSystemLocations",
    "autoRetryLimit",
)
_REQUEST_ONLY = {"projectName", "idempotencyToken", "environmentVariablesOverride", "debugSessionEnabled"}
KNOWN_OVERRIDES = frozenset(_ENVIRONMENT) | frozenset(_SOURCE) | frozenset(_BUILD) | _REQUEST_ONLY

_COMMIT = re.compile(r"[0-9a-f]{40}")
_WITH_COMMITS = {"CODECOMMIT", "GITHUB", "GITHUB_ENTERPRISE", "BITBUCKET", "GITLAB", "GITLAB_SELF_MANAGED"}


def compose(project: Document, request: Mapping[str, Any], account: str) -> Document:
    """The settings of one build: every member of the project that a build shows, overrides applied.

    `artifacts` is in the build's form (BuildArtifacts); `logsConfig` and `autoRetryLimit` are for the run.
    Raises InvalidInputException as StartBuild does.
    """
    unknown = sorted(request.keys() - KNOWN_OVERRIDES)
    if unknown:
        raise invalid_input(f"Invalid input: StartBuild does not accept the member {unknown[0]}")
    settings = copy.deepcopy({member: project[member] for member in _FROM_PROJECT if member in project})
    _override(settings, request, _BUILD)
    _override(settings["environment"], request, _ENVIRONMENT)
    _override(settings["source"], request, _SOURCE)
    settings["environment"]["environmentVariables"] = _variables(settings["environment"], request)
    checked = copy.deepcopy(settings["environment"])
    checked.get("dockerServer", {}).pop("status", None)
    checks.check_environment(checked)
    checks.check_role(settings["serviceRole"], account)
    checks.check_buildspec(settings["source"].get("buildspec"))
    settings["artifacts"] = _built(settings.get("artifacts", {}))
    return settings


def resolved_version(source: Document, version: str) -> str | None:
    """The commit that a source version means; None where sources have no commits."""
    commits = _COMMIT.findall(version)
    if source["type"] not in _WITH_COMMITS:
        return None
    if commits:
        return str(commits[-1])
    # Any stable commit will do: the simulator has no repositories.
    return hashlib.sha1(f"{source.get('location')}@{version}".encode(), usedforsecurity=False).hexdigest()


def _override(target: Document, request: Mapping[str, Any], names: Mapping[str, str]) -> None:
    for override, member in names.items():
        if request.get(override) is not None:
            target[member] = copy.deepcopy(request[override])


def _variables(environment: Document, request: Mapping[str, Any]) -> list[Document]:
    merged = {variable["name"]: variable for variable in environment.get("environmentVariables", [])}
    merged |= {variable["name"]: variable for variable in request.get("environmentVariablesOverride") or []}
    return [{"type": "PLAINTEXT", **copy.deepcopy(variable)} for variable in merged.values()]


def _built(artifacts: Document) -> Document:
    if artifacts.get("type") == "S3":
        return {"location": f"arn:aws:s3:::{artifacts.get('location', '')}/{artifacts.get('name', '')}"}
    return {"location": ""}
