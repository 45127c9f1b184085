"""An outcome is told once: to the journal, to the log as one line, as a metric."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics
from botocore.exceptions import ClientError, EndpointConnectionError

from remediator.core.codebuild.failure import BuildArn
from remediator.core.job import Job
from remediator.core.outcome import Ending, Outcome
from remediator.records.report import Report
from tests.unit import given

NOW = 1_795_000_200.0
ORDER = Job(given.BUILD_ARN, "execution", 1)
OUTCOME = Outcome(
    Ending.REMEDIATED, "the build passed\nagain", "anonymous-limit", ("a change",), ("an advice",), "arn:retried"
)


@dataclass
class FakeJournal:
    """Keeps outcomes; `fails` as a table that can't be reached does."""

    outcomes: list[tuple[BuildArn, dict[str, Any], float]] = field(default_factory=list)
    triaged: bool = True
    kept: bool = True
    fails: bool = False

    def record_outcome(
        self, build: BuildArn, _execution: str, _attempt: int, outcome: dict[str, Any], now: float
    ) -> bool:
        if self.fails:
            raise OSError("no table")
        self.outcomes.append((build, outcome, now))
        return self.kept

    def record_triage(self, build: BuildArn, outcome: dict[str, Any], now: float) -> bool:
        self.record_outcome(build, "", 0, outcome, now)
        return self.triaged


@dataclass
class FakeNotices:
    """Keeps what was published; `fails` as a topic that can't be reached does."""

    published: list[dict[str, Any]] = field(default_factory=list)
    fails: Exception | None = None
    before_publishing: Callable[[], None] = lambda: None

    def publish(self, entry: dict[str, Any]) -> None:
        self.before_publishing()
        if self.fails:
            raise self.fails
        self.published.append(entry)


