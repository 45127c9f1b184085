"""Decides what is to be done about one failed build: from what was read to a case, through every guard."""

from __future__ import annotations

from dataclasses import replace

from remediator.core.advice.owner import owner_of
from remediator.core.buildspec.phases import BuildspecText
from remediator.core.case import NO_PLAN, Case, FailedBuild, ProjectFacts, Standing, Times
from remediator.core.case_advice import mirrors_for
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import FAILED_STATUSES
from remediator.core.codebuild.project import Role, Snapshot, role_name
from remediator.core.codebuild.start import Start
from remediator.core.diagnosis.diagnosis import WAITED_FOR, Diagnosis, no_cure
from remediator.core.diagnosis.throttle import Cause
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.guards.history import NEW, History, undone_again
from remediator.core.guards.review import objection
from remediator.core.guards.scope import out_of_scope
from remediator.core.guards.strangers import stranger_objection, who_assumes
from remediator.core.names import DOCKER_HUB
from remediator.core.outcome import Outcome, advised, rejected
from remediator.core.reading import Reading
from remediator.core.repair.change import GrantSecretAccess
from remediator.core.repair.plan import Plan, kept_variables, make_plan
from remediator.core.repair.sign_in import SignIn
from remediator.core.repair.signed_in import shell_of, signed_in
from remediator.core.retry.overrides import overrides_of
from remediator.core.retry.way import decide_retry
from remediator.core.terms import Terms


def read(build: Build, snapshot: Snapshot, sign_in: SignIn, start: Start | None = None) -> Reading:
    """Gather what the guards, the plan and the retry decide from. Without a `start` anybody started the build."""
    buildspec = BuildspecText(snapshot.buildspec)
    ran = buildspec if build.buildspec == buildspec.text else BuildspecText(build.buildspec)
    return Reading(
        build,
        start or Start(build.asked_version),
        snapshot,
        buildspec,
        ran,
        overrides=overrides_of(build, snapshot, sign_in, ran, buildspec),
        signed_in=signed_in(build, build.failure.phase, sign_in, ran),
    )


def refuse_build(build: Build, diagnosis: Diagnosis) -> Case | None:
    """The case of a build that did not fail, or that neither credentials nor time can cure; None for any other."""
    if build.status not in FAILED_STATUSES:
        return Case(rejected(f"the build did not fail: CodeBuild has it as {build.status}"))
    incurable = diagnosis.refusal and diagnosis.cause not in WAITED_FOR
    return Case(diagnosis.refusal, diagnosis.cause) if incurable else None


def make_case(
    reading: Reading, diagnosis: Diagnosis, terms: Terms, history: History = NEW, pushes: bool | None = None
) -> Case:
    """Review and plan for a build that `refuse_build` let through, as far as its project tells; see `with_role`.

    `pushes`: do the project's builds sign in or push by themselves, as far as their logs tell (see `Observed`)?
    """
    if isinstance(diagnosis.cause, SecretCause):
        return _of_grant(reading, diagnosis, terms, history)
    outside = out_of_scope(reading.snapshot, terms.scope)
    if outside:
        return Case(outside, diagnosis.cause)
    if diagnosis.cause in WAITED_FOR:
        return _waiting(reading, diagnosis, terms, history)
    if reading.build.failure.of_command and reading.snapshot.runner:
        from remediator.core.repair.command_sign_in import runner_signs_in

        # Nothing is changed for it, so no guard has to be asked, and none hides what there is to do.
        return Case(runner_signs_in(reading.snapshot), diagnosis.cause)
    refusal = objection(reading, terms.sign_in, terms.untrusted, history.edited_before(reading.snapshot))
    if refusal:
        return Case(refusal, diagnosis.cause)
    if reading.signed_in:  # a build that carried the credentials is a verdict, and the end of any loop
        from remediator.core.verdict.why_unused import why_unused

        return Case(why_unused(reading, diagnosis, terms.sign_in), diagnosis.cause)
    case = _case(reading, diagnosis, history)
    if reading.build.failure.of_command:
        case = _with_commands_signed_in(case, reading, diagnosis, terms, pushes)
    else:
        plan = make_plan(reading.snapshot, terms.sign_in, reading.buildspec, for_build=reading.another_image)
        kept = kept_variables(reading.snapshot, terms.sign_in, reading.buildspec)
        case = replace(case, plan=plan).changed("facts", kept_variables=kept)
    left_alone = undone_again(history, case.plan)
    return Case(left_alone, case.cause, facts=case.facts, by_hand=case.plan) if left_alone else case


def with_role(case: Case, role: Role, reading: Reading, terms: Terms, history: History = NEW) -> Case:
    """The case once the project's role was read: who may assume it, and whether it holds the grant already."""
    case = replace(case, plan=_granted_to(role, case.plan), by_hand=_granted_to(role, case.by_hand))
    if case.refusal:
        return case
    stranger = stranger_objection(replace(reading.snapshot, role=role), terms.untrusted)
    if stranger:
        return _not_waited_for(case, stranger) if case.waits else Case(stranger, case.cause)
    if case.waits:
        return case
    if isinstance(case.cause, SecretCause) and not role.granted:
        case = replace(case, cause=SecretCause.GRANT_GONE)
    grant = case.plan.grant
    if grant and grant.by == "none":
        return Case(_left_to_a_person(grant), case.cause, by_hand=Plan((grant,)))
    if case.cause is SecretCause.GRANT_GONE and history.regrant.times:
        from remediator.core.guards.lost_grant import TAKEN_TWICE, left_to_owner

        return Case(left_to_owner(reading, terms.sign_in, TAKEN_TWICE), case.cause)
    services, others = who_assumes(role.trust)
    facts = {"role_owner": owner_of(role.tags), "granted": role.granted, "assumed_by": (*services, *others)}
    case = case.changed("facts", **facts)
    return case.changed("standing", undone=history.was_undone(case.plan))


