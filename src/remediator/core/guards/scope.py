"""Decides whether a project is in scope at all: its owner's tag, and never this stack's own."""

from __future__ import annotations

import re

from remediator.core.advice.owner import owner_of
from remediator.core.codebuild.project import Snapshot, are_one_role, role_name
from remediator.core.outcome import Outcome, skipped
from remediator.core.value import value

TAG = "DockerHubRemediation"
"""The tag by which a project's owner has a say: `on`, and every other value keeps the project out."""


@value
class Scope:
    """`tagged_only`: does a project need the tag? `stack` is this stack's name, `own_role` the ARN of Remediator's
    role; each is empty where it is not known."""

    tagged_only: bool = False
    stack: str = ""
    own_role: str = ""


EVERYTHING = Scope()


def out_of_scope(snapshot: Snapshot, scope: Scope) -> Outcome | None:
    """Outcome for a project that is out of scope, None for any other."""
    if tagged := tag_objection(snapshot, scope):
        return tagged
    if _is_own(snapshot, scope):
        return skipped("the project belongs to this stack, which never acts on itself")
    return None


def tag_objection(snapshot: Snapshot, scope: Scope) -> Outcome | None:
    """Outcome for a project that its owner's tag, or the lack of one, keeps out. A mistyped tag keeps the project out:
    whoever sets it mostly means that."""
    says = {value.strip().lower() for key, value in snapshot.tags.items() if key.lower() == TAG.lower()}
    if says - {"on"}:
        plain = sorted(value for value in says if re.fullmatch(r"[a-z0-9_-]{1,32}", value) and value != "on")
        is_now = f" (it is `{plain[0]}`)" if plain else ""
        told = f"the project's tag {TAG} is not `on`{is_now}: by that its owner keeps the project out"
        return skipped(
            f"{told}, so it is left alone", f"set the tag {TAG} to on, or take it off, if the project is to be repaired"
        )
    if scope.tagged_only and not says:
        return skipped(f"the project lacks the tag {TAG}=on, which TaggedProjectsOnly asks for")
    return None


def _is_own(snapshot: Snapshot, scope: Scope) -> bool:
    if scope.own_role and are_one_role(role_name(snapshot.project), scope.own_role.rpartition("/")[2]):
        return True
    owner = owner_of(snapshot.tags)
    return bool(scope.stack) and owner.tool == "cloudformation" and owner.name == scope.stack
