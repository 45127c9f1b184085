"""Secrets Manager's refusals: of resource policies (see `secret_policies`), and of secrets whose key is out of use."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import iam as iam_service
from ministack.services import secretsmanager

from local.aws import keys
from local.aws.secret_policies import fault, without_role

Document = dict[str, Any]

ACCOUNT = re.compile(r"(arn:aws:iam::)?(\d{12})(:root)?")
SESSION = re.compile(r"arn:aws:sts::\d{12}:assumed-role/[^/*]+/[^/*]+")
ENTITY = re.compile(r"arn:aws:iam::(\d{12}):(role|user)/(?:.*/)?([^/]+)")


def install() -> None:
    secretsmanager._put_resource_policy = _put_policy(secretsmanager._put_resource_policy)
    secretsmanager._get_secret_value = _get_value(secretsmanager._get_secret_value)
    iam_service._IAM_HANDLERS["DeleteRole"] = _delete_role(iam_service._delete_role)


def principal_exists(principal: str) -> bool:
    """Whether a policy may name it: an account, a session, or a role or user that is there under just this ARN."""
    if ACCOUNT.fullmatch(principal) or SESSION.fullmatch(principal):
        return True
    entity = ENTITY.fullmatch(principal)
    if entity is None:
        return False
    account, kind, name = entity.groups()
    store = iam_service._roles if kind == "role" else iam_service._users
    return bool((store.get_scoped(account, None, name) or {}).get("Arn") == principal)


def _put_policy(original: Callable[[Document], Any]) -> Callable[[Document], Any]:
    def put(request: Document) -> Any:
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        if secret is not None:
            text, blocked = str(request.get("ResourcePolicy", "")), bool(request.get("BlockPublicPolicy"))
            if (refused := fault(text, principal_exists, block_public=blocked)) is not None:
                return error_response_json(refused.code, refused.message, 400)
        return original(request)

    return put


def _get_value(original: Callable[[Document], Any]) -> Callable[[Document], Any]:
    def get(request: Document) -> Any:
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        if secret is not None and not keys.usable(str(secret.get("KmsKeyId") or "")):
            message = "Secrets Manager can't decrypt the protected secret text using the provided KMS key."
            return error_response_json("DecryptionFailure", message, 400)
        return original(request)

    return get


def _delete_role(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def delete(parameters: Any) -> Any:
        role = iam_service._roles.get(iam_service._p(parameters, "RoleName")) or {}
        answer = original(parameters)
        if answer[0] == 200:
            for (account, region, secret), policy in secretsmanager._resource_policies.all_items():
                left = without_role(policy, str(role["Arn"]), str(role["RoleId"]))
                secretsmanager._resource_policies.set_scoped(account, region, secret, left)
        return answer

    return delete
