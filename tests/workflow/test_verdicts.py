"""What the retried build says about the repair: it is followed to its end, and the outcome promises no more."""

from __future__ import annotations

from collections.abc import Mapping

from local.simulator import PullAnswer
from local.simulator.testing import simulate
from local.simulator.world import CommandsAnswer, Document
from tests.workflow.account import ACCOUNT as ID
from tests.workflow.account import OWNER, REGION, Account, Json
from tests.workflow.test_main_job import credential_of
from tests.workflow.watched import once, refused, refusing


def commands_fail_in_build(_build: Document, phase: str, _variables: Mapping[str, str]) -> CommandsAnswer:
    if phase != "BUILD":
        return CommandsAnswer()
    return CommandsAnswer("COMMAND_EXECUTION_ERROR", "Error while executing command: make. Reason: exit status 2")


def test_a_build_that_passes_is_a_remediation(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], "passed" in outcome["reason"]) == ("remediated", True)


def test_a_build_that_fails_later_by_itself_is_a_remediation_that_says_so(account: Account) -> None:
    account.simulator, _ = simulate(account.world, run_commands=commands_fail_in_build)
    account.create_project()
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "remediated"
    assert "BUILD" in outcome["reason"]
    assert "past the pull" in outcome["reason"]
    assert account.calls.count("StartBuild") == 1


def test_a_build_that_is_throttled_again_is_no_remediation(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.exhausted.add("hubuser")
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up"
    assert "throttled in PROVISIONING all the same" in outcome["reason"]
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert account.calls.count("StartBuild") == 3
    assert len(outcome["changes"]) == 3


def test_a_build_that_fails_on_something_else_before_its_image_is_there_is_no_remediation(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.throttle(PullAnswer(404))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up"
    assert "PROVISIONING" in outcome["reason"]


def test_a_build_that_somebody_stops_is_no_remediation(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.when = "told"

    def stop() -> None:
        account.simulator.call("StopBuild", {"id": account.builds()[-1]["id"]}, OWNER)

    account.before.append(once("BatchGetBuilds", stop, at=3))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched"
    assert "stopped" in outcome["reason"]


def test_a_build_that_never_ends_is_watched_no_longer_than_codebuild_lets_it_run(account: Account) -> None:
    account.create_project(timeoutInMinutes=30, queuedTimeoutInMinutes=30)
    build = account.failed_build()
    account.world.when = "told"
    result = account.run(build)
    watch = result.get_operation_by_name("watch")
    watched = (watch.end_timestamp - watch.start_timestamp).total_seconds()
    assert '"outcome": "gave-up"' in result.result
    assert 3600 <= watched <= 2 * 3600
    assert account.calls.count("BatchGetBuilds") < 60


def test_a_long_build_is_looked_at_seldom(account: Account) -> None:
    account.create_project(timeoutInMinutes=2160, queuedTimeoutInMinutes=480)
    build = account.failed_build()
    account.world.looks = 40
    assert account.remediate(build)["outcome"] == "remediated"


def test_looks_that_aws_does_not_answer_tell_nothing(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    slow = refused("BatchGetBuilds", "ThrottlingException")
    account.before.append(once("StartBuild", lambda: account.before.append(refusing("BatchGetBuilds", slow, times=4))))
    assert account.remediate(build)["outcome"] == "remediated"
    assert account.calls.count("StartBuild") == 1


def test_a_build_whose_record_is_gone_is_no_remediation(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.when = "told"

    def forget() -> None:
        account.simulator._builds.records.pop(account.builds()[-1]["id"])

    account.before.append(once("BatchGetBuilds", forget, at=3))
    assert account.remediate(build)["outcome"] == "patched"


def test_a_secret_of_somebody_elses_that_can_not_be_read_is_no_fault_of_the_repair(account: Account) -> None:
    other = f"arn:aws:secretsmanager:{REGION}:{ID}:secret:npm-token-AbCdEf"
    variables = [{"name": "NPM", "value": other, "type": "SECRETS_MANAGER"}]
    account.create_project(environment={"environmentVariables": variables})
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "remediated", outcome
    assert "failed in DOWNLOAD_SOURCE by itself" in outcome["reason"]
    assert account.project()["environment"]["registryCredential"] == credential_of(account)
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 1}


def test_a_build_that_codebuild_does_not_show_at_first_is_looked_at_again(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    look, hidden = account.simulator._operations["BatchGetBuilds"], list[str]()

    def late(request: Json) -> Json:
        if account.calls.count("StartBuild") and not hidden:
            hidden.extend(request["ids"])
            return {"builds": [], "buildsNotFound": request["ids"]}
        return look(request)

    account.simulator._operations["BatchGetBuilds"] = late
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert hidden == [account.builds()[-1]["id"]]
