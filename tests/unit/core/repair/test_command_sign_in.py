"""How the commands of a build come to sign in, and the advice where they can't be made to from here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from remediator.core.buildspec.edit import add_login
from remediator.core.buildspec.insertion import Insertion
from remediator.core.case import Case
from remediator.core.case_advice import sign_in_without_key
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot
from remediator.core.decide import replan
from remediator.core.diagnosis.diagnosis import Diagnosis, diagnose
from remediator.core.outcome import Ending
from remediator.core.repair.change import AddDockerLogin, GrantSecretAccess, SetEnvironmentVariables
from remediator.core.repair.command_sign_in import reads_docker_auth_config
from remediator.core.retry.way import Retry, Way
from tests.unit import given

S3_OBJECT = "arn:aws:s3:::specs/orders/buildspec.yml"
AUTH_CONFIG = {"name": "DOCKER_AUTH_CONFIG", "value": f"{given.SECRET}:docker_auth_config", "type": "SECRETS_MANAGER"}
SIGNED_IN = add_login(given.BUILDSPEC)
EVIDENCE = given.throttled()
(STAGE,) = given.environment()["environmentVariables"]


def case_of(buildspec: str = given.BUILDSPEC, *, pushes: bool | None = None, build: Any = None, **project: Any) -> Case:
    environment = {k: v for k, v in (project.get("env") or {}).items() if k in ("type", "image")}
    build = build or given.throttled_command(buildspec=buildspec, env=environment)
    return given.case(build, given.of_commands(buildspec=buildspec, **project), EVIDENCE, pushes)


def advised(case: Case, *words: str) -> str:
    """It is left alone, with a reason that has these words; returns all advice."""
    assert case.refusal
    assert case.refusal.ending is Ending.ADVISED
    assert case.plan.changes == ()
    for word in words:
        assert word in case.refusal.reason
    return "\n\n".join(given.advice(case))


# Inline buildspecs


def test_an_inline_buildspec_gets_the_login_and_the_project_its_variables() -> None:
    case = case_of()
    grant, variables, login = case.plan.changes
    assert isinstance(grant, GrantSecretAccess)
    assert isinstance(variables, SetEnvironmentVariables)
    assert dict(variables.references) == given.REFERENCES
    assert isinstance(login, AddDockerLogin)
    project = given.of_commands().project
    wanted = case.plan.apply(project)
    assert wanted["source"] == {**project["source"], "buildspec": SIGNED_IN}
    assert case.plan.revert(wanted)["source"] == project["source"]
    assert (case.cause, case.failed.phase) == ("anonymous-limit", "BUILD")


def test_the_login_uses_the_variables_that_the_stack_names() -> None:
    terms = replace(given.TERMS, sign_in=replace(given.SIGN_IN, username_variable="HUB_U", password_variable="HUB_P"))
    build = given.throttled_command()
    case = given.decided(build, given.of_commands(), EVIDENCE, terms)
    text = case.plan.apply(given.of_commands().project)["source"]["buildspec"]
    assert "$HUB_P" in text
    assert "DOCKERHUB" not in text


def test_an_image_of_docker_hub_gets_its_registry_credential_at_the_same_time() -> None:
    build = given.throttled_command(image="docker:27")
    case = given.case(build, given.of_commands(image="docker:27"), EVIDENCE)
    kinds = [type(change).__name__ for change in case.plan.changes]
    assert kinds == ["GrantSecretAccess", "SetRegistryCredential", "SetEnvironmentVariables", "AddDockerLogin"]


def test_powershell_gets_a_login_of_its_own() -> None:
    named = "version: 0.2\nenv:\n  shell: powershell.exe\nphases:\n  build:\n    commands:\n      - docker build .\n"
    assert (
        "$env:DOCKERHUB_PASSWORD"
        in case_of(named).plan.apply(given.of_commands(buildspec=named).project)["source"]["buildspec"]
    )
    windows = case_of(env={"type": "WINDOWS_SERVER_2022_CONTAINER"})
    login = windows.plan.changes[-1]
    assert isinstance(login, AddDockerLogin)
    assert "$env:DOCKERHUB_PASSWORD" in login.text


@pytest.mark.parametrize("shell", ["cmd.exe", "python"])
def test_a_shell_without_a_login_line_is_left_alone(shell: str) -> None:
    text = f"version: 0.2\nenv:\n  shell: {shell}\nphases:\n  build:\n    commands:\n      - docker build .\n"
    advised(case_of(text), "can't be edited", "shell")


def test_what_is_no_buildspec_is_left_alone_with_the_reason() -> None:
    told = advised(case_of("version: 0.2\nphases:\n{% for x in y %}\n"), "its inline buildspec can't be edited")
    assert "docker login --username" in told


@pytest.mark.parametrize("comment", [25_400, 250_000])
def test_a_buildspec_that_is_too_long_with_a_login_is_left_alone_with_the_lines_for_a_file(comment: int) -> None:
    told = advised(
        case_of(f"{given.BUILDSPEC}# {'-' * comment}\n"),
        "its inline buildspec can't be edited",
        "more than the 25,600 characters that CodeBuild takes",
    )
    assert "a file in the source of the project" in told
    assert "docker login --username" in told
    assert f'DOCKERHUB_PASSWORD: "{given.SECRET}:password"' in told
    assert case_of(f"{given.BUILDSPEC}# {'-' * 24_000}\n").plan.logins


def test_where_buildspecs_are_not_to_be_edited_the_lines_are_told() -> None:
    terms = replace(given.TERMS, edit_buildspecs=False)
    build = given.throttled_command()
    case = given.decided(build, given.of_commands(), EVIDENCE, terms)
    told = advised(case, "EditBuildspecs is off")
    assert "docker login --username" in told
    assert f'DOCKERHUB_PASSWORD: "{given.SECRET}:password"' in told
    assert "aws iam attach-role-policy" in told


def test_variables_of_the_projects_own_under_our_names_are_kept() -> None:
    own = [{"name": "DOCKERHUB_USERNAME", "value": "somebody", "type": "PLAINTEXT"}]
    advised(case_of(env={"environmentVariables": [STAGE, *own]}), "DOCKERHUB_USERNAME is the project's own")


def test_a_login_that_is_there_and_comes_too_late_is_told() -> None:
    text = (
        "version: 0.2\nphases:\n  build:\n    commands:\n      - docker build .\n"
        "  post_build:\n    commands:\n      - echo $P | docker login -u $U --password-stdin\n"
    )
    told = advised(case_of(text))
    assert "docker login" in told


def test_a_login_that_is_there_and_did_not_help_is_told() -> None:
    text = "version: 0.2\nphases:\n  build:\n    commands:\n      - docker login -u a -p $B\n      - docker build .\n"
    advised(case_of(text), "signs in to Docker Hub, and the pull was anonymous all the same")


def test_a_login_under_a_name_that_misses_is_told_beside_the_one_that_is_added() -> None:
    text = (
        "version: 0.2\nphases:\n  build:\n    commands:\n"
        "      - docker login -u a -p $B registry-1.docker.io\n      - docker build .\n"
    )
    case = case_of(text)
    assert case.refusal is None
    assert any("registry-1.docker.io" in line for line in given.advice(case))


def test_a_login_that_would_not_serve_the_pulls_is_not_added() -> None:
    text = (
        "version: 0.2\nphases:\n  pre_build:\n    commands:\n      - docker logout\n"
        "  build:\n    commands:\n      - docker build .\n"
    )
    assert "docker login --username" in advised(case_of(text), "would not serve its pulls")
    other_user = (
        "version: 0.2\nphases:\n  install:\n    commands:\n      - npm ci\n"
        "  build:\n    run-as: builder\n    commands:\n      - docker build .\n"
    )
    advised(case_of(other_user), "would not serve its pulls")


# Verdicts and overrides


def test_a_build_that_carried_our_login_is_given_up() -> None:
    environment = {"environmentVariables": given.repaired_environment()["environmentVariables"]}
    build = given.throttled_command(buildspec=SIGNED_IN, env=environment)
    case = case_of(SIGNED_IN, build=build, env=environment)
    assert case.refusal
    assert case.refusal.ending is Ending.GAVE_UP
    assert "carried the credentials already" in case.refusal.reason


def test_a_login_whose_variables_were_taken_away_since_gets_them_again() -> None:
    case = case_of(SIGNED_IN)
    assert case.refusal is None
    assert [type(change).__name__ for change in case.plan.changes] == ["GrantSecretAccess", "SetEnvironmentVariables"]


def test_a_login_that_we_advised_with_variables_in_the_buildspec_itself_is_a_verdict_too() -> None:
    own = "".join(f"    {name}: {value}\n" for name, value in given.REFERENCES.items())
    text = SIGNED_IN.replace("phases:", f"env:\n  secrets-manager:\n{own}phases:")
    case = case_of(text)
    assert case.refusal
    assert case.refusal.ending is Ending.GAVE_UP


@pytest.mark.parametrize("kind", ["variables", "parameter-store", "secrets-manager"])
def test_variables_of_the_buildspecs_own_under_our_names_are_kept(kind: str) -> None:
    """The project's would go before them."""
    text = given.BUILDSPEC.replace("phases:", f"env:\n  {kind}:\n    DOCKERHUB_PASSWORD: own\nphases:")
    advised(case_of(text), "DOCKERHUB_PASSWORD is the project's own")


