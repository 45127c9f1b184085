"""Builds whose own docker commands hit Docker Hub's limit: their commands are run for real, before and after."""

from __future__ import annotations

import json

import pytest

from local.registry import Registry
from tests.workflow.account import PASSWORD, SECRET, USER, Account, Json
from tests.workflow.commands import (
    BUILDSPEC,
    CURATED,
    DOCKERFILE,
    INLINE,
    INLINE_SOURCE,
    LOCATION,
    in_repository,
    inline,
    no_pulls_left,
)


@pytest.fixture(autouse=True)
def _commands(account: Account) -> None:
    account.agent = account.run_commands()


def pulled_by(registry: Registry) -> list[str | None]:
    return [pull["account"] for pull in registry.pulls() if pull["status"] == 200]


def test_an_inline_buildspec_gets_a_login_and_its_build_comes_back_signed_in(account: Account) -> None:
    account.registry.log.clear()
    build = inline(account)
    assert build["buildStatus"] == "FAILED"
    before = account.project()
    outcome = account.remediate(build)
    assert (outcome["outcome"], outcome["cause"]) == ("remediated", "anonymous-limit"), outcome
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", "StartBuild"]
    assert pulled_by(account.registry) == [USER]
    after = account.project()
    assert INLINE_SOURCE in after["source"]["buildspec"]
    assert {**after["source"], "buildspec": INLINE} == before["source"]
    assert account.builds()[-1]["buildStatus"] == "SUCCEEDED"


def test_no_log_of_a_signed_in_build_shows_the_credentials(account: Account) -> None:
    account.remediate(inline(account))
    told = json.dumps(list(account.world.log_events.values()))
    assert "Login Succeeded" in told
    assert PASSWORD not in told


def test_from_event_to_verdict_with_nothing_started_twice(account: Account) -> None:
    inline(account)
    outcomes = account.follow()
    assert [outcome["outcome"] for outcome in outcomes] == ["remediated"]
    assert account.calls.count("StartBuild") == 1


def test_a_buildspec_in_the_repository_comes_back_by_docker_auth_config(account: Account) -> None:
    account.registry.log.clear()
    build = in_repository(account)
    before = account.project()
    outcome = account.remediate(build)
    # docker says nothing about DOCKER_AUTH_CONFIG, so nothing but the registry's own log could prove it.
    assert outcome["outcome"] == "remediated, unproven", outcome
    assert pulled_by(account.registry) == [USER]
    after = account.project()
    assert after["source"] == before["source"]
    names = [variable["name"] for variable in after["environment"]["environmentVariables"]]
    assert names == ["DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD", "DOCKER_AUTH_CONFIG"]


def left_alone(account: Account, outcome: Json, ending: str, *words: str) -> None:
    assert outcome["outcome"] == ending, outcome
    assert account.writes() == []
    for word in words:
        assert word in outcome["reason"]


def test_a_project_that_pushes_to_docker_hub_is_left_alone(account: Account) -> None:
    """The variable would beat the push's own login, and a read-only token may not push."""
    account.registry.add_account("owner", "own-password")
    pushing = (
        "version: 0.2\nphases:\n  build:\n    commands:\n"
        "      - docker login -u owner -p own-password\n      - docker pull owner/orders:1\n"
        "      - docker push owner/orders:1\n"
    )
    build = in_repository(account, passed=pushing)
    left_alone(account, account.remediate(build), "advised", "sign in to a registry or push to Docker Hub")


def test_with_a_read_only_token_in_docker_auth_config_such_a_push_would_fail(account: Account) -> None:
    """What the guard above is for: the same push, with the variable that it keeps out."""
    account.registry.add_account("owner", "own-password")
    account.registry.add_account("reader", "read-only", read_only=True)
    auth = json.loads(SECRET["docker_auth_config"])
    auth["auths"]["https://index.docker.io/v1/"]["auth"] = "cmVhZGVyOnJlYWQtb25seQ=="
    pushing = (
        "version: 0.2\nphases:\n  build:\n    commands:\n      - docker pull owner/orders:1\n"
        "      - docker tag owner/orders:1 owner/orders:2\n"
        "      - docker login -u owner -p own-password\n      - docker push owner/orders:2\n"
    )
    account.create_project(
        environment={
            **CURATED,
            "environmentVariables": [{"name": "DOCKER_AUTH_CONFIG", "value": json.dumps(auth), "type": "PLAINTEXT"}],
        },
        source={"type": "NO_SOURCE", "buildspec": pushing},
    )
    build = account.failed_build()
    assert build["buildStatus"] == "FAILED"
    log = "\n".join(account.world.logs[build["logs"]["groupName"], build["logs"]["streamName"]])
    assert "DOCKER_AUTH_CONFIG is set and takes precedence" in log
    assert "docker push owner/orders:2 exit status 1" in log


def test_a_repository_without_a_build_that_passed_is_advised(account: Account) -> None:
    account.create_project(environment=CURATED, source={"type": "GITHUB", "location": LOCATION})
    account.agent.repositories[LOCATION] = {"buildspec.yml": BUILDSPEC, "Dockerfile": DOCKERFILE}
    outcome = account.remediate(account.failed_build())
    left_alone(account, outcome, "advised", "the log of a build that passed could not be read")
    assert any("docker login --username" in line for line in outcome["advice"])


