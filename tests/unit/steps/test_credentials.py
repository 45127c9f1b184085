"""The proof of the credentials: asked at the throttled registry, remembered in moto's DynamoDB."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from botocore.exceptions import ClientError

from local.registry import Registry
from remediator.aws.secret import Credentials, MalformedSecret
from remediator.core.case import Case, FailedBuild, Reader
from remediator.core.outcome import Ending, Outcome
from remediator.records.secret_record import ACCEPTED_FOR, REFUSED_FOR, SecretRecord
from remediator.services import Services
from remediator.steps.credentials import (
    Accepted,
    AccountAllowance,
    Asking,
    CredentialCheck,
    LockedOut,
    Trusted,
    Unreachable,
)
from tests.moto_aws import mock_aws
from tests.unit import given
from tests.unit.checkpoints import text_of
from tests.unit.stored import Stored

NOW = 1_795_000_200.0
ONE, TWO = "execution-one", "execution-two"
USER, PASSWORD = "hubuser", "dckr_pat_right"
GOOD = Credentials(USER, PASSWORD, version="version-good")
WRONG = Credentials(USER, "dckr_pat_4711", version="version-wrong")
NOT_ACCEPTED = (
    f"Docker Hub does not accept the user name and password of the secret {given.SECRET} (401), which are its keys "
    "username and password"
)
UNLIMITED = Accepted(version=GOOD.version, pushes=True)
LIMITED = Accepted(limit=200, remaining=7, window=21_600, version=GOOD.version, pushes=True)
"""The local registry's accounts may push, unless they are made read-only."""
NEEDS_THE_KEY = Case(None, auth_config=True, failed=FailedBuild(build=str(given.BUILD_ARN), phase="BUILD"))
Seen = Accepted | Asking | Unreachable | Outcome


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "AWS says no"}}, "AnyCall")


@dataclass
class FakeSecret:
    credentials: Credentials | Exception = GOOD
    key: str | Exception = ""

    def read(self) -> Credentials:
        if isinstance(self.credentials, Exception):
            raise self.credentials
        return self.credentials

    def customer_key(self) -> str:
        if isinstance(self.key, Exception):
            raise self.key
        return self.key


class World(Services):
    """A secret, its record, and Docker Hub, whose accounts have no limit unless they are given one. `sign_ins` prove
    the credentials, `questions` are about a push."""

    def __init__(self, record: SecretRecord, registry: Registry) -> None:
        self.secret_fake = FakeSecret()
        self.registry = registry
        self.time = NOW
        self.__dict__.update(secret=self.secret_fake, secret_record=record)
        self.with_settings()

    def with_settings(self, **settings: str) -> None:
        self.__dict__["settings"] = given.settings(**{"DOCKER_HUB_ENDPOINT": self.registry.url, **settings})

    def now(self) -> float:
        return self.time

    def look(self, execution: str = ONE, case: Case | None = None) -> Seen:
        return CredentialCheck(self, execution).look(case)

    def check(self, *, trusts: bool) -> Seen | Trusted:
        return CredentialCheck(self, ONE).check(Case(None), trusts=trusts)

    def learned(self, role: str, seen: str) -> None:
        self.secret_record.add_unreadable(role, seen, self.time)

    def allowance(self, execution: str = ONE) -> AccountAllowance | Asking | Unreachable | Outcome:
        return CredentialCheck(self, execution).allowance()

    def refused(self, case: Case | None = None) -> Outcome:
        seen = self.look(case=case)
        assert isinstance(seen, Outcome)
        return seen

    @property
    def sign_ins(self) -> int:
        return sum(entry["path"].endswith(":pull") for entry in self.registry.log)

    @property
    def questions(self) -> int:
        return sum(entry["path"].endswith(":pull,push") for entry in self.registry.log)

    def lockout(self, execution: str = ONE) -> Seen | LockedOut:
        return CredentialCheck(self, execution).lockout()


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws(), Registry() as registry:
        registry.add_account(USER, PASSWORD)
        yield World(SecretRecord(Stored().table, given.SECRET), registry)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


# The secret itself


def test_a_malformed_secret_is_refused_by_what_is_wrong_with_it_and_not_tried(world: World) -> None:
    world.secret_fake.credentials = MalformedSecret("its key password is missing, empty or no string")

    refused = world.refused()

    assert (refused.ending, refused.reason) == (
        Ending.REJECTED,
        f"the secret {given.SECRET} can't be used: its key password is missing, empty or no string",
    )
    assert "put-secret-value" in refused.advice[0]
    assert world.sign_ins == 0


