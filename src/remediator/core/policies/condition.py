"""Decides whether the conditions of a policy's statement are known to hold, and what its wildcards match."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any


def holds(condition: Any, context: Mapping[str, str]) -> bool:
    """Is every condition of a statement known to hold?

    `context` holds the request's known keys, each with its one value. A condition with another key or operator, with a
    variable, or in a wrong form is not known to hold.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    known = {key.lower(): value for key, value in context.items()}
    return isinstance(condition, Mapping) and all(
        isinstance(keys, Mapping)
        and all(_is_true(operator, known.get(key.lower()), texts(values)) for key, values in keys.items())
        for operator, keys in condition.items()
    )


def like(pattern: str, text: str) -> bool:
    """`*` is any number of characters, `?` is one. Each part between two `*` is taken where it first occurs and never
    looked for again: no pattern, however many `*` it has, takes longer than its length times the text's."""
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    between = [f"(?>.*?{part})" for part in rest[:-1]]
    last = [f".*{part}" for part in rest[-1:]]
    return re.fullmatch("".join([first, *between, *last]), text, re.DOTALL) is not None


def arn_like(pattern: str, arn: str) -> bool:
    """Each of the six fields is compared by itself; a `*` at the pattern's end is also all the fields after it."""
    patterns, fields = pattern.split(":", 5), arn.split(":", 5)
    if pattern.endswith("*"):
        patterns += ["*"] * (len(fields) - len(patterns))
    return len(patterns) == len(fields) and all(map(like, patterns, fields))


def has_variable(value: str) -> bool:
    """`${aws:username}` and the like: what stands there in a request is not known here."""
    return "${" in value


def texts(value: Any) -> tuple[str, ...]:
    """One value or a list of them, as texts; nothing when one of them is something else."""
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | int) for item in listed):
        return ()
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in listed)


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, known: value == known,
    "StringEqualsIgnoreCase": lambda value, known: value.lower() == known.lower(),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": lambda value, known: value.lower() == known.lower(),
}
_OPPOSITES = {
    name.replace(how, f"Not{how}"): name for name in _COMPARISONS for how in ("Equals", "Like") if how in name
}


def _is_true(operator: str, known: str | None, values: tuple[str, ...]) -> bool:
    """One of the values has to match, or with an opposite operator none of them. `ForAnyValue:` asks for one value of
    the request's, and a known key has one. `ForAllValues:` also holds where the key is absent: it is not judged.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    if known is None or not values or any(has_variable(value) for value in values):
        return False
    if operator == "Null":
        return "false" in values
    name = operator.removeprefix("ForAnyValue:").removesuffix("IfExists")
    compare = _COMPARISONS.get(_OPPOSITES.get(name, name))
    if compare is None:
        return False
    return any(compare(value, known) for value in values) is not (name in _OPPOSITES)
