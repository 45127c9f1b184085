"""Decides what an undo changes in a project: (project, secrets, what the journal knows) to a plan, purely."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from remediator.core.codebuild.project import Document, Snapshot, is_inline
from remediator.core.guards.scope import TAG
from remediator.core.repair.change import (
    ABSENT,
    SECRETS_MANAGER,
    AddDockerLogin,
    ProjectChange,
    SetEnvironmentVariables,
    SetRegistryCredential,
    refers,
)
from remediator.core.repair.plan import Plan
from remediator.core.repair.sign_in import SignIn
from remediator.core.repair.signed_in import login_lines
from remediator.core.value import value
from undo.login import find_login
from undo.mentions import mentions

Repair = Mapping[str, Any]
"""What the journal keeps of one repair: each member with its old and its new value."""

OFF = {"key": TAG, "value": "off"}


@value
class TakenOut:
    """A project `before` and `after` its undo, and the plan of the repair that is reverted in between. `left`: members
    that name the secret and are not as this tool makes them; they stay."""

    before: Document
    after: Document
    plan: Plan
    left: tuple[str, ...]
    recorded: bool

    @property
    def edits_source(self) -> bool:
        return self.plan.edits_source

    @property
    def still_used(self) -> tuple[str, ...]:
        """The variables that go, and that commands of the inline buildspec name all the same."""
        gone = [name for change in self._variable_changes for name, _ in change.references]
        text = Snapshot(self.after).buildspec
        return tuple(name for name in gone if re.search(rf"\b{name}\b", text)) if is_inline(text) else ()

    @property
    def _variable_changes(self) -> Iterator[SetEnvironmentVariables]:
        return (each for each in self.plan.project_changes if isinstance(each, SetEnvironmentVariables))

    def show(self) -> Iterator[str]:
        """Each change, for people: the member, and what becomes of it."""
        if self.before.get("tags") != self.after.get("tags"):
            yield f"tags: {TAG}=off, so that nothing repairs the project again"
        for change in self.plan.project_changes:
            yield from _shown(change, self.before, self.after)

    def notes(self) -> Iterator[str]:
        """What a person should know before it is done."""
        if self.plan.changes and not self.recorded:
            yield "the journal has no repair of this project: it may be that its owner signed it in by hand"
        gone = [name for change in self._variable_changes for name, _ in change.references]
        if gone and not is_inline(Snapshot(self.before).buildspec):
            yield (
                f"the buildspec is not part of the project, and was not looked into: if it uses {' or '.join(gone)}, "
                "it finds nothing there from now on"
            )
        for member in self.left:
            yield f"{member} names the secret and was not made by this tool: it stays"

    def tags_without_ours(self) -> list[Any]:
        """The tags as they are without an undo."""
        return [tag for tag in self.before.get("tags") or [] if tag != OFF]


def take_out(project: Document, sign_ins: Sequence[SignIn], repairs: Sequence[Repair]) -> TakenOut:
    """What of the project a repair has made, as it is now, and the project without it and with the tag `off`.

    `repairs` are the journal's, newest first. Only members that are as this tool makes them are taken out.
    """
    changes = [change for each in sign_ins for change in _in_environment(project, each, repairs)]
    login = _login(project, sign_ins, repairs)
    plan = Plan((*changes, login) if login else tuple(changes))
    after = {**plan.revert(project), "tags": _with_off(project.get("tags") or [])}
    left = mentions(after, [each.secret_arn for each in sign_ins])
    return TakenOut(project, after, plan, left, recorded=bool(repairs))


def _in_environment(project: Document, sign_in: SignIn, repairs: Sequence[Repair]) -> Iterator[ProjectChange]:
    environment = project.get("environment") or {}
    credential = {"credential": sign_in.secret_arn, "credentialProvider": SECRETS_MANAGER}
    if environment.get("registryCredential") == credential:
        present = environment.get("imagePullCredentialsType")
        yield SetRegistryCredential(sign_in.secret_arn, _old_pull_type(sign_in.secret_arn, repairs, present))
    references = {**sign_in.references, sign_in.auth_config_variable: sign_in.auth_config_reference}
    variables = environment.get("environmentVariables") or []
    ours = tuple((str(each["name"]), str(each["value"])) for each in variables if refers(each, references))
    if ours:
        yield SetEnvironmentVariables(ours)


def _login(project: Document, sign_ins: Sequence[SignIn], repairs: Sequence[Repair]) -> AddDockerLogin | None:
    """The login in the inline buildspec. One that reads variables of the owner's own is the owner's."""
    buildspec = Snapshot(project).buildspec
    variables = (project.get("environment") or {}).get("environmentVariables") or []
    own = [
        variable
        for variable in variables
        if variable.get("name") in sign_ins[0].references
        and not any(refers(variable, each.references) for each in sign_ins)
    ]
    if own or not is_inline(buildspec):
        return None
    recorded = [str(repair["source.buildspec"]["new"]) for repair in repairs if "source.buildspec" in repair]
    return find_login(buildspec, login_lines(sign_ins[0]), recorded)


def _old_pull_type(secret_arn: str, repairs: Iterable[Repair], present: str | None) -> str | None:
    """What imagePullCredentialsType was before the newest repair that set the credential, None for CodeBuild's default.
    The present one where the journal does not know: SERVICE_ROLE pulls public images too."""
    for repair in repairs:
        if (repair.get("registryCredential") or {}).get("new") == secret_arn:
            old = (repair.get("imagePullCredentialsType") or {}).get("old", ABSENT)
            return None if old == ABSENT else str(old)
    return present


def _with_off(tags: Sequence[Document]) -> list[Document]:
    """The tags with ours, in which every spelling of its key is ours too."""
    others = [tag for tag in tags if str(tag.get("key")).lower() != TAG.lower()]
    return list(tags) if OFF in tags and len(others) == len(tags) - 1 else [*others, OFF]


def _shown(change: ProjectChange, before: Document, after: Document) -> Iterator[str]:
    match change:
        case SetRegistryCredential():
            yield f"environment.registryCredential: removed ({change.secret_arn})"
            old, new = (each["environment"].get("imagePullCredentialsType") for each in (before, after))
            told = f"{old} becomes {new}, as before the repair" if old != new else f"stays {old}"
            yield f"environment.imagePullCredentialsType: {told}"
        case SetEnvironmentVariables():
            for name, reference in change.references:
                yield f"environment.environmentVariables.{name}: removed ({reference})"
        case AddDockerLogin():
            yield f"source.buildspec: the login is removed ({change.command})"
