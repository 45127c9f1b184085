"""Runs the phases of builds for real: source into a folder, commands in a shell, output into the log."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.agent import buildspec, docker
from local.agent.buildspec import Buildspec, Phase, YamlFileError
from local.agent.images import docker_version
from local.agent.shell import Shell
from local.simulator import AgentLine, CommandsAnswer, Document, SourceAnswer

Repositories = dict[str, Mapping[str, str]]
"""By a source's location (without one, by `<type>/<project>`, as `CODEPIPELINE/orders`): text of each path."""

FAILED = "COMMAND_EXECUTION_ERROR"
_MASK = "***"
_READONLY = "/codebuild/readonly/buildspec.yml"


class Agent:
    """A BuildAgent. `hub` is the registry's address on loopback; `repositories` may be filled at any time.

    `throttled` are other registries that refuse (host: text), `docker_version` tells which docker an image has
    (None: none), `seconds` is how long one command may take, `folder` is where builds have their folders.
    What it does not do: PowerShell, `on-failure: CONTINUE`, parameter-store variables, runtimes, batches.
    """

    def __init__(
        self,
        hub: str,
        *,
        repositories: Repositories | None = None,
        throttled: Mapping[str, str] | None = None,
        docker_version: Callable[[str], str | None] = docker_version,
        seconds: float = 60.0,
        folder: Path | None = None,
    ) -> None:
        self.repositories: Repositories = {} if repositories is None else repositories
        self._hub = hub
        self._throttled: Mapping[str, str] = {} if throttled is None else throttled
        self._docker_version = docker_version
        self._seconds = seconds
        self._folder = folder
        self._containers: dict[str, Container] = {}
        self._lock = threading.Lock()

    def download_source(self, build: Document) -> SourceAnswer:
        """Write the source's files, read the buildspec; YAML_FILE_ERROR as AWS has it."""
        source = build["source"]
        files = self.repositories.get(source.get("location") or f"{source['type']}/{build['projectName']}", {})
        container = Container.make(build, files, self._seconds, self._folder)
        with self._lock:
            self._containers[build["id"]] = container
        where = source.get("buildspec") or "buildspec.yml"
        inline = buildspec.is_inline(where)
        lines = [
            AgentLine("Phase is DOWNLOAD_SOURCE"),
            AgentLine(f"CODEBUILD_SRC_DIR={container.source}"),
            AgentLine(f"YAML location is {_READONLY if inline else f'{container.source}/{where}'}"),
        ]
        try:
            spec = container.spec = buildspec.parse(where if inline else _buildspec_of(files, where))
        except YamlFileError as error:
            return SourceAnswer(buildspec.ERROR, str(error), lines)
        lines += [
            AgentLine("Processing environment variables"),
            AgentLine(f"Phases found in YAML: {len(spec.phases)}"),
            *(AgentLine(f" {name.upper()}: {len(phase.commands)} commands") for name, phase in spec.phases.items()),
        ]
        return SourceAnswer(lines=lines, variables=spec.variables, secrets=spec.secrets)

    def __call__(self, build: Document, phase: str, variables: Mapping[str, str]) -> CommandsAnswer:
        with self._lock:
            container = self._containers.get(build["id"])
        if container is None:
            return CommandsAnswer()
        try:
            self._provide_docker(container, build["environment"])
            return container.run(build, phase, variables)
        except FileNotFoundError:
            with self._lock:
                if build["id"] in self._containers:
                    raise
            return CommandsAnswer()  # stopped meanwhile: its folder is gone

    def end(self, build_id: str) -> None:
        """End what still runs, remove the build's folder."""
        with self._lock:
            container = self._containers.pop(build_id, None)
        if container is not None:
            container.remove()

    def close(self) -> None:
        """End every build's commands and remove every folder."""
        with self._lock:
            containers, self._containers = list(self._containers.values()), {}
        for container in containers:
            container.remove()

    def _provide_docker(self, container: Container, environment: Document) -> None:
        version = self._docker_version(environment["image"])
        if version is None:
            container.hide_docker()
            return
        privileged = bool(environment.get("privilegedMode"))
        state = container.folder / "docker"
        told = docker.settings(self._hub, self._throttled, version, state, running=privileged)
        docker.write_command(container.commands, told)


