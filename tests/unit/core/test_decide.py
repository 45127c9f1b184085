"""What is decided about a failed build, and what that hands to the later steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from remediator.core.advice.owner import owner_of
from remediator.core.case import Case, FailedBuild, ProjectFacts, Standing, Times
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.pipeline import Place
from remediator.core.codebuild.project import Snapshot
from remediator.core.decide import make_case, refuse_build, replan, with_role
from remediator.core.diagnosis.diagnosis import diagnose
from remediator.core.diagnosis.throttle import Cause
from remediator.core.guards.history import NEW, History
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.change import GrantBy, GrantSecretAccess
from remediator.core.repair.plan import make_plan
from remediator.core.retry.way import Retry, Way
from tests.every_member import every_member, with_unknown_members
from tests.unit import given
from tests.unit.checkpoints import checkpointed, text_of

STARTED = given.build().started_at
REPAIRED = History(repaired_at=1_795_000_050.5, repaired_by=given.EXECUTION, edited_at=1_795_000_000.25)
"""Repaired before the build started, and edited by nobody since where `lastModified` is the same."""


def throttled_by(cause: str, **members: Any) -> Build:
    return given.build(phases=given.phases(message=WAITED_FOR[cause]), **members)


def case_of(build: Build, snapshot: Snapshot | None = None, history: History = NEW) -> Case:
    return given.decided(build, snapshot or given.snapshot(), history=history)


def refused(build: Build) -> Case | None:
    return refuse_build(build, diagnose(build.failure))


def test_a_throttled_build_is_let_through() -> None:
    assert refused(given.build()) is None


@pytest.mark.parametrize("status", ["SUCCEEDED", "IN_PROGRESS", "STOPPED", ""])
def test_a_build_that_did_not_fail_by_its_own_record_is_rejected(status: str) -> None:
    case = refused(given.build(buildStatus=status))

    assert case is not None
    assert case.refusal is not None
    assert case.refusal.ending is Ending.REJECTED


def test_a_build_that_failed_for_another_reason_by_its_own_record_is_refused() -> None:
    case = refused(given.build(phases=given.phases(failed="BUILD", code="COMMAND_EXECUTION_ERROR", message="x")))

    assert case is not None
    assert case.refusal is not None
    assert case.refusal.ending is Ending.SKIPPED


def test_the_cause_is_kept_with_a_refusal() -> None:
    case = refused(given.build(env={"image": "public.ecr.aws/docker/library/node:22"}))

    assert case is not None
    assert case.refusal is not None
    assert case.cause == "other-registry"


WAITED_FOR = {
    "account-limit": given.ACCOUNT_LIMIT,
    "login-lockout": given.LOCKED_OUT,
    "abuse-limit": given.ABUSED,
}


@pytest.mark.parametrize("cause", WAITED_FOR)
def test_a_cause_that_passes_with_time_is_let_through(cause: str) -> None:
    assert refused(throttled_by(cause)) is None


def test_a_case_without_objection_has_the_plan_and_how_to_run_the_build_again() -> None:
    snapshot = given.snapshot()

    case = given.case(given.build(sourceVersion="refs/heads/main"), snapshot)

    assert case == Case(
        refusal=None,
        cause=Cause.ANONYMOUS_LIMIT,
        plan=make_plan(snapshot, given.SIGN_IN),
        failed=FailedBuild(
            build=str(given.BUILD_ARN),
            image=given.IMAGE,
            excerpt=case.failed.excerpt,
            role=given.ROLE_NAME,
            initiator="maria",
            started_at=STARTED,
            asked_version="refs/heads/main",
            source_version="refs/heads/main",
        ),
        standing=Standing(attempt=True),
        times=Times(last_modified=snapshot.last_modified, edited_at=snapshot.last_modified),
        facts=ProjectFacts(given.PROJECT, owner_of({"team": "orders"}), owner_of({})),
    )
    assert "unauthenticated pull rate limit" in case.failed.excerpt
    assert [line.partition(" ")[0] for line in given.advice(case)] == ["Keep"]


def test_an_objection_leaves_a_case_without_a_plan() -> None:
    case = given.case(given.build(), given.snapshot(projectVisibility="PUBLIC_READ"))

    assert case.refusal is not None
    assert case.cause == "anonymous-limit"
    assert case.plan.changes == ()


def test_who_has_to_run_the_build_again_is_part_of_the_case() -> None:
    case = given.case(given.build(initiator="codepipeline/x"), given.snapshot())

    assert case.refusal is None
    assert (case.failed.pipeline, case.retry) == ("x", Retry(Way.RETRY_STAGE))


def test_the_batch_of_a_build_is_part_of_the_case() -> None:
    arn = f"arn:aws:codebuild:{given.REGION}:{given.ACCOUNT}:build-batch/orders-api:6b0e"

    case = given.case(given.build(buildBatchArn=arn), given.snapshot())

    assert (case.failed.batch, case.retry) == ("orders-api:6b0e", Retry(Way.RETRY_BATCH))


def test_a_build_may_take_as_long_as_codebuilds_own_retries_of_it_too() -> None:
    auto = {"autoRetryLimit": 2, "autoRetryNumber": 0}

    assert given.case(given.build(autoRetryConfig=auto), given.snapshot()).failed.minutes == 3 * 540
    assert given.case(given.build(), given.snapshot()).failed.minutes == 540


@pytest.mark.parametrize(
    "case",
    [
        Case(None),
        Case(Outcome(Ending.SKIPPED, "no"), Cause.OTHER_REGISTRY),
        given.case(given.build(initiator="codepipeline/x"), given.snapshot()),
        given.case(given.build(autoRetryConfig={"autoRetryLimit": 2}), given.snapshot()),
        given.case(given.throttled_command(), given.of_commands(), given.throttled()),
        replace(
            given.case(given.build(), given.snapshot()),
            failed=FailedBuild(unit="stage#x", place=Place("Build", "Orders", "6b0e")),
            standing=Standing(attempt=True, last_news=True, undone=True, duplicate_of="y"),
        ),
    ],
)
def test_a_case_survives_a_checkpoint(case: Case) -> None:
    assert checkpointed(case) == case


def test_a_case_holds_no_variables_value_and_no_member_of_the_project() -> None:
    project = with_unknown_members(every_member(given.PROJECT, given.ROLE, without=("environment.registryCredential",)))
    project["environment"]["image"] = given.IMAGE

    case = given.case(given.build(), Snapshot(project, given.role()))

    assert case.refusal is None
    assert "not the default" not in text_of(case.plan)
    assert "not the default" not in text_of(case)


# Causes that pass with time


@pytest.mark.parametrize("cause", WAITED_FOR)
def test_a_build_of_ours_waits_for_what_passes_with_time_and_nothing_is_changed(cause: str) -> None:
    build = throttled_by(cause, env=given.repaired_environment())

    case = case_of(build, given.snapshot(env=given.repaired_environment()))

    assert case.refusal is None
    assert case.waits
    assert case.plan.changes == ()
    assert given.advice(case)
    assert (case.cause, case.retry) == (cause, Retry(Way.START_BUILD))


@pytest.mark.parametrize("env", [{}, {"registryCredential": {"credential": given.OTHER_SECRET}}])
@pytest.mark.parametrize("cause", ["account-limit", "login-lockout"])
def test_the_limit_or_lockout_of_an_account_that_is_not_ours_is_only_told(cause: str, env: dict[str, Any]) -> None:
    """Nothing can be read here of another account, and signing in as this one would tell nothing of it."""
    case = case_of(throttled_by(cause, env=env))

    assert not case.waits
    assert case.refusal is not None
    assert case.refusal.ending is Ending.ADVISED
    assert case.cause == cause


def test_the_abuse_limit_counts_an_address_so_whoever_signed_in_waits() -> None:
    case = case_of(throttled_by("abuse-limit"))

    assert (case.refusal, case.waits, case.plan.changes) == (None, True, ())


ANYBODY = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}


def not_waited_for(case: Case, cause: str, word: str) -> None:
    """It is not run again, and the outcome says what passes with time and what a guard objects."""
    assert case.refusal is not None
    assert (case.refusal.ending, case.cause, case.waits) == (Ending.ADVISED, cause, False)
    assert "not run again from here" in case.refusal.reason
    assert word in case.refusal.reason
    cured = diagnose(throttled_by(cause).failure).refusal
    assert cured is not None
    assert case.refusal.reason.startswith(cured.reason)
    assert case.refusal.advice[: len(cured.advice)] == cured.advice


@pytest.mark.parametrize("cause", WAITED_FOR)
def test_a_project_that_strangers_could_read_is_not_waited_for(cause: str) -> None:
    snapshot = given.snapshot(env=given.repaired_environment(), projectVisibility="PUBLIC_READ")

    case = case_of(throttled_by(cause, env=given.repaired_environment()), snapshot)

    not_waited_for(case, cause, "PUBLIC_READ")


@pytest.mark.parametrize("cause", WAITED_FOR)
def test_a_project_whose_role_strangers_may_assume_is_not_waited_for(cause: str) -> None:
    """Which only the role tells."""
    build = throttled_by(cause, env=given.repaired_environment())
    reading = given.reading(build, Snapshot(given.project(env=given.repaired_environment())))

    case = make_case(reading, diagnose(build.failure), given.TERMS)

    assert with_role(case, given.role(), reading, given.TERMS).waits
    not_waited_for(with_role(case, given.role(trust=ANYBODY), reading, given.TERMS), cause, "assumed by *")


@pytest.mark.parametrize("cause", WAITED_FOR)
def test_a_build_with_another_role_than_the_projects_is_not_waited_for(cause: str) -> None:
    build = throttled_by(cause, env=given.repaired_environment(), serviceRole=given.ROLE.replace("orders", "other"))

    not_waited_for(case_of(build, given.snapshot(env=given.repaired_environment())), cause, "service role")


def test_where_strangers_may_have_the_credentials_their_project_is_waited_for() -> None:
    terms = replace(given.TERMS, untrusted="repair")
    snapshot = replace(given.snapshot(projectVisibility="PUBLIC_READ"), role=given.role(trust=ANYBODY))

    case = given.decided(throttled_by("abuse-limit"), snapshot, terms=terms)

    assert (case.refusal, case.waits) == (None, True)


SAID = {
    "account-limit": "toomanyrequests: You have reached your pull rate limit as 'x': dckr_jti_abcdefghij=. You may "
    "increase the limit by upgrading. https://www.docker.com/increase-rate-limit",
    "login-lockout": "toomanyrequests: too many failed login attempts for username or IP address",
    "abuse-limit": "toomanyrequests: Too Many Requests (HAP429)",
}


def said_by_a_command(cause: str, **overridden: Any) -> Case:
    """What is made of a line in the log of a repaired project's build."""
    carried = given.SIGN_IN.auth_config_variable, given.SIGN_IN.auth_config_reference
    env = {"environmentVariables": [{"name": carried[0], "value": carried[1], "type": "SECRETS_MANAGER"}]}
    build = given.throttled_command(env=env, **overridden)
    return given.decided(build, given.of_commands(env=env), given.throttled(SAID[cause]))


