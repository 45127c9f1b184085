"""What leaks on purpose is found, wherever in a remediation it comes out; what does not leak is looked through too."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from remediator.core.codebuild.failure import BuildArn
from remediator.steps.credentials import Accepted, CredentialCheck
from tests import canaries
from tests.workflow.account import PASSWORD, Account, Json
from tests.workflow.watched import once

Leak = Callable[[Account, pytest.MonkeyPatch], None]


def in_a_log_line(account: Account, _: pytest.MonkeyPatch) -> None:
    account.after.append(once("GetSecretValue", lambda: account.services().log.info("read", extra={"it": PASSWORD})))


def in_a_metric(account: Account, _: pytest.MonkeyPatch) -> None:
    def count() -> None:
        metrics = account.services().report._metrics
        metrics.add_dimension(name="user", value=PASSWORD)
        metrics.add_metric(name="Outcomes", unit="Count", value=1)
        metrics.flush_metrics()

    account.after.append(once("GetSecretValue", count))


def in_a_journal_item(account: Account, _: pytest.MonkeyPatch) -> None:
    def keep() -> None:
        build = BuildArn.parse(account.builds()[0]["arn"])
        account.services().journal.record_repair(build, {"password": PASSWORD})

    account.after.append(once("GetSecretValue", keep))


def in_a_notice(account: Account, _: pytest.MonkeyPatch) -> None:
    def publish() -> None:
        topic = account.environment["NOTICES_TOPIC"]
        account.services().client("sns").publish(TopicArn=topic, Message=f"tried {PASSWORD}")

    account.after.append(once("GetSecretValue", publish))


def in_a_request(account: Account, _: pytest.MonkeyPatch) -> None:
    def put() -> None:
        iam = account.services().client("iam")
        document = {"Version": "2012-10-17", "Statement": [{"Sid": "x", "Effect": "Deny", "Action": PASSWORD}]}
        iam.put_role_policy(RoleName="orders-build", PolicyName="p", PolicyDocument=json.dumps(document))

    account.after.append(once("GetSecretValue", put))


def in_a_checkpoint(_: Account, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CredentialCheck, "check", lambda *_, **__: Accepted(window=PASSWORD))  # type: ignore[arg-type]


def in_an_exception(_: Account, patch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Json:
        raise ValueError(f"can't use {PASSWORD}")

    patch.setattr(CredentialCheck, "check", fails)
    logging.disable(logging.CRITICAL)  # the engine logs it too, for pytest to keep


LEAKS: dict[str, Leak] = {
    "log": in_a_log_line,
    "metric": in_a_metric,
    "journal item": in_a_journal_item,
    "notification": in_a_notice,
    "request": in_a_request,
    "checkpoint": in_a_checkpoint,
    "exception": in_an_exception,
}
PLACES = {"metric": "stdout", "exception": "checkpoint"}
"""Where it is seen: a metric is a line of the output, and the engine keeps what a step raised in its checkpoint."""


@pytest.mark.parametrize("place", LEAKS)
def test_a_leak_that_is_put_in_on_purpose_is_found(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    with canaries.apart() as capture:
        account.create_project()
        LEAKS[place](account, monkeypatch)
        try:
            account.run(account.failed_build())
        finally:
            logging.disable(logging.NOTSET)
            capsys.readouterr()
        _, leaks = capture.taken()
    assert any(PLACES.get(place, place) in leak.place for leak in leaks), [str(leak) for leak in leaks]


def test_a_variable_that_a_rule_hands_on_is_found(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create_project()
    build = account.failed_build()
    assert account.event_of(build)
    monkeypatch.setattr("tests.workflow.builds.handed_on", lambda event: event)
    with canaries.apart() as capture:
        account.event_of(build)
        _, leaks = capture.taken()
    assert {leak.kind for leak in leaks} >= {canaries.VARIABLE_KIND}


def test_an_answer_that_leaks_is_found(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create_project()
    account.failed_build()
    monkeypatch.setattr("remediator.asked._NOT_READ", f"the password is {PASSWORD}")
    with canaries.apart() as capture:
        account.ask({"command": "plan", "project": "orders"})
        _, leaks = capture.taken()
    assert leaks


@pytest.mark.parametrize("function", ["Intake", "Remediator"])
def test_an_exception_that_leaves_a_function_is_looked_through(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], function: str
) -> None:
    def fails(*_: Any, **__: Any) -> Json:
        raise ValueError(f"can't use {PASSWORD}")

    account.create_project()
    build = account.failed_build()
    monkeypatch.setattr("remediator.commands.run", fails)
    monkeypatch.setattr("tests.workflow.functions.remediate", fails)
    with canaries.apart() as capture:
        if function == "Intake":
            with pytest.raises(ValueError, match="can't use"):
                account.ask({"command": "plan", "project": "orders"})
        else:
            logging.disable(logging.CRITICAL)
            try:
                account.run(build)
            finally:
                logging.disable(logging.NOTSET)
        capsys.readouterr()
        _, leaks = capture.taken()
    assert any(leak.place in (f"an exception of {function}", f"an answer of {function}") for leak in leaks), leaks


def test_a_whole_remediation_without_one_is_looked_through_in_every_place(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with canaries.apart() as capture:
        places: set[str] = set()
        saw = capture.saw

        def noted(place: str, text: str, may_hold: frozenset[str] = frozenset()) -> None:
            places.add(place)
            saw(place, text, may_hold)

        monkeypatch.setattr(capture, "saw", noted)
        account.create_project()
        account.ask({"command": "plan", "project": "orders"})
        assert account.remediate(account.failed_build())["outcome"] == "remediated"
        _, leaks = capture.taken()
    assert leaks == ()
    for place in ("a journal item", "a notification", "a request", "a log line"):
        assert any(seen.startswith(place) for seen in places), places
    assert any("checkpoint" in place for place in places)
