"""People who may only start builds, write logs, names or events get nothing repaired, leaked or broken by that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.simulator.pipelines import Stage
from tests.workflow.account import OWNER, Account, Json, outcome_of
from tests.workflow.commands import CURATED, INLINE, inline
from tests.workflow.watched import once, refused, refusing

LIMIT = (
    "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
)
SAYS_SO = f"version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        echo '{LIMIT}'; exit 1\n"
EVIL = "https://github.com/evil/fork.git"
OVERRIDES: dict[str, tuple[dict[str, Any], str]] = {
    "another buildspec": ({"buildspecOverride": SAYS_SO}, "another buildspec"),
    "another source": ({"sourceTypeOverride": "GITHUB", "sourceLocationOverride": EVIL}, "another source"),
    "a pull request": ({"sourceVersion": "pr/7"}, "pr/7"),
    "another secondary source": (
        {"secondarySourcesOverride": [{"sourceIdentifier": "x", "type": "GITHUB", "location": EVIL}]},
        "secondarySources",
    ),
    "another image": ({"imageOverride": "aws/codebuild/standard:6.0"}, "another image"),
    "a commit alone": ({"sourceVersion": "0123456789abcdef0123456789abcdef01234567"}, "source version"),
    "a short name": ({"sourceVersion": "main"}, "source version main"),
    "a variable that bash reads first": (
        {"environmentVariablesOverride": [{"name": "BASH_ENV", "value": "x", "type": "PLAINTEXT"}]},
        "BASH_ENV",
    ),
    "a variable": (
        {"environmentVariablesOverride": [{"name": "TAG", "value": "x", "type": "PLAINTEXT"}]},
        "another TAG",
    ),
    "a debug session": ({"debugSessionEnabled": True}, "debugSession"),
    "a fleet": (
        {"fleetOverride": {"fleetArn": "arn:aws:codebuild:eu-west-1:123456789012:fleet/mine:1"}},
        "environment.fleet",
    ),
}


SAYS_ABUSE = SAYS_SO.replace(LIMIT, "toomanyrequests: Too Many Requests (HAP429)")


@pytest.fixture
def throttled(account: Account) -> Account:
    """A project whose own builds are throttled in a command, and would be repaired for that."""
    account.agent = account.run_commands()
    account.agent.repositories[EVIL] = {}
    inline(account)
    return account


def test_the_same_build_without_an_override_is_repaired(throttled: Account) -> None:
    """So that what stands against the others is the override."""
    assert throttled.remediate(throttled.builds()[0])["outcome"] == "remediated"


@pytest.mark.parametrize("case", OVERRIDES)
def test_a_log_of_a_build_that_ran_something_else_attaches_the_secret_to_nothing(throttled: Account, case: str) -> None:
    overrides, word = OVERRIDES[case]
    build = throttled.failed_build(**overrides)
    assert build["buildStatus"] == "FAILED"
    outcome = throttled.remediate(build)
    assert (outcome["outcome"], outcome["cause"]) == ("advised", "anonymous-limit"), outcome
    assert word in outcome["reason"]
    assert throttled.writes() == []
    assert throttled.attached() == []


def assert_told(account: Account, build: Json, *words: str) -> None:
    """It is no ground for a repair, whose reason has these words."""
    outcome = account.remediate(build)
    assert (outcome["outcome"], outcome["cause"]) == ("advised", "anonymous-limit"), outcome
    for word in words:
        assert word in outcome["reason"]
    assert account.writes() == []
    assert account.attached() == []


COMMIT = "0123456789abcdef0123456789abcdef01234567"
PULL_REQUESTS = "PULL_REQUEST_CREATED"
HOOKED: dict[str, tuple[str, str]] = {
    "a pull request": (PULL_REQUESTS, "pr/7"),
    "a push": ("PUSH", COMMIT),
    "a tag": ("PUSH", "refs/tags/v1^{" + COMMIT + "}"),
}


@pytest.mark.parametrize("case", HOOKED)
def test_what_a_webhook_of_the_project_built_is_repaired_and_retried_as_itself(throttled: Account, case: str) -> None:
    events, version = HOOKED[case]
    throttled.hook(events)
    throttled.simulator.retry_uses = "project"
    outcome = throttled.remediate(throttled.failed_build_of("GitHub-Hookshot/1cdf727", sourceVersion=version))
    assert outcome["outcome"] == "remediated", outcome
    assert throttled.asked("RetryBuild", "StartBuild") == {"RetryBuild": 1}


@pytest.mark.parametrize(
    ("initiator", "events", "version"),
    [
        ("gitlab-ci/deploy", PULL_REQUESTS, "pr/7"),
        ("bitbucket-deployer", PULL_REQUESTS, "pr/7"),
        ("maria", PULL_REQUESTS, "pr/7"),
        ("maria", "PUSH", COMMIT),
        ("GitHub-Hookshot/1cdf727", "PUSH", "pr/7"),
        ("GitHub-Hookshot/1cdf727", "", "pr/7"),
        ("GitHub-Hookshot/1cdf727", "", COMMIT),
        ("GitHub-Hookshot/1cdf727", "PUSH", "pull/7/head"),
        ("codepipeline/release", "PUSH", "arn:aws:s3:::codepipeline-eu-west-1-123456789012/release/SourceArti/1"),
    ],
)
def test_a_name_alone_is_no_webhook_and_no_pipeline(
    throttled: Account, initiator: str, events: str, version: str
) -> None:
    if events:
        throttled.hook(events)
    build = throttled.failed_build_of(initiator, sourceVersion=version)
    assert_told(throttled, build, f"source version {version}", "nothing shows")


@pytest.mark.parametrize(("events", "version"), [(PULL_REQUESTS, "pr/7"), ("PUSH", COMMIT)])
def test_a_role_that_is_called_as_a_webhook_is_none(throttled: Account, events: str, version: str) -> None:
    throttled.hook(events)
    throttled.make_role("GitHub-Hookshot")
    build = throttled.failed_build_of("GitHub-Hookshot/1cdf727", sourceVersion=version)
    assert_told(throttled, build, f"source version {version}")


def test_its_build_of_a_branch_is_started_again_and_not_retried_as_a_webhooks(throttled: Account) -> None:
    throttled.hook()
    throttled.make_role("GitHub-Hookshot")
    build = throttled.failed_build_of("GitHub-Hookshot/1cdf727", sourceVersion="refs/heads/main")
    assert throttled.remediate(build)["outcome"] == "remediated"
    assert throttled.asked("RetryBuild", "StartBuild") == {"StartBuild": 1}


def test_where_roles_may_not_be_read_a_webhook_is_not_known(throttled: Account) -> None:
    """Only that one: the project's own role is read for the repair."""
    throttled.hook()
    throttled.before.append(refusing("GetRole", refused("GetRole", "AccessDenied", "no"), times=1))
    build = throttled.failed_build_of("GitHub-Hookshot/1cdf727", sourceVersion=COMMIT)
    assert_told(throttled, build, f"source version {COMMIT}")


