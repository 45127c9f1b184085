"""Reads trust policies and webhooks: which principals may assume a role, and whose commands a webhook builds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_ANY_ACCOUNT = ("918273645546372819", "no-such-account")
"""Two account ids that nobody would allow by name: a pattern that matches either one narrows nothing."""


def principals_besides(expected: Iterable[str], trust: Mapping[str, Any]) -> tuple[str, ...]:
    """The principals that a role's trust policy allows, without the `expected` services, sorted.

    Every Allow counts, whatever its conditions: a condition may narrow it, but what it compares with can change
    without anybody looking here. `NotPrincipal` allows nearly everybody and is told as `*`.
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

    It does when some filter group lets pull requests in without a filter on ACTOR_ACCOUNT_ID, and no comment of a
    maintainer is asked for (`pullRequestBuildPolicy`). A webhook without filter groups builds every event.
    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_WebhookFilter.html
    """
    if not webhook:
        return False
    approval = (webhook.get("pullRequestBuildPolicy") or {}).get("requiresCommentApproval", "DISABLED")
    if approval != "DISABLED":
        return False
    groups = webhook.get("filterGroups") or [[]]
    return any(_builds_pull_requests(group) and not _names_its_actors(group) for group in groups)


def _builds_pull_requests(group: Iterable[Mapping[str, Any]]) -> bool:
    events = [filter_ for filter_ in group if filter_.get("type") == "EVENT"]
    return not events or any("PULL_REQUEST_" in str(event.get("pattern", "")) for event in events)


def _names_its_actors(group: Iterable[Mapping[str, Any]]) -> bool:
    return any(
        filter_.get("type") == "ACTOR_ACCOUNT_ID"
        and not filter_.get("excludeMatchedPattern")
        and not _matches_anybody(str(filter_.get("pattern", "")))
        for filter_ in group
    )


def _matches_anybody(pattern: str) -> bool:
    try:
        return any(re.search(pattern, account) for account in _ANY_ACCOUNT)
    except re.error:
        return True


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
