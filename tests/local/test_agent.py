"""The commands of a buildspec run for real: what they say is in the log, what they exit with decides the build."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from local.agent import Agent, docker_version
from local.agent.buildspec import Buildspec, Phase, YamlFileError, parse
from local.agent.docker import without_docker
from local.registry import Registry
from local.simulator import Document
from local.simulator.testing import FakeWorld, simulate
from tests.local.simulated import OWNER, ROLE, built, environment, failed_phase, request

IMAGE = "aws/codebuild/standard:7.0"
GUARDED_LOGIN = (
    'if [ -n "$DOCKERHUB_USERNAME" ]; then '
    'echo "$DOCKERHUB_PASSWORD" | docker login --username "$DOCKERHUB_USERNAME" --password-stdin || true; fi'
)
VARIABLES = [
    {"name": f"DOCKERHUB_{key.upper()}", "type": "SECRETS_MANAGER", "value": f"hub:{key}"}
    for key in ("username", "password")
]


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        registry.add_account("hubuser", "dckr_pat_right")
        yield registry


class Builds:
    """One project whose builds run their commands; `lines` is the last build's log without what the agent adds."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        registry.log.clear()
        self.registry = registry
        self.folder = folder
        self.world = FakeWorld()
        self.agent = Agent(registry.url, folder=folder)
        self.simulator, _ = simulate(self.world, run_commands=self.agent)
        self.build: Document = {}

    def run(self, buildspec: str, **members: object) -> Document:
        """Build with this buildspec; `members` are the environment's, but for `source`."""
        source = members.pop("source", {"type": "NO_SOURCE", "buildspec": buildspec})
        made = environment(**{"image": IMAGE, "privilegedMode": True, **members})
        self.simulator.plant_project(request(source=source, environment=made))
        self.build = built(self.simulator, self.world)
        return self.build

    @property
    def log(self) -> list[str]:
        logs = self.build["logs"]
        return self.world.logs[(logs["groupName"], logs["streamName"])]

    @property
    def output(self) -> list[str]:
        """What the commands printed."""
        return [line for line in self.log if not line.startswith("[Container]")]

    @property
    def told(self) -> list[str]:
        """What the agent said, without its prefix and times."""
        return [line.split(" ", 3)[3] for line in self.log if line.startswith("[Container]")]


@pytest.fixture
def builds(registry: Registry, tmp_path: Path) -> Builds:
    (tmp_path / "builds").mkdir()
    return Builds(registry, tmp_path / "builds")


def spec(version: str = "0.2", env: Mapping[str, object] | None = None, **phases: object) -> str:
    """A buildspec, as JSON: lists are a phase's commands."""
    made = {name: {"commands": phase} if isinstance(phase, list) else phase for name, phase in phases.items()}
    return json.dumps({"version": version, "env": env or {}, "phases": made})


def test_a_build_with_a_guarded_login_pulls_signed_in_and_one_without_is_throttled(builds: Builds) -> None:
    secret = builds.world.add_secret("hub", json.dumps({"username": "hubuser", "password": "dckr_pat_right"}))
    builds.world.grant(ROLE, secret)
    throttled = builds.run(spec(build=["docker pull python:3.12"]), environmentVariables=VARIABLES)
    message = "COMMAND_EXECUTION_ERROR: Error while executing command: docker pull python:3.12. Reason: exit status 1"
    assert failed_phase(throttled) == ("BUILD", message)
    assert any(line.startswith("Error response from daemon: toomanyrequests: You have") for line in builds.output)

    signed_in = spec(pre_build=[GUARDED_LOGIN], build=["docker pull python:3.12"])
    assert builds.run(signed_in, environmentVariables=VARIABLES)["buildStatus"] == "SUCCEEDED"
    assert [entry["account"] for entry in builds.registry.pulls()] == [None, "hubuser"]


def test_a_guarded_login_does_nothing_where_there_are_no_variables(builds: Builds) -> None:
    builds.run(spec(pre_build=[GUARDED_LOGIN], build=["docker pull python:3.12"]))
    assert failed_phase(builds.build)[0] == "BUILD"
    assert not any("Login Succeeded" in line for line in builds.output)


