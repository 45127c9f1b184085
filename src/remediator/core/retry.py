"""Decides how a failed build is run again, with StartBuild or RetryBuild, or who has to run it again instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.core.build import Build
from remediator.core.plan import SignIn
from remediator.core.snapshot import Snapshot

_OURS = ("registryCredential", "imagePullCredentialsType", "environmentVariables")
_OUTPUT_ONLY = ("dockerServer",)
_SOURCE = (
    "type",
    "location",
    "gitCloneDepth",
    "gitSubmodulesConfig",
    "insecureSsl",
    "reportBuildStatus",
    "auth",
)
START_BUILD, RETRY_BUILD = "StartBuild", "RetryBuild"
_WEBHOOKS = ("hookshot", "bitbucket", "gitlab")
_COMPARED = ("timeoutInMinutes", "queuedTimeoutInMinutes", "encryptionKey", "cache", "secondarySources")


def reason_against_retry(build: Build, snapshot: Snapshot, sign_in: SignIn) -> str | None:
    """Why it would not be this build again, as it was, if it were run from here, as advice; None when it would."""
    document = build.document
    initiator = build.initiator
    if initiator.startswith("codepipeline/") or (document.get("source") or {}).get("type") == "CODEPIPELINE":
        pipeline = initiator.partition("/")[2] or "that started it"
        return f"retry the failed stage of the pipeline {pipeline}: a pipeline does not notice builds from elsewhere"
    if document.get("buildBatchArn"):
        return "retry the batch that this build belongs to (RetryBuildBatch)"
    if snapshot.is_runner:
        return "re-run the job on GitHub: the build was the runner of one queued job"
    auto = document.get("autoRetryConfig") or {}
    if auto.get("nextAutoRetry") or int(auto.get("autoRetryNumber") or 0) < int(auto.get("autoRetryLimit") or 0):
        return "nothing: CodeBuild retries the build itself (autoRetryLimit)"
    differing = overrides(build, snapshot, sign_in)
    if differing:
        return f"start the build again with its overrides; it differs from the project in {', '.join(differing)}"
    return None


def way_to_retry(build: Build) -> str:
    """RetryBuild for what a webhook started: its variables (`CODEBUILD_WEBHOOK_…`) exist only there."""
    return RETRY_BUILD if any(word in build.initiator.lower() for word in _WEBHOOKS) else START_BUILD


def overrides(build: Build, snapshot: Snapshot, sign_in: SignIn) -> tuple[str, ...]:
    """Members in which the build differs from the project, without those that a repair changes."""
    project = snapshot.project
    mine, theirs = build.environment, snapshot.environment
    found = [
        f"environment.{name}"
        for name in sorted({*mine, *theirs} - {*_OURS, *_OUTPUT_ONLY})
        if _differs(mine, theirs, name)
    ]
    if _variables(mine, sign_in.references) != _variables(theirs, sign_in.references):
        found.append("environment.environmentVariables")
    source, project_source = build.document.get("source") or {}, project.get("source") or {}
    found += [f"source.{name}" for name in _SOURCE if _differs(source, project_source, name)]
    if build.buildspec != snapshot.buildspec and not _lacks_only_the_login(build, snapshot, sign_in):
        found.append("source.buildspec")
    found += [name for name in _COMPARED if name in build.document and _differs(build.document, project, name)]
    if _versions(build.document) != _versions(project):
        found.append("secondarySourceVersions")
    if (build.document.get("debugSession") or {}).get("sessionEnabled"):
        found.append("debugSession")
    return tuple(found)


def _lacks_only_the_login(build: Build, snapshot: Snapshot, sign_in: SignIn) -> bool:
    from remediator.core.repaired import same_buildspec

    return same_buildspec(build, snapshot, sign_in)


def _differs(build: Mapping[str, Any], project: Mapping[str, Any], name: str) -> bool:
    """Absent, null, false and empty mean the same here: the build's record fills defaults in."""
    return (build.get(name) or None) != (project.get(name) or None)


def _variables(environment: Mapping[str, Any], ours: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {
        v["name"]: (str(v.get("value", "")), str(v.get("type", "PLAINTEXT")))
        for v in environment.get("environmentVariables") or []
        if ours.get(v["name"]) != v.get("value") or v.get("type") != "SECRETS_MANAGER"
    }


def _versions(document: Mapping[str, Any]) -> dict[str, str]:
    return {
        v.get("sourceIdentifier", ""): v.get("sourceVersion", "") for v in document.get("secondarySourceVersions") or []
    }
