"""The grant in each PolicyMode, and what would keep a role from the secret whatever is granted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from remediator.core.case import Case, FailedBuild
from remediator.core.codebuild.project import Role
from remediator.core.guards.shared_role import RoleUsers
from remediator.core.job import Job
from remediator.core.outcome import Ending, Outcome
from remediator.core.policies.inline_policy import earlier_inline_policy, inline_policy, inline_policy_name
from remediator.core.policies.secret_policy import LONGEST_POLICY, with_role
from remediator.core.repair.change import GrantBy, GrantSecretAccess
from remediator.services import Services
from remediator.steps.grant import Granted, Grants
from remediator.steps.still_allowed import Busy
from tests.unit import given
from tests.unit.fakes import FakeSwitch

NOW = 1_795_000_200.0
ME = "execution-one"
BOUNDARY = f"arn:aws:iam::{given.ACCOUNT}:policy/boundary"
ROLE = Role(given.ROLE, given.CODEBUILD_TRUST)
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NOTHING: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
NAME = inline_policy_name(given.SECRET)
NAMED = with_role(None, given.ROLE)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "AWS says no"}}, "AnyCall")


@dataclass
class Fake:
    """Writes that were made, and the error that AWS answers a call with, by the call's name."""

    errors: dict[str, ClientError] = field(default_factory=dict)
    written: list[tuple[Any, ...]] = field(default_factory=list)

    def _asked(self, call: str) -> None:
        if call in self.errors:
            raise self.errors[call]

    def _write(self, call: str, *what: Any) -> None:
        self._asked(call)
        self.written.append((call, *what))


@dataclass
class FakeIam(Fake):
    found: Role = ROLE
    held: frozenset[str] = frozenset()
    inline: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    boundary: Mapping[str, Any] = field(default_factory=lambda: EVERYTHING)

    def role(self, role_arn: str) -> Role:
        self._asked("role")
        return replace(self.found, arn=role_arn)

    def attached(self, role_name: str) -> frozenset[str]:
        assert role_name == given.ROLE_NAME
        return self.held

    def policy(self, policy_arn: str) -> Mapping[str, Any]:
        assert policy_arn == BOUNDARY
        self._asked("policy")
        return self.boundary

    def attach(self, role_name: str, policy_arn: str) -> None:
        self._write("attach", role_name, policy_arn)

    def inline_policy(self, role_name: str, name: str) -> Mapping[str, Any] | None:
        assert role_name == given.ROLE_NAME
        return self.inline.get(name)

    def put_inline_policy(self, role_name: str, name: str, document: Mapping[str, Any]) -> None:
        self._write("put_inline_policy", role_name, name, document)


@dataclass
class FakeSecret(Fake):
    text: str | None = None
    key: str = ""

    def customer_key(self) -> str:
        return self.key

    def policy(self) -> str | None:
        self._asked("policy")
        return self.text

    def put_policy(self, text: str) -> None:
        self._write("put_policy", text)


@dataclass
class FakeKms(Fake):
    document: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    def key_arn(self, key: str) -> str:
        self._asked("key_arn")
        return given.KEY

    def policy(self, key_arn: str) -> Mapping[str, Any]:
        assert key_arn == given.KEY
        self._asked("policy")
        return self.document


@dataclass
class FakeRecord:
    """Who edits the secret's policy, and whether that was ended."""

    editor: str = ""
    ended: list[str] = field(default_factory=list)

    def begin_edit(self, execution: str, now: float) -> bool:
        assert now == NOW
        if self.editor not in ("", execution):
            return False
        self.editor = execution
        return True

    def end_edit(self, execution: str) -> None:
        self.editor = ""
        self.ended.append(execution)


@dataclass
class FakeCodeBuild:
    """All projects of the account; keeps how often they were read."""

    projects_: list[given.Document] = field(default_factory=lambda: [given.project()])
    asked: int = 0

    def project(self, name: str) -> given.Document | None:
        return next((project for project in self.projects_ if project["name"] == name), None)

    def projects(self, covers: Callable[[str], bool]) -> Iterator[given.Document]:
        self.asked += 1
        return (project for project in self.projects_ if covers(project["name"]))