def test_the_log_tells_a_failed_phase_in_the_order_in_which_it_went(builds: Builds) -> None:
    builds.run(spec(build=["echo one", "echo two >&2; exit 7", "echo three"]))
    log = [line.split(" ", 3)[-1] if line.startswith("[Container]") else line for line in builds.log]
    begin = log.index("Entering phase BUILD")
    assert log[begin : begin + 8] == [
        "Entering phase BUILD",
        "Running command echo one",
        "one",
        "Running command echo two >&2; exit 7",
        "two",
        "Command did not exit successfully echo two >&2; exit 7 exit status 7",
        "Phase complete: BUILD State: FAILED",
        f"Phase context status code: COMMAND_EXECUTION_ERROR Message: {failed_phase(builds.build)[1][25:]}",
    ]
    assert "three" not in log
    times = [when for when, _ in next(iter(builds.world.log_events.values()))]
    assert times == sorted(times)
    assert all(line.startswith("[Container] 2026/11/20 09:14:") for line in builds.log if "Container" in line)


def test_each_line_of_a_long_command_is_a_line_of_the_log(builds: Builds) -> None:
    builds.run(spec(build=["for x in a b; do\n  echo $x\ndone\nfalse\n"]))
    begin = builds.log.index(next(line for line in builds.log if line.endswith("Running command for x in a b; do")))
    assert builds.log[begin + 1 : begin + 6] == ["  echo $x", "done", "false", "a", "b"]
    assert failed_phase(builds.build)[1].endswith(
        "command: for x in a b; do\n  echo $x\ndone\nfalse. Reason: exit status 1"
    )


def test_what_a_command_exports_and_where_it_goes_is_there_for_the_next_and_the_next_phase(builds: Builds) -> None:
    first = ["mkdir deep", "cd deep", "export WORD='two words'", "plain=lost"]
    builds.run(spec(pre_build=first, build=['echo "$WORD, ${plain-nothing}, ${PWD##*/}"']))
    assert builds.output == ["two words, nothing, deep"]


def test_version_0_1_runs_each_command_in_a_shell_of_its_own(builds: Builds) -> None:
    commands = ["mkdir deep; cd deep", "export WORD=lost; echo $GIVEN", 'echo "${WORD-nothing}, ${PWD##*/}, $GIVEN"']
    builds.run(spec("0.1", {"variables": {"GIVEN": "yes"}}, build=commands))
    assert builds.output == ["yes", "nothing, src, yes"]


def test_finally_runs_after_a_failed_command_and_can_fail_a_phase_itself(builds: Builds) -> None:
    builds.run(spec(install={"commands": ["false", "echo never"], "finally": ["echo after"]}))
    assert (builds.output, failed_phase(builds.build)[0]) == (["after"], "INSTALL")
    builds.run(spec(install={"commands": ["true"], "finally": ["exit 9"]}, build=["echo never"]))
    assert failed_phase(builds.build)[1].endswith("command: exit 9. Reason: exit status 9")
    assert "never" not in builds.output


def test_post_build_runs_after_a_failed_build_and_knows_it(builds: Builds) -> None:
    builds.run(spec(pre_build=["echo $CODEBUILD_BUILD_SUCCEEDING"], build=["false"], post_build=["env | grep SUCC"]))
    assert builds.output == ["1", "CODEBUILD_BUILD_SUCCEEDING=0"]
    builds.run(spec(pre_build=["false"], build=["echo no"], post_build=["echo no"]))
    assert builds.output == []


def test_secrets_are_masked_and_encoded_ones_are_not(builds: Builds) -> None:
    secret = builds.world.add_secret("hub", json.dumps({"username": "hubuser", "password": "dckr_pat_right"}))
    builds.world.grant(ROLE, secret)
    commands = [
        "echo docker.io/$DOCKERHUB_USERNAME/image $PLAIN",
        "printf %s $DOCKERHUB_PASSWORD | base64",
        "echo dckr_pat_right $FROM_SPEC; false",
    ]
    env = {"secrets-manager": {"FROM_SPEC": "hub:username"}, "variables": {"PLAIN": "spec", "OTHER": "x"}}
    plain = {"name": "PLAIN", "type": "PLAINTEXT", "value": "project"}
    builds.run(spec(env=env, build=commands), environmentVariables=[*VARIABLES, plain])
    assert builds.output == ["docker.io/***/image project", "ZGNrcl9wYXRfcmlnaHQ=", "*** ***"]
    assert "Running command echo *** $FROM_SPEC; false" in builds.told


