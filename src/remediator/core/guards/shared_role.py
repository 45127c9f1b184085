"""Says what it means that several projects share a service role: all of their builds come to read the secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from remediator.core.codebuild.project import Snapshot, role_name
from remediator.core.guards.strangers import Untrusted, stranger_objection
from remediator.core.outcome import Outcome, advised

MOST_TOLD = 20
"""Projects that are named in an outcome."""


@dataclass(slots=True)
class RoleUsers:
    """The projects that have one service role: how many, and some of their names; and how many and which of them let
    strangers read the secret."""

    count: int = 0
    names: list[str] = field(default_factory=list)
    open_count: int = 0
    open_names: list[str] = field(default_factory=list)

    def add(self, name: str, *, is_open: bool) -> None:
        # One name more than an outcome lists: the project that asks is among them.
        self.count += 1
        self.names += [name][: MOST_TOLD + 1 - len(self.names)]
        self.open_count += is_open
        self.open_names += [name][: (MOST_TOLD + 1 - len(self.open_names)) * is_open]


def users_of_roles(projects: Iterable[Snapshot], region: str = "") -> dict[str, RoleUsers]:
    """The users of each role that several projects have, or one through which strangers could read the secret, by the
    role's name in small letters: it is unique in an account in any case. A project that was given the role since is
    then not among them.

    `region` is the one whose projects are named by their name alone: roles are of all regions, names of projects are
    not.
    """
    users: dict[str, RoleUsers] = {}
    for project in filter(_has_role_of_its_account, projects):
        is_open = stranger_objection(project, "advise") is not None
        users.setdefault(role_name(project.project).lower(), RoleUsers()).add(_named(project, region), is_open=is_open)
    return {role: found for role, found in users.items() if found.count > 1 or found.open_count}


def _named(snapshot: Snapshot, region: str) -> str:
    its_region = "".join(str(snapshot.project.get("arn") or "").split(":")[3:4])
    return snapshot.name if its_region in ("", region) or not region else f"{snapshot.name} in {its_region}"


def _has_role_of_its_account(snapshot: Snapshot) -> bool:
    """A role of another account may have the name of one of this account; a bare name is of this account."""
    role, project = (str(snapshot.project.get(name) or "").split(":") for name in ("serviceRole", "arn"))
    return role[4:5] in ([], project[4:5])


def shared_with(users: Mapping[str, RoleUsers], role: str, project: str, untrusted: Untrusted) -> str | Outcome:
    """Who shares this project's role, as a sentence, empty for nobody; the outcome where strangers could read the
    secret through one of them."""
    found = users.get(role.lower())
    if found is None or found.names == [project]:
        return ""
    others = [name for name in found.open_names if name != project]
    if others and untrusted == "advise":
        told = listed(others, found.open_count - (project in found.open_names))
        return advised(
            f"strangers could read the secret through the service role {role}, which the project shares with "
            f"{told}: builds of theirs are public, or are started by pull requests of anybody",
            "give the project a service role of its own, then use the remediate command",
            "or deploy with UntrustedProjects=repair if those people may have the credentials",
        )
    told = listed([name for name in found.names if name != project], found.count - 1)
    return f"the service role {role} is shared with {told}: once it may read the credentials, their builds can too"


def region_unreadable(role: str, region: str, why: str) -> Outcome:
    """Outcome where strangers could come to read the secret through a project that can't be read."""
    return advised(
        f"who else has the service role {role} can't be told, because the projects in {region} can't be read: {why}",
        f"let the stack read the projects in {region}, or take that region out of RoleRegions; then use the remediate "
        "command",
    )


def listed(names: Sequence[str], count: int | None = None) -> str:
    """Some of so many names, the first ones of them."""
    told = names[:MOST_TOLD]
    more = (len(names) if count is None else count) - len(told)
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")
