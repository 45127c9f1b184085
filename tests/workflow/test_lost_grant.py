"""A role that lost its grant fails every build of its repaired project: it is granted again once, or somebody is told.

The owner of each account here has repaired one project with the stack; then something takes the grant away.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.simulator.testing import pipelines_of, simulate
from tests.workflow.account import OURS, Account, Json, outcome_of
from tests.workflow.test_pipelines import failed_in_pipeline
from tests.workflow.watched import once

POLICY_MODES = ("managed", "secret", "inline")
PHASES = ("DOWNLOAD_SOURCE", "PROVISIONING")


def repaired(account: Account, phase: str = "DOWNLOAD_SOURCE", **settings: str) -> Json:
    """A project that the stack has repaired, long enough ago that its grant has surely arrived."""
    account.simulator, _ = simulate(account.world, unreadable_credential=phase)
    account.create_project()
    first = account.failed_build()
    assert account.remediate(first, 1, None, **settings)["outcome"] == "remediated"
    account.world.sleep(3600)
    return first


def take_grant_away(account: Account, role_arn: str = "") -> None:
    """As a deployment of the role's, or of the secret's, own definition does."""
    iam, name = account.boto("iam"), (role_arn or account.role_arn).rpartition("/")[2]
    for arn in account.attached(role_arn):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    if account.secret_policy():
        account.boto("secretsmanager").delete_resource_policy(SecretId=account.secret_arn)


def failed_on_secret(account: Account, phase: str = "DOWNLOAD_SOURCE", **overrides: Any) -> Json:
    build = account.failed_build(**overrides)
    (failed,) = (p for p in build["phases"] if p.get("phaseStatus") == "FAILED")
    assert failed["phaseType"] == phase, failed
    return build


def lost(account: Account, phase: str = "DOWNLOAD_SOURCE", **settings: str) -> Json:
    """A build of a repaired project whose role has lost the grant since."""
    repaired(account, phase, **settings)
    take_grant_away(account)
    build = failed_on_secret(account, phase)
    account.calls.clear()
    return build


def by_event(account: Account, build: Json, **settings: str) -> Json:
    """What Remediator makes of the build, which Intake has let it look at."""
    answer = account.ask(account.event_of(build), **settings)
    assert answer.get("started"), answer
    return account.remediate(build, 1, None, **settings)


# Granted again


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("mode", POLICY_MODES)
def test_a_role_that_lost_the_grant_is_given_it_again_and_its_build_comes_back(
    account: Account, mode: str, phase: str
) -> None:
    build = lost(account, phase, POLICY_MODE=mode)
    before = account.project()

    outcome = by_event(account, build, POLICY_MODE=mode)

    assert (outcome["outcome"], outcome["cause"]) == ("remediated", "grant-gone"), outcome
    grant = {"managed": "AttachRolePolicy", "secret": "PutResourcePolicy", "inline": "PutRolePolicy"}[mode]
    assert account.writes() == [grant, "StartBuild"]
    assert account.may_read(account.role_arn, account.secret_arn)
    assert account.project() == before
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert account.builds()[-1]["buildStatus"] == "SUCCEEDED"
    assert len(outcome["changes"]) == 1
    assert "could read the secret" in outcome["reason"]
    assert any("find what took the grant away" in line for line in outcome["advice"])


def test_the_grant_has_settled_before_the_build_runs_again(account: Account) -> None:
    build = lost(account)
    names = {operation.name: operation for operation in account.run(build).get_all_operations()}
    done = [names[name].start_timestamp for name in ("grant", "settle", "retry")]
    assert done == sorted(done)


def test_the_build_comes_back_in_the_way_of_its_initiator(account: Account) -> None:
    repaired(account)
    take_grant_away(account)
    account.hook()
    build = account.failed_build_of("GitHub-Hookshot/abc123", sourceVersion="refs/heads/main")
    account.calls.clear()
    assert by_event(account, build)["outcome"] == "remediated"
    assert account.writes() == ["AttachRolePolicy", "RetryBuild"]


def lost_in_pipeline(account: Account) -> Json:
    """The same for a build that a pipeline has started."""
    account.simulator, _ = simulate(account.world, unreadable_credential="DOWNLOAD_SOURCE")
    account.pipelines = pipelines_of(account.simulator, account.world)
    assert account.remediate(failed_in_pipeline(account))["outcome"] == "remediated"
    account.world.sleep(3600)
    take_grant_away(account)
    account.pipelines.start("release")
    build = account.builds()[-1]
    account.world.finish(build["id"])
    account.calls.clear()
    return account.build(build["id"])


def test_a_pipelines_build_comes_back_with_its_stage(account: Account) -> None:
    assert by_event(account, lost_in_pipeline(account))["outcome"] == "remediated"
    assert account.writes() == ["AttachRolePolicy", "RetryStageExecution"]


def test_a_retry_of_a_stage_that_asks_too_early_is_left_to_the_execution_that_has_the_stage(account: Account) -> None:
    """Its initiator is the pipeline, so only the journal tells whose it is."""
    build = lost_in_pipeline(account)
    account.world._allowed.clear()
    account.world.late_reads = 1
    account.lambda_.patience = 0.05
    meanwhile: list[Json] = []
    second = once("RetryStageExecution", lambda: meanwhile.append(by_event(account, account.builds()[-1])), at=2)
    account.before.append(second)
    assert account.remediate(build, SETTLE_SECONDS="0")["outcome"] == "remediated"
    early = account.builds()[-2]
    assert (early["buildStatus"], early["initiator"]) == ("FAILED", "codepipeline/release")
    assert meanwhile[0]["outcome"] == "skipped", meanwhile
    writes = account.writes()
    assert writes == ["AttachRolePolicy", "RetryStageExecution", "RetryStageExecution"]
    # Who asks for it when all is over learns that the stage has gone on.
    after = account.remediate(early, attempt=2)
    assert (after["outcome"], after["retried_build"]) == ("patched", None), after
    assert account.writes() == writes


@pytest.mark.parametrize("initiator", ["maria", "GitHub-Hookshot/1"])
def test_while_the_execution_that_granted_again_runs_a_later_build_belongs_to_that(
    account: Account, initiator: str
) -> None:
    build = lost(account)
    account.lambda_.patience = 0.05
    outcomes: list[Json] = []

    def meanwhile() -> None:
        account.world._allowed.clear()
        account.world.late_reads = 1
        later = account.failed_build_of(initiator)
        account.world.late_reads = 0
        assert later["buildStatus"] == "FAILED"
        outcomes.append(account.remediate(later))

    # The first look of the watch, when the lease is free again.
    account.after.append(once("StartBuild", lambda: account.before.append(once("BatchGetBuilds", meanwhile))))
    assert account.remediate(build)["outcome"] == "remediated"
    assert outcomes[0]["outcome"] == "skipped", outcomes
    assert "still follows" in outcomes[0]["reason"]
    assert account.writes() == ["AttachRolePolicy", "StartBuild"]


def test_a_retry_that_asks_before_the_grant_has_arrived_is_run_again_by_its_own_execution_alone(
    account: Account,
) -> None:
    build = lost(account)
    account.world._allowed.clear()
    account.world.late_reads = 1
    outcome = account.remediate(build, SETTLE_SECONDS="0")
    assert outcome["outcome"] == "remediated", outcome
    early, last = account.builds()[-2:]
    assert (early["buildStatus"], last["buildStatus"]) == ("FAILED", "SUCCEEDED")
    # The early retry's own event comes as well, more than once, and to Remediator too.
    for _ in range(2):
        answer = account.ask(account.event_of(early))
        assert (answer["outcome"], "started" in answer) == ("skipped", False), answer
    writes = account.writes()
    assert account.remediate(early)["outcome"] == "skipped"
    assert account.writes() == writes


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_builds_that_failed_together_cost_one_grant_in_whatever_order_their_events_come(
    account: Account, order: tuple[int, ...]
) -> None:
    repaired(account)
    take_grant_away(account)
    builds = [failed_on_secret(account, sourceVersion=f"refs/heads/{number}") for number in order]
    account.calls.clear()
    outcomes = [by_event(account, builds[number]) for number in order]
    assert {outcome["outcome"] for outcome in outcomes} == {"remediated"}, outcomes
    assert account.calls.count("AttachRolePolicy") == 1
    assert account.calls.count("StartBuild") == len(builds)
    assert [len(outcome["changes"]) for outcome in outcomes] == [1, 0, 0, 0]


def two_projects_lost(account: Account) -> tuple[Json, Json]:
    """Builds of two repaired projects that share a role, which has lost the grant since."""
    repaired(account)
    account.create_project("invoices")
    assert account.remediate(account.failed_build("invoices"))["outcome"] == "remediated"
    account.world.sleep(3600)
    take_grant_away(account)
    builds = account.failed_build("orders"), account.failed_build("invoices")
    account.calls.clear()
    return builds


def test_projects_that_share_the_role_come_back_with_one_grant(account: Account) -> None:
    for build in two_projects_lost(account):
        assert by_event(account, build)["outcome"] == "remediated"
    assert account.writes() == ["AttachRolePolicy", "StartBuild", "StartBuild"]


def test_a_grant_that_is_taken_away_again_is_left_alone_for_every_project_of_the_role(account: Account) -> None:
    by_event(account, two_projects_lost(account)[0])
    account.world.sleep(7200)
    take_grant_away(account)
    build = account.failed_build("invoices")
    account.calls.clear()
    outcome = by_event(account, build)
    assert (outcome["outcome"], outcome["cause"]) == ("advised", "grant-gone")
    assert account.writes() == []


def test_an_event_that_comes_twice_is_answered_once(account: Account) -> None:
    build = lost(account)
    event = account.event_of(build)
    assert "started" in account.ask(event)
    account.remediate(build)
    account.ask(event)
    assert len(account.lambda_.started) == 1
    assert account.remediate(build)["outcome"] == "skipped"
    assert account.writes() == ["AttachRolePolicy", "StartBuild"]


def test_a_build_that_the_new_grant_may_have_reached_too_late_is_run_again_without_a_change(account: Account) -> None:
    account.remediate(lost(account))
    account.world._allowed.clear()
    account.world.late_reads = 1
    late = failed_on_secret(account)
    account.calls.clear()
    assert by_event(account, late)["outcome"] == "remediated"
    assert account.writes() == ["StartBuild"]


def test_a_project_that_was_given_another_role_is_granted_for_that(account: Account) -> None:
    repaired(account)
    account.edit(serviceRole=account.make_role("orders-build-2"))
    build = failed_on_secret(account)
    account.calls.clear()
    assert by_event(account, build)["outcome"] == "remediated"
    assert account.writes() == ["AttachRolePolicy", "StartBuild"]


def test_in_mode_plan_the_grant_is_only_planned(account: Account) -> None:
    outcome = by_event(account, lost(account), MODE="plan")
    assert (outcome["outcome"], outcome["cause"]) == ("planned", "grant-gone")
    assert [line.split()[0] for line in outcome["changes"]] == ["attach"]
    assert account.writes() == []


def test_where_no_build_is_run_again_the_grant_is_made_all_the_same(account: Account) -> None:
    outcome = by_event(account, lost(account), RETRY_BUILD="false")
    assert outcome["outcome"] == "patched"
    assert account.writes() == ["AttachRolePolicy"]


# Told


def test_policy_mode_none_leaves_the_grant_to_a_person(account: Account) -> None:
    outcome = by_event(account, lost(account), POLICY_MODE="none")
    assert (outcome["outcome"], outcome["cause"]) == ("advised", "grant-gone")
    assert "aws iam attach-role-policy --role-name orders-build" in outcome["advice"][0]
    assert account.writes() == []


@pytest.mark.parametrize("mode", POLICY_MODES)
def test_a_project_whose_owner_set_the_tag_to_off_is_told_and_granted_nothing(account: Account, mode: str) -> None:
    build = lost(account, POLICY_MODE=mode)
    account.edit(tags=[{"key": "DockerHubRemediation", "value": "off"}])
    outcome = by_event(account, build, POLICY_MODE=mode)
    assert (outcome["outcome"], outcome["cause"]) == ("advised", "secret-unreadable")
    assert "DockerHubRemediation is not `on`" in outcome["reason"]
    by_hand, undo, again = outcome["advice"]
    wanted = {
        "managed": f"aws iam attach-role-policy --role-name orders-build --policy-arn {account.policy_arn}",
        "secret": "DockerHubPulls",
        "inline": "aws iam put-role-policy --role-name orders-build",
    }
    assert wanted[mode] in by_hand
    assert "take DOCKERHUB_USERNAME, DOCKERHUB_PASSWORD, registryCredential out" in undo
    assert "start the build again" in again
    assert account.writes() == []


def test_a_project_that_lacks_the_tag_which_the_stack_asks_for_is_told(account: Account) -> None:
    outcome = by_event(account, lost(account), TAGGED_PROJECTS_ONLY="true")
    assert outcome["outcome"] == "advised"
    assert "TaggedProjectsOnly" in outcome["reason"]
    assert account.writes() == []


def test_a_grant_that_is_taken_away_again_is_left_alone_until_a_person_says_so(account: Account) -> None:
    by_event(account, lost(account))
    account.world.sleep(7200)
    take_grant_away(account)
    second = failed_on_secret(account)
    account.calls.clear()
    outcome = by_event(account, second)
    assert (outcome["outcome"], outcome["cause"]) == ("advised", "grant-gone")
    assert "taken away again" in outcome["reason"]
    assert account.writes() == []
    assert account.remediate(second, attempt=2)["outcome"] == "remediated"
    assert account.writes() == ["AttachRolePolicy", "StartBuild"]
    assert account.journal()["role#orders-build"]["regranted"] == "2"


def leave_alone(account: Account, until: float) -> None:
    """What the journal says after a repair was taken back."""
    account.boto("dynamodb").update_item(
        TableName="journal",
        Key={"pk": {"S": "project#orders"}},
        UpdateExpression="SET left_alone_until = :until REMOVE repaired_at, members",
        ExpressionAttributeValues={":until": {"N": str(round(until))}},
    )


@pytest.mark.parametrize(("hours", "quiet"), [(1, True), (-1, False)])
def test_a_project_whose_repair_was_taken_back_is_told_and_granted_nothing(
    account: Account, hours: int, quiet: bool
) -> None:
    build = lost(account)
    leave_alone(account, account.services().now() + hours * 3600)
    outcome = by_event(account, build)
    assert (outcome["outcome"], outcome["quiet"]) == ("advised", quiet), outcome
    assert "taken back" in outcome["reason"]
    assert account.writes() == []


# The grant is there


def test_a_build_whose_role_holds_the_grant_is_told_what_codebuild_said(account: Account) -> None:
    repaired(account)
    account.world._allowed.clear()
    account.world.late_reads = 1
    build = failed_on_secret(account)
    account.calls.clear()
    outcome = by_event(account, build)
    assert (outcome["outcome"], outcome["cause"]) == ("advised", "secret-unreadable")
    assert "holds the grant" in outcome["reason"]
    assert "is not authorized to perform: secretsmanager:GetSecretValue" in outcome["reason"]
    assert "policy of the organization" in outcome["advice"][0]
    assert account.writes() == []


def test_a_secret_that_is_to_be_deleted_is_found(account: Account) -> None:
    repaired(account)
    account.boto("secretsmanager").delete_secret(SecretId=account.secret_arn, RecoveryWindowInDays=7)
    del account.world.secrets[account.secret_arn]
    build = failed_on_secret(account)
    account.calls.clear()
    outcome = by_event(account, build)
    assert outcome["outcome"] == "advised"
    assert f"{account.secret_arn} can't be read: " in outcome["reason"]
    assert "can't find the specified secret" in outcome["reason"]
    assert account.writes() == []


def without(key: str) -> Callable[[Account], None]:
    def change(account: Account) -> None:
        content = json.loads(account.world.secrets[account.secret_arn])
        text = json.dumps({name: value for name, value in content.items() if name != key})
        account.put_secret(text)
        account.world.secrets[account.secret_arn] = text

    return change


def test_a_key_of_the_secret_that_is_gone_is_named(account: Account) -> None:
    repaired(account)
    without("password")(account)
    build = account.failed_build()
    account.calls.clear()
    outcome = by_event(account, build)
    assert outcome["outcome"] == "advised"
    assert "its key password is missing" in outcome["reason"]
    assert account.writes() == []


def test_the_docker_clis_own_key_is_named_where_the_project_uses_it(account: Account) -> None:
    repaired(account)
    variables = account.project()["environment"]["environmentVariables"]
    own = {
        "name": "DOCKER_AUTH_CONFIG",
        "value": f"{account.secret_arn}:docker_auth_config",
        "type": "SECRETS_MANAGER",
    }
    account.edit(environment={"environmentVariables": [*variables, own]})
    account.world.sleep(3600)
    without("docker_auth_config")(account)
    build = failed_on_secret(account)
    account.calls.clear()
    outcome = by_event(account, build)
    assert "no key docker_auth_config, which the project names" in outcome["reason"]
    assert account.writes() == []


# Not ours


def test_a_project_that_this_stack_never_repaired_is_skipped_and_not_written_down(account: Account) -> None:
    secret = account.boto("secretsmanager").create_secret(Name="own", SecretString="x")["ARN"]
    variables = [{"name": "TOKEN", "value": secret, "type": "SECRETS_MANAGER"}]
    account.create_project(
        environment={
            "image": "aws/codebuild/standard:7.0",
            "imagePullCredentialsType": "CODEBUILD",
            "environmentVariables": variables,
        }
    )
    event = account.event_of(failed_on_secret(account))
    account.calls.clear()
    answer = account.ask(event)
    assert (answer["outcome"], answer["quiet"]) == ("skipped", True)
    # Where the message names no secret, the journal tells that the project is not repaired.
    (failed,) = (p for p in event["detail"]["additional-information"]["phases"] if p.get("phase-status") == "FAILED")
    failed["phase-context"] = ["Secrets Manager Error: Access to KMS is not allowed"]
    assert account.ask(event)["outcome"] == "skipped"
    assert account.journal() == {}
    assert account.lambda_.started == {}
    assert account.calls == ["GetItem"]


def test_a_secret_of_the_owners_own_is_skipped_in_a_repaired_project_too(account: Account) -> None:
    repaired(account)
    secret = account.boto("secretsmanager").create_secret(Name="own", SecretString="x")["ARN"]
    variables = account.project()["environment"]["environmentVariables"]
    own = {"name": "TOKEN", "value": secret, "type": "SECRETS_MANAGER"}
    account.edit(environment={"environmentVariables": [own, *variables]})
    build = failed_on_secret(account)
    take_grant_away(account)
    account.calls.clear()
    before = account.journal()
    answer = account.ask(account.event_of(build))
    assert (answer["outcome"], answer["quiet"]) == ("skipped", True)
    assert (account.journal(), account.calls) == (before, [])
    # Remediator believes the build's own record, and no event.
    assert account.remediate(build)["outcome"] == "skipped"
    assert account.writes() == []


def test_a_project_that_no_longer_names_the_secret_needs_no_grant(account: Account) -> None:
    build = lost(account)
    account.edit(environment={"environmentVariables": [], "registryCredential": None})
    outcome = by_event(account, build)
    assert outcome["outcome"] == "skipped"
    assert "no longer names the secret" in outcome["reason"]
    assert account.writes() == []


# Guards


def test_a_role_that_is_the_projects_no_more_is_granted_nothing(account: Account) -> None:
    build = lost(account)
    account.edit(serviceRole=account.make_role("orders-build-2"))
    outcome = by_event(account, build)
    assert outcome["outcome"] == "advised"
    assert "the build ran with the service role" in outcome["reason"]
    assert account.writes() == []


def test_the_stacks_own_project_is_granted_nothing(account: Account) -> None:
    outcome = by_event(account, lost(account), OWN_ROLE=account.role_arn)
    assert outcome["outcome"] == "skipped"
    assert "never acts on itself" in outcome["reason"]
    assert account.writes() == []


def test_a_project_that_strangers_can_read_by_now_is_granted_nothing(account: Account) -> None:
    build = lost(account)
    account.plant(projectVisibility="PUBLIC_READ")
    plan = account.ask({"command": "plan", "project": "orders"})
    outcome = by_event(account, build)
    assert (plan["outcome"], plan["reason"]) == ("advised", outcome["reason"])
    assert outcome["outcome"] == "advised"
    assert "strangers" in outcome["reason"]
    assert account.writes() == []


def test_a_role_that_strangers_may_assume_by_now_is_granted_nothing(account: Account) -> None:
    build = lost(account)
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    account.boto("iam").update_assume_role_policy(RoleName="orders-build", PolicyDocument=document)
    outcome = by_event(account, build)
    assert outcome["outcome"] == "advised"
    assert account.writes() == []


def test_a_role_that_an_open_project_shares_by_now_is_granted_nothing(account: Account) -> None:
    build = lost(account)
    account.create_project("open")
    account.plant("open", projectVisibility="PUBLIC_READ")
    outcome = by_event(account, build)
    assert outcome["outcome"] == "advised"
    assert account.writes() == []


def test_nothing_is_granted_while_everything_is_stopped(account: Account) -> None:
    build = lost(account)
    account.ask({"command": "stop"})
    assert by_event(account, build)["outcome"] == "skipped"
    assert account.writes() == []


# By hand


def test_plan_and_remediate_treat_it_alike(account: Account) -> None:
    build = lost(account)
    answer = account.ask({"command": "plan", "project": "orders"})
    assert (answer["outcome"], answer["cause"]) == ("planned", "secret-unreadable")
    assert any("service role is not read from here" in line for line in answer["advice"])
    assert account.writes() == []
    account.ask({"command": "remediate", "project": "orders"})
    ((name, payload),) = account.lambda_.started.items()
    outcome = outcome_of(account.execute(name, payload))
    assert (outcome["outcome"], outcome["changes"]) == ("remediated", answer["changes"])
    assert payload == build["arn"]


def test_plan_and_remediate_say_the_same_of_a_tag(account: Account) -> None:
    build = lost(account)
    account.edit(tags=[{"key": "DockerHubRemediation", "value": "off"}])
    answer = account.ask({"command": "plan", "project": "orders"})
    outcome = account.remediate(build, attempt=2)
    assert (answer["outcome"], answer["reason"], answer["advice"]) == (
        "advised",
        outcome["reason"],
        outcome["advice"],
    )
    assert account.writes() == []


def test_a_retry_of_this_stacks_own_is_not_what_plan_looks_at(account: Account) -> None:
    lost(account)
    account.failed_build(caller=OURS)
    answer = account.ask({"command": "plan", "project": "orders"})
    assert answer["outcome"] == "planned"
