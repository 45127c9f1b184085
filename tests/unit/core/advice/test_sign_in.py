"""What an advice says, to the letter."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest
import yaml

from remediator.core.advice import sign_in as advice
from remediator.core.advice.definition import in_definition
from remediator.core.advice.layout import artefact, one_line
from remediator.core.outcome import Ending, Outcome
from tests.unit.repairs import CHANGES, HOSTILE, LOGIN, SMUGGLED, STACK, VARIABLES, pasted

# The layout


def test_an_advice_says_what_where_and_why_and_then_the_lines() -> None:
    assert artefact("Do it.", where="there", why="so", paste="a:\n  b: 1") == (
        "Do it.\nwhere: there\nwhy: so\n\na:\n  b: 1"
    )


def test_an_advice_without_lines_ends_with_the_reason() -> None:
    assert artefact("Do it.", where="there", why="so") == "Do it.\nwhere: there\nwhy: so"


def test_lines_to_paste_lose_blanks_at_their_end_and_around_them_and_keep_their_indentation() -> None:
    assert pasted(artefact("a", where="b", why="c", paste="\n\n  x \t\n\n  y\r\n\n")) == "  x\n\n  y"


def test_no_part_of_the_head_can_begin_a_line() -> None:
    assert artefact(HOSTILE, where=HOSTILE, why=HOSTILE).count("\n") == 2


def test_a_terminal_finds_nothing_to_obey() -> None:
    text = artefact(HOSTILE, where=HOSTILE, why=HOSTILE, paste=HOSTILE)
    assert all(line.isprintable() for line in text.split("\n"))
    assert not set("\x1b\u2028\u202e\x85\r") & set(text)


@pytest.mark.parametrize(("text", "line"), [("a\nb", "a b"), ("  a\t", "a"), ("\x1b[31mred\x1b[0m", "red"), ("", "")])
def test_a_name_becomes_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_long_name_is_cut() -> None:
    assert one_line("n" * 10_000) == "n" * 256


def test_an_advice_travels_in_an_outcome() -> None:
    outcome = Outcome(Ending.ADVISED, "told", advice=(in_definition(STACK, "shop", CHANGES, head="Keep it", why="so"),))
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


# The buildspec


def test_a_buildspec_in_s3_in_full() -> None:
    assert advice.edit_buildspec_in_s3("arn:aws:s3:::specs/team a/buildspec.yml", LOGIN, VARIABLES) == (
        """\
Add the variables to the buildspec, and the login as the first command of its first phase.
where: arn:aws:s3:::specs/team a/buildspec.yml
why: the buildspec is kept in S3, where nothing but its owner writes to it

aws s3 cp 's3://specs/team a/buildspec.yml' buildspec.yml   # edit it, then
aws s3 cp buildspec.yml 's3://specs/team a/buildspec.yml'

env:
  secrets-manager:
    DOCKERHUB_USERNAME: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:username"
    DOCKERHUB_PASSWORD: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:password"

- |
  printf '%s' "$DOCKERHUB_PASSWORD" | docker login --username "$DOCKERHUB_USERNAME" --password-stdin"""
    )


def test_the_key_of_an_object_cannot_add_a_command() -> None:
    text = advice.edit_buildspec_in_s3(f"arn:aws:s3:::specs/{HOSTILE}", LOGIN, VARIABLES)
    get, put = (shlex.split(line, comments=True) for line in pasted(text).split("\n")[:2])
    assert len(get) == len(put) == 5
    assert get[3] == put[4] == "s3://" + one_line(f"specs/{HOSTILE}")


def test_the_longest_key_of_an_object_is_not_cut() -> None:
    text = advice.edit_buildspec_in_s3(f"arn:aws:s3:::specs/{'k' * 1024}", LOGIN, VARIABLES)
    assert f"s3://specs/{'k' * 1024} " in text


def test_a_buildspec_in_the_repository_in_full() -> None:
    assert advice.edit_buildspec_in_repository("", LOGIN, "it is in the repository", VARIABLES) == (
        """\
Add the variables to the buildspec, and the login as the first command of its first phase.
where: buildspec.yml in the project's source
why: it is in the repository

env:
  secrets-manager:
    DOCKERHUB_USERNAME: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:username"
    DOCKERHUB_PASSWORD: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:password"

