"""Makes a class of plain, frozen values, as `dataclass(frozen=True)` does, for a tenth of the time at each start.

A dataclass compiles its methods. Here all classes share them, the constructor too. `dataclasses.replace` and `fields`
work as for any dataclass.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(kind: type[T]) -> type[T]:
    # Without one dataclass makes one of a signature, which takes longer than all the rest.
    kind.__doc__ = kind.__doc__ or kind.__name__
    made = dataclass(init=False, eq=False, repr=False)(kind)
    for method in (__init__, __eq__, __hash__, __repr__, __setattr__):
        setattr(made, method.__name__, method)
    return made


def __init__(self: Any, *given: Any, **named: Any) -> None:  # noqa: N807 - it becomes a method
    """TypeError for a member that is not given and has no default, and for one that is given twice or unknown."""
    members = fields(self)
    if len(given) > len(members):
        raise TypeError(f"{type(self).__name__} has {len(members)} members, and {len(given)} values were given")
    values = {member.name: value for member, value in zip(members, given, strict=False)}
    wrong = named.keys() & values or named.keys() - {member.name for member in members}
    if wrong:
        raise TypeError(f"{type(self).__name__}: {', '.join(sorted(wrong))} is given twice or is no member")
    values |= named
    for member in members:
        if member.name not in values:
            values[member.name] = _default(member, type(self))
    self.__dict__.update(values)
    if hasattr(self, "__post_init__"):
        self.__post_init__()


def __eq__(self: Any, other: object) -> bool:  # noqa: N807 - it becomes a method
    return type(self) is type(other) and _members(self) == _members(other)


def __hash__(self: Any) -> int:  # noqa: N807
    return hash(_members(self))


def __repr__(self: Any) -> str:  # noqa: N807
    shown = (f"{member.name}={getattr(self, member.name)!r}" for member in fields(self) if member.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def __setattr__(self: Any, name: str, _: object) -> None:  # noqa: N807
    raise FrozenInstanceError(f"{type(self).__name__}.{name} can't be set: a value never changes")


def _members(of: Any) -> tuple[Any, ...]:
    return tuple(getattr(of, member.name) for member in fields(of) if member.compare)


def _default(member: Field[Any], of: type) -> Any:
    if member.default is not MISSING:
        return member.default
    if member.default_factory is MISSING:
        raise TypeError(f"{of.__name__} needs {member.name}")
    return member.default_factory()
