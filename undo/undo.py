"""`./remediator undo PROJECT`: shows what a repair has made, takes it out, and then takes back the role's grant."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from functools import cached_property

from botocore.exceptions import ClientError

from remediator.aws.client import code_of, message_of, raise_if_transient
from remediator.core.codebuild.project import Document, are_one_role, role_name
from remediator.core.guards.scope import TAG
from remediator.core.repair.difference import changed_by_update, difference
from remediator.core.value import value
from remediator.services import Services
from undo.grants import Grant, Grants
from undo.history import Journal
from undo.mentions import mentions
from undo.stack import Refused, Stack
from undo.taken_out import OFF, TakenOut, take_out

SETTLE = 10
"""Seconds until builds that were started before the update are all listed."""
EVERY = 10
"""Seconds between two looks at builds that still run."""

DOING, DONE = "Now: ", "Done: "
"""How the lines begin that tell what an undo does. Whoever breaks it off sees by them what is left."""
NOT_SEEN = (
    "Not looked at, because nobody can list it from here: projects of other regions and accounts, buildspecs in "
    "repositories and in S3, and starts of builds that name the secret by an override."
)

Say = Callable[[str], object]


@value
class Undo:
    """One undo. `say` shows a line to the person; `patience` are seconds to wait for builds that still run."""

    stack: Stack
    services: Services
    name: str
    say: Say
    patience: float = 3600

    def show(self) -> None:
        """The dry run: it changes nothing."""
        look = self._look()
        self._describe(look)
        execution = self._journal.works_on(self.name)
        if execution:
            self.say(f"\nWith --yes it would refuse now: {_under_way(self.name, execution)}.")
        for busy in self._busy(look.role):
            self.say(f"\nWith --yes it would wait before it takes the grant back: {busy}.")
        self.say("\nNothing was changed. Run the command again with --yes to do it.")

    def make(self) -> None:
        """Change the project, read it back, and take the grant back where no project needs it."""
        look = self._look()
        execution = self._journal.works_on(self.name)
        if execution:
            raise Refused(f"{_under_way(self.name, execution)}; nothing was changed. Run the command again later")
        self._describe(look)
        self.say("")
        self._update(look.taken)
        if look.grants:
            self._take_back(look)
        self.say(_how_to_take_the_tag_off(look.taken))

    # What there is

    def _look(self) -> _Look:
        """All that the undo depends on; Refused where there is nothing to undo, or where it would do harm."""
        project = self.services.codebuild.project(self.name)
        if project is None:
            where = self.services.client("codebuild").meta.region_name
            raise Refused(f"there is no project {self.name} in {where}; nothing was changed")
        taken = take_out(project, self.stack.sign_ins, self._journal.repairs_of(self.name))
        role = role_name(project)
        look = _Look(taken, role, self._grants.held_by(role), self._needed_by(role, taken.after))
        if not taken.plan.changes and (look.needed_by or not look.grants):
            raise Refused(_nothing_to_undo(look, self.stack))
        if taken.still_used:
            raise Refused(
                f"the inline buildspec of {self.name} uses {' and '.join(taken.still_used)} in lines that this tool "
                "did not write, or that somebody has edited since. Without the variables they could fail. Nothing was "
                "changed. Take these lines out of the buildspec, then run the command again"
            )
        return look

    def _needed_by(self, role: str, after: Document) -> dict[str, tuple[str, ...]]:
        """The projects with this role that name the secret once this one is undone, and with which members."""
        projects = self.services.codebuild.projects(lambda _: True)
        found = {
            str(each["name"]): mentions(after if each["name"] == self.name else each, self.stack.secrets)
            for each in projects
            if are_one_role(role_name(each), role)
        }
        return {name: members for name, members in found.items() if members}

    def _describe(self, look: _Look) -> None:
        taken = look.taken
        self.say(f"Project {self.name}, service role {look.role}")
        for line in taken.show() if taken.plan.changes or taken.before != taken.after else ["nothing to change"]:
            self.say(f"  {line}")
        for note in taken.notes():
            self.say(f"  note: {note}")
        self.say(f"Role {look.role}")
        if look.needed_by:
            self.say(f"  keeps its grant: {_still_named(look.needed_by)}")
        for grant in () if look.needed_by else look.grants:
            self.say(f"  {grant.show()}")
        if not look.grants:
            self.say("  holds no grant of this stack")
        elif not look.needed_by:
            self.say(f"  note: {NOT_SEEN}")

    # The project

    def _update(self, taken: TakenOut) -> None:
        """Send environment, tags and, for a login, the source; then read back and compare."""
        if not difference(taken.before, taken.after):
            return
        self.say(f"{DOING}change {self.name}")
        try:
            self.services.codebuild.update(taken.after, with_source=taken.edits_source)
        except ClientError as error:
            raise_if_transient(error)
            if "system tags" in message_of(error):
                raise Refused(
                    f"AWS does not let anybody change the tags of {self.name}, because CloudFormation has set some of "
                    f"them; nothing was changed. Add the tag {TAG}=off to the project in its template and deploy that, "
                    "or take the members out in CodeBuild's console"
                ) from error
            told = f"CodeBuild refused to update {self.name} ({code_of(error)}): {message_of(error)}".rstrip(".")
            raise Refused(f"{told}; nothing was changed") from error
        after = self.services.codebuild.project(self.name) or {}
        paths = changed_by_update(taken.after, after)
        if paths:
            raise Refused(
                f"the project {self.name} was updated, and now differs from what was sent in {', '.join(paths[:20])}: "
                "somebody else may have edited it at the same time. The grant was kept. Compare the project with its "
                "definition, then run the command again"
            )
        self.say(f"{DONE}{self.name} was changed, read back and compared")

    # The role

    def _take_back(self, look: _Look) -> None:
        needed_by = look.needed_by
        if not needed_by:
            self._wait(look.role)
            needed_by = self._needed_by(look.role, self.services.codebuild.project(self.name) or {})
        if needed_by:
            self.say(f"Kept: the role {look.role} keeps its grant. {_still_named(needed_by)}.")
            self.say("Undo these projects too; the last undo takes the grant back.")
            return
        for grant in look.grants:
            self.say(f"{DOING}{grant.show()}")
            self._grants.take_back(grant)
            self.say(f"{DONE}{grant.show()}")

    def _wait(self, role: str) -> None:
        """Until no build of the role's projects may read the secret any more."""
        self.services.pause(SETTLE)
        until, told = self.services.now() + self.patience, ""
        while busy := "; ".join(self._busy(role)):
            if self.services.now() >= until:
                raise Refused(
                    f"{busy}. The role {role} keeps its grant, and everything else is done. Run the command again "
                    "when that has ended: only this step is left"
                )
            if busy != told:
                self.say(f"Waiting at most {self.patience / 60:.0f} minutes, for the grant only: {busy}.")
                told = busy
            self.services.pause(EVERY)

    def _busy(self, role: str) -> Iterator[str]:
        """What may still read the secret through this role: builds that have begun, and repairs that are under way."""
        for project in self.services.codebuild.projects(lambda _: True):
            if not are_one_role(role_name(project), role):
                continue
            name = str(project["name"])
            execution = self._journal.works_on(name)
            if execution:
                yield _under_way(name, execution)
            builds = self.services.codebuild.latest_builds(name)
            with_secret = [build for build in builds if mentions(build.document, self.stack.secrets)]
            running = [f"build {build.document['id']}" for build in with_secret if not build.ended]
            # The next build of a batch has the settings that the batch began with.
            batches = self._running_batches({build.batch for build in with_secret if build.batch})
            for each in [*running, *batches]:
                yield f"the {each} runs with the secret"

    def _running_batches(self, ids: set[str]) -> list[str]:
        return [f"batch {batch.id}" for batch in self.services.codebuild.batches(sorted(ids)) if not batch.ended]

    @cached_property
    def _journal(self) -> Journal:
        return Journal(self.services, self.stack)

    @property
    def _grants(self) -> Grants:
        return Grants(self.stack, self.services)


