"""Proves the secret's credentials at Docker Hub before anything refers to them: one sign-in at a time, remembered."""

from __future__ import annotations

from contextlib import suppress

from botocore.exceptions import ClientError

from remediator.aws.client import message_of, raise_if_transient
from remediator.aws.dockerhub import Allowance, Answer, ask_docker_hub
from remediator.aws.secret import Credentials, MalformedSecret
from remediator.core.case import NOBODY, Case, Reader
from remediator.core.case_advice import mirrors_for, sign_in_without_key
from remediator.core.guards.history import locked_out
from remediator.core.outcome import Outcome, advised, rejected
from remediator.core.repair.auth_config import fault_in
from remediator.core.value import value
from remediator.records.secret_record import ACCEPTED_FOR, REFUSED_FOR, Known
from remediator.services import Services


@value
class Accepted:
    """Docker Hub takes the credentials of this `version` of the secret. Their account may pull `limit` images in a
    `window` of seconds and has so many `remaining`; None where there is no limit, or it is not told. Could their token
    push too (`pushes`), as far as Docker Hub tells? `doubted`: could another role not read this version?"""

    limit: int | None = None
    remaining: int | None = None
    window: int | None = None
    version: str = ""
    pushes: bool = False
    doubted: bool = False


@value
class Trusted:
    """Docker Hub could not be asked, and has taken this `version` of the secret before, whose token `pushes`."""

    version: str = ""
    pushes: bool = False


@value
class Asking:
    """Another execution signs in at this moment; its answer will be this one's too."""


@value
class Unreachable:
    """Docker Hub said nothing of the credentials. `earlier`: it took this `version` of the secret at some time, whose
    token `pushes`."""

    earlier: bool
    version: str = ""
    pushes: bool = False


@value
class AccountAllowance:
    """What the account may pull and has left right now, `until` when at the latest it has to wait (seconds since 1970),
    and the `projects` that share it."""

    limit: int | None
    remaining: int | None
    window: int
    until: float
    projects: tuple[str, ...]


@value
class LockedOut:
    """Docker Hub has said that it locks sign-ins out: nobody signs in with the secret `until` then (seconds since
    1970), for so many `seconds`."""

    until: float
    seconds: int


