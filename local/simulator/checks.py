"""What CodeBuild refuses in a project or a build: enumerations, required members, combinations of members.

The messages in quotes were published; where none was, the wording follows their manner.
"""

import re
from collections.abc import Mapping
from typing import Any

from local import image_name
from local.simulator.errors import ServiceError, invalid_input
from local.simulator.world import Document

OUTPUT_ONLY = frozenset(
    {
        "arn",
        "created",
        "lastModified",
        "webhook",
        "badge",
        "projectVisibility",
        "publicProjectAlias",
        "resourceAccessRole",
    }
)
"""Members that BatchGetProjects returns and that no project may be created or updated with."""

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9\-_]{1,149}$")
_ENVIRONMENT_TYPES = (
    "WINDOWS_CONTAINER",
    "LINUX_CONTAINER",
    "LINUX_GPU_CONTAINER",
    "ARM_CONTAINER",
    "WINDOWS_SERVER_2019_CONTAINER",
    "WINDOWS_SERVER_2022_CONTAINER",
    "LINUX_LAMBDA_CONTAINER",
    "ARM_LAMBDA_CONTAINER",
    "LINUX_EC2",
    "ARM_EC2",
    "WINDOWS_EC2",
    "MAC_ARM",
)
_COMPUTE_TYPES = (
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
    "BUILD_LAMBDA_1GB",
    "BUILD_LAMBDA_2GB",
    "BUILD_LAMBDA_4GB",
    "BUILD_LAMBDA_8GB",
    "BUILD_LAMBDA_10GB",
    "ATTRIBUTE_BASED_COMPUTE",
    "CUSTOM_INSTANCE_TYPE",
)
_SOURCE_TYPES = (
    "CODECOMMIT",
    "CODEPIPELINE",
    "GITHUB",
    "GITLAB",
    "GITLAB_SELF_MANAGED",
    "S3",
    "BITBUCKET",
    "GITHUB_ENTERPRISE",
    "NO_SOURCE",
)
_ARTIFACT_TYPES = ("CODEPIPELINE", "S3", "NO_ARTIFACTS")
_LONGEST_BUILDSPEC = 25600
_ORDER = {"sortBy": ("NAME", "CREATED_TIME", "LAST_MODIFIED_TIME"), "sortOrder": ("ASCENDING", "DESCENDING")}
_VARIABLE_TYPES = ("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER")


def check_members(document: Mapping[str, Any], operation: str) -> None:
    """No member that is output only; members that nobody knows are kept, as of a newer service."""
    for member in sorted(OUTPUT_ONLY & document.keys()):
        raise invalid_input(f"Invalid input: {operation} does not accept the member {member}")


def check_name(name: object) -> str:
    """A project's name in the form that AWS accepts."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise invalid_input(
            "Invalid project name: must start with a letter or number and hold 2 to 150 letters, numbers, "
            "hyphens and underscores"
        )
    return name


def check_complete(document: Document) -> None:
    """A new project has what every project needs."""
    for member in ("source", "artifacts", "environment", "serviceRole"):
        _require(document, member, "")


def check_project(sent: Document, account: str) -> None:
    """The members that a request sends; raises on the first thing that AWS refuses."""
    if "source" in sent:
        _one_of(sent["source"], "type", _SOURCE_TYPES, "source.")
        check_buildspec(sent["source"].get("buildspec"))
    if "environment" in sent:
        check_environment(sent["environment"])
    if "artifacts" in sent:
        _check_artifacts(sent["artifacts"])
    if "serviceRole" in sent:
        check_role(sent["serviceRole"], account)
    for member, low, high in (("timeoutInMinutes", 5, 2160), ("queuedTimeoutInMinutes", 5, 480)):
        if member in sent and not low <= sent[member] <= high:
            raise invalid_input(f"Invalid {member}: must be between {low} and {high}")


def check_buildspec(buildspec: object) -> None:
    """Its length, in characters. https://github.com/aws/aws-cdk/issues/30326"""
    if len(str(buildspec or "")) > _LONGEST_BUILDSPEC:
        raise invalid_input(f"Max buildspec length is {_LONGEST_BUILDSPEC}")


