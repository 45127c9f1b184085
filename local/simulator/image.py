"""Which registry an image comes from, as a docker daemon and CodeBuild decide it."""

import re
from dataclasses import dataclass

_CURATED = re.compile(r"^aws/codebuild/")
_ECR = re.compile(
    r"^\d{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$"
)


@dataclass(frozen=True)
class Image:
    """An image's parts: `registry` is `codebuild` (curated), `docker.io` or another host."""

    registry: str
    repository: str
    reference: str

    @classmethod
    def parse(cls, text: str) -> "Image":
        """Read a reference as `docker pull` does; the reference is a tag or a digest, `latest` by default."""
        if _CURATED.match(text):
            name, _, tag = text.partition(":")
            return cls("codebuild", name, tag or "latest")
        head, slash, tail = text.partition("/")
        if slash and ("." in head or ":" in head or head == "localhost"):
            registry, rest = head, tail
        else:
            registry, rest = "docker.io", text
        rest, at, digest = rest.partition("@")
        name, colon, tag = rest.partition(":")
        if registry in ("docker.io", "index.docker.io", "registry-1.docker.io"):
            registry = "docker.io"
            name = name if "/" in name else f"library/{name}"
        return cls(registry, name, digest if at else (tag if colon else "latest"))

    @property
    def curated(self) -> bool:
        return self.registry == "codebuild"

    @property
    def private_ecr(self) -> bool:
        return _ECR.match(self.registry) is not None

    @property
    def host(self) -> str:
        """The host that a daemon asks for manifests."""
        return "registry-1.docker.io" if self.registry == "docker.io" else self.registry
