"""What an image's name means to docker and to CodeBuild: registry, repository, and tag or digest. Imports little: each
docker command of a build reads it."""

from __future__ import annotations

import re
from typing import NamedTuple

HUB = "docker.io"
HUB_HOST = "registry-1.docker.io"
HUB_HOSTS = (HUB, "index.docker.io", HUB_HOST, "registry.hub.docker.com")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ECR = re.compile(
    r"^\d{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$"
)


class InvalidName(ValueError):
    """docker's own words about a name that is none."""


class Name(NamedTuple):
    """`registry` is `docker.io` or another host; `tag` is empty where there is a digest."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """What a registry is asked for."""
        return self.digest or self.tag

    @property
    def full(self) -> str:
        """Registry, repository and tag or digest, as BuildKit writes it."""
        return f"{self.registry}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")

    @property
    def short(self) -> str:
        """Without `docker.io/library/`, as people write it."""
        return self.full.removeprefix(f"{HUB}/library/").removeprefix(f"{HUB}/")

    @property
    def host(self) -> str:
        """The host that answers for the registry."""
        return HUB_HOST if self.registry == HUB else self.registry

    @property
    def on_docker_hub(self) -> bool:
        """Whether Docker Hub answers for it, under whichever name."""
        return self.host == HUB_HOST

    @property
    def curated(self) -> bool:
        """Whether it is one of CodeBuild's own images, which no registry is asked for."""
        return self.registry == HUB and self.repository.startswith("aws/codebuild/")

    @property
    def private_ecr(self) -> bool:
        return _ECR.match(self.registry) is not None


def split(text: str) -> Name:
    """The parts of a name, also of one that docker refuses: CodeBuild keeps whatever a project says."""
    registry, repository, tag, digest = _parts(text)
    if digest is not None:
        return Name(registry, repository, "", digest)
    return Name(registry, repository, "latest" if tag is None else tag, "")


def parse(text: str) -> Name:
    """Read a name as `docker pull` does; raises InvalidName.

    https://github.com/distribution/reference
    """
    _, repository, tag, digest = _parts(text)
    if _PATH.fullmatch(repository.lower()) is None or (tag is not None and _TAG.fullmatch(tag) is None):
        raise InvalidName("invalid reference format")
    if repository != repository.lower():
        raise InvalidName(f"invalid reference format: repository name ({repository}) must be lowercase")
    if digest is not None and _DIGEST.fullmatch(digest) is None:
        raise InvalidName("invalid reference format")
    return split(text)


def _parts(text: str) -> tuple[str, str, str | None, str | None]:
    """Registry, repository, tag and digest; None for a tag or digest that is not there."""
    head, slash, tail = text.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        registry, rest = (HUB if head == "index.docker.io" else head), tail
    else:
        registry, rest = HUB, text
    rest, at, digest = rest.partition("@")
    path, colon, tag = rest.partition(":")
    if registry == HUB and "/" not in path:
        path = f"library/{path}"
    return registry, path, tag if colon else None, digest if at else None