def _granted_to(role: Role, plan: Plan) -> Plan:
    """The plan for this role: without a grant that it holds, and else with the role's ARN as IAM has it."""
    grant = plan.grant
    if grant is None:
        return plan
    return Plan((*(() if role.granted else (replace(grant, role_arn=role.arn),)), *plan.project_changes))


def replan(case: Case, reading: Reading, terms: Terms) -> Case:
    """The case of a project that was edited since: the diagnosis holds, the plan is made again.

    The build started before that edit, so what differs now may be the edit's.
    """
    failed = case.failed
    diagnosis = Diagnosis(case.cause, DOCKER_HUB, failed.phase, failed.excerpt, refusal=None)
    again = make_case(reading, diagnosis, terms, pushes=False if case.auth_config else None)
    if reading.snapshot.role:
        again = with_role(again, reading.snapshot.role, reading, terms)
    again = again.changed("failed", place=failed.place, unit=failed.unit)
    return again.changed("standing", attempt=case.standing.attempt, undone=case.standing.undone)


def _case(reading: Reading, diagnosis: Diagnosis, history: History) -> Case:
    build, snapshot = reading.build, reading.snapshot
    edited_at = history.edited_before(snapshot)
    return Case(
        refusal=None,
        cause=diagnosis.cause,
        retry=decide_retry(reading, edited_at),
        failed=FailedBuild(
            build=str(build.failure.build),
            phase=build.failure.phase,
            image=build.failure.image,
            excerpt=diagnosis.excerpt,
            initiator=build.initiator,
            pipeline=build.pipeline,
            batch=build.batch,
            started_at=build.started_at,
            minutes=build.minutes_allowed * (1 + build.auto_retries_left),
            asked_version=build.document.get("sourceVersion") or None,
            source_version=build.source_version,
            role=role_name(build.document),
        ),
        standing=Standing(attempt=history.counts(build)),
        times=Times(last_modified=snapshot.last_modified, edited_at=edited_at),
        facts=ProjectFacts(
            snapshot.name,
            owner_of(snapshot.tags),
            buildspec_path=snapshot.buildspec_path,
            shell=shell_of(snapshot.environment),
        ),
    )


def _of_grant(reading: Reading, diagnosis: Diagnosis, terms: Terms, history: History) -> Case:
    """The secret could not be read: the one change is the grant, and only if the role lacks it (see `with_role`)."""
    from remediator.core.guards.lost_grant import grant_objection

    refusal = grant_objection(reading, terms.sign_in, terms.scope, terms.untrusted)
    if refusal:
        return Case(refusal, diagnosis.cause)
    grant = terms.sign_in.grant(reading.snapshot.role_arn)
    return replace(_case(reading, diagnosis, history), plan=Plan((grant,)))


def _waiting(reading: Reading, diagnosis: Diagnosis, terms: Terms, history: History) -> Case:
    """A cause that passes with time. Whose limit or lockout it is can be told only of builds that use the secret:
    nothing can be read here of another account. What makes a build say so may be whoever started it, or a stranger, so
    the guards of a repair come before the wait."""
    if not reading.signed_in and diagnosis.cause is not Cause.ABUSE_LIMIT:
        return Case(diagnosis.refusal, diagnosis.cause)
    case = replace(_case(reading, diagnosis, history), waits=True)
    against = objection(reading, terms.sign_in, terms.untrusted, edited_at=None)
    if against:
        return _not_waited_for(case, against)
    if reading.signed_in or not reading.another_image:
        return case
    # StartBuild would be given the credential for that image, and this role may not read it.
    by_hand = "start the build again later, with the image that it was started with"
    return replace(case, retry=replace(case.retry, against=by_hand))


def _not_waited_for(case: Case, against: Outcome) -> Case:
    """The case of a build that is not run again from here, for what a guard objects."""
    told = no_cure(case.cause) if isinstance(case.cause, Cause) else None
    if told is None:
        return Case(against, case.cause)
    reason = f"{told.reason}; the build is not run again from here: {against.reason}"
    refusal = told.with_facts(reason=reason, advice=(*told.advice, *against.advice), background=mirrors_for(case))
    return Case(refusal, case.cause)


def _with_commands_signed_in(
    case: Case, reading: Reading, diagnosis: Diagnosis, terms: Terms, pushes: bool | None
) -> Case:
    from remediator.core.repair.command_sign_in import ByHand, Observed, way_to_sign_in

    sign_in, snapshot, buildspec = terms.sign_in, reading.snapshot, reading.buildspec
    way = way_to_sign_in(reading, sign_in, Observed(diagnosis.excerpt, pushes), terms.edit_buildspecs)
    if isinstance(way, ByHand):
        grant = Plan((sign_in.grant(snapshot.role_arn),)) if way.reads_secret else NO_PLAN
        return Case(way.outcome.with_facts(background=mirrors_for(case)), diagnosis.cause, by_hand=grant)
    kept = kept_variables(snapshot, sign_in, buildspec, login=way.login is not None)
    plan = make_plan(snapshot, sign_in, buildspec, way.login, way.auth_config)
    case = replace(case, plan=plan, auth_config=way.auth_config)
    return case.changed("facts", kept_variables=kept, login_faults=way.faults)


def _left_to_a_person(grant: GrantSecretAccess) -> Outcome:
    return advised(
        f"PolicyMode is none, and the service role {grant.role_name} may not read the secret yet: nothing was written",
        "then use the remediate command",
    )