def test_a_secret_that_may_not_be_read_is_refused(world: World) -> None:
    world.secret_fake.credentials = refusal("AccessDeniedException")

    refused = world.refused()

    assert refused.ending is Ending.REJECTED
    assert refused.reason.startswith(f"the secret {given.SECRET} can't be read: ")
    assert "AWS says no" in refused.reason
    assert "then use the remediate command" in refused.advice[0]


def test_a_secret_that_is_not_told_right_now_is_an_error(world: World) -> None:
    world.secret_fake.credentials = refusal("ThrottlingException")

    with pytest.raises(ClientError, match="Throttling"):
        world.look()


@pytest.mark.parametrize("credentials", [GOOD, refusal("AccessDeniedException")])
def test_a_customer_key_that_the_stack_does_not_know_is_refused_by_its_name(
    world: World, credentials: Credentials | Exception
) -> None:
    """Also where the secret can't be read because of it."""
    world.secret_fake.credentials, world.secret_fake.key = credentials, given.KEY

    refused = world.refused()

    assert refused.ending is Ending.REJECTED
    assert given.KEY in refused.reason
    assert "SecretKmsKeyArn" in refused.advice[0]
    assert world.sign_ins == 0


def test_an_unknown_key_keeps_nobody_waiting(world: World) -> None:
    world.secret_fake.key = given.KEY
    world.refused()
    world.secret_fake.key = ""

    assert world.look(TWO) == UNLIMITED


def test_a_customer_key_that_the_stack_knows_is_no_fault(world: World) -> None:
    world.secret_fake.key = given.KEY
    world.with_settings(SECRET_KMS_KEY_ARN=given.KEY)

    assert world.look() == UNLIMITED


def test_a_secret_that_can_be_neither_read_nor_described_is_told_as_not_read(world: World) -> None:
    world.secret_fake.credentials = world.secret_fake.key = refusal("AccessDeniedException")

    assert world.refused().reason.startswith(f"the secret {given.SECRET} can't be read: ")


def test_a_plan_that_needs_the_third_key_is_advised_where_the_secret_lacks_it(world: World) -> None:
    refused = world.refused(NEEDS_THE_KEY)

    assert refused.ending is Ending.ADVISED
    assert "no key docker_auth_config" in refused.reason
    store, by_hand = refused.advice
    assert given.SECRET in refused.reason
    assert "docker_auth_config" in store
    assert "docker login" in by_hand
    assert world.sign_ins == 0


def test_a_third_key_that_does_not_sign_in_is_refused_without_a_word_of_it(world: World) -> None:
    world.secret_fake.credentials = replace(GOOD, auth_config=PASSWORD)

    refused = world.refused(NEEDS_THE_KEY)

    assert refused.ending is Ending.REJECTED
    assert refused.reason == (f"the secret {given.SECRET} can't be used: its key docker_auth_config: it is no JSON")
    assert "put-secret-value" in refused.advice[0]
    assert PASSWORD not in str(refused)


def test_a_third_key_that_signs_in_is_accepted(world: World) -> None:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    text = json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": auth}}})
    world.secret_fake.credentials = replace(GOOD, auth_config=text)

    assert world.look(case=NEEDS_THE_KEY) == UNLIMITED


def test_a_plan_that_does_not_need_the_third_key_does_not_ask_for_it(world: World) -> None:
    assert world.look(case=Case(None)) == UNLIMITED


# What Docker Hub says


def test_credentials_that_docker_hub_takes_are_accepted_and_cost_no_pull(world: World) -> None:
    assert world.look() == UNLIMITED
    assert (world.sign_ins, world.registry.pulls()) == (1, [])


def test_wrong_credentials_are_refused_and_tried_once_whoever_comes(world: World) -> None:
    world.secret_fake.credentials = WRONG

    refused = [world.look(execution) for execution in (ONE, TWO, ONE)]

    assert refused[0] == refused[1] == refused[2]
    outcome = refused[0]
    assert isinstance(outcome, Outcome)
    assert (outcome.ending, outcome.reason) == (Ending.REJECTED, NOT_ACCEPTED)
    assert "put-secret-value" in outcome.advice[0]
    assert "not before 2026-11-18 12:10 UTC" in outcome.background[0]
    assert world.sign_ins == 1


