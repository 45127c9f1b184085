"""A batch is what its builds are together; a failed one can be started again, as the same batch or as a new one."""

from typing import Any

import boto3
import pytest

from local.simulator import CodeBuild, Document, ServiceError
from local.simulator.testing import FakeWorld, simulate
from local.simulator.transport import attach
from tests.local.modelled import breaches
from tests.local.simulated import OWNER, environment, request

CURATED = "aws/codebuild/standard:7.0"
FOUR: list[tuple[str, Document]] = [
    ("lint", {}),
    ("unit", {"imageOverride": "python:3.12"}),
    ("docs", {}),
    ("web", {"imageOverride": "node:20"}),
]


class Batched:
    """A project whose own image needs no pull, and a batch of four of which two are throttled."""

    def __init__(self, **options: Any) -> None:
        self.world = FakeWorld(when="told")
        self.codebuild, _ = simulate(self.world, **options)
        self.codebuild.call("CreateProject", request(environment=environment(image=CURATED)), OWNER)

    def start(self) -> Document:
        return self.codebuild.start_batch("orders", FOUR, "maria")

    def failed(self) -> Document:
        """A batch that has failed."""
        batch = self.start()
        self.world.finish()
        return self.codebuild.batch(batch["id"])

    def retry(self, batch: Document, kind: str = "RETRY_FAILED_BUILDS", **asked: str) -> Document:
        answer = self.codebuild.call("RetryBuildBatch", {"id": batch["id"], "retryType": kind, **asked}, OWNER)
        retried: Document = answer["buildBatch"]
        return retried


def statuses(batch: Document) -> dict[str, str]:
    return {group["identifier"]: group["currentBuildSummary"]["buildStatus"] for group in batch["buildGroups"]}


def builds(batch: Document) -> dict[str, str]:
    return {group["identifier"]: group["currentBuildSummary"]["arn"] for group in batch["buildGroups"]}


def test_a_batch_is_in_progress_until_every_build_has_ended() -> None:
    here = Batched()
    batch = here.start()
    lint = builds(batch)["lint"]
    here.world.finish(lint.rpartition("/")[2])
    batch = here.codebuild.batch(batch["id"])
    assert statuses(batch)["lint"] == "SUCCEEDED"
    assert (batch["buildBatchStatus"], batch["complete"]) == ("IN_PROGRESS", False)
    assert "endTime" not in batch


def test_a_batch_has_failed_when_one_of_its_builds_has() -> None:
    batch = Batched().failed()
    assert statuses(batch) == {"lint": "SUCCEEDED", "unit": "FAILED", "docs": "SUCCEEDED", "web": "FAILED"}
    assert (batch["buildBatchStatus"], batch["complete"]) == ("FAILED", True)
    assert batch["phases"][-1]["phaseType"] == "FAILED"


def test_its_children_are_builds_of_the_project_that_carry_its_arn() -> None:
    here = Batched()
    batch = here.start()
    assert batch["id"].startswith("orders:")
    assert batch["arn"].endswith(f":build-batch/{batch['id']}")
    for arn in builds(batch).values():
        build = here.codebuild.build(arn)
        assert (build["buildBatchArn"], build["initiator"]) == (batch["arn"], "maria")
    assert here.codebuild.build(builds(batch)["web"])["environment"]["image"] == "node:20"


def test_a_retry_starts_the_failed_builds_again_in_the_same_batch() -> None:
    here = Batched()
    failed = here.failed()
    retried = here.retry(failed)
    assert retried["id"] == failed["id"]
    assert (retried["buildBatchStatus"], retried["complete"]) == ("IN_PROGRESS", False)
    assert statuses(retried) == {"lint": "SUCCEEDED", "unit": "IN_PROGRESS", "docs": "SUCCEEDED", "web": "IN_PROGRESS"}
    assert builds(retried)["lint"] == builds(failed)["lint"]
    (prior,) = retried["buildGroups"][1]["priorBuildSummaryList"]
    assert (prior["arn"], prior["buildStatus"]) == (builds(failed)["unit"], "FAILED")
    assert here.codebuild.build(builds(retried)["unit"])["buildBatchArn"] == failed["arn"]


