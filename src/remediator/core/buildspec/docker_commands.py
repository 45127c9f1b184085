"""Tells what a command does to docker's sign-in: login, logout, pull, push, or removing the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from remediator.core.buildspec.shell_commands import Command, commands_in, options_end, program_name
from remediator.core.codebuild.image import ImageReference
from remediator.core.names import DOCKER_HUB, DOCKER_HUB_KEY, HOSTS_OF_DOCKER_HUB
from remediator.core.value import value

ECR = "ecr"
VARIABLE = "variable"
MISSES = frozenset({*HOSTS_OF_DOCKER_HUB, "https://docker.io"} - {DOCKER_HUB})
"""Hosts of Docker Hub under which a login is kept apart: pulls look for DOCKER_HUB_KEY only."""

_HUB_NAMES = frozenset({"", DOCKER_HUB, DOCKER_HUB_KEY})
_ECR_HOST = re.compile(r"\.dkr[.-]ecr")
_CONFIGURATION = re.compile(
    r"(?:~|\$HOME|\$\{HOME\}|/root|/home/[^/]+|\$env:USERPROFILE|\$\{?DOCKER_CONFIG\}?)[/\\]"
    r"(?:\.docker(?:[/\\](?:config\.json|\*)?)?|config\.json)|\$\{?DOCKER_CONFIG\}?"
)
_AS_AWS = re.compile(r"(?:^| )(?:-u|--username)[ =]AWS(?: |$)")
_HUB_CREDENTIAL = re.compile(rf'"{re.escape(DOCKER_HUB_KEY)}"\s*:\s*\{{[^{{}}]*"(?:auth|identitytoken)"\s*:\s*"[^"]')

# Options with a value: of docker itself, of `docker login`, of `docker compose`.
_OF_DOCKER = frozenset(
    {"--config", "-c", "--context", "-H", "--host", "-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey"}
)
_OF_LOGIN = frozenset({"-u", "--username", "-p", "--password", "-e", "--email"})
_OF_PULL = frozenset({"--platform"})
_OF_COMPOSE = frozenset(
    {"-f", "--file", "-p", "--project-name", "--profile", "--env-file", "--project-directory", "--ansi", "--parallel"}
)
# Options of `docker run` without a value; every other one takes the word that follows it.
_RUN_SWITCHES = re.compile(
    r"-[diPqt]+|--(?:rm|detach|interactive|tty|privileged|init|read-only|quiet|publish-all|no-healthcheck"
    r"|oom-kill-disable|sig-proxy|disable-content-trust|help)"
)
_COMPOSE_PULLS = frozenset({"pull", "build", "up", "run", "create"})
_GROUPED = frozenset({"image pull", "image push", "image build", "container run", "container create", "builder build"})
_HELP = frozenset({"--help", "-h"})


class Action(StrEnum):
    LOGIN = "login"
    LOGOUT = "logout"
    PULL = "pull"
    PUSH = "push"
    FORGET = "forget"


@value
class DockerAct:
    """What is done, and with which registry.

    `registry` is `docker.io`, `ecr` for a private registry of AWS, another host as it is written, `variable` where a
    variable holds it, or None where the command does not name it: a build pulls what its Dockerfile names.
    """

    action: Action
    registry: str | None = None


def docker_acts(script: str) -> tuple[DockerAct, ...]:
    """What the commands of a script do to the sign-in and with it, in the order in which they run."""
    acts: list[DockerAct] = []
    before: Command | None = None
    for command in commands_in(script):
        acts += _acts(command, before)
        before = command
    return tuple(acts)


def signs_in_to_docker_hub(script: str) -> bool:
    return DockerAct(Action.LOGIN, DOCKER_HUB) in docker_acts(script)


def _acts(command: Command, before: Command | None) -> Iterable[DockerAct]:
    match command.program:
        case "docker":
            return _of_docker_command(command)
        case "docker-compose":
            return _of_compose(command.words[1:])
        case "aws" if command.words[1:3] == ("ecr", "get-login"):
            # What it prints is a `docker login`, and nobody calls it for anything else.
            return [DockerAct(Action.LOGIN, ECR)]
        case "rm" | "remove-item" | "del":
            return [DockerAct(Action.FORGET)] if any(map(_is_configuration, command.words[1:])) else []
        case "tee":
            source = before if before is not None and before.piped else command
            return _written(_printed(source), command.words[1:])
        case _:
            return _written(_printed(command), command.written)


def _is_configuration(word: str) -> bool:
    return _CONFIGURATION.fullmatch(word) is not None


def _printed(command: Command) -> str:
    """What echo, printf, cat and tee print, as far as the script tells."""
    if command.program == "tee":
        return command.heredoc
    return " ".join(command.words[1:]) + command.heredoc if command.program in {"echo", "printf", "cat"} else ""


def _written(content: str, files: tuple[str, ...]) -> list[DockerAct]:
    """A docker configuration written by hand: with a login of Docker Hub in it, or in place of one."""
    read_by_docker = [file for file in files if file.endswith("config.json") and _is_configuration(file)]
    if (read_by_docker or "config.json" in files) and _HUB_CREDENTIAL.search(content):
        return [DockerAct(Action.LOGIN, DOCKER_HUB)]
    if not read_by_docker:
        return []
    if "$" in content:
        return [DockerAct(Action.LOGIN, VARIABLE)]
    return [DockerAct(Action.FORGET)] if content.lstrip().startswith("{") else []


def _of_docker_command(command: Command) -> list[DockerAct]:
    """A login into a configuration of its own is one that other commands do not see."""
    # `xargs` appends words that nobody knows here.
    words = (*command.words[1:], *(["$@"] if "xargs" in map(program_name, command.before) else []))
    end = options_end(words, _OF_DOCKER.__contains__)
    options, behind = words[:end], words[end:]
    if behind[:1] == ("login",) and _HELP.intersection(words):
        return []
    own = any(word.startswith("DOCKER_CONFIG=") for word in command.before)
    own = own or any(option.partition("=")[0] == "--config" for option in options)
    return [
        replace(act, registry=VARIABLE) if own and act.action in {Action.LOGIN, Action.LOGOUT} else act
        for act in _of_docker(behind)
    ]


def _of_docker(words: tuple[str, ...]) -> Iterable[DockerAct]:
    if " ".join(words[:2]) in _GROUPED:
        words = words[1:]
    if not words:
        return []
    verb, arguments = words[0], words[1:]
    match verb:
        case "login":
            return [DockerAct(Action.LOGIN, _login_registry(arguments))]
        case "logout":
            return [DockerAct(Action.LOGOUT, _registry(*arguments[:1]))]
        case "pull" | "push":
            end = options_end(arguments, _OF_PULL.__contains__)
            return [DockerAct(Action(verb), _image_registry(image)) for image in arguments[end:][:1]]
        case "run" | "create":
            end = options_end(arguments, lambda option: "=" not in option and not _RUN_SWITCHES.fullmatch(option))
            return [DockerAct(Action.PULL, _image_registry(image)) for image in arguments[end:][:1]]
        case "build":
            return [DockerAct(Action.PULL)]
        case "buildx":
            return [DockerAct(Action.PULL)] if {"build", "bake", "b"} & set(arguments) else []
        case "compose":
            return _of_compose(arguments)
        case _:
            return []


def _of_compose(words: tuple[str, ...]) -> list[DockerAct]:
    verb = words[options_end(words, _OF_COMPOSE.__contains__) :][:1]
    if _COMPOSE_PULLS.intersection(verb):
        return [DockerAct(Action.PULL)]
    return [DockerAct(Action.PUSH)] if verb == ("push",) else []


def _login_registry(words: tuple[str, ...]) -> str:
    registry = _registry(*words[options_end(words, _OF_LOGIN.__contains__) :][:1])
    # `AWS` is the name under which ECR's passwords sign in, whatever variable holds the host.
    return ECR if registry == VARIABLE and _AS_AWS.search(" ".join(words)) else registry


def _registry(host: str = "") -> str:
    """The name under which the docker CLI keeps a sign-in to this host.

    Only no host, `docker.io` and exactly DOCKER_HUB_KEY mean what pulls from Docker Hub look for.
    https://github.com/docker/cli/blob/master/cli/command/registry/login.go
    """
    if host in _HUB_NAMES:
        return DOCKER_HUB
    if _ECR_HOST.search(host):
        return ECR
    if _has_variable(host):
        return VARIABLE
    name = host.partition("://")[2] if "://" in host else host
    name = name.partition("/")[0]
    if name != DOCKER_HUB:
        return name
    return host.rstrip("/") if "://" in host else host


def _image_registry(image: str) -> str | None:
    try:
        return ImageReference.parse(image).registry
    except ValueError:
        pass
    if _ECR_HOST.search(image):
        return ECR
    first, slash, _ = image.partition("/")
    if slash and "." in first and not _has_variable(first):
        return first
    return VARIABLE if _has_variable(image) else None


def _has_variable(word: str) -> bool:
    return any(sign in word for sign in "$`%")
