"""What an image reference means."""

from __future__ import annotations

import dataclasses

import pytest

from remediator.core.codebuild.image import ImageReference


def test_a_short_name_is_an_official_image_of_docker_hub() -> None:
    assert ImageReference.parse("redis") == ImageReference("docker.io", "library/redis")


def test_the_former_name_of_docker_hub_is_docker_hub() -> None:
    assert ImageReference.parse("index.docker.io/acme/tool:1") == ImageReference("docker.io", "acme/tool", "1")


def test_tag_and_digest_are_both_kept() -> None:
    digest = "sha256:" + "0a" * 32
    assert ImageReference.parse(f"acme/tool:1@{digest}") == ImageReference("docker.io", "acme/tool", "1", digest)


@pytest.mark.parametrize("text", ["docker.io.evil.example/tool", "notdocker.io/tool", "registry-1.docker.io/tool"])
def test_only_docker_hub_itself_is_docker_hub(text: str) -> None:
    image = ImageReference.parse(text)
    assert image.registry == text.partition("/")[0]
    assert not image.is_docker_hub


def test_an_image_of_codebuild_is_curated_and_not_of_docker_hub() -> None:
    image = ImageReference.parse("aws/codebuild/standard:7.0")
    assert (image.registry, image.repository) == ("codebuild", "aws/codebuild/standard")
    assert not image.is_docker_hub


def test_a_name_that_only_looks_curated_is_of_docker_hub() -> None:
    assert ImageReference.parse("aws/codebuild-standard:7.0").is_docker_hub
    assert ImageReference.parse("docker.io/aws/codebuild/standard:7.0").is_docker_hub


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Redis", "lower case"),
        ("f" * 64, "64 hexadecimal digits"),
        ("redis:" + "t" * 129, "128"),
        ("redis@md5:" + "0" * 32, "sha256"),
        ("acme/" + "n" * 251, "255"),
        ("a..b/tool", "no host"),
        ("$IMAGE", "no repository"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ImageReference.parse(text)


def test_a_refusal_of_a_very_long_text_is_short() -> None:
    with pytest.raises(ValueError, match="no image reference") as refusal:
        ImageReference.parse("%" * 100_000)
    assert len(str(refusal.value)) < 400


def test_a_reference_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ImageReference.parse("redis").tag = "7"  # type: ignore[misc]
