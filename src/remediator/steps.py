"""What the steps on lease, credentials, grant and report do: read with `aws`, decide with `core`, write with `aws`.

Every method is one step: it may run again after an interruption, and returns names, ARNs and decisions as JSON.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, is_transient, message_of
from remediator.aws.journal import Claim
from remediator.aws.secret import Credentials, MalformedSecret
from remediator.core.auth_config import fault_in
from remediator.core.case import Case
from remediator.core.change import GrantSecretAccess
from remediator.core.history import History, locked_out
from remediator.core.moment import moment
from remediator.core.order import Order
from remediator.core.outcome import Ending, Outcome
from remediator.hub import Answer, read_allowance, try_credentials
from remediator.services import Services

Json = dict[str, Any]

LEFT_ALONE = 86_400
"""Seconds for which a project is left alone after its repair was taken back."""

NOT_ACCEPTED = "Docker Hub does not accept the user name and password of the secret (401)"

_REFUSED = ("AccessDenied", "AccessDeniedException", "LimitExceeded", "UnmodifiableEntity", "NoSuchEntity")


class CouldNotTell(Exception):
    """Docker Hub gave an answer that says nothing about the credentials; worth asking again."""


class Steps:
    def __init__(self, order: Order, services: Services) -> None:
        self._order = order
        self._services = services
        self._settings = services.settings

    def claim(self, looks: int, first: bool) -> Json:
        """Take the project's lease: `granted` with its history, `held` (look again later), `duplicate`, `left-alone`.

        A second attempt is a person's, who may go on where a repair was taken back. `looks` before this one failed.
        Only the `first` claim of an execution can find it to be a duplicate.
        """
        order = self._order
        told: Json = {"claim": "held", "by": "AWS did not answer", "looks": looks + 1, "history": None}
        try:
            claim = self._take("")
            if claim.held_by:
                if self._services.executions.is_running(claim.held_by):
                    same = first and claim.held_for == order.build.id
                    return {**told, "claim": "duplicate" if same else "held", "by": claim.held_by}
                claim = self._take(claim.held_by)
        except Exception as error:
            if not is_transient(error):
                raise
            return told
        if claim.left_alone:
            return {**told, "claim": "left-alone", "by": ""}
        granted = "granted" if claim.granted else "held"
        return {**told, "claim": granted, "by": claim.held_by, "history": claim.history.to_json()}

    def _take(self, evict: str) -> Claim:
        order = self._order
        now = self._services.now()
        return self._services.journal.claim(order.build, order.execution, now, evict, insist=order.attempt > 1)

    def release(self, history: History, shares: bool) -> None:
        """Give the lease back; `shares`: the project was signed in with the secret. That is told to people only, so no
        failure of it counts: a set of names has its limits."""
        self._services.journal.release(self._order.build.project, self._order.execution, history)
        if shares:
            with suppress(ClientError):
                self._services.journal.share(self._order.build.project)

    def check(self, case: Case) -> Json | None:
        """Are the credentials well formed and accepted? None when they are, else the outcome."""
        credentials = usable_secret(self._services)
        if isinstance(credentials, str):
            return _refusal(Ending.REJECTED, credentials)
        if case.otherwise:
            lacking = _auth_config_lacking(credentials, case)
            if lacking:
                return lacking
        return self._answer(
            try_credentials(credentials.username, credentials.password, self._settings.docker_hub_endpoint)
        )

    def _answer(self, answer: Answer) -> Json | None:
        """What Docker Hub's answer to a sign-in means: None when it accepts the credentials, else the outcome."""
        if answer is Answer.COULD_NOT_TELL:
            raise CouldNotTell("Docker Hub could not be asked about the credentials")
        if answer is Answer.NOT_NOW:
            # Asking again would prolong a lockout.
            until = moment(self.locked_out()["until"])
            reason = f"Docker Hub takes no sign-ins from here at the moment (429); none is tried until {until}"
            return _refusal(Ending.GAVE_UP, f"{reason}; nothing was written", "use the remediate command after that")
        if answer is Answer.REJECTED:
            return _refusal(
                Ending.REJECTED,
                NOT_ACCEPTED,
                "put a valid user name and access token into the secret, then use the remediate command",
            )
        return None

    def grant(self, change: GrantSecretAccess) -> Json:
        """Let the project's role read the secret: `granted_at`, or the outcome when IAM refuses."""
        try:
            self._services.iam.attach(change.role_name, change.policy_arn)
        except ClientError as error:
            if is_transient(error) or code_of(error) not in _REFUSED:
                raise
            reason = f"the policy could not be attached to the role {change.role_name}: {message_of(error)}"
            return {"refusal": _refusal(Ending.ADVISED, reason, f"{change.show()} by hand")}
        return {"granted_at": self._services.now()}

    def allowance(self) -> Json:
        """What the secret's account may pull, and until when at the latest it has to wait; or the outcome.

        Asking signs in, so nobody is asked during a lockout.
        """
        locked_until = self._services.journal.locked_until(self._services.now())
        if locked_until:
            return {"refusal": locked_out(locked_until).to_json()}
        try:
            credentials = self._services.secret.read()
        except (MalformedSecret, ClientError) as error:
            if is_transient(error):
                raise
            return {"refusal": _refusal(Ending.REJECTED, f"the secret can't be read: {_told(error)}")}
        allowance = read_allowance(credentials.username, credentials.password, self._settings.docker_hub_endpoint)
        if isinstance(allowance, Answer):
            refused = self._answer(allowance)
            return {"refusal": refused or _refusal(Ending.GAVE_UP, "Docker Hub does not tell the account's allowance")}
        now, journal = self._services.now(), self._services.journal
        return {
            "limit": allowance.limit,
            "remaining": allowance.remaining,
            "window": allowance.window or 0,
            "until": now + (allowance.window or 0),
            "projects": list(journal.sharing()),
        }

    def locked_out(self) -> Json:
        """Nobody signs in with the secret for a while; until when."""
        seconds = self._settings.limits.minutes * 60
        until = self._services.now() + seconds
        self._services.journal.lock_out(until)
        return {"until": until, "seconds": seconds}

    def leave_alone(self) -> None:
        """For a day: what was taken back would do the same harm at the project's next failure."""
        until = self._services.now() + LEFT_ALONE
        self._services.journal.leave_alone(self._order.build.project, self._order.execution, until)

    def locked_for(self) -> int:
        """For how many seconds nobody signs in with the secret from now on; 0 where anybody may."""
        now = self._services.now()
        until = self._services.journal.locked_until(now)
        return int(until - now) + 1 if until else 0

    def report(self, outcome: Outcome, history: History | None, wholes: tuple[str, ...]) -> Json:
        """The lease back where it is held, and what several builds come back with; then journal, log and metric, last,
        so that they are told once."""
        if history is not None:
            self.release(history, shares=bool(outcome.changes))
        for whole in wholes:
            self._services.journal.close(whole, self._order.execution, self._services.now())
        self._services.report.outcome(self._order, outcome, self._services.now())
        return outcome.to_json()


def usable_secret(services: Services) -> Credentials | str:
    """The credentials of the secret, or what is wrong with it; a transient error is raised."""
    try:
        return services.secret.read()
    except MalformedSecret as error:
        return f"the secret can't be used: {error}"
    except ClientError as error:
        if is_transient(error):
            raise
        return f"the secret can't be read: {message_of(error)}"


def _auth_config_lacking(credentials: Credentials, case: Case) -> Json | None:
    """The outcome where the plan needs the secret's third key and that can't be used; None when it can."""
    if credentials.auth_config is None:
        reason = "its buildspec is in the repository, and the secret has no key docker_auth_config"
        return _refusal(
            Ending.ADVISED, f"the project's commands can't be signed in from here: {reason}", *case.otherwise
        )
    fault = fault_in(credentials.auth_config, credentials.username, credentials.password)
    if fault:
        reason = f"the secret's key docker_auth_config can't be used: {fault}"
        return _refusal(Ending.REJECTED, reason, "correct the key, then use the remediate command")
    return None


def _told(error: Exception) -> str:
    return message_of(error) if isinstance(error, ClientError) else str(error)


def _refusal(ending: Ending, reason: str, *advice: str) -> Json:
    return Outcome(ending, reason, advice=advice).to_json()
