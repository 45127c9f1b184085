"""The step `diagnose`: reads a failed build, its project and the project's role, and decides what may be done.

Nothing is taken from the event. What is decided is small enough for a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import message_of, raise_if_transient
from remediator.core.case import NOBODY, Case, Reader, Standing
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.project import Role, Snapshot, role_name
from remediator.core.decide import make_case, read, refuse_build, with_role
from remediator.core.diagnosis.diagnosis import Diagnosis, diagnose
from remediator.core.diagnosis.throttle import Cause
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.guards.history import (
    History,
    belongs_to_watcher,
    owned_by_another,
    retry_of_ours,
    stopped,
    too_often,
)
from remediator.core.guards.review import other_images
from remediator.core.job import Job
from remediator.core.outcome import Ending, Outcome, advised, rejected
from remediator.core.reading import Reading
from remediator.core.value import value
from remediator.services import Services
from remediator.steps.credentials import CredentialCheck
from remediator.steps.grant import Grants
from remediator.steps.read_log import inspect_build, pushes_by_itself
from remediator.steps.retry_unit import RetryUnit, RetryUnits
from remediator.steps.still_allowed import opened_by_pipeline


@value
class Examination:
    job: Job
    services: Services

    def examine(self, subject: BuildArn, history: History, repaired: Mapping[str, Any]) -> Case:
        """Is the build to be acted on, by this execution, and how? The job's own build is taken then; any other is a
        retry of this execution's that was throttled too. `repaired` is what was changed before."""
        return self._examined(subject, history, repaired).changed("times", made_at=self.services.now())

    def _examined(self, subject: BuildArn, history: History, repaired: Mapping[str, Any]) -> Case:
        build = self.services.codebuild.build(subject)
        if build is None:
            return Case(rejected(f"CodeBuild knows no build {subject.id}"))
        diagnosis = diagnose(build.failure, inspect_build(build, self.services))
        refused = refuse_build(build, diagnosis)
        if refused:
            return refused
        if subject != self.job.build:
            case = self._decided(build, diagnosis, replace(history, undone=0))
            if case.refusal is None:
                self.services.journal.record_repair(self.job.build, {**repaired, **case.plan.record()})
            return case
        if isinstance(diagnosis.cause, SecretCause):
            role = role_name(build.document)
            history = replace(history, regrant=self.services.journal.regrant(role))
        unit = RetryUnits(self.services).of(build, self.job.execution)
        if self.job.attempt == 1:
            ruled_out = self._ruled_out(build, unit, history)
            if ruled_out:
                standing = Standing(last_news=ruled_out.ending is Ending.GAVE_UP)
                return Case(ruled_out, diagnosis.cause, standing=standing)
        else:  # a person's word goes before these rules, but not before an execution that still works on it
            history = replace(history, undone=0, regrant=replace(history.regrant, times=0))
            earlier = self.services.journal.entry(self.job.build)
            if earlier and self._is_watched(earlier.execution):
                return Case(None, diagnosis.cause, standing=Standing(duplicate_of=earlier.execution))
            if unit.runs:
                return Case(owned_by_another(unit.name, unit.held_by, runs=True), diagnosis.cause)
        case = self._decided(build, diagnosis, history, unit).changed("failed", unit=unit.key, place=unit.place)
        if case.refusal:
            return case.changed("standing", attempt=history.counts(build))
        return self._entered(case, unit)

    def _ruled_out(self, build: Build, unit: RetryUnit, history: History) -> Outcome | None:
        """No loop: these builds are not acted on, whoever started them and in whatever order their events come."""
        ours = retry_of_ours(unit.initiator, self.services.own_name)
        if ours:
            return ours
        if unit.held_by and not unit.is_free_for(build):
            return owned_by_another(unit.name, unit.held_by, runs=unit.runs)
        watcher = next(filter(self._is_watched, history.watchers_of(build)), None)
        if watcher:
            return belongs_to_watcher(watcher)
        return too_often(history, build, self.services.settings.limits, self.services.now())

    def _is_watched(self, watcher: str) -> bool:
        return watcher not in ("", self.job.execution) and self.services.executions.is_running(watcher)

    def _decided(self, build: Build, diagnosis: Diagnosis, history: History, unit: RetryUnit | None = None) -> Case:
        case = self._case(build, diagnosis, history, unit)
        opened = None if case.refusal else opened_by_pipeline(build.pipeline, self.services)
        return Case(opened, case.cause) if opened else case

    def _case(self, build: Build, diagnosis: Diagnosis, history: History, unit: RetryUnit | None) -> Case:
        project = self.services.codebuild.project(build.failure.build.project)
        if project is None:
            return Case(rejected("the project no longer exists"))
        terms = self.services.settings.terms
        units = RetryUnits(self.services)
        start = units.start(build, project, unit) if unit else units.start_of(self.job, build, project)
        reading = read(build, Snapshot(project), terms.sign_in, start)
        pushes = pushes_by_itself(build, project, self.services)
        # Whatever its role: a refusal saves reading that, unless a person would have to grant it the secret.
        case = make_case(reading, diagnosis, terms, history, pushes)
        carried = diagnosis.cause is Cause.ANONYMOUS_LIMIT and reading.signed_in
        if case.refusal and not (carried or case.by_hand.grant):
            return case
        if isinstance(case.cause, SecretCause) and history.repaired_at is None and self.job.attempt == 1:
            from remediator.core.guards.lost_grant import TAKEN_BACK, left_to_owner

            return Case(left_to_owner(reading, terms.sign_in, TAKEN_BACK), case.cause)
        grants = Grants(self.services)
        try:
            role = grants.role(str(project.get("serviceRole", "")))
        except ClientError as error:
            raise_if_transient(error)
            if case.by_hand.grant:
                return case
            return Case(advised(f"the project's service role can't be read: {message_of(error)}"), diagnosis.cause)
        reading = reading.with_role(role)
        if carried:
            return Case(self._unused(reading, diagnosis), diagnosis.cause)
        case = with_role(case, role, reading, terms, history)
        if case.refusal:
            return _by_hand(case, case.refusal, role, grants)
        held = case.cause is SecretCause.UNREADABLE  # the role holds the grant
        refused = self._other_images(reading, case)
        if not (refused or case.waits):  # then something refers to the secret, or is about to
            refused = grants.objection(role)
        if held and (refused or not history.grant_may_be_late(build)):
            return Case(self._unreadable(reading, diagnosis, refused), case.cause)
        if refused:
            return Case(refused, case.cause)
        changes_nothing = not case.plan.changes and not case.retry.overrides and not case.waits
        if not held and history.precedes(build) and changes_nothing:
            return Case(self._unused(reading, diagnosis), case.cause)
        return replace(case, reader=NOBODY if case.waits else self._reader(role, grants))

    def _reader(self, role: Role, grants: Grants) -> Reader:
        return Reader(role.name, grants.policy_digest, again=self.job.attempt > 1)

    def _other_images(self, reading: Reading, case: Case) -> Outcome | None:
        """Only asked where something tells that builds bring images of their own: batches do, and overrides."""
        project = reading.snapshot.project
        if not (project.get("buildBatchConfig") or reading.build.batch or reading.another_image):
            return None
        builds = self.services.codebuild.latest_builds(str(project["name"]))
        return other_images(builds, reading.snapshot, case.plan)

    def _unused(self, reading: Reading, diagnosis: Diagnosis) -> Outcome:
        """Why a build of a repaired project was throttled as anonymous, with the evidence."""
        from remediator.core.verdict.why_unused import why_unused

        outcome = why_unused(reading, diagnosis, self.services.settings.sign_in, self._secret_fault())
        evidence = f": {diagnosis.excerpt}" if diagnosis.excerpt else ""
        return outcome.with_facts(reason=f"{outcome.reason}{evidence}")

    def _unreadable(self, reading: Reading, diagnosis: Diagnosis, refused: Outcome | None) -> Outcome:
        """Why a build could not read the secret although its role holds the grant, as far as that can be seen."""
        from remediator.core.guards.lost_grant import granted_all_the_same

        sign_in, snapshot = self.services.settings.sign_in, reading.snapshot
        check = CredentialCheck(self.services, self.job.execution)
        named = sign_in.named_in(snapshot.environment)
        found = refused or check.unreadable(auth_config=sign_in.auth_config_variable in named)
        return granted_all_the_same(snapshot.role_arn, diagnosis.excerpt, found)

    def _secret_fault(self) -> str:
        """What is wrong with the secret, as far as that can be told; empty when nothing is."""
        seen = CredentialCheck(self.services, self.job.execution).look()
        return seen.reason if isinstance(seen, Outcome) and seen.ending is Ending.REJECTED else ""

    def _entered(self, case: Case, unit: RetryUnit) -> Case:
        """The build is this execution's from here on, and what it is about to change is written down."""
        job = self.job
        entrance = self.services.journal.enter(
            job.build,
            job.execution,
            job.attempt,
            self.services.now(),
            repair=case.plan.record() if self.services.settings.mode == "auto" else {},
            unit=unit.key,
            evict=unit.held_by,
        )
        if entrance.held_by and entrance.of_build:
            return case.changed("standing", duplicate_of=entrance.held_by)
        if entrance.held_by:
            refusal = owned_by_another(unit.name, entrance.held_by, runs=True)
        elif entrance.stopped:
            refusal = stopped(f"{entrance.stopped}; nothing was written")
        else:
            return case
        return replace(case, refusal=refusal.with_facts(cause=case.cause)).changed("standing", attempt=False)


def _by_hand(case: Case, refusal: Outcome, role: Role, grants: Grants) -> Case:
    """A person who is to make the grant is told what would keep the role from reading the secret all the same."""
    found = grants.objection(role) if case.by_hand.grant else None
    if found is None:
        return case
    reason, advice = f"{refusal.reason}; {found.reason}", (*found.advice, *refusal.advice)
    return replace(case, refusal=refusal.with_facts(reason=reason, advice=advice))
