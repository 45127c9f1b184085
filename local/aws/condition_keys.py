"""Which condition keys of CodeBuild a request carries.

Names and actions are those of the service authorization reference ("Actions, resources, and condition keys
for AWS CodeBuild"). A key is present exactly when the request carries the member, so `Null` conditions tell
which members a request may have at all. A key of a whole member (`codebuild:cache`) is true when present;
`codebuild:source.buildspec` supports `Null` only, so it is true as well and never the text. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]

WHOLE = "*"
_ARTIFACTS = ("bucketOwnerAccess", "encryptionDisabled", "location")
_SOURCE = (
    "auth.resource",
    "auth.type",
    "buildStatusConfig.context",
    "buildStatusConfig.targetUrl",
    "buildspec",
)
_S3_LOGS = ("bucketOwnerAccess", "encryptionDisabled", "location", "status")
_ENVIRONMENT = (
    "certificate",
    "computeType",
    "fleet.fleetArn",
    "image",
    "imagePullCredentialsType",
    "privilegedMode",
    "registryCredential.credential",
    "registryCredential.credentialProvider",
    "type",
)
_COMPUTE = ("disk", "instanceType", "machineType", "memory", "vCpu")

BUILD_KEYS: dict[str, tuple[str, ...]] = {
    "artifacts": (WHOLE, *_ARTIFACTS),
    "autoRetryLimit": (),
    "cache": (WHOLE, "location", "modes", "type"),
    "encryptionKey": (),
    "environment": (WHOLE, *_ENVIRONMENT),
    "logsConfig": (WHOLE, *(f"s3Logs.{name}" for name in _S3_LOGS)),
    "serviceRole": (),
    "source": (WHOLE, *_SOURCE, "insecureSsl", "location"),
}
"""Members that StartBuild and UpdateProject share, each with the members of it that have keys of their own."""

PROJECT_KEYS: dict[str, tuple[str, ...]] = {
    **BUILD_KEYS,
    "buildBatchConfig": (
        WHOLE,
        "restrictions.computeTypesAllowed",
        "restrictions.fleetsAllowed",
        "serviceRole",
    ),
    "concurrentBuildLimit": (),
    "environment": (*BUILD_KEYS["environment"], *(f"computeConfiguration.{name}" for name in _COMPUTE)),
    "vpcConfig": (WHOLE, "securityGroupIds", "subnets", "vpcId"),
}
"""The same for CreateProject and UpdateProject."""

LISTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fileSystemLocations": ("identifier", ("location", "type")),
    "secondaryArtifacts": ("artifactIdentifier", _ARTIFACTS),
    "secondarySources": ("sourceIdentifier", (*_SOURCE, "insecureSsl", "location")),
}
"""Lists: the member that names an element, and what has a key for all elements and one for each by name."""

NULL_ONLY = ("source.buildspec", "secondarySources.buildspec")

OVERRIDES = {
    "artifactsOverride": "artifacts",
    "autoRetryLimitOverride": "autoRetryLimit",
    "buildspecOverride": "source.buildspec",
    "buildStatusConfigOverride": "source.buildStatusConfig",
    "cacheOverride": "cache",
    "certificateOverride": "environment.certificate",
    "computeTypeOverride": "environment.computeType",
    "encryptionKeyOverride": "encryptionKey",
    "environmentTypeOverride": "environment.type",
    "environmentVariablesOverride": "environment.environmentVariables",
    "fleetOverride": "environment.fleet",
    "imageOverride": "environment.image",
    "imagePullCredentialsTypeOverride": "environment.imagePullCredentialsType",
    "insecureSslOverride": "source.insecureSsl",
    "logsConfigOverride": "logsConfig",
    "privilegedModeOverride": "environment.privilegedMode",
    "registryCredentialOverride": "environment.registryCredential",
    "secondaryArtifactsOverride": "secondaryArtifacts",
    "secondarySourcesOverride": "secondarySources",
    "serviceRoleOverride": "serviceRole",
    "sourceAuthOverride": "source.auth",
    "sourceLocationOverride": "source.location",
    "sourceTypeOverride": "source.type",
}
"""Which member of a project an override of StartBuild stands for."""


def codebuild_keys(operation: str, request: Document) -> Document:
    """The `codebuild:` keys of a request and their values; empty for operations that have none."""
    if operation in ("CreateProject", "UpdateProject"):
        return dict(_keys(request, PROJECT_KEYS))
    if operation in ("StartBuild", "StartBuildBatch"):
        return dict(_keys(_as_project(request), BUILD_KEYS))
    if operation == "UpdateProjectVisibility" and "projectVisibility" in request:
        return {"codebuild:projectVisibility": request["projectVisibility"]}
    return {}


def _as_project(request: Document) -> Document:
    """A StartBuild request with its overrides where a project has them."""
    project: Document = {}
    for override, path in OVERRIDES.items():
        if override in request:
            *parents, last = path.split(".")
            place = project
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = request[override]
    return project


def _keys(request: Document, members: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, Any]]:
    for member, inner in members.items():
        if request.get(member) is None:
            continue
        if WHOLE in inner or not inner:
            yield f"codebuild:{member}", _text(request[member])
        for path in inner:
            value = _at(request[member], path)
            if path != WHOLE and value is not None:
                yield (
                    f"codebuild:{member}.{path}",
                    "true" if f"{member}.{path}" in NULL_ONLY else _text(value),
                )
    environment = request.get("environment") or {}
    for whole in ("environmentVariables", "registryCredential", "computeConfiguration"):
        if environment.get(whole) is not None and (whole != "computeConfiguration" or members is PROJECT_KEYS):
            yield f"codebuild:environment.{whole}", "true"
    if (request.get("logsConfig") or {}).get("s3Logs") is not None:
        yield "codebuild:logsConfig.s3Logs", "true"
    yield from _variables(environment.get("environmentVariables"))
    for member, (name, inner) in LISTS.items():
        if member != "fileSystemLocations" or members is PROJECT_KEYS:
            yield from _list(member, name, inner, request.get(member))


def _variables(variables: list[Document] | None) -> Iterator[tuple[str, Any]]:
    prefix = "codebuild:environment.environmentVariables"
    if variables:
        yield f"{prefix}.name", [variable.get("name", "") for variable in variables]
        yield f"{prefix}.value", [variable.get("value", "") for variable in variables]
        for variable in variables:
            yield f"{prefix}/{variable.get('name')}.value", variable.get("value", "")


def _list(member: str, name: str, inner: tuple[str, ...], elements: list[Document] | None) -> Iterator[tuple[str, Any]]:
    if elements is None:
        return
    if member != "fileSystemLocations":  # the one list without a key of its own
        yield f"codebuild:{member}", "true"
    if elements:
        yield f"codebuild:{member}.{name}", [element.get(name, "") for element in elements]
    for path in inner:
        values = [(element.get(name), _at(element, path)) for element in elements]
        present = [(which, value) for which, value in values if value is not None]
        if present:
            yield f"codebuild:{member}.{path}", [_text(value) for _, value in present]
        for which, value in present:
            yield f"codebuild:{member}/{which}.{path}", _text(value)


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "true"
    if isinstance(value, list):
        return [_text(element) for element in value]
    return str(value)
