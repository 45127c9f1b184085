"""Which curated images read DOCKER_AUTH_CONFIG."""

from __future__ import annotations

import pytest

from remediator.core.repair.command_sign_in import reads_docker_auth_config


@pytest.mark.parametrize(
    "image",
    [
        "aws/codebuild/standard:7.0",
        "aws/codebuild/standard:8.0",
        "aws/codebuild/amazonlinux-x86_64-standard:5.0",
        "aws/codebuild/amazonlinux-x86_64-standard:6.0",
        "aws/codebuild/amazonlinux-aarch64-standard:3.0",
        "aws/codebuild/amazonlinux-aarch64-standard:4.0",
    ],
)
def test_a_maintained_image_reads_it(image: str) -> None:
    assert reads_docker_auth_config(image)


@pytest.mark.parametrize(
    "image",
    [
        "aws/codebuild/standard:6.0",
        "aws/codebuild/standard:7.0-25.10.02",
        "aws/codebuild/standard:7.0@sha256:" + "0a" * 32,
        "aws/codebuild/standard",
        "aws/codebuild/amazonlinux-x86_64-standard:4.0",
        "aws/codebuild/amazonlinux-aarch64-standard:2.0",
        "aws/codebuild/amazonlinux-x86_64-lambda-standard:python3.13",
        "docker.io/aws/codebuild/standard:7.0",
        "acme/standard:7.0",
        "aws/codebuild/standard:7.0\n",
        "",
    ],
)
def test_an_older_a_pinned_or_a_custom_image_is_not_relied_on(image: str) -> None:
    assert not reads_docker_auth_config(image)
