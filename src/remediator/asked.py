"""What is known of a project that a person asks about, by what Intake may read, and the plan for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from remediator.core.advice.owner import owner_of
from remediator.core.advice.secret import WRITABLE
from remediator.core.case import Case, ProjectFacts
from remediator.core.case_advice import Done, with_advice
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import FAILED_STATUSES
from remediator.core.codebuild.project import Snapshot
from remediator.core.codebuild.start import start_claimed
from remediator.core.decide import make_case, read, refuse_build
from remediator.core.diagnosis.diagnosis import diagnose
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.guards.history import History, locked_out, started_by
from remediator.core.guards.review import foreign_secret
from remediator.core.guards.scope import out_of_scope
from remediator.core.guards.standing import held_back, nothing_to_do, signed_in_since
from remediator.core.guards.strangers import stranger_objection
from remediator.core.outcome import Ending, Outcome, skipped
from remediator.core.reading import Reading
from remediator.core.repair.plan import Plan, kept_variables, make_plan
from remediator.core.repair.sign_in import takes_registry_credential
from remediator.core.value import value
from remediator.services import Services
from remediator.steps.read_log import inspect_build, pushes_by_itself

_KEY_NOT_READ = (
    "the secret is not read from here: without its key docker_auth_config there is advice instead of a change"
)
_NOT_READ = "the service role is not read from here: whether it has the policy already, and who may assume it"
_START_NOT_READ = (
    "IAM, pipelines and batches are not read from here: that a webhook, a pipeline or a batch started the failed build "
    "is its own record's word"
)
_GRANT_NOT_READ = "the service role is not read from here: whether it still has the policy, and who may assume it"


@value
class Asked:
    """What is known of a project that a person asks about: `builds` are its newest, `failed` the newest of them that
    failed, None for none."""

    name: str
    snapshot: Snapshot
    builds: list[Build]
    failed: Build | None
    history: History
    services: Services

    @classmethod
    def about(cls, name: str, project: dict[str, Any], services: Services) -> Asked:
        builds = services.codebuild.latest_builds(name)
        failed = _newest_failure(builds, services.settings.remediator_name)
        return cls(name, Snapshot(project), builds, failed, services.journal.history(name), services)

    @cached_property
    def reading(self) -> Reading | None:
        terms = self.services.settings.terms
        if self.failed is None:
            return None
        return read(self.failed, self.snapshot, terms.sign_in, start_claimed(self.failed, self.snapshot.project))

    @cached_property
    def case(self) -> Case:
        return _case_of(self)

    @property
    def signed_in(self) -> bool:
        """Does the project carry what a repair would set? Its failed build may have carried that and not helped."""
        if self.reading and self.reading.signed_in:
            return bool(self.services.settings.sign_in.named_in(self.snapshot.environment))
        return self.case.refusal is None and not self.case.plan.project_changes

    def nothing_to_do(self) -> Outcome | None:
        return nothing_to_do(self.builds, self.history, signed_in=self.signed_in)

    def planned(self) -> Outcome:
        """The plan, and what would hold it back right now; or why there would be none."""
        case = replace(self.case, plan=self._plan)
        outcome = self._refused(case, case.refusal) if case.refusal else self._shown(case)
        done = Done((case,), pushes=case.refusal is None and self._pushes)
        return with_advice(outcome, done, self.services.settings.sign_in)

    @cached_property
    def _pushes(self) -> bool:
        """Could the token push that Docker Hub accepted last? The secret is not read from here."""
        return self.services.secret_record.could_push()

    @property
    def _granted_before(self) -> bool:
        """By the journal, unless the failed build itself says otherwise."""
        lost = isinstance(self.case.cause, SecretCause)
        return self.signed_in and self.history.repaired_at is not None and not lost

    @property
    def _plan(self) -> Plan:
        plan = self.case.plan
        return Plan(plan.project_changes) if self._granted_before else plan

    @staticmethod
    def _refused(case: Case, refusal: Outcome) -> Outcome:
        unread = (_NOT_READ,) if case.by_hand.grant else ()
        return refusal.with_facts(cause=refusal.cause or case.cause, background=(*unread, *refusal.background))

    def _shown(self, case: Case) -> Outcome:
        what = "nothing was written; this is what a remediation would change"
        if self._granted_before:
            what = f"nothing was written; {signed_in_since(self.history)}, so the project itself would not be changed"
        reason = "; ".join([what, *(f"held back right now: {why}" for why in self._held_back())])
        role = _GRANT_NOT_READ if self._granted_before else _NOT_READ
        unread = (
            role,
            *((_KEY_NOT_READ,) if case.auth_config else ()),
            *self._start_not_read,
            *self._pipeline_not_read,
        )
        return Outcome(Ending.PLANNED, reason, cause=case.cause, changes=case.plan.show(), background=unread)

    @property
    def _pipeline_not_read(self) -> tuple[str, ...]:
        if self.failed is None or not self.failed.pipeline or self.services.settings.untrusted_projects == "repair":
            return ()
        return (f"the pipeline {self.failed.pipeline} is not read from here: whether pull requests start it",)

    @property
    def _start_not_read(self) -> tuple[str, ...]:
        """Where it matters: a log is evidence of some starts only."""
        if self.reading is None or not self.reading.build.failure.of_command:
            return ()
        anybody = self.reading.start.chosen_by_starter and not self.reading.build.batch
        return () if anybody else (_START_NOT_READ,)

    def _held_back(self) -> Iterator[str]:
        services, now = self.services, self.services.now()
        refused, locked = services.secret_record.refused_until(now), services.secret_record.locked_until(now)
        limits = services.settings.limits
        yield from held_back(services.switch.stopped(), refused, self.history, self.case.plan, self.failed, limits, now)
        if locked:
            yield locked_out(locked).reason
        if self._pushes and services.settings.refuse_writable:
            yield f"{WRITABLE}, and WritableToken is refuse"


def _case_of(asked: Asked) -> Case:
    services, snapshot, build = asked.services, asked.snapshot, asked.failed
    terms = services.settings.terms
    foreign = foreign_secret(*services.settings.place, terms.sign_in)
    if foreign:
        return Case(foreign)
    if build is None or asked.reading is None:
        if not takes_registry_credential(snapshot.environment):
            return Case(skipped("the project's image does not come from Docker Hub"))
        refusal = out_of_scope(snapshot, terms.scope) or stranger_objection(snapshot, terms.untrusted)
        kept = kept_variables(snapshot, terms.sign_in)
        facts = ProjectFacts(snapshot.name, owner_of(snapshot.tags), kept_variables=kept)
        return Case(refusal, plan=make_plan(snapshot, terms.sign_in), facts=facts)
    diagnosis = diagnose(build.failure, inspect_build(build, services))
    refused = refuse_build(build, diagnosis)
    if refused:
        return refused
    pushes = pushes_by_itself(build, snapshot.project, services)
    case = make_case(asked.reading, diagnosis, terms, pushes=pushes)
    # A person who asks what would be changed learns what there is to do instead.
    return Case(diagnosis.refusal, case.cause) if case.waits else case


def _newest_failure(builds: Sequence[Build], own_name: str) -> Build | None:
    """The newest failed build. Those that Remediator started are verdicts, not failures."""
    return next((b for b in builds if b.status in FAILED_STATUSES and not started_by(b.initiator, own_name)), None)
