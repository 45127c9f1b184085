"""Decides whether people outside the account could come to read the secret through a project or its role."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from remediator.core.codebuild.project import Snapshot
from remediator.core.codebuild.webhook import PULL_REQUESTS, admitted_events
from remediator.core.outcome import Outcome, advised

Untrusted = Literal["advise", "repair"]

ON_A_PERSONS_WORD = "close that, or deploy with UntrustedProjects=repair if those people may have the credentials"

_OF_WHO_MAY_PUSH = frozenset(("PUSH", "RELEASED", "PRERELEASED"))
"""Who may push decides what these events build; releases are made by people with write access.
https://docs.github.com/en/repositories/releasing-projects-on-github/managing-releases-in-a-repository"""
_OF_ITS_ACTOR = frozenset(("PULL_REQUEST_CREATED", "PULL_REQUEST_MERGED"))
"""Events whose actor answers for the commands. Others may update, close or reopen what a stranger has written.
https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request"""

_MAY_PUSH = frozenset(
    (
        "GITHUB_WRITE",
        "GITHUB_MAINTAIN",
        "GITHUB_ADMIN",
        "GITLAB_DEVELOPER",
        "GITLAB_MAINTAINER",
        "GITLAB_OWNER",
        "BITBUCKET_WRITE",
        "BITBUCKET_ADMIN",
    )
)
"""https://docs.aws.amazon.com/codebuild/latest/APIReference/API_PullRequestBuildPolicy.html"""

_ID = r"(?:[0-9]+|\\?\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\\?\})"
"""An account's id: digits at GitHub and GitLab, a UUID in braces at Bitbucket."""
_WHOLE_IDS = rf"\^(?:{_ID}|\((?:\?:)?{_ID}(?:\|{_ID})*\))\$"

_SERVICE = r"(?P<name>[a-z-]+)(?:\.[a-z]{2,4}(?:-[a-z]+)+-\d)?\.amazonaws\.com(?:\.cn)?"
"""An AWS service, or a regional form of it, as a trust policy names it.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services"""
_OF_THE_OWNERS_CHOICE = ("codedeploy", "codepipeline", "events", "logs", "scheduler")
"""Services through which nobody reads the secret who may not pass the role to them. Each call that says what
CodePipeline, EventBridge and its scheduler do names the role, and so needs `iam:PassRole`; CodeDeploy and CloudWatch
Logs deploy and deliver, and read no secret. Not among them are services that give the role to a program (Lambda, EC2,
ECS), that holders of something else reach (API Gateway, Cognito, IoT, Roles Anywhere, Systems Manager), or whose work
can be changed without the role being passed again (CloudFormation, Step Functions).
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html"""


def stranger_objection(snapshot: Snapshot, untrusted: Untrusted) -> Outcome | None:
    """A repair lets every command of every build, and whoever assumes the role, read the secret. So strangers must have
    no say in the commands, and nobody but services of the owner's choice may assume the role."""
    if untrusted == "repair":
        return None
    webhook = snapshot.project.get("webhook")
    opened: list[str] = []
    reasons: list[str] = []
    advice = [ON_A_PERSONS_WORD]
    if snapshot.project.get("projectVisibility") == "PUBLIC_READ":
        opened.append("its builds are public (projectVisibility PUBLIC_READ)")
    events = unguarded_events(webhook)
    if events:
        opened.append(
            "pull requests of anybody can have its webhook run commands of theirs, because no comment's approval and "
            f"no ACTOR_ACCOUNT_ID filter guards {', '.join(events)}"
        )
        advice.append(_how_to_guard(webhook or {}))
    if opened:
        reasons.append(f"strangers could read the secret through this project: {'; '.join(opened)}")
    others = who_assumes(snapshot.role.trust)[1] if snapshot.role else ()
    if others:
        reasons.append(f"its service role may also be assumed by {', '.join(others)}, and read the secret then")
    return advised("; ".join(reasons), *advice) if reasons else None