@dataclass
class Container:
    """One build's folders and shell; the shell is there from its first command on."""

    folder: Path
    seconds: float
    spec: Buildspec = field(default_factory=Buildspec)
    path: list[str] = field(default_factory=list)
    user: str = "root"
    shell: Shell | None = None

    @classmethod
    def make(cls, build: Document, files: Mapping[str, str], seconds: float, folder: Path | None) -> Container:
        """A folder for the build, with the source's files in it."""
        project = build["projectName"]
        container = cls(Path(tempfile.mkdtemp(prefix=f"build-{project}-", dir=folder)), seconds)
        for made in (container.source, container.commands, container.folder / "tmp"):
            made.mkdir(parents=True)
        container.path = [str(container.commands), *map(str, docker.FOLDERS)]
        for name, text in files.items():
            _write(container.source, name, text)
        return container

    @property
    def source(self) -> Path:
        return self.folder / "src"

    @property
    def commands(self) -> Path:
        """What comes first on the PATH."""
        return self.folder / "bin"

    def hide_docker(self) -> None:
        """No docker on the PATH, the machine's own neither."""
        if str(self.commands) in self.path:
            self.path = docker.without_docker(self.folder / "path")

    def run(self, build: Document, phase: str, variables: Mapping[str, str]) -> CommandsAnswer:
        """The commands of one phase up to the first that fails, then those under `finally`."""
        lines: list[str] = [AgentLine(f"Entering phase {phase}")]
        program, refusal = _program(self.spec.shell)
        wanted = self.spec.phases.get(phase.lower(), Phase())
        message = ""
        if refusal and wanted.commands:
            message = refusal
        else:
            if self.shell is None:
                environment = self._environment(build, variables)
                self.shell = Shell(self.folder / "shell", self.source, environment, self.seconds)
            changes = self._changes(build, wanted)
            for commands in (wanted.commands, wanted.finally_):
                failed = self._commands(program, commands, changes, lines)
                message = message or failed
        secret = list(_secrets(build, self.spec, variables))
        shown = [_masked(line, secret) for line in lines]
        return CommandsAnswer(FAILED, message, shown) if message else CommandsAnswer(lines=shown)

    def remove(self) -> None:
        """End what runs and remove the folder."""
        if self.shell is not None:
            self.shell.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _commands(self, program: str, commands: tuple[str, ...], changes: Mapping[str, str], lines: list[str]) -> str:
        """Why the first failing command failed; empty when none did."""
        if self.shell is None:
            return ""
        for command in commands:
            if not self.spec.one_shell:
                self.shell.forget()
            lines.append(AgentLine(f"Running command {command}"))
            ended = self.shell.run(program, command, changes)
            lines += ended.lines
            if ended.failed:
                lines.append(AgentLine(f"Command did not exit successfully {command} {ended.reason}"))
                return f"Error while executing command: {command}. Reason: {ended.reason}"
        return ""

    def _changes(self, build: Document, phase: Phase) -> dict[str, str]:
        """What a phase's commands find otherwise than the ones before: how the build stands, whose HOME it is."""
        failed = any(left.get("phaseStatus") == "FAILED" for left in build["phases"])
        changes = {"CODEBUILD_BUILD_SUCCEEDING": "0" if failed else "1"}
        user = phase.run_as or "root"
        if user != self.user or not self.spec.one_shell:
            self.user = user
            changes["HOME"] = str(self._home())
        return changes

    def _home(self) -> Path:
        home = self.folder / "home" / self.user
        home.mkdir(parents=True, exist_ok=True)
        return home

    def _environment(self, build: Document, variables: Mapping[str, str]) -> dict[str, str]:
        """All that a command finds; nothing of the machine's own environment.

        https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
        """
        source = build["source"]
        region = build["arn"].split(":")[3]
        return {
            "PATH": ":".join(self.path),
            "HOME": str(self._home()),
            "TMPDIR": str(self.folder / "tmp"),
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "CODEBUILD_BUILD_ARN": build["arn"],
            "CODEBUILD_BUILD_ID": build["id"],
            "CODEBUILD_BUILD_IMAGE": build["environment"]["image"],
            "CODEBUILD_BUILD_NUMBER": str(build["buildNumber"]),
            "CODEBUILD_CI": "true",
            "CODEBUILD_INITIATOR": str(build["initiator"]),
            "CODEBUILD_RESOLVED_SOURCE_VERSION": build.get("resolvedSourceVersion") or "",
            "CODEBUILD_SOURCE_REPO_URL": source.get("location") or "",
            "CODEBUILD_SOURCE_VERSION": build.get("sourceVersion") or "",
            "CODEBUILD_SRC_DIR": str(self.source),
            "CODEBUILD_START_TIME": str(round(build["startTime"] * 1000)),
            **variables,
        }


def _buildspec_of(files: Mapping[str, str], path: str) -> str:
    text = files.get(path.removeprefix("./"))
    if text is None:
        raise YamlFileError("YAML file does not exist")
    return text


def _program(shell: str) -> tuple[str, str]:
    """The program that runs commands, and why there is none."""
    name = shell.rpartition("/")[2]
    if name in ("", "sh", "bash"):
        return name or "sh", ""
    return "sh", f"local AWS has no shell {shell}: it runs the commands of sh and bash, not of PowerShell"


def _secrets(build: Document, spec: Buildspec, variables: Mapping[str, str]) -> Iterator[str]:
    """The values to be masked: every variable that came from Secrets Manager."""
    types = {variable["name"]: variable.get("type") for variable in build["environment"]["environmentVariables"]}
    for name, value in variables.items():
        kind = types.get(name, "SECRETS_MANAGER" if name in spec.secrets else "")
        if kind == "SECRETS_MANAGER" and value:
            yield value


def _masked(line: str, secrets: list[str]) -> str:
    """Plain replacement, as CodeBuild does it; an encoded secret stays readable."""
    for secret in sorted(secrets, key=len, reverse=True):
        masked = line.replace(secret, _MASK)
        line = AgentLine(masked) if isinstance(line, AgentLine) else masked
    return line


def _write(folder: Path, name: str, text: str) -> None:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise ValueError(f"a source's file is outside of it: {name}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    if text.startswith("#!"):
        file.chmod(0o755)