@pytest.mark.parametrize("cause", WAITED_FOR)
def test_what_the_projects_own_commands_say_is_waited_for(cause: str) -> None:
    case = said_by_a_command(cause)

    assert (case.refusal, case.waits, case.cause) == (None, True, cause)


@pytest.mark.parametrize(
    "overridden",
    [
        {"buildspec": "version: 0.2\nphases: {build: {commands: [echo toomanyrequests]}}\n"},
        {"image": "aws/codebuild/standard:6.0"},
        {"cache": {"type": "S3", "location": "theirs/cache"}},
    ],
)
@pytest.mark.parametrize("cause", WAITED_FOR)
def test_what_other_commands_say_is_not_waited_for(cause: str, overridden: dict[str, Any]) -> None:
    not_waited_for(said_by_a_command(cause, **overridden), cause, "than the project has")


def test_an_overridden_image_that_is_not_signed_in_is_not_started_with_a_credential_that_its_role_may_not_read() -> (
    None
):
    build = throttled_by("abuse-limit", env={"image": "bitnami/node:20"})

    case = case_of(build, history=replace(NEW, repaired_at=1_795_000_000.25))

    assert case.waits
    assert "with the image that it was started with" in (case.retry.against or "")


def test_an_overridden_image_that_was_signed_in_is_started_again_as_it_was() -> None:
    build = throttled_by("abuse-limit", env=given.repaired_environment(image="bitnami/node:20"))
    snapshot = given.snapshot(env=given.repaired_environment())

    case = case_of(build, snapshot)

    assert case.waits
    assert case.retry.against is None
    assert "environment.image" in case.retry.overrides


