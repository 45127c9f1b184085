"""What a policy document says about one request: a boundary about the secret, a key's policy about the role."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as randomly
from hypothesis import strategies as st

from remediator.core.policies.evaluate import (
    DECRYPT,
    READ_SECRET,
    Effect,
    Request,
    boundary_refuses,
    denies_reading,
    effect,
    effect_for,
    key_policy_refuses,
    only_for,
)
from tests.unit.given import ACCOUNT, OTHER_SECRET, ROLE, SECRET

Json = dict[str, Any]

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
STRANGER = "arn:aws:iam::210987654321:role/builds"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/builds/AWSCodeBuild-1"
READ = Request(READ_SECRET, SECRET, {"aws:RequestedRegion": "eu-west-1"})
VIA = "secretsmanager.eu-west-1.amazonaws.com"
OF_AN_ORGANISATION = {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}


def allow(**elements: Any) -> Json:
    return {"Effect": "Allow", **elements}


def deny(**elements: Any) -> Json:
    return {"Effect": "Deny", **elements}


def said(*statements: Any) -> Effect:
    return effect({"Version": "2012-10-17", "Statement": list(statements)}, READ)


EVERYTHING = allow(Action="*", Resource="*")


# Actions and resources


@pytest.mark.parametrize(
    "elements",
    [
        {"Action": "*", "Resource": "*"},
        {"Action": READ_SECRET, "Resource": SECRET},
        {"Action": ["s3:GetObject", "SECRETSMANAGER:getsecretvalue"], "Resource": [OTHER_SECRET, SECRET]},
        {"Action": "secretsmanager:Get*", "Resource": f"{SECRET[:-6]}??????"},
        {"Action": "secretsmanager:GetSecretValu?", "Resource": "arn:aws:secretsmanager:*"},
        {"Action": "*:GetSecretValue", "Resource": "arn:aws:secretsmanager:*:secret:docker-hub-*"},
        {"NotAction": "iam:*", "Resource": "*"},
        {"NotAction": ["iam:*", "secretsmanager:Put*"], "NotResource": [OTHER_SECRET, "arn:aws:s3:::*"]},
        {"Action": "*", "Resource": "*", "Condition": {}},
        {"Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-west-1"]}}},
    ],
)
def test_a_statement_that_covers_the_request_allows_or_denies_it(elements: Json) -> None:
    assert said(allow(**elements)) is Effect.ALLOWED
    assert said(EVERYTHING, deny(**elements)) is Effect.DENIED


@pytest.mark.parametrize(
    "elements",
    [
        {"Action": "secretsmanager:PutSecretValue", "Resource": "*"},
        {"Action": READ_SECRET, "Resource": OTHER_SECRET},
        {"Action": READ_SECRET, "Resource": SECRET.lower()},
        {"Action": READ_SECRET, "Resource": SECRET[:-7]},
        {"Action": "secretsmanager:GetSecretValue?", "Resource": "*"},
        {"NotAction": "secretsmanager:*", "Resource": "*"},
        {"Action": "*", "NotResource": f"{SECRET[:-6]}*"},
        {"Action": "*", "NotResource": "arn:aws:secretsmanager:*:${aws:PrincipalAccount}:secret:other"},
        {"Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}},
        {"Action": "*", "Resource": "*", "Condition": OF_AN_ORGANISATION},
        {"Action": "*", "Resource": "*", "Condition": "none"},
        {"Action": "*", "Resource": "*", "Condition": None},
        {"Action": "*"},
        {"Resource": "*"},
        {"Action": None, "Resource": "*"},
        {"Action": "*", "Resource": [None, "*"]},
        {"NotAction": [], "Resource": "*"},
        {"Action": "*", "NotResource": {"Fn::Sub": "x"}},
    ],
)
def test_a_statement_that_does_not_or_cannot_be_judged_says_nothing(elements: Json) -> None:
    assert said(allow(**elements)) is Effect.SILENT
    assert said(EVERYTHING, deny(**elements)) is Effect.ALLOWED


def test_a_deny_wins_in_either_order() -> None:
    refused = deny(Action=READ_SECRET, Resource="*")
    assert said(EVERYTHING, refused) is said(refused, EVERYTHING) is Effect.DENIED


def test_a_statement_that_is_no_list_is_read() -> None:
    assert effect({"Statement": EVERYTHING}, READ) is Effect.ALLOWED


@pytest.mark.parametrize("effect_", ["allow", "ALLOW", None, ["Allow"], {}])
def test_an_effect_that_is_none_is_no_effect(effect_: Any) -> None:
    assert said({"Effect": effect_, "Action": "*", "Resource": "*"}) is Effect.SILENT


@pytest.mark.parametrize("document", [{}, {"Statement": None}, {"Statement": "*"}, {"Statement": ["*", None, []]}, []])
def test_a_document_that_cannot_be_read_says_nothing(document: Any) -> None:
    assert effect(document, READ) is effect_for(document, READ, ROLE) is Effect.SILENT


VALUES = st.recursive(
    st.sampled_from(["*", "Allow", "Deny", "AWS", READ_SECRET, SECRET, ROLE, "${x}", "StringNotLike", None, True, 1.5]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["AWS", "Null", "ArnLike", "aws:RequestedRegion"]), inner, max_size=2)
    ),
    max_leaves=6,
)
ELEMENTS = ["Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"]
STATEMENTS = st.dictionaries(st.sampled_from(ELEMENTS), VALUES)


@randomly(st.fixed_dictionaries({"Statement": st.lists(STATEMENTS, max_size=3) | STATEMENTS | VALUES}) | VALUES)
def test_no_document_is_a_reason_to_fail(document: Any) -> None:
    assert effect(document, READ) in Effect
    assert effect_for(document, READ, ROLE) in Effect
    assert boundary_refuses(document, ROLE, SECRET, KEY) in ((), (READ_SECRET,), (DECRYPT,), (READ_SECRET, DECRYPT))
    assert key_policy_refuses(document, ROLE, SECRET, KEY) in (True, False)


@randomly(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_no_name_is_a_reason_to_fail(role: str, secret: str, key: str) -> None:
    assert boundary_refuses({"Statement": EVERYTHING}, role, secret, key) == ()
    assert not key_policy_refuses({"Statement": {**EVERYTHING, "Principal": "*"}}, role, secret, key)


# A permissions boundary


def boundary(*statements: Json, key: str = KEY) -> tuple[str, ...]:
    return boundary_refuses({"Version": "2012-10-17", "Statement": list(statements)}, ROLE, SECRET, key)


@pytest.mark.parametrize(
    "statements",
    [
        [EVERYTHING],
        [allow(NotAction=["iam:*", "organizations:*", "account:*"], Resource="*")],
        [allow(Action=READ_SECRET, Resource=SECRET), allow(Action=DECRYPT, Resource=KEY)],
        [
            allow(
                Action=["secretsmanager:*", "kms:*"], Resource="*", Condition={"Null": {"aws:RequestedRegion": "false"}}
            )
        ],
        [
            allow(Action=READ_SECRET, Resource="*"),
            allow(Action=DECRYPT, Resource="*", Condition={"StringLike": {"kms:ViaService": "secretsmanager.*"}}),
        ],
        [EVERYTHING, deny(Action="*", Resource="*", Condition=OF_AN_ORGANISATION)],
        [allow(Action="*", Resource="*", Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}})],
        [allow(Action="*", Resource="*", Condition={"ArnLike": {"aws:PrincipalArn": [STRANGER, ROLE]}})],
        [allow(Action="*", Resource="*", Condition={"Bool": {"aws:SecureTransport": "true"}})],
        [EVERYTHING, deny(Action="*", Resource="*", Condition={"Bool": {"aws:SecureTransport": "false"}})],
        [
            EVERYTHING,
            deny(Action="*", Resource="*", Condition={"StringNotLike": {"aws:PrincipalArn": f"{ROLE[:-3]}*"}}),
        ],
        [
            EVERYTHING,
            deny(Action="*", Resource="*", Condition={"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}),
        ],
    ],
)
def test_a_boundary_that_allows_both_refuses_nothing(statements: list[Json]) -> None:
    assert boundary(*statements) == ()


@pytest.mark.parametrize(
    ("statements", "refused"),
    [
        ([], (READ_SECRET, DECRYPT)),
        ([allow(Action=["codebuild:*", "s3:*"], Resource="*")], (READ_SECRET, DECRYPT)),
        ([allow(Action="secretsmanager:*", Resource="*")], (DECRYPT,)),
        ([allow(Action="kms:*", Resource="*")], (READ_SECRET,)),
        ([allow(Action=READ_SECRET, Resource=OTHER_SECRET), allow(Action=DECRYPT, Resource=KEY)], (READ_SECRET,)),
        ([EVERYTHING, deny(Action="secretsmanager:*", Resource="*")], (READ_SECRET,)),
        ([EVERYTHING, deny(Action=DECRYPT, NotResource="arn:aws:s3:::*")], (DECRYPT,)),
        (
            [allow(Action="*", Resource="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})],
            (READ_SECRET, DECRYPT),
        ),
        (
            [EVERYTHING, deny(Action="*", Resource="*", Condition={"StringNotLike": {"aws:PrincipalArn": STRANGER}})],
            (READ_SECRET, DECRYPT),
        ),
        (
            [EVERYTHING, deny(Action="*", Resource="*", Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}})],
            (READ_SECRET, DECRYPT),
        ),
        (
            [allow(Action="*", Resource="*", Condition={"StringEquals": {"aws:PrincipalArn": STRANGER}})],
            (READ_SECRET, DECRYPT),
        ),
        (
            [EVERYTHING, deny(Action="kms:*", Resource="*", Condition={"Bool": {"aws:SecureTransport": "true"}})],
            (DECRYPT,),
        ),
        (
            [EVERYTHING, deny(Action="*", Resource="*", Condition={"StringLike": {"aws:RequestedRegion": "eu-*"}})],
            (READ_SECRET, DECRYPT),
        ),
    ],
)
def test_a_boundary_refuses_what_it_does_not_allow(statements: list[Json], refused: tuple[str, ...]) -> None:
    assert boundary(*statements) == refused


def test_without_a_key_of_the_customers_a_boundary_has_nothing_to_say_about_decrypting() -> None:
    assert boundary(allow(Action="secretsmanager:*", Resource="*"), key="") == ()
    assert boundary(key="") == (READ_SECRET,)


# The policy of a key


def of_key(principal: Any = None, effect_: str = "Allow", **elements: Any) -> Json:
    named = {} if principal is None else {"Principal": principal}
    return {"Effect": effect_, "Action": "kms:*", "Resource": "*", **named, **elements}


def refuses(*statements: Json, role: str = ROLE, bounded: bool = False) -> bool:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return key_policy_refuses(document, role, SECRET, KEY, bounded=bounded)


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": ROLE},
        {"AWS": ROOT},
        {"AWS": ACCOUNT},
        {"AWS": int(ACCOUNT)},
        {"AWS": [STRANGER, ROLE]},
        {"Service": "logs.amazonaws.com", "AWS": [ROOT]},
    ],
)
def test_a_key_lets_in_the_role_that_it_names_and_every_role_of_an_account_that_it_names(principal: Any) -> None:
    assert not refuses(of_key(principal))


@pytest.mark.parametrize(
    "principal",
    [
        None,
        {},
        [],
        ROLE,
        {"AWS": STRANGER},
        {"AWS": "arn:aws:iam::210987654321:root"},
        {"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"},
        {"AWS": ROLE[:-1] + "*"},
        {"AWS": ROLE.upper()},
        {"AWS": "AROAEXAMPLEEXAMPLE123"},
        {"AWS": [None, ROLE]},
        {"AWS": {"AWS": ROLE}},
        {"Service": "*"},
        {"Service": "codebuild.amazonaws.com"},
        {"Federated": ROLE},
    ],
)
def test_a_key_that_names_somebody_else_refuses(principal: Any) -> None:
    assert refuses(of_key(principal))


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"kms:ViaService": VIA, "kms:CallerAccount": ACCOUNT}},
        {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
        {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/service-role/*"}},
        {"StringEquals": {"kms:EncryptionContext:SecretARN": SECRET}},
        {"StringLike": {"kms:ViaService": ["s3.*.amazonaws.com", "secretsmanager.*.amazonaws.com"]}},
    ],
)
def test_a_condition_that_the_request_meets_lets_the_role_in(condition: Json) -> None:
    assert not refuses(of_key("*", Condition=condition))
    assert refuses(of_key({"AWS": ROOT}), of_key("*", "Deny", Condition=condition))


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}},
        {"StringEquals": {"kms:CallerAccount": "210987654321"}},
        {"StringEquals": {"kms:EncryptionContext:SecretARN": OTHER_SECRET}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        OF_AN_ORGANISATION,
    ],
)
def test_a_condition_that_it_does_not_meet_or_that_nobody_can_judge_lets_nobody_in_and_denies_nobody(
    condition: Json,
) -> None:
    assert refuses(of_key("*", Condition=condition))
    assert not refuses(of_key({"AWS": ROOT}), of_key("*", "Deny", Condition=condition))


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        (of_key({"AWS": ROLE}, "Deny"), True),
        (of_key({"AWS": ROOT}, "Deny"), True),
        (of_key({"AWS": STRANGER}, "Deny"), False),
        (of_key({"AWS": ROLE}, "Deny", Action="kms:ScheduleKeyDeletion"), False),
        (of_key(None, "Deny", NotPrincipal={"AWS": STRANGER}), True),
        (of_key(None, "Deny", NotPrincipal={"Service": "logs.amazonaws.com"}), True),
        (of_key(None, "Deny", NotPrincipal={"AWS": ROLE}), True),
        (of_key(None, "Deny", NotPrincipal={"AWS": [ROLE, STRANGER]}), True),
        (of_key(None, "Deny", NotPrincipal={"AWS": ROOT}), True),
        (of_key(None, "Deny", NotPrincipal={"AWS": [ROLE, "arn:aws:iam::210987654321:root"]}), True),
        (of_key(None, "Deny", NotPrincipal={"AWS": [ROOT, SESSION]}), True),
        (of_key(None, "Deny", NotPrincipal={"AWS": [ROLE, ROOT, STRANGER]}), False),
        (of_key(None, "Deny", NotPrincipal={"AWS": [ACCOUNT, ROLE]}), False),
        (of_key(None, "Deny", NotPrincipal="*"), False),
        (of_key(None, "Deny", NotPrincipal={"AWS": [None]}), False),
        (of_key(None, "Deny", NotPrincipal=None), False),
    ],
)
def test_a_deny_counts_for_those_whom_it_is_for(statement: Json, refused: bool) -> None:
    assert refuses(of_key({"AWS": ROOT}), statement) is refused


def test_a_deny_with_a_list_of_the_spared_spares_no_role_that_has_a_boundary() -> None:
    spared = of_key(None, "Deny", NotPrincipal={"AWS": [ROLE, ROOT]})
    assert not refuses(of_key({"AWS": ROOT}), spared)
    assert refuses(of_key({"AWS": ROOT}), spared, bounded=True)
    assert not refuses(of_key({"AWS": ROOT}), bounded=True)


def test_an_allow_for_everybody_but_some_is_no_promise() -> None:
    assert refuses(of_key(None, NotPrincipal={"AWS": STRANGER}))


@pytest.mark.parametrize(
    ("elements", "refused"),
    [
        ({"Resource": KEY}, False),
        ({"Resource": KEY[:-1] + "c"}, True),
        ({"Action": ["kms:Encrypt", "kms:GenerateDataKey*"]}, True),
        ({"Action": ["kms:decrypt"]}, False),
        ({"Action": ["kms:D*"]}, False),
    ],
)
def test_action_and_resource_of_a_key_policy_count(elements: Json, refused: bool) -> None:
    assert refuses(of_key({"AWS": ROLE}, **elements)) is refused


def test_a_statement_of_a_key_policy_without_a_resource_is_about_the_key() -> None:
    statement = of_key({"AWS": ROLE})
    del statement["Resource"]
    assert not refuses(statement)


def test_a_role_of_another_account_is_let_in_by_its_own_account_alone() -> None:
    assert refuses(of_key({"AWS": ROOT}), role=STRANGER)
    assert not refuses(of_key({"AWS": "210987654321"}), role=STRANGER)


@pytest.mark.parametrize("name", ["", "arn::iam:::root", ROOT])
def test_what_is_no_roles_arn_belongs_to_no_account(name: str) -> None:
    assert refuses(of_key({"AWS": name}), role="builds")


@pytest.mark.parametrize(
    ("secret", "service"),
    [
        (SECRET, VIA),
        ("arn:aws-us-gov:secretsmanager:us-gov-west-1:1:secret:x", "secretsmanager.us-gov-west-1.amazonaws.com"),
        ("arn:aws-cn:secretsmanager:cn-north-1:1:secret:x", "secretsmanager.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_service_that_decrypts_is_the_one_of_the_secrets_region(secret: str, service: str) -> None:
    assert only_for(secret) == {"kms:ViaService": service, "kms:EncryptionContext:SecretARN": secret}


# The secret's own policy


def denied(statement: Json, *, bounded: bool = False) -> bool:
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return denies_reading(document, ROLE, SECRET, bounded=bounded)


def of_secret(**elements: Any) -> Json:
    return {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*", **elements}


@pytest.mark.parametrize(
    ("condition", "refused"),
    [
        ({"StringNotLike": {"aws:PrincipalArn": [STRANGER, f"arn:aws:iam::{ACCOUNT}:role/admin"]}}, True),
        ({"StringNotLike": {"aws:PrincipalArn": [STRANGER, f"arn:aws:iam::{ACCOUNT}:role/*"]}}, False),
        ({"ArnNotEquals": {"aws:PrincipalArn": ROLE}}, False),
        ({"StringNotEqualsIgnoreCase": {"aws:PrincipalArn": ROLE.upper()}}, False),
        ({"StringNotEqualsIgnoreCase": {"aws:PrincipalArn": STRANGER}}, True),
        ({"ForAnyValue:StringEquals": {"aws:PrincipalAccount": [ACCOUNT]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:PrincipalAccount": ["210987654321"]}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"BoolIfExists": {"aws:SecureTransport": False}}, False),
        ({"Bool": {"aws:SecureTransport": True}}, True),
        (
            {
                "StringNotEqualsIfExists": {"aws:PrincipalAccount": "210987654321"},
                "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
            },
            True,
        ),
        ({"Bool": {"aws:PrincipalIsAWSService": "true"}}, False),
        ({"StringNotLike": {"aws:userid": "AROAEXAMPLE:*"}}, False),
        ({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, False),
    ],
)
def test_a_deny_in_the_secrets_policy_counts_where_its_condition_is_known_to_hold(
    condition: Json, refused: bool
) -> None:
    assert denied(of_secret(Condition=condition)) is refused


def test_a_secrets_policy_that_denies_everybody_who_is_not_listed_denies_a_role_with_a_boundary() -> None:
    statement = {**of_secret(NotPrincipal={"AWS": [ROLE, ROOT]})}
    del statement["Principal"]
    assert not denied(statement)
    assert denied(statement, bounded=True)
    assert denied({**statement, "NotPrincipal": {"AWS": ROLE}})
