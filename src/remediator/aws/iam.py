"""Reads service roles and attaches the one managed policy that may read the secret."""

from __future__ import annotations

from typing import Any

from remediator.core.snapshot import Role


class Iam:
    """IAM's calls take a role's friendly name, which is the last part of its ARN."""

    def __init__(self, iam: Any) -> None:
        self._client = iam

    def role(self, role_arn: str) -> Role:
        """The role's trust policy, attached policies and tags; botocore decodes the trust policy from its URL form."""
        name = role_arn.rpartition("/")[2]
        role = self._client.get_role(RoleName=name)["Role"]
        pages = self._client.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        attached = frozenset(policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"])
        tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
        return Role(arn=role["Arn"], trust=role["AssumeRolePolicyDocument"], attached=attached, tags=tags)

    def attach(self, role_name: str, policy_arn: str) -> None:
        """Attaching a policy that is attached already changes nothing and is no error."""
        self._client.attach_role_policy(RoleName=role_name, PolicyArn=policy_arn)
