"""A day on which every build of ten projects fails and events come in any order: it all comes to an end."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from local.registry import Registry
from local.simulator import PullAnswer, texts
from local.simulator.world import Credentials
from tests.workflow.account import ENVIRONMENT, OURS, USER, Account, Json, new_account, outcome_of
from tests.workflow.builds import handed_to_intake
from tests.workflow.commands import no_pulls_left

ATTEMPTS = 3
OUR_INITIATOR = OURS.partition("/")[2]
HOUR = 3600
DAY = 24 * HOUR
IMAGES = ("python:3.12", "node:22", "alpine:3", "public.ecr.aws/docker/library/python:3.12")
"""Whose pulls stay throttled: as anonymous whatever they carry, by the account's own limit, by the abuse limit, and by
a registry that is none of ours."""


def never(image: str, credentials: Credentials | None) -> PullAnswer:
    """A day on which no pull comes through."""
    if image.startswith("public.ecr.aws"):
        return PullAnswer(429, "Rate exceeded")
    if image == "alpine:3":
        return PullAnswer(429, "Too Many Requests (HAP429)")
    if image == "node:22" and credentials is not None:
        return PullAnswer(429, texts.account_limit(credentials.username, Random(1)))
    return PullAnswer(429, texts.PULL_LIMIT)


REFERENCES = {
    None: "none",
    "main": "main",
    "refs/heads/main": "main",
    "pr/7": "pr/7",
    "3f1c2b4a5d6e7f8091a2b3c4d5e6f70819203142": "a commit",
    "d5b0159a3ce05a95d7f16055dab3e0ae3cae6cff": "a commit",
}
"""What is asked for, and what that is a version of: nothing tells the branch of a commit that only commits name."""


@dataclass(frozen=True)
class Start:
    """A build that somebody starts: of which of the ten projects, when in the day, who, and of what."""

    project: int
    at: int
    initiator: str
    version: str | None = None


STARTS = st.builds(
    Start,
    project=st.integers(0, 3),
    at=st.integers(0, DAY),
    initiator=st.sampled_from(("maria", "GitHub-Hookshot/1")),
    version=st.sampled_from(list(REFERENCES)),
)


@dataclass
class Storm:
    """What is still to come, by its time: a build that starts, or an event that is delivered."""

    account: Account
    rng: Random
    names: list[str]
    capsys: pytest.CaptureFixture[str]
    coming: list[tuple[float, int, Start | Json]] = field(default_factory=list)
    updates: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    references: dict[str, str] = field(default_factory=dict)
    superseded: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _ran: set[str] = field(default_factory=set)
    _seen: int = 0
    _told: set[str] = field(default_factory=set)

    def expect(self, at: float, what: Start | Json) -> None:
        heapq.heappush(self.coming, (at, next(self._numbers), what))

    def blow(self) -> int:
        """Until nothing is left to come; returns how many events were delivered."""
        delivered = 0
        while self.coming:
            at, _, what = heapq.heappop(self.coming)
            self.account.world.sleep(max(0.0, at - self.account.world.now()))
            if isinstance(what, Start):
                version = {"sourceVersion": what.version} if what.version else {}
                build = self.account.failed_build_of(what.initiator, self.names[what.project], **version)
                self.references[build["id"]] = REFERENCES[what.version]
            else:
                self._deliver(what)
                delivered += 1
                assert delivered < 1000
            self._schedule_events()
        return delivered

    def _schedule_events(self) -> None:
        """Each event of a failed build comes up to three times, at once or as late as a day after."""
        self.account.world.finish()
        events, self._seen = self.account.world.events[self._seen :], len(self.account.world.events)
        for event in events:
            if event["detail"].get("build-status") == "FAILED":
                for _ in range(self.rng.randint(1, 3)):
                    delay = self.rng.choice((0, 5, 60, HOUR, 7 * HOUR, DAY))
                    self.expect(self.account.world.now() + self.rng.uniform(0, 1) * delay, event)

    def _deliver(self, event: Json) -> None:
        self.capsys.readouterr()
        self.account.ask(handed_to_intake(event))
        for name in [name for name in self.account.lambda_.started if name not in self._ran]:
            self._ran.add(name)
            self._execute(name)
        lines = [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]
        logged = [line for line in lines if "_aws" not in line]
        build = event["detail"]["build-id"]
        assert [line["message"] for line in logged] in ([], ["outcome"]), logged
        assert {line["build"] for line in logged} <= {build}
        assert not (logged and build in self._told), "the same event was told twice"
        self._told |= {line["build"] for line in logged}

    def _execute(self, name: str) -> None:
        before, known = self._made_by_us(), {build["id"] for build in self._builds()}
        result = self.account.execute(name, self.account.lambda_.started[name])
        self._look_for_old_ones(name, [build for build in self._builds() if build["id"] not in known])
        outcome = outcome_of(result)
        if self.rng.random() < 1 / 2:
            # As if it had waited and nothing else had been delivered meanwhile; else as if all else could wait.
            self.account.world.sleep(waited(result))
        assert outcome["outcome"] in ("gave-up", "patched", "advised", "skipped"), outcome
        assert USER not in json.dumps(outcome)
        self.retries[name] += self._made_by_us() - before

    def _look_for_old_ones(self, execution: str, started: list[Json]) -> None:
        """Keep what this execution started although somebody had started a newer build of that reference before."""
        original = next(build for build in self._builds() if build["id"].partition(":")[2] == execution[:36])
        reference = self.references[original["id"]]
        self.references |= {build["id"]: reference for build in started}
        for build in started:
            for other in self.account.builds(original["projectName"]):
                between = original["startTime"] < other["startTime"] < build["startTime"]
                if between and other not in started and self.references[other["id"]] == reference:
                    self.superseded.append(f"{build['id']} after {other['id']}")

    def _builds(self) -> list[Json]:
        return [build for name in self.names for build in self.account.builds(name)]

    def _made_by_us(self) -> int:
        """Builds that ran to a result; one that RetryBuild started with the old settings is stopped at once."""
        return sum(b["initiator"] == OUR_INITIATOR and b["buildStatus"] != "STOPPED" for b in self._builds())


def waited(result: Any) -> float:
    """The seconds of an execution's durable waits."""
    ends = [(o, getattr(o, "scheduled_end_timestamp", None)) for o in result.get_all_operations()]
    return float(sum((end - operation.start_timestamp).total_seconds() for operation, end in ends if end))


