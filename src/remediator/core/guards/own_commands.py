"""Decides whether a command that failed was the project's own, so that what it printed is evidence.

A log says whatever its build's commands print. Whoever may start builds can give them other commands, files, variables
or another log, and might want their builds' role to read the secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot
from remediator.core.outcome import Outcome, advised
from remediator.core.reading import Reading
from remediator.core.repair.change import refers
from remediator.core.repair.sign_in import SignIn
from remediator.core.retry.overrides import BUILDSPEC

_SAYS_MORE = (
    "cache",
    "environment.certificate",
    "secondarySources",
    "secondarySourceVersions",
    "source.auth",
    "source.gitSubmodulesConfig",
    "source.insecureSsl",
)
"""Members that bring somebody's files into a build, or decide where its source comes from."""


def other_commands(reading: Reading, sign_in: SignIn) -> Outcome | None:
    """Why the commands are not known to be the project's own; None where they are."""
    build, snapshot = reading.build, reading.snapshot
    ran, source = build.document.get("source") or {}, snapshot.project.get("source") or {}
    differs = reading.overrides.names
    another = "another buildspec" if BUILDSPEC in differs else ""
    if any(ran.get(member) != source.get(member) for member in ("type", "location")):
        another = "another source"
    if any(build.environment.get(member) != snapshot.environment.get(member) for member in ("type", "image")):
        another = "in another image"
    if not another:
        logs = ["logsConfig"] * _logs_elsewhere(build, snapshot)
        steering = [*(name for name in _SAYS_MORE if name in differs), *logs, *_steering(build, snapshot, sign_in)]
        if not steering:
            return None
        another = f"with another {' and '.join(steering)}"
    return advised(
        f"the build ran {another} than the project has: an override, or the project was edited since",
        "start the build again without the override; if it is throttled too, it is looked at again",
    )


def _logs_elsewhere(build: Build, snapshot: Snapshot) -> bool:
    """Was the log kept in a group that the project does not have? Others may write there.
    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CloudWatchLogsConfig.html"""
    log = build.failure.log
    config = (snapshot.project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
    return log is not None and log.group != (config.get("groupName") or f"/aws/codebuild/{snapshot.name}")


_STEERS = (
    r"(?i)BASH_ENV|BASH_FUNC_.*|BASHOPTS|CDPATH|HOME|IFS|PATH|PROMPT_COMMAND|PS4|SHELL|SHELLOPTS|XDG_CONFIG_.*|LD_.*"
    r"|DOCKER_(?:AUTH_CONFIG|CERT_PATH|CONFIG|CONTEXT|HOST)|BUILDKIT_HOST|BUILDX_(?:BUILDER|CONFIG)|COMPOSE_FILE"
    r"|(?:ALL|HTTPS?)_PROXY|SSL_CERT_(?:DIR|FILE)|AWS_(?:CA_BUNDLE|CONFIG_FILE|ENDPOINT_URL.*|SHARED_CREDENTIALS_FILE)"
    r"|GIT_(?:ASKPASS|CONFIG.*|DIR|EXEC_PATH|PROXY_COMMAND|SSH.*)|EDITOR|PAGER|VISUAL"
    r"|MAKEFLAGS|MAKEFILES|GNUMAKEFLAGS|GOFLAGS|GOPROXY|RUSTC_.*|CARGO_.*"
    r"|NODE_(?:OPTIONS|PATH)|NPM_CONFIG_.*|PERL5(?:DB|LIB|OPT)|PIP_.*|PYTHON(?:HOME|PATH|STARTUP)|RUBY(?:LIB|OPT)"
    r"|GRADLE_OPTS|MAVEN_(?:ARGS|OPTS)|_?JAVA_(?:TOOL_)?OPTIONS|JDK_JAVA_OPTIONS|DOTNET_STARTUP_HOOKS|PHP_INI_SCAN_DIR"
)
"""Variables that decide what a shell, docker, the loader or a tool runs, or whom it talks to."""
_SPEAKS = r"(?i)\$\(|`|too\s*many\s*requests|pull\s*rate\s*limit"
"""A command, or one of the words that evidence has (`throttle.WORDS`)."""


def _steering(build: Build, snapshot: Snapshot, sign_in: SignIn) -> tuple[str, ...]:
    """Variables that the start of the build set, and that can make its log say anything. A reference steers by its name
    as a text does; its value is not known here."""
    own = snapshot.environment.get("environmentVariables") or []
    ours = {**sign_in.references, sign_in.auth_config_variable: sign_in.auth_config_reference}
    return tuple(
        str(variable.get("name"))
        for variable in build.environment.get("environmentVariables") or []
        if variable not in own
        and not refers(variable, ours)
        and (re.fullmatch(_STEERS, str(variable.get("name"))) or _speaks(variable))
    )


def _speaks(variable: Mapping[str, Any]) -> bool:
    plain = variable.get("type") in (None, "", "PLAINTEXT")
    return plain and re.search(_SPEAKS, str(variable.get("value"))) is not None


_PULL_REQUEST = r"(?i)(?:pr|mr)/.+|refs/(?:pull|pull-requests|merge-requests)/.+"


def pull_request_objection(build: Build) -> Outcome | None:
    """StartBuild takes a pull request of anybody as the source version (`pr/7`), whatever the webhook asks for.
    https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version.html"""
    version = str(build.document.get("sourceVersion") or "")
    if not build.failure.of_command or build.of_webhook or build.batch or not re.fullmatch(_PULL_REQUEST, version):
        return None
    return advised(
        f"the build's commands are those of {version}, which was named when it was started: what they print is no "
        "ground for a repair",
        "start a build of a branch; if it is throttled too, it is looked at again",
    )
