"""Writes advice on the grant: how a person lets a role read the secret, and what to do before its stack is deleted."""

from __future__ import annotations

import json
import shlex

from remediator.core.advice.layout import VALUE_LENGTH, artefact, one_line
from remediator.core.advice.secret import region_and_id
from remediator.core.policies.evaluate import SID
from remediator.core.policies.inline_policy import inline_policy, inline_policy_name
from remediator.core.policies.secret_policy import statement_for

LET_READ = "Let the project's builds read the credentials, before anything refers to them."
_WHY = "a build whose role may not read a secret that it refers to fails before its first command"


def let_role_read(by: str, role_arn: str, policy_arn: str, secret_arn: str, key_arn: str, what: str = LET_READ) -> str:
    """The grant in the way of PolicyMode (`by`): what the stack itself would write, and looks for afterwards.

    `key_arn` is the secret's customer key, empty for none.
    """
    role, secret = one_line(role_arn, VALUE_LENGTH), one_line(secret_arn, VALUE_LENGTH)
    if by == "secret":
        return artefact(what, where=f"the policy of the secret {secret}", why=_WHY, paste=_in_secret(role, secret))
    name = role.rpartition("/")[2]
    if by == "inline":
        document = json.dumps(inline_policy(secret, one_line(key_arn, VALUE_LENGTH)))
        put = f"--policy-name {shlex.quote(inline_policy_name(secret))} --policy-document {shlex.quote(document)}"
        command = f"put-role-policy --role-name {shlex.quote(name)} {put}"
    else:
        policy = shlex.quote(one_line(policy_arn, VALUE_LENGTH))
        command = f"attach-role-policy --role-name {shlex.quote(name)} --policy-arn {policy}"
    return artefact(what, where=f"the service role {name}", why=_WHY, paste=f"aws iam {command}")


def _in_secret(role: str, secret: str) -> str:
    """A secret has one policy, which is written whole. It takes a role's ARN only, of which a project may have the last
    part alone."""
    look = f"# ROLE-ARN: aws iam get-role --role-name {shlex.quote(role)} --query Role.Arn --output text"
    known = role.startswith("arn:")
    policy = {"Version": "2012-10-17", "Statement": [statement_for([role if known else "ROLE-ARN"])]}
    return _edited(
        secret,
        f"# Edit policy.json. If it has a statement {SID}: add the role to the list AWS of that one.",
        "# If it has other statements only: add this one to them. If it is None: this is the whole policy.",
        json.dumps(policy, indent=2),
        *([] if known else [look]),
        "# Then write it back.",
    )


def _edited(secret: str, *how: str) -> str:
    """The commands that fetch the secret's policy, what is to be edited in it, and the command that writes it back."""
    options = region_and_id(secret)
    get = f"aws secretsmanager get-resource-policy {options} --query ResourcePolicy --output text > policy.json"
    put = f"aws secretsmanager put-resource-policy {options} --resource-policy file://policy.json --block-public-policy"
    return "\n".join([get, *how, put])


def take_grant_back(by: str, role_arn: str, policy_arn: str, secret_arn: str) -> str:
    """For a role that was granted the secret in vain."""
    role, secret = one_line(role_arn, VALUE_LENGTH), one_line(secret_arn, VALUE_LENGTH)
    name = role.rpartition("/")[2]
    what = f"Take the grant back, unless this project, or another one with the role {name}, names the secret."
    why = "the role may read the secret, and the project was not signed in after that"
    if by == "secret":
        edit = f"# Edit policy.json: take {role} out of the list AWS of the statement {SID}. Then write it back."
        none = "# If that list is empty then: take the statement out. If none is left: delete-resource-policy instead."
        paste = _edited(secret, edit, none)
        return artefact(what, where=f"the policy of the secret {secret}", why=why, paste=paste)
    return artefact(what, where=f"the service role {name}", why=why, paste=_take_out(by, name, policy_arn, secret_arn))


def _take_out(by: str, role_name: str, policy_arn: str, secret_arn: str) -> str:
    command = f"detach-role-policy --policy-arn {shlex.quote(one_line(policy_arn, VALUE_LENGTH))}"
    if by == "inline":
        command = f"delete-role-policy --policy-name {shlex.quote(inline_policy_name(secret_arn))}"
    return f"aws iam {command} --role-name {shlex.quote(role_name)}"


def take_grant_before_delete(by: str, role_name: str, policy_arn: str, secret_arn: str, stack: str) -> tuple[str, ...]:
    """For a role that a stack owns; nothing where the grant is not in the role (granted `by` the secret's own policy).
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html"""
    if by == "secret":
        return ()
    role, stack = one_line(role_name), one_line(stack)
    text = artefact(
        f"Run this before the stack {stack} is deleted or replaces the role {role}.",
        where=f"the role {role} of the stack {stack}",
        why="IAM deletes no role that has a policy, and the stack does not know of this one",
        paste=_take_out(by, role, policy_arn, secret_arn),
    )
    return (text,)
