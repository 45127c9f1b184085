"""A pipeline goes on as its builds end, notices them late when told so, and says when a stage can't be retried."""

from typing import Any

import boto3
import pytest

from local.simulator import CodeBuild, CodePipeline, Document, ServiceError, Stage
from local.simulator.codepipeline import busy, too_many_executions
from local.simulator.testing import FakeWorld, pipelines_of, simulate
from local.simulator.transport import attach
from tests.local.modelled import breaches
from tests.local.simulated import OWNER, environment, request

GOOD = environment(image="aws/codebuild/standard:7.0")
NOT_RETRYABLE = "StageNotRetryableException: Unable to retry. The pipeline structure or stage state might have changed"


class Shop:
    """A pipeline `shop`: a source, two builds of which one is throttled, and a deployment that builds."""

    def __init__(self, on_failure: Any = None, **options: Any) -> None:
        self.world = FakeWorld(when="told")
        self.codebuild, _ = simulate(self.world)
        self.pipelines = pipelines_of(self.codebuild, self.world, **options)
        for name, image in (("orders", environment()), ("web", GOOD), ("ship", GOOD)):
            self.codebuild.plant_project(pipeline_project(name, image))
        build = Stage("Build", {"Orders": "orders", "Web": "web"}, on_failure)
        self.pipelines.plant_pipeline("shop", [Stage("Source", {"Code": None}), build, Stage("Ship", {"Ship": "ship"})])

    def repair(self) -> None:
        self.codebuild.call("UpdateProject", {"name": "orders", "environment": GOOD}, OWNER)

    def stage(self, name: str) -> Document:
        return next(stage for stage in self.pipelines.state("shop")["stageStates"] if stage["stageName"] == name)

    def statuses(self, name: str = "Build") -> tuple[str, ...]:
        """The stage's status, then those of its actions."""
        stage = self.stage(name)
        actions = [action["latestExecution"]["status"] for action in stage["actionStates"]]
        return stage["latestExecution"]["status"], *actions

    def builds(self, name: str = "Build") -> list[str]:
        return [action["latestExecution"]["externalExecutionId"] for action in self.stage(name)["actionStates"]]

    def retry(self, execution: str, mode: str = "FAILED_ACTIONS", stage: str = "Build") -> str:
        asked = {"pipelineName": "shop", "stageName": stage, "pipelineExecutionId": execution, "retryMode": mode}
        answer = self.pipelines.call("RetryStageExecution", asked, OWNER)
        return str(answer["pipelineExecutionId"])

    def refused(self, code: str, execution: str, **asked: str) -> None:
        with pytest.raises(ServiceError, match=code):
            self.retry(execution, **asked)

    def ran(self, execution: str | None = None, **asked: object) -> list[Document]:
        """What the actions ran for that execution, or for all of them, newest first."""
        by = {"filter": {"pipelineExecutionId": execution}} if execution else {}
        answer = self.pipelines.call("ListActionExecutions", {"pipelineName": "shop", **by, **asked}, OWNER)
        return list(answer["actionExecutionDetails"])

    def with_approval(self) -> None:
        """An approval stands before its two builds, in the same stage."""
        build = Stage("Build", {"Approve": None, "Orders": "orders", "Web": "web"})
        self.pipelines.plant_pipeline("shop", [Stage("Source", {"Code": None}), build])

    def failed(self) -> str:
        """An execution whose stage Build has failed; its id."""
        execution = self.pipelines.start("shop")
        self.world.finish()
        return execution


def pipeline_project(name: str, image: Document) -> Document:
    kind = {"type": "CODEPIPELINE"}
    return request(name=name, environment=image, source=kind, artifacts=kind)


def test_an_execution_starts_the_builds_of_a_stage_and_goes_on_when_all_have_succeeded() -> None:
    shop = Shop()
    shop.repair()
    execution = shop.pipelines.start("shop")
    assert shop.statuses("Source") == ("Succeeded", "Succeeded")
    assert shop.statuses() == ("InProgress", "InProgress", "InProgress")
    first, second = shop.builds()
    assert shop.codebuild.build(first)["initiator"] == "codepipeline/shop"
    shop.world.finish(first)
    assert shop.statuses() == ("InProgress", "Succeeded", "InProgress")
    assert "latestExecution" not in shop.stage("Ship")
    shop.world.finish(second)
    assert shop.stage("Ship")["latestExecution"]["pipelineExecutionId"] == execution
    shop.world.finish()
    assert shop.statuses("Ship") == ("Succeeded", "Succeeded")


