"""The secret's resource policy: one statement names the roles, and everything else stays as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given as randomly
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from remediator.core.policies.evaluate import READ_SECRET, SID, Effect, Request, effect_for
from remediator.core.policies.secret_policy import (
    LONGEST_POLICY,
    SecretPolicyFault,
    digest_of_others,
    names_role,
    with_role,
    without_role,
)
from tests.unit.given import ACCOUNT, ROLE, SECRET

Json = dict[str, Any]

OTHER = f"arn:aws:iam::{ACCOUNT}:role/another"
DELETED = "AROAEXAMPLEEXAMPLE123"
FOREIGN: Json = {
    "Sid": "Org",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "secretsmanager:*",
    "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}},
}


def own(*names: Any, **elements: Any) -> Json:
    statement = {
        "Sid": SID,
        "Effect": "Allow",
        "Principal": {"AWS": list(names)},
        "Action": READ_SECRET,
        "Resource": "*",
    }
    return {**statement, **elements}


def policy(*statements: Any, **members: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **members}, indent=1)


def read(text: str) -> Json:
    document: Json = json.loads(text)
    return document


# The new text


@pytest.mark.parametrize("text", [None, ""])
def test_a_secret_without_a_policy_gets_one_in_full(text: str | None) -> None:
    assert with_role(text, ROLE) == (
        '{"Version":"2012-10-17","Statement":[{"Sid":"DockerHubPulls","Effect":"Allow","Principal":{"AWS":'
        '["arn:aws:iam::123456789012:role/service-role/codebuild-orders-service-role"]},'
        '"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}'
    )


def test_the_policy_says_what_it_is_for() -> None:
    document = read(with_role(policy(FOREIGN), ROLE))
    request = Request(READ_SECRET, SECRET, {"aws:PrincipalOrgID": "o-1"})
    assert effect_for(document, request, ROLE) is Effect.ALLOWED
    assert effect_for(document, request, OTHER) is Effect.SILENT


def test_the_statement_comes_after_those_of_others() -> None:
    another = {**FOREIGN, "Sid": "Another"}
    assert read(with_role(policy(FOREIGN, another, Id="mine"), ROLE)) == {
        "Version": "2012-10-17",
        "Statement": [FOREIGN, another, own(ROLE)],
        "Id": "mine",
    }


def test_a_statement_that_is_no_list_is_the_first_of_one() -> None:
    assert read(with_role(json.dumps({"Statement": FOREIGN}), ROLE)) == {"Statement": [FOREIGN, own(ROLE)]}
    assert read(with_role(json.dumps({"Statement": own(OTHER)}), ROLE)) == {"Statement": [own(OTHER, ROLE)]}
    assert read(with_role('{"Version":"2012-10-17"}', ROLE)) == {"Version": "2012-10-17", "Statement": [own(ROLE)]}


def test_the_statement_keeps_its_place_and_its_roles_are_sorted() -> None:
    text = with_role(policy(own(ROLE, ROLE), FOREIGN), OTHER)
    assert read(text)["Statement"] == [own(OTHER, ROLE), FOREIGN]


@pytest.mark.parametrize(
    "present",
    [own(ROLE), own(Principal={"AWS": ROLE}), own(DELETED, ROLE), own(ROLE, Action=[READ_SECRET], Resource=["*"])],
)
def test_a_policy_that_names_the_role_comes_back_as_the_same_text(present: Json) -> None:
    text = policy(FOREIGN, present)
    assert with_role(text, ROLE) is text
    assert names_role(text, ROLE)


@pytest.mark.parametrize(
    "present", [own(DELETED, OTHER), own(OTHER, "AIDAEXAMPLEEXAMPLE123"), own(DELETED, OTHER, DELETED)]
)
def test_roles_that_were_deleted_are_left_out_when_the_statement_is_written_again(present: Json) -> None:
    assert read(with_role(policy(present), ROLE))["Statement"] == [own(OTHER, ROLE)]


def test_a_statement_of_deleted_roles_alone_names_the_new_one() -> None:
    assert read(with_role(policy(own(Principal={"AWS": DELETED})), ROLE))["Statement"] == [own(ROLE)]


@pytest.mark.parametrize("text", [None, policy(FOREIGN), policy(own(OTHER)), policy({**own(ROLE), "Sid": "Theirs"})])
def test_a_role_that_our_statement_does_not_name_is_not_named(text: str | None) -> None:
    assert not names_role(text, ROLE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
STATEMENTS = st.dictionaries(st.sampled_from(["Sid", "Effect", "Principal", "x"]), JSON) | JSON
ROLES = st.from_regex(r"arn:aws:iam::[0-9]{12}:role/[a-z/]{1,20}", fullmatch=True)


@hypothesis_settings(max_examples=50)
@randomly(st.lists(STATEMENTS, max_size=3), st.lists(STATEMENTS, max_size=3), st.lists(ROLES, max_size=4), ROLES)
def test_statements_of_others_keep_content_and_place(
    before: list[Any], after: list[Any], roles: list[str], role: str
) -> None:
    written = with_role(policy(*before, *([own(*roles)] if roles else []), *after), role)
    statements = read(written)["Statement"]
    others = [found for found in statements if not isinstance(found, dict) or found.get("Sid") != SID]
    assert json.dumps(others) == json.dumps([*before, *after])
    assert statements[len(before) if roles else -1]["Sid"] == SID
    assert names_role(written, role)
    assert with_role(written, role) is written


@hypothesis_settings(max_examples=50)
@randomly(st.lists(ROLES, min_size=1, max_size=6))
def test_roles_that_come_one_after_the_other_are_all_in_the_one_statement(roles: list[str]) -> None:
    text = None
    for role in roles:
        text = with_role(text, role)
    assert read(text or "")["Statement"] == [own(*sorted(set(roles)))]


# What is never touched


@pytest.mark.parametrize(
    "present",
    [
        own(OTHER, Effect="Deny"),
        own(OTHER, Action="secretsmanager:*"),
        own(OTHER, Action=[READ_SECRET, "secretsmanager:PutSecretValue"]),
        own(OTHER, Resource=SECRET),
        own(OTHER, Condition={"Bool": {"aws:SecureTransport": "true"}}),
        own(OTHER, NotPrincipal={"AWS": OTHER}),
        own(Principal="*"),
        own(Principal={"AWS": "*"}),
        own(Principal={"AWS": [OTHER], "Service": "codebuild.amazonaws.com"}),
        own(Principal={"Service": "codebuild.amazonaws.com"}),
        own(OTHER, "*"),
        own(OTHER, ACCOUNT),
        own(OTHER, f"arn:aws:iam::{ACCOUNT}:root"),
        own(OTHER, f"arn:aws:iam::{ACCOUNT}:user/somebody"),
        own(OTHER, None),
        own(OTHER, {"AWS": OTHER}),
        own(Principal={"AWS": {"AWS": OTHER}}),
        own(Principal={"AWS": None}),
        {"Sid": SID},
        {name: value for name, value in own(OTHER).items() if name != "Principal"},
    ],
)
def test_a_statement_of_our_name_in_another_form_is_somebody_elses(present: Json) -> None:
    with pytest.raises(SecretPolicyFault, match="give it another Sid"):
        with_role(policy(FOREIGN, present), ROLE)
    with pytest.raises(SecretPolicyFault, match="give it another Sid"):
        names_role(policy(present), ROLE)


def test_two_statements_of_our_name_are_not_ours() -> None:
    with pytest.raises(SecretPolicyFault, match="give it another Sid"):
        with_role(policy(own(OTHER), own(ROLE)), ROLE)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '"text"',
        "null",
        " ",
        '{"Statement":[],"Statement":[]}',
        '{"Statement":[{"Condition":{},"Condition":{"Bool":{"a":"b"}}}]}',
        '{"Statement":[{"Condition":{"NumericLessThan":{"a":1e999}}}]}',
        '{"Statement":[NaN]}',
        '{"Statement":' + "[" * 100_000,
    ],
)
def test_a_policy_that_cannot_be_read_whole_is_not_written(text: str) -> None:
    for attempt in (with_role, names_role):
        with pytest.raises(SecretPolicyFault, match="is no JSON object, or has a key twice"):
            attempt(text, ROLE)


@pytest.mark.parametrize("statement", ['"text"', "null", "1", "true"])
def test_a_policy_whose_statements_are_none_is_not_written(statement: str) -> None:
    with pytest.raises(SecretPolicyFault, match="neither a statement nor a list"):
        with_role(f'{{"Statement":{statement}}}', ROLE)


@pytest.mark.parametrize(
    "role",
    [
        "",
        "*",
        "builds",
        ACCOUNT,
        DELETED,
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:iam::{ACCOUNT}:role/*",
        f"{ROLE}\n",
    ],
)
def test_what_is_not_one_role_is_never_named(role: str) -> None:
    with pytest.raises(SecretPolicyFault, match="is not the ARN of one role"):
        with_role(None, role)


def test_a_policy_never_becomes_longer_than_aws_allows() -> None:
    roles = [f"arn:aws:iam::{ACCOUNT}:role/builds-{number:04}" for number in range(1000)]
    fitting = 0
    text = with_role(None, ROLE)
    with pytest.raises(SecretPolicyFault) as refused:  # noqa: PT012 - how many fit is what is looked for
        for role in roles:
            text = with_role(text, role)
            fitting += 1
    longer = len(text) + len(json.dumps(roles[0])) + 1
    assert len(text) <= LONGEST_POLICY < longer
    assert str(refused.value) == (
        f"the secret's resource policy would have {longer:,} characters, and no more than 20,480 are possible; "
        f"number of roles in its statement DockerHubPulls: {fitting + 2}"
    )
    assert with_role(text, roles[0]) is text


def test_the_longest_policy_is_written() -> None:
    room = LONGEST_POLICY - len(with_role(json.dumps({"Id": "", "Statement": []}), ROLE))
    assert len(with_role(json.dumps({"Id": "x" * room, "Statement": []}), ROLE)) == LONGEST_POLICY
    with pytest.raises(SecretPolicyFault, match=r"20,481 characters.*: 1$"):
        with_role(json.dumps({"Id": "x" * (room + 1), "Statement": []}), ROLE)


# A role is taken out


def test_only_the_one_role_is_taken_out() -> None:
    text = policy(FOREIGN, own(OTHER, ROLE), Id="kept")
    assert read(without_role(text, ROLE)) == {
        "Version": "2012-10-17",
        "Statement": [FOREIGN, own(OTHER)],
        "Id": "kept",
    }


def test_the_statement_goes_with_its_last_role_and_the_policy_with_its_last_statement() -> None:
    assert read(without_role(policy(own(ROLE), FOREIGN), ROLE))["Statement"] == [FOREIGN]
    assert without_role(policy(own(ROLE)), ROLE) == ""
    assert without_role(policy(own(ROLE, DELETED)), ROLE) == ""


@pytest.mark.parametrize("text", [policy(own(OTHER)), policy(FOREIGN), policy(), ""])
def test_a_policy_that_does_not_name_the_role_stays_to_the_letter(text: str) -> None:
    assert without_role(text, ROLE) == text
    assert without_role(None, ROLE) == ""


@pytest.mark.parametrize("text", ["[]", policy(own(ROLE, Effect="Deny")), policy(own(ROLE), own(ROLE))])
def test_a_statement_that_somebody_else_wrote_is_not_changed(text: str) -> None:
    with pytest.raises(SecretPolicyFault):
        without_role(text, ROLE)


@randomly(st.permutations([ROLE, OTHER]))
def test_naming_a_role_and_taking_it_out_again_leaves_the_policy_as_it_was(roles: list[str]) -> None:
    text = with_role(policy(FOREIGN), roles[0])
    assert read(without_role(with_role(text, roles[1]), roles[1])) == read(text)


# What others wrote


def test_a_policy_of_ours_alone_is_the_same_as_none() -> None:
    assert digest_of_others(with_role(None, ROLE)) == digest_of_others("") == ""


def test_our_statement_and_the_way_it_is_written_do_not_change_what_others_wrote() -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": [FOREIGN]})

    written = digest_of_others(text)

    assert written
    assert (
        digest_of_others(with_role(text, ROLE)) == digest_of_others(json.dumps(json.loads(text), indent=4)) == written
    )


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"Statement": 7}', '{"Statement": [{"Sid": "DockerHubPulls"}, 7]}', "\ud800"]
)
def test_every_other_policy_is_another_one(text: str) -> None:
    other = json.dumps({"Version": "2012-10-17", "Statement": [FOREIGN]})
    assert digest_of_others(text) not in ("", digest_of_others(other))
