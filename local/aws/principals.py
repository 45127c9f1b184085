"""Who signed a request, and sessions of roles for those who act inside this AWS."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.core.router import extract_access_key_id
from ministack.services import iam as iam_service
from ministack.services import sts

from local.aws.secret_policies import as_list

UNKNOWN = "unknown"
SESSION_SECONDS = 3600


def account_of(key: str) -> str:
    """The account that an access key belongs to."""
    if re.fullmatch(r"\d{12}", key):
        return key
    session = sts._sessions.get(key) or {}
    if session:
        return str(session["Arn"]).split(":")[4]
    return str(iam_evaluator.find_iam_access_key_account(key) or get_account_id())


def principal(headers: dict[str, str], query: dict[str, Any]) -> str:
    """The ARN of the root user, user or role session whose key signed; not a check of the signature."""
    key = extract_access_key_id(headers, query)
    if not key:
        return UNKNOWN
    found = iam_evaluator.resolve_credential(key, account_of(key))
    return str(getattr(found, "principal_arn", UNKNOWN))


def role_session(role_arn: str, session_name: str) -> dict[str, str]:
    """Credentials of a role for an hour, as environment variables name them; KeyError if there is no such role."""
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    role = iam_service._roles.get_scoped(account, None, name)
    if role is None or role.get("Arn") != role_arn:
        raise KeyError(f"there is no role {role_arn}")
    credentials = {
        "AWS_ACCESS_KEY_ID": f"ASIA{secrets.token_hex(8).upper()}",
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
        "AWS_SESSION_TOKEN": secrets.token_hex(32),
    }
    sts.register_session(
        credentials["AWS_ACCESS_KEY_ID"],
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}",
            "UserId": f"{role.get('RoleId', name)}:{session_name}",
            "SecretAccessKey": credentials["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": credentials["AWS_SESSION_TOKEN"],
            "Expiration": time.time() + SESSION_SECONDS,
        },
    )
    return credentials


def service_session(role_arn: str, service: str) -> dict[str, str]:
    """What a service gets when it assumes a role; PermissionError when the role does not trust the service.

    The role may be given by an ARN without its path, or by its name.
    """
    account = role_arn.split(":")[4] if ":" in role_arn else get_account_id()
    name = role_arn.rpartition("/")[2]
    role = iam_service._roles.get_scoped(account, None, name) or {}
    trust = role.get("AssumeRolePolicyDocument") or {}
    statements = iam_evaluator.json.loads(trust) if isinstance(trust, str) else trust
    for statement in as_list(statements.get("Statement")):
        services = as_list((statement.get("Principal") or {}).get("Service"))
        if (
            statement.get("Effect") == "Allow"
            and service in services
            and "sts:AssumeRole" in as_list(statement["Action"])
        ):
            return role_session(str(role["Arn"]), f"AWSCodeBuild-{uuid.uuid4()}")
    raise PermissionError(f"CodeBuild is not authorized to perform: sts:AssumeRole on {role_arn}")