def test_a_variable_that_the_buildspec_exports_is_left_alone() -> None:
    text = given.BUILDSPEC.replace("phases:", "env:\n  exported-variables:\n    - DOCKERHUB_USERNAME\nphases:")
    advised(case_of(text), "DOCKERHUB_USERNAME is the project's own")


@pytest.mark.parametrize(
    "build",
    [
        {
            "source": {
                "type": "GITHUB",
                "location": "https://github.com/example/other.git",
                "buildspec": given.BUILDSPEC,
            }
        },
        {"env": {"image": "aws/codebuild/standard:6.0"}},
        {"env": {"type": "ARM_CONTAINER"}},
    ],
)
def test_a_build_of_another_source_or_image_leaves_the_project_alone(build: dict[str, Any]) -> None:
    document = given.throttled_command(env=build.get("env")).document
    made = Build({**document, **({"source": build["source"]} if "source" in build else {})})
    advised_case = given.case(made, given.of_commands(), EVIDENCE)
    assert advised_case.refusal
    assert "than the project has" in advised_case.refusal.reason


def test_a_login_is_put_into_the_text_that_it_was_planned_for_and_into_no_other() -> None:
    login = case_of().plan.changes[-1]
    assert isinstance(login, AddDockerLogin)
    source = given.of_commands().project["source"]
    once = login.apply(source)
    assert login.apply(once) == once
    assert login.fits(source)
    assert login.fits(once)
    other = {**source, "buildspec": given.BUILDSPEC.replace("0.2", "0.2 # edited")}
    assert not login.fits(other)
    assert login.apply(other) == other


