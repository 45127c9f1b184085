"""Decides whether people outside the account could come to read the secret through a project or its role."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from remediator.core.codebuild.project import Role, Snapshot
from remediator.core.names import aws_suffix
from remediator.core.outcome import Outcome, advised

Untrusted = Literal["advise", "repair"]
CODEBUILD = tuple(f"codebuild.{aws_suffix(partition)}" for partition in ("aws", "aws-cn"))

_ACCOUNTS = r"(?P<start>\^)?(?P<open>\()?(?P<accounts>[\w-]+(?:\|[\w-]+)*)(?(open)\))(?P<end>\$)?"
_READERS = ("GITHUB_READ", "GITLAB_GUEST", "BITBUCKET_READ")


def stranger_objection(snapshot: Snapshot, untrusted: Untrusted) -> Outcome | None:
    """A repair lets every command of every build read the secret, so strangers must have no say in the commands."""
    if untrusted == "repair":
        return None
    reasons = []
    if snapshot.project.get("projectVisibility") == "PUBLIC_READ":
        reasons.append("its builds are public (projectVisibility PUBLIC_READ)")
    if builds_pull_requests_of_strangers(snapshot.project.get("webhook")):
        reasons.append(
            "its webhook builds pull requests of anybody, without a comment's approval or an ACTOR_ACCOUNT_ID filter"
        )
    others = principals_besides_codebuild(snapshot.role) if snapshot.role else ()
    if others:
        reasons.append(f"its service role may also be assumed by {', '.join(others)}")
    if not reasons:
        return None
    return advised(
        "strangers could read the secret through this project: " + "; ".join(reasons),
        "close that, or deploy with UntrustedProjects=repair if those people may have the credentials",
    )


def principals_besides_codebuild(role: Role) -> tuple[str, ...]:
    """The principals, besides CodeBuild, that the trust policy lets assume the role."""
    return principals_besides(CODEBUILD, role.trust)


def principals_besides(expected: Iterable[str], trust: Mapping[str, Any]) -> tuple[str, ...]:
    """The principals that a role's trust policy allows, without the `expected` services, sorted.

    Every Allow counts, whatever its conditions: what a condition compares with can change unseen. `NotPrincipal` allows
    nearly everybody and is returned as `*`.
    """
    found: set[str] = set()
    for statement in _listed(trust.get("Statement")):
        if not isinstance(statement, Mapping) or statement.get("Effect") != "Allow":
            continue
        if "NotPrincipal" in statement:
            found.add("*")
        principal = statement.get("Principal", {})
        groups = principal.values() if isinstance(principal, Mapping) else [principal]
        found.update(str(name) for group in groups for name in _listed(group))
    return tuple(sorted(found - set(expected)))


def builds_pull_requests_of_strangers(webhook: Mapping[str, Any] | None) -> bool:
    """Does this webhook of a project build the pull requests of people who may not push?

    It does when a filter group lets pull requests in without a filter on ACTOR_ACCOUNT_ID, and no maintainer has to
    comment (`pullRequestBuildPolicy`). A webhook without filter groups builds every event.
    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_WebhookFilter.html
    """
    if not webhook or _asks_a_maintainer(webhook.get("pullRequestBuildPolicy") or {}):
        return False
    groups = webhook.get("filterGroups") or [[]]
    return any(_builds_pull_requests(group) and not _names_its_actors(group) for group in groups)


def _asks_a_maintainer(policy: Mapping[str, Any]) -> bool:
    """Contributors who have an approver's role build without asking, and a reader's role is anybody's."""
    asks = policy.get("requiresCommentApproval") in ("ALL_PULL_REQUESTS", "FORK_PULL_REQUESTS")
    return asks and not any(role in _READERS for role in policy.get("approverRoles") or [])


def _builds_pull_requests(group: Iterable[Mapping[str, Any]]) -> bool:
    """Does an EVENT filter let pull requests, or jobs of workflows that a pull request may bring, in?"""
    events = [filter_ for filter_ in group if filter_.get("type") == "EVENT"]
    return not events or any(_lets_pull_requests_in(event) for event in events)


def _lets_pull_requests_in(event: Mapping[str, Any]) -> bool:
    pattern = str(event.get("pattern", ""))
    named = "PULL_REQUEST_" in pattern or "WORKFLOW_JOB_QUEUED" in pattern
    return named is not bool(event.get("excludeMatchedPattern"))


def _names_its_actors(group: Iterable[Mapping[str, Any]]) -> bool:
    return any(
        filter_.get("type") == "ACTOR_ACCOUNT_ID"
        and not filter_.get("excludeMatchedPattern")
        and _names_accounts(str(filter_.get("pattern", "")))
        for filter_ in group
    )


def _names_accounts(pattern: str) -> bool:
    """Is the pattern a list of account ids, `^(123|456)$` or `12345|67890`, and nothing more general? Without both
    anchors an id also matches as a part of others, so it has to be long then."""
    listed = re.fullmatch(_ACCOUNTS, pattern)
    if not listed:
        return False
    anchored = bool(listed["start"] and listed["end"] and (listed["open"] or "|" not in pattern))
    return anchored or all(len(account) >= 5 for account in listed["accounts"].split("|"))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
