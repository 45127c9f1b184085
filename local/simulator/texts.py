"""The words of a failed build: published wordings, chosen anew each run where several are known."""

import base64
import random
from http import HTTPStatus

from local.image_name import Name
from local.simulator.world import PullAnswer

UNABLE_TO_PULL = "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
SECRETS_MANAGER_ERROR = "Secrets Manager Error"

_PREFIX = "Unable to pull customer's container image. CannotPullContainerError: "
_DAEMON = "Error response from daemon: "

# Docker Hub's texts for anonymous pulls, from 2020 on; the 2025 one is common in build logs.
PULL_LIMIT_2020 = "Too Many Requests. Please see https://docs.docker.com/docker-hub/download-rate-limit/"
PULL_LIMIT = (
    "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: "
    "https://www.docker.com/increase-rate-limit"
)
PULL_LIMIT_2025 = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
OTHER_REGISTRY_LIMITS = ("Rate exceeded", "Data limit exceeded")


def account_limit(user: str, rng: random.Random) -> str:
    """Docker Hub's text for a pull that was signed in, with the token id that it carries."""
    token = base64.urlsafe_b64encode(rng.randbytes(20)).decode().rstrip("=")
    return (
        f"You have reached your pull rate limit as '{user}': dckr_jti_{token}=. "
        "You may increase the limit by upgrading. https://www.docker.com/increase-rate-limit"
    )


def unable_to_pull(image: Name, answer: PullAnswer, rng: random.Random) -> str:
    """The message of PROVISIONING's phase context when a registry did not give the image."""
    return _PREFIX + _pull_error(image, answer, rng)


def _pull_error(image: Name, answer: PullAnswer, rng: random.Random) -> str:
    url = f"https://{image.host}/v2/{image.repository}/manifests/{image.reference}"
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _throttled(image, answer.text, rng)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return f'{_DAEMON}Head "{url}": unauthorized: {answer.text or "incorrect username or password"}'
    if answer.status == HTTPStatus.NOT_FOUND:
        return (
            f"{_DAEMON}pull access denied for {image.repository}, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied"
        )
    return f'{_DAEMON}Head "{url}": received unexpected HTTP status: {answer.status} {answer.text}'.rstrip()


def _throttled(image: Name, text: str, rng: random.Random) -> str:
    if not image.on_docker_hub:
        return f"{_DAEMON}toomanyrequests: {text or rng.choice(OTHER_REGISTRY_LIMITS)}"
    anonymous = not text or ("pull rate limit" in text and "rate limit as '" not in text)
    if not anonymous:
        return f"{_DAEMON}toomanyrequests: {text}"
    digest = rng.randbytes(32).hex()
    return rng.choice(
        (
            f"error pulling image configuration: toomanyrequests: {PULL_LIMIT_2020}",
            f"{_DAEMON}toomanyrequests: {PULL_LIMIT}",
            f"{_DAEMON}toomanyrequests: {PULL_LIMIT_2025}",
            (
                "inspect image has been retried 5 time(s): httpReadSeeker: failed open: unexpected status code "
                f"https://{image.host}/v2/{image.repository}/manifests/sha256:{digest}: 429 Too Many Requests - "
                f"Server message: toomanyrequests: {PULL_LIMIT_2025}"
            ),
        )
    )


def credential_unreadable(secret_id: str, reason: str, rng: random.Random) -> str:
    """PROVISIONING's message when the registry credential can't be read.

    What AWS writes here was never published; these follow the container agent's manner.
    """
    return rng.choice(
        (
            f"{_PREFIX}unable to retrieve registry credential {secret_id} from Secrets Manager: {reason}",
            f"Unable to pull customer's container image. {SECRETS_MANAGER_ERROR}: {reason}",
        )
    )


def secret_denied(caller_arn: str, secret_arn: str) -> str:
    """Secrets Manager's refusal of a role without permission."""
    return (
        f"AccessDeniedException: User: {caller_arn} is not authorized to perform: "
        f"secretsmanager:GetSecretValue on resource: {secret_arn} because no identity-based policy allows the "
        "secretsmanager:GetSecretValue action"
    )


KMS_DENIED = "AccessDeniedException: Access to KMS is not allowed"
NOT_FOUND = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
