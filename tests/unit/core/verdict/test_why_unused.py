"""Why the credentials of a repair were not used, and what a person is told to do about each cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from remediator.core.buildspec.edit import add_login
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot
from remediator.core.diagnosis.diagnosis import Diagnosis
from remediator.core.diagnosis.throttle import Cause
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.change import GrantBy
from remediator.core.verdict.why_unused import why_unused
from tests.unit import given

ATTACHED = (given.POLICY,)
REPAIRED = given.repaired_environment()
SIGNED_IN = add_login(given.BUILDSPEC)
VARIABLES = [{"name": n, "value": v, "type": "SECRETS_MANAGER"} for n, v in given.REFERENCES.items()]
AUTH_CONFIG = {"name": "DOCKER_AUTH_CONFIG", "value": f"{given.SECRET}:docker_auth_config", "type": "SECRETS_MANAGER"}


def diagnosis(
    phase: str = "BUILD", excerpt: str = given.LIMIT, cause: Cause | None = Cause.ANONYMOUS_LIMIT
) -> Diagnosis:
    return Diagnosis(cause, "docker.io", phase, excerpt, refusal=None)


def of_image(build: Build | None = None, snapshot: Snapshot | None = None, fault: str = "") -> Outcome:
    """Of a build whose image was throttled; it and its project are repaired."""
    build = build or given.build(env=REPAIRED)
    snapshot = snapshot or given.snapshot(env=REPAIRED, attached=ATTACHED)
    return why_unused(given.reading(build, snapshot), diagnosis("PROVISIONING"), given.SIGN_IN, fault)


def of_command(
    command: str = "docker build -t app .",
    *,
    buildspec: str = SIGNED_IN,
    project_buildspec: str | None = None,
    variables: list[dict[str, str]] = VARIABLES,
    project_variables: list[dict[str, str]] | None = None,
    excerpt: str = given.LIMIT,
    image: str = given.STANDARD_IMAGE,
    phase: str = "BUILD",
) -> Outcome:
    """Of a build whose command was throttled; it and its project sign in with a login."""
    message = f"Error while executing command: {command}. Reason: exit status 1"
    phases = [given.phase("PROVISIONING"), given.phase(phase, "FAILED", given.COMMAND_FAILED, message)]
    env = {"environmentVariables": variables}
    build = given.throttled_command(buildspec=buildspec, env=env, image=image, phases=phases)
    project_env = {"environmentVariables": variables if project_variables is None else project_variables}
    snapshot = given.of_commands(
        buildspec=buildspec if project_buildspec is None else project_buildspec, env=project_env, attached=ATTACHED
    )
    return why_unused(given.reading(build, snapshot), diagnosis(phase, excerpt), given.SIGN_IN)


def by_variable(command: str, **more: Any) -> Outcome:
    """Of a build whose docker signs in with DOCKER_AUTH_CONFIG."""
    return of_command(command, buildspec="", variables=[*VARIABLES, AUTH_CONFIG], **more)


def nothing_found(outcome: Outcome) -> bool:
    return outcome.reason.endswith("all the same") and len(outcome.advice) == 1


# What is told


def test_it_is_given_up_with_the_cause_whatever_is_found() -> None:
    for outcome in (of_image(), of_command(), of_image(fault="the secret is empty")):
        assert (outcome.ending, outcome.cause) == (Ending.GAVE_UP, "anonymous-limit")


def test_a_diagnosis_without_a_cause_gives_an_outcome_without_one() -> None:
    snapshot = given.snapshot(env=REPAIRED)

    assert (
        why_unused(given.reading(given.build(env=REPAIRED), snapshot), diagnosis(cause=None), given.SIGN_IN).cause
        is None
    )


def test_where_nothing_is_found_a_person_is_told_where_to_look() -> None:
    image, commands = of_image(), of_command()

    assert nothing_found(image)
    assert nothing_found(commands)
    assert image.reason.startswith("the build carried the credentials already")
    assert "which account the secret names" in image.advice[0]
    assert commands.reason.startswith("the build's commands carried the credentials already")
    assert "docker login" in commands.advice[0]


def test_several_findings_are_one_sentence_and_an_advice_each() -> None:
    snapshot = given.snapshot(env=REPAIRED)

    outcome = of_image(snapshot=snapshot, fault="Docker Hub does not accept the user name and password (401).")

    assert outcome.reason == (
        "the build carried the credentials already and Docker Hub throttled it as anonymous all the same: the service "
        f"role {given.ROLE_NAME} has lost the policy {given.POLICY}, which lets it read the secret; Docker Hub does "
        "not accept the user name and password (401)"
    )
    assert len(outcome.advice) == 2


# The secret and the role


def test_a_role_that_lost_its_grant_is_told_with_the_command_that_attaches_it() -> None:
    outcome = of_image(snapshot=given.snapshot(env=REPAIRED, attached=("arn:aws:iam::aws:policy/ReadOnlyAccess",)))

    assert f"{given.ROLE_NAME} has lost the policy {given.POLICY}" in outcome.reason
    assert "aws iam attach-role-policy" in outcome.advice[0]


@pytest.mark.parametrize(
    ("mode", "lost"), [("secret", "lost its place in the secret's policy"), ("inline", "lost its inline policy")]
)
def test_a_role_that_lost_another_kind_of_grant_is_told_of_that(mode: GrantBy, lost: str) -> None:
    sign_in = replace(given.SIGN_IN, grant_by=mode)
    build, snapshot = given.build(env=REPAIRED), given.snapshot(env=REPAIRED)

    outcome = why_unused(given.reading(build, snapshot, sign_in), diagnosis("PROVISIONING"), sign_in)

    assert f"{given.ROLE_NAME} has {lost}, which lets it read the secret" in outcome.reason


def test_nothing_is_said_of_a_role_that_was_not_read() -> None:
    assert nothing_found(of_image(snapshot=Snapshot(given.project(env=REPAIRED))))


def test_a_secret_that_does_not_work_any_more_is_told_with_its_name() -> None:
    outcome = of_image(fault="Docker Hub does not accept the user name and password of the secret (401)")

    assert outcome.reason.endswith(": Docker Hub does not accept the user name and password of the secret (401)")
    assert given.SECRET in outcome.advice[0]


# The image


def test_an_image_that_is_not_the_projects_is_told() -> None:
    outcome = of_image(given.build(env={"image": "bitnami/node:20"}))

    assert f"bitnami/node:20 is not the project's, {given.IMAGE}" in outcome.reason
    assert "registryCredentialOverride" in outcome.advice[0]


def test_another_image_that_was_pulled_with_the_credential_explains_nothing() -> None:
    assert nothing_found(of_image(given.build(env={**REPAIRED, "image": "bitnami/node:20"})))


def test_a_build_without_the_credential_that_its_project_has_is_told() -> None:
    outcome = of_image(given.build())

    assert outcome.reason.startswith("the project is repaired already")
    assert outcome.reason.endswith("without the registry credential that the project has now")


def test_a_build_with_another_credential_than_its_projects_is_told() -> None:
    other = {"credential": given.OTHER_SECRET, "credentialProvider": "SECRETS_MANAGER"}

    assert f"has now, with {given.OTHER_SECRET}" in of_image(given.build(env={"registryCredential": other})).reason


def test_a_credential_that_the_project_has_no_more_is_not_said_to_be_the_projects() -> None:
    outcome = of_image(given.build(), given.snapshot(attached=ATTACHED))

    assert "the registry credential of the repair" in outcome.reason


# Overrides of the commands


def test_a_build_of_another_buildspec_without_the_login_is_told() -> None:
    outcome = of_command(buildspec=given.BUILDSPEC, project_buildspec=SIGNED_IN)

    assert "without the sign-in of the repair, and with its own buildspec in place of the project's" in outcome.reason


def test_variables_that_were_overridden_are_told_by_name_and_not_by_value() -> None:
    own = [{"name": "DOCKERHUB_USERNAME", "value": "hubuser", "type": "PLAINTEXT"}, VARIABLES[1]]

    outcome = of_command(variables=own, project_variables=VARIABLES)

    assert "its own DOCKERHUB_USERNAME in place of the project's" in outcome.reason
    assert "EnvironmentVariables" in outcome.advice[0]
    assert "hubuser" not in str(outcome)


def test_a_sign_in_that_the_project_has_no_more_is_not_said_to_be_overridden() -> None:
    assert of_command(buildspec=given.BUILDSPEC).reason.endswith("without the sign-in of the repair")


# Other clients


@pytest.mark.parametrize(
    ("command", "client"),
    [
        ("podman build -t app .", "podman"),
        ("/kaniko/executor --dockerfile Dockerfile", "kaniko"),
        ("./gradlew jib", "jib"),
        ("docker run -v $PWD:/workspace gcr.io/kaniko-project/executor:v1 --no-push", "kaniko"),
    ],
)
def test_a_pull_by_another_client_is_told_with_that_clients_own_login(command: str, client: str) -> None:
    outcome = of_command(command)

    assert f"the pull was made by {client}" in outcome.reason
    assert outcome.advice[0].startswith(f"Let {client} sign in")


def test_advice_for_another_client_names_the_variables_of_the_stack() -> None:
    sign_in = replace(given.SIGN_IN, username_variable="HUB_U", password_variable="HUB_P")
    message = "Error while executing command: podman pull x. Reason: exit status 1"
    phases = given.phases(failed="BUILD", code=given.COMMAND_FAILED, message=message)

    outcome = why_unused(
        given.reading(given.throttled_command(phases=phases), given.of_commands(), sign_in), diagnosis(), sign_in
    )

    assert any('"$HUB_P"' in advice for advice in outcome.advice)


def test_testcontainers_are_known_by_the_evidence() -> None:
    outcome = of_command("mvn verify", excerpt=f"org.testcontainers.ContainerFetchException | {given.LIMIT}")

    assert "the pull was made by testcontainers" in outcome.reason


def test_jib_is_known_by_the_evidence() -> None:
    outcome = of_command("./build.sh", excerpt=f"com.google.cloud.tools.jib.api.RegistryException | {given.LIMIT}")

    assert "the pull was made by jib" in outcome.reason


def test_evidence_of_another_client_is_none_where_the_image_was_throttled() -> None:
    told = diagnosis("PROVISIONING", excerpt="org.testcontainers")
    snapshot = given.snapshot(env=REPAIRED, attached=ATTACHED)

    assert nothing_found(why_unused(given.reading(given.build(env=REPAIRED), snapshot), told, given.SIGN_IN))


@pytest.mark.parametrize(
    "command",
    [
        "docker buildx create --use --driver docker-container && docker buildx build .",
        "docker buildx create --driver kubernetes; docker buildx bake",
        "docker-compose up -d",
        "docker compose build",
        "make image",
    ],
)
def test_clients_that_use_dockers_login_are_not_blamed(command: str) -> None:
    assert nothing_found(of_command(command))


# Docker inside containers


@pytest.mark.parametrize(
    "command",
    [
        "docker run -v /var/run/docker.sock:/var/run/docker.sock docker:27-cli docker build -t app .",
        "docker run --rm -v /var/run/docker.sock:/var/run/docker.sock docker:27 build .",
        "docker run -v /var/run/docker.sock:/var/run/docker.sock alpine sh -c 'apk add docker && docker pull redis'",
        "docker run --privileged docker:27-dind ./build.sh",
        "docker run -d --name d --privileged docker:dind && docker exec d docker pull redis:7",
    ],
)
def test_a_pull_by_docker_in_a_container_is_told(command: str) -> None:
    outcome = of_command(command)

    assert "docker runs inside a container" in outcome.reason
    assert "/.docker" in outcome.advice[0]


@pytest.mark.parametrize(
    "command",
    [
        "docker run -v /var/run/docker.sock:/var/run/docker.sock -v $HOME/.docker:/root/.docker docker:27 build .",
        "docker run -e DOCKER_AUTH_CONFIG docker:27 docker pull redis",
        "docker run -d --privileged docker:dind --tls=false",
        "docker run -d --privileged docker:dind dockerd --host tcp://0.0.0.0:2375",
        "docker run -d --privileged docker:dind",
        "docker run --rm redis:7 redis-cli ping",
        "docker run -v /var/run/docker.sock:/var/run/docker.sock traefik",
        "docker run alpine docker login",
    ],
)
def test_a_container_that_makes_no_pull_or_shares_the_sign_in_is_not_blamed(command: str) -> None:
    assert nothing_found(of_command(command))


# Other users, and environments without the variable


@pytest.mark.parametrize(
    "command",
    [
        "sudo -u build docker pull redis:7",
        "sudo -H --user=build docker build .",
        "su - build -c 'docker pull redis:7'",
        "su build -c 'docker pull redis:7'",
    ],
)
def test_another_users_docker_does_not_see_the_login(command: str) -> None:
    outcome = of_command(command)

    assert "docker runs as another user than the one that signed in" in outcome.reason
    assert "run docker as the user that signs in, root" in outcome.advice[0]


@pytest.mark.parametrize(
    "command",
    [
        "sudo docker build .",
        "sudo -u root docker build .",
        "sudo -u $OWNER docker build .",
        "sudo -u build make",
        "sudo env -u HTTP_PROXY docker build .",
        "env -i docker build .",
        "su -c 'docker build .'",
        "su -p build -c 'docker build .'",
    ],
)
def test_the_same_users_docker_sees_the_login(command: str) -> None:
    assert nothing_found(of_command(command))


def test_sudo_in_a_phase_of_another_user_does_not_see_that_users_login() -> None:
    run_as = SIGNED_IN.replace("phases:", "run-as: build\nphases:")

    assert "with sudo, docker runs as another user" in of_command("sudo docker build .", buildspec=run_as).reason
    assert nothing_found(of_command("sudo -u build docker build .", buildspec=run_as))


@pytest.mark.parametrize(
    ("command", "program", "advice"),
    [
        ("sudo docker build .", "sudo", "sudo --preserve-env=DOCKER_AUTH_CONFIG docker"),
        ("sudo -u build bash -c 'docker build .'", "sudo", "sudo --preserve-env=DOCKER_AUTH_CONFIG docker"),
        ("env -i docker build .", "env -i", 'env -i DOCKER_AUTH_CONFIG="$DOCKER_AUTH_CONFIG" docker'),
        ("su - build -c 'docker pull redis'", "a login shell of su", "without su"),
    ],
)
def test_a_cleared_environment_loses_the_variable(command: str, program: str, advice: str) -> None:
    outcome = by_variable(command)

    assert f"{program} takes DOCKER_AUTH_CONFIG away from docker" in outcome.reason
    assert advice in outcome.advice[0]


@pytest.mark.parametrize(
    "command",
    [
        "docker build .",
        "sudo -E docker build .",
        "sudo --preserve-env=DOCKER_AUTH_CONFIG docker build .",
        'env -i DOCKER_AUTH_CONFIG="$DOCKER_AUTH_CONFIG" docker build .',
        "env A=b docker build .",
        "su build -c 'docker pull redis'",
        "sudo apt-get install -y make",
    ],
)
def test_a_kept_environment_is_not_blamed(command: str) -> None:
    assert nothing_found(by_variable(command))


def test_docker_compose_is_told_where_only_the_variable_signs_in() -> None:
    assert "docker-compose, whose version 1 does not read DOCKER_AUTH_CONFIG" in by_variable("docker-compose up").reason


def test_a_docker_cli_that_may_not_read_the_variable_is_told_with_the_login_to_add() -> None:
    outcome = by_variable("docker build .", image="docker:24")

    assert "the docker CLI of its image docker:24 is not known to read DOCKER_AUTH_CONFIG" in outcome.reason
    assert "docker login --username" in outcome.advice[0]


# The login


def test_a_login_that_is_undone_is_told_with_the_login_that_works() -> None:
    outcome = of_command(buildspec=SIGNED_IN.replace("- docker build", "- docker logout\n      - docker build"))

    assert "all the same: its sign-in to Docker Hub is undone" in outcome.reason
    assert not outcome.reason.endswith(".")
    assert "docker login --username" in outcome.advice[0]


def test_a_login_that_another_user_makes_is_told() -> None:
    text = SIGNED_IN + "  post_build:\n    run-as: build\n    commands:\n      - docker pull redis:7\n"

    assert "is made by another user (run-as)" in of_command(buildspec=text).reason


LATE = """\
version: 0.2
phases:
  build:
    commands:
      - make image
  post_build:
    commands:
      - echo $P | docker login -u $U --password-stdin