def test_a_retry_makes_a_new_batch_where_the_simulator_is_told_so() -> None:
    here = Batched(batch_retry="new")
    failed = here.failed()
    retried = here.retry(failed)
    assert retried["id"] != failed["id"]
    assert retried["buildBatchNumber"] == failed["buildBatchNumber"] + 1
    assert statuses(retried) == {"lint": "SUCCEEDED", "unit": "IN_PROGRESS", "docs": "SUCCEEDED", "web": "IN_PROGRESS"}
    assert here.codebuild.build(builds(retried)["unit"])["buildBatchArn"] == retried["arn"]
    assert here.codebuild.batch(failed["id"]) == failed


def test_all_builds_can_be_retried() -> None:
    here = Batched()
    failed = here.failed()
    assert set(statuses(here.retry(failed, "RETRY_ALL_BUILDS")).values()) == {"IN_PROGRESS"}


@pytest.mark.parametrize(("uses", "succeeds"), [("snapshot", "FAILED"), ("project", "SUCCEEDED")])
def test_a_retried_build_has_the_settings_that_the_simulator_is_told(uses: Any, succeeds: str) -> None:
    here = Batched(retry_uses=uses)
    pulled, curated = environment(), environment(image=CURATED)
    here.codebuild.call("UpdateProject", {"name": "orders", "environment": pulled}, OWNER)
    batch = here.codebuild.start_batch("orders", [("only", {})], "maria")
    here.world.finish()
    here.codebuild.call("UpdateProject", {"name": "orders", "environment": curated}, OWNER)
    here.retry(batch)
    here.world.finish()
    assert here.codebuild.batch(batch["id"])["buildBatchStatus"] == succeeds


def test_a_retry_with_the_same_token_starts_nothing_for_five_minutes() -> None:
    here = Batched()
    failed = here.failed()
    first = here.retry(failed, idempotencyToken="once")
    assert builds(here.retry(failed, idempotencyToken="once")) == builds(first)
    with pytest.raises(ServiceError, match="Invalid idempotency token"):
        here.retry(failed, "RETRY_ALL_BUILDS", idempotencyToken="once")
    here.world.finish()
    here.world.sleep(301)
    assert builds(here.retry(failed, idempotencyToken="once")) != builds(first)


def test_a_batch_that_runs_is_not_retried() -> None:
    here = Batched()
    with pytest.raises(ServiceError, match=r"InvalidInputException: .*only batch builds that have failed"):
        here.retry(here.start())


def test_a_batch_that_succeeded_is_not_retried() -> None:
    here = Batched()
    batch = here.codebuild.start_batch("orders", [("lint", {})], "maria")
    here.world.finish()
    assert here.codebuild.batch(batch["id"])["buildBatchStatus"] == "SUCCEEDED"
    with pytest.raises(ServiceError, match=r"InvalidInputException: .*only batch builds that have failed"):
        here.retry(batch)


def test_a_child_that_is_retried_alone_changes_nothing_of_its_batch() -> None:
    here = Batched()
    failed = here.failed()
    here.codebuild.call("RetryBuild", {"id": builds(failed)["unit"]}, OWNER)
    here.world.finish()
    assert here.codebuild.batch(failed["id"]) == failed


def test_a_failed_child_is_not_retried_automatically() -> None:
    here = Batched()
    here.codebuild.call("UpdateProject", {"name": "orders", "autoRetryLimit": 2}, OWNER)
    here.failed()
    assert len(here.codebuild.call("ListBuilds", {}, OWNER)["ids"]) == len(FOUR)


REFUSALS: list[tuple[str, Document, str]] = [
    ("RetryBuildBatch", {"id": "orders:1"}, "ResourceNotFoundException"),
    ("RetryBuildBatch", {"id": "orders"}, "InvalidInputException"),
    ("RetryBuildBatch", {"id": "FAILED", "retryType": "RETRY_SOME"}, "InvalidInputException"),
    ("BatchGetBuildBatches", {"ids": []}, "InvalidInputException"),
    ("BatchGetBuildBatches", {"ids": ["orders"]}, "InvalidInputException"),
    ("StartBuildBatch", {"projectName": "other"}, "ResourceNotFoundException"),
    ("StartBuildBatch", {"projectName": "orders", "odd": 1}, "InvalidInputException"),
]


@pytest.mark.parametrize(("operation", "asked", "code"), REFUSALS)
def test_what_is_not_there_or_not_right_is_refused(operation: str, asked: Document, code: str) -> None:
    here = Batched()
    if asked.get("id") == "FAILED":
        asked = {**asked, "id": here.failed()["id"]}
    with pytest.raises(ServiceError, match=code):
        here.codebuild.call(operation, asked, OWNER)


