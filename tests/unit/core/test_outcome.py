"""How a remediation ended."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from remediator.core.outcome import Ending, Outcome

WHOLE = Outcome(Ending.REMEDIATED, "it passed", "anonymous-limit", ("a", "b"), ("c",), "arn:build")


@pytest.mark.parametrize(
    "outcome", [WHOLE, replace(WHOLE, quiet=True), *(Outcome(ending, "because") for ending in Ending)]
)
def test_an_outcome_survives_json(outcome: Outcome) -> None:
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


def test_an_outcomes_json_has_the_words_that_the_journal_keeps() -> None:
    assert WHOLE.to_json() == {
        "outcome": "remediated",
        "reason": "it passed",
        "cause": "anonymous-limit",
        "changes": ["a", "b"],
        "advice": ["c"],
        "retried_build": "arn:build",
        "quiet": False,
        "retry_result": None,
    }


def test_facts_are_added_to_a_copy() -> None:
    assert WHOLE.with_facts(cause="unknown").cause == "unknown"
    assert WHOLE.cause == "anonymous-limit"