def test_wrong_credentials_are_tried_again_after_an_hour(world: World) -> None:
    world.secret_fake.credentials = WRONG
    world.look()
    world.time += REFUSED_FOR + 1

    world.look()

    assert world.sign_ins == 2


def test_a_new_version_is_tried_at_once(world: World) -> None:
    world.secret_fake.credentials = WRONG
    world.look()
    world.secret_fake.credentials = GOOD

    assert world.look(TWO) == UNLIMITED


def test_an_accepted_version_is_remembered_and_tried_again_after_a_while(world: World) -> None:
    assert world.look(ONE) == world.look(TWO) == UNLIMITED
    assert world.sign_ins == 1
    world.time += ACCEPTED_FOR + 1

    assert world.look(TWO) == UNLIMITED
    assert world.sign_ins == 2


def test_a_token_that_was_revoked_is_found_out_after_a_while(world: World) -> None:
    world.look()
    world.registry.add_account(USER, "dckr_pat_4711")
    world.time += ACCEPTED_FOR + 1

    assert world.refused().reason == NOT_ACCEPTED


def test_a_lockout_by_docker_hubs_own_word_holds_for_everybody_for_a_window_and_nobody_asks_again(world: World) -> None:
    world.registry.accounts.lock(USER)

    first, second = world.look(ONE), world.look(TWO)

    assert isinstance(first, Outcome)
    assert isinstance(second, Outcome)
    told = first
    assert told.ending is Ending.GAVE_UP
    assert "none is tried until 2026-11-18 12:10 UTC" in told.reason
    assert "none is tried until 2026-11-18 12:10 UTC" in second.reason
    assert isinstance(world.allowance(TWO), Outcome)
    assert world.sign_ins == 1


@pytest.mark.parametrize("text", ["Too Many Requests (HAP429)", ""])
def test_a_429_that_does_not_say_so_locks_nobody_out(world: World, text: str) -> None:
    world.registry.accounts.lock(USER, saying=text or "slow down")

    assert world.look(ONE) == world.lockout(TWO) == Unreachable(earlier=False, version=GOOD.version)
    assert world.secret_record.locked_until(NOW) == 0
    world.registry.accounts.lock(USER, locked=False)
    assert world.look(TWO) == UNLIMITED


def test_a_builds_word_of_a_lockout_is_asked_about_once_for_all_and_locks_nobody_out(world: World) -> None:
    world.look(ONE)

    assert world.lockout(ONE) == world.lockout(TWO) == world.look(TWO) == UNLIMITED
    assert world.sign_ins == 2
    assert world.secret_record.locked_until(NOW) == 0


def test_a_lockout_that_docker_hub_confirms_is_told_with_its_end_and_holds_for_everybody(world: World) -> None:
    world.look(ONE)
    world.registry.accounts.lock(USER)

    assert world.lockout(ONE) == world.lockout(TWO) == LockedOut(NOW + 3600, 3601)
    assert isinstance(world.look(TWO), Outcome)
    assert world.sign_ins == 2
    world.registry.accounts.lock(USER, locked=False)
    world.time += 3602
    assert world.lockout(TWO) == UNLIMITED


def test_after_the_lockout_it_is_asked_again(world: World) -> None:
    world.registry.accounts.lock(USER)
    world.look()
    world.registry.accounts.lock(USER, locked=False)
    world.time += 3601

    assert world.look() == UNLIMITED


def test_docker_hub_that_is_not_there_is_unreachable_and_others_may_look_too(world: World, nowhere: str) -> None:
    world.with_settings(DOCKER_HUB_ENDPOINT=nowhere)

    assert world.look(ONE) == Unreachable(earlier=False, version=GOOD.version)
    assert world.look(TWO) == Unreachable(earlier=False, version=GOOD.version)


def test_a_version_that_was_accepted_before_is_told_as_that_while_docker_hub_is_not_there(
    world: World, nowhere: str
) -> None:
    world.look()
    world.time += ACCEPTED_FOR + 1
    world.with_settings(DOCKER_HUB_ENDPOINT=nowhere)
    assert world.look() == Unreachable(earlier=True, version=GOOD.version, pushes=True)

    assert world.check(trusts=True) == Trusted(GOOD.version, pushes=True)
    assert world.check(trusts=False) == Unreachable(earlier=True, version=GOOD.version, pushes=True)

    world.secret_fake.credentials = replace(GOOD, version="version-rotated")
    assert world.look() == world.check(trusts=True) == Unreachable(earlier=False, version="version-rotated")


