"""Whether a document is one that botocore's model allows for an answer."""

from typing import Any

import botocore.session
from botocore.model import ListShape, Shape, StructureShape

_SESSION = botocore.session.get_session()
_PLAIN: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "double": (int, float),
    "integer": (int,),
    "long": (int,),
    "map": (dict,),
    "string": (str,),
    "timestamp": (int, float),
}


def breaches(service: str, operation: str, document: Any) -> list[str]:
    """Every place where an answer of that operation is none: unknown or missing members, wrong types or values."""
    shape = _SESSION.get_service_model(service).operation_model(operation).output_shape
    assert shape is not None
    return _breaches(shape, document, operation)


def _breaches(shape: Shape, value: Any, path: str) -> list[str]:
    if isinstance(shape, StructureShape):
        return _in_structure(shape, value, path)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            return [f"{path} is no list"]
        items = enumerate(value)
        return [breach for number, item in items for breach in _breaches(shape.member, item, f"{path}[{number}]")]
    if not isinstance(value, _PLAIN[shape.type_name]):
        return [f"{path} is no {shape.type_name}"]
    allowed: list[str] = getattr(shape, "enum", [])
    return [] if not allowed or value in allowed else [f"{path} is {value}"]


def _in_structure(shape: StructureShape, value: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path} is no structure"]
    unknown = [f"{path}.{name} is unknown" for name in value.keys() - shape.members.keys()]
    missing = [f"{path}.{name} is missing" for name in shape.required_members if name not in value]
    known = [(name, member) for name, member in shape.members.items() if name in value]
    inner = [breach for name, member in known for breach in _breaches(member, value[name], f"{path}.{name}")]
    return [*unknown, *missing, *inner]
