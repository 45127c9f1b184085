"""Lets service roles read the secret, in the way that PolicyMode says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, is_transient, message_of, raise_if_transient
from remediator.core.case import Case
from remediator.core.codebuild.project import Role
from remediator.core.job import Job
from remediator.core.outcome import Outcome, advised
from remediator.core.repair.change import GrantSecretAccess
from remediator.core.repair.sign_in import SignIn
from remediator.core.value import value
from remediator.services import Services
from remediator.steps.still_allowed import Busy, still_allowed

_REFUSED = (
    "AccessDenied",
    "AccessDeniedException",
    "LimitExceeded",
    "MalformedPolicyDocumentException",
    "NoSuchEntity",
    "PublicPolicyException",
    "UnmodifiableEntity",
)
_FULL = (
    "detach a policy that the role does not need, have the quota of ten raised, or deploy with PolicyMode=secret, "
    "which needs no policy in the role"
)


@value
class Granted:
    """The role may read the secret, since `at` (seconds since 1970); who shares it, as a sentence, empty for nobody."""

    at: float
    shared_with: str = ""


@value
class Grants:
    """Reads the secret's policy and key once: make one for each look.

    What only some modes, keys and boundaries need is imported where it is used, for a short start.
    """

    services: Services

    @property
    def _sign_in(self) -> SignIn:
        return self.services.settings.sign_in

    def role(self, role_arn: str) -> Role:
        """The role as IAM has it, and whether it holds the grant."""
        role = self.services.iam.role(role_arn)
        return replace(role, granted=self._holds(role))

    def _holds(self, role: Role) -> bool:
        sign_in = self._sign_in
        match sign_in.grant_by:
            case "secret":
                from remediator.core.policies.secret_policy import SecretPolicyFault, names_role

                try:
                    return names_role(self.secret_policy, role.arn)
                except SecretPolicyFault:
                    return False
            case "inline":
                return self.services.iam.inline_policy(role.name, self._inline[0]) == self._inline[1]
        return sign_in.policy_arn in self.services.iam.attached(role.name)

    def objection(self, role: Role) -> Outcome | None:
        """What would keep the role from reading the secret whatever is granted; None where nothing is seen."""
        from remediator.steps.grant_objections import objection

        return objection(role, self)

    def make(self, change: GrantSecretAccess, case: Case, job: Job, again: bool = False) -> Granted | Busy | Outcome:
        """Let the project's role read the secret, where that is still allowed; the outcome when it is not, or when AWS
        refuses. A secret's policy is edited by one execution at a time. `again`: had the role lost the grant? That is
        counted."""
        if change.by != "secret":
            return self._make(change, case, job, again)
        record = self.services.secret_record
        if not record.begin_edit(job.execution, self.services.now()):
            return Busy("edited the policy of the secret")
        try:
            return self._make(change, case, job, again)
        finally:
            record.end_edit(job.execution)

    def _make(self, change: GrantSecretAccess, case: Case, job: Job, again: bool) -> Granted | Busy | Outcome:
        allowed = still_allowed(case, job.build.project, job.execution, self.services)
        if isinstance(allowed, Outcome):
            return allowed.with_facts(changes=(change.show(),) if self._was_made(change) else ())
        if isinstance(allowed, Busy):
            return allowed
        try:
            refused = self._write(change)
        except ClientError as error:
            if is_transient(error) or code_of(error) not in _REFUSED:
                raise
            return self._refused(change, message_of(error), code_of(error))
        if refused:
            return refused
        now = self.services.now()
        if again:
            self.services.journal.count_regrant(change.role_name, job.execution, now)
        return Granted(now, allowed.shared_with)

    def _was_made(self, change: GrantSecretAccess) -> bool:
        """Does the role hold the grant by now? An attempt that was interrupted may have made it."""
        try:
            return self.role(change.role_arn).granted
        except ClientError as error:
            raise_if_transient(error)
            return False

    def _write(self, change: GrantSecretAccess) -> Outcome | None:
        match change.by:
            case "secret":
                return self._name_in_secret(change)
            case "inline":
                self.services.iam.put_inline_policy(change.role_name, *self._inline)
            case "managed":
                self.services.iam.attach(change.role_name, change.policy_arn)
        return None

    def _name_in_secret(self, change: GrantSecretAccess) -> Outcome | None:
        """Read, change and write the secret's policy."""
        from remediator.core.policies.secret_policy import SecretPolicyFault, with_role

        text = self.services.secret.policy()
        try:
            wanted = with_role(text, change.role_arn)
        except SecretPolicyFault as fault:
            return self._refused(change, str(fault))
        if wanted != text:
            self.services.secret.put_policy(wanted)
        return None

    def _refused(self, change: GrantSecretAccess, why: str, code: str = "") -> Outcome:
        where = {"secret": "named in the secret's policy", "inline": "given an inline policy"}
        reason = f"the role {change.role_name} could not be {where.get(change.by, 'given the policy')}: {why}"
        if code == "NoSuchEntity":
            return advised(reason, "give the project a service role that is there, then use the remediate command")
        by_hand = self._sign_in.let_role_read(change.role_arn, "Let the project's builds read the credentials by hand.")
        full = (_FULL,) if code == "LimitExceeded" else ()
        return advised(reason, *full, by_hand, "then use the remediate command")

    @cached_property
    def secret_policy(self) -> str | None:
        return self.services.secret.policy()

    @property
    def policy_digest(self) -> str:
        """What others wrote into the secret's policy, as a digest; empty where they wrote nothing."""
        if not self.secret_policy:
            return ""
        from remediator.core.policies.secret_policy import digest_of_others

        return digest_of_others(self.secret_policy)

    @cached_property
    def key_arn(self) -> str:
        """The secret's customer key; empty where it is Secrets Manager's own."""
        if not self._sign_in.customer_key:
            return ""
        key = self.services.secret.customer_key()
        return self.services.kms.key_arn(key) if key else ""

    @cached_property
    def _inline(self) -> tuple[str, Mapping[str, Any]]:
        """Name and document of the inline policy that reads the secret."""
        from remediator.core.policies.inline_policy import inline_policy, inline_policy_name

        secret_arn = self._sign_in.secret_arn
        return inline_policy_name(secret_arn), inline_policy(secret_arn, self.key_arn)
