"""A pipeline's build comes back as the pipeline's: its failed stage is retried, once, or it is told why it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from local.simulator import PullAnswer
from local.simulator.codepipeline import busy, too_many_executions
from local.simulator.errors import ServiceError
from local.simulator.pipelines import Stage
from remediator.workflow.durable import interval
from tests.workflow.account import OWNER, Account, Json
from tests.workflow.test_main_job import credential_of
from tests.workflow.watched import Killed, once, refused, refusing

RETRY = "RetryStageExecution"
SOURCE = Stage("Source", {"Code": None})
BUILD = Stage("Build", {"Orders": "orders"})


def failed_in_pipeline(account: Account, *stages: Stage, triggers: Sequence[Json] = ()) -> Json:
    """A project's build that failed in the stage Build of the pipeline release; its record."""
    account.create_project(source={"type": "CODEPIPELINE"}, artifacts={"type": "CODEPIPELINE"})
    account.pipelines.plant_pipeline("release", stages or (SOURCE, BUILD), triggers)
    account.pipelines.start("release")
    build = account.builds()[0]
    account.world.finish(build["id"])
    return account.build(build["id"])


def retries(account: Account) -> list[str | None]:
    """What became of each call that asked for a retry of the stage, whoever made it: None, or the error's code."""
    return [call.error for call in account.pipelines.calls if call.operation == RETRY]


def retried_by_somebody(account: Account) -> None:
    stage = account.pipelines.state("release")["stageStates"][1]
    execution = stage["latestExecution"]["pipelineExecutionId"]
    request = {"pipelineName": "release", "stageName": "Build", "pipelineExecutionId": execution}
    account.pipelines.call(RETRY, {**request, "retryMode": "FAILED_ACTIONS"}, OWNER)


def assert_came_back(account: Account, outcome: Json, builds: int = 2) -> None:
    assert outcome["outcome"] == "remediated", outcome
    assert len(account.builds()) == builds
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert account.builds()[-1]["initiator"] == "codepipeline/release"
    stage = account.pipelines.state("release")["stageStates"][1]
    assert stage["latestExecution"]["status"] == "Succeeded"
    assert account.asked("StartBuild", "RetryBuild") == {}


def assert_told(account: Account, outcome: Json, *words: str) -> None:
    """The project is repaired, and a person is told why the build is not run again."""
    assert outcome["outcome"] == "patched", outcome
    assert "registryCredential" in account.project()["environment"]
    assert outcome["retried_build"] is None
    assert outcome["advice"][0]
    told = f"{outcome['reason']} {outcome['advice'][0]}"
    for word in ("release", *words):
        assert word in told, told
    assert account.asked("StartBuild", "RetryBuild") == {}


def test_the_stage_is_retried_and_the_build_that_this_starts_is_followed(account: Account) -> None:
    outcome = account.remediate(failed_in_pipeline(account))
    assert_came_back(account, outcome)
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", RETRY]
    request = next(call.request for call in account.pipelines.calls if call.operation == RETRY)
    assert (request["stageName"], request["retryMode"]) == ("Build", "FAILED_ACTIONS")


def test_the_build_is_found_among_several_of_its_stage(account: Account) -> None:
    members: Json = {"source": {"type": "CODEPIPELINE"}, "artifacts": {"type": "CODEPIPELINE"}}
    account.create_project("invoices", environment={"image": "public.ecr.aws/example/python:3.12"}, **members)
    build = failed_in_pipeline(account, SOURCE, Stage("Build", {"Invoices": "invoices", "Orders": "orders"}))
    account.world.finish()
    assert_came_back(account, account.remediate(build))
    assert len(account.builds("invoices")) == 1


def test_an_event_that_comes_before_the_pipeline_has_noticed_waits_for_it(account: Account) -> None:
    account.pipelines.lag = 2
    assert_came_back(account, account.remediate(failed_in_pipeline(account)))
    assert retries(account) == ["StageNotRetryableException"] * 2 + [None]


