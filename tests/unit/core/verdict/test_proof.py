"""What shows that a build which passed used the credentials, and what only seems to."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.buildspec.edit import add_login
from remediator.core.buildspec.login_line import login_command
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.log import LogLine
from remediator.core.diagnosis.failed_command import MARKS
from remediator.core.verdict.proof import LOGIN_MARKS, proof, secret_read, shows_login
from tests.unit import given

LOGIN = login_command("posix", "DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD")
POWERSHELL = login_command("powershell", "DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD")
ECR = "aws ecr get-login-password | docker login --username AWS --password-stdin 1.dkr.ecr.eu-west-1.amazonaws.com"
SIGNED_IN = add_login(given.BUILDSPEC)
VARIABLES = [{"name": n, "value": v, "type": "SECRETS_MANAGER"} for n, v in given.REFERENCES.items()]
AUTH_CONFIG = {"name": "DOCKER_AUTH_CONFIG", "value": f"{given.SECRET}:docker_auth_config", "type": "SECRETS_MANAGER"}
STAMP = "[Container] 2026/11/20 09:14:08.002800 "
WARNING = "WARNING! Your credentials are stored unencrypted in '/root/.docker/config.json'."


def passed(**members: Any) -> Build:
    return given.build(
        **{
            "env": given.repaired_environment(),
            "buildStatus": "SUCCEEDED",
            "phases": given.phases(failed=None),
            **members,
        }
    )


def passed_commands(buildspec: str = SIGNED_IN, variables: list[dict[str, str]] = VARIABLES) -> Build:
    return given.throttled_command(
        buildspec=buildspec,
        env={"environmentVariables": variables},
        buildStatus="SUCCEEDED",
        phases=given.phases(failed=None),
    )


def shown(*texts: str) -> bool:
    """`> ` stands for the agent's stamp."""
    lines = [
        LogLine(at, text.replace("> ", STAMP, 1) if text.startswith("> ") else text) for at, text in enumerate(texts)
    ]
    return shows_login(lines, given.SIGN_IN)


# The image


def test_a_pull_with_the_registry_credential_proves_itself() -> None:
    assert given.SECRET in proof(passed(), "PROVISIONING", given.SIGN_IN, login_shown=False)


def test_a_build_without_the_registry_credential_may_have_been_lucky() -> None:
    assert proof(passed(env={}), "PROVISIONING", given.SIGN_IN, login_shown=True) == ""


def test_another_registry_credential_proves_nothing_of_ours() -> None:
    other = {"credential": given.OTHER_SECRET, "credentialProvider": "SECRETS_MANAGER"}
    build = passed(env=given.repaired_environment(registryCredential=other))

    assert proof(build, "PROVISIONING", given.SIGN_IN, login_shown=False) == ""


def test_an_image_of_another_registry_says_nothing_about_docker_hub() -> None:
    build = passed(env=given.repaired_environment(image="ghcr.io/example/x"))

    assert proof(build, "PROVISIONING", given.SIGN_IN, login_shown=False) == ""


def test_a_build_that_did_not_get_past_its_pull_proves_nothing() -> None:
    assert proof(passed(phases=given.phases()), "PROVISIONING", given.SIGN_IN, login_shown=False) == ""


# Commands


@pytest.mark.parametrize("phase", ["INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"])
def test_an_accepted_login_of_the_repair_is_a_proof(phase: str) -> None:
    assert "docker accepted the login" in proof(passed_commands(), phase, given.SIGN_IN, login_shown=True)


def test_a_login_that_the_log_does_not_show_is_no_proof() -> None:
    assert proof(passed_commands(), "BUILD", given.SIGN_IN, login_shown=False) == ""


@pytest.mark.parametrize(("buildspec", "variables"), [(given.BUILDSPEC, VARIABLES), (SIGNED_IN, []), ("", VARIABLES)])
def test_a_build_without_the_login_or_its_variables_is_no_proof(
    buildspec: str, variables: list[dict[str, str]]
) -> None:
    assert proof(passed_commands(buildspec, variables), "BUILD", given.SIGN_IN, login_shown=True) == ""


