"""Decides which registry a line of a log says it was talking to, by whole hosts and never by parts of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from remediator.core.codebuild.image import NOT_PULLED, ImageReference
from remediator.core.names import DOCKER_HUB, is_docker_hub

# A host never starts in the middle of another word, and ends where it ends: `notdocker.io`,
# `docker.io.evil.example` and `docker.io@evil.example` are other hosts than docker.io.
_REFERENCE = (
    r"(?i)(?<![\w.@/:%+~-])"
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]{1,20})://(?:[^\s/@\"'<>\\]{1,256}@)?)?"
    r"(?P<host>(?:[\w-]{1,63}\.){0,12}[\w-]{1,63}|\[[0-9a-f:]{2,45}\])(?:\.(?=[:/]))?(?P<port>:[0-9]{1,5})?"
    r"(?P<path>/[^\s\"'`\\,;()\[\]{}<>]{0,600})?"
    r"(?=[/\s\"'`\\,;:()\[\]{}<>]|\.\s|$)"
)
_NAMED_HOST = r"(?i)\bhost\s{1,4}[\"']?$"

# Import paths in the stack traces of tools that are written in Go look like images.
_SOURCE_CODE = ("github.com", "golang.org", "google.golang.org", "gopkg.in", "k8s.io", "sigs.k8s.io")


def registry_named(before: str, after: str = "") -> str | None:
    """The registry that a line names: the last one `before` the decisive words, else the first one `after` them.
    `docker.io` for any of Docker Hub's machines, another host as it is written, with its port, or None."""
    return next(iter([*_registries(before)][::-1]), None) or next(_registries(after), None)


def names_other_url(line: str) -> bool:
    """Has the line a URL, but none of a registry? Then it is about something else."""
    return ("http://" in line or "https://" in line) and next(_registries(line), None) is None


def _registries(line: str) -> Iterator[str]:
    line = re.sub(NOT_PULLED, "", line)
    for match in re.finditer(_REFERENCE, line):
        host = match["host"].lower()
        if _is_registry(match, host, line):
            yield DOCKER_HUB if is_docker_hub(host) else host + (match["port"] or "")


def _is_registry(match: re.Match[str], host: str, line: str) -> bool:
    scheme, path = (match["scheme"] or "").lower(), match["path"] or ""
    if scheme in ("http", "https"):
        return "/v2/" in path or path in ("/v2", "/token") or path.startswith("/token?") or is_docker_hub(host)
    if not path:
        return "." in host and re.search(_NAMED_HOST, line[max(0, match.start() - 12) : match.start()]) is not None
    if scheme not in ("", "docker", "oci") or host in _SOURCE_CODE or host.endswith(".docker.com") or ".go:" in path:
        return False
    if not _could_be_host(host, match["port"]):
        return False
    try:
        return bool(ImageReference.parse(f"{match['host']}{match['port'] or ''}{path.rstrip(':./')}").repository)
    except ValueError:
        return is_docker_hub(host)


def _could_be_host(host: str, port: str | None) -> bool:
    """`library/redis`, `v1.41/images` and `0.3.1/bin` name no host; `10.0.0.7/team/app` and `registry:5000/app` do."""
    if port is not None or host == "localhost":
        return True
    labels = host.split(".")
    is_address = len(labels) == 4 and all(label.isdigit() for label in labels)
    return is_address or (len(labels) > 1 and labels[-1].isalpha())