def test_a_stage_has_failed_when_one_of_its_builds_has() -> None:
    shop = Shop()
    execution = shop.failed()
    assert shop.statuses() == ("Failed", "Failed", "Succeeded")
    assert shop.stage("Build")["latestExecution"]["pipelineExecutionId"] == execution
    assert "latestExecution" not in shop.stage("Ship")


def test_a_build_that_cannot_be_started_fails_its_action() -> None:
    shop = Shop()
    shop.codebuild.call("DeleteProject", {"name": "orders"}, OWNER)
    shop.pipelines.start("shop")
    action = shop.stage("Build")["actionStates"][0]["latestExecution"]
    assert action["status"] == "Failed"
    assert "Project cannot be found" in action["errorDetails"]["message"]
    assert "externalExecutionId" not in action


def test_a_retry_starts_the_failed_builds_again_for_the_same_execution() -> None:
    shop = Shop()
    execution = shop.failed()
    failed, succeeded = shop.builds()
    shop.repair()
    assert shop.retry(execution) == execution
    again, same = shop.builds()
    assert again != failed
    assert same == succeeded
    assert shop.statuses() == ("InProgress", "InProgress", "Succeeded")
    assert shop.stage("Build")["retryStageMetadata"] == {
        "autoStageRetryAttempt": 0,
        "manualStageRetryAttempt": 1,
        "latestRetryTrigger": "ManualStageRetry",
    }
    shop.world.finish()
    assert shop.stage("Ship")["latestExecution"]["pipelineExecutionId"] == execution


def test_a_retry_of_all_actions_starts_every_build_again() -> None:
    shop = Shop()
    execution = shop.failed()
    before = shop.builds()
    shop.retry(execution, "ALL_ACTIONS")
    assert not set(before) & set(shop.builds())


def test_a_failed_action_can_be_retried_while_another_still_runs_but_not_all_of_them() -> None:
    shop = Shop()
    execution = shop.pipelines.start("shop")
    failed, running = shop.builds()
    shop.world.finish(failed)
    shop.refused(NOT_RETRYABLE, execution, mode="ALL_ACTIONS")
    shop.retry(execution)
    assert shop.builds()[1] == running
    assert shop.statuses() == ("InProgress", "InProgress", "InProgress")


def test_a_failure_is_noticed_after_as_many_refused_retries_as_told() -> None:
    shop = Shop(lag=2)
    execution = shop.failed()
    assert shop.codebuild.build(shop.builds()[0])["buildStatus"] == "FAILED"
    assert shop.statuses() == ("InProgress", "InProgress", "Succeeded")
    for _ in range(2):
        shop.refused(NOT_RETRYABLE, execution)
    assert shop.retry(execution) == execution


def test_a_retry_that_is_refused_while_the_build_runs_does_not_count() -> None:
    shop = Shop(lag=1)
    execution = shop.pipelines.start("shop")
    shop.refused(NOT_RETRYABLE, execution)
    shop.world.finish()
    shop.refused(NOT_RETRYABLE, execution)
    assert shop.retry(execution) == execution


def test_the_lag_may_be_changed_at_any_time() -> None:
    shop = Shop(lag=5)
    shop.failed()
    assert shop.statuses()[0] == "InProgress"
    shop.pipelines.lag = 0
    assert shop.statuses()[0] == "Failed"


def test_nothing_is_retried_where_nothing_failed() -> None:
    shop = Shop()
    shop.repair()
    execution = shop.failed()
    shop.refused(NOT_RETRYABLE, execution)


def test_nothing_is_retried_while_a_retry_is_in_progress() -> None:
    shop = Shop()
    execution = shop.failed()
    shop.retry(execution)
    shop.refused(NOT_RETRYABLE, execution)


def test_nothing_is_retried_when_the_pipeline_was_changed_after_the_failure() -> None:
    shop = Shop()
    execution = shop.failed()
    before = shop.pipelines.state("shop")
    shop.pipelines.change("shop")
    after = shop.pipelines.state("shop")
    assert after["pipelineVersion"] == before["pipelineVersion"] + 1
    assert after["updated"] > before["updated"]
    shop.refused(NOT_RETRYABLE, execution)


def test_a_change_before_the_failure_does_not_stand_in_the_way() -> None:
    shop = Shop()
    execution = shop.pipelines.start("shop")
    shop.pipelines.change("shop")
    shop.world.finish()
    assert shop.retry(execution) == execution


