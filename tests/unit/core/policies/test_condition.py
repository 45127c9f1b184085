"""Which conditions of a statement are known to hold, and what wildcards match."""

from __future__ import annotations

import time
from fnmatch import translate
from re import match
from typing import Any

import pytest
from hypothesis import given as randomly
from hypothesis import strategies as st

from remediator.core.policies.condition import arn_like, holds, like, texts

VIA = "secretsmanager.eu-west-1.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/ci/builds"
CONTEXT = {"kms:ViaService": VIA, "kms:CallerAccount": "123456789012", "aws:PrincipalArn": ROLE, "a:Tls": "true"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringEquals", "kms:ViaService", VIA),
        ("StringEquals", "KMS:viaservice", VIA),
        ("StringEquals", "kms:ViaService", ["ec2.eu-west-1.amazonaws.com", VIA]),
        ("StringEquals", "kms:CallerAccount", 123456789012),
        ("StringEqualsIfExists", "kms:ViaService", VIA),
        ("StringNotEquals", "kms:ViaService", "ec2.eu-west-1.amazonaws.com"),
        ("StringEqualsIgnoreCase", "kms:ViaService", VIA.upper()),
        ("StringEqualsIgnoreCaseIfExists", "kms:ViaService", ["x", VIA]),
        ("StringNotEqualsIgnoreCase", "kms:ViaService", "x"),
        ("ForAnyValue:StringEquals", "kms:ViaService", ["x", VIA]),
        ("ForAnyValue:StringNotEquals", "kms:ViaService", "x"),
        ("ForAnyValue:StringLikeIfExists", "kms:ViaService", "secretsmanager.*"),
        ("StringNotEqualsIfExists", "kms:ViaService", ["a", "b"]),
        ("StringLike", "kms:ViaService", "secretsmanager.*.amazonaws.com"),
        ("StringLike", "kms:ViaService", ["nothing", "secretsmanager.eu-west-?.*"]),
        ("StringLikeIfExists", "kms:ViaService", "*"),
        ("StringNotLike", "kms:ViaService", ["ec2.*", "s3.*"]),
        ("ArnEquals", "aws:PrincipalArn", ROLE),
        ("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::*:role/ci/*"),
        ("ArnLike", "aws:PrincipalArn", "arn:*:iam::123456789012:role/*"),
        ("ArnLikeIfExists", "aws:PrincipalArn", "*"),
        ("ArnNotEquals", "aws:PrincipalArn", "arn:aws:iam::123456789012:role/admin"),
        ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/admin*"),
        ("ArnNotLikeIfExists", "aws:PrincipalArn", ["arn:aws:iam::*:user/*", "arn:aws:iam::*:root"]),
        ("Bool", "a:tls", "true"),
        ("Bool", "a:tls", True),
        ("BoolIfExists", "a:tls", "True"),
        ("Null", "kms:ViaService", "false"),
        ("Null", "kms:ViaService", False),
    ],
)
def test_a_condition_that_is_met_holds(operator: str, key: str, value: Any) -> None:
    assert holds({operator: {key: value}}, CONTEXT)


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringEquals", "kms:ViaService", VIA.upper()),
        ("StringEquals", "kms:ViaService", "secretsmanager.*"),
        ("StringEqualsIfExists", "kms:ViaService", "ec2.eu-west-1.amazonaws.com"),
        ("StringNotEquals", "kms:ViaService", ["ec2.eu-west-1.amazonaws.com", VIA]),
        ("StringEqualsIgnoreCase", "kms:ViaService", f"{VIA}.cn"),
        ("StringNotEqualsIgnoreCase", "kms:ViaService", ["x", VIA.upper()]),
        ("ForAnyValue:StringEquals", "kms:ViaService", ["x", VIA.upper()]),
        ("ForAnyValue:StringNotEquals", "kms:ViaService", ["x", VIA]),
        ("StringLike", "kms:ViaService", "secretsmanager.us-*"),
        ("StringNotLike", "kms:ViaService", ["ec2.*", "secretsmanager.*"]),
        ("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::123456789012:role/builds"),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:builds"),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam"),
        ("ArnNotLike", "aws:PrincipalArn", ["arn:aws:iam::1:*", "arn:aws:iam::*:role/ci/*"]),
        ("Bool", "a:tls", "false"),
        ("Bool", "a:tls", False),
        ("Null", "kms:ViaService", "true"),
        ("Null", "kms:ViaService", True),
    ],
)
def test_a_condition_that_is_not_met_does_not(operator: str, key: str, value: Any) -> None:
    assert not holds({operator: {key: value}}, CONTEXT)


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}},
        {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}},
        {"Null": {"aws:SourceVpc": "true"}},
        {"Null": {"aws:SourceVpc": "false"}},
        {"StringEqualsIgnoreCase": {"aws:PrincipalTag/team": "x"}},
        {"StringNotEqualsIgnoreCase": {"aws:PrincipalTag/team": "x"}},
        {"ForAnyValue:StringEquals": {"aws:PrincipalOrgPaths": "o-1/*"}},
        {"ForAnyValue:Null": {"kms:ViaService": "false"}},
        {"ForAllValues:StringEquals": {"kms:ViaService": VIA}},
        {"StringNotLikeIgnoreCase": {"kms:ViaService": "x"}},
        {"ForAllValues:StringNotEquals": {"kms:ViaService": "x"}},
        {"NullIfExists": {"kms:ViaService": "false"}},
        {"StringEqualsIfExistsIfExists": {"kms:ViaService": VIA}},
        {"StringNotEquals": {"kms:CallerAccount": "${aws:PrincipalAccount}"}},
        {"StringNotLike": {"kms:ViaService": ["x", "${a}"]}},
        {"StringNotEquals": {"kms:ViaService": []}},
        {"StringNotEquals": {"kms:ViaService": None}},
        {"StringNotEquals": {"kms:ViaService": [None, "x"]}},
        {"StringNotEquals": {"kms:ViaService": {"x": "y"}}},
        {"StringEquals": VIA},
        {"StringEquals": None},
        None,
        "text",
        [],
    ],
)
def test_a_condition_that_cannot_be_judged_is_not_known_to_hold(condition: Any) -> None:
    assert not holds(condition, CONTEXT)


