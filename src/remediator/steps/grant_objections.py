"""Finds what would keep a service role from reading the secret, whatever is granted: a key, a boundary, a denial."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from remediator.aws.client import message_of, raise_if_transient
from remediator.core.codebuild.project import Role
from remediator.core.outcome import Outcome, advised

if TYPE_CHECKING:
    from remediator.steps.grant import Grants


def objection(role: Role, grants: Grants) -> Outcome | None:
    """The first objection; None where nothing is seen."""
    # The key comes first: what a boundary has to allow depends on it.
    return _of_key(role, grants) or _of_boundary(role, grants) or _of_secret(role, grants)


def _of_key(role: Role, grants: Grants) -> Outcome | None:
    """A key that can't be looked at, as one of another account, is an objection too."""
    services, sign_in = grants.services, grants.services.settings.sign_in
    if not sign_in.customer_key:
        return None
    from remediator.core.advice.policies import let_key_policy
    from remediator.core.policies.evaluate import key_policy_refuses

    try:
        key = grants.key_arn
        document = services.kms.policy(key) if key else None
    except ClientError as error:
        raise_if_transient(error)
        reason = f"the key of the secret can't be looked at: {message_of(error)}"
        return advised(reason, "deploy with the ARN of the secret's own key as SecretKmsKeyArn")
    # Where the grant is in the secret's policy, nothing in IAM lets the role decrypt: the key itself has to.
    secret, in_iam = sign_in.secret_arn, sign_in.grant_by != "secret"
    bounded = bool(role.boundary)
    if document is None or not key_policy_refuses(document, role.arn, secret, key, iam_decides=in_iam, bounded=bounded):
        return None
    reason = f"the policy of the key {key} does not let the role {role.arn} decrypt the secret"
    return advised(reason, let_key_policy(role.arn, secret, key))


def _of_boundary(role: Role, grants: Grants) -> Outcome | None:
    if not role.boundary:
        return None
    from remediator.core.advice.policies import let_boundary
    from remediator.core.policies.evaluate import boundary_refuses

    secret, key = grants.services.settings.sign_in.secret_arn, grants.key_arn
    boundary = f"the permissions boundary {role.boundary} of the role {role.arn}"
    try:
        refused = boundary_refuses(grants.services.iam.policy(role.boundary), role.arn, secret, key)
    except ClientError as error:
        raise_if_transient(error)
        reason = f"{boundary} can't be read: {message_of(error)}"
        return advised(reason, "let the stack read it, then use the remediate command")
    if not refused:
        return None
    how = let_boundary(role.arn, role.boundary, secret, key, refused)
    return advised(f"{boundary} does not allow {' and '.join(refused)}", how)


def _of_secret(role: Role, grants: Grants) -> Outcome | None:
    """Whatever PolicyMode: a Deny in the secret's own policy goes before every grant."""
    secret = grants.services.settings.sign_in.secret_arn
    try:
        text = grants.secret_policy
    except ClientError as error:
        raise_if_transient(error)
        reason = f"the policy of the secret {secret} can't be looked at: {message_of(error)}"
        return advised(reason, "let the stack read it, then use the remediate command")
    if not text:
        return None
    from remediator.core.policies.evaluate import denies_reading

    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None  # a grant in that policy will say so
    if not denies_reading(document, role.arn, secret, bounded=bool(role.boundary)):
        return None
    reason = f"the policy of the secret {secret} denies the role {role.arn} to read it"
    advice = "leave the role out of that statement of the secret's policy, then use the remediate command"
    return advised(reason, advice)
