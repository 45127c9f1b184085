"""The stack as it is deployed: `sam build`, `sam deploy`, an IAM that is enforced, events through the rule."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.launch import LocalAws, start
from local.demo.scene import Case
from local.stack import MINISTACK, build, client
from remediator.core.repair.auth_config import fault_in
from tests import canaries
from tests.deploy.stack import RULE_DEAD_LETTERS, Deployed, deployed_calls, deployed_policies, record_permissions
from tests.permissions import compare

GRANT_DELAY = {"least": 3, "most": 4}
"""Seconds until a grant counts: less than these stacks wait, apart from the hasty one."""

TOKEN = "dckr_pat_!#$%&'()*+,-./:;<=>?@[]^_`{|}~"
"""Every sign that the parameter takes, apart from letters and digits."""

pytestmark = [pytest.mark.deploy]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("build") / "built")


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    if not MINISTACK.exists():
        pytest.skip("no local AWS here: python3 bootstrap.py local sam fetches it")
    with start(python=MINISTACK, folder=tmp_path_factory.mktemp("aws"), seed=4711) as aws:
        aws.order("grant-delay", **GRANT_DELAY)
        yield aws
        record_permissions(aws)


@pytest.fixture(scope="module")
def stack(aws: LocalAws, template: Path) -> Deployed:
    return Deployed.to(aws, template, seed=1, SettleSeconds=5)


@pytest.fixture(scope="module")
def hasty(aws: LocalAws, template: Path) -> Deployed:
    """A stack that does not wait for its grants, which are inline policies, may read the logs of some groups only, and
    made its secret itself."""
    parameters: dict[str, str | int] = {
        "SettleSeconds": 0,
        "PolicyMode": "inline",
        "RolePath": "/service-role/",
        "LogGroupPattern": "/aws/codebuild/*",
        "PipelineNamePattern": "ours-*",
    }
    return Deployed.with_a_secret_of_its_own(aws, template, seed=2, token=TOKEN, **parameters)


@pytest.fixture(scope="module")
def keyed(aws: LocalAws, template: Path) -> Deployed:
    """A stack that grants in the secret's own policy; secret and data are under keys of the account's own."""
    kms = client(aws, "kms")
    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    # Nothing in IAM lets the service roles decrypt with this one.
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    via = {"kms:CallerAccount": aws.account, "kms:ViaService": f"secretsmanager.{aws.region}.amazonaws.com"}
    readers = {**root, "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Condition": {"StringEquals": via}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [root, readers]})
    kms.put_key_policy(KeyId=keys[0], PolicyName="default", Policy=policy)
    parameters: dict[str, str | int] = {
        "SettleSeconds": 1,
        "PolicyMode": "secret",
        "SecretKmsKeyArn": keys[0],
        "DataKmsKeyArn": keys[1],
    }
    return Deployed.to(aws, template, seed=3, **parameters)


def may_hold(place: str) -> frozenset[str]:
    """A whole event, which the dead letters of the rules may hold, has a project's variables and its source."""
    return frozenset({"variable", "token"}) if place == RULE_DEAD_LETTERS else frozenset()


