"""Finds where a project's document names a secret, whoever has put it there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from remediator.core.buildspec.phases import BuildspecText
from remediator.core.repair.change import SECRETS_MANAGER
from remediator.core.repair.signed_in import readable

_SUFFIX = len("-AbCdEf")
"""What Secrets Manager appends to a secret's name in its ARN. A reference may leave it out."""

_SPEAKS_ONLY = ("name", "arn", "description", "tags")
"""Members that nothing is resolved from."""


def mentions(project: Mapping[str, Any], secrets: Sequence[str]) -> tuple[str, ...]:
    """The members that name one of these secrets (ARNs), as paths: `environment.environmentVariables.HUB_USER`.

    CodeBuild takes a secret by ARN or by name. A buildspec in a repository or in S3 can't be looked into.
    """
    read = {member: inner for member, inner in project.items() if member not in _SPEAKS_ONLY}
    by_arn = [path for path, text in _texts(read) if any(secret[:-_SUFFIX] in text for secret in secrets)]
    by_name = [path for path, reference in _references(project) if any(_names(reference, each) for each in secrets)]
    return tuple(sorted({*by_arn, *by_name}))


def _names(reference: str, secret: str) -> bool:
    """Is the first part of `<name>:<key>:…` this secret's name? ARNs are found as texts."""
    return reference.partition(":")[0] == secret.split(":", 6)[-1][:-_SUFFIX]


def _references(project: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What CodeBuild resolves from a secret: path and reference."""
    environment = project.get("environment") or {}
    yield "environment.registryCredential", str((environment.get("registryCredential") or {}).get("credential", ""))
    for variable in environment.get("environmentVariables") or []:
        if variable.get("type") == SECRETS_MANAGER:
            yield f"environment.environmentVariables.{variable.get('name')}", str(variable.get("value", ""))
    says = readable(BuildspecText(str((project.get("source") or {}).get("buildspec") or "")))
    for _, reference in says.variables if says else ():
        yield "source.buildspec", reference


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a document. The path of a variable has its name, and a credential is one member."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for member, inner in value.items():
            own = member in ("value", "credential", "credentialProvider") and isinstance(inner, str)
            yield from _texts(inner, path if own else f"{path}.{member}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            named = item.get("name") if isinstance(item, Mapping) else None
            yield from _texts(item, f"{path}.{named}" if named else f"{path}[{index}]")
