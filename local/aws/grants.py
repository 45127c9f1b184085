"""When a policy that was given to a role begins to count, and how many a role may have.

IAM is eventually consistent: AttachRolePolicy and PutRolePolicy answer at once, GetRolePolicy and
ListAttachedRolePolicies show what was written, and the services go on as before for some seconds; nobody can
ask whether it has arrived. Quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

Each AttachRolePolicy of the API, and each PutRolePolicy that changes something, draws its own delay (uniform, from
the server's seed); until then an inline policy counts as it was before. What CloudFormation makes counts at once,
and so do inline policies that the account's root user writes: both set a test up, and nothing in it depends on
them being late.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam as iam_service

MANAGED = 10
INLINE = 10_240


class Grants:
    """What does not count yet. Delays are seconds; `least` and `most` may be changed any time."""

    def __init__(self, seed: int, least: float, most: float) -> None:
        self.least = least
        self.most = most
        self._random = random.Random(f"grants {seed}")
        self._lock = threading.Lock()
        self._counts_from: dict[tuple[str, str, str], float] = {}
        self._inline_before: dict[tuple[str, str, str], str | None] = {}

    def drawn(self, account: str, role: str, policy: str) -> float:
        """A delay for this attachment or inline policy, remembered and returned in seconds."""
        with self._lock:
            delay = self._random.uniform(self.least, self.most)
            self._counts_from[account, role, policy] = time.monotonic() + delay
            return delay

    def counts(self, account: str, role: str, policy: str) -> bool:
        with self._lock:
            return time.monotonic() >= self._counts_from.get((account, role, policy), 0.0)

    def forget(self, account: str, role: str, policy: str) -> None:
        with self._lock:
            self._counts_from.pop((account, role, policy), None)

    def install(self) -> None:
        iam_service._IAM_HANDLERS["AttachRolePolicy"] = self._attach(iam_service._attach_role_policy)
        iam_service._IAM_HANDLERS["DetachRolePolicy"] = self._detach(iam_service._detach_role_policy)
        iam_service._IAM_HANDLERS["PutRolePolicy"] = self._put(iam_service._put_role_policy)
        iam_service._IAM_HANDLERS["DeleteRolePolicy"] = self._delete(iam_service._delete_role_policy)
        iam_evaluator._gather_role_policies = self._gather(iam_evaluator._gather_role_policies)

    def _attach(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def attach(parameters: Any) -> Any:
            name, policy = iam_service._p(parameters, "RoleName"), iam_service._p(parameters, "PolicyArn")
            before = (iam_service._roles.get(name) or {}).get("AttachedPolicies", [])
            new = policy not in before
            if new and len(before) >= MANAGED:
                return _limit(f"Cannot exceed quota for PoliciesPerRole: {MANAGED}")
            answer = original(parameters)
            if new and answer[0] == 200:
                self.drawn(get_account_id(), name, policy)
            return answer

        return attach

    def _detach(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def detach(parameters: Any) -> Any:
            self.forget(
                get_account_id(),
                iam_service._p(parameters, "RoleName"),
                iam_service._p(parameters, "PolicyArn"),
            )
            return original(parameters)

        return detach

    def _put(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def put(parameters: Any) -> Any:
            name, policy = iam_service._p(parameters, "RoleName"), iam_service._p(parameters, "PolicyName")
            written = iam_service._p(parameters, "PolicyDocument")
            inline = dict((iam_service._roles.get(name) or {}).get("InlinePolicies") or {})
            if _size({**inline, policy: written}) > INLINE:
                return _limit(f"Maximum policy size of {INLINE} bytes exceeded for role {name}")
            account = get_account_id()
            before = self.in_force(account, name, policy, inline.get(policy))
            answer = original(parameters)
            if answer[0] == 200 and inline.get(policy) != written and not iam_evaluator.caller_arn().endswith(":root"):
                self._inline_before[account, name, policy] = before
                self.drawn(account, name, inline_key(policy))
            return answer

        return put

    def _delete(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def delete(parameters: Any) -> Any:
            name, policy = iam_service._p(parameters, "RoleName"), iam_service._p(parameters, "PolicyName")
            self.forget(get_account_id(), name, inline_key(policy))
            return original(parameters)

        return delete

    def in_force(self, account: str, role: str, policy: str, written: Any) -> Any:
        """The inline policy that counts now, where `written` is the one that IAM shows; None for none."""
        if self.counts(account, role, inline_key(policy)):
            return written
        return self._inline_before[account, role, policy]

    def _gather(self, original: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
        def gather(role_name: str, account: str) -> Any:
            role = iam_service._roles.get_scoped(account, None, role_name)
            if role is None:
                return original(role_name, account)
            inline = role.get("InlinePolicies") or {}
            documents = [self.in_force(account, role_name, name, written) for name, written in inline.items()]
            documents += [
                iam_evaluator._resolve_managed_policy_document(policy, account)
                for policy in role.get("AttachedPolicies", [])
                if self.counts(account, role_name, policy)
            ]
            found = [iam_evaluator.parse_policy_document(text) for text in documents if text]
            return [statements for statements in found if statements]

        return gather


def inline_key(policy: str) -> str:
    """How the delay of an inline policy is kept: no managed policy is named so."""
    return f"inline/{policy}"


def _size(inline: dict[str, Any]) -> int:
    """Characters of a role's inline policies; IAM does not count white space."""
    texts = [text if isinstance(text, str) else json.dumps(text) for text in inline.values()]
    return sum(len("".join(text.split())) for text in texts)


def _limit(message: str) -> Any:
    return iam_service._error(409, "LimitExceeded", message)
