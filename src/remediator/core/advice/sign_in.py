"""Writes advice on how the commands of a build can sign in to Docker Hub where that can't be done from here."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping

from remediator.core.advice.layout import NAME_LENGTH, VALUE_LENGTH, artefact, as_item, one_line
from remediator.core.names import DOCKER_HUB_KEY, PASSWORD_VARIABLE, USERNAME_VARIABLE


def edit_buildspec(where: str, login: str, reason: str, references: Mapping[str, str], commands: str = "") -> str:
    """For a buildspec that is not edited from here: `where` it is, and the `reason`.

    `login` is the command that signs in, `references` the variables that it uses, with what each refers to: they go
    into the buildspec, because the project was not changed. `commands` fetch the file and put it back.
    """
    variables = [f"    {_variable(name)}: {json.dumps(one_line(value))}" for name, value in references.items()]
    env = "\n".join(["env:", "  secrets-manager:", *variables])
    return artefact(
        "Add the variables to the buildspec, and the login as the first command of its first phase.",
        where=where,
        why=one_line(reason, VALUE_LENGTH),
        paste="\n\n".join(part for part in (commands, env, as_item(login)) if part),
    )


def edit_buildspec_in_repository(path: str, login: str, reason: str, references: Mapping[str, str]) -> str:
    """For a buildspec beside the source code; without a path it is buildspec.yml."""
    where = f"{one_line(path) or 'buildspec.yml'} in the project's source"
    return edit_buildspec(where, login, reason, references)


def edit_buildspec_in_s3(location: str, login: str, references: Mapping[str, str]) -> str:
    """For a buildspec that is an object in S3: `location` is its ARN."""
    location = one_line(location, VALUE_LENGTH)
    url = shlex.quote("s3://" + location.rpartition(":::")[2].removeprefix("s3://"))
    commands = f"aws s3 cp {url} buildspec.yml   # edit it, then\naws s3 cp buildspec.yml {url}"
    reason = "the buildspec is kept in S3, where nothing but its owner writes to it"
    return edit_buildspec(location, login, reason, references, commands)


def sign_in_in_workflow(username: str = USERNAME_VARIABLE, password: str = PASSWORD_VARIABLE) -> str:
    """For a project that runs the jobs of GitHub Actions; `username` and `password` name secrets of the repository."""
    return artefact(
        f"Add this step before the first one that pulls an image, and the secrets {_variable(username)} and "
        f"{_variable(password)} to the repository.",
        where="the job in .github/workflows that runs on this project",
        why="CodeBuild runs the job's steps in place of the buildspec's commands, so only a step can sign in",
        paste=f"""\
- name: Sign in to Docker Hub
  uses: docker/login-action@v4
  with:
    username: ${{{{ secrets.{_variable(username)} }}}}
    password: ${{{{ secrets.{_variable(password)} }}}}""",
    )


def sign_in_in_gitlab() -> str:
    """For a project that runs the jobs of GitLab. https://docs.gitlab.com/ci/yaml/#before_script"""
    return artefact(
        f"Add this to the job, and {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}, masked, to the CI/CD variables of the "
        "GitLab project.",
        where="the job in .gitlab-ci.yml that runs on this project",
        why="CodeBuild runs the job's script in place of the buildspec's commands, so only the job can sign in",
        paste=f"""\
before_script:
  - echo "${PASSWORD_VARIABLE}" | docker login --username "${USERNAME_VARIABLE}" --password-stdin""",
    )


def sign_in_in_buildkite() -> str:
    """For a project that runs the jobs of Buildkite.
    https://buildkite.com/docs/pipelines/security/secrets/buildkite-secrets"""
    return artefact(
        "Add this command before the first one that pulls an image, with the name of the Docker Hub account in place "
        f"of ACCOUNT, and its token as the secret {PASSWORD_VARIABLE} to the Buildkite cluster.",
        where="the step of the Buildkite pipeline that runs on this project",
        why="CodeBuild runs the step's commands in place of the buildspec's, so only the step can sign in",
        paste=f"""\
commands:
  - buildkite-agent secret get {PASSWORD_VARIABLE} | docker login --username ACCOUNT --password-stdin""",
    )


