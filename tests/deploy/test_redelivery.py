"""EventBridge delivers an event again while the first write is made: there is one repair, told once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.aws.launch import start
from local.stack import MINISTACK, build
from tests.deploy.stack import Deployed

pytestmark = [pytest.mark.deploy, pytest.mark.slow]


def test_five_deliveries_during_the_first_write_lead_to_one_repair(tmp_path: Path) -> None:
    if not MINISTACK.exists():
        pytest.skip("no local AWS here: python3 bootstrap.py local sam fetches it")
    template = build(tmp_path / "built")
    with start(python=MINISTACK, folder=tmp_path / "aws", seed=4711) as aws:
        stack = Deployed.to(aws, template, seed=1, SettleSeconds=5)
        aws.order("grant-delay", least=3, most=4)
        _deliver_five_times(stack)


def _deliver_five_times(stack: Deployed) -> None:
    case = stack.case("five", privilegedMode=True)
    hold = stack.aws.order("hold", service="iam", operation="AttachRolePolicy", principal=stack.names.stack)["hold"]
    stack.fail(case)
    stack.wait_for("the first write", lambda: stack.caught(hold))
    stack.aws.order("deliver-again", build=case.build, times=4)
    stack.wait_for("Intake to have seen all", lambda: starts(stack, case) == 5)
    stack.aws.order("release")
    outcome = stack.outcome(case)
    assert outcome["outcome"] == "remediated", outcome
    operations = sorted(line["operation"] for line in stack.record().writes(case))
    assert operations == ["AttachRolePolicy", "StartBuild", "UpdateProject"]
    stack.wait_for("the log of the execution that ended", lambda: told(stack, case))
    assert told(stack, case) == 1


def told(stack: Deployed, case: Any) -> int:
    """How many lines of Remediator's log tell the outcome of the case's build."""
    lines = [line for line in stack.log_lines("Remediator") if '"message":"outcome"' in line]
    return [json.loads(line)["build"] for line in lines].count(case.build)


def starts(stack: Deployed, case: Any) -> int:
    """How often Intake asked Lambda to start an execution for the case's build."""
    uuid = case.build.rpartition(":")[2]
    return sum(
        line["operation"] == "Invoke" and uuid in str(line["parameters"].get("DurableExecutionName"))
        for line in stack.record().requests
    )