def test_a_build_that_carried_our_docker_auth_config_is_given_up() -> None:
    build = given.throttled_command(buildspec="ci/buildspec.yml")
    build.document["environment"]["environmentVariables"].append(AUTH_CONFIG)
    case = given.case(build, given.of_commands(buildspec="ci/buildspec.yml"), EVIDENCE, pushes=False)
    assert case.refusal
    assert case.refusal.ending is Ending.GAVE_UP


def test_a_build_from_before_the_repair_finds_nothing_to_change_and_is_run_again() -> None:
    repaired = given.of_commands(
        buildspec=SIGNED_IN,
        attached=(given.POLICY,),
        env={"environmentVariables": given.repaired_environment()["environmentVariables"]},
    )
    case = given.case(given.throttled_command(), repaired, EVIDENCE)
    assert case.refusal is None
    assert case.plan.changes == ()
    assert case.retry == Retry(Way.START_BUILD)


def test_a_project_that_has_our_docker_auth_config_by_now_is_only_run_again() -> None:
    case = case_of("", pushes=None, env={"environmentVariables": [STAGE, AUTH_CONFIG]})
    assert case.refusal is None
    assert not case.auth_config


def test_a_build_with_another_buildspec_than_the_projects_leaves_the_project_alone() -> None:
    build = given.throttled_command(buildspec=given.BUILDSPEC + "      - echo overridden\n")
    case = given.case(build, given.of_commands(), EVIDENCE)
    assert case.refusal
    assert case.refusal.ending is Ending.ADVISED
    assert "another buildspec" in case.refusal.reason