def test_a_stage_that_never_becomes_retryable_is_told(account: Account) -> None:
    account.pipelines.lag = 1_000
    outcome = account.remediate(failed_in_pipeline(account))
    assert_told(account, outcome, "does not retry its stage", "Unable to retry", "retry the failed stage")
    assert 3 < len(retries(account)) < 30


@pytest.mark.parametrize("error", [busy(), too_many_executions(), ServiceError("ThrottlingException", "slow down")])
def test_a_pipeline_that_is_busy_is_asked_again(account: Account, error: ServiceError) -> None:
    build = failed_in_pipeline(account)
    account.before.append(refusing(RETRY, refused(RETRY, error.code, error.message), times=3))
    assert_came_back(account, account.remediate(build))
    assert retries(account) == [None]


@pytest.mark.parametrize("error", [too_many_executions(), ServiceError("ThrottlingException", "slow down")])
def test_a_limit_is_waited_for_longer_than_a_pipeline_that_has_not_noticed(
    account: Account, error: ServiceError
) -> None:
    build = failed_in_pipeline(account)
    account.before.append(refusing(RETRY, refused(RETRY, error.code, error.message)))
    outcome = account.remediate(build)
    assert_told(account, outcome, "does not retry its stage", error.message)
    looks = account.calls.count(RETRY)
    assert sum(map(interval, range(1, looks))) >= 2 * 3600


