"""Counts what the functions did, from the request log and the registry's access log, never from their answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from local.aws.launch import LocalAws
from local.demo.scene import Case

Line = dict[str, Any]

RETRIES = ("StartBuild", "RetryBuild", "RetryStageExecution")
READS = ("BatchGet", "Get", "List", "Describe", "Filter")
OWN_KEEPING = (
    "CheckpointDurableExecution",
    "GetDurableExecutionState",
    "Invoke",
    "TransactWriteItems",
    "PutItem",
    "UpdateItem",
    "CreateLogStream",
    "PutLogEvents",
    "SendMessage",
)
"""What the functions write into the stack's own journal, logs, queues and executions: no project's business."""


@dataclass(frozen=True)
class Record:
    """Both logs as they stand; `functions` are the role names of Intake and Remediator."""

    requests: tuple[Line, ...]
    access: tuple[Line, ...]
    stack: str

    @classmethod
    def read(cls, aws: LocalAws, stack: str) -> Record:
        return cls(tuple(aws.read_requests()), tuple(aws.read_access_log()), stack)

    def ours(self, line: Line) -> bool:
        """Was it one of the stack's own functions that asked?"""
        principal = str(line["principal"])
        return any(f"assumed-role/{self.stack}-{role}" in principal for role in ("RemediatorRole", "IntakeRole"))

    def writes(self, case: Case, operation: str = "") -> list[Line]:
        """Successful requests of the functions that change the case's project, role or builds."""
        return [
            line
            for line in self.requests
            if self.ours(line)
            and line["status"] < 300
            and operation in ("", line["operation"])
            and not line["operation"].startswith(READS)
            and line["operation"] not in OWN_KEEPING
            and _mentions(line, (case.project, case.role))
        ]

    def retries(self, case: Case) -> list[Line]:
        """The writes that ran the case's build again, or its pipeline's stage."""
        return [line for line in self.writes(case) if line["operation"] in RETRIES]

    def shows(self, case: Case) -> str:
        """What both logs show, whatever the outcome says: were the last retry's pulls signed in?"""
        retries = self.retries(case)
        if not retries:
            return "changed" if self.writes(case) else "left alone"
        passed = [pull for pull in self.pulls(case.image, float(retries[-1]["time"])) if pull["status"] == 200]
        if not passed:
            return "changed"
        return "remediated" if all(pull["account"] for pull in passed) else "remediated, unproven"

    def reads(self, case: Case) -> list[Line]:
        """Requests of the functions that name the case's project, build or log, and change nothing.

        Those that read all projects, for another one that shares its role, are that other one's.
        """
        names = (case.project, case.role, case.build, case.build.rpartition(":")[2], case.build.rpartition("/")[2])
        asked = [line for line in self.requests if self.ours(line) and _mentions(line, names)]
        return [
            line
            for line in asked
            if line["operation"].startswith(READS) and len(line["parameters"].get("names", [])) <= 1
        ]

    def pulls(self, image: str, since: float = 0.0) -> list[Line]:
        """Requests for the image's manifest at the registry, after a time."""
        repository = image.partition(":")[0]
        repository = repository if "/" in repository else f"library/{repository}"
        return [
            line
            for line in self.access
            if line["repository"] == repository and "/manifests/" in line["path"] and line["time"] >= since
        ]


def _mentions(line: Line, names: Iterable[str]) -> bool:
    values = {json.dumps(name) for name in names}
    text = json.dumps(line["parameters"])
    return any(value in text for value in values) or any(str(line["resource"]).endswith(f"/{name}") for name in names)