TAG = {"name": "TAG", "value": "x", "type": "PLAINTEXT"}


def piped(account: Account) -> Json:
    """A throttled command of a build to which a pipeline's action gives a variable."""
    members: Json = {"source": {"type": "CODEPIPELINE", "buildspec": INLINE}, "artifacts": {"type": "CODEPIPELINE"}}
    account.create_project("piped", environment=CURATED, **members)
    account.agent.repositories["CODEPIPELINE/piped"] = {}
    account.pipelines.plant_pipeline("release", [Stage("Source", {"Code": None}), Stage("Build", {"Orders": "piped"})])
    account.pipelines.start("release")
    build = account.builds("piped")[0]
    account.world.finish(build["id"])
    account.simulator._builds.find(build["id"]).document["environment"]["environmentVariables"].append(TAG)
    return account.build(build["id"])


def test_what_a_pipeline_ran_is_repaired_whatever_its_action_sets(throttled: Account) -> None:
    outcome = throttled.remediate(piped(throttled))
    assert outcome["outcome"] == "remediated", outcome


def test_what_a_pipeline_ran_is_known_also_after_a_newer_execution_has_entered_the_stage(throttled: Account) -> None:
    """Its state no longer shows the build, its list of what ran does; the stage is not retried then."""
    build = piped(throttled)
    throttled.pipelines.start("release")
    outcome = throttled.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert throttled.asked("ListActionExecutions")["ListActionExecutions"] >= 1


