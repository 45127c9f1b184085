"""Tells whether a newer build of the same reference was started after a build: then the older one is not run again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from remediator.core.codebuild.build import Build

_COMMIT = r"[0-9a-f]{40}|[0-9a-f]{64}"
_ABBREVIATED = r"[0-9a-f]{7,39}"
_PULL_REQUEST = r"(?:pr|refs/pull|refs/pull-requests|refs/merge-requests)/(\d+)(?:/.*)?"
_PLACES = ("refs/heads/", "refs/tags/", "refs/remotes/origin/", "origin/")
_TRIGGER = "CODEBUILD_WEBHOOK_TRIGGER"
"""What triggered a webhook's build: `branch/<name>`, `tag/<name>` or `pr/<number>`.
https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html"""
_HEAD = "CODEBUILD_WEBHOOK_HEAD_REF"
_UNVERSIONED = ("CODEPIPELINE", "S3", "NO_SOURCE")
"""Sources whose versions are those of an object: they have no branches."""


def newer_build(
    build: Build, builds: Sequence[Build], known: tuple[str, ...], batches: Mapping[str, float] | None = None
) -> Build | None:
    """The build that supersedes `build`; None where none does.

    `builds` are builds of its project, `build` among them. `known` are the ARNs of builds, and the ids of batches, that
    the caller started for it. `batches` has the start of each batch by its id: what belongs to a batch is as old as
    that. An automatic retry of CodeBuild's is as old as the build that it repeats.
    """
    by_arn = {str(one.document.get("arn")): one for one in builds}
    started = batches or {}

    def first(arn: str) -> str:
        """The ARN of the first build of a chain of automatic retries."""
        seen: set[str] = set()
        while arn in by_arn and by_arn[arn].previous_auto_retry and arn not in seen:
            seen.add(arn)
            arn = by_arn[arn].previous_auto_retry
        return arn

    def age(one: Build) -> tuple[float, int]:
        """Builds that were started within the same millisecond are told apart by their numbers."""
        root = by_arn.get(first(str(one.document.get("arn"))))
        # The list goes back to `build`: a chain that began before that list is older.
        return (started.get(root.batch, root.started_at), root.number) if root else (0.0, 0)

    reference, since, own = _reference(build, builds), age(build), first(str(build.document.get("arn")))
    for arn, other in by_arn.items():
        of_its_own = first(arn) in (own, *known) or (other.batch and other.batch in (build.batch, *known))
        if not of_its_own and age(other) > since and _reference(other, builds) == reference:
            return other
    return None


def _reference(build: Build, builds: Sequence[Build]) -> str | None:
    """What the build was started for: a branch or a tag, a pull request, or empty for none. A bare commit is that of
    the branch for which it was built, by the webhook's own word or by another build of it; None where nothing tells."""
    if (build.document.get("source") or {}).get("type") in _UNVERSIONED:
        return ""
    asked = _asked(build)
    if not _is_commit(asked, build):
        return _name(asked)
    triggered = _triggered(build)
    if triggered:
        return triggered
    same = (other for other in builds if _commit(other) == (_commit(build) or asked))
    names = {_triggered(o) or _name(_asked(o)) for o in same if _triggered(o) or not _is_commit(_asked(o), o)}
    return names.pop() if len(names) == 1 else None


def _asked(build: Build) -> str:
    return str(build.document.get("sourceVersion") or "").partition("^{")[0]


def _commit(build: Build) -> str:
    return str(build.document.get("resolvedSourceVersion") or "")


def _is_commit(asked: str, build: Build) -> bool:
    if re.fullmatch(_COMMIT, asked):
        return True
    return re.fullmatch(_ABBREVIATED, asked) is not None and _commit(build).startswith(asked)


def _name(version: str) -> str:
    """A short name may be a branch or a tag, so both kinds are one."""
    request = re.fullmatch(_PULL_REQUEST, version)
    if request:
        return f"pr/{request[1]}"
    for place in _PLACES:
        version = version.removeprefix(place)
    return "" if version == "HEAD" else version


def _triggered(build: Build) -> str:
    """By the variables that CodeBuild gives a webhook's build; empty where its record does not show them."""
    variables = build.environment.get("environmentVariables") or []
    values = {str(v.get("name")): str(v.get("value") or "") for v in variables}
    trigger = values.get(_TRIGGER) or ""
    kind, slash, name = trigger.partition("/")
    if slash and kind in ("branch", "tag"):
        return name
    return _name(trigger) or _name(values.get(_HEAD) or "")
