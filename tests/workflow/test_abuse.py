"""People who may only start builds, write logs, names or events get nothing repaired, leaked or broken by that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.workflow.account import Account, outcome_of
from tests.workflow.commands import inline

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
    "a variable that bash reads first": (
        {"environmentVariablesOverride": [{"name": "BASH_ENV", "value": "x", "type": "PLAINTEXT"}]},
        "BASH_ENV",
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
