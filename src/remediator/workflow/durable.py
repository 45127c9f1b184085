"""Runs an execution's steps, waits and looks on the durable engine."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from aws_durable_execution_sdk_python import DurableContext, DurableOperationError
from aws_durable_execution_sdk_python.config import Duration, StepConfig, StepSemantics
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision

from remediator.aws.client import NotStarted, is_transient
from remediator.workflow.checkpoint import Checkpoint

T = TypeVar("T")

INTERRUPTED = "StepInterruptedError"
LONGEST_INTERVAL = 300
"""Seconds between two looks."""


class Durable:
    """Its callers are replayed, so only its actions do something."""

    def __init__(self, context: DurableContext) -> None:
        self._context = context

    def step(self, name: str, action: Callable[[], T], *, once: bool = False) -> T:
        """An action that may run again, at least once; with `once` at most once, and then it is not tried again."""
        times = StepSemantics.AT_MOST_ONCE_PER_RETRY if once else StepSemantics.AT_LEAST_ONCE_PER_RETRY
        again = _never if once else _when_transient
        config = StepConfig(retry_strategy=again, step_semantics=times, serdes=Checkpoint(name))
        return self._context.step(lambda _: action(), name=name, config=config)

    def once(self, name: str, start: Callable[[], T], find: Callable[[], T | None]) -> T:
        """Start something at most once: after an interruption, look for it before another one is started."""
        try:
            return self.step(name, start, once=True)
        except DurableOperationError as error:
            if error.error_type.endswith(NotStarted.__name__):
                raise
            # The answer may have been lost, and something started.
            found = self.step(f"find-{name}", find)
            if found:
                return found
            if not error.error_type.endswith(INTERRUPTED):
                raise
        return self.step(name, start, once=True)

    def poll(
        self,
        name: str,
        look: Callable[[T], T],
        state: T,
        *,
        done: Callable[[T], bool],
        patience: Callable[[T], int],
        longest: int = LONGEST_INTERVAL,
    ) -> T:
        """Look again and again, with free waits between, `longest` seconds at most, until a look is `done` or the waits
        took `patience` seconds. A look that AWS does not answer tells nothing new."""

        def wait(looks: int) -> int:
            return min(longest, interval(looks))

        def look_patiently(seen: T) -> T:
            try:
                return look(seen)
            except Exception as error:
                if not is_transient(error):
                    raise
                return seen

        def strategy(seen: T, looks: int) -> WaitForConditionDecision:
            if done(seen) or sum(map(wait, range(1, looks))) > patience(seen):
                return WaitForConditionDecision.stop_polling()
            return WaitForConditionDecision.continue_waiting(Duration.from_seconds(wait(looks)))

        config = WaitForConditionConfig(wait_strategy=strategy, initial_state=state, serdes=Checkpoint(name))
        return self._context.wait_for_condition(lambda seen, _: look_patiently(seen), config, name=name)

    def insist(self, name: str, action: Callable[[], T], *, while_it_is: tuple[type, ...], patience: int) -> T:
        """A step that is taken again, for `patience` seconds at most, while it returns one of these types."""
        result = self.step(name, action)
        if isinstance(result, while_it_is):
            result = self.poll(
                f"{name}-again",
                lambda _: action(),
                result,
                done=lambda seen: not isinstance(seen, while_it_is),
                patience=lambda _: patience,
            )
        return result

    def pause(self, name: str, seconds: int) -> None:
        if seconds > 0:
            self._context.wait(Duration.from_seconds(seconds), name=name)


def interval(looks: int) -> int:
    """Seconds before the next look: 5, 7, 11 … and LONGEST_INTERVAL at most."""
    return min(LONGEST_INTERVAL, round(5 * 1.5 ** min(looks - 1, 12)))


def jitter(name: str, most: int) -> int:
    """Some seconds of `most`, always the same for a name: what waits together does not go on together."""
    return int.from_bytes(sha256(name.encode()).digest()[:4], "big") % (most + 1)


def _never(_error: Exception, _attempts: int) -> RetryDecision:
    return RetryDecision.no_retry()


def _when_transient(error: Exception, attempts: int) -> RetryDecision:
    """Five tries over two minutes for what may pass by itself, none for a refusal."""
    if attempts >= 5 or not is_transient(error):
        return RetryDecision.no_retry()
    return RetryDecision.retry(Duration.from_seconds(4 * 2**attempts))