def test_a_later_execution_takes_a_failed_stage_and_the_old_one_cannot_be_retried_there() -> None:
    shop = Shop()
    old = shop.failed()
    new = shop.pipelines.start("shop")
    shop.refused("NotLatestPipelineExecutionException", old)
    assert shop.stage("Build")["latestExecution"] == {
        "pipelineExecutionId": new,
        "status": "InProgress",
        "type": "STANDARD",
    }


def test_later_executions_wait_at_a_stage_that_runs_and_the_latest_of_them_gets_in() -> None:
    shop = Shop()
    first = shop.pipelines.start("shop")
    shop.pipelines.start("shop")
    last = shop.pipelines.start("shop")
    stage = shop.stage("Build")
    assert stage["latestExecution"]["pipelineExecutionId"] == first
    assert stage["inboundExecution"]["pipelineExecutionId"] == last
    shop.world.finish()
    assert shop.stage("Build")["latestExecution"]["pipelineExecutionId"] == last


def test_a_stage_that_retries_itself_does_so_once() -> None:
    shop = Shop(on_failure="RETRY")
    shop.pipelines.start("shop")
    first = shop.builds()
    shop.world.finish()
    assert shop.statuses() == ("InProgress", "InProgress", "Succeeded")
    assert shop.builds()[0] != first[0]
    metadata = {"autoStageRetryAttempt": 1, "manualStageRetryAttempt": 0, "latestRetryTrigger": "AutomatedStageRetry"}
    assert shop.stage("Build")["retryStageMetadata"] == metadata
    shop.world.finish()
    assert shop.statuses() == ("Failed", "Failed", "Succeeded")


def test_a_stage_that_retried_itself_can_be_retried_by_somebody() -> None:
    shop = Shop(on_failure="RETRY")
    execution = shop.failed()
    shop.refused(NOT_RETRYABLE, execution)
    shop.world.finish()
    shop.retry(execution)
    metadata = {"autoStageRetryAttempt": 1, "manualStageRetryAttempt": 1, "latestRetryTrigger": "ManualStageRetry"}
    assert shop.stage("Build")["retryStageMetadata"] == metadata


def test_codebuild_does_not_retry_a_pipelines_build_itself() -> None:
    shop = Shop()
    shop.codebuild.plant_project(pipeline_project("orders", environment()) | {"autoRetryLimit": 2})
    shop.failed()
    assert len(shop.codebuild.call("ListBuildsForProject", {"projectName": "orders"}, OWNER)["ids"]) == 1


def test_builds_that_end_at_once_take_the_pipeline_to_its_end() -> None:
    shop = Shop()
    shop.repair()
    shop.world.when = "at-once"
    shop.pipelines.start("shop")
    assert shop.statuses("Ship") == ("Succeeded", "Succeeded")


def test_a_pipelines_builds_go_on_when_its_state_is_watched() -> None:
    shop = Shop()
    shop.world.when = "watched"
    shop.pipelines.start("shop")
    seen = [shop.pipelines.call("GetPipelineState", {"name": "shop"}, OWNER)["stageStates"][1] for _ in range(2)]
    assert [stage["latestExecution"]["status"] for stage in seen] == ["InProgress", "Failed"]


def external_ids(actions: list[Document]) -> list[str]:
    """The builds among these action executions, in their order."""
    results = [action["output"].get("executionResult", {}) for action in actions]
    return [result["externalExecutionId"] for result in results if "externalExecutionId" in result]


def test_what_an_execution_ran_is_listed_newest_first_its_retried_builds_too() -> None:
    shop = Shop()
    execution = shop.failed()
    failed, succeeded = shop.builds()
    shop.repair()
    shop.retry(execution)
    again = shop.builds()[0]
    ran = shop.ran(execution)
    assert external_ids(ran) == [again, succeeded, failed]
    assert [(action["stageName"], action["actionName"], action["status"]) for action in ran] == [
        ("Build", "Orders", "InProgress"),
        ("Build", "Web", "Succeeded"),
        ("Build", "Orders", "Failed"),
        ("Source", "Code", "Succeeded"),
    ]
    assert {action["pipelineExecutionId"] for action in ran} == {execution}
    assert all(action["startTime"] <= action["lastUpdateTime"] for action in ran)
    shown = [action["latestExecution"]["actionExecutionId"] for action in shop.stage("Build")["actionStates"]]
    assert shown == [action["actionExecutionId"] for action in ran[:2]]


