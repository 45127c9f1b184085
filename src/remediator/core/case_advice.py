"""Writes the advice of an outcome: what a person has to do besides what was done, from what was really done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from remediator.core.advice.order import Advice, Kind, in_order
from remediator.core.advice.owner import Owner
from remediator.core.case import NO_PLAN, Case, ProjectFacts
from remediator.core.codebuild.failure import BuildArn
from remediator.core.diagnosis.diagnosis import mirrors_of, no_cure
from remediator.core.diagnosis.throttle import Cause
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.change import GrantSecretAccess
from remediator.core.repair.plan import Plan
from remediator.core.repair.sign_in import SignIn
from remediator.core.value import value

EARLIER = "Docker Hub could not be asked about the credentials; it has accepted this version of the secret before"

_KEEP_GRANT = (
    "find what took the grant away, most likely a deployment of the definition of the role or of the secret's policy, "
    "and add the grant to that: taken away once more it is left alone"
)
_WOULD_UNDO = "and the next deploy of its definition would undo that"


@value
class Done:
    """What an execution has really done, and what it found out on the way.

    `cases` are those that it decided on, the last one last: a retry that is throttled again has one of its own. `plan`
    holds the grants that were made and the changes to the project that are there and are to stay: nothing that was
    only planned, and nothing that did harm. `shared_with` says who shares the role, in a sentence, empty for nobody.
    `earlier_proof`: were the credentials trusted because Docker Hub had accepted them before? `pushes`: could their
    token push too, as far as Docker Hub has shown?
    """

    cases: tuple[Case, ...] = ()
    plan: Plan = NO_PLAN
    shared_with: str = ""
    earlier_proof: bool = False
    pushes: bool = False

    @property
    def case(self) -> Case | None:
        """The one that the outcome is about."""
        return self.cases[-1] if self.cases else None

    @property
    def facts(self) -> ProjectFacts:
        """What is known of the project: a case that was refused early knows nothing of it, one that waits little."""
        known = [case.facts for case in self.cases if case.facts.owner] or [ProjectFacts()]
        return replace(known[-1], role_owner=next((each.role_owner for each in known if each.role_owner), None))


def with_advice(outcome: Outcome, done: Done, sign_in: SignIn) -> Outcome:
    """The outcome with all of its advice, in order: what to do now, what to keep, what to know.

    Its own advice is to be done now.
    """
    advice = in_order([*_to_do(outcome, done, sign_in), *_to_keep(outcome, done, sign_in), *_to_know(outcome, done)])
    return outcome.with_facts(advice=advice, background=())


def _to_do(outcome: Outcome, done: Done, sign_in: SignIn) -> Iterator[Advice]:
    case = done.case
    by_hand = case.by_hand if case and case.refusal else NO_PLAN
    # A grant comes before what refers to the secret, also where a person makes both.
    if by_hand.grant and by_hand.grant not in done.plan.changes:
        yield Advice(Kind.DO_NOW, sign_in.let_role_read(by_hand.grant.role_arn))
    yield from (Advice(Kind.DO_NOW, text) for text in outcome.advice)
    facts = done.facts
    if by_hand.project_changes and facts.owner:
        why = f"deployments of the definition of the project {facts.name} have undone the repair"
        yield Advice(Kind.DO_NOW, _in_definition(facts.owner, facts.name, by_hand, "Make the change", why))
    refusal = no_cure(case.cause) if case and case.waits and isinstance(case.cause, Cause) else None
    if refusal:
        lasts = outcome.ending in (Ending.ADVISED, Ending.GAVE_UP)
        yield from (Advice(Kind.DO_NOW if lasts else Kind.BACKGROUND, text) for text in refusal.advice)


def _to_keep(outcome: Outcome, done: Done, sign_in: SignIn) -> Iterator[Advice]:
    facts = done.facts
    if outcome.ending is Ending.PLANNED and done.case:
        yield from (Advice(Kind.KEEP, text) for text in _instead(done.case, facts, sign_in))
        return
    if done.plan.project_changes and facts.owner:
        why = f"the project {facts.name} was changed through CodeBuild's API, {_WOULD_UNDO}"
        yield Advice(Kind.KEEP, _in_definition(facts.owner, facts.name, done.plan, "Keep the change", why))
    owner, grant = facts.role_owner, done.plan.grant
    if grant and done.case and done.case.cause is SecretCause.GRANT_GONE:
        yield Advice(Kind.KEEP, _KEEP_GRANT)
    if grant and owner and owner.certain and owner.tool == "cloudformation":
        from remediator.core.advice.grants import take_grant_before_delete

        told = take_grant_before_delete(grant.by, grant.role_name, grant.policy_arn, grant.secret_arn, owner.name)
        yield from (Advice(Kind.KEEP, text) for text in told)


def _instead(case: Case, facts: ProjectFacts, sign_in: SignIn) -> Iterator[str]:
    """How a person makes what is only planned."""
    if case.plan.grant:
        first = "To make the change yourself, first let the project's builds read the credentials."
        yield sign_in.let_role_read(case.plan.grant.role_arn, first)
    if case.plan.project_changes and facts.owner:
        why = f"a remediation would change the project {facts.name} through CodeBuild's API, {_WOULD_UNDO}"
        yield _in_definition(facts.owner, facts.name, case.plan, "To make the change yourself, make it", why)


def _to_know(outcome: Outcome, done: Done) -> Iterator[Advice]:
    told: list[str] = []
    for case in done.cases:
        facts = case.facts
        if facts.kept_variables:
            own = f"the environment variable {' and '.join(facts.kept_variables)} is the project's own"
            told.append(f"{own} and is kept, so neither of the two variables is set")
        if facts.assumed_by:
            who = f"the service role of the project {facts.name} is also assumed by {', '.join(facts.assumed_by)}"
            told.append(f"{who}: what these do with the role can read the credentials too")
        if facts.login_faults:
            from remediator.core.advice.sign_in import fix_login

            logins = (*case.plan.logins, *case.by_hand.logins)
            told += [fix_login(fault, login.command) for login in logins for fault in facts.login_faults]
    told += [done.shared_with] * bool(done.shared_with)
    told += [EARLIER] * done.earlier_proof
    if done.pushes:
        from remediator.core.advice.secret import READ_ONLY, WRITABLE

        told.append(f"{WRITABLE}: {READ_ONLY}")
    told += outcome.background
    if done.case and done.case.waits:
        told += mirrors_for(done.case)
    return (Advice(Kind.BACKGROUND, text) for text in told)


def _in_definition(owner: Owner, project: str, plan: Plan, head: str, why: str) -> str:
    from remediator.core.advice.definition import in_definition

    return in_definition(owner, project, plan.settings(), head=head, why=why)


def take_out_by_hand(project: str, plan: Plan) -> str:
    """For changes that do harm and could not be taken back from here."""
    from remediator.core.advice.layout import artefact

    return artefact(
        "Take these changes out of the project by hand.",
        where=f"the project {project}",
        why="they fail builds that would have passed without them, and could not be taken back from here",
        paste="\n".join(change.show() for change in plan.project_changes),
    )


def grant_left(refusal: Outcome, grant: GrantSecretAccess) -> Outcome:
    """A refusal that came when the role had been granted the secret already, and nothing else was changed."""
    from remediator.core.advice.grants import take_grant_back

    back = take_grant_back(grant.by, grant.role_arn, grant.policy_arn, grant.secret_arn)
    ending = Ending.ADVISED if refusal.ending is Ending.SKIPPED else refusal.ending
    reason = f"{refusal.reason}; before that the role {grant.role_name} was let read the secret, and it still may"
    return refusal.with_facts(ending=ending, reason=reason, advice=(*refusal.advice, back))


def sign_in_without_key(case: Case, sign_in: SignIn, reason: str) -> str:
    """How the project's commands can sign in where DOCKER_AUTH_CONFIG can't do that, for this reason."""
    from remediator.core.repair.command_sign_in import sign_in_by_hand

    return sign_in_by_hand(case.facts.buildspec_path, case.facts.shell, sign_in, reason)


def mirrors_for(case: Case) -> tuple[str, ...]:
    """Where else the throttled image can be had."""
    failed = case.failed
    return mirrors_of(BuildArn.parse(failed.build), failed.phase, failed.image, failed.excerpt)
