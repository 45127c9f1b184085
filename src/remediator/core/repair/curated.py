"""Knows which of CodeBuild's own images carry a docker CLI that reads DOCKER_AUTH_CONFIG."""

from __future__ import annotations

# The docker CLI reads it since 28.3 (https://github.com/docker/cli/pull/6008); the maintained images carry 28.5
# (https://github.com/aws/aws-codebuild-docker-images), except those of Lambda compute, which have no docker.
_READERS = frozenset(
    {
        "aws/codebuild/standard:7.0",
        "aws/codebuild/standard:8.0",
        "aws/codebuild/amazonlinux-x86_64-standard:5.0",
        "aws/codebuild/amazonlinux-x86_64-standard:6.0",
        "aws/codebuild/amazonlinux-aarch64-standard:3.0",
        "aws/codebuild/amazonlinux-aarch64-standard:4.0",
    }
)


def reads_docker_auth_config(image: str) -> bool:
    """Whether `docker pull` in a build with this image signs in with the variable DOCKER_AUTH_CONFIG alone.

    False for every image that could carry an older docker CLI: custom ones, and curated ones that are pinned to a
    release (`standard:7.0-25.10.02`) or a digest.
    """
    return image in _READERS
