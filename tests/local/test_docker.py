"""The docker of local builds keeps credentials, fetches and refuses as docker does."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local import image_name
from local.agent.docker import settings, write_command
from local.docker import cli, dockerfile
from local.docker.config import HUB_KEY, Config
from local.docker.options import parse
from local.registry import Registry

HUB_SPELLINGS = ("", "docker.io", HUB_KEY)
MISSES = ("registry-1.docker.io", "index.docker.io", "https://registry-1.docker.io/", "registry.hub.docker.com")
PASSWORD = "s3cret"
LIMIT = "toomanyrequests: You have reached your pull rate limit."


class Printed(NamedTuple):
    status: int
    out: str
    err: str


class Docker:
    """The docker command in this process, in a HOME of its own."""

    def __init__(self, registry: Registry, home: Path, patch: pytest.MonkeyPatch, capsys: Any) -> None:
        self.registry = registry
        self.home = home
        self.file = home / ".docker" / "config.json"
        self._patch = patch
        self._capsys = capsys
        for name in ("DOCKER_CONFIG", "DOCKER_AUTH_CONFIG", "DOCKER_BUILDKIT"):
            patch.delenv(name, raising=False)
        self.set(HOME=str(home), LOCAL_DOCKER_HUB=registry.url, LOCAL_DOCKER_FOLDER=str(home / "state"))
        patch.chdir(home)

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._patch.setenv(name, value)

    def __call__(self, *args: str, typed: str = "") -> Printed:
        self._patch.setattr(sys, "stdin", io.StringIO(typed))
        self._capsys.readouterr()
        status = cli.main(list(args))
        printed = self._capsys.readouterr()
        return Printed(status, printed.out, printed.err)

    def login(self, *server: str, user: str = "acme", password: str = PASSWORD) -> Printed:
        return self("login", "--username", user, "--password-stdin", *server, typed=password + "\n")

    def dockerfile(self, *lines: str) -> None:
        (self.home / "Dockerfile").write_text("\n".join(lines))

    @property
    def keys(self) -> list[str]:
        return list(json.loads(self.file.read_text())["auths"])


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


@pytest.fixture
def docker(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Docker:
    registry.log.clear()
    registry.add_account("acme", PASSWORD)
    registry.add_account("reader", PASSWORD, read_only=True)
    return Docker(registry, tmp_path, monkeypatch, capsys)


def auth(user: str = "acme") -> str:
    return base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()


@pytest.mark.parametrize("server", HUB_SPELLINGS)
def test_three_spellings_sign_in_to_what_pulls_use(docker: Docker, server: str) -> None:
    assert docker.login(*([server] if server else [])).status == 0
    assert docker.keys == [HUB_KEY]
    assert docker("pull", "python:3.12").status == 0
    assert docker.registry.pulls()[-1]["account"] == "acme"


@pytest.mark.parametrize("server", MISSES)
def test_other_names_of_docker_hub_are_verified_and_do_not_help_a_pull(docker: Docker, server: str) -> None:
    login = docker.login(server)
    assert (login.status, login.out) == (0, "Login Succeeded\n")
    assert docker.keys == [server.removeprefix("https://").strip("/")]
    assert LIMIT in docker("pull", "python:3.12").err
    assert docker.login(server, password="wrong").status == 1


def test_another_registry_takes_any_login_under_its_own_name(docker: Docker) -> None:
    assert docker.login("123456789012.dkr.ecr.eu-west-1.amazonaws.com").status == 0
    assert docker.keys == ["123456789012.dkr.ecr.eu-west-1.amazonaws.com"]
    assert docker.registry.log == []


def test_the_file_is_as_docker_writes_it(docker: Docker) -> None:
    docker.login()
    expected = f'{{\n\t"auths": {{\n\t\t"{HUB_KEY}": {{\n\t\t\t"auth": "{auth()}"\n\t\t}}\n\t}}\n}}'
    assert docker.file.read_text() == expected
    assert docker.file.stat().st_mode & 0o777 == 0o600


def test_a_login_leaves_other_members_and_registries_alone(docker: Docker) -> None:
    docker.file.parent.mkdir()
    docker.file.write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth()}}, "detachKeys": "ctrl-q"}))
    docker.login()
    document = json.loads(docker.file.read_text())
    assert list(document["auths"]) == ["ghcr.io", HUB_KEY]
    assert document["detachKeys"] == "ctrl-q"


def test_a_file_written_by_hand_signs_in(docker: Docker) -> None:
    docker.file.parent.mkdir()
    docker.file.write_text(json.dumps({"auths": {HUB_KEY: {"auth": auth()}}}))
    assert docker("pull", "python").status == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": [1]}', '{"auths": {"x": {"auth": "%%%"}}}'])
def test_a_file_that_cannot_be_read_is_warned_of_and_signs_nobody_in(docker: Docker, text: str) -> None:
    docker.file.parent.mkdir()
    docker.file.write_text(text)
    pull = docker("pull", "python")
    assert pull.status == 1
    assert pull.err.startswith(f"WARNING: Error loading config file: {docker.file}: ")
    assert LIMIT in pull.err


def test_a_registry_that_does_not_answer_fails_the_pull(docker: Docker) -> None:
    with Registry() as gone:
        docker.set(LOCAL_DOCKER_HUB=gone.url)
    pull = docker("pull", "python")
    assert (pull.status, pull.err.splitlines()[0][:24]) == (1, "Error response from daem")


def test_the_folder_of_the_file_can_be_told(docker: Docker) -> None:
    docker.set(DOCKER_CONFIG=str(docker.home / "elsewhere"))
    docker.login()
    assert not docker.file.exists()
    assert docker("pull", "python").status == 0
    assert docker("--config", str(docker.home), "pull", "node").status == 1


def test_a_logout_forgets_docker_hub_and_docker_io_is_not_its_key_there(docker: Docker) -> None:
    docker.login()
    assert docker("logout", "docker.io").status == 0
    assert docker.keys == [HUB_KEY]
    assert docker("logout").out == f"Removing login credentials for {HUB_KEY}\n"
    assert docker.keys == []
    assert docker("pull", "python").status == 1


def test_a_logout_from_another_registry_forgets_that_one(docker: Docker) -> None:
    docker.login("https://registry-1.docker.io/v2/")
    docker.login()
    docker("logout", "registry-1.docker.io")
    assert docker.keys == [HUB_KEY]


def test_a_password_on_the_command_line_is_warned_of(docker: Docker) -> None:
    login = docker("login", "-u", "acme", "-p", "s3cret")
    assert login.err.startswith("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n")
    assert login.out == "Login Succeeded\n"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((), "Error: Cannot perform an interactive login from a non TTY device"),
        (("-u", "acme"), "Error: Cannot perform an interactive login from a non TTY device"),
        (("--password-stdin",), "Must provide --username with --password-stdin"),
        (("-u", "a", "-p", "b", "--password-stdin"), "--password and --password-stdin are mutually exclusive"),
    ],
)
def test_half_a_login_is_refused(docker: Docker, args: Sequence[str], text: str) -> None:
    login = docker("login", *args)
    assert (login.status, login.err.splitlines()[-1]) == (1, text)
    assert not docker.file.exists()


def test_a_wrong_password_is_refused_in_docker_hubs_words(docker: Docker) -> None:
    login = docker.login(password="wrong")
    text = 'Error response from daemon: Get "https://registry-1.docker.io/v2/": unauthorized: '
    assert (login.status, login.out, login.err) == (1, "", text + "incorrect username or password\n")
    assert not docker.file.exists()


def test_a_locked_account_is_told_so(docker: Docker) -> None:
    docker.registry.accounts.lock("acme")
    assert "toomanyrequests: too many failed login attempts" in docker.login().err


def test_a_login_without_words_uses_what_is_stored(docker: Docker) -> None:
    docker.login()
    assert docker("login").out.endswith("Login Succeeded\n")


def test_a_stored_password_that_is_wrong_fails_the_pull(docker: Docker) -> None:
    docker.login()
    docker.registry.add_account("acme", "changed")
    text = 'Head "https://registry-1.docker.io/v2/library/python/manifests/3.12": unauthorized: incorrect username'
    assert text in docker("pull", "python:3.12").err


def environment(auths: Any) -> str:
    return json.dumps({"auths": auths})


def test_the_variable_signs_in_without_a_file(docker: Docker) -> None:
    docker.set(DOCKER_AUTH_CONFIG=environment({HUB_KEY: {"auth": auth()}}))
    assert docker("pull", "python").status == 0
    assert not docker.file.exists()


def test_the_variable_goes_before_a_login_that_follows(docker: Docker) -> None:
    docker.set(DOCKER_AUTH_CONFIG=environment({HUB_KEY: {"auth": auth("reader")}}))
    login = docker.login()
    assert "WARNING: DOCKER_AUTH_CONFIG is set and takes precedence.\n" in login.err
    assert login.out == "Login Succeeded\n"
    docker("pull", "python")
    assert docker.registry.pulls()[-1]["account"] == "reader"


@pytest.mark.parametrize("key", ["docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1"])
def test_the_variables_key_has_to_be_exact(docker: Docker, key: str) -> None:
    docker.set(DOCKER_AUTH_CONFIG=environment({key: {"auth": auth()}}))
    assert docker("pull", "python").status == 1


def test_what_the_variable_lacks_comes_from_the_file(docker: Docker) -> None:
    docker.login()
    docker.set(DOCKER_AUTH_CONFIG=environment({"ghcr.io": {"auth": auth("reader")}}))
    docker("pull", "python")
    assert docker.registry.pulls()[-1]["account"] == "acme"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (environment({HUB_KEY: {"auth": auth("reader"), "username": "reader"}}), 'unknown field "username"'),
        (json.dumps({"auths": {}, "credsStore": "ecr-login"}), 'unknown field "credsStore"'),
        (environment({HUB_KEY: {"auth": "%%%"}}), "illegal base64 data"),
        ("not json", "invalid character"),
        ("[]", "cannot unmarshal"),
    ],
)
def test_a_variable_that_is_not_exact_is_told_and_ignored(docker: Docker, value: str, why: str) -> None:
    docker.login()
    docker.set(DOCKER_AUTH_CONFIG=value)
    pull = docker("pull", "python")
    assert pull.status == 0
    assert pull.err.startswith("Failed to create credential store from DOCKER_AUTH_CONFIG: ")
    assert why in pull.err
    assert docker.registry.pulls()[-1]["account"] == "acme"


def test_an_older_docker_knows_no_such_variable(docker: Docker) -> None:
    docker.set(DOCKER_AUTH_CONFIG=environment({HUB_KEY: {"auth": auth()}}), LOCAL_DOCKER_VERSION="20.10.24")
    assert docker("pull", "python").status == 1


def test_a_throttled_pull_says_what_the_daemon_says(docker: Docker) -> None:
    pull = docker("pull", "python:3.12")
    assert (pull.status, pull.out) == (1, "")
    assert pull.err.startswith(f"Error response from daemon: {LIMIT}")


def test_a_throttled_run_ends_with_dockers_own_status(docker: Docker) -> None:
    run = docker("run", "--rm", "-it", "-v", "/a:/b", "python:3.12", "python", "-V")
    assert run.status == 125
    assert f"docker: Error response from daemon: {LIMIT}" in run.err
    assert run.err.startswith("Unable to find image 'python:3.12' locally\n")


def test_a_throttled_build_has_the_reason_on_a_line_of_its_own(docker: Docker) -> None:
    docker.dockerfile("FROM scratch AS none", "FROM python:3.12 AS base", "RUN make", "FROM base")
    build = docker("build", "-t", "acme/app", ".")
    first, second = build.err.splitlines()[-2:]
    assert build.status == 1
    assert first.startswith(
        "ERROR: failed to solve: python:3.12: failed to resolve source metadata for docker.io/library/python:3.12: "
        "failed to copy: httpReadSeeker: failed open: unexpected status code "
        "https://registry-1.docker.io/v2/library/python/manifests/sha256:"
    )
    assert first.endswith(": 429 Too Many Requests")
    assert second.startswith(LIMIT)


def test_an_older_buildkit_has_the_reason_on_the_same_line(docker: Docker) -> None:
    docker.set(LOCAL_DOCKER_VERSION="26.1.4")
    docker.dockerfile("FROM python:3.12")
    last = docker("build", ".").err.splitlines()[-1]
    assert f": 429 Too Many Requests - Server message: {LIMIT}" in last


def test_the_classic_builder_says_the_reason_alone(docker: Docker) -> None:
    docker.set(LOCAL_DOCKER_VERSION="20.10.24")
    docker.dockerfile("FROM python:3.12")
    assert docker("build", ".").err.splitlines()[-1].startswith(LIMIT)
    docker.login()
    assert "Successfully tagged acme/app:latest" in docker("build", "-t", "acme/app", ".").err


def test_a_build_that_is_signed_in_names_its_image_and_pushes_nothing(docker: Docker) -> None:
    docker.login()
    docker.dockerfile("FROM python:3.12")
    build = docker("build", "-t", "acme/app:1", ".")
    assert build.status == 0
    assert "naming to docker.io/acme/app:1 done" in build.err
    assert docker.registry.pushes() == []


def test_what_is_here_is_not_fetched_again(docker: Docker) -> None:
    docker.login()
    docker.dockerfile("FROM python:3.12")
    docker("build", "-t", "acme/app", ".")
    assert docker("run", "acme/app").status == 0
    assert docker("run", "python:3.12").status == 0
    assert docker("tag", "acme/app", "acme/app:2").status == 0
    assert docker("run", "acme/app:2").status == 0
    assert len(docker.registry.pulls()) == 1


def test_a_build_without_a_dockerfile_fails(docker: Docker) -> None:
    assert "failed to read dockerfile: open Dockerfile" in docker("build", ".").err
    assert 'path "nowhere" not found' in docker("build", "nowhere").err


def test_another_registry_gives_unless_it_is_throttled(docker: Docker) -> None:
    assert docker("pull", "public.ecr.aws/docker/library/python:3.12").status == 0
    docker.set(LOCAL_DOCKER_THROTTLED='{"public.ecr.aws": "toomanyrequests: Rate exceeded"}')
    pull = docker("pull", "public.ecr.aws/docker/library/python:3.12")
    assert (pull.status, pull.err) == (1, "Error response from daemon: toomanyrequests: Rate exceeded\n")


def test_an_account_pushes_after_it_was_told_where_to(docker: Docker) -> None:
    docker.login()
    docker.dockerfile("FROM scratch")
    docker("build", "-t", "acme/app", ".")
    push = docker("push", "acme/app")
    assert push.status == 0
    assert push.out.splitlines()[0] == "The push refers to repository [docker.io/acme/app]"
    assert "latest: digest: sha256:" in push.out
    assert [entry["account"] for entry in docker.registry.pushes()] == ["acme", "acme"]


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("reader", "unauthorized: access token has insufficient scopes\n"),
        ("", "denied: requested access to the resource is denied\n"),
    ],
)
def test_who_may_not_push_is_refused(docker: Docker, user: str, text: str) -> None:
    if user:
        docker.login(user=user)
    docker.dockerfile("FROM scratch")
    docker("build", "-t", "acme/app", ".")
    push = docker("push", "acme/app")
    assert (push.status, push.err) == (1, text)
    assert push.out.startswith("The push refers to repository [docker.io/acme/app]\n")
    built = docker("buildx", "build", "--push", "-t", "acme/app", ".")
    assert (built.status, built.err.splitlines()[-1]) == (
        1,
        f"ERROR: failed to solve: failed to push docker.io/acme/app:latest: {text}".rstrip(),
    )


def test_an_image_that_is_not_here_can_be_neither_pushed_nor_tagged(docker: Docker) -> None:
    assert "An image does not exist locally with the tag: acme/app" in docker("push", "acme/app").err
    assert "No such image: acme/app:latest" in docker("tag", "acme/app", "x").err


def test_without_a_daemon_only_a_login_works(docker: Docker) -> None:
    docker.set(LOCAL_DOCKER_DAEMON="none")
    docker.dockerfile("FROM scratch")
    assert docker.login().status == 0
    words = (("pull", "python"), ("build", "."), ("run", "python"), ("push", "acme/app"), ("version",), ("info",))
    for command in (*words, ("images",), ("tag", "a", "b")):
        printed = docker(*command)
        assert printed.status != 0
        assert "Cannot connect to the Docker daemon at unix:///var/run/docker.sock." in printed.err


def test_commands_that_do_not_exist_and_names_that_are_none_are_refused(docker: Docker) -> None:
    assert docker("frobnicate").err == "docker: 'frobnicate' is not a docker command.\nSee 'docker --help'\n"
    assert "invalid reference format" in docker("pull", "acme/app:").err
    assert "must be lowercase" in docker("pull", "Acme/App").err
    assert "invalid reference format" in docker("build", "-t", ":", ".").err + docker("pull", ":").err


def test_what_it_is_can_be_asked(docker: Docker) -> None:
    assert "28.5.2" in docker("--version").out
    assert "28.5.2" in docker("version").out
    docker.login()
    assert "Username: acme" in docker("info").out
    assert docker("ps").status == 0


def test_only_a_registry_on_loopback_is_asked(docker: Docker) -> None:
    docker.set(LOCAL_DOCKER_HUB="https://registry-1.docker.io")
    with pytest.raises(ValueError, match="loopback"):
        docker("pull", "python")


@pytest.mark.parametrize(
    ("text", "arguments", "wanted"),
    [
        ("FROM --platform=$X node:24 AS a\nFROM a\nFROM Node:24", {}, [(1, "node:24"), (3, "Node:24")]),
        ("ARG V=3.12\nFROM python:${V}", {}, [(2, "python:3.12")]),
        ("ARG V=3.12\nFROM python:$V", {"V": "3.13"}, [(2, "python:3.13")]),
        ("FROM ${B:-alpine}", {}, [(1, "alpine")]),
        ("# FROM x\nFROM a\\\n:1\nCOPY --from=redis:7 /a /b\nCOPY --from=0 / /", {}, [(2, "a :1"), (4, "redis:7")]),
        ("# syntax=docker/dockerfile:1\nFROM scratch", {}, [(1, "docker/dockerfile:1")]),
    ],
)
def test_a_dockerfile_names_the_images_that_are_fetched(
    text: str, arguments: dict[str, str], wanted: list[tuple[int, str]]
) -> None:
    found = dockerfile.images(text, arguments)
    assert [number for number, _ in found] == [number for number, _ in wanted]
    assert found[-1] == wanted[-1]


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("python", "docker.io/library/python:latest"),
        ("index.docker.io/acme/app:1", "docker.io/acme/app:1"),
        ("localhost/x", "localhost/x:latest"),
        ("host:5000/x:1", "host:5000/x:1"),
        (f"python@sha256:{'0' * 64}", f"docker.io/library/python@sha256:{'0' * 64}"),
    ],
)
def test_names_are_read_as_docker_reads_them(text: str, full: str) -> None:
    assert image_name.parse(text).full == full


def test_options_are_told_from_arguments() -> None:
    given = parse(["-it", "-eA=b", "--name", "x", "-v=/a:/b", "image", "-t"], frozenset(["-i", "-t"]))
    assert given.arguments == ["image"]
    assert given.has("-i")
    assert (given.last("-e"), given.last("--name"), given.last("-v")) == ("A=b", "x", "/a:/b")
    rest = parse(["image", "--flag", "x"], frozenset(), until_argument=True)
    assert rest.arguments == ["image", "--flag", "x"]


def test_a_configuration_without_a_file_has_nothing(tmp_path: Path) -> None:
    assert Config({"HOME": str(tmp_path)}).find(HUB_KEY) is None


def test_the_command_on_the_path_works_in_any_environment_and_folder(docker: Docker) -> None:
    told = settings(docker.registry.url, {}, "28.5.2", docker.home / "state", running=True)
    write_command(docker.home, told)
    (docker.home / "json.py").write_text("raise SystemExit('not that one')")
    command = str(docker.home / "docker")

    def run(*args: str, typed: str = "") -> Printed:
        plain = {"HOME": str(docker.home)}
        made = subprocess.run(
            [command, *args], env=plain, cwd=docker.home, input=typed, capture_output=True, text=True, check=False
        )
        return Printed(made.returncode, made.stdout, made.stderr)

    assert run("pull", "python").err.startswith(f"Error response from daemon: {LIMIT}")
    assert run("login", "-u", "acme", "--password-stdin", typed="s3cret").out == "Login Succeeded\n"
    started = time.perf_counter()
    assert run("pull", "python").status == 0
    assert time.perf_counter() - started < 2