def test_an_image_with_an_older_docker_is_advised(account: Account) -> None:
    build = in_repository(account, image="aws/codebuild/amazonlinux-x86_64-standard:4.0")
    left_alone(account, account.remediate(build), "advised", "is not known to read DOCKER_AUTH_CONFIG")


def test_a_secret_without_the_key_is_advised(account: Account) -> None:
    account.put_secret(json.dumps({"username": USER, "password": PASSWORD}))
    outcome = account.remediate(in_repository(account))
    left_alone(account, outcome, "advised", f"the secret {account.secret_arn} has no key docker_auth_config")
    assert any("docker login --username" in line for line in outcome["advice"])


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("{}", "one member auths"),
        ('{"auths": {"https://index.docker.io/v1/": {"auth": "c29tZWJvZHk6ZWxzZQ=="}}}', "own user name and password"),
        (7, "is no string"),
    ],
)
def test_a_key_that_does_not_sign_in_the_secrets_own_account_is_refused(
    account: Account, key: object, fault: str
) -> None:
    account.put_secret(json.dumps({**SECRET, "docker_auth_config": key}))
    left_alone(account, account.remediate(in_repository(account)), "rejected", fault)


def test_a_failed_command_that_has_nothing_to_do_with_docker_hub_is_told_after_one_read(account: Account) -> None:
    build = inline(account, "version: 0.2\nphases:\n  build:\n    commands:\n      - echo tests; exit 3\n")
    answer = account.ask(account.event_of(build))
    assert (answer["outcome"], answer["cause"]) == ("skipped", None)
    assert account.calls == ["FilterLogEvents"]
    assert account.journal() == {}


def test_a_pull_that_was_tolerated_before_another_command_failed_is_not_ours(account: Account) -> None:
    text = "version: 0.2\nphases:\n  build:\n    commands:\n      - docker pull python:3.12 || true\n      - exit 3\n"
    answer = account.ask(account.event_of(inline(account, text)))
    assert answer["outcome"] == "skipped"
    assert account.calls == ["FilterLogEvents"]


def test_a_build_whose_account_has_no_pulls_left_is_run_again_later_and_nothing_is_changed(account: Account) -> None:
    account.remediate(inline(account))
    with no_pulls_left(account):
        again = account.failed_build()
    assert again["buildStatus"] == "FAILED"
    before = len(account.writes())
    outcome = account.remediate(again)
    assert (outcome["outcome"], outcome["cause"]) == ("remediated", "account-limit")
    assert account.writes()[before:] == ["StartBuild"]


def test_an_image_that_is_pulled_signed_in_may_still_need_its_commands_to(account: Account) -> None:
    """Two failures of one build, both repaired by the same execution: first of its image, then of its commands."""
    account.create_project(
        environment={"image": "docker:27", "privilegedMode": True}, source={"type": "NO_SOURCE", "buildspec": INLINE}
    )
    account.failed_build()
    outcomes = account.follow()
    assert [outcome["outcome"] for outcome in outcomes] == ["remediated", "skipped"]
    assert len(outcomes[0]["changes"]) == 4
    assert account.builds()[-1]["buildStatus"] == "SUCCEEDED"
    assert account.calls.count("StartBuild") == 2


@pytest.mark.parametrize("source", ["GITHUB", "GITLAB"])
def test_a_runners_job_is_told_how_it_signs_in_whatever_guards_its_project(account: Account, source: str) -> None:
    build = inline(account)
    group = [{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}]
    webhook = {"url": "https://x", "filterGroups": [group]}
    account.plant(webhook=webhook, projectVisibility="PUBLIC_READ", source={"type": source, "location": LOCATION})
    outcome = account.remediate(build)
    assert outcome["outcome"] == "advised", outcome
    assert "runs the jobs of a workflow" in outcome["reason"]
    assert {"GITHUB": ".github/workflows", "GITLAB": ".gitlab-ci.yml"}[source] in outcome["advice"][0]
    assert "stranger" not in str(outcome)
    assert account.writes() == []


def test_a_build_without_a_log_is_told_so(account: Account) -> None:
    build = inline(account, logsConfig={"cloudWatchLogs": {"status": "DISABLED"}})
    answer = account.ask(account.event_of(build))
    left_alone(account, answer, "advised", "can't be told")
    assert account.calls[-2:] == ["PutItem", "Publish"]


def test_a_buildspec_that_its_owner_edits_meanwhile_stays_as_its_owner_has_it(account: Account) -> None:
    build = inline(account)
    edited = INLINE.replace("version: 0.2\n", "version: 0.2\n# edited\n")

    def edit(operation: str) -> None:
        if operation == "AttachRolePolicy":
            account.edit(source={"type": "NO_SOURCE", "buildspec": edited})

    account.before.append(edit)
    outcome = account.remediate(build)
    assert outcome["outcome"] == "advised", outcome
    assert account.project()["source"]["buildspec"] == edited
