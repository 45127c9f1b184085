"""Runs a failed build again in the way that its initiator needs, and follows it until it has a result."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from remediator.core.case import Case
from remediator.core.codebuild.failure import BuildArn
from remediator.core.job import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.retry.way import Way
from remediator.core.verdict.verdict import Verdict
from remediator.services import Services
from remediator.steps.rerun_build import Rerun
from remediator.workflow.durable import Durable
from remediator.workflow.waiting import while_batch_runs, while_not_retried, while_running

if TYPE_CHECKING:
    from remediator.steps.rerun_batch import Batches

Json = dict[str, Any]


class Retrying:
    """`made` counts the retries, `old` is a build that runs with the settings that the first one failed with.

    `since` is a time, by our clock, before which the next retry was not asked for.
    """

    def __init__(self, order: Order, services: Services, durable: Durable) -> None:
        self._durable = durable
        self._rerun = Rerun(order, services)
        self._order = order
        self._services = services
        self._known: tuple[str, ...] = ()
        self.made = 0
        self.old: str | None = None
        self.since = 0.0

    def start(self, case: Case, subject: BuildArn) -> Json | Outcome:
        """What runs again, `{"build": ARN}` or `{"batch": id}`; or how it ends where nothing can be run again.

        `subject` is the build that failed last, the first one or a retry of it.
        """
        match case.retry.way:
            case Way.AUTO_RETRY:
                return {"build": str(subject)}
            case Way.RETRY_STAGE:
                started = self._retry_stage(case, subject)
            case Way.RETRY_BATCH:
                started = self._retry_batch(case, subject)
            case _:
                started = self._run_again(case, subject)
        if isinstance(started, Outcome):
            return started
        self.made += started.pop("ours", True)
        if "build" in started:
            self._known += (started["build"],)
        return started

    def watch(self, started: Json, case: Case) -> Json:
        """Look with a growing interval until there is a result, at most as long as CodeBuild lets it run."""
        seen: Json = {"build": "", "verdict": Verdict.RUNNING.value, "phase": "", "told": "", "denied": False}
        seen |= {"started_at": 0.0, "late": 0, "old": False, "proof": "", "at": self.since, **started}
        look = self._batches.look if "batch" in started else self._rerun.look
        bound = while_running(int(seen.get("minutes", case.minutes)) * 60 + 900)
        seen = self._durable.wait_for("watch", lambda state: look(state, case), seen, bound)
        self.since = seen["at"]
        return seen

    @cached_property
    def _batches(self) -> Batches:
        """Imported where there is one: every start of the function counts."""
        from remediator.steps.rerun_batch import Batches

        return Batches(self._order, self._services)

    def _run_again(self, case: Case, subject: BuildArn) -> Json | Outcome:
        """RetryBuild may take the settings that the build failed with: then it is stopped and StartBuild used."""
        number, rerun, since = self.made, self._rerun, self.since
        started = self._once("retry", lambda: rerun.retry(case, number, subject), case, since)
        if not started["old"]:
            return started
        self.old = old = started["build"]
        self._known += (old,)
        self._durable.step("stop", lambda: rerun.stop(old))
        self.old = None
        then = case.retry.then
        if then and then.against:
            reason = "the build was retried with the settings that it failed with, and stopped"
            return Outcome(Ending.PATCHED, reason, retried_build=old, advice=(then.against,))
        return self._once("start", lambda: rerun.start(case, number, subject), case, started["at"])

    def _once(self, name: str, start: Any, case: Case, since: float) -> Json:
        known = self._known
        return self._durable.once(name, start, lambda: self._rerun.find(start, case, known, since))

    def _retry_stage(self, case: Case, subject: BuildArn) -> Json | Outcome:
        from remediator.steps.rerun_stage import Stages, not_retryable

        stages = Stages(self._services)
        place = self._durable.step("find-stage", lambda: stages.find(case, subject))
        if "refusal" in place:
            return Outcome.from_json(place["refusal"])
        state: Json = {**place, "asked": False, "changed": False, "next": "", "refusal": None}
        state = self._durable.wait_for(
            "retry-stage", lambda seen: stages.retry(seen, case, subject), state, while_not_retried
        )
        if state["refusal"]:
            return Outcome.from_json(state["refusal"])
        if not state["next"]:
            return not_retryable(state, case)
        if case.batch:
            seen = self._no_batch_seen(case)
            seen = self._durable.step("batch", lambda: self._batches.look_for_end(seen, case, subject))
            batch = {"batch": state["next"], "group": seen["group"], "minutes": seen["minutes"]}
            return {**batch, "ours": state["asked"]}
        build = BuildArn(subject.partition, subject.region, subject.account, *state["next"].split(":", 1))
        return {"build": str(build), "ours": state["asked"]}

    def _retry_batch(self, case: Case, subject: BuildArn) -> Json | Outcome:
        from remediator.steps.rerun_batch import not_retried

        look = lambda seen: self._batches.look_for_end(seen, case, subject)  # noqa: E731 - it is what is waited for
        state = self._durable.wait_for("batch", look, self._no_batch_seen(case), while_batch_runs)
        refused = not_retried(state, case)
        if refused:
            return refused
        number, since = self.made, state["at"]
        retry = lambda: self._batches.retry(case, number)  # noqa: E731 - what is looked for is the same request
        started = self._durable.once("retry", retry, lambda: self._batches.find(retry, case, subject, since))
        return {"group": state["group"], "minutes": state["minutes"], **started}

    def _no_batch_seen(self, case: Case) -> Json:
        return {"ended": False, "status": "", "group": "", "minutes": case.minutes, "at": self.since}
