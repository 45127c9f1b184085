"""Decides what has to change so that a project signs in to Docker Hub: (Snapshot, SignIn) to a Plan, purely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from remediator.core.image import ImageReference
from remediator.core.snapshot import Document, Snapshot

SECRETS_MANAGER = "SECRETS_MANAGER"
ABSENT = "absent"
"""What the journal keeps as the old value of a member that was not there."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a repaired project signs in: with which secret, granted by which policy, in which variables."""

    secret_arn: str
    policy_arn: str
    username_variable: str = "DOCKERHUB_USERNAME"
    password_variable: str = "DOCKERHUB_PASSWORD"  # noqa: S105 - the name of a variable
    variables: Literal["always", "when-needed"] = "always"

    @property
    def references(self) -> dict[str, str]:
        """Variable name to what CodeBuild resolves it from, `<secret ARN>:<JSON key>`; no value of the secret."""
        return {
            self.username_variable: f"{self.secret_arn}:username",
            self.password_variable: f"{self.secret_arn}:password",
        }


@dataclass(frozen=True, slots=True)
class GrantSecretAccess:
    """Attach the managed policy that may read the secret to the project's service role."""

    role_arn: str
    policy_arn: str

    @property
    def role_name(self) -> str:
        """IAM's calls take the friendly name, without the path: the part after the last slash."""
        return self.role_arn.rpartition("/")[2]

    def show(self) -> str:
        return f"attach the policy {self.policy_arn} to the role {self.role_name}"


@dataclass(frozen=True, slots=True)
class SetRegistryCredential:
    """Pull the build's own image with the secret: `registryCredential` and SERVICE_ROLE."""

    secret_arn: str
    old_pull_type: str | None

    def show(self) -> str:
        return f"pull the image with the registry credential {self.secret_arn} (imagePullCredentialsType SERVICE_ROLE)"

    def apply(self, environment: Document) -> Document:
        credential = {"credential": self.secret_arn, "credentialProvider": SECRETS_MANAGER}
        return {**environment, "registryCredential": credential, "imagePullCredentialsType": "SERVICE_ROLE"}

    def revert(self, environment: Document) -> Document:
        """The environment as it was, unless somebody has set another credential since."""
        if (environment.get("registryCredential") or {}).get("credential") != self.secret_arn:
            return environment
        rest = {k: v for k, v in environment.items() if k not in ("registryCredential", "imagePullCredentialsType")}
        # CodeBuild's default: a member that is absent comes back as that.
        return {**rest, "imagePullCredentialsType": self.old_pull_type or "CODEBUILD"}

    def record(self) -> dict[str, Any]:
        return {
            "registryCredential": {"old": ABSENT, "new": self.secret_arn},
            "imagePullCredentialsType": {"old": self.old_pull_type or ABSENT, "new": "SERVICE_ROLE"},
        }


@dataclass(frozen=True, slots=True)
class SetEnvironmentVariables:
    """Give the build's commands the credentials, as variables that CodeBuild resolves from the secret."""

    references: tuple[tuple[str, str], ...]

    def show(self) -> str:
        return "set the environment variables " + " and ".join(f"{name} = {value}" for name, value in self.references)

    def apply(self, environment: Document) -> Document:
        present = environment.get("environmentVariables") or []
        added = [
            variable
            for name, value in self.references
            if (variable := {"name": name, "value": value, "type": SECRETS_MANAGER}) not in present
        ]
        return {**environment, "environmentVariables": [*present, *added]}

    def revert(self, environment: Document) -> Document:
        """The environment without these variables, where they still refer to the same secret."""
        kept = [
            variable
            for variable in environment.get("environmentVariables") or []
            if not _refers(variable, dict(self.references))
        ]
        return {**environment, "environmentVariables": kept}

    def record(self) -> dict[str, Any]:
        return {f"environmentVariables.{name}": {"old": ABSENT, "new": value} for name, value in self.references}


