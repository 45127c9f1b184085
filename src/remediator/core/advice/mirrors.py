"""Names the places other than Docker Hub that serve the same image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from remediator.core.advice.layout import artefact, one_line
from remediator.core.codebuild.image import NOT_PULLED, ImageReference
from remediator.core.names import aws_suffix

_OFFICIAL = "library/"
_ECR_PUBLIC = "public.ecr.aws/docker/"
_PREFIX = "docker-hub"
_NAME_LENGTH = 1024

_NAME = r"[a-z0-9][a-z0-9._/-]{0,254}"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[a-f0-9]{64}"
_SUFFIX = rf"(?::{_TAG})?(?:@{_DIGEST})?"
_API = r"https://(?:registry-1|index|registry)\.docker\.io/v2/"

# How an error names an image, the form that tells most first. Each has a group `name`, and `tag` or `digest` where
# that stands apart. A host never starts in the middle of another one.
_FORMS = (
    rf"{_API}(?P<name>{_NAME})/manifests/(?!sha256:)(?P<tag>{_TAG})",
    rf"reading manifest (?P<tag>{_TAG}) in (?P<name>docker\.io/{_NAME})",
    rf"(?:docker://|(?<![\w.@/:%+~-]))(?P<name>(?:index\.)?docker\.io/{_NAME}{_SUFFIX})",
    # Without a tag or a slash it is the beginning of a sentence: `failed to solve: toomanyrequests: You have …`.
    r"failed to solve: (?=\S{1,300}?[/@]|[a-z0-9._-]{1,200}:\w)(?P<name>[A-Za-z0-9._/:@-]{1,400}): ",
    rf"(?:docker://|[Uu]nable to find image ['\"]|[Ff]ailed to pull image ['\"])(?P<name>{_NAME}{_SUFFIX})",
    rf"(?P<tag>(?<![\w.-]){_TAG}): Pulling from (?P<name>{_NAME})",
    rf"{_API}(?P<name>{_NAME})/manifests/(?P<digest>{_DIGEST})",
    rf"{_API}(?P<name>{_NAME})/blobs/",
)


def mirrors(image: ImageReference, account: str, region: str, partition: str = "aws") -> tuple[str, ...]:
    """Other names of a Docker Hub image, the one that needs no setup first; none for another registry's image.

    ECR Public has Docker's official images (https://gallery.ecr.aws/docker). ECR's pull-through cache has every
    image, once the account has a rule for it; it is left out where account or region are malformed.
    """
    if not image.is_docker_hub:
        return ()
    name = one_line(_written(image.repository, image.tag, image.digest), _NAME_LENGTH)
    registry = _own_registry(account, region, partition)
    return (
        *([_ECR_PUBLIC + name] if image.repository.startswith(_OFFICIAL) else []),
        *([f"{registry}/{_PREFIX}/{name}"] if registry else []),
    )


def mirror_advice(image: ImageReference, account: str, region: str, partition: str = "aws") -> str:
    """How to pull the image from somewhere else; empty when no other place has it.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-rule.html"""
    names = mirrors(image, account, region, partition)
    if not names:
        return ""
    registry = _own_registry(account, region, partition)
    lines = []
    for name in names:
        lines += [f"# {_place(name)}: in a Dockerfile, or as a command", f"FROM {name}"]
        lines += [f"docker pull {shlex.quote(name)}", ""]
    return artefact(
        f"Pull {one_line(image.repository)} from {' or '.join(map(_place, names))}.",
        where="the Dockerfile or the command that names the image",
        why="pulls from there do not count towards Docker Hub's limit for the build's address",
        paste="\n".join(lines + (_setup(registry, region) if registry else [])),
    )


def image_named(text: str) -> ImageReference | None:
    """The Docker Hub image that an error says could not be pulled, None when it names none. Linear in time."""
    text = re.sub(NOT_PULLED, "", text)
    return next((image for form in _FORMS for image in _images(form, text)), None)


def _images(form: str, text: str) -> Iterator[ImageReference]:
    for match in re.finditer(form, text):
        parts = match.groupdict()
        tag, digest = (parts.get("tag") or "").rstrip(".-"), parts.get("digest")
        try:
            # An error may go on right after the name, with a full stop or a slash.
            image = ImageReference.parse(_written(parts["name"].rstrip("./-"), tag, digest))
        except ValueError:
            continue
        if image.is_docker_hub:
            yield image


def _written(name: str, tag: str | None, digest: str | None) -> str:
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _own_registry(account: str, region: str, partition: str) -> str:
    well_formed = r"[0-9]{12} [a-z]{2,4}(?:-[a-z]{1,12}){1,3}-[0-9]{1,2}"
    known = re.fullmatch(well_formed, f"{account} {region}")
    return f"{account}.dkr.ecr.{region}.{aws_suffix(partition)}" if known else ""


def _place(name: str) -> str:
    return "ECR Public" if name.startswith(_ECR_PUBLIC) else "the account's pull-through cache"


def _setup(registry: str, region: str) -> list[str]:
    """What the cache needs: a secret and a rule once, and a login in each build."""
    # The cache finds no secret whose name begins otherwise.
    create = f"aws secretsmanager create-secret --region {region} --name ecr-pullthroughcache/{_PREFIX}"
    rule = f"aws ecr create-pull-through-cache-rule --region {region} --ecr-repository-prefix {_PREFIX}"
    return [
        "# the pull-through cache needs this once; the second command takes the ARN that the first one shows",
        f"python3 - YOUR-USER <<'EOF' | {create} --secret-string file:///dev/stdin",
        "import getpass, json, sys",
        'token = getpass.getpass("Docker Hub access token: ")',
        'print(json.dumps({"username": sys.argv[1], "accessToken": token}))',
        "EOF",
        f"{rule} --upstream-registry-url registry-1.docker.io --credential-arn SECRET_ARN",
        "# and this in each build, whose role may ecr:BatchImportUpstreamImage and ecr:CreateRepository",
        f"aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin {registry}",
    ]
