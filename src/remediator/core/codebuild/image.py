"""Decides which registry, repository, tag and digest an image reference means."""

from __future__ import annotations

import re

from remediator.core.names import DOCKER_HUB
from remediator.core.value import value

NOT_PULLED = r"(?<!\S)(?:-t|--tag|--cache-from|--cache-to|--build-arg|--output|-o)[ =]\S{1,600}"
"""A pattern for options of docker: what a build tags or caches is not what it pulls."""

CURATED = "codebuild"

_CURATED_PREFIX = "aws/codebuild/"
_REPOSITORY_LENGTH = 255

# Not compiled here: `re` does that once, at the first use, and a start that parses nothing does not pay for it.
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"{COMPONENT}(?:/{COMPONENT})*"
TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}"


@value
class ImageReference:
    """Where an image comes from, by the grammar of https://github.com/distribution/reference.

    `registry` is `docker.io`, another host with its port, or `codebuild` for a curated image, which CodeBuild pulls
    itself (https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-available.html).
    `repository` is written out (`library/nginx`). `tag` and `digest` are None where the reference has none.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read a reference as the docker CLI would; ValueError when it is none, variables and templates included."""
        if re.fullmatch(r"[a-f0-9]{64}", text):
            raise _refusal(text, "64 hexadecimal digits are the id of an image, not a name")
        name, at, digest = text.partition("@")
        # A colon before the last slash is that of a port.
        colon = name.find(":", name.rfind("/") + 1)
        name, tag = (name, None) if colon < 0 else (name[:colon], name[colon + 1 :])
        registry, repository = _split_registry(name)
        if registry != CURATED and not re.fullmatch(_HOST, registry):
            raise _refusal(text, f"{registry[:80]!r} is no host")
        if not re.fullmatch(_REPOSITORY, repository):
            would_do = re.fullmatch(_REPOSITORY, repository.lower())
            why = "a repository is written in lower case" if would_do else f"{repository[:80]!r} is no repository"
            raise _refusal(text, why)
        if len(repository) > _REPOSITORY_LENGTH:
            raise _refusal(text, f"a name has at most {_REPOSITORY_LENGTH} characters")
        if tag is not None and not re.fullmatch(TAG, tag):
            raise _refusal(text, "a tag has 1 to 128 letters, digits, '_', '.' or '-', the first no '.' or '-'")
        if at and not re.fullmatch(_DIGEST, digest):
            raise _refusal(text, "a digest is sha256, sha384, sha512, then ':' and lower-case hexadecimal digits")
        return cls(registry, repository, tag, digest or None)

    @property
    def is_docker_hub(self) -> bool:
        """Do pulls of this image use the docker CLI's sign-in to Docker Hub?"""
        return self.registry == DOCKER_HUB


def _split_registry(name: str) -> tuple[str, str]:
    if name.startswith(_CURATED_PREFIX):
        return CURATED, name
    first, slash, rest = name.partition("/")
    registry, repository = (first, rest) if slash and _is_host(first) else (DOCKER_HUB, name)
    if registry not in (DOCKER_HUB, "index.docker.io"):
        return registry, repository
    return DOCKER_HUB, repository if "/" in repository else f"library/{repository}"


def _is_host(component: str) -> bool:
    """Repositories have no capitals, so a first component that has some can only be a host."""
    return component == "localhost" or "." in component or ":" in component or component.lower() != component


def _refusal(text: str, reason: str) -> ValueError:
    return ValueError(f"{text[:120]!r} is no image reference: {reason}")