def test_the_variable_of_docker_leaves_no_trace_and_proves_nothing() -> None:
    build = passed_commands("", [*VARIABLES, AUTH_CONFIG])

    assert proof(build, "BUILD", given.SIGN_IN, login_shown=True) == ""


def test_the_variable_of_docker_beside_a_login_takes_no_proof_away() -> None:
    assert proof(passed_commands(variables=[*VARIABLES, AUTH_CONFIG]), "BUILD", given.SIGN_IN, login_shown=True)


def test_a_login_that_is_undone_before_the_pull_is_no_proof() -> None:
    text = SIGNED_IN.replace("- docker build", "- docker logout\n      - docker build")

    assert proof(passed_commands(text), "BUILD", given.SIGN_IN, login_shown=True) == ""


# The log


def test_the_words_to_search_for_are_the_agents_and_dockers() -> None:
    assert {*LOGIN_MARKS} == {*MARKS, "Login Succeeded"}


@pytest.mark.parametrize("login", [LOGIN, POWERSHELL])
@pytest.mark.parametrize("between", [(), (WARNING, "Configure a credential helper to remove this warning. See", "")])
def test_an_accepted_login_of_ours_is_shown(login: str, between: tuple[str, ...]) -> None:
    assert shown(
        "> Entering phase BUILD", f"> Running command {login}", *between, "Login Succeeded", "> Running command x"
    )


def test_an_accepted_login_is_shown_where_the_agent_stamps_every_line() -> None:
    assert shown(f"> Running command {LOGIN}", "> Login Succeeded")


def test_no_log_shows_no_login() -> None:
    assert not shown()


def test_a_login_that_docker_refused_is_not_shown() -> None:
    assert not shown(
        f"> Running command {LOGIN}", "Error response from daemon: unauthorized", "> Running command docker build ."
    )


def test_a_login_of_another_command_is_none_of_ours() -> None:
    assert not shown(f"> Running command {ECR}", "Login Succeeded")
    assert not shown(f"> Running command {LOGIN}", f"> Running command {ECR}", "Login Succeeded")
    assert not shown(f"> Running command {LOGIN} && {ECR}", "Login Succeeded")


@pytest.mark.parametrize(
    "line",
    [
        "Entering phase BUILD",
        "Command did not exit successfully x exit status 1",
        "Phase complete: INSTALL State: SUCCEEDED",
    ],
)
def test_every_line_of_the_agent_ends_what_a_command_said(line: str) -> None:
    assert not shown(f"> Running command {LOGIN}", f"> {line}", "Login Succeeded")


def test_a_login_with_other_variables_is_none_of_ours() -> None:
    assert not shown(f"> Running command {login_command('posix', 'U', 'P')}", "Login Succeeded")


def test_an_announcement_in_the_middle_of_a_line_is_none_of_the_agents() -> None:
    assert not shown(f"said: {STAMP}Running command {LOGIN}", "Login Succeeded")


def test_a_login_whose_announcement_is_missing_is_not_shown() -> None:
    assert not shown("Login Succeeded", f"> Running command {LOGIN}")


# A secret that its role may read again


def test_a_build_that_got_past_the_secret_which_its_environment_names_has_read_it() -> None:
    told = secret_read(passed(env={"environmentVariables": VARIABLES}), given.SIGN_IN)

    assert "DOCKERHUB_USERNAME, DOCKERHUB_PASSWORD of its environment" in told
    assert "registryCredential" in secret_read(passed(), given.SIGN_IN)


def test_a_build_that_names_no_secret_or_failed_while_it_got_its_source_shows_nothing() -> None:
    no_source = given.phases(failed="DOWNLOAD_SOURCE", code="CLIENT_ERROR", message="git clone failed")

    assert secret_read(passed(env={"environmentVariables": []}), given.SIGN_IN) == ""
    assert secret_read(passed(buildStatus="FAILED", phases=no_source), given.SIGN_IN) == ""
