"""The durable story of one remediation: claim, diagnose, check, plan, grant, settle, patch, retry, watch, report.

Code here is replayed after every wait, so it only decides what comes next from what the steps returned.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from aws_durable_execution_sdk_python import DurableContext, DurableOperationError
from aws_durable_execution_sdk_python.config import Duration, StepConfig, StepSemantics
from aws_durable_execution_sdk_python.serdes import JsonSerDes
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig

from remediator.core.case import Case
from remediator.core.order import Order
from remediator.core.outcome import Ending, Outcome
from remediator.core.plan import Plan
from remediator.core.verdict import Verdict, judge
from remediator.patch import Patch
from remediator.rerun import NotStarted, Rerun
from remediator.services import Services
from remediator.steps import CouldNotTell, Json, Steps
from remediator.waiting import never, when_transient, while_held, while_running

T = TypeVar("T")

PATIENCE_AFTER_GRANT = 600
"""Seconds after a grant in which a build that can't read the secret says nothing about the repair: IAM is eventually
consistent and publishes no bound."""
SECOND_CHANCES = 2
INTERRUPTED = "StepInterruptedError"


def remediate(payload: Any, context: DurableContext, services: Services) -> Json:
    """Follow one failed build from claim to report; returns the outcome as JSON."""
    order = Order.read(payload, context.execution_context.durable_execution_arn)
    return _Story(order, services, context).tell()


class _Story:
    def __init__(self, order: Order, services: Services, context: DurableContext) -> None:
        self._order = order
        self._context = context
        self._steps = Steps(order, services)
        self._project = Patch(order, services)
        self._rerun = Rerun(order, services)
        self._settings = services.settings
        self._lease_held = False
        self._changes: tuple[str, ...] = ()
        self._cause: str | None = None
        self._with_old_settings: str | None = None

    def tell(self) -> Json:
        claim = self._claim("claim")
        if claim["claim"] == "duplicate":
            return Outcome(Ending.SKIPPED, f"the build is with execution {claim['by']}").to_json()
        self._lease_held = claim["claim"] == "granted"
        try:
            outcome = self._repair() if self._lease_held else _not_claimed(claim)
        except DurableOperationError as error:
            outcome = self._broken_off(error)
        facts = outcome.with_facts(cause=outcome.cause or self._cause, changes=self._changes or outcome.changes)
        return self._step("report", lambda: self._steps.report(facts, self._lease_held))

    def _claim(self, name: str) -> Json:
        return self._wait_for(name, lambda _: self._steps.claim(), {"claim": "held", "by": ""}, while_held)

    def _repair(self) -> Outcome:
        case = Case.from_json(self._step("diagnose", self._steps.diagnose))
        self._cause = case.cause
        if case.refusal:
            return case.refusal
        refused = self._step("check", lambda: self._steps.check(case))
        if refused:
            return Outcome.from_json(refused)
        if self._settings.mode == "plan":
            return Outcome(
                Ending.PLANNED,
                "Mode is plan: nothing was written",
                changes=case.plan.show(),
                advice=case.plan.advice,
            )
        granted_at, refusal = self._grant(case.plan)
        if refusal:
            return refusal
        case, refusal = self._patch(case)
        if refusal:
            return refusal
        return self._retry_and_watch(case, granted_at or case.made_at)

    def _grant(self, plan: Plan) -> tuple[float | None, Outcome | None]:
        """Grant, then wait: nobody can ask IAM whether a grant has arrived, and a variable that the role can't
        read yet fails every build of the project."""
        grant = plan.grant
        if grant is None:
            return None, None
        granted = self._step("grant", lambda: self._steps.grant(grant))
        if "refusal" in granted:
            return None, Outcome.from_json(granted["refusal"])
        self._changes += (grant.show(),)
        self._pause("settle", self._settings.settle_seconds)
        return granted["granted_at"], None

    def _patch(self, case: Case) -> tuple[Case, Outcome | None]:
        """The case as it was patched: planned anew where somebody edited the project meanwhile."""
        if not case.plan.project_changes:
            return case, None
        patched = self._step("patch", lambda: self._project.apply(case))
        self._changes += tuple(patched.get("changed", ()))
        if "refusal" in patched:
            return case, Outcome.from_json(patched["refusal"])
        return Case.from_json(patched["case"]), None

    def _retry_and_watch(self, case: Case, readable_since: float) -> Outcome:
        advice = case.plan.advice
        if case.against_retry:
            return Outcome(
                Ending.PATCHED, "the build was not run again from here", advice=(*advice, case.against_retry)
            )
        if not (self._settings.retry_build and self._order.retry):
            return Outcome(Ending.PATCHED, "the project is signed in; no retry was asked for", advice=advice)
        known: tuple[str, ...] = ()
        seen: Json = {}
        for chance in range(SECOND_CHANCES + 1):
            try:
                started = self._retry(case, chance, known)
            except DurableOperationError as error:
                reason = f"the project is signed in, but the build could not be started: {error.message}"
                outcome = Outcome(Ending.PATCHED, reason, advice=(*advice, "start the build again"))
                if self._with_old_settings:
                    stop = "stop the build that was retried: it runs with the settings that the first one failed with"
                    outcome = outcome.with_facts(
                        retried_build=self._with_old_settings, advice=(*advice, stop, "start the build again")
                    )
                return outcome
            self._give_back()
            seen = self._watch(started, case)
            if not _too_early(seen, readable_since) or chance == SECOND_CHANCES:
                break
            known += (started["build"],)
            self._pause("settle-again", max(self._settings.settle_seconds, 10) * 2**chance)
        judged = self._conclude(seen, case)
        return judged.with_facts(retried_build=seen["build"], advice=(*advice, *judged.advice))

    def _retry(self, case: Case, chance: int, known: tuple[str, ...]) -> Json:
        """Run the build again. RetryBuild may take the settings that the build failed with: then StartBuild instead."""
        started = self._once("retry", lambda: self._rerun.retry(case, chance), case, known)
        if not started["old"]:
            return started
        self._with_old_settings = old = started["build"]
        self._step("stop", lambda: self._rerun.stop(old))
        self._with_old_settings = None
        return self._once("start", lambda: self._rerun.start(case, chance), case, (*known, old))

    def _once(self, name: str, start: Callable[[], Json], case: Case, known: tuple[str, ...]) -> Json:
        """Start the build at most once: after an interruption, look for it before another one is started."""
        try:
            return self._step(name, start, once=True)
        except DurableOperationError as error:
            if error.error_type.endswith(NotStarted.__name__):
                raise
            # An answer that was lost may have been a build that was started.
            found = self._step(f"find-{name}", lambda: self._rerun.find_retry(case, known))
            if found:
                return found
            if not error.error_type.endswith(INTERRUPTED):
                raise
        return self._step(name, start, once=True)

    def _give_back(self) -> None:
        """The project may be repaired by others while its build runs: whoever comes now finds nothing to change."""
        if self._lease_held:
            with suppress(DurableOperationError):  # the report gives it back once more
                self._step("release", self._steps.release)
                self._lease_held = False

    def _watch(self, started: Json, case: Case) -> Json:
        """Look at the build with a growing interval until it ends, at most as long as CodeBuild lets it run."""
        state = {"build": started["build"], "verdict": Verdict.RUNNING.value, "phase": "", "started_at": 0.0, "late": 0}
        bound = while_running(started["minutes"] * 60 + 900)
        return self._wait_for("watch", lambda seen: self._rerun.look(seen, case), state, bound)

    def _conclude(self, seen: Json, case: Case) -> Outcome:
        judged = judge(Verdict(seen["verdict"]), seen["phase"], seen.get("told", ""), bool(seen.get("denied")), case)
        return self._take_back(judged.outcome, case.plan) if judged.take_back else judged.outcome

    def _take_back(self, outcome: Outcome, plan: Plan) -> Outcome:
        """What fails builds that would have passed without the repair does not stay; with the lease, as every write."""
        by_hand = ("take the changes that are listed out of the project by hand", *outcome.advice)
        try:
            claim = self._claim("claim-again")
            self._lease_held = claim["claim"] == "granted"
            if not self._lease_held:
                reason = f"{outcome.reason}; the project was left as it is, because {claim['by']} works on it"
                return outcome.with_facts(reason=reason, advice=by_hand)
            undone = self._step("undo", lambda: self._project.undo(plan))
        except DurableOperationError as error:
            undone = {"refusal": {"reason": error.message}}
        if "refusal" in undone:
            why = undone["refusal"]["reason"]
            return outcome.with_facts(reason=f"{outcome.reason}; that could not be taken back: {why}", advice=by_hand)
        if undone["undone"]:
            taken_back = [change.show() for change in plan.project_changes]
            self._changes = tuple(line for line in self._changes if line not in taken_back)
            with suppress(DurableOperationError):  # the changes are gone; the next failure may be looked at too soon
                self._step("leave-alone", self._steps.leave_alone)
        state = "the changes to the project were taken back" if undone["undone"] else "the project was left as it is"
        return outcome.with_facts(reason=f"{outcome.reason}; {state}")

    def _broken_off(self, error: DurableOperationError) -> Outcome:
        """A step that failed for good. What was changed before it stays, and is told."""
        if error.error_type.endswith(CouldNotTell.__name__):
            return Outcome(Ending.GAVE_UP, f"{error.message}; nothing was written")
        left = "what was changed before is listed" if self._changes else "nothing had been changed before"
        return Outcome(
            Ending.FAILED,
            f"{error.error_type}: {error.message}; {left}",
            advice=("look at the project: only it tells whether the step that broke off has changed it",),
        )

    def _step(self, name: str, action: Callable[[], T], once: bool = False) -> T:
        config = StepConfig(
            retry_strategy=never if once else when_transient,
            step_semantics=(StepSemantics.AT_MOST_ONCE_PER_RETRY if once else StepSemantics.AT_LEAST_ONCE_PER_RETRY),
            serdes=JsonSerDes(),
        )
        return self._context.step(lambda _: action(), name=name, config=config)

    def _wait_for(
        self, name: str, look: Callable[[Json], Json], state: Json, strategy: Callable[[Json, int], Any]
    ) -> Json:
        config = WaitForConditionConfig(wait_strategy=strategy, initial_state=state, serdes=JsonSerDes())
        return self._context.wait_for_condition(lambda seen, _: look(seen), config, name=name)

    def _pause(self, name: str, seconds: int) -> None:
        if seconds:
            self._context.wait(Duration.from_seconds(seconds), name=name)


def _too_early(seen: Json, readable_since: float) -> bool:
    """Did the build ask for the secret before the grant can be trusted to have arrived? Then it is no verdict.

    Where the grant was there already, another execution may have made it moments ago: then the diagnosis counts.
    """
    too_early = seen["started_at"] - readable_since < PATIENCE_AFTER_GRANT
    return seen["verdict"] == Verdict.SECRET_UNREADABLE and bool(too_early)


def _not_claimed(claim: Json) -> Outcome:
    if claim["claim"] == "left-alone":
        reason = "a repair of the project was taken back within the last day, so it was left alone; nothing was written"
        return Outcome(Ending.ADVISED, reason, advice=("mend what that outcome names, then use the remediate command",))
    reason = f"another execution held the project for an hour: {claim['by']}; nothing was written"
    return Outcome(Ending.GAVE_UP, reason)
