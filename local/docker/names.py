"""Which registry, repository and tag an image's name means to docker."""

from __future__ import annotations

import re
from typing import NamedTuple

HUB = "docker.io"
HUB_HOSTS = (HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


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
        return "registry-1.docker.io" if self.registry == HUB else self.registry


def parse(text: str) -> Name:
    """Read a name as `docker pull` does; raises InvalidName.

    https://github.com/distribution/reference
    """
    head, slash, tail = text.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        registry, rest = ("docker.io" if head == "index.docker.io" else head), tail
    else:
        registry, rest = HUB, text
    rest, at, digest = rest.partition("@")
    path, colon, tag = rest.partition(":")
    if registry == HUB and "/" not in path:
        path = f"library/{path}"
    if _PATH.fullmatch(path.lower()) is None or (colon and _TAG.fullmatch(tag) is None):
        raise InvalidName("invalid reference format")
    if path != path.lower():
        raise InvalidName(f"invalid reference format: repository name ({path}) must be lowercase")
    if at and _DIGEST.fullmatch(digest) is None:
        raise InvalidName("invalid reference format")
    return Name(registry, path, "" if at else (tag or "latest"), digest)
