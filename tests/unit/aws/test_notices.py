"""Notices, against SNS's own model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from remediator.aws.notices import Notices, notice_of
from remediator.core.outcome import Ending, Outcome
from tests.unit import given

TOPIC = f"arn:aws:sns:{given.REGION}:{given.ACCOUNT}:stack-Notices-1ABC"
TABLE = "journal"


@pytest.fixture
def sns() -> Iterator[Stubber]:
    with Stubber(given.aws("sns")) as stubber:
        yield stubber


def notices(sns: Stubber) -> Notices:
    client: Any = sns.client
    return Notices(lambda: client, TOPIC, TABLE)


def entry(outcome: Outcome) -> dict[str, Any]:
    return outcome.entry(given.PROJECT, str(given.BUILD_ARN))


def test_an_outcome_is_published_as_its_notice_to_the_one_topic(sns: Stubber) -> None:
    told = entry(Outcome(Ending.ADVISED, "a reason", "anonymous-limit"))
    notice = notice_of(told, TABLE)
    assert notice is not None
    asked = {"TopicArn": TOPIC, "Subject": notice.subject, "Message": notice.message}
    sns.add_response("publish", {"MessageId": "1"}, asked)

    notices(sns).publish(told)

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