@value
class CredentialCheck:
    """Each method is a step, or a look of one. An Outcome says how it ends where the credentials can't be used."""

    services: Services
    execution: str

    def check(self, case: Case, *, trusts: bool) -> Accepted | Trusted | Asking | Unreachable | Outcome:
        """The same as `look`, for a case. `trusts`: does an earlier proof do where Docker Hub can't be asked?"""
        seen = self.look(case)
        if trusts and isinstance(seen, Unreachable) and seen.earlier:
            return Trusted(seen.version, seen.pushes)
        return seen

    def look(self, case: Case | None = None) -> Accepted | Asking | Unreachable | Outcome:
        """Are the credentials well formed and accepted, and may they be shared by many projects? With a case that needs
        the secret's third key that is looked at too."""
        seen = self._look(case)
        return locked_out(seen.until) if isinstance(seen, LockedOut) else seen

    def lockout(self) -> Accepted | LockedOut | Asking | Unreachable | Outcome:
        """Does Docker Hub itself lock sign-ins out, as a build says? Anybody can print that, so its word alone keeps
        nobody from signing in, and Docker Hub is asked once for all builds that say so within a window."""
        return self._look(of_lockout=True)

    def _look(
        self, case: Case | None = None, *, of_lockout: bool = False
    ) -> Accepted | LockedOut | Asking | Unreachable | Outcome:
        credentials = self._read()
        if isinstance(credentials, Outcome):
            return credentials
        lacking = self._auth_config_lacking(credentials, case) if case and case.auth_config else None
        if lacking:
            return lacking
        reader = case.reader if case else NOBODY
        settings, seen = self.services.settings, self._proven(credentials, of_lockout=of_lockout, reader=reader)
        if isinstance(seen, Accepted) and seen.limit is not None and not settings.allow_limited_account:
            from remediator.core.guards.credentials import limited

            return limited(seen.limit, seen.remaining, seen.window)
        if isinstance(seen, Accepted | Unreachable) and seen.pushes and settings.refuse_writable:
            from remediator.core.guards.credentials import writable

            return writable()
        return seen

    def unreadable(self, *, auth_config: bool) -> Outcome | None:
        """What keeps every build from reading the secret, whatever is granted: it is gone or malformed, lacks the key
        docker_auth_config (where the project names that), or is encrypted with a key on which nothing is granted.
        Docker Hub is not asked."""
        credentials = self._read()
        if isinstance(credentials, Outcome):
            return credentials
        if auth_config and credentials.auth_config is None:
            reason = "the secret has no key docker_auth_config, which the project names"
            return rejected(reason, "put the key back into the secret")
        return self._unknown_key()

    def allowance(self) -> AccountAllowance | Asking | Unreachable | Outcome:
        """What the account may pull and has left right now. To find out is to sign in."""
        credentials = self._read()
        if isinstance(credentials, Outcome):
            return credentials
        seen = self._proven(credentials, afresh=True)
        if isinstance(seen, LockedOut):
            return locked_out(seen.until)
        if not isinstance(seen, Accepted):
            return seen
        window = seen.window or 0
        users = self.services.secret_record.users()
        return AccountAllowance(seen.limit, seen.remaining, window, self.services.now() + window, users)

    def _read(self) -> Credentials | Outcome:
        try:
            return self.services.secret.read()
        except MalformedSecret as error:
            return self._wrong(f"{self._secret} can't be used: {error}")
        except ClientError as error:
            raise_if_transient(error)
            unknown_key = None
            with suppress(ClientError):
                unknown_key = self._unknown_key()
            advice = (
                "see that it exists, has a value, and that neither its policy nor its key's keeps this stack out of it"
            )
            reason = f"{self._secret} can't be read: {message_of(error)}"
            return unknown_key or rejected(reason, f"{advice}; then use the remediate command")

    @property
    def _secret_arn(self) -> str:
        return self.services.settings.sign_in.secret_arn

    @property
    def _secret(self) -> str:
        return f"the secret {self._secret_arn}"

    def _wrong(self, fault: str) -> Outcome:
        from remediator.core.guards.credentials import wrong

        return wrong(self._secret_arn, fault)

    def _proven(
        self, credentials: Credentials, *, afresh: bool = False, of_lockout: bool = False, reader: Reader = NOBODY
    ) -> Accepted | LockedOut | Asking | Unreachable | Outcome:
        record, settings, version = self.services.secret_record, self.services.settings, credentials.version
        now = self.services.now()
        known = record.ask(version, self.execution, now, afresh=afresh, of_lockout=of_lockout)
        seen = reader.of_version(version)
        doubted = bool(known.in_a_row) and known.unreadable_as == seen and not reader.again
        unreadable = self._unreadable_before(known, seen, reader)
        if unreadable and known.may_ask:
            record.not_told(self.execution)
        if unreadable:
            return unreadable
        if not known.may_ask:
            return self._remembered(known, now, version, doubted)
        unknown_key = self._unknown_key()
        if unknown_key:
            record.not_told(self.execution)
            return unknown_key
        # Whether the token could push is asked once for a version: Docker Hub's no is a 401 each time.
        answer = ask_docker_hub(
            credentials.username, credentials.password, settings.docker_hub_endpoint, about_push=known.pushes is None
        )
        now = self.services.now()
        window_ends = now + settings.limits.minutes * 60
        match answer:
            case Allowance(limit, remaining, window):
                pushes = known.pushes if answer.pushes is None else answer.pushes
                until = window_ends if of_lockout else 0
                told = (limit, remaining, window)
                record.accepted(version, self.execution, now, *told, pushes=pushes, no_lockout_until=until)
                return Accepted(*told, version, bool(pushes), doubted)
            case Answer.REJECTED:
                record.refused(version, self.execution, now)
                return self._not_accepted(now + REFUSED_FOR)
            case Answer.LACKS_SCOPE:
                record.refused(version, self.execution, now, lacks_scope=True)
                return self._not_accepted(now + ACCEPTED_FOR, lacks_scope=True)
            case Answer.LOCKED_OUT:
                record.lock_out(window_ends)
                record.not_told(self.execution)
                return _locked(window_ends, now)
        record.not_told(self.execution)
        return Unreachable(known.accepted_before, version, bool(known.pushes))

    def _unreadable_before(self, known: Known, seen: str, reader: Reader) -> Outcome | None:
        """What was learned of roles that could not read the secret as it is `seen` now; a person's word ends that."""
        if not (reader.role and known.unreadable_as == seen):
            return None
        if reader.again:
            self.services.secret_record.forget_unreadable()
            return None
        from remediator.core.guards.lost_grant import unreadable_before

        return unreadable_before(known.unreadable, known.in_a_row, reader.role, self._secret)

    def _auth_config_lacking(self, credentials: Credentials, case: Case) -> Outcome | None:
        """Outcome where the secret's third key can't be used; None when it can."""
        if credentials.auth_config is None:
            return self._without_auth_config(case)
        fault = fault_in(credentials.auth_config, credentials.username, credentials.password)
        return self._wrong(f"{self._secret} can't be used: its key docker_auth_config: {fault}") if fault else None

    def _without_auth_config(self, case: Case) -> Outcome:
        """The better way first: with the key every such project can be repaired."""
        from remediator.core.advice.secret import store_credentials

        sign_in, grant = self.services.settings.sign_in, case.plan.grant
        lacks = "has no key docker_auth_config"
        instead = "If you change the buildspec in place of that, first let the project's builds read the credentials."
        then = "use the remediate command (or change the buildspec in place of that, as the advice below says)"
        why = f"the secret {lacks}, with which builds sign in whose buildspec is in a repository"
        outcome = advised(
            "the project's commands can't be signed in from here: its buildspec is in the repository, and "
            f"{self._secret} {lacks}",
            store_credentials(sign_in.secret_arn, why, then),
            *([sign_in.let_role_read(grant.role_arn, instead)] if grant else []),
            sign_in_without_key(case, sign_in, f"the secret {lacks}"),
        )
        return outcome.with_facts(background=mirrors_for(case))

    def _unknown_key(self) -> Outcome | None:
        """A key that this stack grants nothing on fails every build that refers to the secret."""
        key = self.services.secret.customer_key()
        if not key or self.services.settings.sign_in.customer_key:
            return None
        from remediator.core.guards.credentials import unknown_key

        return unknown_key(self._secret_arn, key)

    def _remembered(
        self, known: Known, now: float, version: str, doubted: bool
    ) -> Accepted | LockedOut | Asking | Outcome:
        if known.locked_until:
            return _locked(known.locked_until, now)
        if known.accepted is None:
            return Asking()
        if known.accepted:
            return Accepted(known.limit, known.remaining, known.window, version, bool(known.pushes), doubted)
        return self._not_accepted(known.fresh_until, lacks_scope=known.lacks_scope)

    def _not_accepted(self, until: float, *, lacks_scope: bool = False) -> Outcome:
        from remediator.core.guards.credentials import lacks_public_scope, not_accepted

        return lacks_public_scope(self._secret_arn, until) if lacks_scope else not_accepted(self._secret_arn, until)


def _locked(until: float, now: float) -> LockedOut:
    return LockedOut(until, int(until - now) + 1)
