"""What an execution of a pipeline ran, against the simulator: every request passes botocore's own model."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.simulator import Stage
from local.simulator.testing import FakeWorld, pipelines_of, simulate
from local.simulator.transport import attach
from remediator.aws.codepipeline import CodePipeline
from remediator.core.codebuild.pipeline import place_of
from tests.unit import given

CALLER = f"arn:aws:sts::{given.ACCOUNT}:assumed-role/remediator-role/remediator"
UNKNOWN = "12345678-0000-4000-8000-000000000001"


class Fixture:
    """The module under test, and the simulator behind it: a stage whose approval stands before a throttled build."""

    def __init__(self, **options: Any) -> None:
        codebuild, self.world = simulate(FakeWorld(when="told"))
        self.simulator = pipelines_of(codebuild, self.world, **options)
        kind = {"type": "CODEPIPELINE"}
        codebuild.plant_project({**given.project(), "name": "api", "source": kind, "artifacts": kind})
        self.simulator.plant_pipeline("release", [Stage("Build", {"Approve": None, "Compile": "api"})])
        client = given.aws("codepipeline")
        attach(client, self.simulator, caller=CALLER)
        self.codepipeline = CodePipeline(client)

    def failed(self) -> str:
        """An execution that has failed; its id."""
        execution = self.simulator.start("release")
        self.world.finish()
        return execution

    def shown(self) -> str:
        """The build that the pipeline shows."""
        action = self.codepipeline.state("release")["stageStates"][0]["actionStates"][1]
        return str(action["latestExecution"]["externalExecutionId"])

    def ran(self, execution: str, build: str) -> bool:
        return self.codepipeline.ran("release", execution, build)

    def pages(self) -> int:
        return [call.operation for call in self.simulator.calls].count("ListActionExecutions")


def test_an_execution_ran_its_build_and_no_other() -> None:
    aws = Fixture()
    execution = aws.failed()

    assert aws.ran(execution, aws.shown())
    assert not aws.ran(execution, "api:of-another")


def test_a_build_that_stands_beside_a_later_execution_was_not_run_by_it() -> None:
    aws = Fixture()
    old = aws.failed()
    build = aws.shown()
    aws.simulator.reject("release", "Build", "Approve")
    new = aws.failed()

    place = place_of(aws.codepipeline.state("release"), build)

    assert place is not None
    assert place.execution == new
    assert not aws.ran(new, build)
    assert aws.ran(old, build)


def test_a_build_that_was_retried_was_run_by_its_execution_still() -> None:
    aws = Fixture()
    execution = aws.failed()
    before = aws.shown()

    aws.codepipeline.retry_stage("release", "Build", execution)

    assert aws.shown() != before
    assert aws.ran(execution, before)
    assert aws.ran(execution, aws.shown())


def test_pages_are_followed_until_the_build_is_found() -> None:
    aws = Fixture(page=1)
    execution = aws.failed()
    first = aws.shown()
    for _ in range(3):
        aws.codepipeline.retry_stage("release", "Build", execution)
        aws.world.finish()

    assert aws.ran(execution, first)
    assert aws.pages() == 4


def test_no_more_than_ten_pages_are_read() -> None:
    aws = Fixture(page=1)
    execution = aws.failed()
    first = aws.shown()
    for _ in range(10):
        aws.codepipeline.retry_stage("release", "Build", execution)
        aws.world.finish()

    assert not aws.ran(execution, first)
    assert aws.pages() == 10


def test_an_execution_that_the_pipeline_does_not_know_ran_nothing() -> None:
    aws = Fixture()
    aws.failed()

    assert not aws.ran(UNKNOWN, aws.shown())


def test_a_pipeline_that_is_not_there_is_not_taken_for_no() -> None:
    with pytest.raises(ClientError, match="PipelineNotFoundException"):
        Fixture().codepipeline.ran("other", UNKNOWN, "api:1")