@dataclass
class FakeIndex:
    """Who shares which role, where that is known, and who reads it."""

    known: Mapping[str, RoleUsers] | None = None
    reader: str = ""

    def users(self, now: float) -> Mapping[str, RoleUsers] | None:
        assert now == NOW
        return self.known

    def begin(self, execution: str, now: float) -> bool:
        return self.reader in ("", execution)

    def keep(self, users: Mapping[str, RoleUsers], execution: str, read_at: float) -> None:
        assert (execution, read_at) == (ME, NOW)
        self.known = users


class Account(Services):
    """IAM, the secret, its key and its record, each replaced before it is first used."""

    def __init__(self, mode: GrantBy = "managed", **settings: str) -> None:
        self.iam_fake, self.secret_fake, self.kms_fake, self.record = FakeIam(), FakeSecret(), FakeKms(), FakeRecord()
        self.codebuild_fake, self.index, self.switch_fake = FakeCodeBuild(), FakeIndex(), FakeSwitch()
        self.__dict__.update(
            iam=self.iam_fake,
            secret=self.secret_fake,
            kms=self.kms_fake,
            secret_record=self.record,
            codebuild=self.codebuild_fake,
            role_index=self.index,
            switch=self.switch_fake,
            settings=given.settings(POLICY_MODE=mode, **settings),
        )

    def now(self) -> float:
        return NOW

    @property
    def written(self) -> list[tuple[Any, ...]]:
        return [*self.iam_fake.written, *self.secret_fake.written, *self.kms_fake.written]


def with_key(mode: GrantBy = "managed") -> Account:
    """An account whose secret is encrypted with a customer key that the stack was told of."""
    account = Account(mode, SECRET_KMS_KEY_ARN=given.KEY)
    account.secret_fake.key = "alias/docker-hub"
    return account


def change(by: GrantBy) -> GrantSecretAccess:
    return GrantSecretAccess(given.ROLE, given.POLICY, given.SECRET, by)


JOB = Job(given.BUILD_ARN, ME, attempt=1)
CASE = Case(None, failed=FailedBuild(str(given.BUILD_ARN), role=given.ROLE_NAME))


def make(account: Account, by: GrantBy = "managed") -> Granted | Busy | Outcome:
    return Grants(account).make(change(by), CASE, JOB)


def advised(account: Account, by: GrantBy) -> Outcome:
    told = make(account, by)
    assert isinstance(told, Outcome)
    assert told.ending is Ending.ADVISED
    return told


def objected(account: Account, role: Role = ROLE) -> Outcome:
    told = Grants(account).objection(role)
    assert told is not None
    assert told.ending is Ending.ADVISED
    return told


# What the role holds already


@pytest.mark.parametrize("mode", ["managed", "secret", "inline", "none"])
def test_a_role_that_was_never_granted_holds_nothing(mode: GrantBy) -> None:
    assert not Grants(Account(mode)).role(given.ROLE).granted


@pytest.mark.parametrize("mode", ["managed", "none"])
def test_a_role_that_has_the_policy_holds_the_grant(mode: GrantBy) -> None:
    account = Account(mode)
    account.iam_fake.held = frozenset({"arn:aws:iam::aws:policy/ReadOnlyAccess", given.POLICY})

    assert Grants(account).role(given.ROLE).granted


def test_a_role_that_the_secrets_policy_names_holds_the_grant() -> None:
    account = Account("secret")
    account.secret_fake.text = NAMED

    assert Grants(account).role(given.ROLE).granted
    assert not Grants(account).role(f"{given.ROLE}-other").granted