def test_while_another_execution_signs_in_it_is_busy(world: World) -> None:
    world.secret_record.ask(GOOD.version, TWO, NOW)

    assert world.look(ONE) == Asking()
    assert world.sign_ins == 0


def test_an_execution_that_was_interrupted_while_it_asked_asks_again(world: World) -> None:
    world.secret_record.ask(GOOD.version, ONE, NOW)

    assert world.look(ONE) == UNLIMITED


# What the account may pull


def test_an_account_with_a_limit_is_advised_with_the_figure_and_the_ways_out(world: World) -> None:
    world.registry.add_account(USER, PASSWORD, 7)

    refused = world.refused()

    assert refused.ending is Ending.ADVISED
    assert "may pull 200 images in 21600 s and has 7 left" in refused.reason
    assert any("AllowLimitedAccount=true" in way for way in refused.advice)
    assert any("public.ecr.aws" in way for way in refused.advice)


def test_an_account_with_a_limit_is_remembered_with_it(world: World) -> None:
    world.registry.add_account(USER, PASSWORD, 7)

    assert world.look(ONE) == world.look(TWO)
    assert world.sign_ins == 1


def test_an_account_with_a_limit_is_accepted_where_that_is_allowed(world: World) -> None:
    world.registry.add_account(USER, PASSWORD, 7)
    world.with_settings(ALLOW_LIMITED_ACCOUNT="true")

    assert world.look(ONE) == LIMITED
    assert world.look(TWO) == LIMITED


def test_an_account_with_a_limit_and_nothing_left_is_no_less_accepted(world: World) -> None:
    world.registry.add_account(USER, PASSWORD, 0)
    world.with_settings(ALLOW_LIMITED_ACCOUNT="true")

    assert world.look() == replace(LIMITED, remaining=0)


def test_the_allowance_is_asked_again_and_told_whatever_limit_it_has(world: World) -> None:
    world.look()
    world.registry.add_account(USER, PASSWORD, 7)

    world.secret_record.add_user("orders")

    assert world.allowance() == AccountAllowance(200, 7, 21_600, NOW + 21_600, ("orders",))
    assert world.sign_ins == 2
    assert world.registry.pulls() == []


def test_the_allowance_of_credentials_that_were_refused_is_not_asked(world: World) -> None:
    world.secret_fake.credentials = WRONG
    world.look()

    assert isinstance(world.allowance(), Outcome)
    assert world.sign_ins == 1


def test_the_allowance_of_a_malformed_secret_is_refused(world: World) -> None:
    world.secret_fake.credentials = MalformedSecret("it is binary")

    refused = world.allowance()

    assert isinstance(refused, Outcome)
    assert refused.reason == f"the secret {given.SECRET} can't be used: it is binary"


# What the token may do


def test_a_read_only_token_is_accepted_and_asked_about_a_push_once(world: World) -> None:
    """Docker Hub's no is a 401, and too many of these may be a lockout."""
    world.registry.add_account(USER, PASSWORD, read_only=True)
    for _ in range(3):
        assert world.look() == Accepted(version=GOOD.version)
        world.time += ACCEPTED_FOR + 1

    assert (world.sign_ins, world.questions) == (3, 1)


def test_a_token_that_could_push_is_known_as_that_to_later_executions_of_its_version(world: World) -> None:
    for execution in (ONE, TWO, ONE):
        assert world.look(execution) == UNLIMITED
        world.time += ACCEPTED_FOR + 1

    assert (world.sign_ins, world.questions) == (3, 1)


def test_another_version_is_asked_about_a_push_again(world: World) -> None:
    world.look()
    world.registry.add_account(USER, PASSWORD, read_only=True)
    world.secret_fake.credentials = replace(GOOD, version="version-rotated")

    assert world.look() == Accepted(version="version-rotated")
    assert world.questions == 2


def test_a_token_that_could_push_is_not_used_where_that_is_refused(world: World) -> None:
    world.with_settings(WRITABLE_TOKEN="refuse")

    refused = world.refused()

    assert (refused.ending, world.refused()) == (Ending.ADVISED, refused)
    assert "can also push" in refused.reason
    assert "Public Repo Read-only" in refused.advice[0]
    assert world.questions == 1


