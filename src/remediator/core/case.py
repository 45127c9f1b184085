"""What the diagnosis of one failed build hands to the later steps: decisions, names and ARNs, never a project."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from remediator.core.advice.owner import Owner
from remediator.core.buildspec.phases import Shell
from remediator.core.codebuild.pipeline import Place
from remediator.core.diagnosis.throttle import Cause
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.outcome import Outcome
from remediator.core.repair.plan import Plan
from remediator.core.retry.way import Retry, Way
from remediator.core.value import value

NO_PLAN = Plan()
START_AGAIN = Retry(Way.START_BUILD)


@value
class FailedBuild:
    """What failed, by CodeBuild's own record.

    `build` is its ARN, `role` the name of its service role, `image` its environment's image, `initiator` who started
    it, `started_at` when, `pipeline` and `batch` what it belongs to (empty for none), `minutes` how long it may take,
    with CodeBuild's own retries of it. `phase` is the one that failed, `excerpt` the evidence, redacted.
    `asked_version` is the source version that it was started with, `source_version` the one that builds the same
    commit again. `unit` is the journal's key of its retry unit, empty for the build alone; `place` is where its
    pipeline ran it.
    """

    build: str = ""
    phase: str = "PROVISIONING"
    image: str = ""
    excerpt: str = ""
    initiator: str = ""
    pipeline: str = ""
    batch: str = ""
    started_at: float = 0.0
    minutes: int = 540
    asked_version: str | None = None
    source_version: str | None = None
    unit: str = ""
    place: Place | None = None
    role: str = ""


@value
class Standing:
    """How the case counts among the project's others.

    `attempt`: is it one of the project's attempts? `last_news`: the last news before the project goes quiet? `undone`:
    does the plan repair again what somebody took away? `duplicate_of`: the execution that has this build already.
    """

    attempt: bool = False
    last_news: bool = False
    undone: bool = False
    duplicate_of: str = ""


@value
class Reader:
    """Who is to read the secret, and what its own policy said then: the service role's name, and a digest. Both are
    empty where nobody is. `again`: does a person ask, whose word goes before what was learned earlier?"""

    role: str = ""
    policy: str = ""
    again: bool = False

    def of_version(self, version: str) -> str:
        """The secret as this reader finds it: what has to change before a role that could not read it may."""
        return f"{version} {self.policy}"


NOBODY = Reader()


@value
class Times:
    """Seconds since 1970. `last_modified` is the project's, by CodeBuild's clock, when the plan was made at `made_at`,
    by ours; `edited_at` the last edit that was not ours."""

    last_modified: float = 0.0
    made_at: float = 0.0
    edited_at: float = 0.0


@value
class ProjectFacts:
    """What advice needs of the project: the tools that keep its definition and its role's (None where the role was not
    read), the buildspec's path (empty for the default), the shell of its commands, whether its role held the grant, its
    own variables that were kept, what is wrong with its own login, and who else than CodeBuild may assume its role."""

    name: str = ""
    owner: Owner | None = None
    role_owner: Owner | None = None
    buildspec_path: str = ""
    shell: Shell = "posix"
    granted: bool = False
    kept_variables: tuple[str, ...] = ()
    login_faults: tuple[str, ...] = ()
    assumed_by: tuple[str, ...] = ()


@value
class Case:
    """A diagnosis and what was decided, small enough for a checkpoint.

    `refusal` ends the remediation with nothing written, and `by_hand` is what a person has to change in place of it.
    `waits`: the cause passes with time, and nothing is changed.
    `auth_config`: does the plan need the secret's key docker_auth_config? `reader` is who is to read the secret.
    """

    refusal: Outcome | None
    cause: Cause | SecretCause | None = None
    plan: Plan = NO_PLAN
    auth_config: bool = False
    waits: bool = False
    retry: Retry = START_AGAIN
    failed: FailedBuild = FailedBuild()
    standing: Standing = Standing()
    times: Times = Times()
    facts: ProjectFacts = ProjectFacts()
    by_hand: Plan = NO_PLAN
    reader: Reader = NOBODY

    def changed(self, part: Literal["failed", "standing", "times", "facts"], **members: Any) -> Case:
        """The same case with other members of one of its parts."""
        return replace(self, **{part: replace(getattr(self, part), **members)})
