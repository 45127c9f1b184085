"""What steps return is written into checkpoints with its types, and only types of this package are made of one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_durable_execution_sdk_python.serdes import SerDesContext

from remediator.core.outcome import Ending, Outcome
from remediator.core.retry.way import Retry, Way
from remediator.steps.grant import Granted
from remediator.steps.still_allowed import Busy
from remediator.workflow.checkpoint import Checkpoint
from remediator.workflow.durable import interval, jitter
from tests.unit.checkpoints import checkpointed, text_of

OUTCOME = Outcome(Ending.ADVISED, "reason", "anonymous-limit", ("one", "two"), ("do this",), None, quiet=True)


def read(document: Any) -> Any:
    return Checkpoint("step").deserialize(json.dumps(document), SerDesContext())


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        1.5,
        "text",
        (),
        ("a", ("b", None)),
        Way.RETRY_STAGE,
        Granted(1_795_000_000.25, "the role is shared"),
        Busy("read who shares the roles"),
        Retry(Way.AUTO_RETRY, None, ("a", "b"), Retry(Way.START_BUILD, "by hand")),
        OUTCOME,
        (OUTCOME, {"is": "no dataclass", "nested": (1, 2)}["nested"]),
    ],
)
def test_a_value_is_read_as_it_was_written(value: object) -> None:
    found = checkpointed(value)

    assert (found, type(found)) == (value, type(value))


def test_a_type_is_named_by_its_place_in_the_package() -> None:
    assert json.loads(text_of(Granted(1.0))) == {"is": "steps.grant.Granted", "at": 1.0, "shared_with": ""}
    assert json.loads(text_of(Way.RETRY_BUILD)) == {"is": "core.retry.way.Way", "value": "RetryBuild"}


@pytest.mark.parametrize(
    "name",
    [
        "services.Services",  # no value that a step returns
        "core.outcome.BadInput",
        "core.outcome.advised",
        "steps.grant.Nothing",
        "aws.client.boto3",
    ],
)
def test_nothing_but_a_value_of_a_step_is_made_of_a_checkpoint(name: str) -> None:
    with pytest.raises((TypeError, AttributeError)):
        read({"is": name})


def test_members_that_a_type_does_not_have_are_refused() -> None:
    with pytest.raises(TypeError):
        read({"is": "steps.grant.Granted", "at": 1.0, "another": 2})


def test_looks_come_at_growing_intervals_of_five_minutes_at_most() -> None:
    intervals = [interval(look) for look in range(1, 20)]

    assert intervals[:4] == [5, 8, 11, 17]
    assert intervals == sorted(intervals)
    assert intervals[-1] == 300


def test_what_waits_together_does_not_go_on_together() -> None:
    drawn = [jitter(f"build-{number}", 300) for number in range(100)]

    assert len(set(drawn)) > 60
    assert all(0 <= seconds <= 300 for seconds in drawn)
    assert jitter("build-1", 300) == drawn[1]