def who_assumes(trust: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whom a role's trust policy lets assume it besides CodeBuild: services of the owner's choice, and all others.

    Every Allow counts, whatever its conditions: what a condition compares with can change unseen. `NotPrincipal` allows
    nearly everybody and is returned as `*`.
    """
    services: set[str] = set()
    others: set[str] = set()
    for kind, name in _allowed(trust):
        service = re.fullmatch(_SERVICE, name) if kind == "Service" else None
        if service and service["name"] in _OF_THE_OWNERS_CHOICE:
            services.add(name)
        elif not service or service["name"] != "codebuild":
            others.add(name)
    return tuple(sorted(services)), tuple(sorted(others))


def _allowed(trust: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of each principal; `*` alone has no kind."""
    for statement in _listed(trust.get("Statement")):
        if not isinstance(statement, Mapping) or statement.get("Effect") != "Allow":
            continue
        if "NotPrincipal" in statement:
            yield "", "*"
        principal = statement.get("Principal", {})
        groups = principal if isinstance(principal, Mapping) else {"": principal}
        yield from ((kind, str(name)) for kind, group in groups.items() for name in _listed(group))


def unguarded_events(webhook: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The events by which a project's webhook builds what people who may not push have written, sorted.

    A comment's approval (`pullRequestBuildPolicy`) guards pull requests, but no workflow's jobs, which a pull request
    may bring too. A filter on ACTOR_ACCOUNT_ID guards events of which the actor is the author. A webhook without
    filter groups builds every event. https://docs.aws.amazon.com/codebuild/latest/APIReference/API_WebhookFilter.html
    """
    if not webhook:
        return ()
    approved = PULL_REQUESTS if _asks_who_may_push(webhook.get("pullRequestBuildPolicy") or {}) else frozenset()
    found: set[str] = set()
    for group in webhook.get("filterGroups") or [[]]:
        of_known_actors = _OF_ITS_ACTOR if any(map(_names_accounts, _actor_patterns(group))) else frozenset()
        found |= admitted_events(group) - _OF_WHO_MAY_PUSH - approved - of_known_actors
    return tuple(sorted(found))


def _asks_who_may_push(policy: Mapping[str, Any]) -> bool:
    """Contributors who have an approver's role build without asking."""
    asks = policy.get("requiresCommentApproval") in ("ALL_PULL_REQUESTS", "FORK_PULL_REQUESTS")
    return asks and _MAY_PUSH.issuperset(policy.get("approverRoles") or [])


def _actor_patterns(group: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The patterns that an actor has to match; of those that keep somebody out, all others may be anybody."""
    for filter_ in group:
        if filter_.get("type") == "ACTOR_ACCOUNT_ID" and not filter_.get("excludeMatchedPattern"):
            yield str(filter_.get("pattern", ""))


def _names_accounts(pattern: str) -> bool:
    """Is the pattern a list of whole account ids and nothing more general: `^123$`, `^123$|^456$`, `^(123|456)$`?

    CodeBuild looks for a pattern anywhere in the id, and the ids of new accounts grow: without both anchors somebody
    can get an account whose id contains one of the list.
    https://www.wiz.io/blog/wiz-research-codebreach-vulnerability-aws-codebuild
    """
    return re.fullmatch(rf"{_WHOLE_IDS}(?:\|{_WHOLE_IDS})*", pattern) is not None


def _how_to_guard(webhook: Mapping[str, Any]) -> str:
    """With the accounts that the webhook names already, as far as it names some."""
    groups = webhook.get("filterGroups") or []
    patterns = "|".join(pattern for group in groups for pattern in _actor_patterns(group))
    named = re.sub(r"\?:|[()^$]", "", patterns).split("|")
    ids = [name for name in dict.fromkeys(named) if re.fullmatch(_ID, name)] or ["12345", "67890"]
    return (
        "to guard pull requests, set the webhook's pullRequestBuildPolicy to requiresCommentApproval ALL_PULL_REQUESTS "
        "with approverRoles that may push; an ACTOR_ACCOUNT_ID filter guards PULL_REQUEST_CREATED and "
        f"PULL_REQUEST_MERGED alone, and has to match whole ids: ^({'|'.join(ids)})$"
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
