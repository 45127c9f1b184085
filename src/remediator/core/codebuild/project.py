"""The project, its role and its tags as they were read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from itertools import chain
from typing import Any, Literal

from remediator.core.value import value

S3_OBJECT = r"arn:aws[a-z-]*:s3:::\S+"

Document = dict[str, Any]
"""A raw JSON document as CodeBuild keeps it, members that no SDK knows included."""


def role_name(record: Mapping[str, Any]) -> str:
    """The friendly name of the service role of a project or a build. It is what IAM knows the role by, and unique in an
    account. The record has an ARN, with or without the role's path, or that name alone.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codebuild-project.html"""
    return str(record.get("serviceRole") or "").rpartition("/")[2]


def are_one_role(name: str, other: str) -> bool:
    """Do two names mean one role? IAM does not tell names apart by case.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html"""
    return name.lower() == other.lower()


def is_role_of(account: str, record: Mapping[str, Any]) -> bool:
    """Is the service role of a project or a build one of this account? A name alone is."""
    of_account = rf"arn:[a-z-]+:iam::{re.escape(account)}:role/\S+"
    return re.fullmatch(rf"{of_account}|[\w+=,.@-]+", str(record.get("serviceRole") or ""), re.ASCII) is not None


def is_inline(buildspec: str) -> bool:
    """Is it a buildspec itself? A path and an ARN are one line, and a buildspec on one line is JSON or a flow map."""
    return "\n" in buildspec or "\r" in buildspec or buildspec.lstrip().startswith("{")


def in_repository(buildspec: str) -> bool:
    """Is it a path in the source, or nothing, which stands for buildspec.yml?"""
    return not is_inline(buildspec) and not re.fullmatch(S3_OBJECT, buildspec)


@value
class Role:
    """A project's service role: who may assume it, its tags, and the ARN of its permissions boundary, empty for none.
    `granted`: may it read the secret already, in the way in which this stack grants that?"""

    arn: str
    trust: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary: str = ""
    granted: bool = False

    @property
    def name(self) -> str:
        """What IAM's calls take."""
        return self.arn.rpartition("/")[2]


@value
class Snapshot:
    """A project's raw document, and its role where it could be read (Intake may not read roles)."""

    project: Document
    role: Role | None = None

    @property
    def name(self) -> str:
        return str(self.project["name"])

    @property
    def environment(self) -> Document:
        return self.project.get("environment") or {}

    @property
    def role_arn(self) -> str:
        """Its service role's ARN as IAM has it, or what the project calls that role, where it was not read."""
        return self.role.arn if self.role else str(self.project.get("serviceRole") or "")

    @property
    def last_modified(self) -> float:
        """Seconds since 1970, by CodeBuild's own clock; to the millisecond, as the journal keeps it."""
        return round(float(self.project.get("lastModified") or 0.0), 3)

    @property
    def buildspec(self) -> str:
        return str((self.project.get("source") or {}).get("buildspec") or "")

    @property
    def buildspec_path(self) -> str:
        """Its path in the source; empty for buildspec.yml, and for one that is not in the source."""
        return self.buildspec if in_repository(self.buildspec) else ""

    @property
    def runner(self) -> Literal["", "github", "gitlab", "buildkite"]:
        """Whose jobs do its builds run? Then its buildspec is ignored. Empty where they run its own commands.
        https://docs.aws.amazon.com/codebuild/latest/userguide/runners.html"""
        webhook = self.project.get("webhook") or {}
        if str(webhook.get("buildType", "")).startswith("RUNNER"):
            return "buildkite"
        if not any(map(_queues_jobs, chain.from_iterable(webhook.get("filterGroups") or []))):
            return ""
        of_gitlab = str((self.project.get("source") or {}).get("type", "")).startswith("GITLAB")
        return "gitlab" if of_gitlab else "github"

    @property
    def tags(self) -> dict[str, str]:
        return {tag["key"]: tag["value"] for tag in self.project.get("tags") or []}


def _queues_jobs(filter_: Mapping[str, Any]) -> bool:
    return "WORKFLOW_JOB_QUEUED" in str(filter_.get("pattern", "")) and not filter_.get("excludeMatchedPattern")