@pytest.mark.parametrize("mode", ["secret", "inline"])
def test_the_managed_policy_is_no_grant_in_another_mode(mode: GrantBy) -> None:
    account = Account(mode)
    account.iam_fake.held = frozenset({given.POLICY})

    assert not Grants(account).role(given.ROLE).granted


def test_a_secrets_policy_that_can_not_be_read_names_nobody() -> None:
    """The grant itself says what is wrong with it."""
    account = Account("secret")
    account.secret_fake.text = "{"

    assert not Grants(account).role(given.ROLE).granted


@pytest.mark.parametrize(
    ("document", "granted"),
    [
        (inline_policy(given.SECRET, ""), True),
        (inline_policy(given.OTHER_SECRET, ""), False),
        (inline_policy(given.SECRET, given.KEY), False),
        (NOTHING, False),
    ],
)
def test_an_inline_policy_is_the_grant_only_as_this_stack_writes_it(document: dict[str, Any], granted: bool) -> None:
    account = Account("inline")
    account.iam_fake.inline[NAME] = document

    assert Grants(account).role(given.ROLE).granted is granted


def test_an_inline_policy_without_the_secrets_key_is_no_grant_any_more() -> None:
    account = with_key("inline")
    account.iam_fake.inline[NAME] = inline_policy(given.SECRET, "")
    assert not Grants(account).role(given.ROLE).granted

    account.iam_fake.inline[NAME] = inline_policy(given.SECRET, given.KEY)
    assert Grants(account).role(given.ROLE).granted


def test_an_inline_policy_that_decrypts_more_than_the_secret_is_no_grant_any_more() -> None:
    account = with_key("inline")
    account.iam_fake.inline[NAME] = earlier_inline_policy(given.SECRET, given.KEY)

    assert not Grants(account).role(given.ROLE).granted


def test_what_iam_says_of_the_role_is_kept() -> None:
    account = Account()
    account.iam_fake.found = replace(ROLE, tags={"team": "orders"}, boundary=BOUNDARY)

    role = Grants(account).role(given.ROLE)

    assert (role.tags, role.boundary, role.trust) == ({"team": "orders"}, BOUNDARY, given.CODEBUILD_TRUST)


# The grant


def test_the_managed_policy_is_attached_and_nothing_else_written() -> None:
    account = Account()

    assert make(account, "managed") == Granted(NOW)
    assert account.written == [("attach", given.ROLE_NAME, given.POLICY)]


@pytest.mark.parametrize("account", [Account("inline"), with_key("inline")])
def test_the_inline_policy_is_put_with_the_secrets_key_where_it_has_one(account: Account) -> None:
    key = given.KEY if account.secret_fake.key else ""

    assert make(account, "inline") == Granted(NOW)
    assert account.written == [("put_inline_policy", given.ROLE_NAME, NAME, inline_policy(given.SECRET, key))]


def test_the_role_is_named_in_the_secrets_policy_beside_those_that_are_there() -> None:
    account = Account("secret")
    account.secret_fake.text = with_role(None, f"{given.ROLE}-other")

    assert make(account, "secret") == Granted(NOW)
    assert account.written == [("put_policy", with_role(account.secret_fake.text, given.ROLE))]
    assert account.record.ended == [ME]


def test_a_role_that_is_named_already_is_written_nowhere() -> None:
    account = Account("secret")
    account.secret_fake.text = NAMED

    assert make(account, "secret") == Granted(NOW)
    assert account.written == []
    assert account.record.ended == [ME]


def test_while_another_edits_the_secrets_policy_it_is_neither_read_nor_written() -> None:
    account = Account("secret")
    account.record.editor = "execution-two"
    account.secret_fake.errors["policy"] = refusal("Unasked")

    assert make(account, "secret") == Busy("edited the policy of the secret")
    assert (account.written, account.record.ended, account.record.editor) == ([], [], "execution-two")


