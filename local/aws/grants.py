"""When a policy that was attached to a role begins to count.

AWS: IAM is eventually consistent. AttachRolePolicy answers at once, GetRole and ListAttachedRolePolicies show
the attachment, and the services go on refusing for some seconds; nobody can ask whether it has arrived.

MiniStack: an attachment counts with the next request. Here each AttachRolePolicy of the API draws its own
delay (uniform, from the server's seed); attachments that CloudFormation makes count at once, since nothing
in a test depends on them being late. Attaching again what counts already changes nothing.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam as iam_service


class Grants:
    """The attachments that do not count yet. Delays are seconds; `least` and `most` may be changed any time."""

    def __init__(self, seed: int, least: float, most: float) -> None:
        self.least = least
        self.most = most
        self._random = random.Random(f"grants {seed}")
        self._lock = threading.Lock()
        self._counts_from: dict[tuple[str, str, str], float] = {}

    def drawn(self, account: str, role: str, policy: str) -> float:
        """A delay for this new attachment, remembered and returned in seconds."""
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
        iam_evaluator._gather_role_policies = self._gather(iam_evaluator._gather_role_policies)

    def _attach(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def attach(parameters: Any) -> Any:
            name, policy = iam_service._p(parameters, "RoleName"), iam_service._p(parameters, "PolicyArn")
            before = (iam_service._roles.get(name) or {}).get("AttachedPolicies", [])
            new = policy not in before
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

    def _gather(self, original: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
        def gather(role_name: str, account: str) -> Any:
            role = iam_service._roles.get_scoped(account, None, role_name)
            attached = list((role or {}).get("AttachedPolicies", []))
            late = [policy for policy in attached if not self.counts(account, role_name, policy)]
            if not late:
                return original(role_name, account)
            documents = [(role.get("InlinePolicies") or {}).values()]
            in_force = [iam_evaluator._resolve_managed_policy_document(a, account) for a in attached if a not in late]
            found = [iam_evaluator.parse_policy_document(text) for text in [*documents[0], *in_force] if text]
            return [statements for statements in found if statements]

        return gather
