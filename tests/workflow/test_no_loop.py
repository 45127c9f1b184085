"""No loop is possible: whoever starts builds, edits projects or delivers events, it comes to an end that is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from local.simulator import PullAnswer
from local.simulator.world import AgentLine, CommandsAnswer, Document
from tests.workflow.account import OURS, OWNER, PASSWORD, SECRET, Account, Json, outcome_of
from tests.workflow.commands import CURATED, INLINE, inline
from tests.workflow.test_main_job import credential_of
from tests.workflow.watched import Killed, once

STACK = {"key": "aws:cloudformation:stack-name", "value": "orders-stack"}
THROTTLED = PullAnswer(429)
PULL_LIMIT = (
    "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and "
    "upgrading: https://www.docker.com/increase-rate-limit"
)


def repaired_project(account: Account, name: str = "orders", **members: Any) -> Json:
    """A project that was repaired and whose pulls are throttled from now on, whatever they carry."""
    account.create_project(name, **members)
    account.throttle(THROTTLED)
    first = account.failed_build(name)
    account.world._pull = account.world._docker_hub
    outcome = account.remediate(first)
    assert outcome["outcome"] == "remediated", outcome
    account.throttle(THROTTLED)
    account.calls.clear()
    return first


def deploy(account: Account, definition: Json, **members: Any) -> None:
    """The owner's tool puts the project as its definition has it."""
    request = {key: definition[key] for key in ("name", "environment", "source", "tags")}
    account.simulator.call("UpdateProject", {**request, **members}, OWNER)


