"""Reads a buildspec: its phases, their commands and users, and the shell that CodeBuild runs them with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from remediator.core.buildspec.yaml_text import BuildspecError, Node, read_yaml
from remediator.core.value import value

Shell = Literal["posix", "powershell"]

PHASES = ("install", "pre_build", "build", "post_build")
"""In the order in which they run."""


@value
class Phase:
    """`run_as` is the user that the buildspec names, for the phase or for all; empty where it names none."""

    name: str
    commands: tuple[str, ...]
    finally_: tuple[str, ...]
    run_as: str

    @property
    def scripts(self) -> tuple[str, ...]:
        """All commands in the order in which they run."""
        return self.commands + self.finally_


@value
class Buildspec:
    """What CodeBuild runs of a buildspec: the phases that it has, in the order in which they run.
    https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html"""

    version: str
    shell: str
    phases: tuple[Phase, ...]
    variables: tuple[tuple[str, str], ...] = ()
    """Of `env`: names with their values or references; exported names, which have neither, with an empty text."""

    @classmethod
    def of(cls, root: Node) -> Buildspec:
        """Read a buildspec's outermost mapping. A buildspec without phases, as of a batch, has none."""
        phases, env, run_as = root.get("phases"), root.get("env"), _text(root, "run-as")
        found = tuple(
            Phase(name, _texts(node, "commands"), _texts(node, "finally"), _text(node, "run-as") or run_as)
            for name in PHASES
            if phases and (node := phases.get(name))
        )
        return cls(_text(root, "version"), _text(env, "shell"), found, tuple(_variables(env)))


@value
class BuildspecText:
    """A buildspec's text, parsed once, at the first question. Each question raises BuildspecError if it is none."""

    text: str

    @cached_property
    def _parsed(self) -> Node | BuildspecError:
        try:
            return read_mapping(self.text)
        except BuildspecError as error:
            return error

    @property
    def root(self) -> Node:
        """Its outermost mapping."""
        if isinstance(self._parsed, BuildspecError):
            raise self._parsed
        return self._parsed

    @cached_property
    def says(self) -> Buildspec:
        """What CodeBuild runs of it."""
        return Buildspec.of(self.root)


def read_mapping(text: str) -> Node:
    """A buildspec's outermost mapping; BuildspecError when the text has none."""
    if not text.strip():
        raise BuildspecError("the buildspec is empty")
    if text.lstrip().startswith("arn:"):
        raise BuildspecError("this is the ARN of a buildspec in S3, not its text")
    root = read_yaml(text)
    if root is None or root.kind != "Mapping":
        raise BuildspecError("a buildspec is a mapping with version and phases; this is something else")
    return root


def _variables(env: Node | None) -> Iterator[tuple[str, str]]:
    if env is None:
        return
    for kind in ("variables", "parameter-store", "secrets-manager"):
        group = env.get(kind)
        for key, resolved_from in group.pairs if group else []:
            yield key.value, resolved_from.resolved.text
    for name in _texts(env, "exported-variables"):
        yield name, ""


def _text(parent: Node | None, name: str) -> str:
    node = parent.get(name) if parent else None
    return node.text if node else ""


def _texts(parent: Node, name: str) -> tuple[str, ...]:
    node = parent.get(name)
    return node.texts if node else ()