def test_a_build_that_names_a_pipeline_which_did_not_run_it_is_no_ground_for_a_repair(throttled: Account) -> None:
    """Whoever may have a role called codepipeline could start it so."""
    version = piped(throttled)["sourceVersion"]
    build = throttled.failed_build_of("codepipeline/release", "piped", sourceVersion=version)
    assert_told(throttled, build, f"source version {version}")


@pytest.mark.parametrize(("initiator", "told"), [("GitHub-Hookshot/1cdf727", True), ("maria", False)])
def test_a_plan_tells_that_it_takes_a_record_at_its_word(throttled: Account, initiator: str, told: bool) -> None:
    throttled.hook()
    throttled.failed_build_of(initiator, sourceVersion="refs/heads/main")
    answer = throttled.ask({"command": "plan", "project": "orders"})
    assert answer["outcome"] == "planned", answer
    assert any("is its own record's word" in line for line in answer["advice"]) is told


DOCKER = {"image": "docker:27", "privilegedMode": True}
PULL = "version: 0.2\nbatch:\n  build-list:\n    - identifier: one\n      env: {variables: {PART: one}}\n"
BATCHED = INLINE.replace("version: 0.2\n", PULL)


def batched(account: Account, caller: str, **request: Any) -> Json:
    """The build of a batch, whose record has the commit that CodeBuild found for the batch's version."""
    account.edit(source={"type": "NO_SOURCE", "buildspec": BATCHED})
    batch = account.simulator.call("StartBuildBatch", {"projectName": "orders", **request}, caller)["buildBatch"]
    account.world.finish()
    build = account.builds()[-1]
    document = account.simulator._builds.find(build["id"]).document
    account.simulator._batches.find(batch["id"]).document["resolvedSourceVersion"] = COMMIT
    document["sourceVersion"] = COMMIT
    return account.build(build["id"])


HOST = "arn:aws:sts::123456789012:assumed-role/GitHub-Hookshot/1cdf727"
"""As the simulator is told who calls; there is no such role."""


def test_a_batch_of_a_webhook_is_repaired_with_the_variables_of_its_buildspec(throttled: Account) -> None:
    throttled.hook(PULL_REQUESTS)
    throttled.simulator.retry_uses = "project"
    outcome = throttled.remediate(batched(throttled, HOST, sourceVersion="pr/7"))
    assert outcome["outcome"] == "remediated", outcome
    assert throttled.asked("RetryBuildBatch") == {"RetryBuildBatch": 1}


@pytest.mark.parametrize(
    ("caller", "request_", "word"),
    [
        (OWNER, {"sourceVersion": "pr/7"}, "source version pr/7"),
        (OWNER, {"sourceVersion": COMMIT}, f"source version {COMMIT}"),
        (OWNER, {}, "another PART"),
        (HOST, {"sourceVersion": "pr/7"}, "source version pr/7"),
    ],
)
def test_a_batch_is_no_exemption(throttled: Account, caller: str, request_: dict[str, str], word: str) -> None:
    """Which of its variables its buildspec has, and which its start, no record tells."""
    throttled.hook()
    assert_told(throttled, batched(throttled, caller, **request_), word)


def test_a_webhooks_build_is_known_as_one_also_after_its_project_was_edited(throttled: Account) -> None:
    """The plan is made again then, from records that are read again."""
    throttled.hook(PULL_REQUESTS)
    build = throttled.failed_build_of("GitHub-Hookshot/1cdf727", sourceVersion="pr/7")
    throttled.after.append(once("AttachRolePolicy", lambda: throttled.edit(description="newer")))
    outcome = throttled.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    assert throttled.project()["description"] == "newer"


def test_a_retry_of_a_pull_request_that_somebody_named_is_no_evidence_either(throttled: Account) -> None:
    """CodeBuild itself could not pull the image, which is evidence enough for that; what the retry prints is none."""
    for name, version, updates in (("first", "pr/7", 1), ("second", "refs/heads/main", 2)):
        throttled.create_project(name, environment=DOCKER, source={"type": "NO_SOURCE", "buildspec": INLINE})
        throttled.calls.clear()
        outcome = throttled.remediate(throttled.failed_build(name, sourceVersion=version))
        assert throttled.asked("UpdateProject") == {"UpdateProject": updates}, outcome
        assert ("source version pr/7" in outcome["reason"]) is (updates == 1), outcome