"""


def test_a_login_in_a_later_phase_than_the_one_that_failed_is_told() -> None:
    assert "its sign-in to Docker Hub comes in POST_BUILD" in of_command("make image", buildspec=LATE).reason


def test_a_login_behind_the_failed_command_of_the_same_phase_is_told() -> None:
    text = LATE.replace("  post_build:\n    commands:\n", "")

    assert "comes in BUILD, after the command that failed" in of_command("make image", buildspec=text).reason


@pytest.mark.parametrize("phase", ["BUILD", "POST_BUILD"])
def test_a_login_before_the_failed_command_is_not_late(phase: str) -> None:
    text = SIGNED_IN + "  post_build:\n    commands:\n      - make image\n"

    assert nothing_found(of_command("make image", buildspec=text, phase=phase))


@pytest.mark.parametrize("text", ["version: 0.2\nphases:\n{% for x in y %}\n", "version: 0.2\nphases: {}\n"])
def test_a_buildspec_that_tells_nothing_is_not_blamed(text: str) -> None:
    assert of_command("make image", buildspec=text).reason.endswith("without the sign-in of the repair")


def test_a_shell_without_a_login_line_leaves_its_logins_alone() -> None:
    text = LATE.replace("phases:", "env:\n  shell: python\nphases:")

    assert "POST_BUILD" not in of_command("make image", buildspec=text).reason


@pytest.mark.parametrize("word", ["docker ", "docker:", "sudo ", "sudo -H ", "su - "])
def test_a_long_command_is_read_in_linear_time(word: str) -> None:
    assert of_command("docker run x " + word * 5_000).ending is Ending.GAVE_UP
    assert of_command(word * 5_000 + "docker pull x").ending is Ending.GAVE_UP
