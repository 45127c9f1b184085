"""Reads a failure, which build failed, where and with which words, from an event or from CodeBuild's own record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from remediator.core.codebuild.log import LogPlace
from remediator.core.outcome import BadInput
from remediator.core.value import value

COMMAND_PHASES = ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD")
"""The phases in which a buildspec's commands run, in their order."""

FAILED_STATUSES = ("FAILED", "FAULT", "TIMED_OUT")

_RESOURCE = (
    r"arn:aws[a-z-]*:secretsmanager:[^\s\"']+:secret:[^\s\"':]+"
    r"|(?<=secretsmanager:GetSecretValue on resource: )(?!arn:)[^\s\"':]+"
)
"""A secret in a refusal: its ARN, or the name by which a variable asked for it."""

_BUILD_ARN = (
    r"arn:(?P<partition>aws[a-z-]*):codebuild:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):build/"
    r"(?P<project>[A-Za-z0-9][A-Za-z0-9_-]{1,254}):(?P<uuid>[A-Za-z0-9-]{1,50})"
)


@value
class BuildArn:
    """The ARN of a build: `arn:aws:codebuild:<region>:<account>:build/<project>:<uuid>`."""

    partition: str
    region: str
    account: str
    project: str
    uuid: str

    @classmethod
    def parse(cls, text: object, field: str = "build-id") -> BuildArn:
        """Read `text`; BadInput names `field` when it is not the ARN of a build."""
        match = re.fullmatch(_BUILD_ARN, text) if isinstance(text, str) else None
        if match is None:
            raise BadInput(
                field, text, "it must be the ARN of a build, arn:aws:codebuild:REGION:ACCOUNT:build/PROJECT:UUID"
            )
        return cls(**match.groupdict())

    @property
    def id(self) -> str:
        """The id that CodeBuild's API takes, `<project>:<uuid>`."""
        return f"{self.project}:{self.uuid}"

    def __str__(self) -> str:
        return f"arn:{self.partition}:codebuild:{self.region}:{self.account}:build/{self.id}"