def test_a_secret_of_the_buildspec_that_the_role_may_not_read_fails_in_download_source(builds: Builds) -> None:
    builds.run(spec(env={"secrets-manager": {"FROM_SPEC": "hub:username"}}, build=["true"]))
    phase, context = failed_phase(builds.build)
    assert (phase, context.split(":")[0]) == ("DOWNLOAD_SOURCE", "Secrets Manager Error")


def test_nothing_of_the_machines_environment_gets_in(builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", "mine")
    builds.run(spec(build=["env"]))
    found = dict(line.partition("=")[::2] for line in builds.output)
    assert {name for name in found if not name.startswith("CODEBUILD_")} <= {
        "AWS_DEFAULT_REGION", "AWS_REGION", "HOME", "OLDPWD", "PATH", "PWD", "SHLVL", "TMPDIR", "_",
    }  # fmt: skip
    assert found["CODEBUILD_BUILD_ID"] == builds.build["id"]
    assert found["AWS_REGION"] == "eu-west-1"


def test_a_build_leaves_nothing_behind(builds: Builds) -> None:
    builds.run(spec(build=["touch $HOME/x $CODEBUILD_SRC_DIR/y", "docker --version"]))
    assert list(builds.folder.iterdir()) == []


def test_the_buildspec_may_ask_for_bash(builds: Builds) -> None:
    commands = ["words=(a b); export N=${#words[@]}", "[[ $N == 2 ]] && echo two"]
    builds.run(spec(env={"shell": "bash"}, build=commands))
    assert builds.output == ["two"]
    builds.run(spec(build=["words=(a b)"]))
    assert failed_phase(builds.build)[0] == "BUILD"


def test_powershell_fails_the_phase_and_says_why(builds: Builds) -> None:
    builds.run(spec(env={"shell": "powershell.exe"}, build=["docker build ."]))
    phase, context = failed_phase(builds.build)
    assert phase == "BUILD"
    assert "not of PowerShell" in context


def test_another_user_has_another_home(builds: Builds) -> None:
    builds.run(spec(pre_build=["echo $HOME"], build={"run-as": "builder", "commands": ["echo $HOME"]}))
    assert [Path(home).name for home in builds.output] == ["root", "builder"]


def test_a_command_has_so_long_and_takes_what_it_started_with_it(builds: Builds) -> None:
    builds.simulator, _ = simulate(
        builds.world, run_commands=Agent(builds.registry.url, folder=builds.folder, seconds=0.05)
    )
    started = time.monotonic()
    builds.run(spec(build=["sleep 60 & sleep 60"], post_build=["echo after"]))
    assert failed_phase(builds.build)[1].endswith("Reason: timed out")
    assert builds.output == ["after"]
    assert time.monotonic() - started < 30


def test_what_a_command_leaves_running_ends_with_it(builds: Builds) -> None:
    open_as_long = builds.folder.parent / "fifo"
    os.mkfifo(open_as_long)
    reader = threading.Thread(target=open_as_long.read_bytes, daemon=True)
    reader.start()
    assert builds.run(spec(build=[f"exec 3>{open_as_long}; sleep 60 &"]))["buildStatus"] == "SUCCEEDED"
    reader.join(10)
    assert not reader.is_alive()


def test_a_build_that_is_stopped_ends_its_command(builds: Builds) -> None:
    made = environment(image=IMAGE)
    source = {"type": "NO_SOURCE", "buildspec": spec(build=["touch here; sleep 60"], post_build=["touch there"])}
    builds.simulator.plant_project(request(source=source, environment=made))
    build_id = builds.simulator.call("StartBuild", {"projectName": "orders"}, OWNER)["build"]["id"]
    thread = threading.Thread(target=builds.world.finish, args=(build_id,))
    thread.start()
    for _ in range(1000):
        if list(builds.folder.glob("*/src/here")):
            break
        thread.join(0.01)
    builds.simulator.call("StopBuild", {"id": build_id}, OWNER)
    thread.join(10)
    assert not thread.is_alive()
    assert builds.simulator.build(build_id)["buildStatus"] == "STOPPED"
    assert list(builds.folder.iterdir()) == []


def test_source_comes_from_the_repository_with_the_buildspec_that_is_in_it(builds: Builds) -> None:
    files = {
        "buildspec.yml": "version: 0.2\nphases:\n  build:\n    commands:\n      - ./ci/run.sh\n",
        "ci/other.yml": "version: 0.2\nphases: {build: {commands: [cat ci/run.sh]}}\n",
        "ci/run.sh": "#!/bin/sh\necho from the script\n",
    }
    builds.agent.repositories["https://github.com/example/orders.git"] = files
    source = {"type": "GITHUB", "location": "https://github.com/example/orders.git"}
    builds.run("", source=source)
    assert builds.output == ["from the script"]
    builds.run("", source={**source, "buildspec": "ci/other.yml"})
    assert builds.output == ["#!/bin/sh", "echo from the script"]
    builds.run("", source={**source, "buildspec": spec(build=["ls"])})
    assert builds.output == ["buildspec.yml", "ci"]
    builds.agent.repositories["CODEPIPELINE/orders"] = {"buildspec.yml": files["ci/other.yml"], "ci/run.sh": "x"}
    builds.run("", source={"type": "CODEPIPELINE"})
    assert builds.output == ["x"]


def test_a_files_path_stays_inside_the_source(builds: Builds) -> None:
    builds.agent.repositories["NO_SOURCE/orders"] = {"../outside": "x"}
    with pytest.raises(ValueError, match="outside"):
        builds.run(spec(build=["true"]))


@pytest.mark.parametrize("buildspec", ["", "ci/none.yml"])
def test_without_a_buildspec_the_build_fails_in_download_source(builds: Builds, buildspec: str) -> None:
    builds.run(buildspec)
    assert failed_phase(builds.build) == ("DOWNLOAD_SOURCE", "YAML_FILE_ERROR: YAML file does not exist")
    assert "Phase complete: DOWNLOAD_SOURCE State: FAILED" in builds.told
    assert list(builds.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("phases: {build: {commands: [a: b]}}", "Expected Commands[0] to be of string type: found subkeys instead"),
        ("phases: {build: {commands: [x, [y]]}}", "Expected Commands[1] to be of string type: found list instead"),
        ("phases: {build: {commands: {a: b}}}", "Expected Commands to be of list type: found subkeys instead"),
        ("phases: {build: {finally: [a: b]}}", "Expected Finally[0] to be of string type: found subkeys instead"),
        ("phases: {build: text}", "Expected Phase to be of map type: found string instead"),
        ("phases: [build]", "Expected Phases to be of map type: found list instead"),
        ("- version: 0.2", "Expected Buildspec to be of map type: found list instead"),
        ("env: {variables: {A: [1]}}", "Expected Variables[A] to be of string type: found list instead"),
        ("phases:\n  build:\n    commands:\n      - a: b: c", "mapping values are not allowed here at line 4"),
        ("phases: {build: \x07}", "unacceptable character"),
    ],
)
def test_a_text_that_is_no_buildspec_is_a_yaml_file_error(builds: Builds, text: str, why: str) -> None:
    with pytest.raises(YamlFileError) as caught:
        parse(text)
    assert why in str(caught.value)


