"""Reads a buildspec as the agent does, or says why it can't.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

ERROR = "YAML_FILE_ERROR"
PHASES = ("install", "pre_build", "build", "post_build")
_SEPARATE_SHELLS = "0.1"


class YamlFileError(Exception):
    """Why a build ends with YAML_FILE_ERROR."""


@dataclass(frozen=True, slots=True)
class Phase:
    """`finally_` runs whatever became of `commands`; `run_as` is a user, or empty for root."""

    commands: tuple[str, ...] = ()
    finally_: tuple[str, ...] = ()
    run_as: str = ""


@dataclass(frozen=True, slots=True)
class Buildspec:
    """`shell` is empty where the buildspec names none; `phases` has those that are there, by lower-case name."""

    version: str = ""
    shell: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    phases: Mapping[str, Phase] = field(default_factory=dict)

    @property
    def one_shell(self) -> bool:
        """Whether commands see what earlier ones exported and where they went."""
        return self.version != _SEPARATE_SHELLS


def is_inline(text: str) -> bool:
    """Whether a project's `buildspec` is one, and not the path of one."""
    return "\n" in text or text.lstrip().startswith("{")


def parse(text: str) -> Buildspec:
    """Raises YamlFileError. Every scalar stays the text that it is: `3.10` is no number."""
    try:
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes text, lists and maps only
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise YamlFileError(f"{error.problem}{line}") from error
    except yaml.YAMLError as error:
        raise YamlFileError(str(error)) from error
    document = _map(document, "Buildspec")
    env = _map(document.get("env"), "Env")
    run_as = _text(document.get("run-as"), "RunAs")
    phases = _map(document.get("phases"), "Phases")
    return Buildspec(
        _text(document.get("version"), "Version"),
        _text(env.get("shell"), "Shell"),
        _texts(env.get("variables"), "Variables"),
        _texts(env.get("secrets-manager"), "SecretsManager"),
        {name: _phase(phases[name], run_as) for name in PHASES if name in phases},
    )


def _phase(value: Any, run_as: str) -> Phase:
    members = _map(value, "Phase")
    return Phase(
        _commands(members.get("commands"), "Commands"),
        _commands(members.get("finally"), "Finally"),
        _text(members.get("run-as"), "RunAs") or run_as,
    )


def _commands(value: Any, name: str) -> tuple[str, ...]:
    """A list, one text, or nothing; empty items are no commands."""
    if isinstance(value, dict):
        raise YamlFileError(f"Expected {name} to be of list type: found subkeys instead")
    items = value if isinstance(value, list) else [value or ""]
    texts = [_text(item, f"{name}[{number}]").strip() for number, item in enumerate(items)]
    return tuple(text for text in texts if text)


def _map(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if value:
        raise YamlFileError(f"Expected {name} to be of map type: found {_found(value)} instead")
    return {}


def _texts(value: Any, name: str) -> dict[str, str]:
    return {key: _text(text, f"{name}[{key}]") for key, text in _map(value, name).items()}


def _text(value: Any, name: str) -> str:
    if isinstance(value, (dict, list)):
        raise YamlFileError(f"Expected {name} to be of string type: found {_found(value)} instead")
    return str(value or "")


def _found(value: Any) -> str:
    if isinstance(value, dict):
        return "subkeys"
    return "list" if isinstance(value, list) else "string"
