"""Names and figures that several packages use, each written down once."""

from __future__ import annotations

DOCKER_HUB = "docker.io"
"""The name of Docker Hub in an image reference."""

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""The one name under which the docker CLI keeps Docker Hub's credentials."""

HOSTS_OF_DOCKER_HUB = (
    DOCKER_HUB,
    "index.docker.io",
    "registry-1.docker.io",
    "registry.docker.io",
    "registry.hub.docker.com",
    "hub.docker.com",
)

USERNAME_VARIABLE = "DOCKERHUB_USERNAME"
PASSWORD_VARIABLE = "DOCKERHUB_PASSWORD"  # noqa: S105 - the name of a variable
"""The default names of the two environment variables."""

AWS_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}

PATIENCE_AFTER_GRANT = 600
"""Seconds after a grant in which a build that can't read the secret proves nothing: IAM promises no time."""

CLOCK_SKEW = 60
"""Seconds by which this function's clock may differ from CodeBuild's."""


def is_docker_hub(host: str) -> bool:
    """Is it one of Docker Hub's machines that serve images?"""
    return host.endswith(f".{DOCKER_HUB}") or (host in HOSTS_OF_DOCKER_HUB and host != "hub.docker.com")


def aws_suffix(partition: str) -> str:
    """What the names of AWS's hosts and services end with in a partition."""
    return AWS_SUFFIXES.get(partition, "amazonaws.com")
