"""Turns the request log into the story of a remediation, a line for each thing that happens, as it happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from local.aws.launch import LocalAws
from local.demo.record import Record
from local.demo.screen import Screen

Line = dict[str, Any]

STEPS = {
    "Invoke": ("triage", "Intake starts Remediator: execution {DurableExecutionName}"),
    "TransactWriteItems": ("journal", "the build is taken, or its project's repair is written down"),
    "BatchGetProjects": ("read", "the project is read"),
    "GetRole": ("diagnose", "the service role and who may assume it are read"),
    "GetSecretValue": ("check", "the secret is read; Docker Hub is asked whether it is good"),
    "AttachRolePolicy": ("grant", "the role may read the secret now: {PolicyArn}"),
    "UpdateProject": ("patch", "the project gets what it needs to sign in"),
    "StartBuild": ("retry", "the build is run again"),
    "RetryStageExecution": ("retry", "the pipeline's stage is run again"),
    "GetPipelineState": ("look", "the pipeline is read"),
    "BatchGetBuilds": ("look", "the build is read"),
    "FilterLogEvents": ("log", "the build's log is searched, the newest lines first"),
    "GetLogEvents": ("log", "what the failed command said is read"),
    "PutItem": ("triage", "Intake writes the outcome down; nothing else is started"),
    "UpdateItem": ("journal", "the project's lease is taken or given back, or the outcome is kept"),
}


class Watch:
    """Shows the functions' requests since `began`; called again and again while something else is waited for."""

    def __init__(self, aws: LocalAws, stack: str, screen: Screen, began: float) -> None:
        self._aws = aws
        self._stack = stack
        self._screen = screen
        self._began = began
        self._seen = len(aws.read_requests())

    def show(self) -> None:
        record = Record.read(self._aws, self._stack)
        for line in record.requests[self._seen :]:
            if record.ours(line) and line["operation"] in STEPS:
                step, text = STEPS[line["operation"]]
                told = text.format_map(_Facts(line["parameters"]))
                refused = f" - refused: {line['error']}" if line["error"] else ""
                colour = "red" if line["error"] else "blue"
                self._screen.event(line["time"] - self._began, step, told + refused, colour)
        self._seen = len(record.requests)

    def until(self, what: str, done: Callable[[], bool], patience: float) -> bool:
        """Show what happens until `done` or until patience ends; False then, and it is said."""
        deadline = time.monotonic() + patience
        while not done():
            self.show()
            if time.monotonic() > deadline:
                self._screen.event(time.time() - self._began, "waited", f"{patience:.0f} s for {what}: in vain", "red")
                return False
            time.sleep(0.1)
        self.show()
        return True


class _Facts(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return f"({name})"
