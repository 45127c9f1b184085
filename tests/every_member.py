"""A project with every member that botocore's CodeBuild model knows, none at its default, and some that it does not."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import botocore.session

Document = dict[str, Any]

UNKNOWN_AT_TOP = "retentionPolicy"
UNKNOWN_IN_ENVIRONMENT = "snapshotBoot"
UNKNOWN_IN_DOCKER_SERVER = "evictionPolicy"
UNKNOWN_IN_VARIABLE = "maskedInLogs"

_CHOSEN: dict[str, Any] = {
    "environment.type": "ARM_CONTAINER",
    "environment.image": "bitnami/node:22",
    "environment.imagePullCredentialsType": "CODEBUILD",
    "environment.registryCredential.credentialProvider": "SECRETS_MANAGER",
    "environment.environmentVariables[].type": "PARAMETER_STORE",
    "projectVisibility": "PRIVATE",
    "source.type": "GITHUB",
    "source.buildspec": "ci/build.yml",
    "webhook.filterGroups[][].type": "EVENT",
    "webhook.filterGroups[][].pattern": "PUSH",
    "webhook.filterGroups[][].excludeMatchedPattern": False,
    "webhook.buildType": "BUILD",
    "webhook.pullRequestBuildPolicy.requiresCommentApproval": "ALL_PULL_REQUESTS",
    "webhook.pullRequestBuildPolicy.approverRoles[]": "GITHUB_ADMIN",
    "timeoutInMinutes": 45,
    "queuedTimeoutInMinutes": 90,
    "autoRetryLimit": 2,
}
"""What has to have a meaning, so that the project is one that a remediation repairs: path to value."""


def every_member(name: str, service_role: str, *, without: tuple[str, ...] = ()) -> Document:
    """The raw document of a project, without the members whose paths (`environment.registryCredential`) are named.

    Generated from the service model, so that a member which a newer botocore brings is in it by itself.
    """
    chosen = {**_CHOSEN, "name": name, "serviceRole": service_role}
    if "environment.registryCredential" not in without:
        # CodeBuild takes a registry credential with this pull type only.
        chosen["environment.imagePullCredentialsType"] = "SERVICE_ROLE"
    document: Document = _value(_project_shape(), "", chosen, frozenset(without))
    return document


def with_unknown_members(project: Document) -> Document:
    """The same project with members that no model knows: at the top, in its environment, and deeper in that."""
    grown = copy.deepcopy(project)
    grown[UNKNOWN_AT_TOP] = {"days": 30, "unless": ["tagged", None, 1.5]}
    environment = grown["environment"]
    environment[UNKNOWN_IN_ENVIRONMENT] = {"mode": "WARM", "nested": [{"deep": True}]}
    environment["dockerServer"][UNKNOWN_IN_DOCKER_SERVER] = "LEAST_RECENTLY_USED"
    for variable in environment["environmentVariables"]:
        variable[UNKNOWN_IN_VARIABLE] = False
    return grown


def known_paths() -> tuple[str, ...]:
    """Every path that the model knows, lists as `[]`, so that a test can say how much it covered."""
    return tuple(_paths(_project_shape(), ""))


@cache
def _project_shape() -> Any:
    return botocore.session.get_session().get_service_model("codebuild").shape_for("Project")


def _value(shape: Any, path: str, chosen: Document, without: frozenset[str]) -> Any:
    if path in chosen:
        return chosen[path]
    match shape.type_name:
        case "structure":
            inner = {member: _join(path, member) for member in shape.members}
            return {
                member: _value(shape.members[member], where, chosen, without)
                for member, where in inner.items()
                if where not in without
            }
        case "list":
            return [_value(shape.member, f"{path}[]", chosen, without)]
        case "boolean":
            return True
        case "integer" | "long":
            return 7
        case "timestamp":
            return 1_700_000_000.125
        case "string":
            return shape.enum[-1] if shape.enum else f"not the default of {path}"
        case other:
            raise AssertionError(f"{path} has a type that this generator does not know: {other}")


def _paths(shape: Any, path: str) -> list[str]:
    found = [path] if path else []
    if shape.type_name == "structure":
        return found + [p for member, inner in shape.members.items() for p in _paths(inner, _join(path, member))]
    if shape.type_name == "list":
        return found + _paths(shape.member, f"{path}[]")
    return found


def _join(path: str, member: str) -> str:
    return f"{path}.{member}" if path else member
