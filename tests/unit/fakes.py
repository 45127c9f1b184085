"""Hand-written stand-ins for what Services wires: each keeps what it was asked."""

from __future__ import annotations

import copy
import logging
import re
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildArn
from remediator.core.guards.history import NEW, History
from remediator.core.outcome import Outcome
from remediator.records.journal import Entry
from remediator.services import Services
from remediator.settings import Settings
from tests.unit import given

NOW = 1_795_000_200.0


@dataclass
class FakeCodeBuild:
    """Projects by name and builds, newest first; Intake only reads, so there is nothing to write with."""

    projects: list[given.Document] = field(default_factory=lambda: [given.project()])
    builds: list[Build] = field(default_factory=lambda: [given.build()])

    def project(self, name: str) -> given.Document | None:
        found = next((project for project in self.projects if project["name"] == name), None)
        return copy.deepcopy(found)

    def build(self, arn: BuildArn) -> Build | None:
        return next((build for build in self.builds if build.document["arn"] == str(arn)), None)

    def latest_builds(self, project: str) -> list[Build]:
        return [build for build in self.builds if build.document["projectName"] == project]


@dataclass
class FakeExecutions:
    started: list[tuple[str, BuildArn, int, bool | None]] = field(default_factory=list)

    def start(self, remediator: str, build: BuildArn, attempt: int, retry: bool | None = None) -> str:
        self.started.append((remediator, build, attempt, retry))
        return f"{remediator}/durable-execution/{build.uuid}-{attempt}/1"


@dataclass
class FakeJournal:
    known: dict[str, Entry] = field(default_factory=dict)
    histories: dict[str, History] = field(default_factory=dict)

    def entry(self, build: BuildArn) -> Entry | None:
        return self.known.get(build.id)

    def history(self, project: str) -> History:
        return self.histories.get(project, NEW)


@dataclass
class FakeSwitch:
    """The stop switch: what it was turned to, and the reason."""

    turned: list[tuple[str, float, bool]] = field(default_factory=list)

    def turn(self, reason: str, now: float, *, stopped: bool) -> None:
        self.turned.append((reason, now, stopped))

    def stopped(self) -> str:
        return f"everything was stopped: {self.turned[-1][0]}" if self.turned and self.turned[-1][2] else ""


@dataclass
class FakeSecretRecord:
    """Until when the secret's version, which Docker Hub refused, is not tried again, until when nobody signs in, and
    whether its token could push."""

    refused: float = 0.0
    locked: float = 0.0
    pushes: bool = False

    def refused_until(self, _now: float) -> float:
        return self.refused

    def locked_until(self, _now: float) -> float:
        return self.locked

    def could_push(self) -> bool:
        return self.pushes


@dataclass
class FakeReport:
    told: list[tuple[BuildArn, Outcome, float]] = field(default_factory=list)

    def triage(self, build: BuildArn, outcome: Outcome, now: float) -> dict[str, Any]:
        self.told.append((build, outcome, now))
        return {"project": build.project, "build": str(build), **outcome.to_json()}


@dataclass
class FakeLogs:
    """CloudWatch Logs with streams by group and name, each a list of lines a millisecond apart; asks are kept."""

    streams: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    page: int = 10_000

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.asked.append("FilterLogEvents")
        lines = self._lines(request["logGroupName"], request["logStreamNames"][0])
        words = re.findall(r'\?"([^"]*)"', request["filterPattern"])
        if request["startFromHead"]:
            begin = int(request.get("nextToken", 0))
            end = begin + self.page
            found = [event for event in lines[begin:end] if any(word in event["message"] for word in words)]
            return {"events": found, **({"nextToken": str(end)} if end < len(lines) else {})}
        end = int(request.get("nextToken", len(lines)))
        begin = max(0, end - self.page)
        found = [event for event in lines[begin:end] if any(word in event["message"] for word in words)]
        return {"events": found[::-1], **({"nextToken": str(begin)} if begin else {})}

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        self.asked.append("GetLogEvents")
        assert request["startFromHead"] is False
        lines = self._lines(request["logGroupName"], request["logStreamName"])
        within = [event for event in lines if request["startTime"] <= event["timestamp"] < request["endTime"]]
        return {"events": within[-self.page :]}

    def _lines(self, group: str, stream: str) -> list[dict[str, Any]]:
        if (group, stream) not in self.streams:
            answer = {"Error": {"Code": "ResourceNotFoundException", "Message": "no such stream"}}
            raise ClientError(answer, "FilterLogEvents")  # type: ignore[arg-type]
        start = 1_795_000_100_000
        return [{"timestamp": start + n, "message": f"{line}\n"} for n, line in enumerate(self.streams[group, stream])]


class FakeServices(Services):
    """Services with its parts replaced before they are first used, so that none of the real ones is made."""

    def __init__(self, **settings: str) -> None:
        self.codebuild_fake = FakeCodeBuild()
        self.executions_fake = FakeExecutions()
        self.journal_fake = FakeJournal()
        self.report_fake = FakeReport()
        self.logs_fake = FakeLogs()
        self.switch_fake = FakeSwitch()
        self.secret_record_fake = FakeSecretRecord()
        self.paused: list[float] = []
        self._settings = settings
        self.__dict__.update(
            codebuild=self.codebuild_fake,
            executions=self.executions_fake,
            journal=self.journal_fake,
            report=self.report_fake,
            logs=self.logs_fake,
            switch=self.switch_fake,
            secret_record=self.secret_record_fake,
            settings=self._read_settings(),
            log=logging.getLogger("tests"),
        )

    def _read_settings(self) -> Settings:
        return given.settings(**self._settings)

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)

    def now(self) -> float:
        return NOW
