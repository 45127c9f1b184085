"""`./remediator projects`: which projects name the stack's secret, by which members, and who shares their roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remediator.core.codebuild.project import Document, role_name
from remediator.services import Services
from undo.grants import Grants
from undo.mentions import mentions
from undo.stack import Stack
from undo.taken_out import take_out
from undo.undo import NOT_SEEN


def overview(stack: Stack, services: Services) -> Iterator[str]:
    """The list, line by line."""
    projects = list(services.codebuild.projects(lambda _: True))
    roles = {str(each["name"]): role_name(each) for each in projects}
    named = {str(each["name"]): each for each in projects if _holds(each, stack)}
    yield f"Stack {stack.name}: PolicyMode {stack.policy_mode}, policy {stack.policy_arn}, journal {stack.journal}"
    yield from (f"Secret {secret}" for secret in stack.secrets)
    yield f"{len(named)} of {len(projects)} projects that could be listed name it."
    for name, project in sorted(named.items()):
        yield f"\n{name}"
        yield from (f"  {line}" for line in _members(project, stack))
        sharing = sorted(each for each in named if roles[each] == roles[name] and each != name)
        others = sorted(each for each in roles if roles[each] == roles[name] and each not in named)
        yield f"  service role {roles[name]}{_shared(sharing, ', which name the secret too')}{_shared(others, '')}"
    unused = [role for role in Grants(stack, services).roles_with_policy() if role not in map(roles.get, named)]
    if unused:
        yield f"\nRoles that hold the policy, and no listed project with them names the secret: {', '.join(unused)}"
    yield f"\n{NOT_SEEN}"


def _holds(project: Document, stack: Stack) -> bool:
    return bool(mentions(project, stack.secrets) or take_out(project, stack.sign_ins, ()).plan.changes)


def _members(project: Document, stack: Stack) -> Iterator[str]:
    taken = take_out(project, stack.sign_ins, ())
    yield from (path for path in mentions(project, stack.secrets) if path not in taken.left)
    if taken.plan.edits_source:
        yield "source.buildspec: the login"
    yield from (f"{path} (not made by this tool)" for path in taken.left)


def _shared(names: Iterable[str], more: str) -> str:
    told = ", ".join(names)
    return f"; shared with {told}{more}" if told else ""