def test_two_builds_of_a_batch_may_not_have_the_same_identifier() -> None:
    with pytest.raises(ServiceError, match="an identifier of its own"):
        Batched().codebuild.start_batch("orders", [("lint", {}), ("lint", {})], "maria")


def test_the_arn_of_a_batch_is_no_build_and_that_of_a_build_no_batch() -> None:
    here = Batched()
    batch = here.start()
    with pytest.raises(ServiceError, match="Invalid build ID provided"):
        here.codebuild.call("BatchGetBuilds", {"ids": [batch["arn"]]}, OWNER)
    with pytest.raises(ServiceError, match="Invalid build batch ID provided"):
        here.codebuild.call("BatchGetBuildBatches", {"ids": [builds(batch)["lint"]]}, OWNER)


def test_batches_are_found_by_id_and_by_arn_and_those_that_do_not_exist_are_named() -> None:
    here = Batched()
    batch = here.start()
    asked = {"ids": [batch["arn"], batch["id"], "orders:1"]}
    answer = here.codebuild.call("BatchGetBuildBatches", asked, OWNER)
    assert [found["id"] for found in answer["buildBatches"]] == [batch["id"], batch["id"]]
    assert answer["buildBatchesNotFound"] == ["orders:1"]


def test_the_list_of_an_inline_buildspec_says_which_builds_there_are() -> None:
    here = Batched()
    buildspec = """
version: 0.2
batch:
  build-list:
    - identifier: unit
      env: {image: "python:3.12", compute-type: BUILD_GENERAL1_LARGE, privileged-mode: true, variables: {A: 1}}
    - identifier: docs
      buildspec: docs.yml
"""
    asked = {"projectName": "orders", "buildspecOverride": buildspec, "buildTimeoutInMinutesOverride": 7}
    batch = here.codebuild.call("StartBuildBatch", asked, OWNER)["buildBatch"]
    unit, docs = (here.codebuild.build(arn) for arn in builds(batch).values())
    assert (unit["environment"]["image"], unit["environment"]["computeType"]) == ("python:3.12", "BUILD_GENERAL1_LARGE")
    assert unit["environment"]["privilegedMode"] is True
    assert unit["environment"]["environmentVariables"] == [{"name": "A", "value": "1", "type": "PLAINTEXT"}]
    assert (docs["environment"]["image"], docs["source"]["buildspec"]) == (CURATED, "docs.yml")
    assert [build["timeoutInMinutes"] for build in (unit, docs)] == [7, 7]
    assert batch["buildTimeoutInMinutes"] == 7


@pytest.mark.parametrize("buildspec", ["ci/buildspec.yml", "version: 0.2\nphases: {}\n", "a: [\n"])
def test_a_batch_without_such_a_list_has_one_build(buildspec: str) -> None:
    asked = {"projectName": "orders", "buildspecOverride": buildspec}
    batch = Batched().codebuild.call("StartBuildBatch", asked, OWNER)["buildBatch"]
    assert list(builds(batch)) == ["build"]


def test_the_builds_of_a_batch_go_on_when_it_is_watched() -> None:
    here = Batched()
    here.world.when = "watched"
    batch = here.start()
    seen = [here.codebuild.call("BatchGetBuildBatches", {"ids": [batch["arn"]]}, OWNER) for _ in range(2)]
    assert [answer["buildBatches"][0]["buildBatchStatus"] for answer in seen] == ["IN_PROGRESS", "FAILED"]


def test_a_client_reaches_it_and_every_answer_is_one_of_the_model() -> None:
    here = Batched()
    assert client_of(here.codebuild).start_build_batch(projectName="orders")["buildBatch"]["buildBatchNumber"] == 1
    answers: list[tuple[str, Document]] = []

    def keep(operation: str, asked: Document) -> None:
        answers.append((operation, here.codebuild.call(operation, asked, OWNER)))

    keep("StartBuildBatch", {"projectName": "orders"})
    failed = here.failed()
    keep("BatchGetBuildBatches", {"ids": [failed["id"], "orders:1"]})
    keep("RetryBuildBatch", {"id": failed["id"], "retryType": "RETRY_FAILED_BUILDS"})
    here.world.finish()
    keep("BatchGetBuildBatches", {"ids": [failed["id"]]})
    assert [breach for operation, answer in answers for breach in breaches("codebuild", operation, answer)] == []


def client_of(simulator: CodeBuild) -> Any:
    make: Any = boto3.client
    client = make("codebuild", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    attach(client, simulator, caller=OWNER)
    return client
