"""Runs an execution's steps, waits and looks on the durable engine, each kind with its own retries and semantics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from aws_durable_execution_sdk_python import DurableContext, DurableOperationError
from aws_durable_execution_sdk_python.config import Duration, StepConfig, StepSemantics
from aws_durable_execution_sdk_python.serdes import JsonSerDes
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig

from remediator.aws.client import is_transient
from remediator.steps.rerun_build import NotStarted
from remediator.workflow.waiting import Strategy, never, when_transient

T = TypeVar("T")
Json = dict[str, Any]

INTERRUPTED = "StepInterruptedError"


class Durable:
    """What it is given is replayed, so it only does something within its actions."""

    def __init__(self, context: DurableContext) -> None:
        self._context = context

    def step(self, name: str, action: Callable[[], T], *, once: bool = False) -> T:
        """An action that may run again, at least once; with `once` at most once, and then it is not tried again."""
        config = StepConfig(
            retry_strategy=never if once else when_transient,
            step_semantics=(StepSemantics.AT_MOST_ONCE_PER_RETRY if once else StepSemantics.AT_LEAST_ONCE_PER_RETRY),
            serdes=JsonSerDes(),
        )
        return self._context.step(lambda _: action(), name=name, config=config)

    def once(self, name: str, start: Callable[[], Json], find: Callable[[], Json | None]) -> Json:
        """Start something at most once: after an interruption, look for it before another one is started."""
        try:
            return self.step(name, start, once=True)
        except DurableOperationError as error:
            if error.error_type.endswith(NotStarted.__name__):
                raise
            # An answer that was lost may have been one to something that was started.
            found = self.step(f"find-{name}", find)
            if found:
                return found
            if not error.error_type.endswith(INTERRUPTED):
                raise
        return self.step(name, start, once=True)

    def wait_for(self, name: str, look: Callable[[Json], Json], state: Json, strategy: Strategy) -> Json:
        """Look again and again, with waits in between that cost nothing, until the strategy says that it is enough.

        A look that AWS does not answer tells nothing new.
        """

        def look_patiently(seen: Json) -> Json:
            try:
                return look(seen)
            except Exception as error:
                if not is_transient(error):
                    raise
                return seen

        config = WaitForConditionConfig(wait_strategy=strategy, initial_state=state, serdes=JsonSerDes())
        return self._context.wait_for_condition(lambda seen, _: look_patiently(seen), config, name=name)

    def pause(self, name: str, seconds: int) -> None:
        if seconds > 0:
            self._context.wait(Duration.from_seconds(seconds), name=name)
