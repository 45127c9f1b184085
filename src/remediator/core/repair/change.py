"""The edits that a repair makes to a role or a project: each is data that shows, applies and takes itself back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from remediator.core.codebuild.project import Document
from remediator.core.value import value

if TYPE_CHECKING:
    from remediator.core.buildspec.insertion import Insertion

SECRETS_MANAGER = "SECRETS_MANAGER"
GrantBy = Literal["managed", "secret", "inline", "none"]
ABSENT = "absent"
"""What the journal keeps as the old value of a member that was not there."""


@value
class GrantSecretAccess:
    """Let the service role read the secret: by the stack's managed policy, the secret's own resource policy, or an
    inline policy in the role; "none" leaves it to a person."""

    role_arn: str
    policy_arn: str
    secret_arn: str = ""
    by: GrantBy = "managed"

    @property
    def role_name(self) -> str:
        """IAM's calls take the friendly name, without the path: the part after the last slash."""
        return self.role_arn.rpartition("/")[2]

    def show(self) -> str:
        match self.by:
            case "secret":
                return f"name the role {self.role_name} in the resource policy of the secret {self.secret_arn}"
            case "inline":
                return f"put an inline policy that may read the secret {self.secret_arn} into the role {self.role_name}"
        return f"attach the policy {self.policy_arn} to the role {self.role_name}"


@value
class SetRegistryCredential:
    """Pull the build's own image with the secret: `registryCredential` and SERVICE_ROLE."""

    MEMBER: ClassVar = "environment"
    secret_arn: str
    old_pull_type: str | None

    def show(self) -> str:
        return f"pull the image with the registry credential {self.secret_arn} (imagePullCredentialsType SERVICE_ROLE)"

    def settings(self) -> Document:
        credential = {"credential": self.secret_arn, "credentialProvider": SECRETS_MANAGER}
        return {"registryCredential": credential, "imagePullCredentialsType": "SERVICE_ROLE"}

    def apply(self, environment: Document) -> Document:
        return {**environment, **self.settings()}

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


@value
class SetEnvironmentVariables:
    """Give the build's commands the credentials, as variables that CodeBuild resolves from the secret."""

    MEMBER: ClassVar = "environment"
    references: tuple[tuple[str, str], ...]

    def show(self) -> str:
        return "set the environment variables " + " and ".join(f"{name} = {value}" for name, value in self.references)

    def settings(self) -> Document:
        variables = [{"name": name, "value": value, "type": SECRETS_MANAGER} for name, value in self.references]
        return {"environmentVariables": variables}

    def apply(self, environment: Document) -> Document:
        present = environment.get("environmentVariables") or []
        added = [variable for variable in self.settings()["environmentVariables"] if variable not in present]
        return {**environment, "environmentVariables": [*present, *added]}

    def revert(self, environment: Document) -> Document:
        """The environment without these variables, where they still refer to the same secret."""
        present, ours = environment.get("environmentVariables") or [], dict(self.references)
        return {**environment, "environmentVariables": [each for each in present if not refers(each, ours)]}

    def record(self) -> dict[str, Any]:
        return {f"environmentVariables.{name}": {"old": ABSENT, "new": value} for name, value in self.references}


@value
class AddDockerLogin:
    """Sign the commands in: `text` goes into the inline buildspec at the character `at`, and nothing else changes.

    `command` is what the text makes the build run, `before` the digest of the only buildspec in which `at` is right.
    """

    MEMBER: ClassVar = "source"
    at: int
    text: str
    command: str
    before: str

    @classmethod
    def into(cls, buildspec: str, insertion: Insertion, command: str) -> AddDockerLogin:
        return cls(insertion.at, insertion.text, command, _digest(buildspec))

    @property
    def _insertion(self) -> Insertion:
        from remediator.core.buildspec.insertion import Insertion

        return Insertion(self.at, self.text)

    def show(self) -> str:
        return f"add a command to the inline buildspec, before every other: {self.command}"

    def settings(self) -> Document:
        return {"buildspec": self.command}

    def fits(self, source: Document) -> bool:
        """Is this the source that the change was planned for, as it was or with the change made?"""
        return self.before in (_digest(_buildspec(each)) for each in (source, self.revert(source)))

    def apply(self, source: Document) -> Document:
        """The source with the text in it; once in it stays as it is, and another buildspec is left alone."""
        text = _buildspec(source)
        return {**source, "buildspec": self._insertion.apply(text)} if _digest(text) == self.before else source

    def revert(self, source: Document) -> Document:
        """The source without the inserted text, unless somebody has edited that since."""
        before = self._insertion.revert(_buildspec(source))
        return source if before is None else {**source, "buildspec": before}

    def record(self) -> dict[str, Any]:
        return {"source.buildspec": {"old": ABSENT, "new": self.text, "at": self.at}}


def _buildspec(source: Document) -> str:
    return str(source.get("buildspec") or "")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def refers(variable: Mapping[str, Any], references: Mapping[str, str]) -> bool:
    """Is it one of ours: the name, the reference, and the type that makes CodeBuild resolve it?"""
    ours = references.get(str(variable.get("name")))
    return ours is not None and variable.get("value") == ours and variable.get("type") == SECRETS_MANAGER


ProjectChange = SetRegistryCredential | SetEnvironmentVariables | AddDockerLogin
Change = GrantSecretAccess | ProjectChange