ProjectChange = SetRegistryCredential | SetEnvironmentVariables
Change = GrantSecretAccess | ProjectChange
_KINDS: dict[str, type[Change]] = {
    kind.__name__: kind for kind in (GrantSecretAccess, SetRegistryCredential, SetEnvironmentVariables)
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes, in the order in which they are made, and the advice for what can't be changed from here."""

    changes: tuple[Change, ...] = ()
    advice: tuple[str, ...] = ()

    @property
    def grant(self) -> GrantSecretAccess | None:
        return next((change for change in self.changes if isinstance(change, GrantSecretAccess)), None)

    @property
    def project_changes(self) -> tuple[ProjectChange, ...]:
        return tuple(change for change in self.changes if not isinstance(change, GrantSecretAccess))

    def show(self) -> tuple[str, ...]:
        """The plan for people, a line for each change: the interpreter that changes nothing."""
        return tuple(change.show() for change in self.changes)

    def apply(self, project: Document) -> Document:
        """The project's document as it is after the plan: the interpreter that `patch` sends and compares with."""
        environment: Document = project.get("environment") or {}
        for change in self.project_changes:
            environment = change.apply(environment)
        return {**project, "environment": environment}

    def revert(self, project: Document) -> Document:
        """The project's document without what this plan changed, whatever else was changed since."""
        environment: Document = project.get("environment") or {}
        for change in reversed(self.project_changes):
            environment = change.revert(environment)
        return {**project, "environment": environment}

    def record(self) -> dict[str, Any]:
        """Old and new value of each member that the plan touches: references, never values of other variables."""
        return {member: values for change in self.project_changes for member, values in change.record().items()}

    def to_json(self) -> dict[str, Any]:
        return {"changes": [_change_to_json(change) for change in self.changes], "advice": list(self.advice)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Plan:
        return cls(tuple(_change_from_json(c) for c in document["changes"]), tuple(document["advice"]))


def _change_to_json(change: Change) -> dict[str, Any]:
    members = {name: getattr(change, name) for name in change.__slots__}
    if isinstance(change, SetEnvironmentVariables):
        members["references"] = [list(pair) for pair in change.references]
    return {"change": type(change).__name__, **members}


def _change_from_json(document: Mapping[str, Any]) -> Change:
    members = {name: value for name, value in document.items() if name != "change"}
    if "references" in members:
        members["references"] = tuple((name, value) for name, value in members["references"])
    return _KINDS[document["change"]](**members)


def make_plan(snapshot: Snapshot, sign_in: SignIn) -> Plan:
    """What is missing for the project to sign in. A project that lacks nothing gets a plan without changes.

    Grant first: a variable whose secret the role can't read yet fails every build of the project.
    """
    changes: list[Change] = []
    advice: list[str] = []
    if snapshot.role is None or sign_in.policy_arn not in snapshot.role.attached:
        changes.append(GrantSecretAccess(str(snapshot.project.get("serviceRole", "")), sign_in.policy_arn))
    credential = _registry_credential(snapshot, sign_in)
    if credential is not None:
        changes.append(credential)
    variables = _environment_variables(snapshot, sign_in, advice)
    if variables is not None:
        changes.append(variables)
    if _uses_nothing(snapshot, sign_in) and credential is None and variables is None:
        changes = []
    return Plan(tuple(changes), tuple(advice))


def takes_registry_credential(environment: Mapping[str, Any]) -> bool:
    """May this build environment carry a Docker Hub credential for its image?

    CodeBuild refuses it for its curated images and ECR's; on any other registry's image it would hand Docker Hub's
    credentials to that registry; Lambda compute takes images from ECR only.
    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_RegistryCredential.html
    """
    if str(environment.get("type", "")).endswith("_LAMBDA_CONTAINER"):
        return False
    try:
        return ImageReference.parse(str(environment.get("image", ""))).is_docker_hub
    except ValueError:
        return False


def _registry_credential(snapshot: Snapshot, sign_in: SignIn) -> SetRegistryCredential | None:
    environment = snapshot.environment
    if not takes_registry_credential(environment) or environment.get("registryCredential"):
        return None
    return SetRegistryCredential(sign_in.secret_arn, environment.get("imagePullCredentialsType"))


def _environment_variables(snapshot: Snapshot, sign_in: SignIn, advice: list[str]) -> SetEnvironmentVariables | None:
    if sign_in.variables == "when-needed" and not _commands_can_use(snapshot, sign_in):
        return None
    there = {v.get("name"): v for v in snapshot.environment.get("environmentVariables") or []}
    foreign = [name for name in sign_in.references if name in there and not _refers(there[name], sign_in.references)]
    if foreign:
        # Half a pair would mix two accounts, and every login with it would count towards a lockout.
        advice.append(
            f"the environment variable {' and '.join(foreign)} is the project's own and was kept, "
            "so neither of the two variables was set"
        )
        return None
    missing = tuple((name, value) for name, value in sign_in.references.items() if name not in there)
    return SetEnvironmentVariables(missing) if missing else None


def _refers(variable: Mapping[str, Any], references: Mapping[str, str]) -> bool:
    """Is it one of ours: the name, the reference, and the type that makes CodeBuild resolve it?"""
    ours = references.get(str(variable.get("name")))
    return ours is not None and variable.get("value") == ours and variable.get("type") == SECRETS_MANAGER


def _commands_can_use(snapshot: Snapshot, sign_in: SignIn) -> bool:
    """Can a command of this build use the variables?

    The docker daemon runs in a build only in privileged mode; without it, only a buildspec that names the variables
    has a use for them.
    """
    if snapshot.environment.get("privilegedMode"):
        return True
    return any(name in snapshot.buildspec for name in sign_in.references)


def _uses_nothing(snapshot: Snapshot, sign_in: SignIn) -> bool:
    """Does nothing in the project refer to the secret? Then its role has no need to read it either."""
    credential = (snapshot.environment.get("registryCredential") or {}).get("credential")
    values = [str(v.get("value", "")) for v in snapshot.environment.get("environmentVariables") or []]
    return credential != sign_in.secret_arn and not any(v.startswith(sign_in.secret_arn) for v in values)