def check_environment(environment: Document) -> None:
    """Image, credentials and variables fit together."""
    _one_of(environment, "type", _ENVIRONMENT_TYPES, "environment.")
    _require(environment, "image", "environment.")
    _one_of(environment, "computeType", _COMPUTE_TYPES, "environment.")
    for variable in environment.get("environmentVariables", []):
        _require(variable, "name", "environment.environmentVariables.")
        _require(variable, "value", "environment.environmentVariables.")
        if variable.get("type") is not None:
            _one_of(variable, "type", _VARIABLE_TYPES, "environment.environmentVariables.")
    if "status" in environment.get("dockerServer", {}):
        raise invalid_input("Invalid input: environment.dockerServer.status is output only")
    _check_pull(environment)


def check_order(request: Mapping[str, Any]) -> None:
    """How ListProjects sorts; every member may be left out."""
    for member, allowed in _ORDER.items():
        if request.get(member) is not None:
            _one_of(request, member, allowed, "")


def check_role(role: object, account: str) -> None:
    """The service role is an IAM role of the same account; templates of CloudFormation also give its name alone.
    https://github.com/aws-cloudformation/cfn-lint/pull/814"""
    match = re.fullmatch(r"arn:[a-z-]+:iam::(\d{12}):role/.+|[\w+=,.@-]{1,64}", str(role), re.ASCII)
    if match is None or role is None:
        raise invalid_input("Invalid service role: neither an ARN of an IAM role nor a name")
    if match.group(1) not in (account, None):
        raise invalid_input("Invalid service role: Service role account ID does not match caller's account")


def _check_pull(environment: Document) -> None:
    image = image_name.split(environment["image"])
    pulled_with = environment.get("imagePullCredentialsType")
    if pulled_with is not None:
        _one_of(environment, "imagePullCredentialsType", ("CODEBUILD", "SERVICE_ROLE"), "environment.")
    if image.curated and pulled_with == "SERVICE_ROLE":
        # https://github.com/aws/aws-codebuild-docker-images/issues/163
        raise invalid_input(
            "Invalid input: cannot use a CodeBuild curated image with imagePullCredentialsType SERVICE_ROLE"
        )
    credential = environment.get("registryCredential")
    if credential is None:
        return
    _require(credential, "credential", "environment.registryCredential.")
    _one_of(credential, "credentialProvider", ("SECRETS_MANAGER",), "environment.registryCredential.")
    if image.curated or image.private_ecr:
        kind = "a CodeBuild curated" if image.curated else "an Amazon ECR"
        raise invalid_input(f"Invalid input: cannot use {kind} image with registryCredential")
    if pulled_with != "SERVICE_ROLE":
        raise invalid_input(
            "Invalid input: registryCredential can only be used with imagePullCredentialsType SERVICE_ROLE"
        )


def _check_artifacts(artifacts: Document) -> None:
    _one_of(artifacts, "type", _ARTIFACT_TYPES, "artifacts.")
    if artifacts["type"] == "NO_ARTIFACTS" and artifacts.get("encryptionDisabled") is not None:
        raise invalid_input("Invalid artifacts: artifact type NO_ARTIFACTS should have null encryptionDisabled")


def _require(document: Mapping[str, Any], member: str, path: str) -> None:
    if document.get(member) is None:
        raise _constraint("null", f"{path}{member}", "Member must not be null")


def _one_of(document: Mapping[str, Any], member: str, allowed: tuple[str, ...], path: str) -> None:
    _require(document, member, path)
    if document[member] not in allowed:
        values = ", ".join(allowed)
        raise _constraint(f"'{document[member]}'", f"{path}{member}", f"Member must satisfy enum value set: [{values}]")


def _constraint(value: str, path: str, constraint: str) -> ServiceError:
    return invalid_input(
        f"1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: {constraint}"
    )
