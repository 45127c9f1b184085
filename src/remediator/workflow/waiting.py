"""How long the workflow waits between two looks, and what is worth trying again."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.waits import WaitForConditionDecision

from remediator.aws.client import is_transient
from remediator.core.verdict.verdict import Verdict
from remediator.steps.credentials import NOT_TOLD

Json = dict[str, Any]
Strategy = Callable[[Json, int], WaitForConditionDecision]

LEASE_PATIENCE = 3600
"""Seconds to wait for another execution to finish with the project; it needs minutes."""

HUB_PATIENCE = 900
"""Seconds to wait for a Docker Hub that can't be asked."""

EDIT_PATIENCE = 1800
"""Seconds to wait for a policy that all repaired projects' roles are written into, one after the other."""

STAGE_PATIENCE = 900
"""Seconds in which a pipeline has to notice that its build failed, and to start the retry: it looks by itself, later
than CodeBuild's own event comes."""


def never(_error: Exception, _attempts: int) -> RetryDecision:
    return RetryDecision.no_retry()


def when_transient(error: Exception, attempts: int) -> RetryDecision:
    """Five tries over two minutes for what may pass by itself, none for a refusal."""
    if attempts >= 5 or not is_transient(error):
        return RetryDecision.no_retry()
    return RetryDecision.retry(Duration.from_seconds(4 * 2**attempts))


def interval(looks: int) -> int:
    """Seconds before the next look: 5, 7, 11 … and 300 at most."""
    return min(300, round(5 * 1.5 ** min(looks - 1, 12)))


def while_held(state: Json, looks: int) -> WaitForConditionDecision:
    return _go_on(looks, LEASE_PATIENCE) if state["claim"] == "held" else _enough()


def while_not_told(state: Json, looks: int) -> WaitForConditionDecision:
    """For the word of Docker Hub on the credentials."""
    return _go_on(looks, HUB_PATIENCE) if state["state"] in NOT_TOLD else _enough()


def while_busy(state: Json, looks: int) -> WaitForConditionDecision:
    """For a policy that another execution edits; that takes a second or two."""
    return _go_on(looks, EDIT_PATIENCE) if state.get("busy") else _enough()


def while_running(seconds: int) -> Strategy:
    """For a build, a batch: until there is a verdict, and no longer than CodeBuild lets it run."""
    return lambda state, looks: _go_on(looks, seconds) if state["verdict"] == Verdict.RUNNING else _enough()


def while_batch_runs(state: Json, looks: int) -> WaitForConditionDecision:
    return _enough() if state["ended"] else _go_on(looks, state["minutes"] * 60)


def while_not_retried(state: Json, looks: int) -> WaitForConditionDecision:
    """For a pipeline's stage: until what the retry started is there, or it is plain that none can be made."""
    return _enough() if state["next"] or state["refusal"] else _go_on(looks, STAGE_PATIENCE)


def jitter(name: str, most: int) -> int:
    """Some seconds of `most`, always the same for a name: what waits together does not go on together."""
    return int.from_bytes(sha256(name.encode()).digest()[:4], "big") % (most + 1)


def _enough() -> WaitForConditionDecision:
    return WaitForConditionDecision.stop_polling()


def _go_on(looks: int, most: int) -> WaitForConditionDecision:
    if sum(interval(look) for look in range(1, looks)) > most:
        return _enough()
    return WaitForConditionDecision.continue_waiting(Duration.from_seconds(interval(looks)))