# AWS, or the policy, says no


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchEntity", "LimitExceeded", "UnmodifiableEntity"])
def test_a_policy_that_iam_does_not_attach_is_advised(code: str) -> None:
    account = Account()
    account.iam_fake.errors["attach"] = refusal(code)

    told = advised(account, "managed")

    assert told.reason.startswith(f"the role {given.ROLE_NAME} could not be given the policy: ")
    assert "AWS says no" in told.reason


@pytest.mark.parametrize(
    ("by", "lines"),
    [("managed", "attach-role-policy"), ("inline", "put-role-policy"), ("secret", "put-resource-policy")],
)
def test_a_refused_grant_is_told_with_the_lines_that_make_it(by: GrantBy, lines: str) -> None:
    account = Account(by)
    for call in ("attach", "put_inline_policy", "put_policy"):
        account.iam_fake.errors[call] = account.secret_fake.errors[call] = refusal("AccessDenied")

    by_hand, then = advised(account, by).advice

    assert f"aws {'secretsmanager' if by == 'secret' else 'iam'} {lines}" in by_hand
    assert given.ROLE_NAME in by_hand
    assert then == "then use the remediate command"


def test_a_role_with_ten_policies_is_told_the_ways_out() -> None:
    account = Account()
    account.iam_fake.errors["attach"] = refusal("LimitExceeded")

    assert "PolicyMode=secret" in advised(account, "managed").advice[0]


def test_a_role_that_is_gone_is_told_what_to_do() -> None:
    account = Account()
    account.iam_fake.errors["attach"] = refusal("NoSuchEntity")

    (told,) = advised(account, "managed").advice
    assert told == "give the project a service role that is there, then use the remediate command"


def test_a_role_outside_of_the_path_is_advised() -> None:
    account = Account("inline")
    account.iam_fake.errors["put_inline_policy"] = refusal("AccessDenied")

    assert "could not be given an inline policy: " in advised(account, "inline").reason


@pytest.mark.parametrize("code", ["PublicPolicyException", "AccessDeniedException", "MalformedPolicyDocumentException"])
def test_a_secrets_policy_that_is_refused_is_advised_and_others_may_edit_it(code: str) -> None:
    account = Account("secret")
    account.secret_fake.errors["put_policy"] = refusal(code)

    assert "could not be named in the secret's policy: " in advised(account, "secret").reason
    assert account.record.ended == [ME]


def crowded() -> str:
    """A policy whose statement of ours has no place left for another role."""
    text, number = NAMED, 0
    while len(text) < LONGEST_POLICY - 80:
        number += 1
        text = with_role(text, f"arn:aws:iam::{given.ACCOUNT}:role/{'r' * 40}{number:04}")
    return text


@pytest.mark.parametrize(
    ("text", "word"), [("{", "no JSON object"), ('{"Statement": 7}', "neither a statement nor a list")]
)
def test_a_secrets_policy_that_can_not_take_the_role_is_left_as_it_is(text: str, word: str) -> None:
    account = Account("secret")
    account.secret_fake.text = text

    assert word in advised(account, "secret").reason
    assert account.written == []
    assert account.record.ended == [ME]


def test_a_secrets_policy_that_would_be_too_long_is_left_as_it_is() -> None:
    account = Account("secret")
    account.secret_fake.text = crowded()
    role = f"arn:aws:iam::{given.ACCOUNT}:role/one-too-many-{'x' * 40}"

    told = Grants(account).make(GrantSecretAccess(role, given.POLICY, given.SECRET, "secret"), CASE, JOB)

    assert isinstance(told, Outcome)
    assert f"no more than {LONGEST_POLICY:,}" in told.reason
    assert account.written == []


@pytest.mark.parametrize("code", ["ThrottlingException", "Unheard"])
@pytest.mark.parametrize(("by", "call"), [("managed", "attach"), ("inline", "put_inline_policy")])
def test_what_may_pass_or_is_not_known_is_an_error_and_no_refusal(code: str, by: GrantBy, call: str) -> None:
    account = Account(by)
    account.iam_fake.errors[call] = refusal(code)

    with pytest.raises(ClientError, match=code):
        make(account, by)


