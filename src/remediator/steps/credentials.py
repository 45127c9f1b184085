"""Proves the secret's credentials at Docker Hub before anything refers to them: one sign-in at a time, remembered."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import is_transient, message_of
from remediator.aws.dockerhub import Allowance, Answer, ask_docker_hub
from remediator.aws.secret import Credentials, MalformedSecret
from remediator.core.case import Case
from remediator.core.guards.history import locked_out
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.auth_config import fault_in
from remediator.core.wording import moment
from remediator.records.secret_record import REFUSED_FOR, Known
from remediator.services import Services

Json = dict[str, Any]

NOT_ACCEPTED = "Docker Hub does not accept the user name and password of the secret (401)"

NOT_TOLD = ("busy", "unreachable")
"""States in which nothing is known of the credentials yet, and it is worth looking again."""


class Proving:
    """Every answer is a `state`: `accepted`, with the account's `limit`, what is `remaining` of it and its `window` in
    seconds; `refused`, with the outcome as `refusal`; `busy` while another execution signs in; `unreachable` where
    Docker Hub said nothing. `earlier`: this version of the secret was accepted at some time before.
    """

    def __init__(self, services: Services, execution: str) -> None:
        self._services = services
        self._settings = services.settings
        self._execution = execution

    def look(self, case: Case | None = None) -> Json:
        """Are the credentials well formed and accepted, and may their account be shared by many projects?

        For a `case` whose plan needs the secret's third key that has to be right too.
        """
        credentials = self._read()
        if isinstance(credentials, Outcome):
            return _refused(credentials)
        if case is not None and case.otherwise:
            lacking = _auth_config_lacking(credentials, case)
            if lacking:
                return _refused(lacking)
        seen = self._proven(credentials, anew=False)
        if seen["state"] == "accepted" and seen["limit"] is not None and not self._settings.allow_limited_account:
            return _refused(_limited(seen))
        return seen

    def allowance(self) -> Json:
        """What the account may pull and has left right now; that signs in, so it is asked only where that may be."""
        credentials = self._read()
        if isinstance(credentials, Outcome):
            return _refused(credentials)
        return self._proven(credentials, anew=True)

    def lock_out(self) -> float:
        """Nobody signs in with the secret for a while, since asking again would prolong a lockout; until when."""
        until = self._services.now() + self._settings.limits.minutes * 60
        self._services.secret_record.lock_out(until)
        return until

    def _read(self) -> Credentials | Outcome:
        try:
            return self._services.secret.read()
        except MalformedSecret as error:
            return Outcome(Ending.REJECTED, f"the secret can't be used: {error}")
        except ClientError as error:
            if is_transient(error):
                raise
            with suppress(ClientError):
                unknown_key = self._unknown_key()
                if unknown_key:
                    return unknown_key
            return Outcome(Ending.REJECTED, f"the secret can't be read: {message_of(error)}")

    def _proven(self, credentials: Credentials, *, anew: bool) -> Json:
        record, now = self._services.secret_record, self._services.now()
        known = record.ask(credentials.version, self._execution, now, anew=anew)
        if not known.may_ask:
            return _remembered(known)
        unknown_key = self._unknown_key()
        if unknown_key:
            record.not_told(self._execution)
            return _refused(unknown_key)
        answer = ask_docker_hub(credentials.username, credentials.password, self._settings.docker_hub_endpoint)
        now = self._services.now()
        match answer:
            case Allowance():
                told = (answer.limit, answer.remaining, answer.window)
                record.accepted(credentials.version, self._execution, now, *told)
                return _accepted(*told)
            case Answer.REJECTED:
                record.refused(credentials.version, self._execution, now)
                return _refused(_not_accepted(now + REFUSED_FOR))
            case Answer.NOT_NOW:
                until = self.lock_out()
                record.not_told(self._execution)
                return _refused(_not_now(until))
        record.not_told(self._execution)
        return {"state": "unreachable", "earlier": known.accepted_before}

    def _unknown_key(self) -> Outcome | None:
        """A key that this stack grants nothing on fails every build that refers to the secret."""
        key = self._services.secret.customer_key()
        if not key or self._settings.sign_in.customer_key:
            return None
        return Outcome(
            Ending.REJECTED,
            f"the secret is encrypted with the customer key {key}, and the stack was deployed without SecretKmsKeyArn",
            advice=("deploy with the ARN of that key as SecretKmsKeyArn, then use the remediate command",),
        )


def _remembered(known: Known) -> Json:
    if known.locked_until:
        return _refused(locked_out(known.locked_until))
    if known.accepted is None:
        return {"state": "busy", "earlier": known.accepted_before}
    if known.accepted:
        return _accepted(known.limit, known.remaining, known.window)
    return _refused(_not_accepted(known.fresh_until))


def _accepted(limit: int | None, remaining: int | None, window: int | None) -> Json:
    return {"state": "accepted", "limit": limit, "remaining": remaining, "window": window, "earlier": True}


def _refused(outcome: Outcome) -> Json:
    return {"state": "refused", "refusal": outcome.to_json(), "earlier": False}


def _not_accepted(until: float) -> Outcome:
    mend = "put a valid user name and access token into the secret, then use the remediate command"
    why = f"a new version of the secret is tried at once, this one not before {moment(until)}: failed sign-ins add up"
    return Outcome(Ending.REJECTED, NOT_ACCEPTED, advice=(f"{mend}; {why} to a lockout",))


def _not_now(until: float) -> Outcome:
    reason = f"Docker Hub takes no sign-ins from here at the moment (429); none is tried until {moment(until)}"
    return Outcome(Ending.GAVE_UP, f"{reason}; nothing was written", advice=("use the remediate command after that",))


def _limited(seen: Json) -> Outcome:
    window = f" in {seen['window']} s" if seen["window"] else ""
    return Outcome(
        Ending.ADVISED,
        f"the secret's account may pull {seen['limit']} images{window} and has {seen['remaining']} left, which all "
        "repaired projects would share; anonymous pulls have a limit for each address",
        advice=_WAYS_OUT,
    )


_WAYS_OUT = (
    "put a token of an account without a pull limit into the secret (Docker Pro, Team or Business), then use remediate",
    "or pull Docker's official images from public.ecr.aws/docker/library, which needs no account",
    "or deploy with AllowLimitedAccount=true if the projects' pulls fit into that limit together",
)


def _auth_config_lacking(credentials: Credentials, case: Case) -> Outcome | None:
    """The outcome where the plan needs the secret's third key and that can't be used; None when it can."""
    if credentials.auth_config is None:
        reason = "its buildspec is in the repository, and the secret has no key docker_auth_config"
        return Outcome(
            Ending.ADVISED, f"the project's commands can't be signed in from here: {reason}", advice=case.otherwise
        )
    fault = fault_in(credentials.auth_config, credentials.username, credentials.password)
    if fault:
        reason = f"the secret's key docker_auth_config can't be used: {fault}"
        return Outcome(Ending.REJECTED, reason, advice=("correct the key, then use the remediate command",))
    return None