- |
  printf '%s' "$DOCKERHUB_PASSWORD" | docker login --username "$DOCKERHUB_USERNAME" --password-stdin"""
    )


def test_a_buildspec_of_a_path_is_named_by_it() -> None:
    text = advice.edit_buildspec_in_repository("ci/build.yml", LOGIN, "so", VARIABLES)
    assert text.splitlines()[1] == "where: ci/build.yml in the project's source"


def test_a_hostile_path_reason_and_variable_stay_where_they_belong() -> None:
    text = advice.edit_buildspec_in_repository(HOSTILE, LOGIN, HOSTILE, {"A\nB: x": HOSTILE})
    assert not any(line.startswith(SMUGGLED[:2]) for line in text.splitlines()[3:])
    env, _, login = pasted(text).partition("\n\n")
    assert yaml.safe_load(env) == {"env": {"secrets-manager": {"ABx": one_line(HOSTILE)}}}
    assert yaml.safe_load(login) == [LOGIN]


def test_a_login_of_several_lines_is_one_command_and_one_that_is_an_item_stays_as_it_is() -> None:
    several = "if true; then\n  echo 'a: b'\nfi"
    item = f"    - |\n      {LOGIN}\n"
    assert yaml.safe_load(pasted(advice.move_login_up(several))) == [several]
    assert yaml.safe_load(pasted(advice.fix_login("It is late.", item))) == [LOGIN]


# Workflows, compute, other clients


def test_a_workflows_step_in_full() -> None:
    text = advice.sign_in_in_workflow()
    assert text == (
        """\
Add this step before the first one that pulls an image, and the secrets DOCKERHUB_USERNAME and DOCKERHUB_PASSWORD to \
the repository.
where: the job in .github/workflows that runs on this project
why: CodeBuild runs the job's steps in place of the buildspec's commands, so only a step can sign in

- name: Sign in to Docker Hub
  uses: docker/login-action@v4
  with:
    username: ${{ secrets.DOCKERHUB_USERNAME }}
    password: ${{ secrets.DOCKERHUB_PASSWORD }}"""
    )
    assert yaml.safe_load(pasted(text))[0]["uses"] == "docker/login-action@v4"


def test_a_job_of_gitlab_in_full() -> None:
    text = advice.sign_in_in_gitlab()
    assert text == (
        """\
Add this to the job, and DOCKERHUB_USERNAME and DOCKERHUB_PASSWORD, masked, to the CI/CD variables of the GitLab \
project.
where: the job in .gitlab-ci.yml that runs on this project
why: CodeBuild runs the job's script in place of the buildspec's commands, so only the job can sign in

before_script:
  - echo "$DOCKERHUB_PASSWORD" | docker login --username "$DOCKERHUB_USERNAME" --password-stdin"""
    )
    command = 'echo "$DOCKERHUB_PASSWORD" | docker login --username "$DOCKERHUB_USERNAME" --password-stdin'
    assert yaml.safe_load(pasted(text)) == {"before_script": [command]}


def test_a_step_of_buildkite_in_full() -> None:
    text = advice.sign_in_in_buildkite()
    assert text == (
        """\
Add this command before the first one that pulls an image, with the name of the Docker Hub account in place of \
ACCOUNT, and its token as the secret DOCKERHUB_PASSWORD to the Buildkite cluster.
where: the step of the Buildkite pipeline that runs on this project
why: CodeBuild runs the step's commands in place of the buildspec's, so only the step can sign in

commands:
  - buildkite-agent secret get DOCKERHUB_PASSWORD | docker login --username ACCOUNT --password-stdin"""
    )
    command = "buildkite-agent secret get DOCKERHUB_PASSWORD | docker login --username ACCOUNT --password-stdin"
    assert yaml.safe_load(pasted(text)) == {"commands": [command]}


def test_the_name_of_a_secret_cannot_leave_its_expression() -> None:
    step = yaml.safe_load(pasted(advice.sign_in_in_workflow("U }}\n  run: id", "P")))[0]
    assert step["with"] == {"username": "${{ secrets.Urunid }}", "password": "${{ secrets.P }}"}


def test_another_compute_in_full() -> None:
    assert advice.use_another_compute() == (
        """\
Move the project from Lambda compute to EC2 compute (on Arm: ARM_CONTAINER and \
aws/codebuild/amazonlinux-aarch64-standard:3.0).
where: the project's environment, in the form of CloudFormation
why: Lambda compute has no docker daemon and takes images from ECR only, so no Docker Hub login helps there

