"""How long the workflow waits between two looks, and what is worth trying again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.waits import WaitForConditionDecision

from remediator.aws.client import is_transient
from remediator.core.verdict import Verdict
from remediator.steps import CouldNotTell

Json = dict[str, Any]

LEASE_PATIENCE = 3600
"""Seconds to wait for another execution to finish with the project; it needs minutes."""


def never(_error: Exception, _attempts: int) -> RetryDecision:
    return RetryDecision.no_retry()


def when_transient(error: Exception, attempts: int) -> RetryDecision:
    """Five tries over two minutes for what may pass by itself, none for a refusal."""
    if attempts >= 5 or not (is_transient(error) or isinstance(error, CouldNotTell)):
        return RetryDecision.no_retry()
    return RetryDecision.retry(Duration.from_seconds(4 * 2**attempts))


def interval(looks: int) -> int:
    """Seconds before the next look: 5, 7, 11 … and 300 at most."""
    return min(300, round(5 * 1.5 ** min(looks - 1, 12)))


def while_held(state: Json, looks: int) -> WaitForConditionDecision:
    waited = sum(interval(look) for look in range(1, looks))
    if state["claim"] != "held" or waited > LEASE_PATIENCE:
        return WaitForConditionDecision.stop_polling()
    return WaitForConditionDecision.continue_waiting(Duration.from_seconds(interval(looks)))


def while_running(seconds: int) -> Callable[[Json, int], WaitForConditionDecision]:
    def decide(state: Json, looks: int) -> WaitForConditionDecision:
        waited = sum(interval(look) for look in range(1, looks))
        if state["verdict"] != Verdict.RUNNING or waited > seconds:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(Duration.from_seconds(interval(looks)))

    return decide
