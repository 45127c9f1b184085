"""Reads service roles and their boundaries, and attaches the one policy, or puts the one inline policy, into a role."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from remediator.aws.client import found
from remediator.core.codebuild.project import Role


class Iam:
    """IAM's calls take a role's friendly name, which is the last part of its ARN."""

    def __init__(self, iam: Any) -> None:
        self._client = iam

    def role(self, role_arn: str) -> Role:
        """The role, without `granted`; botocore decodes the trust policy from its URL form."""
        role = self._client.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
        tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
        boundary = (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", "")
        return Role(arn=role["Arn"], trust=role["AssumeRolePolicyDocument"], tags=tags, boundary=boundary)

    def has_role(self, name: str) -> bool:
        """Is there a role of this name, under whatever path?"""
        return found(partial(self._client.get_role, RoleName=name), "NoSuchEntity") is not None

    def attached(self, role_name: str) -> frozenset[str]:
        """The ARNs of the managed policies that the role holds."""
        pages = self._client.get_paginator("list_attached_role_policies").paginate(RoleName=role_name)
        return frozenset(policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"])

    def policy(self, policy_arn: str) -> Mapping[str, Any]:
        """The document of a managed policy, as it counts now."""
        version = self._client.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
        answer = self._client.get_policy_version(PolicyArn=policy_arn, VersionId=version)
        document: Mapping[str, Any] = answer["PolicyVersion"]["Document"]
        return document

    def attach(self, role_name: str, policy_arn: str) -> None:
        """Attaching a policy that is attached already changes nothing and is no error."""
        self._client.attach_role_policy(RoleName=role_name, PolicyArn=policy_arn)

    def inline_policy(self, role_name: str, name: str) -> Mapping[str, Any] | None:
        """The document of an inline policy of the role, None when it has none of that name."""
        call = partial(self._client.get_role_policy, RoleName=role_name, PolicyName=name)
        answer = found(call, "NoSuchEntity")
        return None if answer is None else answer["PolicyDocument"]

    def put_inline_policy(self, role_name: str, name: str, document: Mapping[str, Any]) -> None:
        """Write the role's inline policy of that name, over the one that is there."""
        self._client.put_role_policy(RoleName=role_name, PolicyName=name, PolicyDocument=json.dumps(document))