def told(output: str) -> tuple[list[Json], int]:
    """The outcomes that were logged, and how many were counted as a metric."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    outcomes = [line for line in lines if line.get("message") == "outcome"]
    return outcomes, sum(1 for line in lines if "_aws" in line)


# Builds that started after the repair


@pytest.mark.parametrize("initiator", ["maria", "GitHub-Hookshot/1", "rule/nightly", "codepipeline/release"])
def test_while_the_execution_that_repaired_it_runs_a_later_build_belongs_to_that(
    account: Account, initiator: str
) -> None:
    account.create_project()
    build = account.failed_build()
    account.lambda_.patience = 0.05
    outcomes: list[Json] = []

    def meanwhile() -> None:
        account.throttle(THROTTLED)
        later = account.failed_build_of(initiator)
        account.world._pull = account.world._docker_hub
        outcomes.append(account.remediate(later))

    # The first look of the watch, when the lease is free again.
    account.after.append(once("StartBuild", lambda: account.before.append(once("BatchGetBuilds", meanwhile))))
    assert account.remediate(build)["outcome"] == "remediated"
    assert outcomes[0]["outcome"] == "skipped", outcomes
    assert build["id"].partition(":")[2] in outcomes[0]["reason"]
    assert "still follows" in outcomes[0]["reason"]
    assert account.asked("UpdateProject", "StartBuild", "RetryBuild", "RetryStageExecution") == {
        "UpdateProject": 1,
        "StartBuild": 1,
    }


@pytest.mark.parametrize("initiator", ["maria", "GitHub-Hookshot/1"])
def test_when_that_execution_has_ended_a_later_build_is_diagnosed_anew(account: Account, initiator: str) -> None:
    repaired_project(account)
    outcome = account.remediate(account.failed_build_of(initiator))
    assert outcome["outcome"] == "gave-up"
    assert "carried the credentials already and Docker Hub throttled it as anonymous" in outcome["reason"]
    assert "toomanyrequests" in outcome["reason"]
    assert account.writes() == []


def test_a_build_that_started_before_the_repair_and_fails_after_it_is_run_again_once(account: Account) -> None:
    account.create_project()
    early = account.failed_build(sourceVersion="refs/heads/early")
    account.remediate(account.failed_build())
    account.calls.clear()
    outcome = account.remediate(early)
    assert (outcome["outcome"], outcome["changes"]) == ("remediated", [])
    assert account.writes() == ["StartBuild"]


# Why the credentials were not used


def test_a_role_that_has_lost_its_grant_is_told(account: Account) -> None:
    repaired_project(account)
    build = account.failed_build()
    account.boto("iam").detach_role_policy(RoleName="orders-build", PolicyArn=account.policy_arn)
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up"
    assert f"the service role orders-build has lost the policy {account.policy_arn}" in outcome["reason"]
    assert any("attach-role-policy" in line or "ttach" in line for line in outcome["advice"])
    assert account.writes() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps({**SECRET, "password": "rotated-4711"}), "does not accept the user name and password"),
        ("rotated-4711", "can't be used: it is no JSON object"),
    ],
)
def test_a_secret_that_was_rotated_to_something_wrong_is_told(account: Account, text: str, words: str) -> None:
    repaired_project(account)
    build = account.failed_build()
    account.put_secret(text)
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up"
    assert words in outcome["reason"]
    assert account.secret_arn in outcome["advice"][0]
    assert "rotated-4711" not in json.dumps(outcome)
    assert account.writes() == []


def test_a_build_in_another_image_is_run_again_once_with_the_credential_and_that_is_the_end(account: Account) -> None:
    repaired_project(account)
    build = account.failed_build(imageOverride="python:3.11")
    account.simulator._builds.find(build["id"]).document["environment"].pop("registryCredential")
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "throttled again: the build carried the credentials already" in outcome["reason"]
    retried = account.builds()[-1]["environment"]
    assert (retried["image"], retried["registryCredential"]) == ("python:3.11", credential_of(account))
    assert account.writes() == ["StartBuild"]


def test_a_build_with_a_credential_of_its_own_is_told(account: Account) -> None:
    repaired_project(account)
    other = account.boto("secretsmanager").create_secret(Name="other", SecretString="{}")["ARN"]
    build = account.failed_build()
    override = {"credential": other, "credentialProvider": "SECRETS_MANAGER"}
    account.simulator._builds.find(build["id"]).document["environment"]["registryCredential"] = override
    outcome = account.remediate(build)
    assert outcome["outcome"] == "advised", outcome
    assert other in outcome["reason"]
    assert account.writes() == []


def test_a_build_in_another_image_whose_credential_was_left_out_is_told(account: Account) -> None:
    repaired_project(account)
    build = account.failed_build(imageOverride="python:3.11")
    environment = account.simulator._builds.find(build["id"]).document["environment"]
    environment.pop("registryCredential")
    account.edit(description="edited since")
    outcome = account.remediate(build)
    assert "the build's image python:3.11 is not the project's, python:3.12" in outcome["reason"], outcome
    assert account.writes() == []


def commands_fail(account: Account, command: str, *lines: str) -> None:
    """From now on the commands of BUILD end with this one, which fails after it has said these lines."""

    def run(build: Document, phase: str, _variables: Any) -> CommandsAnswer:
        if phase != "BUILD":
            return CommandsAnswer()
        said = (
            AgentLine(f"Running command {command}"),
            *lines,
            AgentLine(f"Command did not exit successfully {command} exit status 1"),
        )
        why = f"Error while executing command: {command}. Reason: exit status 1"
        return CommandsAnswer("COMMAND_EXECUTION_ERROR", why, said)

    account.simulator._conditions = replace(account.simulator._conditions, run_commands=run)


def repaired_commands(account: Account, command: str) -> None:
    """A project of one inline command, repaired for real, whose command fails like that from now on."""
    account.agent = account.run_commands()
    outcome = account.remediate(inline(account))
    assert outcome["outcome"] == "remediated"
    buildspec = account.project()["source"]["buildspec"]
    spent = INLINE.rpartition("- ")[2].strip()
    assert spent in buildspec
    account.edit(source={"type": "NO_SOURCE", "buildspec": buildspec.replace(spent, command)})
    account.calls.clear()
    commands_fail(account, command, PULL_LIMIT)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("docker run -v $PWD:/src docker:27 docker build /src", "docker runs inside a container"),
        (
            "docker run -v $PWD:/workspace gcr.io/kaniko-project/executor:v1.23.2 --no-push",
            "made by kaniko, which does not sign in as docker does",
        ),
        ("sudo -u builder docker build -t orders .", "docker runs as another user than the one that signed in"),
    ],
)
def test_a_builder_that_does_not_see_the_sign_in_is_told(account: Account, command: str, reason: str) -> None:
    repaired_commands(account, command)
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "gave-up", outcome
    assert reason in outcome["reason"]
    assert "toomanyrequests" in outcome["reason"]
    assert account.writes() == []


def test_a_login_that_was_moved_after_the_pull_is_told(account: Account) -> None:
    account.agent = account.run_commands()
    account.remediate(inline(account))
    source = account.project()["source"]
    lines = source["buildspec"].splitlines()
    login = next(line for line in lines if "docker login" in line)
    lines.remove(login)
    account.edit(source={"type": "NO_SOURCE", "buildspec": "\n".join([*lines, login, ""])})
    account.calls.clear()
    build = account.failed_build()
    assert build["buildStatus"] == "FAILED"
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "sign-in to Docker Hub comes after the first command that pulls" in outcome["reason"]
    assert account.writes() == []


def test_commands_that_ran_in_another_image_are_told(account: Account) -> None:
    repaired_commands(account, "docker build -t orders .")
    build = account.failed_build(imageOverride="aws/codebuild/standard:5.0")
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert (
        "in the image aws/codebuild/standard:5.0 and not in the project's, aws/codebuild/standard:7.0"
        in (outcome["reason"])
    )
    assert account.writes() == []


# An execution that is dead for good


def dies_after_its_retry(account: Account, build: Json) -> None:
    """The function is lost right after StartBuild, and nothing resumes it."""
    dead = [False]

    def die(operation: str) -> None:
        dead[0] = dead[0] or operation == "StartBuild"
        if dead[0]:
            raise Killed("for good")

    account.after.append(die)
    account.before.append(lambda operation: die("") if dead[0] else None)
    result = account.run(build)
    assert result.status.value == "FAILED"
    account.after.clear()
    account.before.clear()


def test_the_failed_retry_of_an_execution_that_is_dead_starts_nothing(account: Account) -> None:
    account.create_project()
    account.throttle(THROTTLED)
    build = account.failed_build()
    dies_after_its_retry(account, build)
    account.world.finish()
    retried = account.builds()[-1]
    assert (retried["buildStatus"], retried["initiator"]) == ("FAILED", OURS.partition("/")[2])
    assert account.lease() is not None
    answer = account.ask(account.event_of(retried))
    assert (answer["outcome"], account.lambda_.started) == ("skipped", {})
    assert account.remediate(retried)["outcome"] == "skipped"
    assert len(account.builds()) == 2


def test_the_lease_of_an_execution_that_is_dead_is_taken_over_and_its_repair_known(account: Account) -> None:
    account.create_project()
    account.throttle(THROTTLED)
    build = account.failed_build()
    dies_after_its_retry(account, build)
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "gave-up"
    assert "carried the credentials already" in outcome["reason"]
    assert (account.updates(), len(account.builds())) == (1, 3)
    assert account.lease() is None


def test_a_person_may_go_on_where_an_execution_died(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    dies_after_its_retry(account, build)
    retried = account.builds()[-1]
    outcome = account.remediate(build, attempt=2)
    assert outcome["outcome"] == "patched", outcome
    assert f"superseded by {retried['id']}" in outcome["reason"], "what the dead execution started is not started twice"
    assert (account.updates(), len(account.builds())) == (1, 2)


# Events


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_events_of_a_build_and_its_retries_may_come_in_any_order(account: Account, order: tuple[int, ...]) -> None:
    account.create_project()
    account.world.exhausted.add("hubuser")
    first = account.failed_build()
    account.registry.accounts.set_pulls("hubuser", None)
    outcome = account.remediate(first, MAX_ATTEMPTS="2")
    assert outcome["outcome"] == "gave-up"
    builds = account.builds()
    assert len(builds) == 3
    events = [account.event_of(builds[number]) for number in order]
    for event in events:
        answer = account.ask(event)
        if "started" in answer:
            name = answer["started"].split("/")[-2]
            again = outcome_of(account.execute(name, account.lambda_.started[name]))
            assert again["outcome"] == "skipped", again
    assert len(account.builds()) == 3
    assert account.entry(first)["outcome"] == "gave-up"


def test_an_event_that_comes_a_day_late_changes_nothing(account: Account) -> None:
    first = repaired_project(account)
    account.world.sleep(86_400)
    name = account.ask(account.event_of(first))["started"].split("/")[-2]
    assert outcome_of(account.execute(name, account.lambda_.started[name]))["outcome"] == "skipped"
    assert account.writes() == []


def test_the_event_of_a_build_before_the_repair_that_comes_after_that_of_a_later_one_is_run_again(
    account: Account,
) -> None:
    account.create_project()
    early, late = account.failed_build(sourceVersion="refs/heads/early"), account.failed_build()
    assert account.remediate(late)["outcome"] == "remediated"
    account.world.sleep(86_400)
    assert account.remediate(early)["outcome"] == "remediated"
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 2}


# Attempts


def build_without_credential(account: Account) -> Json:
    """A failed build of a repaired project that is run again with the credential, in vain."""
    build = account.failed_build(imageOverride="python:3.11")
    account.simulator._builds.find(build["id"]).document["environment"].pop("registryCredential")
    return build


def test_a_project_that_keeps_failing_gets_one_notice_and_is_quiet_until_its_window_ends(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.environment |= {"MAX_ATTEMPTS": "2", "COOLDOWN_MINUTES": "30"}
    repaired_project(account)
    account.world.sleep(3700)
    for _ in range(2):
        assert "run again and throttled again" in account.remediate(build_without_credential(account))["reason"]
    assert account.writes() == ["StartBuild"] * 2
    capsys.readouterr()
    notice = account.remediate(account.failed_build())
    assert (notice["outcome"], notice["quiet"]) == ("gave-up", False)
    assert "2 of its builds were acted on within 30 minutes" in notice["reason"]
    assert told(capsys.readouterr().out)[1] == 1
    for _ in range(3):
        build = account.failed_build()
        quiet = account.remediate(build)
        assert (quiet["outcome"], quiet["quiet"]) == ("skipped", True)
        assert account.entry(build)["outcome"] == "skipped"
    outcomes, counted = told(capsys.readouterr().out)
    assert (len(outcomes), counted) == (3, 0)
    assert account.writes() == ["StartBuild"] * 2
    account.world.sleep(30 * 60)
    assert "run again and throttled again" in account.remediate(build_without_credential(account))["reason"]
    assert told(capsys.readouterr().out)[1] == 1
    assert account.writes() == ["StartBuild"] * 3


def test_what_changed_and_started_nothing_is_no_attempt(account: Account) -> None:
    account.put_secret(json.dumps({**SECRET, "password": "wrong"}))
    account.create_project()
    account.registry.log.clear()
    outcomes = [account.remediate(account.failed_build()) for _ in range(5)]
    assert [outcome["outcome"] for outcome in outcomes] == ["rejected"] * 5
    assert len(account.registry.log) == 1, "the wrong password is tried once"
    outcomes = [account.remediate(account.failed_build(), MODE="plan") for _ in range(5)]
    account.plant(projectVisibility="PUBLIC_READ")
    outcomes += [account.remediate(account.failed_build()) for _ in range(5)]
    assert [outcome["outcome"] for outcome in outcomes] == ["rejected"] * 5 + ["advised"] * 5
    assert "tries" not in account.journal()["project#orders"]


def test_a_plan_is_no_attempt_however_often_it_is_made(account: Account) -> None:
    account.create_project()
    outcomes = [account.remediate(account.failed_build(), MODE="plan")["outcome"] for _ in range(5)]
    assert outcomes == ["planned"] * 5
    assert account.remediate(account.failed_build())["outcome"] == "remediated"


def test_a_quiet_project_is_acted_on_all_the_same_when_a_person_asks(account: Account) -> None:
    repaired_project(account)
    for _ in range(4):
        account.remediate(build_without_credential(account))
    build = build_without_credential(account)
    assert account.remediate(build)["quiet"]
    started = account.calls.count("StartBuild")
    assert account.remediate(build, attempt=2)["outcome"] == "gave-up"
    assert account.calls.count("StartBuild") == started + 1


def test_builds_that_started_before_the_repair_do_not_count(account: Account) -> None:
    account.create_project()
    builds = [account.failed_build(sourceVersion=f"refs/heads/{number}") for number in range(6)]
    outcomes = [account.remediate(build, MAX_ATTEMPTS="1") for build in builds]
    assert [outcome["outcome"] for outcome in outcomes] == ["remediated"] * 6
    assert account.updates() == 1


# A repair that is undone


def undone(account: Account, definition: Json) -> Json:
    deploy(account, definition)
    return account.failed_build()


def test_a_repair_that_its_owners_deploy_undoes_is_made_once_more_and_then_left_alone(account: Account) -> None:
    definition = account.create_project(tags=[STACK])
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    again = account.remediate(undone(account, definition))
    assert again["outcome"] == "remediated", again
    assert account.updates() == 2
    before = account.writes()
    build = undone(account, definition)
    third = account.remediate(build)
    assert third["outcome"] == "advised", third
    assert "undone twice" in third["reason"]
    assert any("orders-stack" in line for line in third["advice"])
    assert account.writes() == before
    assert "registryCredential" not in account.project()["environment"]
    person = account.remediate(build, attempt=2)
    assert person["outcome"] == "remediated", person
    assert account.project()["environment"]["registryCredential"] == credential_of(account)


def test_a_login_that_a_deploy_takes_out_of_the_buildspec_is_put_in_once_more(account: Account) -> None:
    account.agent = account.run_commands()
    account.create_project(environment=CURATED, source={"type": "NO_SOURCE", "buildspec": INLINE}, tags=[STACK])
    definition = account.project()
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    assert account.remediate(undone(account, definition))["outcome"] == "remediated"
    third = account.remediate(undone(account, definition))
    assert (third["outcome"], account.updates()) == ("advised", 2)
    assert any("orders-stack" in line for line in third["advice"])
    assert account.project()["source"]["buildspec"] == INLINE


def test_a_second_phase_that_is_repaired_by_the_same_execution_is_no_undoing(account: Account) -> None:
    account.agent = account.run_commands()
    definition = account.create_project(
        environment={"image": "docker:27", "privilegedMode": True}, source={"type": "NO_SOURCE", "buildspec": INLINE}
    )
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], account.updates()) == ("remediated", 2)
    assert account.journal()["project#orders"]["undone"] == "0"
    assert account.remediate(undone(account, definition))["outcome"] == "remediated"
    assert account.journal()["project#orders"]["undone"] == "1"
    assert account.remediate(undone(account, definition))["outcome"] == "advised"


def test_a_second_phase_that_fails_in_a_later_build_is_no_undoing(account: Account) -> None:
    account.agent = account.run_commands()
    harmless = INLINE.replace("docker build -t orders app", "true")
    account.create_project(
        environment={"image": "docker:27", "privilegedMode": True}, source={"type": "NO_SOURCE", "buildspec": harmless}
    )
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    account.edit(source={"type": "NO_SOURCE", "buildspec": INLINE})
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "remediated", outcome
    assert account.journal()["project#orders"]["undone"] == "0"


# People and tools that edit the project all the time

MINE = {"name": "MINE", "value": "1", "type": "PLAINTEXT"}


def person(account: Account, definition: Json) -> None:
    name = definition["name"]
    variables = account.project(name)["environment"]["environmentVariables"]
    account.edit(name, description="edited", environment={"environmentVariables": [*variables, MINE]})


def tool(account: Account, definition: Json) -> None:
    environment = {**definition["environment"], "environmentVariables": [MINE]}
    deploy(account, definition, environment=environment, description="edited")


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("edit", [person, tool])
def test_whenever_somebody_edits_the_project_the_edit_is_kept(
    account: Account, edit: Callable[[Account, Json], None], moment: str
) -> None:
    """At each call of the workflow in turn. CodeBuild has no revisions, so what is edited between the last look and
    UpdateProject is lost as far as it is in the member that is sent; every other edit stays."""
    hooks = account.before if moment == "before" else account.after
    for number in range(60):
        name = f"orders-{number}"
        definition = account.create_project(name, serviceRole=account.make_role(name))
        build = account.failed_build(name)
        seen: list[str] = []

        def at_its_turn(operation: str, number: int = number, definition: Json = definition) -> None:
            seen.append(operation)  # noqa: B023
            if len(seen) == number + 1:  # noqa: B023
                edit(account, definition)

        hooks.append(at_its_turn)
        outcome = account.remediate(build)
        hooks.clear()
        if len(seen) <= number:
            break
        after = account.project(name)
        assert after["description"] == "edited"
        assert after["tags"] == definition["tags"]
        if seen[number if moment == "before" else number + 1 :][:1] != ["UpdateProject"]:
            assert MINE in after["environment"]["environmentVariables"], (seen[number], outcome)
        assert outcome["outcome"] in ("remediated", "patched", "failed", "gave-up"), (seen[number], outcome)
        assert len(account.builds(name)) <= 4
    else:
        raise AssertionError("it never came to its end")
    assert PASSWORD not in json.dumps(account.journal())
