"""What a notice says, and what it never says: it leaves the account. Its publication, against SNS's own model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from remediator.aws.notices import Notice, Notices, notice_of
from remediator.core.outcome import FAILED_BY_ITSELF, Ending, Outcome
from remediator.core.repair.change import (
    AddDockerLogin,
    Change,
    GrantBy,
    GrantSecretAccess,
    SetEnvironmentVariables,
    SetRegistryCredential,
)
from tests.unit import given
from tests.unit.repairs import HOSTILE

TABLE = "stack-Journal-1ABC"
TOPIC = f"arn:aws:sns:{given.REGION}:{given.ACCOUNT}:stack-Notices-1ABC"
TOLD = tuple(ending for ending in Ending if ending not in (Ending.SKIPPED, Ending.PLANNED))


def entry(outcome: Outcome, project: str = given.PROJECT) -> dict[str, Any]:
    return outcome.entry(project, f"arn:aws:codebuild:{given.REGION}:{given.ACCOUNT}:build/{project}:{given.UUID}")


def notice(outcome: Outcome, project: str = given.PROJECT) -> Notice:
    found = notice_of(entry(outcome, project), TABLE)
    assert found is not None
    return found


def test_a_notice_in_full() -> None:
    outcome = Outcome(
        Ending.REMEDIATED, "the build passed", "anonymous-limit", ("a change", "another"), ("an advice",), "arn:x"
    ).with_facts(retry_result="passed")

    assert notice(outcome) == Notice(
        "remediated: orders-api",
        f"""\
The project was repaired, and its build got past the pull with the credentials.

project: orders-api
build: {given.BUILD_ARN}
outcome: remediated
retried build: passed
cause: anonymous-limit
changes: 2
advice: 1