Environment:
  Type: LINUX_CONTAINER
  ComputeType: BUILD_GENERAL1_SMALL
  Image: aws/codebuild/standard:7.0
  PrivilegedMode: true"""
    )


PIPE = """printf '%s' "$DOCKERHUB_PASSWORD" | """
PAIR = '--username "$DOCKERHUB_USERNAME" --password-stdin'
JIB = '-Djib.from.auth.username="$DOCKERHUB_USERNAME" -Djib.from.auth.password="$DOCKERHUB_PASSWORD"'
KANIKO = """\
mkdir -p /kaniko/.docker
auth=$(printf '%s:%s' "$DOCKERHUB_USERNAME" "$DOCKERHUB_PASSWORD" | base64 | tr -d '\\n')
printf '{"auths":{"https://index.docker.io/v1/":{"auth":"%s"}}}' "$auth" > /kaniko/.docker/config.json"""
AUTH_FILE = "reads the file that REGISTRY_AUTH_FILE names, not DOCKER_AUTH_CONFIG"
DOCKER_FILE = "reads the docker CLI's config.json, not DOCKER_AUTH_CONFIG"
BEFORE = "add these lines before its first pull"


@pytest.mark.parametrize(
    ("name", "what", "why", "lines"),
    [
        ("kaniko", BEFORE, "reads /kaniko/.docker/config.json, not DOCKER_AUTH_CONFIG", KANIKO),
        ("podman", BEFORE, AUTH_FILE, f"{PIPE}podman login {PAIR} docker.io"),
        ("buildah", BEFORE, AUTH_FILE, f"{PIPE}buildah login {PAIR} docker.io"),
        ("skopeo", BEFORE, AUTH_FILE, f"{PIPE}skopeo login {PAIR} docker.io"),
        ("crane", BEFORE, DOCKER_FILE, f"{PIPE}crane auth login index.docker.io {PAIR}"),
        (
            "jib",
            "build with the line of your build tool",
            "pulls its base image itself, without docker",
            f"mvn compile jib:build {JIB}\n./gradlew jib {JIB}",
        ),
        ("docker-compose", BEFORE, DOCKER_FILE, f"{PIPE}docker login {PAIR}"),
        ("Testcontainers", BEFORE, DOCKER_FILE, f"{PIPE}docker login {PAIR}"),
        ("a-client-of-our-own", BEFORE, DOCKER_FILE, f"{PIPE}docker login {PAIR}"),
    ],
)
def test_another_clients_sign_in_in_full(name: str, what: str, why: str, lines: str) -> None:
    assert advice.other_client(name) == (
        f"Let {name} sign in to Docker Hub: {what}.\n"
        f"where: the buildspec or the script that runs {name}\n"
        f"why: {name} {why}\n\n{lines}"
    )


def test_kanikos_lines_write_the_file_that_docker_reads() -> None:
    script = KANIKO.replace("mkdir -p /kaniko/.docker\n", "").replace(" > /kaniko/.docker/config.json", "")
    environment = {"DOCKERHUB_USERNAME": "hubuser", "DOCKERHUB_PASSWORD": "p'%s w\\n", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "auths": {"https://index.docker.io/v1/": {"auth": "aHVidXNlcjpwJyVzIHdcbg=="}},
    }


def test_the_variables_names_are_those_of_the_settings_and_nothing_else() -> None:
    text = advice.other_client("podman", "HUB_USER", 'P"; id; "')
    assert pasted(text) == """printf '%s' "$Pid" | podman login --username "$HUB_USER" --password-stdin docker.io"""


def test_a_hostile_clients_name_stays_out_of_the_lines() -> None:
    assert pasted(advice.other_client(HOSTILE)) == f"{PIPE}docker login {PAIR}"


# A login that is there


def test_a_login_that_comes_too_late_in_full() -> None:
    assert advice.move_login_up(LOGIN) == (
        "Move the login up: make it the first command of the first phase.\nwhere: the buildspec\n"
        f"why: images are pulled before the login runs, and those pulls are anonymous\n\n- |\n  {LOGIN}"
    )


def test_a_fault_that_is_told_in_a_sentence_is_the_reason() -> None:
    assert advice.fix_login("It is made by another user.\n- id", LOGIN) == (
        "Change the login so that it serves every pull, with this command.\n"
        f"where: the buildspec\nwhy: It is made by another user. - id\n\n- |\n  {LOGIN}"
    )
