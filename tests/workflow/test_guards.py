"""Everything that a remediation leaves alone: nothing is written, and the outcome says why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.simulator import PullAnswer
from tests.workflow.account import ACCOUNT, OURS, OWNER, Account, Json
from tests.workflow.test_main_job import credential_of
from tests.workflow.watched import refused, refusing

PREFIX = "Unable to pull customer's container image. CannotPullContainerError: "
LOCKED_OUT = (
    f"{PREFIX}Error response from daemon: toomanyrequests: too many failed login attempts for username or IP address"
)
UNKNOWN = f"{PREFIX}Error response from daemon: toomanyrequests: please come back another day"
CUT = f"{PREFIX}inspect image has been retried 5 time(s): httpReadSeeker: failed open: unexpected status code https://r"
NOT_FOUND = f"{PREFIX}Error response from daemon: manifest for python:3.12 not found: manifest unknown"
OTHER_HOST = (
    f"{PREFIX}Error response from daemon: Head https://quay.io/v2/python/manifests/3.12: toomanyrequests: "
    "You have reached your pull rate limit."
)


def left_alone(account: Account, outcome: Json, ending: str, *words: str) -> None:
    """Nothing was written, the outcome is this one, and its reason has these words."""
    assert account.writes() == []
    assert outcome["outcome"] == ending, outcome
    for word in words:
        assert word in outcome["reason"], outcome
    assert account.attached() == []
    assert len(account.builds()) <= 2


# What throttled


@pytest.mark.parametrize(
    ("message", "ending", "cause"),
    [
        (LOCKED_OUT, "advised", "login-lockout"),
        (UNKNOWN, "advised", "unknown"),
        (CUT, "advised", None),
        (NOT_FOUND, "skipped", None),
        (OTHER_HOST, "skipped", "other-registry"),
    ],
)
def test_a_pull_that_credentials_do_not_cure_is_left_alone(
    account: Account, message: str, ending: str, cause: str | None
) -> None:
    account.create_project()
    outcome = account.remediate(account.build_that_says(message))
    left_alone(account, outcome, ending)
    assert outcome["cause"] == cause


def test_an_account_limit_is_left_alone_with_the_advice_to_wait(account: Account) -> None:
    account.create_project()
    text = "You have reached your pull rate limit as 'someone': dckr_jti_abcdefghij=. You may increase the limit by "
    text += "upgrading. https://www.docker.com/increase-rate-limit"
    account.throttle(PullAnswer(429, text))
    build = account.failed_build()
    outcome = account.remediate(build)
    left_alone(account, outcome, "advised", "signed in already")
    assert outcome["cause"] == "account-limit"
    assert "wait" in outcome["advice"][0]
    assert "someone" not in str(account.journal())


@pytest.mark.parametrize("where", ["event", "build"])
def test_another_registry_is_left_alone(account: Account, where: str) -> None:
    account.world.others_throttled = True
    account.create_project(environment={"image": "public.ecr.aws/docker/library/python:3.12"})
    build = account.failed_build()
    outcome = account.ask(account.event_of(build)) if where == "event" else account.remediate(build)
    left_alone(account, outcome, "skipped", "public.ecr.aws")
    assert account.lambda_.started == {}


def test_a_curated_image_is_left_alone(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    image = "aws/codebuild/standard:7.0"
    account.simulator._builds.find(build["id"]).document["environment"]["image"] = image
    left_alone(account, account.remediate(build), "skipped", "CodeBuild's own")


def test_a_build_that_failed_in_its_commands_is_left_alone(account: Account) -> None:
    account.create_project(environment={"image": "ghcr.io/example/tool:1"})
    build = account.failed_build()
    document = account.simulator._builds.find(build["id"]).document
    document["buildStatus"] = "FAILED"
    phase = next(phase for phase in document["phases"] if phase["phaseType"] == "BUILD")
    phase |= {"phaseStatus": "FAILED", "contexts": [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": "x"}]}
    left_alone(account, account.remediate(build, INSPECT_BUILD_LOGS="false"), "skipped", "BUILD")


# What the build is


def test_lambda_compute_is_left_alone(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    environment = {"type": "LINUX_LAMBDA_CONTAINER", "computeType": "BUILD_LAMBDA_1GB"}
    account.simulator._builds.find(build["id"]).document["environment"].update(environment)
    account.edit(environment=environment)
    left_alone(account, account.remediate(build), "skipped", "takes no Docker Hub credential")


def test_a_service_role_that_the_build_alone_had_is_left_alone(account: Account) -> None:
    account.create_project()
    other = account.make_role("other-build")
    outcome = account.remediate(account.failed_build(serviceRoleOverride=other))
    left_alone(account, outcome, "advised", other, account.role_arn)
    assert account.attached(other) == []


def test_an_image_that_the_build_alone_had_is_left_alone(account: Account) -> None:
    """Whether it was an override can't be told of a project that was edited since."""
    account.create_project(environment={"image": "ghcr.io/example/tool:1"})
    build = account.failed_build(imageOverride="python:3.11")
    account.edit(description="newer")
    left_alone(account, account.remediate(build), "advised", "python:3.11")