def test_what_other_executions_ran_is_listed_without_a_filter_alone() -> None:
    shop = Shop()
    old = shop.failed()
    of_old = shop.builds()
    new = shop.failed()
    assert external_ids(shop.ran(old)) == of_old[::-1]
    assert external_ids(shop.ran(new)) == shop.builds()[::-1]
    assert shop.ran() == shop.ran(new) + shop.ran(old)


@pytest.mark.parametrize(("page", "asked"), [(100, {"maxResults": 2}), (2, {}), (2, {"maxResults": 50})])
def test_a_list_has_pages_that_later_actions_do_not_shift(page: int, asked: Document) -> None:
    shop = Shop(page=page)
    execution = shop.failed()
    request = {"pipelineName": "shop", "filter": {"pipelineExecutionId": execution}, **asked}
    first = shop.pipelines.call("ListActionExecutions", request, OWNER)
    shop.retry(execution)
    last = shop.pipelines.call("ListActionExecutions", {**request, "nextToken": first["nextToken"]}, OWNER)
    pages = [[action["actionName"] for action in page["actionExecutionDetails"]] for page in (first, last)]
    assert pages == [["Web", "Orders"], ["Code"]]
    assert "nextToken" not in last


def test_a_rejected_execution_stands_beside_the_builds_of_an_older_one() -> None:
    shop = Shop()
    shop.with_approval()
    old = shop.failed()
    of_old = external_ids(shop.ran(old))
    shop.pipelines.reject("shop", "Build", "Approve")
    new = shop.failed()
    stage = shop.stage("Build")
    assert stage["latestExecution"] == {"pipelineExecutionId": new, "status": "Failed", "type": "STANDARD"}
    approval, *builds = [action["latestExecution"] for action in stage["actionStates"]]
    assert (approval["status"], approval["errorDetails"]["message"]) == ("Failed", "Rejected")
    assert [build["externalExecutionId"] for build in builds] == of_old[::-1]
    assert [build["status"] for build in builds] == ["Failed", "Succeeded"]
    assert external_ids(shop.ran(new)) == []
    assert external_ids(shop.ran(old)) == of_old


def test_a_retry_of_a_rejected_execution_runs_the_builds_that_it_had_not_reached() -> None:
    shop = Shop()
    shop.with_approval()
    shop.failed()
    shop.pipelines.reject("shop", "Build", "Approve")
    new = shop.failed()
    shop.retry(new)
    assert shop.statuses() == ("InProgress", "Succeeded", "InProgress", "InProgress")
    shown = [action["latestExecution"] for action in shop.stage("Build")["actionStates"][1:]]
    assert external_ids(shop.ran(new)) == [build["externalExecutionId"] for build in reversed(shown)]


def test_only_the_next_execution_is_rejected() -> None:
    shop = Shop()
    shop.with_approval()
    shop.pipelines.reject("shop", "Build", "Approve")
    rejected = shop.failed()
    assert "latestExecution" not in shop.stage("Build")["actionStates"][1]
    following = shop.failed()
    assert external_ids(shop.ran(rejected)) == []
    assert len(external_ids(shop.ran(following))) == 2


@pytest.mark.parametrize(("stage", "action"), [("Build", "Orders"), ("Build", "Other"), ("Other", "Approve")])
def test_only_an_action_that_builds_nothing_can_reject(stage: str, action: str) -> None:
    shop = Shop()
    with pytest.raises(ValueError, match=f"{stage}/{action}"):
        shop.pipelines.reject("shop", stage, action)


REFUSALS: list[tuple[str, str, Document]] = [
    ("GetPipelineState", "PipelineNotFoundException", {"name": "other"}),
    ("GetPipeline", "PipelineNotFoundException", {"name": "other"}),
    ("GetPipeline", "PipelineVersionNotFoundException", {"name": "shop", "version": 2}),
    ("StartPipelineExecution", "PipelineNotFoundException", {"name": "other"}),
    ("GetPipelineState", "ValidationException", {}),
    ("ListActionExecutions", "PipelineNotFoundException", {"pipelineName": "other"}),
    (
        "ListActionExecutions",
        "PipelineExecutionNotFoundException",
        {"pipelineName": "shop", "filter": {"pipelineExecutionId": "other"}},
    ),
    ("ListActionExecutions", "InvalidNextTokenException", {"pipelineName": "shop", "nextToken": "other"}),
    ("ListActionExecutions", "ValidationException", {"pipelineName": "shop", "maxResults": 101}),
    (
        "ListActionExecutions",
        "ValidationException",
        {"pipelineName": "shop", "filter": {"latestInPipelineExecution": {}}},
    ),
    ("RetryStageExecution", "PipelineNotFoundException", {"pipelineName": "other"}),
    ("RetryStageExecution", "StageNotFoundException", {"stageName": "Other"}),
    ("RetryStageExecution", "NotLatestPipelineExecutionException", {"pipelineExecutionId": "other"}),
    ("RetryStageExecution", "ValidationException", {"retryMode": "SOME_ACTIONS"}),
    ("RetryStageExecution", "ValidationException", {"stageName": None}),
    ("DeletePipeline", "UnknownOperationException", {"name": "shop"}),
]