def test_a_yaml_file_error_is_one_of_download_source(builds: Builds) -> None:
    builds.run("version: 0.2\nphases: {build: {commands: [a: b]}}\n")
    phase, context = failed_phase(builds.build)
    assert phase == "DOWNLOAD_SOURCE"
    assert context.startswith("YAML_FILE_ERROR: Expected Commands[0] to be of string type: found subkeys instead")


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("phases: {build: {commands: echo one}}", ("echo one",)),
        ("phases: {build: {commands: }}", ()),
        ("phases: {build: {commands: [a, null, , '', b]}}".replace(", ,", ","), ("a", "null", "b")),
        ("phases:\n  build:\n    commands:\n      -\n      - go\n      # - no", ("go",)),
        ("phases:\n  build:\n    commands:\n      - |\n        a\n        b\n", ("a\nb",)),
        ("phases: {build: {commands: [3.10, true]}}", ("3.10", "true")),
        ("phases: {build: }", ()),
    ],
)
def test_commands_may_be_a_list_one_text_or_nothing(text: str, commands: tuple[str, ...]) -> None:
    assert parse(text).phases["build"].commands == commands


def test_a_buildspec_without_phases_has_no_commands() -> None:
    assert parse("version: 0.2") == Buildspec("0.2")
    assert parse("phases:\n") == Buildspec()
    assert parse("run-as: a\nphases: {install: {run-as: b}, build: {}}").phases == {
        "install": Phase(run_as="b"),
        "build": Phase(run_as="a"),
    }