# S3 and the repository


def test_a_buildspec_in_s3_is_advice_with_the_exact_edit() -> None:
    told = advised(case_of(S3_OBJECT), "an object in S3")
    assert "aws s3 cp s3://specs/orders/buildspec.yml buildspec.yml" in told
    assert "docker login --username" in told


@pytest.mark.parametrize("buildspec", ["", "ci/buildspec.yml"])
def test_a_repository_whose_builds_never_sign_in_gets_docker_auth_config(buildspec: str) -> None:
    case = case_of(buildspec, pushes=False)
    assert case.refusal is None
    variables = case.plan.apply(given.of_commands(buildspec=buildspec).project)["environment"]["environmentVariables"]
    assert AUTH_CONFIG in variables
    assert "source" not in {change.MEMBER for change in case.plan.project_changes}
    # where the secret turns out to lack the key
    told = sign_in_without_key(case, given.SIGN_IN, "so")
    assert "docker login --username" in told
    assert f"where: {buildspec or 'buildspec.yml'} in the project's source" in told


@pytest.mark.parametrize(
    ("pushes", "project", "reason"),
    [
        (True, {}, "sign in to a registry or push to Docker Hub"),
        (None, {}, "could not be read"),
        (False, {"env": {"image": "aws/codebuild/standard:5.0"}}, "is not known to read DOCKER_AUTH_CONFIG"),
        (False, {"env": {"image": "docker:27"}}, "is not known to read DOCKER_AUTH_CONFIG"),
        (
            False,
            {"env": {"environmentVariables": [STAGE, {**AUTH_CONFIG, "value": "own:config"}]}},
            "has a DOCKER_AUTH_CONFIG of its own",
        ),
    ],
)
def test_any_doubt_about_docker_auth_config_is_advice(
    pushes: bool | None, project: dict[str, Any], reason: str
) -> None:
    told = advised(case_of("", pushes=pushes, **project), "in the repository", reason)
    assert "docker login --username" in told
    assert f'DOCKERHUB_USERNAME: "{given.SECRET}:username"' in told


# What no login of docker helps


def test_lambda_compute_gets_advice_that_fits() -> None:
    assert "PrivilegedMode" in advised(case_of(env={"type": "LINUX_LAMBDA_CONTAINER"}), "no docker daemon")


QUEUED = {"filterGroups": [[{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}]]}
BY_ACTOR = [{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}, {"type": "ACTOR_ACCOUNT_ID", "pattern": "^1234567$"}]
OF_BUILDKITE = {"buildType": "RUNNER_BUILDKITE_BUILD", **QUEUED}
RUNNERS = [
    (QUEUED, "GITHUB", "docker/login-action"),
    (QUEUED, "GITHUB_ENTERPRISE", "docker/login-action"),
    ({"filterGroups": [BY_ACTOR]}, "GITHUB", "docker/login-action"),
    (QUEUED, "GITLAB", ".gitlab-ci.yml"),
    (QUEUED, "GITLAB_SELF_MANAGED", ".gitlab-ci.yml"),
    (OF_BUILDKITE, "NO_SOURCE", "buildkite-agent"),
]