def test_no_condition_holds_always_and_several_hold_together() -> None:
    met = {"StringEquals": {"kms:ViaService": VIA, "kms:CallerAccount": "123456789012"}}
    assert holds({}, {})
    assert holds({**met, "Bool": {"a:tls": "true"}}, CONTEXT)
    assert not holds({**met, "Bool": {"a:tls": "false"}}, CONTEXT)
    assert not holds({"StringEquals": {"kms:ViaService": VIA, "kms:CallerAccount": "1"}}, CONTEXT)


@randomly(st.dictionaries(st.sampled_from(["StringEquals", "ArnNotLike", "Null", "Bool", "x"]), JSON) | JSON)
def test_no_condition_is_a_reason_to_fail(condition: Any) -> None:
    assert holds(condition, CONTEXT) in (True, False)


@randomly(st.text("ab*?.\n\\", max_size=12), st.text("ab.\n\\", max_size=12))
def test_wildcards_match_as_those_of_file_names_do(pattern: str, text: str) -> None:
    assert like(pattern, text) is bool(match(translate(pattern), text))


def test_brackets_are_plain_characters() -> None:
    assert like("a[b]*", "a[b]c")
    assert not like("a[b]", "ab")


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    began = time.monotonic()
    assert not like("*a" * 200 + "b", "a" * 2000)
    assert like("*a" * 200, "a" * 2000)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("*", True), ("arn:aws:iam:*", True), ("arn:aws:iam::123456789012:role/*", True), ("arn:*:role/ci/builds", False)],
)
def test_a_star_in_an_arn_ends_with_its_field_unless_it_ends_the_pattern(pattern: str, matches: bool) -> None:
    assert arn_like(pattern, ROLE) is matches


@pytest.mark.parametrize(
    ("value", "read"),
    [("a", ("a",)), (["a", 1, True], ("a", "1", "true")), ([], ()), (None, ()), (["a", {}], ()), ({"a": 1}, ())],
)
def test_values_are_read_as_texts_or_not_at_all(value: Any, read: tuple[str, ...]) -> None:
    assert texts(value) == read