def test_an_image_without_docker_has_none_not_even_the_machines_own(builds: Builds) -> None:
    builds.run(spec(build=["docker pull python"]), image="public.ecr.aws/team/tools:1")
    assert failed_phase(builds.build)[1].endswith("Reason: exit status 127")
    assert any(line.endswith("docker: not found") for line in builds.output)


def test_a_folder_that_has_a_docker_is_linked_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_docker, without = tmp_path / "a", tmp_path / "b"
    for folder in (with_docker, without):
        folder.mkdir()
        (folder / "make").touch()
    (with_docker / "docker").touch()
    monkeypatch.setattr("local.agent.docker.FOLDERS", (with_docker, without))
    first, second = without_docker(tmp_path / "links")
    assert [command.name for command in Path(first).iterdir()] == ["make"]
    assert second == str(without)


def test_without_privileged_mode_there_is_a_docker_and_no_daemon(builds: Builds) -> None:
    secret = "dckr_pat_right"
    builds.run(spec(build=[f"docker login -u hubuser -p {secret}", "docker pull python:3.12"]), privilegedMode=False)
    assert "Login Succeeded" in builds.output
    assert builds.output[-1].startswith("Cannot connect to the Docker daemon")


def test_another_registrys_limit_is_the_worlds(builds: Builds) -> None:
    agent = Agent(builds.registry.url, throttled={"public.ecr.aws": "Rate exceeded"}, folder=builds.folder)
    builds.simulator, _ = simulate(builds.world, run_commands=agent)
    builds.run(spec(build=["docker pull public.ecr.aws/docker/library/python:3"]))
    assert builds.output[-1] == "Error response from daemon: toomanyrequests: Rate exceeded"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("aws/codebuild/standard:7.0", "28.5.2"),
        ("aws/codebuild/standard:5.0", "20.10.24"),
        ("aws/codebuild/amazonlinux-x86_64-standard:5.0", "28.5.2"),
        ("aws/codebuild/amazonlinux2-aarch64-standard:3.0", "28.5.2"),
        ("aws/codebuild/amazonlinux-x86_64-lambda-standard:python3.12", None),
        ("docker:27-dind", "28.5.2"),
        ("python:3.12", None),
    ],
)
def test_an_image_tells_which_docker_there_is(image: str, version: str | None) -> None:
    assert docker_version(image) == version


def test_an_agent_that_is_closed_leaves_nothing_running_and_no_folder(builds: Builds) -> None:
    source = {"type": "NO_SOURCE", "buildspec": spec(build=["true"])}
    builds.simulator.plant_project(request(source=source, environment=environment(image=IMAGE)))
    build_id = builds.simulator.call("StartBuild", {"projectName": "orders"}, OWNER)["build"]["id"]
    while builds.simulator.build(build_id)["currentPhase"] != "BUILD":
        builds.world.step(build_id)
    assert list(builds.folder.iterdir())
    builds.agent.close()
    assert list(builds.folder.iterdir()) == []
    builds.world.finish(build_id)
    assert builds.simulator.build(build_id)["buildStatus"] == "SUCCEEDED"