@pytest.mark.slow
@pytest.mark.parametrize("retry_superseded", ["false", "true"])
@settings(
    max_examples=5,
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(more=st.lists(STARTS, min_size=3, max_size=8), seed=st.integers(0, 2**32))
def test_a_day_on_which_everything_fails_and_every_event_comes_again_comes_to_an_end(
    monkeypatch: pytest.MonkeyPatch,
    registry: Registry,
    capsys: pytest.CaptureFixture[str],
    more: list[Start],
    seed: int,
    retry_superseded: str,
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with new_account(registry) as account, no_pulls_left(account):
        account.environment["RETRY_SUPERSEDED"] = retry_superseded
        a_day(account, Random(seed), more, capsys)


def a_day(account: Account, rng: Random, more: list[Start], capsys: pytest.CaptureFixture[str]) -> None:
    account.world._pull = never
    account.environment["ALLOW_LIMITED_ACCOUNT"] = "true"
    storm = Storm(account, rng, [f"orders-{number}" for number in range(10)], capsys)

    def count_updates(operation: str, request: Json) -> None:
        if operation == "UpdateProject":
            storm.updates[request["name"]] += 1

    account.simulator.before_call.append(count_updates)
    for number, name in enumerate(storm.names):
        image = IMAGES[number % len(IMAGES)]
        account.create_project(name, environment={"image": image}, serviceRole=account.make_role(name))
    day = account.world.now()
    for start in [*(Start(number, rng.randrange(DAY), "maria") for number in range(10)), *more]:
        storm.expect(day + start.at, start)
    assert storm.blow() >= 10
    assert max(storm.retries.values()) == ATTEMPTS
    assert set(storm.updates.values()) == {1}
    assert storm.superseded == [] or account.environment["RETRY_SUPERSEDED"] == "true"
    journal = account.journal()
    for name in storm.names:
        assert account.lease(name) is None
        for build in account.builds(name):
            if build["buildStatus"] == "FAILED":
                assert journal[f"build#{build['id']}"]["outcome"], build["id"]
