"""Decides what has to change so that a project signs in to Docker Hub: (Snapshot, SignIn) to a Plan, purely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remediator.core.buildspec.phases import BuildspecText
from remediator.core.codebuild.project import Document, Snapshot
from remediator.core.repair.change import (
    AddDockerLogin,
    Change,
    GrantSecretAccess,
    ProjectChange,
    SetEnvironmentVariables,
    SetRegistryCredential,
    refers,
)
from remediator.core.repair.sign_in import SignIn, takes_registry_credential
from remediator.core.repair.signed_in import readable
from remediator.core.value import value


@value
class Plan:
    """The changes, in the order in which they are made."""

    changes: tuple[Change, ...] = ()

    @property
    def grant(self) -> GrantSecretAccess | None:
        return next((change for change in self.changes if isinstance(change, GrantSecretAccess)), None)

    @property
    def project_changes(self) -> tuple[ProjectChange, ...]:
        return tuple(change for change in self.changes if not isinstance(change, GrantSecretAccess))

    def without(self, changes: Sequence[Change]) -> Plan:
        return Plan(tuple(change for change in self.changes if change not in changes))

    def show(self) -> tuple[str, ...]:
        """The plan for people, a line for each change: the interpreter that changes nothing."""
        return tuple(change.show() for change in self.changes)

    def apply(self, project: Document) -> Document:
        """The project's document as it is after the plan: the interpreter that `patch` sends and compares with."""
        for change in self.project_changes:
            project = {**project, change.MEMBER: change.apply(project.get(change.MEMBER) or {})}
        return project

    def revert(self, project: Document) -> Document:
        """The project's document without what this plan changed, whatever else was changed since."""
        for change in reversed(self.project_changes):
            project = {**project, change.MEMBER: change.revert(project.get(change.MEMBER) or {})}
        return project

    @property
    def logins(self) -> tuple[AddDockerLogin, ...]:
        return tuple(change for change in self.changes if isinstance(change, AddDockerLogin))

    @property
    def edits_source(self) -> bool:
        return bool(self.logins)

    def fits(self, project: Document) -> bool:
        """Is its place in the buildspec still the one that it was made for?"""
        return all(login.fits(project.get(login.MEMBER) or {}) for login in self.logins)

    def settings(self) -> Document:
        """What the plan sets, as a part of a project's document: for people who keep the project in a definition."""
        settings: Document = {}
        for change in self.project_changes:
            member = settings.setdefault(change.MEMBER, {})
            for name, setting in change.settings().items():
                # Two repairs of one project may both add variables.
                member[name] = [*member.get(name, []), *setting] if isinstance(setting, list) else setting
        return settings

    def record(self) -> dict[str, Any]:
        """Old and new value of each member that the plan touches: references, never values of other variables."""
        return {member: values for change in self.project_changes for member, values in change.record().items()}


def make_plan(
    snapshot: Snapshot,
    sign_in: SignIn,
    buildspec: BuildspecText | None = None,
    login: AddDockerLogin | None = None,
    auth_config: bool = False,
    *,
    for_build: bool = False,
) -> Plan:
    """What is missing for the project to sign in. A project that lacks nothing gets a plan without changes.

    Grant first: a variable whose secret the role can't read yet fails every build. `buildspec` is the project's where
    it was read already. `login` and `auth_config` are the two ways in which its commands can sign in; both need the
    variables. `for_build`: a build gets the credential as an override, so the role has to read the secret in any case.
    """
    granted = snapshot.role is not None and snapshot.role.granted
    grant = None if granted else sign_in.grant(snapshot.role_arn)
    credential = _registry_credential(snapshot, sign_in)
    variables = _environment_variables(snapshot, sign_in, buildspec, login is not None, auth_config)
    if not (credential or variables or for_build or sign_in.named_in(snapshot.environment)):
        return Plan()  # nothing refers to the secret, so its role does not need to read it either
    changes = (grant, credential, variables, login)
    return Plan(tuple(change for change in changes if change))


def _registry_credential(snapshot: Snapshot, sign_in: SignIn) -> SetRegistryCredential | None:
    environment = snapshot.environment
    if not takes_registry_credential(environment) or environment.get("registryCredential"):
        return None
    return SetRegistryCredential(sign_in.secret_arn, environment.get("imagePullCredentialsType"))


def kept_variables(
    snapshot: Snapshot, sign_in: SignIn, buildspec: BuildspecText | None = None, *, login: bool = False
) -> tuple[str, ...]:
    """The variables that the plan would set and that are the project's own: then it sets neither.

    Half a pair would mix two accounts, and every login with it would count towards a lockout.
    """
    return own_variables(snapshot, _useful_variables(snapshot, sign_in, login), buildspec)


def own_variables(
    snapshot: Snapshot, references: Mapping[str, str], buildspec: BuildspecText | None = None
) -> tuple[str, ...]:
    """The names that the project, or its inline buildspec, uses for variables of its own.

    A project's variable goes before the buildspec's of the same name, and a variable that CodeBuild resolves from a
    secret can't be exported. https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
    """
    there = snapshot.environment.get("environmentVariables") or []
    taken = [str(v.get("name")) for v in there if v.get("name") in references and not refers(v, references)]
    if any(name in snapshot.buildspec for name in references):
        says = readable(buildspec or BuildspecText(snapshot.buildspec))
        taken += [name for name, value in (says.variables if says else ()) if references.get(name, value) != value]
    return tuple(dict.fromkeys(taken))


def _environment_variables(
    snapshot: Snapshot, sign_in: SignIn, buildspec: BuildspecText | None, login: bool, auth_config: bool
) -> SetEnvironmentVariables | None:
    kept = kept_variables(snapshot, sign_in, buildspec, login=login)
    wanted = {} if kept else _useful_variables(snapshot, sign_in, login)
    if auth_config:
        wanted[sign_in.auth_config_variable] = sign_in.auth_config_reference
    there = {v.get("name") for v in snapshot.environment.get("environmentVariables") or []}
    missing = tuple((name, value) for name, value in wanted.items() if name not in there)
    return SetEnvironmentVariables(missing) if missing else None


def _useful_variables(snapshot: Snapshot, sign_in: SignIn, login: bool) -> dict[str, str]:
    """Both, or none where the builds' commands have no use for them.

    The docker daemon runs in a build only in privileged mode. Without it only a buildspec that names them has a use.
    """
    useful = login or sign_in.variables == "always" or snapshot.environment.get("privilegedMode")
    named = any(name in snapshot.buildspec for name in sign_in.references)
    return sign_in.references if useful or named else {}
