"""Runs the failed build again and looks at what becomes of it; each method is a step of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, is_transient, message_of
from remediator.core.build import Build
from remediator.core.case import Case
from remediator.core.diagnosis import NOT_INSPECTED
from remediator.core.failure import FAILED_STATUSES, BuildArn
from remediator.core.order import Order
from remediator.core.retry import RETRY_BUILD
from remediator.core.verdict import Verdict, verdict
from remediator.inspection import inspect_build, was_denied
from remediator.services import Services

Json = dict[str, Any]

CLOCK_SKEW = 30
"""Seconds by which this function's clock may differ from CodeBuild's."""


class NotStarted(Exception):
    """AWS refused to start a build, so there is none to look for."""


class Rerun:
    def __init__(self, order: Order, services: Services) -> None:
        self._order = order
        self._services = services
        self._settings = services.settings

    def retry(self, case: Case, chance: int) -> Json:
        """Run the build again; the caller sees to it that this runs once. `old`: with the settings it failed with."""
        if case.retry_with == RETRY_BUILD:
            token = self._token(chance)
            return self._started(
                _answered(lambda: self._services.codebuild.retry_build(self._order.build, token)), case
            )
        return self.start(case, chance)

    def start(self, case: Case, chance: int) -> Json:
        """Start a build with the project's settings; the caller sees to it that this runs once."""
        project, token = self._order.build.project, f"{self._token(chance)}-start"
        codebuild = self._services.codebuild
        return self._started(_answered(lambda: codebuild.start_build(project, case.source_version, token)), case)

    def stop(self, build: str) -> None:
        """Stop a build that runs with the settings that the first one failed with."""
        self._services.codebuild.stop_build(BuildArn.parse(build))

    def _token(self, chance: int) -> str:
        return f"{self._order.build.uuid}-{self._order.attempt}-{chance}"

    def _started(self, build: Build, case: Case) -> Json:
        old = case.retry_with == RETRY_BUILD and self._is_old(build, case)
        return {"build": str(build.document["arn"]), "minutes": build.minutes_allowed, "old": old}

    def _is_old(self, build: Build, case: Case) -> bool:
        from remediator.core.repaired import signed_in

        return not signed_in(build, case.phase, self._settings.sign_in)

    def find_retry(self, case: Case, known: tuple[str, ...]) -> Json | None:
        """The build that an interrupted `retry` may have started, ours by its initiator; None when there is none."""
        for build in self._services.codebuild.latest_builds(self._order.build.project):
            started = self._started(build, case)
            ours = build.initiator.endswith(f"/{self._services.own_name}") and started["build"] not in known
            version = build.document.get("sourceVersion") or None
            same = version in (case.source_version, case.asked_version)
            if ours and same and build.started_at >= case.made_at - CLOCK_SKEW:
                return started
        return None

    def look(self, state: Json, case: Case) -> Json:
        """Look at the retried build once: its verdict so far. A look that AWS does not answer tells nothing new.

        A log that is late gets two looks more.
        """
        try:
            build = self._services.codebuild.build(BuildArn.parse(state["build"]))
            if build is None:
                return {**state, "verdict": Verdict.STOPPED.value, "phase": "", "started_at": 0.0}
            failed = build.ended and build.status in FAILED_STATUSES
            finding = inspect_build(build, self._services) if failed else NOT_INSPECTED
            judged = verdict(build, case.phase, finding)
            # Only a plan with DOCKER_AUTH_CONFIG has something to say otherwise.
            denied = judged is Verdict.PAST_PULL and bool(case.otherwise) and was_denied(build, self._services)
        except Exception as error:
            if not is_transient(error):
                raise
            return state
        if finding.late and state["late"] < 2:
            return {**state, "late": state["late"] + 1}
        return {
            **state,
            "verdict": judged.value,
            "told": finding.throttle.excerpt if finding.throttle else finding.unread,
            "denied": denied,
            "phase": build.failure.phase,
            "started_at": build.started_at,
        }


def _answered(start: Callable[[], Build]) -> Build:
    """A refusal is an answer; a lost one, or an error of AWS's own, may have been a build that was started."""
    try:
        return start()
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            raise
        raise NotStarted(message_of(error) or code_of(error)) from error
