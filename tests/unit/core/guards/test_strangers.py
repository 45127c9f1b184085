"""Who may assume a role, and whose commands a webhook builds."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.guards.strangers import CODEBUILD, builds_pull_requests_of_strangers, principals_besides
from tests.unit import given

Json = dict[str, Any]


def allow(principal: Any, **more: Any) -> Json:
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more}


def strangers(*statements: Any) -> tuple[str, ...]:
    return principals_besides(CODEBUILD, {"Statement": list(statements)})


def test_codebuild_alone_is_nobody_else() -> None:
    assert principals_besides(CODEBUILD, given.CODEBUILD_TRUST) == ()
    assert strangers(allow({"Service": ["codebuild.amazonaws.com", "codebuild.amazonaws.com.cn"]})) == ()


def test_a_statement_that_is_no_list_is_read() -> None:
    trust = {"Statement": allow({"Service": "codebuild.amazonaws.com"})}

    assert principals_besides(CODEBUILD, trust) == ()


@pytest.mark.parametrize(
    ("principal", "found"),
    [
        ("*", ("*",)),
        ({"AWS": "*"}, ("*",)),
        ({"AWS": ["arn:aws:iam::1:root", "2"]}, ("2", "arn:aws:iam::1:root")),
        ({"Service": ["codebuild.amazonaws.com", "ec2.amazonaws.com"]}, ("ec2.amazonaws.com",)),
        ({"Service": "codebuild.amazonaws.com", "AWS": "arn:aws:iam::1:user/x"}, ("arn:aws:iam::1:user/x",)),
        ({"Federated": "token.actions.githubusercontent.com"}, ("token.actions.githubusercontent.com",)),
        ({"Service": "codebuild.amazonaws.com.evil.example"}, ("codebuild.amazonaws.com.evil.example",)),
        ({"Service": "*.amazonaws.com"}, ("*.amazonaws.com",)),
    ],
)
def test_everybody_else_who_is_allowed_is_named(principal: Any, found: tuple[str, ...]) -> None:
    assert strangers(allow(principal)) == found


def test_not_principal_allows_nearly_everybody() -> None:
    statement = {"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::1:root"}, "Action": "sts:AssumeRole"}

    assert strangers(statement) == ("*",)


def test_a_condition_makes_nobody_less_of_a_stranger() -> None:
    assert strangers(allow("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})) == ("*",)


def test_a_deny_allows_nobody() -> None:
    assert strangers({**allow("*"), "Effect": "Deny"}) == ()


@pytest.mark.parametrize("trust", [{}, {"Statement": None}, {"Statement": ["text"]}, {"Statement": [{}]}])
def test_a_policy_that_allows_nothing_names_nobody(trust: Json) -> None:
    assert principals_besides(CODEBUILD, trust) == ()


def filters(*pairs: tuple[str, str], excluded: bool = False) -> list[Json]:
    return [{"type": kind, "pattern": pattern, "excludeMatchedPattern": excluded} for kind, pattern in pairs]


PULL_REQUESTS = ("EVENT", "PUSH, PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED")


@pytest.mark.parametrize(
    "webhook",
    [
        {},
        {"filterGroups": None},
        {"filterGroups": []},
        {"filterGroups": [[]]},
        {"filterGroups": [filters(PULL_REQUESTS)]},
        {"filterGroups": [filters(("BASE_REF", "^refs/heads/main$"))]},
        {"filterGroups": [filters(("EVENT", "PULL_REQUEST_MERGED"))]},
        {"filterGroups": [filters(("EVENT", "PUSH")), filters(PULL_REQUESTS)]},
        {"filterGroups": [filters(PULL_REQUESTS), filters(PULL_REQUESTS, ("ACTOR_ACCOUNT_ID", "^12345$"))]},
        {"filterGroups": [filters(PULL_REQUESTS)], "pullRequestBuildPolicy": None},
        {"filterGroups": [filters(PULL_REQUESTS)], "pullRequestBuildPolicy": {}},
        {
            "filterGroups": [filters(PULL_REQUESTS)],
            "pullRequestBuildPolicy": {"requiresCommentApproval": "DISABLED"},
        },
    ],
)
def test_a_webhook_that_lets_pull_requests_of_anybody_in_builds_strangers_commands(webhook: Json) -> None:
    assert builds_pull_requests_of_strangers({"url": "https://api.github.com/x", **webhook})


@pytest.mark.parametrize(
    "pattern", ["", ".*", ".+", r"^\d+$", r"^[0-9]+$", "^(?!42$).*", "[a-z-]+", "(", "*", "|12345", r"\w"]
)
def test_an_actor_filter_that_anybody_passes_narrows_nothing(pattern: str) -> None:
    group = filters(PULL_REQUESTS, ("ACTOR_ACCOUNT_ID", pattern))

    assert builds_pull_requests_of_strangers({"filterGroups": [group]})


def test_an_actor_filter_that_keeps_some_out_lets_all_others_in() -> None:
    group = filters(PULL_REQUESTS) + filters(("ACTOR_ACCOUNT_ID", "^12345$"), excluded=True)

    assert builds_pull_requests_of_strangers({"filterGroups": [group]})


@pytest.mark.parametrize(
    "webhook",
    [
        None,
        {"filterGroups": [filters(("EVENT", "PUSH"))]},
        {"filterGroups": [filters(("EVENT", "PUSH, RELEASED")), filters(("EVENT", "PUSH"), ("HEAD_REF", "main"))]},
        {"filterGroups": [filters(PULL_REQUESTS, ("ACTOR_ACCOUNT_ID", "^(12345|67890)$"))]},
        {
            "filterGroups": [filters(PULL_REQUESTS)],
            "pullRequestBuildPolicy": {
                "requiresCommentApproval": "ALL_PULL_REQUESTS",
                "approverRoles": ["GITHUB_WRITE", "GITHUB_ADMIN"],
            },
        },
        {
            "filterGroups": [filters(PULL_REQUESTS)],
            "pullRequestBuildPolicy": {"requiresCommentApproval": "FORK_PULL_REQUESTS"},
        },
    ],
)
def test_pushes_named_actors_and_approved_pull_requests_are_no_strangers(webhook: Json | None) -> None:
    assert not builds_pull_requests_of_strangers(webhook)


def webhook(*filters: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"filterGroups": [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED"}, *filters]], **members}


@pytest.mark.parametrize("approval", [None, "", "SOMETHING_NEW", "DISABLED"])
def test_an_approval_that_is_not_one_of_the_known_two_is_none(approval: str | None) -> None:
    assert builds_pull_requests_of_strangers(webhook(pullRequestBuildPolicy={"requiresCommentApproval": approval}))


@pytest.mark.parametrize("role", ["GITHUB_READ", "GITLAB_GUEST", "BITBUCKET_READ"])
def test_an_approver_whom_anybody_may_be_approves_nothing(role: str) -> None:
    policy = {"requiresCommentApproval": "ALL_PULL_REQUESTS", "approverRoles": [role]}
    assert builds_pull_requests_of_strangers(webhook(pullRequestBuildPolicy=policy))
    policy["approverRoles"] = ["GITHUB_MAINTAIN"]
    assert not builds_pull_requests_of_strangers(webhook(pullRequestBuildPolicy=policy))


@pytest.mark.parametrize("pattern", [r"^\d{5,8}$", "^[0-9]{5,9}$", "^1", ".*", "1|2", "^123$|^4"])
def test_a_pattern_that_is_no_list_of_account_ids_names_nobody(pattern: str) -> None:
    assert builds_pull_requests_of_strangers(webhook({"type": "ACTOR_ACCOUNT_ID", "pattern": pattern}))


@pytest.mark.parametrize("pattern", ["^(123|456)$", "^12$", "12345|678901", "1234567"])
def test_a_list_of_account_ids_names_its_actors(pattern: str) -> None:
    assert not builds_pull_requests_of_strangers(webhook({"type": "ACTOR_ACCOUNT_ID", "pattern": pattern}))


def test_every_event_but_pushes_is_pull_requests_too() -> None:
    group = [{"type": "EVENT", "pattern": "PUSH", "excludeMatchedPattern": True}]
    assert builds_pull_requests_of_strangers({"filterGroups": [group]})


def test_jobs_of_workflows_may_come_from_forks() -> None:
    assert builds_pull_requests_of_strangers({"filterGroups": [[{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}]]})