def of_runner(webhook: dict[str, Any], source: str = "GITHUB", **members: Any) -> Case:
    snapshot = given.of_commands(webhook=webhook, **members)
    project = {**snapshot.project, "source": {**snapshot.project["source"], "type": source}}
    return given.case(given.throttled_command(), Snapshot(project, snapshot.role), EVIDENCE)


@pytest.mark.parametrize(("webhook", "source", "word"), RUNNERS)
def test_a_runner_project_is_told_how_its_job_signs_in_and_of_no_other_runners(
    webhook: dict[str, Any], source: str, word: str
) -> None:
    told = advised(of_runner(webhook, source), "runs the jobs of a workflow")

    assert word in told
    assert [other for _, _, other in RUNNERS if other != word and other in told] == []


@pytest.mark.parametrize(
    "opened",
    [
        {"projectVisibility": "PUBLIC_READ"},
        {"env": {"image": "aws/codebuild/standard:6.0"}},
        {"logsConfig": {"cloudWatchLogs": {"groupName": "another"}}},
        {"serviceRole": "arn:aws:iam::123456789012:role/another"},
    ],
)
def test_no_guard_hides_from_a_runner_how_its_job_signs_in(opened: dict[str, Any]) -> None:
    assert "docker/login-action" in advised(of_runner(QUEUED, **opened), "runs the jobs")


