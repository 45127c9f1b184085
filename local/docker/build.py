"""`docker build`: fetches what the Dockerfile names and tells it as BuildKit or the classic builder does."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from local import image_name
from local.docker import dockerfile, texts
from local.docker.engine import Engine
from local.docker.hub import Refused
from local.docker.options import Given, parse
from local.image_name import Name

_SWITCHES = frozenset(
    ("--pull", "--no-cache", "--quiet", "-q", "--rm", "--force-rm", "--load", "--push", "--squash", "--compress")
)
_BUILDKIT_SINCE = (23,)


class BuildError(Exception):
    """Why a build could not begin, in docker's words."""


class Base(NamedTuple):
    """An image that a Dockerfile names, as it is written there, and where."""

    line: int
    text: str
    name: Name


class Plan(NamedTuple):
    """What a build needs and makes."""

    text: str
    bases: list[Base]
    tags: list[Name]


def build(engine: Engine, args: list[str], environ: Mapping[str, str]) -> int:
    """The exit status; raises BuildError and InvalidName before anything is fetched."""
    given = parse(args, _SWITCHES)
    if len(given.arguments) != 1:
        raise BuildError("ERROR: docker: 'docker buildx build' requires 1 argument")
    plan = _plan(engine, given, environ)
    built = _with_buildkit if _uses_buildkit(engine, environ) else _classically
    if not built(engine, plan):
        return 1
    pushed = not given.has("--push") or all(_push(engine, tag) for tag in plan.tags)
    return 0 if pushed else 1


def _plan(engine: Engine, given: Given, environ: Mapping[str, str]) -> Plan:
    text = _dockerfile(given)
    tags = [image_name.parse(tag) for tag in given.every("-t", "--tag")]
    arguments = dict(_argument(value, environ) for value in given.every("--build-arg"))
    bases = [_base(line, image) for line, image in dockerfile.images(text, arguments)]
    return Plan(text, [base for base in bases if given.has("--pull") or not engine.has(base.name)], tags)


def _with_buildkit(engine: Engine, plan: Plan) -> bool:
    _say('#0 building with "default" instance using docker driver\n')
    for number, base in enumerate(plan.bases, 1):
        if not _fetch_with_buildkit(engine, base, number, plan.text):
            return False
    last = len(plan.bases) + 1
    _say(f"#{last} exporting to image\n#{last} writing image sha256:{_digest(plan)} done")
    for tag in plan.tags:
        engine.note(tag)
        _say(f"#{last} naming to {tag.full} done")
    return True


def _classically(engine: Engine, plan: Plan) -> bool:
    _say("Sending build context to Docker daemon  2.048kB")
    for number, base in enumerate(plan.bases, 1):
        if not _fetch_classically(engine, base, number):
            return False
    _say(f"Successfully built {_digest(plan)[:12]}")
    for tag in plan.tags:
        engine.note(tag)
        _say(f"Successfully tagged {tag.short}")
    return True


def _digest(plan: Plan) -> str:
    return hashlib.sha256(plan.text.encode()).hexdigest()


def _uses_buildkit(engine: Engine, environ: Mapping[str, str]) -> bool:
    told = environ.get("DOCKER_BUILDKIT", "")
    return told == "1" or (told != "0" and engine.settings.release >= _BUILDKIT_SINCE)


def _dockerfile(given: Given) -> str:
    folder, named = given.arguments[0], given.last("-f", "--file")
    if folder == "-" or named == "-":
        return sys.stdin.read()
    if not Path(folder).is_dir():
        raise BuildError(f'ERROR: unable to prepare context: path "{folder}" not found')
    file = Path(named) if named else Path(folder) / "Dockerfile"
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(
            f"ERROR: failed to solve: failed to read dockerfile: open {file.name}: no such file or directory"
        ) from error


def _argument(value: str, environ: Mapping[str, str]) -> tuple[str, str]:
    name, equals, given = value.partition("=")
    return name, given if equals else environ.get(name, "")


def _base(line: int, image: str) -> Base:
    try:
        return Base(line, image, image_name.parse(image))
    except image_name.InvalidName as error:
        raise BuildError(f'ERROR: failed to solve: failed to parse stage name "{image}": {error}') from error


def _fetch_with_buildkit(engine: Engine, base: Base, number: int, text: str) -> bool:
    step = f"[internal] load metadata for {base.name.full}"
    _say(f"#{number} {step}")
    try:
        engine.fetch(base.name)
    except Refused as refused:
        reason = texts.building(base.name, refused, engine.settings.release)
        line = text.splitlines()[base.line - 1]
        rule = "-" * 20
        _say(f"#{number} ERROR: {reason}\n------\n > {step}:\n------")
        _say(f"Dockerfile:{base.line}\n{rule}\n{base.line:4} | >>> {line}\n{rule}")
        failed = f"failed to solve: {base.text}: failed to resolve source metadata for {base.name.full}"
        _say(f"ERROR: {failed}: {reason}")
        return False
    _say(f"#{number} DONE 0.1s\n")
    return True


def _fetch_classically(engine: Engine, base: Base, number: int) -> bool:
    _say(f"Step {number} : FROM {base.text}")
    try:
        engine.fetch(base.name)
    except Refused as refused:
        _say(texts.pulling(base.name, refused))
        return False
    return True


def _push(engine: Engine, tag: Name) -> bool:
    _say(f"pushing manifest for {tag.full}")
    try:
        engine.push(tag)
    except Refused as refused:
        _say(f"ERROR: failed to solve: failed to push {tag.full}: {refused.code}: {refused.text}")
        return False
    return True


def _say(text: str) -> None:
    """Both builders tell their progress on standard error."""
    print(text, file=sys.stderr, flush=True)
