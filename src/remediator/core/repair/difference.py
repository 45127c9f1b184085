"""Finds in which members two JSON documents differ, as paths that a person can read."""

from __future__ import annotations

from typing import Any

from remediator.core.codebuild.project import Document

_CODEBUILDS_OWN = ("lastModified", "environment.dockerServer.status")
"""Members that CodeBuild itself changes."""


def difference(old: Any, new: Any, path: str = "") -> tuple[str, ...]:
    """The paths (`environment.environmentVariables[2].value`) at which `old` and `new` differ, never the values."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        return tuple(
            found
            for name in names
            for found in difference(old.get(name), new.get(name), f"{path}.{name}" if path else str(name))
        )
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return tuple(
            found
            for index, pair in enumerate(zip(old, new, strict=True))
            for found in difference(*pair, f"{path}[{index}]")
        )
    return () if old == new else (path,)


def changed_by_update(sent: Document, after: Document) -> tuple[str, ...]:
    """The paths at which a project, read back after an update, differs from what was sent."""
    return tuple(path for path in difference(_ordered(sent), _ordered(after)) if not path.startswith(_CODEBUILDS_OWN))


def _ordered(project: Document) -> Document:
    """Tags are a set: CodeBuild promises no order for them."""
    return {**project, "tags": sorted(project.get("tags") or [], key=lambda tag: str(tag.get("key")))}
