"""Who may assume a role, and whose commands a webhook builds."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given as holds_for
from hypothesis import strategies as st

from remediator.core.codebuild.project import Role, Snapshot
from remediator.core.guards.strangers import (
    stranger_objection,
    unguarded_events,
    who_assumes,
)
from tests.unit import given

Json = dict[str, Any]


def allow(principal: Any, **more: Any) -> Json:
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more}


def services(*statements: Any) -> tuple[str, ...]:
    return who_assumes({"Statement": list(statements)})[0]


def strangers(*statements: Any) -> tuple[str, ...]:
    return who_assumes({"Statement": list(statements)})[1]


# Who may assume the role


def test_codebuild_alone_is_nobody_else() -> None:
    assert who_assumes(given.CODEBUILD_TRUST) == ((), ())
    both = allow({"Service": ["codebuild.amazonaws.com", "codebuild.amazonaws.com.cn"]})
    assert who_assumes({"Statement": [both]}) == ((), ())


def test_a_statement_that_is_no_list_is_read() -> None:
    trust = {"Statement": allow({"Service": "codebuild.amazonaws.com"})}

    assert who_assumes(trust) == ((), ())


@pytest.mark.parametrize(
    "service",
    [
        "codepipeline.amazonaws.com",
        "codepipeline.amazonaws.com.cn",
        "codedeploy.eu-west-1.amazonaws.com",
        "codedeploy.cn-north-1.amazonaws.com.cn",
        "events.amazonaws.com",
        "logs.ap-southeast-2.amazonaws.com",
        "logs.us-gov-west-1.amazonaws.com",
        "scheduler.amazonaws.com",
    ],
)
def test_a_service_of_the_owners_choice_is_no_stranger_and_is_named(service: str) -> None:
    trust = {"Statement": [allow({"Service": ["codebuild.amazonaws.com", service]})]}

    assert who_assumes(trust) == ((service,), ())
    assert stranger_objection(Snapshot(given.project(), Role(given.ROLE, trust)), "advise") is None


@pytest.mark.parametrize(
    ("principal", "found"),
    [
        ("*", ("*",)),
        ({"AWS": "*"}, ("*",)),
        ({"AWS": ["arn:aws:iam::1:root", "2"]}, ("2", "arn:aws:iam::1:root")),
        ({"Service": ["codebuild.amazonaws.com", "ec2.amazonaws.com"]}, ("ec2.amazonaws.com",)),
        ({"Service": "codebuild.amazonaws.com", "AWS": "arn:aws:iam::1:user/x"}, ("arn:aws:iam::1:user/x",)),
        ({"Service": "codepipeline.amazonaws.com", "AWS": "arn:aws:iam::1:root"}, ("arn:aws:iam::1:root",)),
        ({"Federated": "token.actions.githubusercontent.com"}, ("token.actions.githubusercontent.com",)),
        ({"Federated": "codepipeline.amazonaws.com"}, ("codepipeline.amazonaws.com",)),
        ({"AWS": "codepipeline.amazonaws.com"}, ("codepipeline.amazonaws.com",)),
        ({"AWS": "codebuild.amazonaws.com"}, ("codebuild.amazonaws.com",)),
        ("codebuild.amazonaws.com", ("codebuild.amazonaws.com",)),
    ],
)
def test_everybody_else_who_is_allowed_is_named(principal: Any, found: tuple[str, ...]) -> None:
    assert strangers(allow(principal)) == found


@pytest.mark.parametrize(
    "service",
    [
        "apigateway.amazonaws.com",
        "cloudformation.amazonaws.com",
        "cognito-identity.amazonaws.com",
        "credentials.iot.amazonaws.com",
        "ec2.amazonaws.com",
        "ec2.amazonaws.com.cn",
        "ecs-tasks.amazonaws.com",
        "lambda.amazonaws.com",
        "rolesanywhere.amazonaws.com",
        "ssm.amazonaws.com",
        "states.eu-west-1.amazonaws.com",
        "a-new-one.amazonaws.com",
        "*.amazonaws.com",
        "codebuild.amazonaws.com.evil.example",
        "codepipeline.amazonaws.com.evil.example",
        "codepipeline.evil.amazonaws.com",
        "codepipeline.evil.eu-west-1.amazonaws.com",
        "evil.codepipeline.amazonaws.com",
        "codepipeline-amazonaws.com",
        "codepipelineXamazonaws.com",
        "codepipeline.amazonaws.com\n",
        "CODEPIPELINE.AMAZONAWS.COM",
    ],
)
def test_a_service_that_lets_others_in_or_is_not_known_is_a_stranger(service: str) -> None:
    assert strangers(allow({"Service": ["codebuild.amazonaws.com", service]})) == (service,)
    assert services(allow({"Service": service})) == ()


def test_not_principal_allows_nearly_everybody() -> None:
    statement = {"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::1:root"}, "Action": "sts:AssumeRole"}

    assert strangers(statement) == ("*",)


def test_a_condition_makes_nobody_less_of_a_stranger() -> None:
    assert strangers(allow("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})) == ("*",)


def test_a_deny_allows_nobody() -> None:
    assert strangers({**allow("*"), "Effect": "Deny"}) == ()


@pytest.mark.parametrize("trust", [{}, {"Statement": None}, {"Statement": ["text"]}, {"Statement": [{}]}])
def test_a_policy_that_allows_nothing_names_nobody(trust: Json) -> None:
    assert who_assumes(trust) == ((), ())


@pytest.mark.parametrize("principal", [f"arn:aws:iam::{given.ACCOUNT}:user/maria", "999988887777"])
def test_who_may_assume_the_role_is_told_and_called_no_name(principal: str) -> None:
    trust = {"Statement": [allow({"Service": "codebuild.amazonaws.com", "AWS": principal})]}

    objection = stranger_objection(Snapshot(given.project(), Role(given.ROLE, trust)), "advise")

    assert objection is not None
    assert objection.reason == f"its service role may also be assumed by {principal}, and read the secret then"
    assert "stranger" not in str(objection)


# Whose pull requests a webhook builds


def filters(*pairs: tuple[str, str], excluded: bool = False) -> list[Json]:
    return [{"type": kind, "pattern": pattern, "excludeMatchedPattern": excluded} for kind, pattern in pairs]


CREATED = ("EVENT", "PUSH, PULL_REQUEST_CREATED")
PULL_REQUESTS = ("EVENT", "PUSH, PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED")
ALL_OF_THEM = ["CLOSED", "CREATED", "MERGED", "REOPENED", "UPDATED"]
APPROVAL = {"requiresCommentApproval": "ALL_PULL_REQUESTS", "approverRoles": ["GITHUB_WRITE", "GITHUB_ADMIN"]}


def told(webhook: Json) -> str:
    """What the outcome says to a project with this webhook: its reason and its advice."""
    objection = stranger_objection(Snapshot(given.project(webhook={"url": "https://x", **webhook})), "advise")
    return "\n".join([objection.reason, *objection.advice]) if objection else ""


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
        {"filterGroups": [filters(PULL_REQUESTS), filters(CREATED, ("ACTOR_ACCOUNT_ID", "^12345$"))]},
        {"filterGroups": [filters(PULL_REQUESTS)], "pullRequestBuildPolicy": None},
        {"filterGroups": [filters(PULL_REQUESTS)], "pullRequestBuildPolicy": {}},
        {
            "filterGroups": [filters(PULL_REQUESTS)],
            "pullRequestBuildPolicy": {"requiresCommentApproval": "DISABLED"},
        },
    ],
)
def test_a_webhook_that_lets_pull_requests_of_anybody_in_builds_strangers_commands(webhook: Json) -> None:
    assert unguarded_events({"url": "https://api.github.com/x", **webhook})
    assert "strangers" in told(webhook)


@pytest.mark.parametrize(
    "webhook",
    [
        None,
        {"filterGroups": [filters(("EVENT", "PUSH"))]},
        {"filterGroups": [filters(("EVENT", "PUSH, RELEASED")), filters(("EVENT", "PUSH"), ("HEAD_REF", "main"))]},
        {"filterGroups": [filters(("EVENT", "RELEASED,PRERELEASED"))]},
        {"filterGroups": [filters(CREATED, ("ACTOR_ACCOUNT_ID", "^(12345|67890)$"))]},
        {"filterGroups": [filters(("EVENT", "PULL_REQUEST_MERGED"), ("ACTOR_ACCOUNT_ID", "^1$"))]},
        {"filterGroups": [filters(PULL_REQUESTS)], "pullRequestBuildPolicy": APPROVAL},
        {
            "filterGroups": [filters(PULL_REQUESTS)],
            "pullRequestBuildPolicy": {"requiresCommentApproval": "FORK_PULL_REQUESTS"},
        },
    ],
)
def test_pushes_named_actors_and_approved_pull_requests_are_no_strangers(webhook: Json | None) -> None:
    assert unguarded_events(webhook) == ()
    assert told(webhook or {"filterGroups": [filters(("EVENT", "PUSH"))]}) == ""


def test_every_event_but_pushes_is_pull_requests_and_jobs_too() -> None:
    group = filters(("EVENT", "PUSH"), excluded=True)

    found = unguarded_events({"filterGroups": [group], "pullRequestBuildPolicy": APPROVAL})

    assert found == ("WORKFLOW_JOB_QUEUED",)
    assert unguarded_events({"filterGroups": [group]}) == (*(f"PULL_REQUEST_{e}" for e in ALL_OF_THEM), *found)


def test_a_filter_that_keeps_all_of_others_out_leaves_pushes() -> None:
    names = ", ".join([*(f"PULL_REQUEST_{event}" for event in ALL_OF_THEM), "WORKFLOW_JOB_QUEUED"])

    assert unguarded_events({"filterGroups": [filters(("EVENT", names), excluded=True)]}) == ()


@pytest.mark.parametrize("event", ALL_OF_THEM)
def test_an_approval_guards_each_event_of_a_pull_request(event: str) -> None:
    groups = [filters(("EVENT", f"PULL_REQUEST_{event}"))]

    assert unguarded_events({"filterGroups": groups}) == (f"PULL_REQUEST_{event}",)
    assert unguarded_events({"filterGroups": groups, "pullRequestBuildPolicy": APPROVAL}) == ()


@pytest.mark.parametrize("event", ["PULL_REQUEST_CLOSED", "PULL_REQUEST_REOPENED", "PULL_REQUEST_UPDATED"])
def test_who_updates_closes_or_reopens_a_pull_request_is_not_who_wrote_it(event: str) -> None:
    group = filters(("EVENT", f"PULL_REQUEST_CREATED, {event}"), ("ACTOR_ACCOUNT_ID", "^12345$"))

    assert unguarded_events({"filterGroups": [group]}) == (event,)


def test_jobs_of_workflows_may_come_from_forks_whoever_approves_pull_requests() -> None:
    group = filters(("EVENT", "WORKFLOW_JOB_QUEUED"), ("ACTOR_ACCOUNT_ID", "^12345$"))

    found = unguarded_events({"filterGroups": [group], "pullRequestBuildPolicy": APPROVAL})

    assert found == ("WORKFLOW_JOB_QUEUED",)


# Actors


def webhook(*more: Json, **members: Any) -> Json:
    return {"filterGroups": [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED"}, *more]], **members}


def by_actor(pattern: str, **members: Any) -> Json:
    return webhook({"type": "ACTOR_ACCOUNT_ID", "pattern": pattern, **members})


UUID = "0f8e7d6c-1111-4222-8333-a1b2c3d4e5f6"


@pytest.mark.parametrize(
    "pattern",
    [
        *("12345", "1234567", "12345678901", "^12345", "12345$", "^123|456$", "12345|67890", "^123$|456", "123|^456$"),
        *("(12345|67890)", "^(123|456)", "(123|456)$", "^123|(456)$", "^(123|456)$|7", "^123$|^4", "^123$|^4.*$"),
        *("", ".*", ".+", r"^\d+$", r"^\d{5,8}$", "^[0-9]+$", "^[0-9]{5,9}$", "^1", "1|2", "^(?!42$).*", "^(123|)$"),
        *("[a-z-]+", "(", "*", "|12345", "^$", "^()$", r"\w", "^123$\n", "^12 3$", "^1.3$", "^octocat$"),
        *(UUID, rf"\{{{UUID}\}}", rf"^\{{{UUID}\}}", rf"\{{{UUID}\}}$", r"^\{[0-9a-f-]+\}$", "^１２３$"),
    ],
)
def test_a_pattern_that_is_no_list_of_whole_account_ids_names_nobody(pattern: str) -> None:
    assert unguarded_events(by_actor(pattern)) == ("PULL_REQUEST_CREATED",)


@pytest.mark.parametrize(
    "pattern",
    ["^123$", "^123$|^456$", "^(123|456)$", "^(?:123|456)$", "^1$|^(23|4)$", rf"^\{{{UUID}\}}$", f"^({{{UUID}}}|7)$"],
)
def test_a_list_of_whole_account_ids_names_its_actors(pattern: str) -> None:
    assert unguarded_events(by_actor(pattern)) == ()


def test_an_actor_filter_that_keeps_some_out_lets_all_others_in() -> None:
    assert unguarded_events(by_actor("^12345$", excludeMatchedPattern=True)) == ("PULL_REQUEST_CREATED",)


def test_one_actor_filter_of_whole_ids_is_enough_beside_another() -> None:
    general = {"type": "ACTOR_ACCOUNT_ID", "pattern": "1"}
    whole = {"type": "ACTOR_ACCOUNT_ID", "pattern": "^123$"}

    assert unguarded_events(webhook(general, whole)) == ()


ids = st.text("0123456789", min_size=1, max_size=12)


@st.composite
def nearly_accepted(draw: st.DrawFn) -> str:
    """An accepted pattern with a few characters taken out, or put in."""
    listed = draw(st.lists(ids, min_size=1, max_size=3))
    pattern = draw(st.sampled_from([f"^({'|'.join(listed)})$", "|".join(f"^{each}$" for each in listed)]))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(pattern)))
        pattern = pattern[:at] + draw(st.sampled_from([*"0123456789^$|()?:", ""])) + pattern[at + 1 :]
    return pattern


@holds_for(st.text("0123456789^$|()?:", max_size=20) | nearly_accepted(), ids)
@example("^123|456$", "45600")
@example("^123$|456", "1456")
@example("^(123|456)$", "123")
@example("12345", "1234567")
def test_no_accepted_pattern_matches_an_id_that_it_does_not_list_in_full(pattern: str, actor: str) -> None:
    if unguarded_events(by_actor(pattern)):
        return

    listed = set(re.findall("[0-9]+", pattern))
    assert bool(re.search(pattern, actor)) is (actor in listed)


@holds_for(st.lists(ids, min_size=1, max_size=4), ids)
def test_a_list_that_is_accepted_matches_its_ids_and_no_other(listed: list[str], actor: str) -> None:
    for pattern in (f"^({'|'.join(listed)})$", "|".join(f"^{each}$" for each in listed)):
        assert unguarded_events(by_actor(pattern)) == ()
        assert all(re.search(pattern, each) for each in listed)
        assert bool(re.search(pattern, actor)) is (actor in listed)


@pytest.mark.parametrize(
    ("pattern", "paste"),
    [
        ("12345|67890", "^(12345|67890)$"),
        ("^123|456$", "^(123|456)$"),
        (UUID, "^(12345|67890)$"),
        (rf"\{{{UUID}\}}", rf"^(\{{{UUID}\}})$"),
        (r"^\d{5,8}$", "^(12345|67890)$"),
        ("octocat|maria", "^(12345|67890)$"),
    ],
)
def test_the_advice_pastes_the_ids_with_both_anchors(pattern: str, paste: str) -> None:
    assert told(by_actor(pattern)).endswith(f"whole ids: {paste}")
    assert unguarded_events(by_actor(paste)) == ()


# Who approves


@pytest.mark.parametrize("approval", [None, "", "SOMETHING_NEW", "DISABLED"])
def test_an_approval_that_is_not_one_of_the_known_two_is_none(approval: str | None) -> None:
    assert unguarded_events(webhook(pullRequestBuildPolicy={"requiresCommentApproval": approval}))


def approved_by(*roles: str) -> tuple[str, ...]:
    policy = {"requiresCommentApproval": "ALL_PULL_REQUESTS", "approverRoles": list(roles)}
    return unguarded_events(webhook(pullRequestBuildPolicy=policy))


@pytest.mark.parametrize(
    "role",
    [
        *("GITHUB_READ", "GITHUB_TRIAGE", "GITLAB_GUEST", "GITLAB_PLANNER", "GITLAB_REPORTER", "BITBUCKET_READ"),
        *("GITHUB_SOMETHING_NEW", "", "github_write"),
    ],
)
def test_an_approver_who_may_not_push_or_is_not_known_approves_nothing(role: str) -> None:
    assert approved_by(role)
    assert approved_by("GITHUB_ADMIN", role)


@pytest.mark.parametrize(
    "role",
    [
        *("GITHUB_WRITE", "GITHUB_MAINTAIN", "GITHUB_ADMIN", "GITLAB_DEVELOPER", "GITLAB_MAINTAINER", "GITLAB_OWNER"),
        *("BITBUCKET_WRITE", "BITBUCKET_ADMIN"),
    ],
)
def test_approvers_who_may_push_guard_pull_requests(role: str) -> None:
    assert approved_by(role) == ()


# Pipelines