def denied(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        return "AccessDenied" in error.response["Error"]["Code"]
    return False


def test_remediator_may_attach_the_stacks_policy_and_no_other(stack: Deployed) -> None:
    case = stack.case("attach")
    iam = stack.as_function("Remediator", "iam")
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    other = stack.boto("iam").create_policy(PolicyName="everything", PolicyDocument=document)["Policy"]["Arn"]
    assert denied(iam.attach_role_policy, RoleName=case.role, PolicyArn=other)
    iam.attach_role_policy(RoleName=case.role, PolicyArn=stack.outputs["GrantPolicyArn"])


def test_remediator_may_update_projects_of_the_pattern_only(stack: Deployed) -> None:
    inside = stack.case("inside")
    stack.scene.make_project("elsewhere", "python:3.12")
    codebuild = stack.as_function("Remediator", "codebuild")
    environment = {"type": "LINUX_CONTAINER", "image": "python:3.12", "computeType": "BUILD_GENERAL1_SMALL"}
    assert denied(codebuild.update_project, name="elsewhere", environment=environment)
    codebuild.update_project(name=inside.project, environment=environment)


def test_remediator_may_not_send_a_service_role(stack: Deployed) -> None:
    case = stack.case("roles")
    codebuild = stack.as_function("Remediator", "codebuild")
    environment = {"type": "LINUX_CONTAINER", "image": "python:3.12", "computeType": "BUILD_GENERAL1_SMALL"}
    with_role = {"environment": environment, "serviceRole": case.role_arn}
    assert denied(codebuild.update_project, name=case.project, **with_role)
    codebuild.update_project(name=case.project, environment=environment)


def test_remediator_may_send_a_source_only_to_edit_its_buildspec(stack: Deployed) -> None:
    case = stack.case("sources")
    codebuild = stack.as_function("Remediator", "codebuild")
    source = {"type": "NO_SOURCE", "buildspec": "version: 0.2"}
    for more in ({"serviceRole": case.role_arn}, {"cache": {"type": "NO_CACHE"}}, {"secondarySources": [source]}):
        assert denied(codebuild.update_project, name=case.project, source=source, **more)
    without = {"type": "GITHUB", "location": "https://github.com/somebody/else.git"}
    assert denied(codebuild.update_project, name=case.project, source=without)
    codebuild.update_project(name=case.project, source=source)


@pytest.mark.parametrize("function", ["Intake", "Remediator"])
def test_the_functions_read_the_logs_of_the_pattern_and_write_none(hasty: Deployed, function: str) -> None:
    logs = hasty.as_function(function, "logs")
    owner = hasty.boto("logs")
    for group in (f"/aws/codebuild/{function}", f"/other/{function}"):
        owner.create_log_group(logGroupName=group)
        owner.create_log_stream(logGroupName=group, logStreamName="s")
    inside = {"logGroupName": f"/aws/codebuild/{function}"}
    logs.filter_log_events(**inside, logStreamNames=["s"])
    logs.get_log_events(**inside, logStreamName="s")
    assert denied(logs.filter_log_events, logGroupName=f"/other/{function}", logStreamNames=["s"])
    assert denied(logs.get_log_events, logGroupName=f"/other/{function}", logStreamName="s")
    assert denied(logs.put_log_events, **inside, logStreamName="s", logEvents=[{"timestamp": 1, "message": "x"}])


def test_the_secret_that_the_stack_makes_is_one_that_docker_takes_too(hasty: Deployed) -> None:
    text = hasty.boto("secretsmanager").get_secret_value(SecretId=hasty.secret)["SecretString"]
    secret = json.loads(text)
    assert (secret["username"], secret["password"]) == (hasty.names.user, TOKEN)
    assert fault_in(secret["docker_auth_config"], hasty.names.user, TOKEN) == ""


def test_remediator_may_not_start_a_build_with_another_role(stack: Deployed) -> None:
    case = stack.case("overrides")
    codebuild = stack.as_function("Remediator", "codebuild")
    for never in (
        {"serviceRoleOverride": case.role_arn},
        {"artifactsOverride": {"type": "NO_ARTIFACTS"}},
        {"encryptionKeyOverride": "alias/other"},
        {"logsConfigOverride": {"cloudWatchLogs": {"status": "DISABLED"}}},
        {"secondarySourcesOverride": [{"type": "NO_SOURCE", "sourceIdentifier": "x"}]},
    ):
        assert denied(codebuild.start_build, projectName=case.project, **never), never
    codebuild.start_build(projectName=case.project, buildspecOverride="version: 0.2", imageOverride="python:3.13")


def test_remediator_retries_stages_of_the_pipelines_of_its_pattern_only(hasty: Deployed) -> None:
    case = hasty.case("staged")
    pipelines = hasty.as_function("Remediator", "codepipeline")
    stages = [{"name": "Build", "actions": {"Project": case.project}}]
    for name in ("ours-release", "theirs-release"):
        hasty.aws.order("pipeline", name=name, stages=stages)
    started = hasty.aws.order("start-pipeline", name="ours-release")["execution"]
    retry = {"stageName": "Build", "pipelineExecutionId": started, "retryMode": "FAILED_ACTIONS"}
    assert denied(pipelines.retry_stage_execution, pipelineName="theirs-release", **retry)
    assert denied(pipelines.get_pipeline_state, name="theirs-release")
    assert pipelines.get_pipeline(name="ours-release")["pipeline"]["name"] == "ours-release"
    with pytest.raises(ClientError, match="NotRetryable"):  # allowed, and its build still runs
        pipelines.retry_stage_execution(pipelineName="ours-release", **retry)


def test_remediator_may_retry_and_stop_builds_of_the_pattern_only(stack: Deployed) -> None:
    case = stack.case("retries")
    stack.scene.make_project("not-ours", "python:3.12")
    owner, codebuild = stack.boto("codebuild"), stack.as_function("Remediator", "codebuild")
    inside, outside = (owner.start_build(projectName=name)["build"]["id"] for name in (case.project, "not-ours"))
    for call in (codebuild.retry_build, codebuild.stop_build):
        assert denied(call, id=outside)
        call(id=inside)
    assert denied(codebuild.retry_build_batch, id="not-ours:1")
    assert denied(codebuild.batch_get_build_batches, ids=["not-ours:1"])
    assert codebuild.batch_get_build_batches(ids=[f"{case.project}:1"])["buildBatches"] == []


def test_remediator_may_read_the_one_secret_and_no_other(stack: Deployed) -> None:
    secrets = stack.as_function("Remediator", "secretsmanager")
    other = stack.scene.make_secret(f"{stack.names.secret}-other", "somebody", "else")
    assert denied(secrets.get_secret_value, SecretId=other)
    assert secrets.get_secret_value(SecretId=stack.secret)["SecretString"]


def test_intake_starts_remediators_alias_and_changes_nothing(stack: Deployed) -> None:
    case = stack.case("intake")
    lambda_ = stack.as_function("Intake", "lambda")
    assert denied(lambda_.invoke, FunctionName=stack.outputs["IntakeFunction"], Payload=b"{}")
    environment = {"type": "LINUX_CONTAINER", "image": "python:3.12", "computeType": "BUILD_GENERAL1_SMALL"}
    codebuild = stack.as_function("Intake", "codebuild")
    assert denied(codebuild.update_project, name=case.project, environment=environment)
    assert codebuild.batch_get_projects(names=[case.project])["projects"]
    started = lambda_.invoke(
        FunctionName=stack.outputs["RemediatorAlias"],
        InvocationType="Event",
        DurableExecutionName="intake-may-1",
        Payload=json.dumps(f"arn:aws:codebuild:{stack.aws.region}:{stack.aws.account}:build/{case.project}:none"),
    )
    assert started["StatusCode"] == 202


def test_intake_writes_outcomes_and_the_switch_into_the_journal_and_reads_what_a_person_asks_for(
    stack: Deployed,
) -> None:
    journal, table = stack.as_function("Intake", "dynamodb"), stack.outputs["JournalTable"]
    for key in ("build#leading:1", "stop"):
        item = {"pk": {"S": key}, "stopped": {"BOOL": False}}
        journal.put_item(TableName=table, Item=item)
        assert journal.get_item(TableName=table, Key={"pk": {"S": key}})["Item"] == item
    assert "Item" not in journal.get_item(TableName=table, Key={"pk": {"S": "project#leading"}})
    for key in ("project#leading", f"secret#{stack.secret}", "role#leading", "roles", "stopped"):
        assert denied(journal.put_item, TableName=table, Item={"pk": {"S": key}}), key
    for key in ("role#leading", "roles", f"policy#{stack.secret}"):
        assert denied(journal.get_item, TableName=table, Key={"pk": {"S": key}}), key
    assert denied(journal.scan, TableName=table)


def test_what_a_rule_cannot_deliver_is_in_its_queue_and_holds_no_credential(stack: Deployed) -> None:
    """The queue is treated as if the whole event were in it, with the values of a project's variables."""
    intake, lambda_ = stack.outputs["IntakeFunction"], stack.boto("lambda")
    rule = stack.boto("events").describe_rule(Name=stack.outputs["ThrottledPullRule"])["Arn"]
    statements = json.loads(lambda_.get_policy(FunctionName=intake)["Policy"])["Statement"]
    (of_rule,) = (each["Sid"] for each in statements if rule in json.dumps(each))
    lambda_.remove_permission(FunctionName=intake, StatementId=of_rule)
    try:
        stack.fail(stack.case("undelivered", environmentVariables=[canaries.PLAINTEXT]))
        letters: list[str] = []

        def arrived() -> bool:
            letters.extend(text for place, text in stack.written() if place == RULE_DEAD_LETTERS and "NO_PERM" in text)
            return bool(letters)

        stack.wait_for("a dead letter", arrived)
    finally:
        lambda_.add_permission(
            FunctionName=intake,
            StatementId=of_rule,
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=rule,
        )
    finder = canaries.Finder({"password": (stack.names.password,), "variable": (canaries.VARIABLE,)})
    assert {leak.kind for leak in finder.find("dead letters", letters[0])} == {"variable"}


def test_remediator_refuses_to_be_invoked_synchronously(stack: Deployed) -> None:
    with pytest.raises(ClientError, match="synchronously"):
        stack.boto("lambda").invoke(FunctionName=stack.outputs["RemediatorAlias"], Payload=b'"x"')


def test_look_alikes_are_left_alone(stack: Deployed) -> None:
    case = stack.case("public", "public.ecr.aws/docker/library/python:3.12")
    before = stack.scene.project(case)
    stack.fail(case)
    assert stack.outcome(case)["outcome"] == "skipped"
    assert stack.record().writes(case) == []
    assert stack.scene.project(case) == before


def test_people_ask_intake_and_are_answered(stack: Deployed) -> None:
    case = stack.case("asked")
    plan = stack.ask({"command": "plan", "project": case.project})
    assert plan["outcome"] == "planned"
    assert len(plan["changes"]) == 3
    missing = stack.ask({"command": "remediate", "project": case.project})
    assert missing["field"] == "project"
    assert "failed build" in missing["allowed"]
    assert stack.ask({"command": "plan", "project": f"{stack.names.prefix}-none"})["field"] == "project"
    assert stack.record().writes(case) == []


def test_a_person_starts_a_remediation_without_retry_and_sees_its_outcome(stack: Deployed) -> None:
    case = stack.case("by-hand")
    hold = stack.aws.order("hold", service="lambda", operation="Invoke", principal=stack.names.stack)["hold"]
    stack.fail(case)
    stack.wait_for("the rule's own start", lambda: stack.caught(hold))
    answer = stack.ask({"command": "remediate", "project": case.project, "retry": False})
    uuid = case.build.rpartition(":")[2]
    assert answer["execution"] == f"{uuid}-2"
    arn = answer["show_outcome"].rpartition(" ")[2]
    stack.wait_for("the execution to end", lambda: execution(stack, arn)["Status"] != "RUNNING", 60)
    assert json.loads(execution(stack, arn)["Result"])["outcome"] == "patched"
    stack.aws.order("release")
    assert stack.record().writes(case, "StartBuild") == []


def execution(stack: Deployed, arn: str) -> Any:
    return stack.boto("lambda").get_durable_execution(DurableExecutionArn=arn)


# Each of these takes its time, so they are begun together.


STAGE = {"name": "STAGE", "value": "staging", "type": "PLAINTEXT"}


@dataclass(frozen=True)
class Begun:
    """Cases whose builds have been started: by a webhook, by a pipeline, one of a stack that does not wait, and one of
    the stack with keys."""

    hooked: Case
    released: Case
    hasty: Case
    keyed: Case


@pytest.fixture(scope="module")
def begun(stack: Deployed, hasty: Deployed, keyed: Deployed) -> Begun:
    stack.aws.order("pipeline-lag", refusals=2)
    hooked = stack.case("hooked")
    webhook = {"url": "https://x", "filterGroups": [[{"type": "EVENT", "pattern": "PUSH"}]]}
    stack.aws.order("plant-project", project={**stack.scene.project(hooked), "webhook": webhook})
    request = {"projectName": hooked.project}
    hooked.build = stack.aws.order("start-build", request=request, initiator="GitHub-Hookshot/1")["build"]["arn"]
    released = stack.scene.make_pipeline_case("released", "released", "python:3.12", "")
    stack.scene.start(released)
    early = hasty.case("hasty")
    hasty.scene.start(early, environmentVariablesOverride=[STAGE])
    encrypted = keyed.case("encrypted")
    keyed.scene.start(encrypted)
    return Begun(hooked, released, early, encrypted)


def test_a_webhooks_build_that_was_retried_with_its_old_settings_is_stopped_and_started_anew(
    stack: Deployed, begun: Begun
) -> None:
    case = begun.hooked
    outcome = stack.outcome(case)
    assert outcome["outcome"] == "remediated", outcome
    operations = [line["operation"] for line in stack.record().writes(case)]
    assert operations == ["AttachRolePolicy", "UpdateProject", "RetryBuild", "StopBuild", "StartBuild"]


def test_a_batch_of_four_with_two_failures_is_retried_once(stack: Deployed) -> None:
    """Which of its two failures comes first is open; the other one's execution leaves the batch to it."""
    case = stack.case("batch")
    fine = {"imageOverride": "verified/tool:1"}
    stack.aws.order("retry-build", uses="project")
    builds = [("one", {}), ("two", fine), ("three", {}), ("four", fine)]
    batch = stack.aws.order("start-batch", project=case.project, builds=builds, initiator="maria")["buildBatch"]
    failed = [
        group["currentBuildSummary"]["arn"] for group in batch["buildGroups"] if group["identifier"] in "onethree"
    ]
    outcomes = [stack.outcome(replace(case, build=arn)) for arn in failed]
    stack.aws.order("retry-build", uses="snapshot")
    assert sorted(outcome["outcome"] for outcome in outcomes) == ["remediated", "skipped"], outcomes
    assert len(stack.record().writes(case, "UpdateProject")) == 1
    asked = [line for line in stack.record().requests if line["operation"] == "RetryBuildBatch"]
    assert [line["parameters"]["id"] for line in asked].count(batch["id"]) == 1
    (ended,) = stack.boto("codebuild").batch_get_build_batches(ids=[batch["id"]])["buildBatches"]
    assert ended["buildBatchStatus"] == "SUCCEEDED"


def test_a_pipelines_build_comes_back_although_its_failure_is_noticed_late(stack: Deployed, begun: Begun) -> None:
    case = begun.released
    outcome = stack.outcome(case)
    assert outcome["outcome"] == "remediated", outcome
    asked = [
        line["error"]
        for line in stack.record().requests
        if line["operation"] == "RetryStageExecution" and line["parameters"]["pipelineName"] == case.project
    ]
    assert asked == ["StageNotRetryableException"] * 2 + [None]
    states = stack.boto("codepipeline").get_pipeline_state(name=case.project)["stageStates"]
    assert [state["latestExecution"]["status"] for state in states] == ["Succeeded", "Succeeded"]


def test_a_build_that_asked_for_the_secret_too_early_is_no_verdict(hasty: Deployed, begun: Begun) -> None:
    case = begun.hasty
    outcome = hasty.outcome(case)
    assert outcome["outcome"] == "remediated", outcome
    ids = hasty.boto("codebuild").list_builds_for_project(projectName=case.project)["ids"]
    phases = [
        phase["phaseType"]
        for build in hasty.boto("codebuild").batch_get_builds(ids=ids)["builds"]
        for phase in build["phases"]
        if phase.get("phaseStatus") == "FAILED"
    ]
    assert sorted(phases) == ["DOWNLOAD_SOURCE", "PROVISIONING"]
    builds = hasty.boto("codebuild").batch_get_builds(ids=ids)["builds"]
    assert all(STAGE in build["environment"]["environmentVariables"] for build in builds), "an override was lost"
    assert len(hasty.record().writes(case, "UpdateProject")) == 1
    assert len(hasty.record().writes(case, "StartBuild")) == 2


def test_a_role_that_lost_its_grant_is_given_it_again_after_an_event_of_its_own_rule(stack: Deployed) -> None:
    case = stack.case("robbed")
    stack.fail(case)
    assert stack.outcome(case)["outcome"] == "remediated"
    policy = stack.outputs["GrantPolicyArn"]
    stack.boto("iam").detach_role_policy(RoleName=case.role, PolicyArn=policy)
    stack.aws.order("unreadable-credential", phase="DOWNLOAD_SOURCE")
    again = replace(case)
    stack.fail(again)
    failed = [p["phaseType"] for p in stack.build(again.build)["phases"] if p.get("phaseStatus") == "FAILED"]
    outcome = stack.outcome(again)
    stack.aws.order("unreadable-credential", phase="PROVISIONING")
    assert failed == ["DOWNLOAD_SOURCE"]
    assert (outcome["outcome"], outcome["cause"]) == ("remediated", "grant-gone"), outcome
    operations = [line["operation"] for line in stack.record().writes(case)]
    assert operations == ["AttachRolePolicy", "UpdateProject", "StartBuild", "AttachRolePolicy", "StartBuild"]


def test_a_role_is_granted_in_the_secrets_own_policy_and_reads_with_a_customer_key(
    keyed: Deployed, begun: Begun
) -> None:
    case = begun.keyed
    outcome = keyed.outcome(case)
    assert outcome["outcome"] == "remediated", outcome
    policy = keyed.boto("secretsmanager").get_resource_policy(SecretId=keyed.secret)["ResourcePolicy"]
    assert json.loads(policy)["Statement"][0]["Principal"] == {"AWS": [case.role_arn]}
    assert [line["operation"] for line in keyed.record().writes(case)] == ["UpdateProject", "StartBuild"]
    edits = [line for line in keyed.record().requests if line["operation"] == "PutResourcePolicy"]
    assert [line["status"] for line in edits if keyed.record().ours(line)] == [200]


def test_where_the_secrets_policy_is_written_nothing_of_iam_is_and_nobody_is_let_in_who_is_everybody(
    keyed: Deployed,
) -> None:
    case = keyed.case("no-iam")
    iam, secrets = (keyed.as_function("Remediator", service) for service in ("iam", "secretsmanager"))
    assert denied(iam.attach_role_policy, RoleName=case.role, PolicyArn=keyed.outputs["GrantPolicyArn"])
    assert denied(iam.put_role_policy, RoleName=case.role, PolicyName="any", PolicyDocument="{}")
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    assert denied(secrets.put_resource_policy, SecretId=keyed.secret, ResourcePolicy=policy)
    assert denied(secrets.put_resource_policy, SecretId=keyed.secret, ResourcePolicy=policy, BlockPublicPolicy=False)


def test_inline_policies_are_put_under_the_path_only_and_never_into_the_roles_of_the_stack(hasty: Deployed) -> None:
    case = hasty.case("inline")
    iam, owner = hasty.as_function("Remediator", "iam"), hasty.boto("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    owner.create_role(RoleName="elsewhere", Path="/other/", AssumeRolePolicyDocument=trust)
    own = hasty.boto("lambda").get_function_configuration(FunctionName=hasty.outputs["RemediatorFunction"])["Role"]
    statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for role in ("elsewhere", own.rpartition("/")[2]):
        assert denied(iam.put_role_policy, RoleName=role, PolicyName="any", PolicyDocument=document)
    iam.put_role_policy(RoleName=case.role, PolicyName="any", PolicyDocument=document)
    assert denied(iam.attach_role_policy, RoleName=case.role, PolicyArn=hasty.outputs["GrantPolicyArn"])


def test_notices_of_outcomes_are_published_and_hold_nothing_but_names(keyed: Deployed, begun: Begun) -> None:
    keyed.outcome(begun.keyed)
    published = [
        line for line in keyed.record().requests if line["operation"] == "Publish" and keyed.record().ours(line)
    ]
    (notice,) = [line["parameters"] for line in published if begun.keyed.project in str(line["parameters"])]
    assert notice["TopicArn"] == keyed.outputs["NoticesTopic"]
    assert notice["Subject"] == f"remediated: {begun.keyed.project}"


def test_without_any_one_statement_that_the_functions_used_a_call_would_be_missing(
    aws: LocalAws, stack: Deployed, begun: Begun
) -> None:
    stack.outcome(begun.hooked)
    policies, calls = deployed_policies(aws), Counter(deployed_calls(aws))
    used = {(row.role, row.sid) for row in compare(policies, calls).rows if row.deploy}
    assert {("Intake", "StartRemediator"), ("Remediator", "RepairProjects"), ("Remediator", "RunDurably")} <= used
    before = compare(policies, calls).missing
    for role, sid in sorted(used):
        left = [{**each, role: [one for one in each[role] if one["Sid"] != sid]} for each in policies]
        assert len(compare(left, calls).missing) > len(before), sid


def test_nothing_of_what_the_stacks_wrote_holds_a_credential(
    aws: LocalAws, stack: Deployed, hasty: Deployed, keyed: Deployed, begun: Begun
) -> None:
    """Logs, journals, histories of executions, dead letters and requests, for the values that these stacks have, and a
    project of theirs."""
    location = f"https://{canaries.SOURCE_TOKEN}@github.com/example/told.git"
    stack.scene.commit(location, buildspec_yml="version: 0.2\nphases:\n  build:\n    commands: [echo built]\n")
    source = {"type": "GITHUB", "location": location}
    told = stack.case("told", source=source, environmentVariables=[canaries.PLAINTEXT])
    stack.fail(told)
    of_the_project = {"variable": (canaries.VARIABLE,), "token": (canaries.SOURCE_TOKEN,)}
    assert stack.outcome(told)["outcome"] == "remediated"
    for one, case in ((stack, begun.hooked), (hasty, begun.hasty), (keyed, begun.keyed)):
        one.outcome(case)
        finder = canaries.Finder({"password": (one.names.password,), "user": (one.names.user,), **of_the_project})
        written = [*one.written(), *(("request", json.dumps(line)) for line in aws.read_requests())]
        assert {place for place, _ in written} >= {"log", "journal", "history", "request", RULE_DEAD_LETTERS}
        leaks = [leak for place, text in written for leak in finder.find(place, text, may_hold(place))]
        assert leaks == [], [str(leak) for leak in leaks]
    found = canaries.Finder({"password": (stack.names.password,)}).find("a log", f"tried {stack.names.password}")
    assert found, "it would have been found"
