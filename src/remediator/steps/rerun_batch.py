"""Runs the failed builds of a batch again and looks at what becomes of it; each method is a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remediator.aws.client import is_transient
from remediator.core.case import Case
from remediator.core.codebuild.batch import Batch
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import FAILED_STATUSES, BuildArn
from remediator.core.job import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.verdict.verdict import Verdict
from remediator.services import Services
from remediator.steps.rerun_build import (
    LATE_LOOKS,
    TOKEN_LIVES,
    NotStarted,
    Rerun,
    answered,
    go_on_unless_stopped,
    not_shown,
)

Json = dict[str, Any]

_GRAVEST = (Verdict.SECRET_UNREADABLE, Verdict.BUILDSPEC_UNREADABLE, Verdict.THROTTLED, Verdict.UNTOLD)


class Batches:
    def __init__(self, order: Order, services: Services) -> None:
        self._order = order
        self._services = services
        self._rerun = Rerun(order, services)

    def look_for_end(self, state: Json, case: Case, subject: BuildArn) -> Json:
        """Has the batch finished failing? Only then it can be retried. `group` is the one that the build is of."""
        try:
            batch = self._services.codebuild.batch(case.batch)
        except Exception as error:
            if not is_transient(error):
                raise
            return state
        if batch is None:
            return {**state, "ended": True, "status": "unknown"}
        return {
            **state,
            "ended": batch.ended,
            "status": batch.status,
            "group": batch.group_of(str(subject)),
            "minutes": batch.minutes_allowed,
            "at": self._services.now(),
        }

    def retry(self, case: Case, number: int) -> Json:
        """Run what failed of the batch again, once; the caller sees to it."""
        go_on_unless_stopped(self._services)
        token = f"{self._order.build.uuid}-{self._order.attempt}-{number}-batch"
        batch = answered(lambda: self._services.codebuild.retry_batch(case.batch, token))
        whole = f"batch#{batch.id}"
        if batch.id != case.batch:
            # Its builds fail under that name, and are followed already.
            self._services.journal.take(whole, self._order.execution, self._services.now())
        return {"batch": batch.id, "whole": whole, "at": self._services.now()}

    def find(self, again: Callable[[], Json], case: Case, subject: BuildArn, since: float) -> Json | None:
        """The batch that an interrupted retry may have started: `again` answers with the same one while CodeBuild
        remembers its token; after that the old one tells, where the build that failed is no more its group's. Where it
        does not, a new batch may run all the same, which nothing here shows: then none is started beside it."""
        if self._services.now() - since < TOKEN_LIVES:
            return again()
        batch = self._services.codebuild.batch(case.batch)
        if batch is None or batch.build_of(batch.group_of(str(subject))) in ("", str(subject)):
            raise NotStarted("whether the batch was retried can't be told after so long an interruption")
        return {"batch": case.batch, "at": self._services.now()}

    def look(self, state: Json, case: Case) -> Json:
        """Look at the retried batch once: the gravest of what its failed builds tell, else what the build that the
        batch is retried for has become."""
        batch = self._services.codebuild.batch(state["batch"])
        if batch is None:
            return {**state, **not_shown(state)}
        if not batch.ended:
            return state
        stale = batch.id == case.batch and batch.build_of(state["group"]) == case.build
        if stale and state["late"] < LATE_LOOKS:
            return {**state, "late": state["late"] + 1}
        return self._result(batch, state, case)

    def _result(self, batch: Batch, state: Json, case: Case) -> Json:
        codebuild = self._services.codebuild
        if batch.status not in ("SUCCEEDED", *FAILED_STATUSES):
            return {**state, "verdict": Verdict.STOPPED.value}
        told = [self._judged(build, state, case) for build in codebuild.builds(batch.failed_builds)]
        late = next((one for one in told if one["verdict"] == Verdict.RUNNING), None)
        if late:
            return {**state, "late": late["late"]}
        for verdict in _GRAVEST:
            found = next((one for one in told if one["verdict"] == verdict), None)
            if found:
                return found
        for build in codebuild.builds(tuple(filter(None, (batch.build_of(state["group"]),)))):
            return self._judged(build, state, case)
        # That build's record is gone.
        gone = Verdict.PASSED if batch.status == "SUCCEEDED" else Verdict.STOPPED
        return told[0] if told else {**state, "verdict": gone.value}

    def _judged(self, build: Build, state: Json, case: Case) -> Json:
        return self._rerun.judged(build, state, case)


def not_retried(state: Json, case: Case) -> Outcome | None:
    """The outcome where the batch is none that can be retried; None when it can."""
    if state["ended"] and state["status"] in FAILED_STATUSES:
        return None
    told = f"the project is signed in; its batch {case.batch} was not retried"
    if not state["ended"]:
        return Outcome(
            Ending.PATCHED,
            f"{told}: it had not ended within its own time-outs",
            advice=("retry the failed builds of the batch when it has ended",),
        )
    reason = f"{told}: CodeBuild has it as {state['status']}"
    return Outcome(Ending.PATCHED, reason, advice=("start the batch again if its result is wanted",))
