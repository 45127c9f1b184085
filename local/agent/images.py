"""Which docker a build image has, if any.

https://github.com/aws/aws-codebuild-docker-images
"""

from __future__ import annotations

import re

from local import image_name

_CURATED = (
    (re.compile(r"lambda"), None),
    (re.compile(r"^aws/codebuild/standard:(7|8)\."), "28.5.2"),
    (re.compile(r"^aws/codebuild/amazonlinux2?-x86_64-standard:(5|6)\."), "28.5.2"),
    (re.compile(r"^aws/codebuild/amazonlinux2?-aarch64-standard:(3|4)\."), "28.5.2"),
    (re.compile(r"corretto"), "23.0.6"),
    (re.compile(r""), "20.10.24"),
)
_DOCKER = "28.5.2"


def docker_version(image: str) -> str | None:
    """The version of the docker command in a build image; None where there is none.

    Curated images have what their Dockerfiles install, Docker's own image has a current one, others are taken to
    have none.
    """
    parsed = image_name.split(image)
    if parsed.curated:
        return next(version for pattern, version in _CURATED if pattern.search(image))
    return _DOCKER if parsed.repository in ("library/docker", "docker/library/docker") else None
