"""Which events of a source provider a project's webhook builds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

EVENTS = frozenset(
    (
        "PUSH",
        "PULL_REQUEST_CREATED",
        "PULL_REQUEST_UPDATED",
        "PULL_REQUEST_CLOSED",
        "PULL_REQUEST_REOPENED",
        "PULL_REQUEST_MERGED",
        "RELEASED",
        "PRERELEASED",
        "WORKFLOW_JOB_QUEUED",
    )
)
"""All that CodeBuild knows. https://docs.aws.amazon.com/codebuild/latest/APIReference/API_WebhookFilter.html"""

PULL_REQUESTS = frozenset(event for event in EVENTS if event.startswith("PULL_REQUEST_"))


def webhook_events(webhook: Mapping[str, Any] | None) -> frozenset[str]:
    """The events that a project's webhook can build: what one filter group lets in, and every event where it has no
    groups. A project without a webhook builds none."""
    if not webhook:
        return frozenset()
    return frozenset().union(*map(admitted_events, webhook.get("filterGroups") or [[]]))


def admitted_events(group: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The events that one filter group lets in, as far as its EVENT filters decide: no event that it builds is missing.

    All filters of a group have to let an event in. A pattern of type EVENT is documented as names with commas between
    them. What any other pattern matches is not documented, so it keeps no event out.
    """
    admitted = EVENTS
    for filter_ in group:
        if filter_.get("type") == "EVENT":
            named = {name.strip() for name in str(filter_.get("pattern", "")).split(",")}
            if named <= EVENTS:
                admitted = admitted - named if filter_.get("excludeMatchedPattern") else admitted & named
    return admitted
