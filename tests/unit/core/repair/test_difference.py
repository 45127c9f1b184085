"""In which members two documents differ."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.repair.difference import difference


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({}, {}, ()),
        ({"a": 1}, {"a": 1}, ()),
        ({"a": None}, {}, ()),
        ({"a": 1}, {"a": 2}, ("a",)),
        ({"a": 1}, {}, ("a",)),
        ({}, {"a": 1}, ("a",)),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 9, "c": 2}}, ("a.b",)),
        ({"a": {"b": 1}}, {"a": None}, ("a",)),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ("a[1].b",)),
        ({"a": [1]}, {"a": [1, 2]}, ("a",)),
        ({"a": [1, 2]}, {"a": [2, 1]}, ("a[0]", "a[1]")),
        ({"a": []}, {}, ("a",)),
        ({"z": 1, "a": 1}, {"a": 2, "z": 2, "n": 1}, ("z", "a", "n")),
    ],
)
def test_differences_are_told_as_paths(old: Any, new: Any, paths: tuple[str, ...]) -> None:
    assert difference(old, new) == paths


def test_a_path_never_holds_a_value() -> None:
    old = {"environmentVariables": [{"name": "TOKEN", "value": "hunter2"}]}
    new = {"environmentVariables": [{"name": "TOKEN", "value": "hunter3"}]}

    assert difference(old, new, "environment") == ("environment.environmentVariables[0].value",)
