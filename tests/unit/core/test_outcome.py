"""How a remediation ended."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from remediator.core.outcome import ADVICE_LENGTH, ALL_ADVICE, Ending, Outcome
from remediator.workflow.checkpoint import Checkpoint
from tests.unit.checkpoints import CONTEXT, checkpointed, text_of

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


def test_background_is_the_end_of_the_advice_that_people_read() -> None:
    outcome = replace(WHOLE, background=("d",))

    assert outcome.to_json() == {**WHOLE.to_json(), "advice": ["c", "d"]}
    assert checkpointed(outcome) == outcome


def test_background_is_cut_before_anything_else() -> None:
    full = tuple(f"{number}{'x' * (ADVICE_LENGTH - 1)}" for number in range(ALL_ADVICE // ADVICE_LENGTH))

    outcome = replace(WHOLE, advice=(*full[:-1], "y" * (ADVICE_LENGTH - 9)), background=("z" * 20,))

    assert outcome.advice == (*full[:-1], "y" * (ADVICE_LENGTH - 9))
    assert outcome.background == (f"{'z' * 8}…",)


def test_a_checkpoint_that_knows_no_background_is_read_all_the_same() -> None:
    document = json.loads(text_of(WHOLE))
    del document["background"]

    assert Checkpoint("step").deserialize(json.dumps(document), CONTEXT) == WHOLE