def test_a_build_that_carried_our_credential_already_is_given_up() -> None:
    environment = given.repaired_environment()

    case = given.case(given.build(env=environment), given.snapshot(env=environment))

    assert case.refusal is not None
    assert case.refusal.ending is Ending.GAVE_UP
    assert "carried the credentials already" in case.refusal.reason
    assert case.plan.changes == ()


# Overridden images


def test_for_an_overridden_image_the_project_is_repaired_and_the_build_started_with_its_image() -> None:
    case = given.case(given.build(env={"image": "bitnami/node:20"}), given.snapshot())

    assert case.refusal is None
    assert case.plan == make_plan(given.snapshot(), given.SIGN_IN)
    assert case.retry == Retry(Way.START_BUILD, overrides=("environment.image",))


def test_a_role_is_granted_the_secret_for_an_overridden_image_alone() -> None:
    """The project's own image is CodeBuild's, and needs nothing."""
    other = {"registryCredential": None, "image": given.STANDARD_IMAGE}
    terms = replace(given.TERMS, sign_in=replace(given.SIGN_IN, variables="when-needed"))
    build = given.build(env={"image": "bitnami/node:20"})

    case = given.decided(build, given.snapshot(env=other), terms=terms)

    assert case.refusal is None
    assert case.plan.grant is not None
    assert case.plan.project_changes == ()


