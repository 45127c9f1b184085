"""Finds in which ways a role may read the stack's secrets, and takes that back: the one place that narrows a role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from uuid import uuid4

from remediator.aws.client import found
from remediator.core.policies.inline_policy import earlier_inline_policy, inline_policy, inline_policy_name
from remediator.core.policies.secret_policy import SecretPolicyFault, names_role, without_role
from remediator.core.value import value
from remediator.records.secret_record import SecretRecord
from remediator.records.table import Table
from remediator.services import Services
from undo.stack import Refused, Stack


@value
class Grant:
    """One way in which a role may read a secret. `what` is the policy's ARN, the inline policy's name, or the secret
    in whose policy the role is named."""

    by: Literal["managed", "inline", "secret"]
    role_arn: str
    what: str

    @property
    def role_name(self) -> str:
        return self.role_arn.rpartition("/")[2]

    def show(self) -> str:
        match self.by:
            case "managed":
                return f"detach the policy {self.what} from the role {self.role_name}"
            case "inline":
                return f"delete the inline policy {self.what} of the role {self.role_name}"
        return f"take the role {self.role_name} out of the resource policy of the secret {self.what}"


@value
class Grants:
    """All three ways are looked at, because PolicyMode may have been another one when a role was granted."""

    stack: Stack
    services: Services

    def held_by(self, role_name: str) -> tuple[Grant, ...]:
        """The grants of a role; none where there is no such role."""
        role_arn = found(lambda: self.services.iam.role(role_name).arn, "NoSuchEntity")
        return tuple(self._held(role_arn)) if role_arn else ()

    def roles_with_policy(self) -> tuple[str, ...]:
        """The names of the roles to which the stack's policy is attached."""
        pages = self.services.client("iam").get_paginator("list_entities_for_policy")
        answers = pages.paginate(PolicyArn=self.stack.policy_arn, EntityFilter="Role")
        return tuple(sorted(role["RoleName"] for page in answers for role in page["PolicyRoles"]))

    def _held(self, role_arn: str) -> Iterator[Grant]:
        name = role_arn.rpartition("/")[2]
        if self.stack.policy_arn in self.services.iam.attached(name):
            yield Grant("managed", role_arn, self.stack.policy_arn)
        for secret in self.stack.secrets:
            document = self.services.iam.inline_policy(name, inline_policy_name(secret))
            if document is not None and _is_ours(document, secret):
                yield Grant("inline", role_arn, inline_policy_name(secret))
            if self._is_named(role_arn, secret):
                yield Grant("secret", role_arn, secret)

    def _is_named(self, role_arn: str, secret: str) -> bool:
        try:
            return names_role(self._policy(secret), role_arn)
        except SecretPolicyFault:
            return False

    def _policy(self, secret: str) -> str | None:
        """The text of a secret's policy; None where it has none, or the secret is gone."""
        secrets = self.services.client("secretsmanager")
        answer = found(lambda: secrets.get_resource_policy(SecretId=secret), "ResourceNotFoundException") or {}
        text: str | None = answer.get("ResourcePolicy")
        return text

    def take_back(self, grant: Grant) -> None:
        """What is gone already is no error."""
        iam = self.services.client("iam")
        name = grant.role_name
        match grant.by:
            case "managed":
                found(lambda: iam.detach_role_policy(RoleName=name, PolicyArn=grant.what), "NoSuchEntity")
            case "inline":
                found(lambda: iam.delete_role_policy(RoleName=name, PolicyName=grant.what), "NoSuchEntity")
            case "secret":
                self._take_out_of_secret(grant)

    def _take_out_of_secret(self, grant: Grant) -> None:
        """Read, change and write the secret's policy, while no execution of the stack edits it."""
        record = SecretRecord(Table(self.services.client("dynamodb"), self.stack.journal), grant.what)
        editor = f"undo-{uuid4().hex}"
        if not record.begin_edit(editor, self.services.now()):
            raise Refused(f"the policy of the secret {grant.what} is being edited right now. Run the command again")
        try:
            text = self._policy(grant.what)
            wanted = without_role(text, grant.role_arn)
            secrets = self.services.client("secretsmanager")
            if not wanted:
                secrets.delete_resource_policy(SecretId=grant.what)
            elif wanted != text:
                secrets.put_resource_policy(SecretId=grant.what, ResourcePolicy=wanted, BlockPublicPolicy=True)
        except SecretPolicyFault as fault:
            raise Refused(f"{fault}. Take the role {grant.role_name} out of it by hand") from fault
        finally:
            record.end_edit(editor)


def _is_ours(document: Mapping[str, Any], secret: str) -> bool:
    """Is it the inline policy as this tool writes it or has written it, with or without a key? Another of that name
    stays."""
    statements = document.get("Statement") or []
    key = statements[1].get("Resource") if isinstance(statements, list) and len(statements) == 2 else ""
    return dict(document) in (inline_policy(secret, str(key)), earlier_inline_policy(secret, str(key)))