Reason, changes and advice:
aws dynamodb get-item --table-name {TABLE} --key '{{"pk": {{"S": "build#orders-api:{given.UUID}"}}}}' \
--query Item.report.S --output text""",
    )


def test_a_build_that_failed_by_itself_reads_in_no_place_like_a_green_one() -> None:
    red = notice(Outcome(Ending.REMEDIATED, "x", retry_result=FAILED_BY_ITSELF))
    assert red.subject == "remediated, build failed by itself: orders-api"
    assert "it is still red" in red.message
    assert "\nretried build: failed by itself\n" in red.message


def test_a_notice_says_that_nothing_was_changed_only_where_nothing_was() -> None:
    granted = GrantSecretAccess(given.ROLE, given.POLICY, given.SECRET).show()
    for ending in (Ending.ADVISED, Ending.REJECTED):
        assert "Nothing was changed." in notice(Outcome(ending, "x")).message
        message = notice(Outcome(ending, "x", changes=(granted,))).message
        assert "othing was" not in message
        assert "\nchanges: 1 (the role may read the secret)\n" in message


CHANGES: list[tuple[Change, str]] = [
    *[
        (GrantSecretAccess(given.ROLE, given.POLICY, given.SECRET, by), "the role may read the secret")
        for by in get_args(GrantBy)
    ],
    (SetRegistryCredential(given.SECRET, None), "registry credential"),
    (SetEnvironmentVariables((("USER", f"{given.SECRET}:username"),)), "environment variables"),
    (AddDockerLogin(0, "x", "docker login", ""), "login in the inline buildspec"),
]


@pytest.mark.parametrize(("change", "kind"), CHANGES, ids=lambda each: str(each)[:20])
def test_each_kind_of_change_is_told_in_words_that_are_known_beforehand(change: Change, kind: str) -> None:
    message = notice(Outcome(Ending.PATCHED, "x", changes=(change.show(),))).message
    assert f"\nchanges: 1 ({kind})\n" in message
    assert given.SECRET not in message


def test_no_kind_of_change_is_missing() -> None:
    assert {type(change) for change, _ in CHANGES} == set(get_args(Change))


def test_without_a_cause_none_is_told() -> None:
    assert "\ncause: none\n" in notice(Outcome(Ending.FAILED, "x")).message


@pytest.mark.parametrize("ending", [Ending.SKIPPED, Ending.PLANNED])
def test_what_nobody_has_to_see_makes_no_notice(ending: Ending) -> None:
    assert notice_of(entry(Outcome(ending, "x")), TABLE) is None


@pytest.mark.parametrize("ending", Ending)
def test_a_quiet_outcome_makes_no_notice(ending: Ending) -> None:
    assert notice_of(entry(Outcome(ending, "x", quiet=True)), TABLE) is None


@pytest.mark.parametrize("ending", TOLD)
def test_each_other_ending_is_told_in_words_of_its_own(ending: Ending) -> None:
    others = {notice(Outcome(other, "x")).message.splitlines()[0] for other in TOLD if other is not ending}

    assert notice(Outcome(ending, "x")).message.splitlines()[0] not in others


PRIVATE = "registry.example/secret-product:1"
HOSTILE_OUTCOME = Outcome(
    Ending.ADVISED,
    f"{HOSTILE} image {PRIVATE}",
    "anonymous-limit",
    (f"{HOSTILE} {PRIVATE}",),
    (f"{HOSTILE} {PRIVATE}",),
    f"arn:{PRIVATE}",
)


@pytest.mark.parametrize("ending", TOLD)
def test_nothing_that_a_build_an_image_a_buildspec_or_a_log_said_is_in_a_notice(ending: Ending) -> None:
    plain = Outcome(ending, "x", "anonymous-limit", ("a",), ("b",))

    assert notice(HOSTILE_OUTCOME.with_facts(ending=ending)) == notice(plain)


def test_a_notice_is_plain_ascii_that_no_terminal_obeys() -> None:
    told = notice(HOSTILE_OUTCOME)

    assert told.message.isascii()
    assert all(line.isprintable() for line in told.message.split("\n"))


LONGEST = "p" * 255
"""https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html"""


@pytest.mark.parametrize("project", ["orders-api", LONGEST])
@pytest.mark.parametrize("ending", TOLD)
def test_a_subject_is_one_line_of_ascii_and_not_too_long(project: str, ending: Ending) -> None:
    subject = notice(HOSTILE_OUTCOME.with_facts(ending=ending), project).subject

    assert len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()
    assert subject.startswith(f"{ending.value}: {project[:50]}")


def test_the_longest_name_is_whole_in_the_message() -> None:
    assert f"\nproject: {LONGEST}\n" in notice(HOSTILE_OUTCOME, LONGEST).message


# Publication


@pytest.fixture
def sns() -> Iterator[Stubber]:
    with Stubber(given.aws("sns")) as stubber:
        yield stubber


def notices(sns: Stubber) -> Notices:
    client: Any = sns.client
    return Notices(lambda: client, TOPIC, TABLE)


def test_an_outcome_is_published_as_its_notice_to_the_one_topic(sns: Stubber) -> None:
    outcome = Outcome(Ending.ADVISED, "a reason", "anonymous-limit")
    told = notice(outcome)
    asked = {"TopicArn": TOPIC, "Subject": told.subject, "Message": told.message}
    sns.add_response("publish", {"MessageId": "1"}, asked)

    notices(sns).publish(entry(outcome))

    sns.assert_no_pending_responses()


@pytest.mark.parametrize(
    "outcome",
    [Outcome(Ending.SKIPPED, "x"), Outcome(Ending.PLANNED, "x"), Outcome(Ending.GAVE_UP, "x", quiet=True)],
)
def test_what_nobody_has_to_see_is_not_published(sns: Stubber, outcome: Outcome) -> None:
    """A call would be one that the stub has no answer for."""
    notices(sns).publish(entry(outcome))


def test_a_refusal_is_an_error_of_snss(sns: Stubber) -> None:
    sns.add_client_error("publish", "AuthorizationError")

    with pytest.raises(ClientError, match="AuthorizationError"):
        notices(sns).publish(entry(Outcome(Ending.ADVISED, "x")))