# Grants, and who is in scope at all


def by(mode: GrantBy, snapshot: Snapshot | None = None, build: Build | None = None) -> Case:
    terms = replace(given.TERMS, sign_in=replace(given.SIGN_IN, grant_by=mode))
    return given.decided(build or given.build(), snapshot or given.snapshot(), terms=terms)


def test_where_grants_are_left_to_a_person_nothing_is_planned_but_told() -> None:
    case = by("none")

    assert case.refusal is not None
    assert case.refusal.ending is Ending.ADVISED
    assert case.refusal.reason.startswith("PolicyMode is none")
    attach, again = given.advice(case)
    assert "aws iam attach-role-policy" in attach
    assert again == "then use the remediate command"
    assert (case.plan.changes, case.cause) == ((), "anonymous-limit")


def test_a_role_that_a_person_has_granted_the_secret_is_repaired_where_grants_are_left_to_people() -> None:
    case = by("none", given.snapshot(attached=(given.POLICY,)))

    assert case.refusal is None
    assert case.plan.grant is None
    assert case.plan.project_changes


def test_without_its_role_read_nobody_can_tell_whether_a_person_has_granted_it() -> None:
    assert by("none", Snapshot(given.project())).refusal is None


@pytest.mark.parametrize("mode", ["managed", "secret", "inline"])
def test_the_plan_grants_in_the_way_that_the_stack_does(mode: GrantBy) -> None:
    case = by(mode)

    assert case.refusal is None
    assert case.plan.grant == GrantSecretAccess(given.ROLE, given.POLICY, given.SECRET, mode)


@pytest.mark.parametrize(("mode", "word"), [("managed", "detach"), ("inline", "delete-role-policy"), ("secret", "")])
def test_the_stack_that_owns_the_role_is_told_of_a_grant_that_is_in_the_role(mode: GrantBy, word: str) -> None:
    role = replace(given.role(), tags={"aws:cloudformation:stack-name": "orders"})

    told = [line for line in given.advice(by(mode, Snapshot(given.project(), role))) if line.startswith("Run this")]

    assert bool(told) is bool(word)
    assert all(word in line for line in told)


@pytest.mark.parametrize("cause", ["anonymous-limit", *WAITED_FOR])
def test_a_project_out_of_scope_is_neither_repaired_nor_waited_for(cause: str) -> None:
    build = throttled_by(cause) if cause in WAITED_FOR else given.build()

    case = case_of(build, given.snapshot(tags=[{"key": "DockerHubRemediation", "value": "off"}]))

    assert case.refusal is not None
    assert (case.refusal.ending, case.cause, case.waits) == (Ending.SKIPPED, cause, False)