@value
class _Look:
    """What an undo would do: in the project, and to its role's grants. `needed_by`: the projects with the role that
    name the secret afterwards, each with its members."""

    taken: TakenOut
    role: str
    grants: tuple[Grant, ...]
    needed_by: dict[str, tuple[str, ...]]


def _still_named(needed_by: dict[str, tuple[str, ...]]) -> str:
    told = (f"{name} ({', '.join(members)})" for name, members in sorted(needed_by.items()))
    return f"projects with this role that name the secret: {'; '.join(told)}"


def _under_way(project: str, execution: str) -> str:
    return f"a remediation of {project} is under way (execution {execution})"


def _nothing_to_undo(look: _Look, stack: Stack) -> str:
    name = str(look.taken.before["name"])
    if look.taken.left:
        return (
            f"{name} names the secret in {', '.join(look.taken.left)}, and that was not made by this tool; nothing was "
            "changed. Edit the project by hand"
        )
    if look.needed_by:
        return (
            f"{name} does not name the secret of {stack.name}. Its role {look.role} keeps the grant: "
            f"{_still_named(look.needed_by)}. Nothing was changed"
        )
    return (
        f"{name} does not name the secret of {stack.name}, and its role {look.role} holds no grant: there is nothing "
        "to undo, and nothing was changed"
    )


def _how_to_take_the_tag_off(taken: TakenOut) -> str:
    """UpdateProject replaces all tags, so the command names those that stay."""
    name, tags = str(taken.before["name"]), taken.tags_without_ours()
    told = f"\n{name} is left alone while it has the tag {OFF['key']}={OFF['value']}. To have it repaired again"
    if any(str(tag.get("key")).startswith("aws:") for tag in tags):
        return f"{told}, take the tag off in CodeBuild's console (Edit, Tags), or in the project's template."
    command = ("aws", "codebuild", "update-project", "--name", name, "--tags", json.dumps(tags))
    return f"{told}, take the tag off:\n  {shlex.join(command)}"
