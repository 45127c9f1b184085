"""Finds in which members two JSON documents differ, as paths that a person can read."""

from __future__ import annotations

from typing import Any


def difference(old: Any, new: Any, path: str = "") -> tuple[str, ...]:
    """The paths (`environment.environmentVariables[2].value`) at which `old` and `new` differ, never the values."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        return tuple(
            found
            for name in names
            for found in difference(old.get(name), new.get(name), f"{path}.{name}" if path else str(name))
        )
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return tuple(
            found
            for index, pair in enumerate(zip(old, new, strict=True))
            for found in difference(*pair, f"{path}[{index}]")
        )
    return () if old == new else (path,)