def test_a_credential_that_the_build_alone_had_is_left_alone(account: Account) -> None:
    account.create_project()
    arn = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:own-AbCdEf"
    build = account.failed_build()
    override = {"credential": arn, "credentialProvider": "SECRETS_MANAGER"}
    account.simulator._builds.find(build["id"]).document["environment"]["registryCredential"] = override
    left_alone(account, account.remediate(build), "advised", arn)


def test_a_project_that_signs_in_with_a_credential_of_its_own_is_left_alone(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    arn = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:own-AbCdEf"
    account.edit(environment={"registryCredential": {"credential": arn, "credentialProvider": "SECRETS_MANAGER"}})
    left_alone(account, account.remediate(build), "advised", arn)


def test_a_build_that_codebuild_does_not_know_is_rejected(account: Account) -> None:
    project = account.create_project()
    arn = project["arn"].replace(":project/", ":build/") + ":00000000-0000-4000-8000-000000000000"
    outcome = account.remediate({"arn": arn})
    left_alone(account, outcome, "rejected", "knows no build")
    assert account.journal()[f"build#{arn.rpartition('/')[2]}"]["outcome"] == "rejected"


def test_a_build_that_passed_is_rejected_whatever_the_event_says(account: Account) -> None:
    account.create_project(environment={"image": "ghcr.io/example/tool:1"})
    build = account.failed_build()
    assert build["buildStatus"] == "SUCCEEDED"
    left_alone(account, account.remediate(build), "rejected", "did not fail", "SUCCEEDED")


def test_a_build_that_still_runs_is_rejected(account: Account) -> None:
    account.create_project()
    account.world.when = "told"
    started = account.simulator.call("StartBuild", {"projectName": "orders"}, OWNER)["build"]
    left_alone(account, account.remediate(started), "rejected", "IN_PROGRESS")


def test_the_builds_own_words_count_and_not_the_events(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    event = account.event_of(build)
    document = account.simulator._builds.find(build["id"]).document
    for phase in document["phases"]:
        if phase["phaseType"] == "PROVISIONING":
            phase["contexts"][0]["message"] = NOT_FOUND
    assert account.ask(event)["outcome"] == "skipped"
    assert account.lambda_.started == {}
    event["detail"]["additional-information"]["environment"] = {"image": "python:3.12"}  # by hand, Intake need not look
    name = account.ask(event)["started"].split("/")[-2]
    outcome = account.execute(name, account.lambda_.started[name])
    assert '"outcome": "skipped"' in outcome.result
    assert account.writes() == []


def test_a_project_that_was_deleted_is_left_alone(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.simulator.call("DeleteProject", {"name": "orders"}, OWNER)
    outcome = account.remediate(build)
    assert (outcome["outcome"], account.writes()) == ("rejected", [])


def test_a_project_outside_the_pattern_is_left_alone_before_anything_is_started(account: Account) -> None:
    account.create_project()
    outcome = account.ask(account.event_of(account.failed_build()), PROJECT_NAME_PATTERN="team-*")
    left_alone(account, outcome, "skipped", "team-*")
    assert account.lambda_.started == {}
    assert account.calls == ["PutItem"]


def test_a_project_within_the_pattern_is_repaired(account: Account) -> None:
    account.create_project("team-orders")
    build = account.failed_build("team-orders")
    answer = account.ask(account.event_of(build), PROJECT_NAME_PATTERN="team-*")
    assert build["id"].partition(":")[2] in answer["started"]


# Who could come to read the secret

PULL_REQUESTS = [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED"}]]


def _public(account: Account) -> None:
    account.plant(projectVisibility="PUBLIC_READ")


def _builds_pull_requests(account: Account) -> None:
    account.plant(webhook={"filterGroups": PULL_REQUESTS, "url": "https://x"})


def _builds_every_event(account: Account) -> None:
    account.plant(webhook={"url": "https://x"})


def _asks_for_no_approval(account: Account) -> None:
    policy = {"requiresCommentApproval": "DISABLED"}
    account.plant(webhook={"filterGroups": PULL_REQUESTS, "pullRequestBuildPolicy": policy})


def _lets_some_actors_in(pattern: str) -> Any:
    def change(account: Account) -> None:
        group = [
            {"type": "EVENT", "pattern": "PUSH, PULL_REQUEST_CREATED"},
            {"type": "ACTOR_ACCOUNT_ID", "pattern": pattern},
        ]
        account.plant(webhook={"filterGroups": [group], "url": "https://x"})

    return change


def _role_of(principal: Any) -> Any:
    def change(account: Account) -> None:
        iam = account.boto("iam")
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        iam.update_assume_role_policy(
            RoleName="orders-build",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )

    return change


OPEN_TO_STRANGERS = {
    "public builds": (_public, "strangers", "PUBLIC_READ"),
    "pull requests of anybody": (_builds_pull_requests, "strangers", "pull requests"),
    "a webhook without filters": (_builds_every_event, "strangers", "pull requests"),
    "approval disabled": (_asks_for_no_approval, "strangers", "pull requests"),
    "actors whose ids are not anchored": (_lets_some_actors_in("12345"), "strangers", "PULL_REQUEST_CREATED"),
    "a role that ECS may assume": (
        _role_of({"Service": ["codebuild.amazonaws.com", "ecs-tasks.amazonaws.com"]}),
        "may also be assumed by",
        "ecs-tasks.amazonaws.com",
    ),
    "a role that an account may assume": (
        _role_of({"Service": "codebuild.amazonaws.com", "AWS": "arn:aws:iam::999988887777:root"}),
        "may also be assumed by",
        "999988887777",
    ),
}


@pytest.mark.parametrize("case", OPEN_TO_STRANGERS)
def test_a_project_that_strangers_could_use_is_left_alone(account: Account, case: str) -> None:
    change, *words = OPEN_TO_STRANGERS[case]
    account.create_project()
    change(account)
    outcome = account.remediate(account.failed_build())
    left_alone(account, outcome, "advised", *words)
    assert "UntrustedProjects" in outcome["advice"][0]


@pytest.mark.parametrize("case", OPEN_TO_STRANGERS)
def test_the_same_project_is_repaired_on_a_persons_word(account: Account, case: str) -> None:
    change, *_, word = OPEN_TO_STRANGERS[case]
    account.create_project()
    change(account)
    outcome = account.remediate(account.failed_build(), UNTRUSTED_PROJECTS="repair")
    assert outcome["outcome"] == "remediated", outcome
    assert ("also assumed by" in str(outcome["advice"]) and word in str(outcome["advice"])) is ("a role" in case)
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", "StartBuild"]


TRUSTED_WITH_IT = ["codebuild.amazonaws.com", "codepipeline.amazonaws.com", "events.amazonaws.com"]


@pytest.mark.parametrize("mode", ["auto", "plan"])
def test_a_role_that_services_of_the_owners_choice_may_assume_too_is_granted_and_they_are_named(
    account: Account, mode: str
) -> None:
    account.create_project()
    _role_of({"Service": TRUSTED_WITH_IT})(account)
    outcome = account.remediate(account.failed_build(), MODE=mode)
    assert outcome["outcome"] == ("remediated" if mode == "auto" else "planned"), outcome
    assert "also assumed by codepipeline.amazonaws.com, events.amazonaws.com" in outcome["advice"][-1]
    assert "stranger" not in str(outcome)


def test_a_role_that_codebuild_alone_may_assume_needs_no_word(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "remediated"
    assert "assumed" not in str(outcome)


def test_actors_who_are_named_in_full_are_no_objection(account: Account) -> None:
    account.create_project()
    _lets_some_actors_in("^(12345|67890)$")(account)
    assert account.remediate(account.failed_build())["outcome"] == "remediated"


def test_pull_requests_that_wait_for_approval_are_no_objection(account: Account) -> None:
    account.create_project()
    policy = {"requiresCommentApproval": "ALL_PULL_REQUESTS"}
    account.plant(webhook={"filterGroups": PULL_REQUESTS, "pullRequestBuildPolicy": policy})
    assert account.remediate(account.failed_build())["outcome"] == "remediated"


def test_a_role_that_was_deleted_is_left_alone(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.boto("iam").delete_role(RoleName="orders-build")
    outcome = account.remediate(build)
    assert account.writes() == []
    assert outcome["outcome"] == "advised"
    assert "service role" in outcome["reason"]
    assert outcome["cause"] == "anonymous-limit"


def test_a_role_of_another_account_is_left_alone_even_where_ours_has_one_of_that_name(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    foreign = account.role_arn.replace(ACCOUNT, "999988887777")
    account.simulator._builds.find(build["id"]).document["serviceRole"] = foreign
    account.plant(serviceRole=foreign)
    left_alone(account, account.remediate(build), "advised", "role")


def test_a_role_that_may_not_be_read_is_left_alone(account: Account) -> None:
    account.create_project()
    account.before.append(refusing("GetRole", refused("GetRole", "AccessDenied", "not authorized: iam:GetRole")))
    left_alone(account, account.remediate(account.failed_build()), "advised", "iam:GetRole")
    assert account.calls.count("GetRole") == 1


# Loops


def test_a_build_that_carried_our_credential_ends_it(account: Account) -> None:
    account.create_project()
    account.attach_policy()
    account.edit(environment={"registryCredential": credential_of(account)})
    account.throttle(PullAnswer(429))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "gave-up"
    assert "carried the credentials" in outcome["reason"]
    assert account.writes() == []
    assert len(account.builds()) == 1


def test_the_events_of_a_pull_that_stays_throttled_come_to_an_end(account: Account) -> None:
    account.create_project()
    account.throttle(PullAnswer(429))
    account.failed_build()
    outcomes = account.follow()
    assert [outcome["outcome"] for outcome in outcomes] == ["gave-up", "skipped"]
    assert "carried the credentials" in outcomes[0]["reason"]
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1, "StartBuild": 1}
    assert [b["initiator"] for b in account.builds()] == ["maria", OURS.partition("/")[2]]


def test_the_events_of_a_role_that_never_may_read_come_to_an_end(account: Account) -> None:
    account.create_project()
    account.failed_build()
    account.world.late_reads = 1_000
    outcomes = account.follow()
    assert outcomes[0]["outcome"] == "gave-up"
    assert {outcome["outcome"] for outcome in outcomes[1:]} <= {"skipped", "advised"}
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 2, "StartBuild": 3}


@pytest.mark.parametrize(
    "image", ["ghcr.io/example/tool:1", "public.ecr.aws/example/tool:1", "aws/codebuild/standard:7.0"]
)
def test_a_batch_whose_builds_bring_other_registries_images_gets_no_credential_for_all_of_them(
    account: Account, image: str
) -> None:
    """The project's credential would go with those images too, or be refused with them."""
    account.create_project()
    builds = [("lint", {"imageOverride": image, "imagePullCredentialsTypeOverride": "CODEBUILD"}), ("unit", {})]
    batch = account.simulator.start_batch("orders", builds, "maria")
    account.world.finish()
    failed = next(build for build in account.builds() if build["buildStatus"] == "FAILED")
    assert batch["id"] in failed["buildBatchArn"]
    left_alone(account, account.remediate(failed), "advised", image)


def test_a_project_whose_builds_bring_docker_hubs_images_is_repaired(account: Account) -> None:
    account.simulator.retry_uses = "project"
    account.create_project()
    account.simulator.start_batch("orders", [("lint", {"imageOverride": "node:22"}), ("unit", {})], "maria")
    account.world.finish()
    assert account.remediate(account.builds()[1])["outcome"] == "remediated"