def test_an_edit_that_breaks_off_is_ended_so_that_nobody_waits_for_it() -> None:
    account = Account("secret")
    account.secret_fake.errors["put_policy"] = refusal("ThrottlingException")

    with pytest.raises(ClientError, match="Throttling"):
        make(account, "secret")
    assert account.record.ended == [ME]


# What would keep the role from the secret


@pytest.mark.parametrize("mode", ["managed", "secret", "inline"])
def test_a_role_without_a_boundary_meets_no_objection(mode: GrantBy) -> None:
    assert Grants(Account(mode)).objection(ROLE) is None


BOUND = replace(ROLE, boundary=BOUNDARY)


def test_a_boundary_that_allows_it_is_no_objection() -> None:
    assert Grants(Account()).objection(BOUND) is None


def test_a_boundary_that_does_not_allow_it_is_told_with_the_statement_to_add() -> None:
    account = Account()
    account.iam_fake.boundary = NOTHING

    told = objected(account, BOUND)

    assert BOUNDARY in told.reason
    assert "does not allow secretsmanager:GetSecretValue" in told.reason
    assert '"secretsmanager:GetSecretValue"' in told.advice[0]
    assert given.SECRET in told.advice[0]


def test_a_boundary_that_allows_the_secret_and_not_its_key_is_told_by_the_key() -> None:
    account = with_key()
    account.kms_fake.document = key_policy(given.ROLE)
    account.iam_fake.boundary = {
        "Statement": {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    }

    assert "does not allow kms:Decrypt" in objected(account, BOUND).reason


def test_a_boundary_that_can_not_be_read_is_told() -> None:
    account = Account()
    account.iam_fake.errors["policy"] = refusal("AccessDenied")

    assert f"{BOUNDARY} of the role {given.ROLE} can't be read" in objected(account, BOUND).reason


def test_a_boundary_that_iam_does_not_tell_right_now_is_an_error() -> None:
    account = Account()
    account.iam_fake.errors["policy"] = refusal("Throttling")

    with pytest.raises(ClientError, match="Throttling"):
        Grants(account).objection(BOUND)


def key_policy(principal: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:Decrypt", "Resource": "*"}
    return {"Statement": [statement]}


THE_ACCOUNT = f"arn:aws:iam::{given.ACCOUNT}:root"


@pytest.mark.parametrize(
    ("mode", "principal", "refuses"),
    [
        ("managed", given.ROLE, False),
        ("managed", THE_ACCOUNT, False),
        ("inline", THE_ACCOUNT, False),
        ("secret", given.ROLE, False),
        ("secret", THE_ACCOUNT, True),
        ("managed", f"{given.ROLE}-other", True),
    ],
)
def test_a_key_policy_has_to_let_the_role_in_itself_where_nothing_in_iam_does(
    mode: GrantBy, principal: str, refuses: bool
) -> None:
    account = with_key(mode)
    account.kms_fake.document = key_policy(principal)

    assert (Grants(account).objection(ROLE) is not None) is refuses


def test_a_key_policy_that_refuses_the_role_is_told_with_the_statement_to_add() -> None:
    told = objected(with_key())

    assert given.KEY in told.reason
    assert given.ROLE in told.reason
    assert '"kms:Decrypt"' in told.advice[0]
    assert '"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"' in told.advice[0]


@pytest.mark.parametrize("call", ["key_arn", "policy"])
@pytest.mark.parametrize("role", [ROLE, BOUND])
def test_a_key_that_can_not_be_looked_at_as_one_of_another_account_is_told(call: str, role: Role) -> None:
    account = with_key()
    account.kms_fake.errors[call] = refusal("AccessDeniedException")

    told = objected(account, role)

    assert "the key of the secret can't be looked at" in told.reason
    assert "SecretKmsKeyArn" in told.advice[0]


def test_a_key_that_kms_does_not_tell_right_now_is_an_error() -> None:
    account = with_key()
    account.kms_fake.errors["policy"] = refusal("ThrottlingException")

    with pytest.raises(ClientError, match="Throttling"):
        Grants(account).objection(ROLE)


def test_a_secret_that_went_back_to_secrets_managers_own_key_needs_none() -> None:
    account = with_key()
    account.secret_fake.key = ""
    account.kms_fake.errors = {"key_arn": refusal("Unasked"), "policy": refusal("Unasked")}

    assert Grants(account).objection(ROLE) is None


def test_without_a_customer_key_kms_is_asked_nothing() -> None:
    account = Account()
    account.kms_fake.errors = {"key_arn": refusal("Unasked"), "policy": refusal("Unasked")}

    assert Grants(account).objection(BOUND) is None


def denying(principal: str) -> str:
    statement = {"Effect": "Deny", "Principal": {"AWS": principal}, "Action": "secretsmanager:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


MODES = ["managed", "inline", "secret", "none"]


@pytest.mark.parametrize("mode", MODES)
def test_a_secrets_policy_that_denies_the_role_is_told_wherever_the_grant_is_written(mode: GrantBy) -> None:
    account = Account(mode)
    account.secret_fake.text = denying(given.ROLE)

    assert f"denies the role {given.ROLE} to read it" in objected(account).reason


@pytest.mark.parametrize("mode", MODES)
def test_the_usual_denial_of_all_but_some_roles_is_an_objection(mode: GrantBy) -> None:
    account = Account(mode)
    for others, refused in ((["arn:aws:iam::*:role/admin"], True), (["arn:aws:iam::*:role/admin", given.ROLE], False)):
        only = {"StringNotLike": {"aws:PrincipalArn": others}}
        statement = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": only}
        account.secret_fake.text = json.dumps({"Statement": [statement]})

        assert (Grants(account).objection(ROLE) is not None) is refused


def test_a_secrets_policy_that_denies_all_who_are_not_listed_denies_a_listed_role_with_a_boundary() -> None:
    account = Account("managed")
    spared = {"AWS": [given.ROLE, f"arn:aws:iam::{given.ACCOUNT}:root"]}
    statement = {"Effect": "Deny", "NotPrincipal": spared, "Action": "*", "Resource": "*"}
    account.secret_fake.text = json.dumps({"Statement": [statement]})

    assert Grants(account).objection(ROLE) is None
    assert "denies the role" in objected(account, BOUND).reason


@pytest.mark.parametrize("text", [None, NAMED, denying(f"{given.ROLE}-other"), "{", "[" * 20_000, "7"])
@pytest.mark.parametrize("mode", MODES)
def test_a_secrets_policy_that_denies_somebody_else_or_is_none_is_no_objection(mode: GrantBy, text: str | None) -> None:
    account = Account(mode)
    account.secret_fake.text = text

    assert Grants(account).objection(ROLE) is None


def test_a_secrets_policy_that_may_not_be_read_is_an_objection() -> None:
    account = Account("managed")
    account.secret_fake.errors["policy"] = refusal("AccessDeniedException")

    told = objected(account)
    assert "can't be looked at: AWS says no" in told.reason
    assert "let the stack read it" in told.advice[0]


def test_a_secrets_policy_that_can_not_be_read_right_now_is_asked_for_again() -> None:
    account = Account("managed")
    account.secret_fake.errors["policy"] = refusal("ThrottlingException")

    with pytest.raises(ClientError, match="Throttling"):
        Grants(account).objection(ROLE)


# Who shares the role


def neighbour(name: str = "invoices", **members: Any) -> given.Document:
    return given.project(name=name, **members)


OPEN = neighbour(projectVisibility="PUBLIC_READ")


def with_neighbours(*neighbours: given.Document, **settings: str) -> Account:
    account = Account("managed", **settings)
    account.codebuild_fake.projects_ += neighbours
    return account


def test_a_grant_names_who_shares_the_role() -> None:
    granted = make(with_neighbours(neighbour()))

    assert isinstance(granted, Granted)
    assert "is shared with invoices" in granted.shared_with


def test_strangers_in_a_project_that_shares_the_role_are_granted_nothing() -> None:
    account = with_neighbours(OPEN)

    refused = make(account)

    assert isinstance(refused, Outcome)
    assert refused.ending is Ending.ADVISED
    assert account.written == []


def test_strangers_may_have_the_credentials_where_the_stack_says_so() -> None:
    assert isinstance(make(with_neighbours(OPEN, UNTRUSTED_PROJECTS="repair")), Granted)


def test_projects_of_other_names_can_not_be_read_and_are_not_told() -> None:
    assert make(with_neighbours(OPEN, PROJECT_NAME_PATTERN="orders-*")) == Granted(NOW)


def test_projects_are_read_once_for_all_grants_of_a_while() -> None:
    account = with_neighbours(neighbour())

    first, second = make(account), make(account)

    assert first == second
    assert account.codebuild_fake.asked == 1


def test_what_is_known_of_a_role_counts_without_a_look_at_the_projects() -> None:
    account = with_neighbours()
    account.index.known = {given.ROLE_NAME: RoleUsers(2, [given.PROJECT, "open"], 1, ["open"])}

    assert isinstance(make(account), Outcome)
    assert (account.codebuild_fake.asked, account.written) == (0, [])


def test_while_another_execution_reads_the_projects_nothing_is_granted() -> None:
    account = with_neighbours()
    account.index.reader = "somebody-else"

    assert make(account) == Busy("read who shares the roles")
    assert (account.codebuild_fake.asked, account.written) == (0, [])


def test_nothing_is_granted_while_everything_is_stopped() -> None:
    account = with_neighbours(neighbour())
    account.switch_fake.turn("maintenance", NOW, stopped=True)

    refused = make(account)

    assert isinstance(refused, Outcome)
    assert "maintenance" in refused.reason
    assert account.written == []


def test_a_case_of_the_release_before_has_its_role_read_from_the_project() -> None:
    account = with_neighbours(neighbour())
    account.iam_fake.found = Role(given.ROLE, {"Statement": [{"Effect": "Allow", "Principal": "*"}]})
    old = CASE.changed("failed", role="")

    refused = Grants(account).make(change("managed"), old, JOB)

    assert isinstance(refused, Outcome)
    assert "may also be assumed by *" in refused.reason
    assert account.written == []


def test_who_may_assume_the_role_is_not_asked_where_strangers_may_have_the_credentials() -> None:
    account = Account(UNTRUSTED_PROJECTS="repair")
    account.iam_fake.errors["role"] = refusal("AccessDenied")

    assert isinstance(make(account), Granted)


def test_a_role_that_can_not_be_read_any_more_is_granted_nothing() -> None:
    account = Account()
    account.iam_fake.errors["role"] = refusal("AccessDenied")

    assert "can't be read" in advised(account, "managed").reason
    assert account.written == []


def test_a_project_that_is_gone_by_now_is_granted_nothing() -> None:
    account = Account()
    account.codebuild_fake.projects_ = []

    refused = make(account)

    assert isinstance(refused, Outcome)
    assert "deleted" in refused.reason
    assert account.written == []


@pytest.mark.parametrize("answer", [{}, {"pipeline": {}}, {"metadata": {}}])
def test_an_answer_that_shows_no_pipeline_does_not_show_that_it_has_no_triggers(answer: dict[str, Any]) -> None:
    account = Account()
    account.__dict__["codepipeline"] = SimpleNamespace(definition=lambda _: answer)

    refused = Grants(account).make(change("managed"), CASE.changed("failed", pipeline="release"), JOB)

    assert isinstance(refused, Outcome)
    assert "its triggers can't be read: the answer shows no pipeline" in refused.reason
    assert account.written == []