@value
class BuildFailure:
    """A build that failed: `phase` is the phase that failed, `context` its message with the status code in front.

    Both are empty where they are not known. `image` is the build environment's image as written. `log` is its place in
    CloudWatch Logs, None where none is known. `initiator` is who started the build.
    """

    build: BuildArn
    status: str
    phase: str
    context: str
    image: str
    log: LogPlace | None = None
    initiator: str = ""

    @property
    def of_command(self) -> bool:
        """Did a command of the buildspec fail? Then the context names the command and its exit status only.
        https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html"""
        return self.phase in COMMAND_PHASES and self.context.startswith("COMMAND_EXECUTION_ERROR")

    @property
    def cannot_read_secret(self) -> bool:
        """Did the build fail because its role could not read a secret that the project refers to?

        An environment variable fails in DOWNLOAD_SOURCE with the status code "Secrets Manager Error"
        (aws/aws-codebuild-docker-images#475); a registry credential fails in PROVISIONING.
        """
        if self.phase == "DOWNLOAD_SOURCE":
            return self.context.startswith("Secrets Manager Error")
        named = "secretsmanager:GetSecretValue" in self.context or "Secrets Manager" in self.context
        return self.phase == "PROVISIONING" and named

    @property
    def finds_no_secret(self) -> bool:
        """Does a variable refer to a secret that does not exist?"""
        return self.cannot_read_secret and "ResourceNotFoundException" in self.context

    def names_other_secret(self, secret_arn: str) -> bool:
        """Does the message name a secret that is not this one?"""
        return bool(self._secrets) and not self.names_secret(secret_arn)

    def names_secret(self, secret_arn: str) -> bool:
        """Does the message name this secret?"""
        # An ARN ends in a hyphen and six characters of Secrets Manager's own; requests may leave these out.
        partial = secret_arn[:-7]
        return not self._secrets.isdisjoint((secret_arn, partial, partial.rpartition(":secret:")[2]))

    @property
    def _secrets(self) -> frozenset[str]:
        """A refusal says on which resource it was: an ARN, or the secret's name where the variable has only that. Other
        messages name none."""
        return frozenset(text.rstrip(".,;)") for text in re.findall(_RESOURCE, self.context))

    @classmethod
    def from_event(cls, event: Any) -> BuildFailure:
        """Read a "CodeBuild Build State Change" event; BadInput for any other, and for a build that did not fail.
        https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications-ref.html"""
        if not isinstance(event, Mapping):
            raise BadInput("event", event, "it must be an object: an event of CodeBuild, or a command")
        for field, wanted in (("source", "aws.codebuild"), ("detail-type", "CodeBuild Build State Change")):
            if event.get(field) != wanted:
                raise BadInput(field, event.get(field), f"it must be {wanted!r}")
        detail = _object(event, "detail", "detail")
        build = BuildArn.parse(detail.get("build-id"), "detail.build-id")
        status = detail.get("build-status")
        if status not in FAILED_STATUSES:
            raise BadInput("detail.build-status", status, f"it must be one of {', '.join(FAILED_STATUSES)}")
        more = _object(detail, "additional-information", "detail.additional-information")
        environment = more.get("environment")
        image = environment.get("image") if isinstance(environment, Mapping) else None
        return cls(
            build,
            str(status),
            *_failed_phase(more.get("phases"), "phase-type", "phase-status", _event_context),
            image=image if isinstance(image, str) else "",
            log=_log_place(more.get("logs"), "group-name", "stream-name"),
            initiator=str(more.get("initiator") or ""),
        )

    @classmethod
    def from_build(cls, document: Mapping[str, Any]) -> BuildFailure:
        """Read one of the `builds` that BatchGetBuilds returns; the build may also have passed or still run."""
        return cls(
            BuildArn.parse(document.get("arn"), "arn"),
            str(document.get("buildStatus", "")),
            *_failed_phase(document.get("phases"), "phaseType", "phaseStatus", _api_context),
            image=str((document.get("environment") or {}).get("image") or ""),
            log=_log_place(document.get("logs"), "groupName", "streamName"),
            initiator=str(document.get("initiator") or ""),
        )


def _failed_phase(phases: object, type_key: str, status_key: str, read_context: Any) -> tuple[str, str]:
    for phase in phases if isinstance(phases, list) else []:
        if isinstance(phase, Mapping) and phase.get(status_key) in (*FAILED_STATUSES, "CLIENT_ERROR"):
            return str(phase.get(type_key, "")), read_context(phase)
    return "", ""


def _log_place(logs: object, group_key: str, stream_key: str) -> LogPlace | None:
    """Both names are null or absent until PROVISIONING has made the stream, and where CloudWatch Logs are off. Rules
    hand on a list, of one or of nothing."""
    if isinstance(logs, list) and logs:
        logs = logs[0]
    if not isinstance(logs, Mapping):
        return None
    group, stream = logs.get(group_key), logs.get(stream_key)
    return LogPlace(group, stream) if isinstance(group, str) and isinstance(stream, str) and group and stream else None


def _event_context(phase: Mapping[str, Any]) -> str:
    """Contexts in events are an array of strings "CODE: message", or null, or absent."""
    contexts = phase.get("phase-context")
    return "\n".join(c for c in contexts if isinstance(c, str)) if isinstance(contexts, list) else ""


def _api_context(phase: Mapping[str, Any]) -> str:
    """Contexts in the API are an array of {statusCode, message}; an event joins them with ": "."""
    return "\n".join(f"{c.get('statusCode', '')}: {c.get('message', '')}" for c in phase.get("contexts") or [])


def _object(parent: Mapping[str, Any], key: str, field: str) -> Mapping[str, Any]:
    value = parent.get(key)
    if not isinstance(value, Mapping):
        raise BadInput(field, value, "it must be an object")
    return value