@pytest.mark.parametrize(("operation", "code", "asked"), REFUSALS)
def test_what_is_not_there_or_not_right_is_refused(operation: str, code: str, asked: Document) -> None:
    shop = Shop()
    execution = shop.failed()
    if operation == "RetryStageExecution":
        right = {"pipelineName": "shop", "stageName": "Build", "pipelineExecutionId": execution}
        asked = {**right, "retryMode": "FAILED_ACTIONS", **asked}
    with pytest.raises(ServiceError, match=code):
        shop.pipelines.call(operation, asked, OWNER)
    assert shop.pipelines.calls[-1].error == code


@pytest.mark.parametrize("refusal", [busy(), too_many_executions()])
def test_a_hook_may_refuse_a_call_as_a_busy_pipeline_does(refusal: ServiceError) -> None:
    shop = Shop()
    execution = shop.failed()

    def refuse(operation: str, _request: Document) -> None:
        if operation == "RetryStageExecution":
            raise refusal

    shop.pipelines.before_call.append(refuse)
    client = client_of(shop.pipelines)
    with pytest.raises(getattr(client.exceptions, refusal.code)):
        client.retry_stage_execution(
            pipelineName="shop", stageName="Build", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
        )
    assert shop.statuses()[0] == "Failed"


def client_of(simulator: CodeBuild | CodePipeline) -> Any:
    make: Any = boto3.client
    client = make(simulator.name, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    attach(client, simulator, caller=OWNER)
    return client


def test_a_client_reaches_it_and_every_answer_is_one_of_the_model() -> None:
    shop = Shop(on_failure="RETRY")
    client = client_of(shop.pipelines)
    bodies: list[tuple[str, Document]] = []

    def keep(operation: str, asked: Document) -> Document:
        answer = shop.pipelines.call(operation, asked, OWNER)
        bodies.append((operation, answer))
        return answer

    execution = client.start_pipeline_execution(name="shop")["pipelineExecutionId"]
    keep("StartPipelineExecution", {"name": "shop"})
    for _ in range(4):
        keep("GetPipelineState", {"name": "shop"})
        shop.world.finish()
    keep("GetPipeline", {"name": "shop", "version": 1})
    latest = client.get_pipeline_state(name="shop")["stageStates"][1]["latestExecution"]
    assert latest["status"] == "Failed"
    assert latest["pipelineExecutionId"] != execution
    asked = {"pipelineName": "shop", "stageName": "Build", "retryMode": "FAILED_ACTIONS"}
    keep("RetryStageExecution", {**asked, "pipelineExecutionId": latest["pipelineExecutionId"]})
    keep("GetPipelineState", {"name": "shop"})
    keep("ListActionExecutions", {"pipelineName": "shop", "maxResults": 5})
    assert bodies[-1][1]["nextToken"]
    assert [breach for operation, answer in bodies for breach in breaches("codepipeline", operation, answer)] == []


def test_its_structure_tells_which_stage_retries_itself() -> None:
    shop = Shop(on_failure="RETRY")
    source, build, _ = client_of(shop.pipelines).get_pipeline(name="shop")["pipeline"]["stages"]
    assert "onFailure" not in source
    assert build["onFailure"] == {"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}}
    assert build["actions"][0]["configuration"] == {"ProjectName": "orders"}


def test_a_session_may_have_both_simulators() -> None:
    shop = Shop()
    session: Any = boto3.Session(region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    for simulator in (shop.codebuild, shop.pipelines):
        attach(session, simulator, caller=OWNER)
    session.client("codepipeline").get_pipeline_state(name="shop")
    session.client("codebuild").list_projects()
    assert [call.operation for call in shop.pipelines.calls] == ["GetPipelineState"]
    assert [call.operation for call in shop.codebuild.calls] == ["ListProjects"]
