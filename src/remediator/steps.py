"""What the steps up to the patch, and the last ones, do: read with `aws`, decide with `core`, write with `aws`.

Every method is one step: it may run again after an interruption, and returns names, ARNs and decisions as JSON.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, is_transient, message_of
from remediator.aws.journal import NOBODY
from remediator.aws.secret import Credentials, MalformedSecret
from remediator.core.auth_config import fault_in
from remediator.core.case import Case, make_case, refuse_build
from remediator.core.change import GrantSecretAccess
from remediator.core.diagnosis import diagnose
from remediator.core.order import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.snapshot import Snapshot
from remediator.hub import Answer, try_credentials
from remediator.inspection import inspect_build, pushes_by_itself
from remediator.services import Services

Json = dict[str, Any]

LEFT_ALONE = 86_400
"""Seconds for which a project is left alone after its repair was taken back."""

_REFUSED = ("AccessDenied", "AccessDeniedException", "LimitExceeded", "UnmodifiableEntity", "NoSuchEntity")


class CouldNotTell(Exception):
    """Docker Hub gave an answer that says nothing about the credentials; worth asking again."""


class Steps:
    def __init__(self, order: Order, services: Services) -> None:
        self._order = order
        self._services = services
        self._settings = services.settings

    def claim(self) -> Json:
        """Take the build and the project's lease: `granted`, `held` (look again later), `duplicate` or `left-alone`.

        A second attempt is a person's, who may go on where the first repair was taken back.
        """
        try:
            claim = self._take(NOBODY if self._order.attempt > 1 else "")
            if claim.project_held_by == NOBODY and not claim.build_held_by:
                return {"claim": "left-alone", "by": NOBODY}
            if claim.project_held_by and not claim.build_held_by:
                if self._services.executions.is_running(claim.project_held_by):
                    return {"claim": "held", "by": claim.project_held_by}
                claim = self._take(claim.project_held_by)
        except Exception as error:
            if not is_transient(error):
                raise
            return {"claim": "held", "by": "AWS did not answer"}
        if claim.build_held_by:
            return {"claim": "duplicate", "by": claim.build_held_by}
        return {"claim": "granted" if claim.granted else "held", "by": claim.project_held_by}

    def _take(self, evict: str) -> Any:
        order = self._order
        return self._services.journal.claim(order.build, order.execution, order.attempt, self._services.now(), evict)

    def diagnose(self) -> Json:
        """Read the build, its project and the project's role, and decide; nothing is taken from the event."""
        codebuild, settings = self._services.codebuild, self._settings
        build = codebuild.build(self._order.build)
        if build is None:
            return Case(Outcome(Ending.REJECTED, f"CodeBuild knows no build {self._order.build.id}")).to_json()
        diagnosis = diagnose(build.failure, inspect_build(build, self._services))
        refused = refuse_build(build, diagnosis)
        if refused:
            return refused.to_json()
        project = codebuild.project(self._order.build.project)
        if project is None:
            return Case(Outcome(Ending.REJECTED, "the project no longer exists")).to_json()
        pushes = pushes_by_itself(build, project, self._services)
        unread = make_case(build, diagnosis, Snapshot(project), settings.terms, pushes)
        if unread.refusal:
            return unread.to_json()
        try:
            role = self._services.iam.role(str(project.get("serviceRole", "")))
        except ClientError as error:
            if is_transient(error):
                raise
            reason = f"the project's service role can't be read: {message_of(error)}"
            return Case(Outcome(Ending.ADVISED, reason), unread.cause).to_json()
        case = make_case(build, diagnosis, Snapshot(project, role), settings.terms, pushes)
        return replace(case, made_at=self._services.now()).to_json()

    def check(self, case: Case) -> Json | None:
        """Are the credentials well formed and accepted? None when they are, else the outcome."""
        try:
            credentials = self._services.secret.read()
        except MalformedSecret as error:
            return _refusal(Ending.REJECTED, f"the secret can't be used: {error}")
        except ClientError as error:
            if is_transient(error):
                raise
            return _refusal(Ending.REJECTED, f"the secret can't be read: {message_of(error)}")
        if case.otherwise:
            lacking = _auth_config_lacking(credentials, case)
            if lacking:
                return lacking
        answer = try_credentials(credentials.username, credentials.password, self._settings.docker_hub_endpoint)
        if answer is Answer.COULD_NOT_TELL:
            raise CouldNotTell("Docker Hub could not be asked about the credentials")
        if answer is Answer.NOT_NOW:
            # Asking again would prolong a lockout.
            reason = "Docker Hub takes no sign-ins from here at the moment (429); nothing was written"
            return _refusal(Ending.GAVE_UP, reason, "use the remediate command when that is over")
        if answer is Answer.REJECTED:
            return _refusal(
                Ending.REJECTED,
                "Docker Hub does not accept the user name and password of the secret (401)",
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

    def leave_alone(self) -> None:
        """For a day: what was taken back would do the same harm at the project's next failure."""
        until = self._services.now() + LEFT_ALONE
        self._services.journal.leave_alone(self._order.build, self._order.execution, until)

    def release(self) -> None:
        self._services.journal.release(self._order.build, self._order.execution)

    def report(self, outcome: Outcome, release: bool) -> Json:
        """The lease back where it is still held; then journal, log and metric, last, so that they are told once."""
        if release:
            self.release()
        self._services.report.outcome(self._order, outcome, self._services.now())
        return outcome.to_json()


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


def _refusal(ending: Ending, reason: str, *advice: str) -> Json:
    return Outcome(ending, reason, advice=advice).to_json()
