"""A build goes as its role, its project and the registries let it go; nobody scripts its result."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.simulator import CommandsAnswer, Document, PullAnswer, ServiceError
from local.simulator.testing import FakeWorld, simulate
from tests.local.simulated import OWNER, ROLE, built, environment, failed_phase, request, with_credential

GOOD = json.dumps({"username": "acme", "password": "s3cret"})


def variable(secret: str, key: str = "username") -> dict[str, str]:
    return {"name": "DOCKERHUB_USERNAME", "type": "SECRETS_MANAGER", "value": f"{secret}:{key}"}


def test_an_anonymous_pull_fails_in_provisioning_without_a_log() -> None:
    simulator, world = simulate()
    simulator.call("CreateProject", request(), OWNER)
    build = built(simulator, world)
    phase, context = failed_phase(build)
    assert (build["buildStatus"], phase) == ("FAILED", "PROVISIONING")
    assert context.startswith("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image. ")
    assert "CannotPullContainerError: " in context
    assert "toomanyrequests: " in context
    assert not build["logs"].get("groupName")
    assert [phase["phaseType"] for phase in build["phases"]][-1] == "COMPLETED"


def test_no_log_is_written_before_an_image_is_there_whatever_phases_follow() -> None:
    simulator, world = simulate()
    simulator.call("CreateProject", request(), OWNER)
    followed = {"FINALIZING" in [phase["phaseType"] for phase in built(simulator, world)["phases"]] for _ in range(12)}
    assert followed == {True, False}
    assert world.logs == {}


def test_the_wording_of_the_limit_differs_between_runs() -> None:
    simulator, world = simulate(seed=5)
    simulator.call("CreateProject", request(), OWNER)
    texts = {failed_phase(built(simulator, world))[1].split("sha256:")[0] for _ in range(40)}
    assert len(texts) == 4


def test_a_role_that_may_read_the_credential_pulls_signed_in_and_the_build_succeeds() -> None:
    simulator, world = simulate()
    secret = world.add_secret("hub", GOOD)
    world.accounts["acme"] = "s3cret"
    world.grant(ROLE, secret)
    simulator.call(
        "CreateProject",
        request(environment=with_credential("hub", environmentVariables=[variable(secret)])),
        OWNER,
    )
    build = built(simulator, world)
    assert build["buildStatus"] == "SUCCEEDED"
    assert world.reads == [(ROLE, "hub", True), (ROLE, secret, True)]
    assert world.pulls[0][2] == 200
    assert [phase["phaseType"] for phase in build["phases"]] == [
        "SUBMITTED",
        "QUEUED",
        "PROVISIONING",
        "DOWNLOAD_SOURCE",
        "INSTALL",
        "PRE_BUILD",
        "BUILD",
        "POST_BUILD",
        "UPLOAD_ARTIFACTS",
        "FINALIZING",
        "COMPLETED",
    ]
    lines = world.logs[(build["logs"]["groupName"], build["logs"]["streamName"])]
    assert "[Container] 2026/11/20 " in lines[0]
    assert any(line.endswith("Phase complete: BUILD State: SUCCEEDED") for line in lines)


def test_a_role_that_may_not_read_the_credential_fails_in_provisioning() -> None:
    simulator, world = simulate()
    secret = world.add_secret("hub", GOOD)
    simulator.call("CreateProject", request(environment=with_credential(secret)), OWNER)
    phase, context = failed_phase(built(simulator, world))
    assert phase == "PROVISIONING"
    assert f"secretsmanager:GetSecretValue on resource: {secret}" in context
    assert world.pulls == []


def test_it_fails_in_download_source_where_the_simulator_is_told_so() -> None:
    simulator, world = simulate(unreadable_credential="DOWNLOAD_SOURCE")
    secret = world.add_secret("hub", GOOD)
    simulator.call("CreateProject", request(environment=with_credential(secret)), OWNER)
    phase, context = failed_phase(built(simulator, world))
    assert phase == "DOWNLOAD_SOURCE"
    assert context.startswith("Secrets Manager Error: AccessDeniedException: User: arn:aws:sts::123456789012:")


@pytest.mark.parametrize("phase", ["PROVISIONING", "DOWNLOAD_SOURCE"])
def test_a_role_that_may_read_the_credential_but_not_use_its_key_fails_as_one_that_may_not_read(phase: Any) -> None:
    simulator, world = simulate(FakeWorld(may_decrypt=lambda _role, _secret: False), unreadable_credential=phase)
    world.grant(ROLE, world.add_secret("hub", GOOD))
    simulator.call("CreateProject", request(environment=with_credential("hub")), OWNER)
    failed, context = failed_phase(built(simulator, world))
    assert failed == phase
    assert context.endswith("AccessDeniedException: Access to KMS is not allowed")


def test_a_variable_that_the_role_may_not_read_fails_download_source_of_any_build() -> None:
    simulator, world = simulate()
    secret = world.add_secret("hub", GOOD)
    curated = environment(image="aws/codebuild/standard:7.0", environmentVariables=[variable(secret)])
    simulator.call("CreateProject", request(environment=curated), OWNER)
    build = built(simulator, world)
    phase, context = failed_phase(build)
    assert phase == "DOWNLOAD_SOURCE"
    assert context.startswith("Secrets Manager Error: AccessDeniedException: User: ")
    assert context.endswith("no identity-based policy allows the secretsmanager:GetSecretValue action")
    (lines,) = world.logs.values()
    assert any(f"Phase context status code: {context.replace(': ', ' Message: ', 1)}" in line for line in lines)
    assert [phase["phaseType"] for phase in build["phases"]][-2:] == ["FINALIZING", "COMPLETED"]


@pytest.mark.parametrize("value", ["nobody:username", "hub:nokey", "hub:username:AWSPREVIOUS"])
def test_a_variable_that_names_nothing_fails_download_source(value: str) -> None:
    simulator, world = simulate(FakeWorld(may_read=lambda _role, _secret: True))
    world.add_secret("hub", GOOD)
    wrong = environment(
        image="aws/codebuild/standard:7.0",
        environmentVariables=[{"name": "A", "type": "SECRETS_MANAGER", "value": value}],
    )
    simulator.call("CreateProject", request(environment=wrong), OWNER)
    phase, context = failed_phase(built(simulator, world))
    assert phase == "DOWNLOAD_SOURCE"
    assert context.startswith("Secrets Manager Error: ResourceNotFoundException: ")


@pytest.mark.parametrize(
    ("password", "exhausted", "expected"),
    [
        ("wrong", set(), 'manifests/3.12": unauthorized: incorrect username or password'),
        ("s3cret", {"acme"}, "toomanyrequests: You have reached your pull rate limit as 'acme': dckr_jti_"),
    ],
)
def test_credentials_that_do_not_help_are_told_apart(password: str, exhausted: set[str], expected: str) -> None:
    simulator, world = simulate()
    secret = world.add_secret("hub", GOOD)
    world.accounts["acme"] = password
    world.exhausted = exhausted
    world.grant(ROLE, secret)
    simulator.call("CreateProject", request(environment=with_credential(secret)), OWNER)
    assert expected in failed_phase(built(simulator, world))[1]


@pytest.mark.parametrize(
    ("image", "answer", "expected"),
    [
        (
            "public.ecr.aws/docker/library/python:3.12",
            PullAnswer(429, "Rate exceeded"),
            "toomanyrequests: Rate exceeded",
        ),
        ("ghcr.io/a/b:1", PullAnswer(404), "pull access denied for a/b, repository does not exist"),
        ("acme/app:1", PullAnswer(503, "down"), "unexpected HTTP status: 503 down"),
        (
            "acme/app:1",
            PullAnswer(429, "too many failed login attempts for username or IP address"),
            "toomanyrequests: too many failed login attempts",
        ),
    ],
)
def test_other_refusals_keep_the_registrys_own_words(image: str, answer: PullAnswer, expected: str) -> None:
    simulator, world = simulate(FakeWorld(pull=lambda _image, _credentials: answer))
    simulator.call("CreateProject", request(environment=environment(image=image)), OWNER)
    context = failed_phase(built(simulator, world))[1]
    assert expected in context
    assert "pull rate limit" not in context


def test_a_secret_that_is_no_credential_fails_provisioning() -> None:
    simulator, world = simulate()
    secret = world.add_secret("hub", '{"user": "acme"}')
    world.grant(ROLE, secret)
    simulator.call("CreateProject", request(environment=with_credential(secret)), OWNER)
    assert "keys username and password" in failed_phase(built(simulator, world))[1]


def test_a_new_grant_counts_only_after_some_reads() -> None:
    simulator, world = simulate(FakeWorld(late_reads=2))
    secret = world.add_secret("hub", GOOD)
    world.accounts["acme"] = "s3cret"
    world.grant(ROLE, secret)
    simulator.call("CreateProject", request(environment=with_credential(secret)), OWNER)
    results = [built(simulator, world)["buildStatus"] for _ in range(3)]
    assert results == ["FAILED", "FAILED", "SUCCEEDED"]


def test_a_new_grant_counts_only_after_some_seconds() -> None:
    simulator, world = simulate(FakeWorld(late_seconds=60))
    secret = world.add_secret("hub", GOOD)
    world.accounts["acme"] = "s3cret"
    world.grant(ROLE, secret)
    simulator.call("CreateProject", request(environment=with_credential(secret)), OWNER)
    assert built(simulator, world)["buildStatus"] == "FAILED"
    world.sleep(60)
    assert built(simulator, world)["buildStatus"] == "SUCCEEDED"


def test_the_overriding_role_reads_the_secrets() -> None:
    simulator, world = simulate()
    other = "arn:aws:iam::123456789012:role/other"
    secret = world.add_secret("hub", GOOD)
    world.accounts["acme"] = "s3cret"
    world.grant(other, secret)
    simulator.call("CreateProject", request(environment=with_credential(secret)), OWNER)
    assert built(simulator, world)["buildStatus"] == "FAILED"
    assert built(simulator, world, serviceRoleOverride=other)["buildStatus"] == "SUCCEEDED"


def test_overrides_are_of_one_build_alone() -> None:
    simulator, world = simulate()
    own = [{"name": "A", "value": "1", "type": "PLAINTEXT"}, {"name": "B", "value": "1", "type": "PLAINTEXT"}]
    simulator.call("CreateProject", request(environment=environment(environmentVariables=own)), OWNER)
    before = simulator.project("orders")
    build = built(
        simulator,
        world,
        imageOverride="aws/codebuild/standard:7.0",
        environmentVariablesOverride=[{"name": "B", "value": "2"}],
        buildspecOverride="version: 0.2",
        timeoutInMinutesOverride=10,
        sourceVersion="refs/heads/main^{3f1c2b4a5d6e7f8091a2b3c4d5e6f70819203142}",
    )
    assert build["environment"]["image"] == "aws/codebuild/standard:7.0"
    assert build["environment"]["environmentVariables"] == [own[0], own[1] | {"value": "2"}]
    assert build["source"]["buildspec"] == "version: 0.2"
    assert build["timeoutInMinutes"] == 10
    assert build["resolvedSourceVersion"] == "3f1c2b4a5d6e7f8091a2b3c4d5e6f70819203142"
    assert simulator.project("orders") == before


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"projectName": "nobody"}, "ResourceNotFoundException"),
        ({"projectName": "orders", "imageOverrride": "x"}, "InvalidInputException"),
        (
            {
                "projectName": "orders",
                "imageOverride": "aws/codebuild/standard:7.0",
                "imagePullCredentialsTypeOverride": "SERVICE_ROLE",
            },
            "InvalidInputException",
        ),
    ],
)
def test_a_build_that_aws_would_not_start_is_refused(sent: dict[str, Any], code: str) -> None:
    simulator, world = simulate()
    simulator.call("CreateProject", request(), OWNER)
    with pytest.raises(ServiceError) as refused:
        simulator.call("StartBuild", sent, OWNER)
    assert refused.value.code == code
    assert world.events == []


def test_a_pipelines_project_is_built_by_its_pipeline_only() -> None:
    simulator, _ = simulate()
    simulator.call("CreateProject", request(source={"type": "CODEPIPELINE"}, artifacts={"type": "CODEPIPELINE"}), OWNER)
    with pytest.raises(ServiceError, match="ArtifactsOverride must be set"):
        simulator.call("StartBuild", {"projectName": "orders"}, OWNER)
    build = simulator.start_build({"projectName": "orders"}, "codepipeline/shop", batch_arn="arn:batch")
    assert (build["initiator"], build["buildBatchArn"]) == ("codepipeline/shop", "arn:batch")


def test_the_same_token_starts_one_build_within_five_minutes() -> None:
    simulator, world = simulate()
    simulator.call("CreateProject", request(), OWNER)
    sent = {"projectName": "orders", "idempotencyToken": "t"}
    first = simulator.call("StartBuild", sent, OWNER)["build"]["id"]
    assert simulator.call("StartBuild", sent, OWNER)["build"]["id"] == first
    with pytest.raises(ServiceError, match="idempotency token"):
        simulator.call("StartBuild", {**sent, "sourceVersion": "x"}, OWNER)
    world.sleep(301)
    assert simulator.call("StartBuild", sent, OWNER)["build"]["id"] != first


@pytest.mark.parametrize(
    ("caller", "initiator"),
    [
        (OWNER, "maria"),
        ("arn:aws:sts::123456789012:assumed-role/Remediator/fn", "Remediator/fn"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
)
def test_a_build_says_who_started_it(caller: str, initiator: str) -> None:
    simulator, _ = simulate()
    simulator.call("CreateProject", request(), OWNER)
    assert simulator.call("StartBuild", {"projectName": "orders"}, caller)["build"]["initiator"] == initiator


@pytest.mark.parametrize(("uses", "image"), [("snapshot", "python:3.12"), ("project", "python:3.13")])
def test_a_retry_takes_the_settings_that_the_switch_says(uses: Any, image: str) -> None:
    simulator, world = simulate(retry_uses=uses)
    simulator.call("CreateProject", request(), OWNER)
    failed = built(simulator, world, sourceVersion="v1")
    simulator.call("UpdateProject", {"name": "orders", "environment": environment(image="python:3.13")}, OWNER)
    sent = {"id": failed["id"], "idempotencyToken": "t"}
    retried = simulator.call("RetryBuild", sent, OWNER)["build"]
    assert simulator.call("RetryBuild", sent, OWNER)["build"]["id"] == retried["id"] != failed["id"]
    assert retried["environment"]["image"] == image
    assert (retried["sourceVersion"], retried["buildNumber"]) == ("v1", 2)


def test_a_build_without_an_id_can_not_be_retried() -> None:
    simulator, _ = simulate()
    with pytest.raises(ServiceError, match="Invalid build ID provided"):
        simulator.call("RetryBuild", {}, OWNER)
    with pytest.raises(ServiceError, match="cannot be found"):
        simulator.call("RetryBuild", {"id": "orders:1"}, OWNER)


def test_a_stopped_build_ends_where_it_was() -> None:
    simulator, world = simulate(FakeWorld(when="told"))
    simulator.call("CreateProject", request(), OWNER)
    build_id = simulator.call("StartBuild", {"projectName": "orders"}, OWNER)["build"]["id"]
    assert world.step(build_id)
    stopped = simulator.call("StopBuild", {"id": build_id}, OWNER)["build"]
    assert (stopped["buildStatus"], stopped["buildComplete"]) == ("STOPPED", True)
    assert not world.step(build_id)
    assert simulator.build(build_id) == stopped
    assert world.events[-1]["detail"]["build-status"] == "STOPPED"
    assert simulator.call("StopBuild", {"id": build_id}, OWNER)["build"] == stopped


def test_a_watched_build_is_in_progress_first_and_then_has_its_result() -> None:
    simulator, _ = simulate(FakeWorld(looks=2))
    simulator.call("CreateProject", request(), OWNER)
    build_id = simulator.call("StartBuild", {"projectName": "orders"}, OWNER)["build"]["id"]
    seen = [simulator.call("BatchGetBuilds", {"ids": [build_id]}, OWNER)["builds"][0]["buildStatus"] for _ in range(3)]
    assert seen == ["IN_PROGRESS", "IN_PROGRESS", "FAILED"]


def test_start_build_answers_before_the_build_has_ended() -> None:
    simulator, _ = simulate(FakeWorld(when="at-once"))
    simulator.call("CreateProject", request(), OWNER)
    started = simulator.call("StartBuild", {"projectName": "orders"}, OWNER)["build"]
    assert (started["buildStatus"], started["currentPhase"]) == ("IN_PROGRESS", "SUBMITTED")
    assert simulator.build(started["id"])["buildStatus"] == "FAILED"


def test_builds_are_listed_newest_first_and_by_project() -> None:
    simulator, _ = simulate()
    for name in ("orders", "shop"):
        simulator.call("CreateProject", request(name=name), OWNER)
    ids = [
        simulator.call("StartBuild", {"projectName": name}, OWNER)["build"]["id"]
        for name in ("orders", "shop", "orders")
    ]
    assert simulator.call("ListBuilds", {}, OWNER) == {"ids": ids[::-1]}
    own = simulator.call("ListBuildsForProject", {"projectName": "orders", "sortOrder": "ASCENDING"}, OWNER)
    assert own == {"ids": [ids[0], ids[2]]}
    with pytest.raises(ServiceError, match="Project cannot be found"):
        simulator.call("ListBuildsForProject", {"projectName": "nobody"}, OWNER)


def test_builds_that_do_not_exist_are_named() -> None:
    simulator, _ = simulate()
    answer = simulator.call("BatchGetBuilds", {"ids": ["orders:1"]}, OWNER)
    assert answer == {"builds": [], "buildsNotFound": ["orders:1"]}
    with pytest.raises(ServiceError, match="Invalid build ID provided"):
        simulator.call("BatchGetBuilds", {"ids": ["orders"]}, OWNER)


def test_auto_retry_starts_as_many_builds_as_its_limit() -> None:
    simulator, world = simulate(FakeWorld(when="told"))
    simulator.call("CreateProject", request(autoRetryLimit=2), OWNER)
    simulator.call("StartBuild", {"projectName": "orders"}, OWNER)
    for _ in range(4):
        world.finish()
    ids = simulator.call("ListBuilds", {"sortOrder": "ASCENDING"}, OWNER)["ids"]
    builds = [simulator.build(build_id) for build_id in ids]
    assert [build["autoRetryConfig"]["autoRetryNumber"] for build in builds] == [0, 1, 2]
    assert builds[0]["autoRetryConfig"]["nextAutoRetry"] == builds[1]["arn"]
    assert builds[2]["autoRetryConfig"]["previousAutoRetry"] == builds[1]["arn"]
    assert "nextAutoRetry" not in builds[2]["autoRetryConfig"]


def test_each_build_of_an_auto_retry_tells_of_its_own_failure() -> None:
    simulator, world = simulate(FakeWorld(when="told"))
    simulator.call("CreateProject", request(autoRetryLimit=1), OWNER)
    simulator.call("StartBuild", {"projectName": "orders"}, OWNER)
    for _ in range(3):
        world.finish()
    told = [
        (event["detail"]["build-id"], event["detail"]["build-status"])
        for event in world.events
        if event["detail-type"] == "CodeBuild Build State Change"
    ]
    ids = simulator.call("ListBuilds", {"sortOrder": "ASCENDING"}, OWNER)["ids"]
    first, second = (simulator.build(build_id)["arn"] for build_id in ids)
    assert told == [(first, "IN_PROGRESS"), (first, "FAILED"), (second, "IN_PROGRESS"), (second, "FAILED")]


def test_the_end_of_a_build_is_told_although_its_project_is_gone_and_it_cannot_be_retried() -> None:
    simulator, world = simulate(FakeWorld(when="told"))
    simulator.call("CreateProject", request(autoRetryLimit=1), OWNER)
    simulator.call("StartBuild", {"projectName": "orders"}, OWNER)
    simulator.call("DeleteProject", {"name": "orders"}, OWNER)
    world.finish()
    assert world.events[-1]["detail"]["build-status"] == "FAILED"


def test_who_wants_to_know_is_told_when_a_build_has_ended() -> None:
    simulator, world = simulate()
    simulator.call("CreateProject", request(), OWNER)
    ended: list[tuple[str, int]] = []
    simulator.after_build.append(lambda build: ended.append((build["id"], len(world.events))))
    build = built(simulator, world)
    assert ended == [(build["id"], len(world.events))]


@pytest.mark.parametrize(("phase", "goes_on"), [("PRE_BUILD", False), ("BUILD", True)])
def test_commands_that_fail_decide_the_build_and_what_follows(phase: str, goes_on: bool) -> None:
    def commands(_build: Document, running: str, variables: Mapping[str, str]) -> CommandsAnswer:
        if running != phase:
            return CommandsAnswer()
        message = "Error while executing command: make. Reason: exit status 2"
        return CommandsAnswer("COMMAND_EXECUTION_ERROR", message, [f"user {variables['U']}"])

    simulator, world = simulate(FakeWorld(may_read=lambda _r, _s: True), run_commands=commands)
    world.add_secret("hub", GOOD)
    variables = [{"name": "U", "type": "SECRETS_MANAGER", "value": "hub:username"}]
    curated = environment(image="aws/codebuild/standard:7.0", environmentVariables=variables)
    simulator.call("CreateProject", request(environment=curated), OWNER)
    build = built(simulator, world)
    assert failed_phase(build)[0] == phase
    assert build["buildStatus"] == "FAILED"
    assert ("POST_BUILD" in [phase["phaseType"] for phase in build["phases"]]) is goes_on
    (lines,) = world.logs.values()
    assert "user acme" in lines


def test_a_project_without_cloudwatch_logs_writes_none() -> None:
    simulator, world = simulate()
    curated = environment(image="aws/codebuild/standard:7.0")
    off = {"cloudWatchLogs": {"status": "DISABLED"}}
    simulator.call("CreateProject", request(environment=curated, logsConfig=off), OWNER)
    assert built(simulator, world)["buildStatus"] == "SUCCEEDED"
    assert world.logs == {}


def test_a_projects_own_log_group_is_used() -> None:
    simulator, world = simulate()
    curated = environment(image="aws/codebuild/standard:7.0")
    own = {"cloudWatchLogs": {"status": "ENABLED", "groupName": "/ours", "streamName": "orders"}}
    simulator.call("CreateProject", request(environment=curated, logsConfig=own), OWNER)
    build = built(simulator, world)
    assert list(world.logs) == [("/ours", f"orders/{build['id'].partition(':')[2]}")]
