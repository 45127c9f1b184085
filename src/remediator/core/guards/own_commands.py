"""Decides whether a command that failed was the project's own, so that what it printed is evidence.

A log says whatever its build's commands print. Whoever may start builds can give them another version of the source,
other commands, files, variables or another log, and might want their builds' role to read the secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot
from remediator.core.outcome import Outcome, advised
from remediator.core.reading import Reading
from remediator.core.repair.change import refers
from remediator.core.repair.sign_in import SignIn
from remediator.core.retry.overrides import BUILDSPEC, VARIABLES

_SAYS_NO_MORE = (
    "artifacts",
    "encryptionKey",
    "environment.computeType",
    "environment.imagePullCredentialsType",
    "environment.privilegedMode",
    "environment.registryCredential",
    "queuedTimeoutInMinutes",
    "source.buildStatusConfig",
    "source.gitCloneDepth",
    "source.reportBuildStatus",
    "timeoutInMinutes",
)
"""Members that may differ from the project's: they bring nobody's commands, files or settings of tools into a build,
and no person into its container. How variables differ is looked at apart."""


def other_commands(reading: Reading, sign_in: SignIn) -> Outcome | None:
    """Why the commands are not known to be the project's own; None where they are."""
    return version_objection(reading) or _differences(reading, sign_in)


def version_objection(reading: Reading) -> Outcome | None:
    """StartBuild takes any version of the source, a stranger's pull request too, whatever the webhook asks for.
    https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version.html"""
    start = reading.start
    if not reading.build.failure.of_command or start.of_project(reading.snapshot.project):
        return None
    return advised(
        f"the build was started for the source version {start.version}, and nothing shows that a webhook or a pipeline "
        "of the project did that: its commands may be those of anybody's pull request, so what they print is no ground "
        "for a repair",
        "start a build without a source version, or for a branch by its full name (refs/heads/main); if it is "
        "throttled too, it is looked at again",
    )


def _differences(reading: Reading, sign_in: SignIn) -> Outcome | None:
    build, snapshot = reading.build, reading.snapshot
    ran, source = build.document.get("source") or {}, snapshot.project.get("source") or {}
    differs = reading.overrides.names
    another = "another buildspec" if BUILDSPEC in differs else ""
    if any(ran.get(member) != source.get(member) for member in ("type", "location")):
        another = "another source"
    if any(build.environment.get(member) != snapshot.environment.get(member) for member in ("type", "image")):
        another = "in another image"
    if not another:
        members = [name for name in differs if name not in (*_SAYS_NO_MORE, VARIABLES)]
        logs = ["logsConfig"] * _logs_elsewhere(build, snapshot)
        steering = [*members, *logs, *(_set_by_starter(reading, sign_in) if reading.start.chosen_by_starter else ())]
        if not steering:
            return None
        another = f"with another {' and '.join(steering)}"
    return advised(
        f"the build ran {another} than the project has: an override, or the project was edited since",
        "start the build again without the override, or give the project the same; "
        "if it is throttled too, it is looked at again",
    )


def _logs_elsewhere(build: Build, snapshot: Snapshot) -> bool:
    """Was the log kept in a group that the project does not have? Others may write there.
    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CloudWatchLogsConfig.html"""
    log = build.failure.log
    config = (snapshot.project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
    return log is not None and log.group != (config.get("groupName") or f"/aws/codebuild/{snapshot.name}")


def _set_by_starter(reading: Reading, sign_in: SignIn) -> tuple[str, ...]:
    """Names of the variables that the project does not have so. Any of them can make a command say anything: by its
    name, by its text, or by what a reference leads to."""
    own = [_said(variable) for variable in _variables(reading.snapshot.environment)]
    ours = {**sign_in.references, sign_in.auth_config_variable: sign_in.auth_config_reference}
    return tuple(
        str(variable.get("name"))
        for variable in _variables(reading.build.environment)
        if _said(variable) not in own and not refers(variable, ours)
    )


def _variables(environment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return environment.get("environmentVariables") or []


def _said(variable: Mapping[str, Any]) -> tuple[Any, ...]:
    return variable.get("name"), variable.get("value") or "", variable.get("type") or "PLAINTEXT"