def test_a_newer_execution_in_the_stage_leaves_nothing_to_retry(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.pipelines.start("release")
    assert_told(account, account.remediate(build), "newer execution")
    assert retries(account) == []


def test_a_newer_execution_that_enters_just_before_the_retry_leaves_nothing_to_retry(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.before.append(once(RETRY, lambda: account.pipelines.start("release")))
    assert_told(account, account.remediate(build), "newer execution")
    assert retries(account) == ["NotLatestPipelineExecutionException"]


def test_a_newer_execution_at_the_stages_door_goes_in_when_the_failure_is_noticed(account: Account) -> None:
    account.pipelines.lag = 1
    build = failed_in_pipeline(account)
    account.pipelines.start("release")
    assert_told(account, account.remediate(build), "newer execution")
    assert len(account.builds()) == 2


def test_a_pipeline_that_was_changed_since_the_failure_has_to_be_started_anew(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.pipelines.change("release")
    assert_told(account, account.remediate(build), "changed", "start a new execution")
    assert None not in retries(account)


def test_a_pipeline_that_is_changed_just_before_the_retry_has_to_be_started_anew(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.before.append(once(RETRY, lambda: account.pipelines.change("release")))
    assert_told(account, account.remediate(build), "changed", "start a new execution")


def test_a_stage_that_retries_itself_is_not_retried_from_here(account: Account) -> None:
    account.pipelines.lag = 1_000
    build = failed_in_pipeline(account, SOURCE, Stage("Build", {"Orders": "orders"}, on_failure="RETRY"))
    assert_told(account, account.remediate(build), "retries on failure by itself")
    assert retries(account) == []


def test_a_stage_that_has_retried_itself_already_is_not_retried_from_here(account: Account) -> None:
    build = failed_in_pipeline(account, SOURCE, Stage("Build", {"Orders": "orders"}, on_failure="RETRY"))
    account.world.finish()
    first = account.remediate(build)
    assert_told(account, first, "retried")
    second = account.remediate(account.builds()[1])
    assert_told(account, second, "retries on failure by itself")
    assert len(account.builds()) == 2
    assert retries(account) == []


def test_a_pipeline_that_is_gone_is_told(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.pipelines._pipelines.clear()
    assert_told(account, account.remediate(build), "does not have a pipeline")


def test_a_pipeline_that_goes_just_before_the_retry_is_told(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.before.append(once(RETRY, account.pipelines._pipelines.clear))
    assert_told(account, account.remediate(build), "gone")


def test_a_stage_that_is_gone_is_told(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.pipelines.plant_pipeline("release", [SOURCE, Stage("Compile", {"Orders": "orders"})])
    assert_told(account, account.remediate(build))


def test_a_stage_that_goes_just_before_the_retry_is_told(account: Account) -> None:
    build = failed_in_pipeline(account)
    changed = [SOURCE, Stage("Compile", {"Orders": "orders"})]
    account.before.append(once(RETRY, lambda: account.pipelines.plant_pipeline("release", changed)))
    assert_told(account, account.remediate(build), "gone")


@pytest.mark.parametrize("operation", ["GetPipelineState", "GetPipeline", RETRY])
def test_what_the_pipeline_refuses_a_person_has_to_do(account: Account, operation: str) -> None:
    build = failed_in_pipeline(account)
    denied = refused(operation, "AccessDeniedException", f"not authorized to perform: codepipeline:{operation}")
    account.before.append(refusing(operation, denied))
    outcome = account.remediate(build, UNTRUSTED_PROJECTS="repair")
    assert_told(account, outcome, "not authorized", "retry the failed stage")
    assert len(account.builds()) == 1


@pytest.mark.parametrize("operation", ["GetPipelineState", "GetPipeline", RETRY])
def test_answers_that_aws_owes_for_a_while_tell_nothing(account: Account, operation: str) -> None:
    build = failed_in_pipeline(account)
    account.before.append(refusing(operation, refused(operation, "InternalFailure", "sorry", status=500), times=2))
    assert_came_back(account, account.remediate(build))


def test_a_stage_that_somebody_retries_at_the_same_moment_is_retried_once(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.before.append(once(RETRY, lambda: retried_by_somebody(account)))
    assert_came_back(account, account.remediate(build))
    assert retries(account) == [None, "StageNotRetryableException"]


def test_a_stage_that_somebody_has_retried_already_is_not_retried_again(account: Account) -> None:
    build = failed_in_pipeline(account)
    retried_by_somebody(account)
    assert_told(account, account.remediate(build), "retried", "look at the pipeline")
    assert retries(account) == [None]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_stage_is_retried_once_also_where_the_call_is_interrupted(account: Account, moment: str) -> None:
    build = failed_in_pipeline(account)
    hooks = account.before if moment == "before" else account.after
    hooks.append(refusing(RETRY, Killed(moment), times=1))
    assert_came_back(account, account.remediate(build))
    assert retries(account) == [None]


def test_an_answer_that_is_lost_leads_to_no_second_retry(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.after.append(refusing(RETRY, refused(RETRY, "InternalFailure", "lost", status=500), times=1))
    assert_came_back(account, account.remediate(build))
    assert retries(account) == [None]


@pytest.mark.parametrize("answered", [True, False])
def test_a_retried_stage_that_starts_its_build_later_is_waited_for(account: Account, answered: bool) -> None:
    build = failed_in_pipeline(account)
    start_late(account, looks=3)
    if not answered:
        account.after.append(refusing(RETRY, Killed("after"), times=1))
    assert_came_back(account, account.remediate(build))
    assert retries(account) == [None]


def test_a_retried_stage_that_never_starts_its_build_is_told(account: Account) -> None:
    build = failed_in_pipeline(account)
    start_late(account, looks=1_000)
    assert_told(account, account.remediate(build), "did not show", "look at the pipeline")
    assert retries(account) == [None]


def start_late(account: Account, looks: int) -> None:
    """From now on the pipeline's state shows so many looks before the build that an action starts."""
    pipelines, due = account.pipelines, list[Callable[[], None]]()
    start, left = pipelines._start_build, [looks]
    pipelines._start_build = lambda *action: due.append(lambda: start(*action))  # type: ignore[method-assign]

    def look(operation: str, _request: Json) -> None:
        if operation != "GetPipelineState" or not due:
            return
        left[0] -= 1
        if left[0] <= 0:
            due.pop()()

    pipelines.before_call.append(look)


def test_a_retried_build_that_fails_in_the_same_place_is_no_remediation(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.throttle(PullAnswer(404, "manifest unknown"))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up"
    assert "before the pull was through" in outcome["reason"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert retries(account) == [None]


def test_a_retried_build_that_is_throttled_again_is_retried_in_its_turn(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.world.exhausted.add("hubuser")
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up"
    assert "throttled in PROVISIONING all the same" in outcome["reason"]
    assert retries(account) == [None] * 3
    assert len(account.builds()) == 4


def test_the_events_of_all_its_builds_lead_to_one_retry(account: Account) -> None:
    failed_in_pipeline(account)
    outcomes = [outcome["outcome"] for outcome in account.follow()]
    assert outcomes == ["remediated"]
    assert retries(account) == [None]


def test_of_two_failed_builds_of_one_stage_each_is_followed(account: Account) -> None:
    """The stage's retry runs all that failed in it: the second execution finds its own build retried."""
    build = failed_in_pipeline(account, SOURCE, Stage("Build", {"Fast": "orders", "Slow": "orders"}))
    account.world.finish()
    first, second = account.builds()
    assert build["id"] == first["id"]
    outcomes = [account.remediate(one) for one in (first, second)]
    assert outcomes[0]["outcome"] == "remediated"
    assert len(account.builds()) == 4
    assert retries(account) == [None]


class Batched:
    """CodeBuild as a pipeline sees it whose action runs batches (BatchEnabled): it knows them by the batch's id."""

    def __init__(self, account: Account) -> None:
        self._simulator = account.simulator

    def start_build(self, request: Json, initiator: str) -> Json:
        builds = [("lint", {"imageOverride": "verified/python:3.12"}), ("unit", {})]
        batch: Json = self._simulator.start_batch(request["projectName"], builds, initiator)
        return batch

    def build(self, batch_id: str) -> Json:
        batch = self._simulator.batch(batch_id)
        return {"buildStatus": batch["buildBatchStatus"], "buildComplete": batch["complete"]}


def failed_in_batch_of_pipeline(account: Account) -> Json:
    account.pipelines._codebuild = Batched(account)  # type: ignore[assignment]
    account.create_project(source={"type": "CODEPIPELINE"}, artifacts={"type": "CODEPIPELINE"})
    account.pipelines.plant_pipeline("release", [SOURCE, BUILD])
    account.pipelines.start("release")
    account.world.finish()
    return account.builds()[1]


def test_an_action_that_runs_batches_is_retried_by_its_stage_too(account: Account) -> None:
    outcome = account.remediate(failed_in_batch_of_pipeline(account))
    assert_came_back(account, outcome, builds=4)
    assert retries(account) == [None]
    assert account.calls.count("RetryBuildBatch") == 0


def test_a_batch_that_a_retried_stage_has_started_is_followed_though_its_record_is_not_answered(
    account: Account,
) -> None:
    build = failed_in_batch_of_pipeline(account)
    throttled = refusing("BatchGetBuildBatches", refused("BatchGetBuildBatches", "ThrottlingException"), times=6)
    account.after.append(once("RetryStageExecution", lambda: account.before.append(throttled)))
    outcome = account.remediate(build)
    assert outcome["outcome"].startswith("remediated"), outcome["reason"]
    assert retries(account) == [None]


def test_a_stage_whose_build_came_before_the_grant_did_is_retried_again(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.world.late_reads = 1
    assert_came_back(account, account.remediate(build), builds=3)
    assert [one["buildStatus"] for one in account.builds()] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert retries(account) == [None] * 2
    assert account.project()["environment"]["registryCredential"] == credential_of(account)


def test_an_action_that_fails_after_its_stage_was_retried_for_another_comes_back_too(account: Account) -> None:
    account.create_project(source={"type": "CODEPIPELINE"}, artifacts={"type": "CODEPIPELINE"})
    account.pipelines.plant_pipeline("release", [SOURCE, Stage("Build", {"Fast": "orders", "Slow": "orders"})])
    account.world.when = "told"
    account.pipelines.start("release")
    fast, slow = (build["id"] for build in account.builds())
    account.world.finish(fast)

    def slow_fails() -> None:
        account.world.when = "watched"
        account.world.finish(slow)

    account.after.append(once(RETRY, slow_fails))
    assert account.remediate(account.build(fast))["outcome"] == "remediated"
    assert_came_back(account, account.remediate(account.build(slow)), builds=4)
    assert retries(account) == [None] * 2


def test_a_newer_execution_that_has_not_reached_the_action_leaves_nothing_to_retry(account: Account) -> None:
    """The action still shows the build of the older one."""
    build = failed_in_pipeline(account, SOURCE, Stage("Build", {"Approve": None, "Compile": "orders"}))
    account.pipelines.reject("release", "Build", "Approve")
    account.pipelines.start("release")
    assert_told(account, account.remediate(build), "newer execution")
    assert retries(account) == []
    assert len(account.builds()) == 1


# Whose commands a pipeline builds


def started_by(**filters: Json) -> list[Json]:
    git = {"sourceActionName": "Code", **{kind: [each] for kind, each in filters.items()}}
    return [{"providerType": "CodeStarSourceConnection", "gitConfiguration": git}]


PULL_REQUEST = {"events": ["OPEN", "UPDATED"], "branches": {"includes": ["main"]}}
PUSH = {"branches": {"includes": ["main"]}}


def test_a_project_whose_pipeline_pull_requests_start_is_left_alone(account: Account) -> None:
    outcome = account.remediate(failed_in_pipeline(account, triggers=started_by(pullRequest=PULL_REQUEST)))
    assert outcome["outcome"] == "advised", outcome
    assert "its pipeline release has a trigger" in outcome["reason"]
    assert "UntrustedProjects=repair" in outcome["advice"][0]
    assert outcome["cause"] == "anonymous-limit"
    assert account.writes() == []
    assert account.attached() == []


def test_the_same_project_comes_back_on_a_persons_word_and_its_triggers_are_not_read(account: Account) -> None:
    build = failed_in_pipeline(account, triggers=started_by(pullRequest=PULL_REQUEST))
    assert_came_back(account, account.remediate(build, UNTRUSTED_PROJECTS="repair"))
    assert account.calls.index("GetPipeline") > account.calls.index("AttachRolePolicy")


def test_a_project_whose_pipeline_pushes_start_comes_back(account: Account) -> None:
    assert_came_back(account, account.remediate(failed_in_pipeline(account, triggers=started_by(push=PUSH))))
    assert account.calls.index("GetPipeline") < account.calls.index("AttachRolePolicy")


def test_a_project_whose_pipeline_can_not_be_read_is_left_alone_with_the_reason(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.before.append(refusing("GetPipeline", refused("GetPipeline", "AccessDeniedException", "not authorized")))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "advised", outcome
    assert "whether pull requests start the pipeline release" in outcome["reason"]
    assert "not authorized" in outcome["reason"]
    assert account.writes() == []


def test_a_pipeline_that_is_slow_to_answer_is_asked_again(account: Account) -> None:
    build = failed_in_pipeline(account)
    account.before.append(refusing("GetPipeline", refused("GetPipeline", "ThrottlingException", "slow down"), times=1))
    assert_came_back(account, account.remediate(build))


def test_a_plan_says_that_the_pipeline_was_not_read(account: Account) -> None:
    failed_in_pipeline(account)
    command = {"command": "plan", "project": "orders"}
    unread = "the pipeline release is not read from here: whether pull requests start it"
    assert unread in account.ask(command)["advice"]
    assert unread not in account.ask(command, UNTRUSTED_PROJECTS="repair")["advice"]