@dataclass
class Told:
    report: Report
    journal: FakeJournal
    notices: FakeNotices
    stream: io.StringIO
    capsys: pytest.CaptureFixture[str]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def metrics(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Told:
    journal, stream = FakeJournal(), io.StringIO()
    logger = Logger(service=f"remediator-{request.node.name}", stream=stream)
    metrics = Metrics(namespace="DockerHubRemediator", service="remediator")
    notices = FakeNotices()
    journal_like: Any = journal
    notices_like: Any = notices
    return Told(Report(journal_like, logger, metrics, notices_like), journal, notices, stream, capsys)


@pytest.mark.parametrize("result", ["passed", "failed by itself"])
def test_an_outcome_is_one_entry_one_line_and_a_metric_with_what_became_of_the_build(told: Told, result: str) -> None:
    outcome = OUTCOME.with_facts(retry_result=result)
    told.report.outcome(ORDER, outcome, NOW)

    entry = {"project": given.PROJECT, "build": str(given.BUILD_ARN), **outcome.to_json()}
    assert told.journal.outcomes == [(given.BUILD_ARN, entry, NOW)]
    [line] = told.lines()
    assert line["message"] == "outcome"
    assert {name: line[name] for name in entry} == entry
    metric, retried = told.metrics()
    assert (metric["Outcomes"], metric["outcome"]) == ([1.0], "remediated")
    assert (retried["RetriedBuilds"], retried["result"]) == ([1.0], result)
    assert told.notices.published == [entry]


def test_a_topic_that_can_not_be_reached_is_logged_and_fails_nothing(told: Told) -> None:
    told.notices.fails = EndpointConnectionError(endpoint_url="https://sns.example")

    told.report.outcome(ORDER, OUTCOME, NOW)

    assert [line["message"] for line in told.lines()] == ["outcome", "no notice"]
    assert told.lines()[1]["why"] == "EndpointConnectionError"
    assert len(told.metrics()) == 1


def test_a_topic_that_refuses_is_logged_by_the_kind_of_error_alone(told: Told) -> None:
    told.notices.fails = ClientError({"Error": {"Code": "AuthorizationError", "Message": "AWS says no"}}, "Publish")

    told.report.outcome(ORDER, OUTCOME, NOW)

    assert told.lines()[1]["why"] == "ClientError"
    assert "AWS says no" not in told.stream.getvalue()


def test_what_nobody_foresaw_is_an_error(told: Told) -> None:
    told.notices.fails = KeyError("outcome")

    with pytest.raises(KeyError):
        told.report.outcome(ORDER, OUTCOME, NOW)
    assert len(told.journal.outcomes) == 1


def test_an_outcome_is_published_when_it_is_in_the_journal_and_the_log(told: Told) -> None:
    seen: list[tuple[int, int]] = []
    told.notices.before_publishing = lambda: seen.append((len(told.journal.outcomes), len(told.lines())))

    told.report.outcome(ORDER, OUTCOME, NOW)

    assert seen == [(1, 1)]


def test_each_outcome_is_published_once(told: Told) -> None:
    told.report.outcome(ORDER, OUTCOME, NOW)
    told.journal.kept = False
    told.report.outcome(ORDER, OUTCOME, NOW)
    told.report.triage(given.BUILD_ARN, OUTCOME, NOW)
    told.journal.triaged = False
    told.report.triage(given.BUILD_ARN, OUTCOME, NOW)

    assert [entry["outcome"] for entry in told.notices.published] == ["remediated", "remediated"]


def test_each_outcome_is_counted_by_its_own_name(told: Told) -> None:
    told.report.outcome(ORDER, OUTCOME, NOW)
    told.report.outcome(ORDER, Outcome(Ending.GAVE_UP, "no"), NOW)

    assert [metric["outcome"] for metric in told.metrics()] == ["remediated", "gave-up"]
    assert [line["outcome"] for line in told.lines()] == ["remediated", "gave-up"]


def test_a_line_keeps_nothing_of_the_line_before_it(told: Told) -> None:
    told.report.outcome(ORDER, OUTCOME, NOW)
    told.report.outcome(ORDER, Outcome(Ending.SKIPPED, "no"), NOW)

    assert "retried_build" not in told.lines()[1]
    assert told.lines()[1]["changes"] == []


def test_a_quiet_outcome_is_in_the_journal_and_the_log_and_counts_for_no_alarm(told: Told) -> None:
    told.report.outcome(ORDER, replace(OUTCOME, quiet=True), NOW)

    [(_, entry, _)] = told.journal.outcomes
    assert (entry["outcome"], entry["quiet"]) == ("remediated", True)
    assert [line["outcome"] for line in told.lines()] == ["remediated"]
    assert told.metrics() == []
    assert told.notices.published == []
    assert told.notices.published == []


def test_news_after_a_quiet_outcome_counts_again(told: Told) -> None:
    told.report.outcome(ORDER, replace(OUTCOME, quiet=True), NOW)
    told.report.outcome(ORDER, Outcome(Ending.GAVE_UP, "no"), NOW)

    assert [metric["outcome"] for metric in told.metrics()] == ["gave-up"]


def test_a_triaged_failure_is_told_the_first_time(told: Told) -> None:
    entry = told.report.triage(given.BUILD_ARN, OUTCOME, NOW)

    assert entry["outcome"] == "remediated"
    assert len(told.lines()) == 1
    assert len(told.metrics()) == 1


def test_a_triaged_failure_that_comes_again_is_answered_but_not_told_again(told: Told) -> None:
    told.journal.triaged = False

    assert told.report.triage(given.BUILD_ARN, OUTCOME, NOW)["outcome"] == "remediated"
    assert told.lines() == []
    assert told.metrics() == []


def test_what_could_not_be_written_down_is_not_logged_as_an_outcome(told: Told) -> None:
    told.journal.fails = True

    with pytest.raises(OSError, match="no table"):
        told.report.outcome(ORDER, OUTCOME, NOW)

    assert told.lines() == []
    assert told.metrics() == []
    assert told.notices.published == []


def test_an_outcome_that_the_journal_does_not_keep_is_not_told(told: Told) -> None:
    """A later attempt of the same build has told its own."""
    told.journal.kept = False
    told.report.outcome(ORDER, Outcome(Ending.REMEDIATED, "passed"), NOW)

    assert told.lines() == []
    assert told.metrics() == []
