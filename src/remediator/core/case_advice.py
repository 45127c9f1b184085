"""Writes the advice on a case: what a person has to do besides what was done, from what was really done."""

from __future__ import annotations

from remediator.core.case import Case
from remediator.core.codebuild.failure import BuildArn
from remediator.core.diagnosis.diagnosis import mirrors_of, no_cure
from remediator.core.diagnosis.throttle import Cause
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.repair.sign_in import SignIn
from remediator.core.value import value

EARLIER = "Docker Hub could not be asked about the credentials; it has accepted this version of the secret before"

_KEEP_GRANT = (
    "find what took the grant away, most likely a deployment of the definition of the role or of the secret's policy, "
    "and add the grant to that: taken away once more it is left alone"
)


@value
class RepairFacts:
    """What the steps of a repair found out: with whom the role is shared, as a sentence (empty for nobody), and whether
    the credentials were trusted on an earlier proof."""

    shared_with: str = ""
    earlier_proof: bool = False


NOTHING_KNOWN = RepairFacts()


def advice_on(case: Case, known: RepairFacts = NOTHING_KNOWN) -> tuple[str, ...]:
    """Advice for every outcome of this case once its plan was made, in the order: the project's own variables, its own
    login, its definition, its role, the credentials."""
    if case.waits:
        refusal = no_cure(case.cause) if isinstance(case.cause, Cause) else None
        return (*refusal.advice, *mirrors_for(case)) if refusal else ()
    facts, plan = case.facts, case.plan
    told: list[str] = []
    if facts.kept_variables:
        own = " and ".join(facts.kept_variables)
        told.append(
            f"the environment variable {own} is the project's own and was kept, so neither of the two variables was set"
        )
    if facts.login_faults:
        from remediator.core.advice.sign_in import fix_login

        told += [fix_login(fault, login.command) for login in plan.logins for fault in facts.login_faults]
    if plan.project_changes and facts.owner:
        from remediator.core.advice.definition import keep_in_definition

        told.append(keep_in_definition(facts.owner, facts.name, plan.settings()))
    owner = facts.role_owner
    if plan.grant and owner and owner.certain and owner.tool == "cloudformation":
        from remediator.core.advice.sign_in import take_grant_before_delete

        grant = plan.grant
        told += take_grant_before_delete(grant.by, grant.role_name, grant.policy_arn, grant.secret_arn, owner.name)
    if plan.grant and case.cause is SecretCause.GRANT_GONE:
        told.append(_KEEP_GRANT)
    told += [known.shared_with] * bool(known.shared_with)
    told += [EARLIER] * known.earlier_proof
    return tuple(told)


def advice_without_key(case: Case, sign_in: SignIn) -> tuple[str, ...]:
    """How the project's commands can sign in where DOCKER_AUTH_CONFIG can't do that."""
    from remediator.core.advice.sign_in import attach_policy
    from remediator.core.repair.command_sign_in import sign_in_by_hand

    facts = case.facts
    told = [sign_in_by_hand(facts.buildspec_path, facts.shell, sign_in, "the secret has no key docker_auth_config")]
    if not facts.granted and case.plan.grant:
        told.append(attach_policy(case.plan.grant.role_name, case.plan.grant.policy_arn))
    return (*told, *mirrors_for(case))


def mirrors_for(case: Case) -> tuple[str, ...]:
    """Where else the throttled image can be had."""
    failed = case.failed
    return mirrors_of(BuildArn.parse(failed.build), failed.phase, failed.image, failed.excerpt)