def test_a_project_that_left_the_scope_meanwhile_is_planned_nothing() -> None:
    out = given.snapshot(tags=[{"key": "DockerHubRemediation", "value": "off"}])

    again = replan(case_of(given.build()), given.reading(given.build(), out), given.TERMS)

    assert again.refusal is not None
    assert again.plan.changes == ()


# The project's past


def test_a_build_that_started_after_the_repair_is_one_of_the_projects_attempts() -> None:
    assert case_of(given.build(), history=REPAIRED).standing.attempt


def test_a_build_that_started_before_the_repair_is_none() -> None:
    later = replace(REPAIRED, repaired_at=STARTED + 1)
    repaired = given.snapshot(env=given.repaired_environment(), lastModified=STARTED + 1)

    case = case_of(given.build(), repaired, later)

    assert (case.refusal, case.standing.attempt) == (None, False)
    assert case.plan.project_changes == ()


def test_our_own_repair_is_no_edit_that_makes_overrides_doubtful() -> None:
    repaired = given.snapshot(env=given.repaired_environment(), lastModified=STARTED + 1)
    build = given.build(env={"computeType": "BUILD_GENERAL1_LARGE"})

    ours = case_of(build, repaired, replace(REPAIRED, repaired_at=STARTED + 1))
    theirs = case_of(build, repaired, REPAIRED)

    assert (ours.times.edited_at, ours.retry.overrides) == (REPAIRED.edited_at, ("environment.computeType",))
    assert (theirs.times.edited_at, theirs.retry.overrides) == (STARTED + 1, ())
    assert "edited since" in (theirs.retry.against or "")


def undone(times: int) -> History:
    members = tuple(make_plan(given.snapshot(), given.SIGN_IN).record())
    return replace(REPAIRED, members=members, undone=times)


def test_a_repair_that_was_taken_away_once_is_made_again_and_counted() -> None:
    case = case_of(given.build(), history=undone(0))

    assert case.refusal is None
    assert case.standing.undone
    assert case.plan.project_changes


def test_a_repair_that_was_taken_away_twice_is_left_alone_with_what_its_owner_has_to_keep() -> None:
    case = case_of(given.build(), history=undone(1))

    assert case.refusal is not None
    assert case.refusal.ending is Ending.ADVISED
    grant, change = given.advice(case)
    assert "aws iam attach-role-policy" in grant
    assert change.startswith("Make the change in CloudFormation")
    assert "have undone the repair" in change
    assert (case.plan.changes, case.cause) == ((), "anonymous-limit")


@pytest.mark.parametrize("grant_by", ["managed", "none"])
def test_a_project_that_is_left_alone_needs_no_look_at_its_role(grant_by: GrantBy) -> None:
    terms = replace(given.TERMS, sign_in=replace(given.SIGN_IN, grant_by=grant_by))
    build, unread = given.build(), Snapshot(given.project())

    case = make_case(given.reading(build, unread), diagnose(build.failure), terms, undone(1))

    assert case.refusal is not None
    assert "undone twice" in case.refusal.reason


def test_a_first_repair_was_never_undone() -> None:
    assert not case_of(given.build()).standing.undone


def test_a_plan_that_is_made_anew_keeps_what_was_told_of_the_past() -> None:
    case = case_of(given.build(), history=undone(0))
    case = replace(case, failed=replace(case.failed, unit="batch#x"))
    edited = given.snapshot(lastModified=STARTED + 50, timeoutInMinutes=5)

    again = replan(case, given.reading(given.build(), edited), given.TERMS)

    assert again.refusal is None
    assert (again.failed.unit, again.standing.attempt, again.standing.undone) == ("batch#x", True, True)
    assert (again.times.last_modified, again.times.edited_at) == (STARTED + 50, STARTED + 50)


def test_a_plan_that_is_made_anew_for_a_project_that_strangers_can_read_by_now_is_refused() -> None:
    public = given.reading(given.build(), given.snapshot(projectVisibility="PUBLIC_READ"))

    again = replan(case_of(given.build()), public, given.TERMS)

    assert again.refusal is not None
    assert again.plan.changes == ()
