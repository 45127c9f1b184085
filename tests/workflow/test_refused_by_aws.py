"""What AWS refuses is told with what to do; what it only delays is asked again, and nothing else is."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from tests.workflow.account import Account
from tests.workflow.watched import refused, refusing

PASS_ROLE = (
    "User: arn:aws:sts::123456789012:assumed-role/stack/remediator is not authorized to perform: iam:PassRole on "
    "resource: arn:aws:iam::123456789012:role/service-role/orders-build"
)


def test_a_denied_pass_role_names_the_parameter_that_allows_it(account: Account) -> None:
    account.create_project()
    account.before.append(refusing("UpdateProject", refused("UpdateProject", "AccessDeniedException", PASS_ROLE)))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "advised"
    assert "iam:PassRole" in outcome["reason"]
    assert "GrantPassRole=true" in outcome["advice"][0]
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1}
    assert "registryCredential" not in account.project()["environment"]


def test_another_refusal_of_the_update_is_told_and_no_build_started(account: Account) -> None:
    account.create_project()
    account.before.append(refusing("UpdateProject", refused("UpdateProject", "InvalidInputException", "not so")))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "advised"
    assert "not so" not in outcome["reason"]
    by_hand = outcome["advice"][0]
    assert by_hand.startswith("Make this change by hand, then start the build again. Make it in CloudFormation:")
    assert "CodeBuild refused it from here (InvalidInputException), so the project orders is as it was" in by_hand
    assert f'Credential: "{account.secret_arn}"' in by_hand
    assert f'Value: "{account.secret_arn}:password"' in by_hand
    assert not any("was changed" in advice for advice in outcome["advice"])
    assert account.asked("UpdateProject", "StartBuild") == {"UpdateProject": 1}


@pytest.mark.parametrize("code", ["LimitExceeded", "AccessDenied", "UnmodifiableEntity", "NoSuchEntity"])
def test_a_refused_grant_is_advised_and_the_project_left_alone(account: Account, code: str) -> None:
    account.create_project()
    account.before.append(refusing("AttachRolePolicy", refused("AttachRolePolicy", code, "Cannot exceed quota")))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "advised"
    assert "orders-build" in outcome["reason"]
    asked = "a service role that is there" if code == "NoSuchEntity" else account.policy_arn
    assert any(asked in advice for advice in outcome["advice"])
    assert outcome["changes"] == []
    assert account.writes() == ["AttachRolePolicy"]


READS_AND_WRITES = (
    "BatchGetProjects",
    "GetRole",
    "ListAttachedRolePolicies",
    "GetSecretValue",
    "AttachRolePolicy",
    "UpdateProject",
    "UpdateItem",
    "TransactWriteItems",
)


@pytest.mark.parametrize("operation", READS_AND_WRITES)
def test_throttling_is_waited_out(account: Account, operation: str) -> None:
    account.create_project()
    account.before.append(refusing(operation, refused(operation, "ThrottlingException"), times=2))
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    assert account.calls.count(operation) > 2


@pytest.mark.parametrize(
    "error",
    [
        refused("GetRole", "ServiceFailure", status=503),
        EndpointConnectionError(endpoint_url="https://iam.amazonaws.com"),
        ReadTimeoutError(endpoint_url="https://iam.amazonaws.com"),
    ],
    ids=["503", "lost", "timed out"],
)
def test_a_service_that_is_not_there_is_waited_for(account: Account, error: Exception) -> None:
    account.create_project()
    account.before.append(refusing("GetRole", error, times=2))
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
    assert account.calls.count("GetRole") == 6


def test_throttling_that_lasts_ends_after_five_tries_with_nothing_written(account: Account) -> None:
    account.create_project()
    account.before.append(refusing("GetRole", refused("GetRole", "Throttling")))
    build = account.failed_build()
    outcome = account.remediate(build)
    assert outcome["outcome"] == "failed"
    assert "nothing had been changed" in outcome["reason"]
    assert account.calls.count("GetRole") == 5
    assert account.writes() == []
    assert account.entry(build)["outcome"] == "failed"


def test_what_breaks_off_behind_the_grant_is_told_with_the_way_to_take_it_back(account: Account) -> None:
    account.create_project()
    account.before.append(refusing("UpdateProject", refused("UpdateProject", "Throttling")))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "failed"
    assert "it still may" in outcome["reason"]
    assert outcome["changes"] == [f"attach the policy {account.policy_arn} to the role orders-build"]
    assert any("aws iam detach-role-policy" in text for text in outcome["advice"])


@pytest.mark.parametrize("operation", ["BatchGetBuilds", "BatchGetProjects", "GetSecretValue", "GetRole"])
def test_a_denial_is_final(account: Account, operation: str) -> None:
    account.create_project()
    account.before.append(refusing(operation, refused(operation, "AccessDeniedException", "not authorized")))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] in ("failed", "advised", "rejected")
    assert "not authorized" in outcome["reason"]
    assert account.calls.count(operation) == 1
    assert account.writes() == []


def test_a_build_that_can_not_be_started_leaves_a_patched_project(account: Account) -> None:
    account.create_project()
    denied = refused("StartBuild", "AccessDeniedException", "no more builds")
    account.before.append(refusing("StartBuild", denied))
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "patched"
    assert "no more builds" in outcome["reason"]
    assert "start the build again" in outcome["advice"]
    assert account.calls.count("StartBuild") == 1
    assert len(outcome["changes"]) == 3


def test_an_error_nobody_thought_of_ends_as_a_failure_that_is_told(account: Account) -> None:
    account.create_project()
    account.before.append(refusing("GetRole", ZeroDivisionError("surprise")))
    build = account.failed_build()
    outcome = account.remediate(build)
    assert outcome["outcome"] == "failed"
    assert account.entry(build)["outcome"] == "failed"
    assert account.lease() is None
