"""Writes what a step returns into the execution's checkpoint, and reads it back as the same typed values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any

from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext

PACKAGE = "remediator."


class Checkpoint(SerDes[Any]):
    """Writes what the step of this name returns, and reads it back alike: JSON's own values, tuples, and this package's
    enumerations and dataclasses, each with its type's name under TYPE. The release before wrote no names: see
    `earlier`."""

    TYPE = "is"

    def __init__(self, name: str) -> None:
        self._name = name

    def serialize(self, value: Any, _: SerDesContext) -> str:
        return json.dumps(_written(value))

    def deserialize(self, data: str, _: SerDesContext) -> Any:
        document = json.loads(data)
        if isinstance(document, dict) and self.TYPE not in document:
            from remediator.workflow.earlier import read

            return read(self._name, document)
        return _read(document)


def _written(value: Any) -> Any:
    name = f"{type(value).__module__.removeprefix(PACKAGE)}.{type(value).__qualname__}"
    if isinstance(value, Enum):
        return {Checkpoint.TYPE: name, "value": value.value}
    if is_dataclass(value):
        members = {field.name: _written(getattr(value, field.name)) for field in fields(value)}
        return {Checkpoint.TYPE: name, **members}
    if isinstance(value, Mapping):
        return {name: _written(member) for name, member in value.items()}
    return [_written(item) for item in value] if isinstance(value, tuple) else value


def _read(document: Any) -> Any:
    if isinstance(document, list):
        return tuple(map(_read, document))
    if not isinstance(document, dict):
        return document
    members = {name: _read(member) for name, member in document.items() if name != Checkpoint.TYPE}
    if Checkpoint.TYPE not in document:
        return members
    return _type_named(document[Checkpoint.TYPE])(**members)


def _type_named(name: str) -> Any:
    module, _, kind = name.rpartition(".")
    found = getattr(import_module(PACKAGE + module), kind)
    if not isinstance(found, type) or not (is_dataclass(found) or issubclass(found, Enum)):
        raise TypeError(f"{name} is no type that a step returns")
    return found
