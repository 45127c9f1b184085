"""How a repaired project signs in to Docker Hub, and which build environments may carry its credential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from remediator.core.codebuild.image import ImageReference
from remediator.core.names import PASSWORD_VARIABLE, USERNAME_VARIABLE
from remediator.core.repair.change import GrantBy, GrantSecretAccess
from remediator.core.value import value


@value
class SignIn:
    """How a repaired project signs in: with which secret, granted in which way, in which variables. `key_arn` is the
    account's own key that encrypts the secret, empty for Secrets Manager's."""

    secret_arn: str
    policy_arn: str
    grant_by: GrantBy = "managed"
    key_arn: str = ""
    username_variable: str = USERNAME_VARIABLE
    password_variable: str = PASSWORD_VARIABLE
    variables: Literal["always", "when-needed"] = "always"
    auth_config_variable: str = "DOCKER_AUTH_CONFIG"

    def grant(self, role_arn: str) -> GrantSecretAccess:
        return GrantSecretAccess(role_arn, self.policy_arn, self.secret_arn, self.grant_by)

    def let_role_read(self, role_arn: str, *what: str) -> str:
        """Advice on how a person makes that grant; `what` is its first sentence, where that is another one."""
        from remediator.core.advice.grants import let_role_read

        return let_role_read(self.grant_by, role_arn, self.policy_arn, self.secret_arn, self.key_arn, *what)

    @property
    def customer_key(self) -> bool:
        return bool(self.key_arn)

    @property
    def variable_names(self) -> dict[str, str]:
        """As the functions that write a login take them."""
        return {"username_variable": self.username_variable, "password_variable": self.password_variable}

    @property
    def auth_config_reference(self) -> str:
        """What the docker CLI's own variable is resolved from: the secret's third key."""
        return f"{self.secret_arn}:docker_auth_config"

    def signs_in_image(self, environment: Mapping[str, Any]) -> bool:
        """Is a build environment's own image pulled with this secret?"""
        return (environment.get("registryCredential") or {}).get("credential") == self.secret_arn

    def named_in(self, environment: Mapping[str, Any]) -> tuple[str, ...]:
        """What of a build environment refers to the secret: the names of variables, and `registryCredential`."""
        variables = environment.get("environmentVariables") or []
        named = [str(v.get("name")) for v in variables if str(v.get("value", "")).startswith(self.secret_arn)]
        return (*named, *["registryCredential"] * self.signs_in_image(environment))

    @property
    def references(self) -> dict[str, str]:
        """Variable name to what CodeBuild resolves it from, `<secret ARN>:<JSON key>`; no value of the secret."""
        return {
            self.username_variable: f"{self.secret_arn}:username",
            self.password_variable: f"{self.secret_arn}:password",
        }


def takes_registry_credential(environment: Mapping[str, Any]) -> bool:
    """May this build environment carry a Docker Hub credential for its image?

    CodeBuild refuses it for its curated images and ECR's, and would hand it to any other registry; Lambda compute takes
    images from ECR only.
    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_RegistryCredential.html
    """
    if str(environment.get("type", "")).endswith("_LAMBDA_CONTAINER"):
        return False
    try:
        return ImageReference.parse(str(environment.get("image", ""))).is_docker_hub
    except ValueError:
        return False