def test_a_token_that_was_seen_to_push_is_refused_while_docker_hub_is_not_there_too(world: World, nowhere: str) -> None:
    world.look()
    world.time += ACCEPTED_FOR + 1
    world.with_settings(WRITABLE_TOKEN="refuse", DOCKER_HUB_ENDPOINT=nowhere)

    assert isinstance(world.check(trusts=True), Outcome)


@pytest.mark.parametrize("username", [USER, "me@example.com"])
def test_a_read_only_token_and_one_of_which_nothing_is_known_are_used_where_writable_ones_are_refused(
    world: World, username: str
) -> None:
    world.registry.add_account(username, PASSWORD, read_only=username == USER)
    world.secret_fake.credentials = replace(GOOD, username=username)
    world.with_settings(WRITABLE_TOKEN="refuse")

    assert world.look() == Accepted(version=GOOD.version)


def test_an_organizations_token_for_chosen_repositories_is_refused_with_the_scope_that_it_lacks(world: World) -> None:
    world.registry.add_account(USER, PASSWORD, chosen_only=True)

    refused = world.refused()

    assert refused.ending is Ending.REJECTED
    assert '"read public repositories"' in refused.reason
    assert "read public repositories" in refused.advice[0]
    assert world.look(TWO) == refused
    assert (world.sign_ins, world.questions) == (1, 0)


def test_an_organizations_token_that_was_given_the_scope_is_accepted_soon(world: World) -> None:
    world.registry.add_account(USER, PASSWORD, chosen_only=True)
    world.refused()
    world.registry.add_account(USER, PASSWORD, read_only=True)
    world.time += ACCEPTED_FOR + 1

    assert world.look() == Accepted(version=GOOD.version)


# What comes out


def test_no_answer_holds_the_credentials(world: World, nowhere: str) -> None:
    told: list[object] = [world.look(), world.allowance()]
    world.secret_fake.credentials = WRONG
    told += [world.look(), world.look(case=NEEDS_THE_KEY)]
    world.secret_fake.credentials = replace(GOOD, version="version-locked", auth_config=PASSWORD)
    told.append(world.look(case=NEEDS_THE_KEY))
    world.registry.accounts.lock(USER)
    told.append(world.look())
    world.with_settings(DOCKER_HUB_ENDPOINT=nowhere)
    told.append(world.look())

    assert {type(seen) for seen in told} == {Accepted, AccountAllowance, Outcome}
    written = "".join(map(text_of, told))
    assert not any(value in written for value in (USER, PASSWORD, "dckr_pat"))


# Roles that could not read it


def reads(role: str = "orders-build", policy: str = "digest", *, again: bool = False) -> Case:
    return Case(None, reader=Reader(role, policy, again))


def test_a_role_that_could_not_read_the_secret_as_it_is_is_told_and_keeps_nobody_waiting(world: World) -> None:
    world.learned("orders-build", reads().reader.of_version(GOOD.version))

    refused = world.refused(reads())

    assert refused.ending is Ending.ADVISED
    assert "builds with the service role orders-build could not read the secret" in refused.reason
    assert world.sign_ins == 0
    assert world.look(TWO, reads("invoices-build")) == replace(UNLIMITED, doubted=True)


@pytest.mark.parametrize("case", [reads(policy="another"), reads("invoices-build"), Case(None), None])
def test_another_policy_another_role_and_who_does_not_read_it_are_not_held_to_that(
    world: World, case: Case | None
) -> None:
    world.learned("orders-build", reads().reader.of_version(GOOD.version))

    of_that = case is not None and case.reader == reads("invoices-build").reader
    assert world.look(case=case) == replace(UNLIMITED, doubted=of_that)


def test_a_new_version_is_not_held_to_what_was_learned_of_another_one(world: World) -> None:
    world.learned("orders-build", reads().reader.of_version("version-before"))

    assert world.look(case=reads()) == UNLIMITED


def test_a_persons_word_goes_before_what_was_learned_and_ends_that(world: World) -> None:
    world.learned("orders-build", reads().reader.of_version(GOOD.version))

    assert world.look(case=reads(again=True)) == UNLIMITED
    assert world.look(TWO, reads()) == UNLIMITED