def test_what_the_projects_own_commands_say_of_the_abuse_limit_is_waited_out(throttled: Account) -> None:
    """So that what stands against the others is the override."""
    throttled.edit(source={"type": "NO_SOURCE", "buildspec": SAYS_ABUSE})
    outcome = throttled.remediate(throttled.failed_build())
    assert (outcome["outcome"], outcome["cause"]) == ("gave-up", "abuse-limit"), outcome
    assert throttled.writes() == ["StartBuild"] * 3


@pytest.mark.parametrize("case", OVERRIDES)
def test_a_log_of_a_build_that_ran_something_else_has_nothing_run_again(throttled: Account, case: str) -> None:
    """Nobody but its starter knows what it would run."""
    overrides, word = OVERRIDES[case]
    if "buildspecOverride" in overrides:
        overrides = {"buildspecOverride": f"{SAYS_ABUSE}# theirs\n"}
    throttled.edit(source={"type": "NO_SOURCE", "buildspec": SAYS_ABUSE})
    build = throttled.failed_build(**overrides)
    assert build["buildStatus"] == "FAILED"
    result = throttled.run(build)
    outcome = outcome_of(result)
    assert (outcome["outcome"], outcome["cause"]) == ("advised", "abuse-limit"), outcome
    assert word in outcome["reason"]
    assert throttled.writes() == []
    assert "back-off" not in {operation.name for operation in result.get_all_operations()}


def test_the_build_of_another_account_or_region_is_not_taken_for_one_of_here(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    for other in (("123456789012", "210987654321"), ("eu-west-1", "us-east-1")):
        forged = {**build, "arn": build["arn"].replace(*other)}
        outcome = account.remediate(forged)
        assert outcome["outcome"] == "rejected"
        assert account.writes() == []


@pytest.mark.parametrize(
    "command",
    [
        {"command": "remediate", "project": "orders", "build": "arn:aws:codebuild:eu-west-1:1:build/x:1"},
        {"command": "remediate", "project": "orders", "role": "admin"},
        {"command": "remediate", "project": ["orders"]},
        {"command": "remediate", "project": "orders\n"},
        {"command": "rollback\x1b[2J", "project": "orders"},
        {"command": {"plan": 1}},
        {"command": "plan", "project": "x" * 1_000_000},
    ],
)
def test_a_forged_command_is_answered_with_what_is_wrong_and_starts_nothing(account: Account, command: Any) -> None:
    account.create_project()
    account.failed_build()
    answer = account.ask(command)
    assert "error" in answer
    assert len(json.dumps(answer)) < 2_000
    assert answer["error"].isprintable()
    assert account.lambda_.started == {}
    assert account.calls == []


@pytest.mark.parametrize("image", ["evil/img:\x1b[31m", "hub.evil/" + "a" * 1_000_000, "docker.io/%s%n{0}", "a\nb"])
@pytest.mark.parametrize("whose", ["build", "project"])
def test_a_crafted_image_ends_in_a_short_harmless_outcome(account: Account, image: str, whose: str) -> None:
    account.create_project()
    build = account.failed_build()
    if whose == "project":
        account.edit(environment={"image": image})
    else:
        account.simulator._builds.find(build["id"]).document["environment"]["image"] = image
    outcome = account.remediate(build)
    assert account.writes() == []
    assert outcome["reason"].isprintable()
    assert len(json.dumps(outcome)) < 20_000
    assert account.entry(build)["outcome"] == outcome["outcome"]


def test_a_notice_names_no_private_repository(account: Account) -> None:
    published: list[str] = []
    account.create_project(environment={"image": "acme-secret-project/tool:1"})
    client = account.functions_client("sns")
    client.meta.events.register("before-parameter-build.sns.Publish", lambda params, **_: published.append(str(params)))
    build = account.failed_build()
    account.edit(environment={"image": "python:3.12"})
    outcome = account.remediate(build)
    assert "acme-secret-project" in json.dumps(outcome)
    assert published
    assert "acme-secret-project" not in "".join(published)
