"""What only some failures need is not imported when a function starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
LATER = (
    "aws.codepipeline",
    "aws.kms",
    "aws.regions",
    "commands",
    "core.advice.grants",
    "core.advice.secret",
    "core.diagnosis.excerpt",
    "core.guards.credentials",
    "core.guards.lost_grant",
    "core.guards.own_commands",
    "core.guards.pipelines",
    "core.policies",
    "core.repair.command_sign_in",
    "core.verdict.why_unused",
    "records.retry_order",
    "records.role_index",
    "steps.rerun.batch",
    "steps.rerun.stage",
    "workflow.earlier",
    "workflow.wait_out",
)


@pytest.mark.parametrize("entry", ["handler", "intake"])
def test_what_only_some_failures_need_is_not_imported_at_the_start(entry: str) -> None:
    code = f"import sys, remediator.{entry}; print(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    started = done.stdout.split()
    assert f"remediator.{entry}" in started
    assert [name for name in LATER if f"remediator.{name}" in started] == []