def use_another_compute() -> str:
    """For a project on Lambda compute. https://docs.aws.amazon.com/codebuild/latest/userguide/lambda.html"""
    return artefact(
        "Move the project from Lambda compute to EC2 compute (on Arm: ARM_CONTAINER and "
        "aws/codebuild/amazonlinux-aarch64-standard:3.0).",
        where="the project's environment, in the form of CloudFormation",
        why="Lambda compute has no docker daemon and takes images from ECR only, so no Docker Hub login helps there",
        paste="""\
Environment:
  Type: LINUX_CONTAINER
  ComputeType: BUILD_GENERAL1_SMALL
  Image: aws/codebuild/standard:7.0
  PrivilegedMode: true""",
    )


# Clients that don't sign in as the docker CLI does: what to do, why, and the lines. USER and PASS stand for the names
# of the variables.
# https://github.com/GoogleContainerTools/kaniko#pushing-to-docker-hub
# https://docs.podman.io/en/latest/markdown/podman-login.1.html
# https://github.com/google/go-containerregistry/blob/main/cmd/crane/doc/crane_auth_login.md
# https://github.com/GoogleContainerTools/jib/tree/master/jib-maven-plugin#system-properties
_BEFORE = "add these lines before its first pull"
_AUTH_FILE = "reads the file that REGISTRY_AUTH_FILE names, not DOCKER_AUTH_CONFIG"
_DOCKER_FILE = "reads the docker CLI's config.json, not DOCKER_AUTH_CONFIG"
_PIPED = """printf '%s' "$PASS" | """
_LOGIN = ' --username "$USER" --password-stdin'
_DOCKER_LOGIN = (_BEFORE, _DOCKER_FILE, f"{_PIPED}docker login{_LOGIN}")
_JIB_LINES = """\
mvn compile jib:build -Djib.from.auth.username="$USER" -Djib.from.auth.password="$PASS"
./gradlew jib -Djib.from.auth.username="$USER" -Djib.from.auth.password="$PASS"
"""
_KANIKO_LINES = """\
mkdir -p /kaniko/.docker
auth=$(printf '%s:%s' "$USER" "$PASS" | base64 | tr -d '\\n')
printf '{"auths":{"HUB_KEY":{"auth":"%s"}}}' "$auth" > /kaniko/.docker/config.json
""".replace("HUB_KEY", DOCKER_HUB_KEY)
_CLIENTS = {
    "buildah": (_BEFORE, _AUTH_FILE, f"{_PIPED}buildah login{_LOGIN} docker.io"),
    "crane": (_BEFORE, _DOCKER_FILE, f"{_PIPED}crane auth login index.docker.io{_LOGIN}"),
    "docker-compose": _DOCKER_LOGIN,
    "jib": ("build with the line of your build tool", "pulls its base image itself, without docker", _JIB_LINES),
    "kaniko": (_BEFORE, "reads /kaniko/.docker/config.json, not DOCKER_AUTH_CONFIG", _KANIKO_LINES),
    "podman": (_BEFORE, _AUTH_FILE, f"{_PIPED}podman login{_LOGIN} docker.io"),
    "skopeo": (_BEFORE, _AUTH_FILE, f"{_PIPED}skopeo login{_LOGIN} docker.io"),
    "testcontainers": _DOCKER_LOGIN,
}


def other_client(name: str, username: str = USERNAME_VARIABLE, password: str = PASSWORD_VARIABLE) -> str:
    """For a build that pulls with another client than the docker CLI; `username` and `password` name variables. A
    client that is not in the table is assumed to read the docker CLI's config.json, as most do."""
    name = one_line(name)
    what, reads, lines = _CLIENTS.get(name.lower(), _DOCKER_LOGIN)
    return artefact(
        f"Let {name} sign in to Docker Hub: {what}.",
        where=f"the buildspec or the script that runs {name}",
        why=f"{name} {reads}",
        paste=lines.replace('"$USER"', f'"${_variable(username)}"').replace('"$PASS"', f'"${_variable(password)}"'),
    )


def fix_login(fault: str, login: str) -> str:
    """For a buildspec whose own sign-in does not help. `fault` says why, in a sentence; `login` is what works."""
    what = "Change the login so that it serves every pull, with this command."
    return artefact(what, where="the buildspec", why=fault, paste=as_item(login))


def move_login_up(login: str) -> str:
    """For a buildspec whose sign-in comes after what pulls."""
    what = "Move the login up: make it the first command of the first phase."
    why = "images are pulled before the login runs, and those pulls are anonymous"
    return artefact(what, where="the buildspec", why=why, paste=as_item(login))


def _variable(name: str) -> str:
    """A variable's name without all that is no letter, digit or underscore."""
    return re.sub(r"[^A-Za-z0-9_]", "", name)[:NAME_LENGTH]