@pytest.mark.parametrize(
    "webhook",
    [
        {"filterGroups": [[{"type": "EVENT", "pattern": "PUSH"}]]},
        {"filterGroups": [[{"type": "EVENT", "pattern": "PUSH"}], []]},
        {"filterGroups": [[{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED", "excludeMatchedPattern": True}]]},
        {"filterGroups": []},
        {"buildType": "BUILD_BATCH"},
    ],
)
def test_a_project_that_runs_its_own_commands_is_no_runner(webhook: dict[str, Any]) -> None:
    case = case_of(webhook=webhook)

    assert "docker/login-action" not in "".join(given.advice(case))
    assert "runs the jobs" not in (case.refusal.reason if case.refusal else "")


@pytest.mark.parametrize("client", ["kaniko", "podman", "buildah", "skopeo", "crane", "jib"])
def test_a_client_of_its_own_gets_its_own_lines(client: str) -> None:
    message = f"Error while executing command: {client} build .. Reason: exit status 1"
    failed = given.phases(failed="BUILD", code=given.COMMAND_FAILED, message=message)
    build = given.build(
        env={"image": given.STANDARD_IMAGE, "privilegedMode": True},
        source={**given.project()["source"], "buildspec": given.BUILDSPEC},
        phases=failed,
    )
    assert client in advised(case_of(build=build), f"{client} pulls by itself")


@pytest.mark.parametrize("command", ["./cranes.sh", "docker build -t crane .", "docker run podman/stable"])
def test_a_clients_name_that_is_not_what_runs_is_not_that_client(command: str) -> None:
    message = f"Error while executing command: {command}. Reason: exit status 1"
    failed = given.phases(failed="BUILD", code=given.COMMAND_FAILED, message=message)
    assert case_of(build=given.throttled_command(phases=failed)).refusal is None


@pytest.mark.parametrize("command", ["mvn compile jib:build", "./gradlew :jib", "./gradlew jibDockerBuild"])
def test_jib_is_found_in_its_build_tools_command(command: str) -> None:
    message = f"Error while executing command: {command}. Reason: exit status 1"
    failed = given.phases(failed="BUILD", code=given.COMMAND_FAILED, message=message)
    advised(case_of(build=given.throttled_command(phases=failed)), "jib pulls by itself")


# What goes with a repair


def test_the_next_deploy_and_the_roles_stack_are_told() -> None:
    tags = [{"key": "aws:cloudformation:stack-name", "value": "orders"}]
    role = replace(given.role(), tags={"aws:cloudformation:stack-name": "roles"})
    build = given.throttled_command()
    snapshot = Snapshot(given.of_commands(tags=tags).project, role)
    keep, detach = given.advice(given.case(build, snapshot, EVIDENCE))
    assert "the stack orders" in keep
    assert "docker login" in keep
    assert "detach-role-policy" in detach
    assert "the stack roles" in detach


def test_a_role_without_a_stack_needs_no_word_about_deleting_it() -> None:
    assert len(given.advice(case_of())) == 1


def test_the_same_image_from_elsewhere_goes_with_every_advice() -> None:
    finding = given.throttled(
        "ERROR: unexpected status code https://registry-1.docker.io/v2/library/python/manifests/3.12: "
        f"429 Too Many Requests - Server message: {given.LIMIT}"
    )
    build = given.throttled_command(buildspec=S3_OBJECT)
    case = given.case(build, given.of_commands(buildspec=S3_OBJECT), finding)
    assert "public.ecr.aws/docker/library/python:3.12" in advised(case)


def test_a_plan_for_a_project_that_was_edited_since_keeps_the_diagnosis() -> None:
    build = given.throttled_command(buildspec="")
    case = given.case(build, given.of_commands(buildspec=""), EVIDENCE, pushes=False)
    edited = given.reading(build, given.of_commands(buildspec="", description="edited"))
    again = replan(case, edited, given.TERMS)
    assert again == case


def test_an_insertion_that_somebody_has_edited_is_not_taken_back() -> None:
    login = case_of().plan.changes[-1]
    assert isinstance(login, AddDockerLogin)
    source = {"type": "NO_SOURCE", "buildspec": SIGNED_IN.replace("docker login", "docker  login")}
    assert login.revert(source) == source
    assert Insertion(login.at, login.text).revert(SIGNED_IN) == given.BUILDSPEC


def test_a_diagnosis_holds_for_a_command_only_what_the_log_says() -> None:
    build = given.throttled_command()
    assert diagnose(build.failure).refusal
    found = diagnose(build.failure, EVIDENCE)
    assert found == Diagnosis(found.cause, "docker.io", "BUILD", found.excerpt, None)


# Which curated images read DOCKER_AUTH_CONFIG


@pytest.mark.parametrize(
    "image",
    [
        "aws/codebuild/standard:7.0",
        "aws/codebuild/standard:8.0",
        "aws/codebuild/amazonlinux-x86_64-standard:5.0",
        "aws/codebuild/amazonlinux-x86_64-standard:6.0",
        "aws/codebuild/amazonlinux-aarch64-standard:3.0",
        "aws/codebuild/amazonlinux-aarch64-standard:4.0",
    ],
)
def test_a_maintained_image_reads_docker_auth_config(image: str) -> None:
    assert reads_docker_auth_config(image)


@pytest.mark.parametrize(
    "image",
    [
        "aws/codebuild/standard:6.0",
        "aws/codebuild/standard:7.0-25.10.02",
        "aws/codebuild/standard:7.0@sha256:" + "0a" * 32,
        "aws/codebuild/standard",
        "aws/codebuild/amazonlinux-x86_64-standard:4.0",
        "aws/codebuild/amazonlinux-aarch64-standard:2.0",
        "aws/codebuild/amazonlinux-x86_64-lambda-standard:python3.13",
        "docker.io/aws/codebuild/standard:7.0",
        "acme/standard:7.0",
        "aws/codebuild/standard:7.0\n",
        "",
    ],
)
def test_an_older_a_pinned_or_a_custom_image_is_not_relied_on(image: str) -> None:
    assert not reads_docker_auth_config(image)
