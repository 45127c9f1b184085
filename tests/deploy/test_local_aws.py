"""Local AWS holds callers to AWS's rules where MiniStack alone does not. Needs MiniStack in `.tools/local`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.aws import launch

MINISTACK = launch.ROOT / ".tools" / "local" / "bin" / "python"

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(not MINISTACK.exists(), reason="MiniStack is not set up: python3 bootstrap.py local"),
]

BUILD_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
CURATED = "aws/codebuild/standard:7.0"
ENVIRONMENT = {"type": "LINUX_CONTAINER", "image": "team/base:1.2", "computeType": "BUILD_GENERAL1_SMALL"}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[launch.LocalAws]:
    with launch.start(python=MINISTACK, folder=tmp_path_factory.mktemp("local-aws")) as running:
        yield running


@pytest.fixture
def quick(aws: launch.LocalAws) -> Iterator[None]:
    """Builds that are over at once."""
    aws.order("build-seconds", seconds=0.1)
    yield
    aws.order("build-seconds", seconds=2.5)


@pytest.fixture
def at_once(aws: launch.LocalAws) -> Iterator[None]:
    """Attachments that count at once when the test has ended, whatever it orders."""
    yield
    aws.order("grant-delay", least=0)


def client(aws: launch.LocalAws, service: str, credentials: dict[str, str] | None = None) -> Any:
    keys = {name.lower(): value for name, value in (credentials or aws.credentials).items()}
    make: Any = boto3.client
    return make(service, endpoint_url=aws.endpoint, region_name=aws.region, **keys)


def make_role(aws: launch.LocalAws, *statements: dict[str, Any]) -> str:
    """A role that CodeBuild may assume, with a path, and with these statements."""
    name = f"role-{uuid.uuid4().hex[:8]}"
    made = client(aws, "iam").create_role(
        RoleName=name, Path="/service-role/", AssumeRolePolicyDocument=json.dumps(BUILD_TRUST)
    )
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        client(aws, "iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return str(made["Role"]["Arn"])


def acting_as(aws: launch.LocalAws, role: str, service: str) -> Any:
    return client(aws, service, aws.order("credentials", role_arn=role)["credentials"])


def make_project(aws: launch.LocalAws, name: str, role: str) -> None:
    client(aws, "codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: ['true']}}"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment=ENVIRONMENT,
        serviceRole=role,
    )


def allow(action: str | list[str], resource: str | list[str], **condition: Any) -> dict[str, Any]:
    """A statement of an identity policy; the condition as operator=keys."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def let_in(principal: str, action: str) -> str:
    """A policy of a secret or a key that lets one principal do one thing."""
    return document({**allow(action, "*"), "Principal": {"AWS": principal}})


def make_secret(aws: launch.LocalAws, **members: str) -> str:
    made = client(aws, "secretsmanager").create_secret(Name=f"hub-{uuid.uuid4().hex[:6]}", SecretString="{}", **members)
    return str(made["ARN"])


def make_policy(aws: launch.LocalAws, *statements: dict[str, Any]) -> str:
    name = f"policy-{uuid.uuid4().hex[:6]}"
    made = client(aws, "iam").create_policy(PolicyName=name, PolicyDocument=document(*statements))
    return str(made["Policy"]["Arn"])


def make_key(aws: launch.LocalAws, **members: str) -> str:
    return str(client(aws, "kms").create_key(**members)["KeyMetadata"]["Arn"])


def name_of(role: str) -> str:
    return role.rpartition("/")[2]


def failed_build(aws: launch.LocalAws, role: str, secret: str) -> str:
    """How a build ends that reads the secret with this role: the failed phase's message, nothing when it succeeds."""
    project, builds = f"reads-{uuid.uuid4().hex[:6]}", client(aws, "codebuild")
    make_project(aws, project, role)
    variable = {"name": "HUB", "type": "SECRETS_MANAGER", "value": secret}
    started = builds.start_build(projectName=project, environmentVariablesOverride=[variable], imageOverride=CURATED)
    identifier = started["build"]["id"]
    assert _eventually(lambda: builds.batch_get_builds(ids=[identifier])["builds"][0]["buildComplete"])
    phases = builds.batch_get_builds(ids=[identifier])["builds"][0]["phases"]
    failed = [phase for phase in phases if phase.get("phaseStatus") == "FAILED"]
    return "".join(f"{phase['phaseType']}: {phase['contexts'][0]['message']}" for phase in failed)


def error(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    """Code and message of the error that this call must get."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response["Error"]
    return str(answer["Code"]), str(answer["Message"])


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """The message of the denial that this call must get."""
    code, message = error(call, **arguments)
    assert code in ("AccessDeniedException", "AccessDenied")
    return message


def test_builds_and_projects_are_checked_by_the_project_that_their_ids_name(aws: launch.LocalAws) -> None:
    service_role = make_role(aws)
    for name in ("web-ids", "other-ids"):
        make_project(aws, name, service_role)
    build = client(aws, "codebuild").start_build(projectName="web-ids")["build"]["id"]
    reads = ["codebuild:BatchGetBuilds", "codebuild:BatchGetProjects", "codebuild:ListBuildsForProject"]
    resource = f"arn:aws:codebuild:{aws.region}:{aws.account}:project/web-*"
    reader = acting_as(aws, make_role(aws, {"Effect": "Allow", "Action": reads, "Resource": resource}), "codebuild")

    assert reader.batch_get_builds(ids=[build])["builds"]
    assert reader.list_builds_for_project(projectName="web-ids")["ids"] == [build]
    assert "project/other-ids" in refusal(reader.batch_get_builds, ids=[build, "other-ids:1234"])
    assert "project/other-ids" in refusal(reader.batch_get_projects, names=["web-ids", "other-ids"])


def test_batches_are_checked_by_the_project_that_their_ids_name(aws: launch.LocalAws) -> None:
    service_role = make_role(aws)
    for name in ("web-batch", "other-batch"):
        make_project(aws, name, service_role)
    only = [("lint", {"imageOverride": "aws/codebuild/standard:7.0"})]
    mine, other = (
        aws.order("start-batch", project=f"{name}-batch", builds=only, initiator="maria")["buildBatch"]
        for name in ("web", "other")
    )
    actions = ["codebuild:BatchGetBuildBatches", "codebuild:RetryBuildBatch"]
    resource = f"arn:aws:codebuild:{aws.region}:{aws.account}:project/web-*"
    retrier = acting_as(aws, make_role(aws, {"Effect": "Allow", "Action": actions, "Resource": resource}), "codebuild")

    assert len(retrier.batch_get_build_batches(ids=[mine["id"], mine["arn"]])["buildBatches"]) == 2
    with pytest.raises(retrier.exceptions.InvalidInputException, match="only batch builds that have failed"):
        retrier.retry_build_batch(id=mine["arn"])
    for identifier in (other["id"], other["arn"]):
        assert "project/other-batch" in refusal(retrier.batch_get_build_batches, ids=[identifier])
        assert "project/other-batch" in refusal(retrier.retry_build_batch, id=identifier)


def test_a_pipeline_goes_on_by_itself_and_its_stages_are_retried_by_whoever_may(aws: launch.LocalAws) -> None:
    service_role = make_role(aws)
    for name, image in (("first", "aws/codebuild/standard:7.0"), ("second", "nobody/nothing:1")):
        make_project(aws, f"pipe-{name}", service_role)
        client(aws, "codebuild").update_project(name=f"pipe-{name}", environment={**ENVIRONMENT, "image": image})
    stages = [{"name": name, "actions": {"Build": f"pipe-{name.lower()}"}} for name in ("First", "Second")]
    aws.order("account-pulls", pulls=0)
    aws.order("pipeline", name="release", stages=stages)
    aws.order("pipeline-lag", refusals=1)
    execution = aws.order("start-pipeline", name="release")["execution"]
    builds = client(aws, "codebuild")
    assert _eventually(lambda: builds.list_builds_for_project(projectName="pipe-second")["ids"])
    (build,) = builds.list_builds_for_project(projectName="pipe-second")["ids"]
    assert _eventually(lambda: builds.batch_get_builds(ids=[build])["builds"][0]["buildComplete"])

    arn = f"arn:aws:codepipeline:{aws.region}:{aws.account}:release"
    reading = {"Effect": "Allow", "Action": "codepipeline:GetPipelineState", "Resource": arn}
    retrying = {"Effect": "Allow", "Action": "codepipeline:RetryStageExecution", "Resource": f"{arn}/Second"}
    pipelines = acting_as(aws, make_role(aws, reading, retrying), "codepipeline")
    action = pipelines.get_pipeline_state(name="release")["stageStates"][1]["actionStates"][0]["latestExecution"]
    assert action["externalExecutionId"] == build
    asked = {"pipelineName": "release", "pipelineExecutionId": execution, "retryMode": "FAILED_ACTIONS"}
    assert f"{arn}/First" in refusal(pipelines.retry_stage_execution, stageName="First", **asked)
    assert arn in refusal(pipelines.get_pipeline, name="release")
    with pytest.raises(pipelines.exceptions.StageNotRetryableException):
        pipelines.retry_stage_execution(stageName="Second", **asked)
    assert pipelines.retry_stage_execution(stageName="Second", **asked)["pipelineExecutionId"] == execution
    line = aws.read_requests()[-1]
    assert (line["service"], line["operation"], line["status"]) == ("codepipeline", "RetryStageExecution", 200)
    assert (line["resource"], line["parameters"]) == (f"{arn}/Second", {**asked, "stageName": "Second"})


def test_an_update_is_allowed_in_the_pattern_and_without_a_role_only(aws: launch.LocalAws) -> None:
    service_role = make_role(aws)
    for name in ("web-update", "other-update"):
        make_project(aws, name, service_role)
    statement = {
        "Effect": "Allow",
        "Action": ["codebuild:UpdateProject", "iam:PassRole"],
        "Resource": [f"arn:aws:codebuild:{aws.region}:{aws.account}:project/web-*", service_role],
        "Condition": {"Null": {"codebuild:serviceRole": "true"}},
    }
    fixer = acting_as(aws, make_role(aws, statement), "codebuild")

    assert fixer.update_project(name="web-update", environment=ENVIRONMENT)["project"]
    assert "project/other-update" in refusal(fixer.update_project, name="other-update", environment=ENVIRONMENT)
    assert "codebuild:UpdateProject" in refusal(fixer.update_project, name="web-update", serviceRole=service_role)


def test_handing_a_role_to_a_project_needs_the_right_to_pass_it(aws: launch.LocalAws) -> None:
    service_role = make_role(aws)
    make_project(aws, "web-pass", service_role)
    everything = {"Effect": "Allow", "Action": "codebuild:*", "Resource": "*"}
    passing = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": service_role,
        "Condition": {"StringEquals": {"iam:PassedToService": "codebuild.amazonaws.com"}},
    }
    without = acting_as(aws, make_role(aws, everything), "codebuild")
    with_right = acting_as(aws, make_role(aws, everything, passing), "codebuild")

    assert "iam:PassRole" in refusal(without.update_project, name="web-pass", serviceRole=service_role)
    assert with_right.update_project(name="web-pass", serviceRole=service_role)["project"]


def test_only_the_named_policy_may_be_attached_and_it_counts_late(aws: launch.LocalAws) -> None:
    secret = client(aws, "secretsmanager").create_secret(Name=f"hub-{uuid.uuid4().hex[:6]}", SecretString="{}")["ARN"]
    reading = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
    document = json.dumps({"Version": "2012-10-17", "Statement": [reading]})
    policy = client(aws, "iam").create_policy(PolicyName=f"read-{uuid.uuid4().hex[:6]}", PolicyDocument=document)
    arn = policy["Policy"]["Arn"]
    condition = {"ArnEquals": {"iam:PolicyARN": arn}}
    attaching = {"Effect": "Allow", "Action": "iam:AttachRolePolicy", "Resource": "*", "Condition": condition}
    granter = acting_as(aws, make_role(aws, attaching), "iam")
    role = make_role(aws)
    reader = acting_as(aws, role, "secretsmanager")
    aws.order("grant-delay", least=1.0)

    name = role.rpartition("/")[2]
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    refusal(granter.attach_role_policy, RoleName=name, PolicyArn=administrator)
    granter.attach_role_policy(RoleName=name, PolicyArn=arn)
    assert client(aws, "iam").list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert secret in refusal(reader.get_secret_value, SecretId=secret), "the attachment is there but does not count yet"
    time.sleep(1.1)
    assert reader.get_secret_value(SecretId=secret)["SecretString"] == "{}"


def test_a_secrets_policy_is_written_where_the_condition_lets_it(aws: launch.LocalAws) -> None:
    secret, other = make_secret(aws), make_secret(aws)
    reads = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"]
    closed = {"Bool": {"secretsmanager:BlockPublicPolicy": "true"}}
    writing = allow("secretsmanager:PutResourcePolicy", secret, **closed)
    writer = acting_as(aws, make_role(aws, allow(reads, secret), writing), "secretsmanager")
    role = make_role(aws)
    policy = let_in(role, "secretsmanager:GetSecretValue")
    asked: dict[str, Any] = {"SecretId": secret, "ResourcePolicy": policy, "BlockPublicPolicy": True}

    assert "ResourcePolicy" not in writer.get_resource_policy(SecretId=secret)
    assert secret in refusal(writer.put_resource_policy, SecretId=secret, ResourcePolicy=policy)
    assert secret in refusal(writer.put_resource_policy, **{**asked, "BlockPublicPolicy": False})
    for call in (writer.describe_secret, writer.get_resource_policy):
        assert other in refusal(call, SecretId=other)
    assert other in refusal(writer.put_resource_policy, **{**asked, "SecretId": other})
    writer.put_resource_policy(**asked)
    assert writer.get_resource_policy(SecretId=secret)["ResourcePolicy"] == policy
    public = error(writer.put_resource_policy, **{**asked, "ResourcePolicy": let_in("*", "secretsmanager:*")})
    absent = error(writer.put_resource_policy, **{**asked, "ResourcePolicy": policy.replace(role, f"{role}-x")})
    endless = error(writer.put_resource_policy, **{**asked, "ResourcePolicy": policy.ljust(20_481)})
    refused = [public[0], absent[0], endless[0]]
    assert refused == ["PublicPolicyException", "MalformedPolicyDocumentException", "ValidationException"]
    assert writer.get_resource_policy(SecretId=secret)["ResourcePolicy"] == policy
    identifier = client(aws, "iam").get_role(RoleName=name_of(role))["Role"]["RoleId"]
    client(aws, "iam").delete_role(RoleName=name_of(role))
    left = writer.get_resource_policy(SecretId=secret)["ResourcePolicy"]
    assert left == policy.replace(role, identifier)
    assert error(writer.put_resource_policy, **{**asked, "ResourcePolicy": left})[0] == absent[0]


def test_a_role_in_a_secrets_policy_reads_as_far_as_its_boundary_goes(aws: launch.LocalAws, quick: None) -> None:
    secret, role, iam = make_secret(aws), make_role(aws), client(aws, "iam")
    reader = acting_as(aws, role, "secretsmanager")
    assert secret in refusal(reader.get_secret_value, SecretId=secret)
    assert secret in failed_build(aws, role, secret)
    policy = let_in(role, "secretsmanager:GetSecretValue")
    client(aws, "secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=policy, BlockPublicPolicy=True)
    assert reader.get_secret_value(SecretId=secret)["SecretString"] == "{}"
    assert failed_build(aws, role, secret) == ""

    narrow, wide = make_policy(aws, allow("logs:*", "*")), make_policy(aws, allow("secretsmanager:*", secret))
    iam.put_role_permissions_boundary(RoleName=name_of(role), PermissionsBoundary=narrow)
    boundary = iam.get_role(RoleName=name_of(role))["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == narrow
    assert secret in refusal(reader.get_secret_value, SecretId=secret), "a boundary limits what the secret gives"
    own = document(allow("secretsmanager:GetSecretValue", secret))
    iam.put_role_policy(RoleName=name_of(role), PolicyName="own", PolicyDocument=own)
    assert failed_build(aws, role, secret).startswith("DOWNLOAD_SOURCE: AccessDeniedException: ")
    iam.put_role_permissions_boundary(RoleName=name_of(role), PermissionsBoundary=wide)
    assert failed_build(aws, role, secret) == ""


def test_a_secret_shows_its_key_and_its_versions(aws: launch.LocalAws) -> None:
    key, secrets = make_key(aws), client(aws, "secretsmanager")
    plain, locked = make_secret(aws), make_secret(aws, KmsKeyId=key)
    assert "KmsKeyId" not in secrets.describe_secret(SecretId=plain)
    assert secrets.describe_secret(SecretId=locked)["KmsKeyId"] == key
    old = secrets.get_secret_value(SecretId=plain)["VersionId"]
    new = secrets.put_secret_value(SecretId=plain, SecretString="[]")["VersionId"]
    assert new != old
    read = secrets.get_secret_value(SecretId=plain)
    assert (read["VersionId"], read["SecretString"]) == (new, "[]")
    stages = {old: ["AWSPREVIOUS"], new: ["AWSCURRENT"]}
    assert secrets.describe_secret(SecretId=plain)["VersionIdsToStages"] == stages


def test_a_secret_under_a_customer_key_needs_the_role_and_the_keys_policy(aws: launch.LocalAws, quick: None) -> None:
    key, kms = make_key(aws), client(aws, "kms")
    kms.create_alias(AliasName=f"alias/{key[-6:]}", TargetKeyId=key)
    secret = make_secret(aws, KmsKeyId=f"alias/{key[-6:]}")
    other = make_secret(aws, KmsKeyId=key)
    reading = allow("secretsmanager:GetSecretValue", [secret, other])
    via = {"kms:ViaService": f"secretsmanager.{aws.region}.amazonaws.com", "kms:EncryptionContext:SecretARN": secret}
    without = make_role(aws, reading)
    role = make_role(aws, reading, allow("kms:Decrypt", key, StringEquals=via))
    reader, words = acting_as(aws, role, "secretsmanager"), "Access to KMS is not allowed"
    default = kms.get_key_policy(KeyId=key)["Policy"]

    assert refusal(acting_as(aws, without, "secretsmanager").get_secret_value, SecretId=secret) == words
    assert failed_build(aws, without, secret) == f"DOWNLOAD_SOURCE: AccessDeniedException: {words}"
    assert reader.get_secret_value(SecretId=secret)
    assert refusal(reader.get_secret_value, SecretId=other) == words, "the grant of the key is for the one secret"
    assert failed_build(aws, role, secret) == ""
    for policy in (let_in(without, "kms:*"), document({**allow("kms:*", "*"), "Effect": "Deny", "Principal": "*"})):
        kms.put_key_policy(KeyId=key, Policy=policy)
        assert refusal(reader.get_secret_value, SecretId=secret) == words
    kms.put_key_policy(KeyId=key, Policy=let_in(without, "kms:Decrypt"))
    assert acting_as(aws, without, "secretsmanager").get_secret_value(SecretId=secret), "named by the key itself"
    for policy in (let_in(aws.account, "kms:*"), let_in(f"arn:aws:iam::{aws.account}:root", "kms:*"), default):
        kms.put_key_policy(KeyId=key, Policy=policy)
        assert reader.get_secret_value(SecretId=secret), "the key leaves it to IAM"
    kms.disable_key(KeyId=key)
    assert error(reader.get_secret_value, SecretId=secret)[0] == "DecryptionFailure"


def test_a_key_is_shown_under_its_arn_also_when_its_alias_names_it(aws: launch.LocalAws) -> None:
    key, other, alias = make_key(aws), make_key(aws), f"alias/{uuid.uuid4().hex[:6]}"
    client(aws, "kms").create_alias(AliasName=alias, TargetKeyId=key)
    shown = acting_as(aws, make_role(aws, allow(["kms:DescribeKey", "kms:GetKeyPolicy"], key)), "kms")
    for name in (key, key.rpartition("/")[2], alias, f"arn:aws:kms:{aws.region}:{aws.account}:{alias}"):
        assert shown.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == key
    assert f"{aws.account}:root" in shown.get_key_policy(KeyId=key)["Policy"]
    assert other in refusal(shown.describe_key, KeyId=other)
    assert key in refusal(shown.put_key_policy, KeyId=key, Policy="{}")


def test_encrypted_data_is_used_by_whoever_may_use_its_key(aws: launch.LocalAws) -> None:
    key, stack = make_key(aws), f"data-{uuid.uuid4().hex[:6]}"
    cloudformation = client(aws, "cloudformation")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(encrypted_data(key)))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    made = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    topic, queue, queue_arn, table = made["Topic"], made["Queue"], made["QueueArn"], made["Table"]
    shown = client(aws, "dynamodb").describe_table(TableName=table)["Table"]
    assert (shown["SSEDescription"]["SSEType"], shown["SSEDescription"]["KMSMasterKeyArn"]) == ("KMS", key)
    assert client(aws, "sns").get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"] == key
    attributes = client(aws, "sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["KmsMasterKeyId"] == key
    (group,) = client(aws, "logs").describe_log_groups(logGroupNamePrefix=made["Group"])["logGroups"]
    assert group["kmsKeyId"] == key

    works = [
        allow(["sns:Publish", "sqs:SendMessage"], [topic, queue_arn]),
        allow("dynamodb:GetItem", shown["TableArn"]),
    ]
    services = [f"{service}.{aws.region}.amazonaws.com" for service in ("dynamodb", "sns", "sqs")]
    keyed = allow(["kms:Decrypt", "kms:GenerateDataKey"], key, StringEquals={"kms:ViaService": services})
    without, role = make_role(aws, *works), make_role(aws, *works, keyed)
    calls: list[tuple[str, str, dict[str, Any], str]] = [
        ("sns", "publish", {"TopicArn": topic, "Message": "repaired"}, "KMSAccessDenied"),
        ("sqs", "send_message", {"QueueUrl": queue, "MessageBody": "again"}, "KMS.AccessDeniedException"),
        ("dynamodb", "get_item", {"TableName": table, "Key": {"pk": {"S": "one"}}}, "AccessDeniedException"),
    ]
    for service, call, arguments, code in calls:
        refused, message = error(getattr(acting_as(aws, without, service), call), **arguments)
        assert (refused, key in message) == (code, True)
        getattr(acting_as(aws, role, service), call)(**arguments)
    nobody = acting_as(aws, make_role(aws, keyed), "sns")
    assert topic in error(nobody.publish, TopicArn=topic, Message="repaired")[1]
    read = client(aws, "sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert {"again", "repaired"} == {json.loads(m["Body"])["Message"] if "{" in m["Body"] else m["Body"] for m in read}


def encrypted_data(key: str) -> dict[str, Any]:
    """A template of what a stack keeps under a customer key; the queue hears what the topic publishes."""
    attribute = {"AttributeName": "pk"}
    table = {
        "KeySchema": [{**attribute, "KeyType": "HASH"}],
        "AttributeDefinitions": [{**attribute, "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    }
    arn = {"Fn::GetAtt": ["Queue", "Arn"]}
    letting = {**allow("sqs:SendMessage", "*"), "Principal": {"Service": "sns.amazonaws.com"}}
    policy = {"Queues": [{"Ref": "Queue"}], "PolicyDocument": json.loads(document(letting))}
    subscription = {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs", "Endpoint": arn}
    resources = {
        "Topic": ("AWS::SNS::Topic", {"KmsMasterKeyId": key}),
        "Queue": ("AWS::SQS::Queue", {"KmsMasterKeyId": key}),
        "Letting": ("AWS::SQS::QueuePolicy", policy),
        "Hearing": ("AWS::SNS::Subscription", subscription),
        "Group": ("AWS::Logs::LogGroup", {"KmsKeyId": key}),
        "Table": ("AWS::DynamoDB::Table", table),
    }
    return {
        "Resources": {name: {"Type": kind, "Properties": members} for name, (kind, members) in resources.items()},
        "Outputs": {
            **{name: {"Value": {"Ref": name}} for name in ("Topic", "Queue", "Table", "Group")},
            "QueueArn": {"Value": arn},
        },
    }


def test_an_inline_policy_is_written_under_the_roles_path_and_counts_late(aws: launch.LocalAws, at_once: None) -> None:
    secret, second, role = make_secret(aws), make_secret(aws), make_role(aws)
    roles = f"arn:aws:iam::{aws.account}:role/service-role/*"
    granter = acting_as(aws, make_role(aws, allow(["iam:GetRolePolicy", "iam:PutRolePolicy"], roles)), "iam")
    elsewhere = f"elsewhere-{uuid.uuid4().hex[:6]}"
    client(aws, "iam").create_role(RoleName=elsewhere, AssumeRolePolicyDocument=json.dumps(BUILD_TRUST))
    reader = acting_as(aws, role, "secretsmanager")
    asked = {"RoleName": name_of(role), "PolicyName": "hub"}
    first, both = (document(allow("secretsmanager:GetSecretValue", it)) for it in ([secret], [secret, second]))

    assert f"role/{elsewhere}" in refusal(granter.get_role_policy, RoleName=elsewhere, PolicyName="hub")
    assert f"role/{elsewhere}" in refusal(
        granter.put_role_policy, **{**asked, "RoleName": elsewhere}, PolicyDocument=first
    )
    with pytest.raises(granter.exceptions.NoSuchEntityException):
        granter.get_role_policy(**asked)
    aws.order("grant-delay", least=1.0)
    granter.put_role_policy(**asked, PolicyDocument=first)
    assert granter.get_role_policy(**asked)["PolicyDocument"] == json.loads(first)
    refusal(reader.get_secret_value, SecretId=secret)
    time.sleep(1.1)
    assert reader.get_secret_value(SecretId=secret)
    granter.put_role_policy(**asked, PolicyDocument=both)
    refusal(reader.get_secret_value, SecretId=second)
    assert reader.get_secret_value(SecretId=secret), "what it was before counts until then"
    time.sleep(1.1)
    granter.put_role_policy(**asked, PolicyDocument=both)
    assert reader.get_secret_value(SecretId=second), "what changes nothing is not late"
    with pytest.raises(granter.exceptions.LimitExceededException, match="10240"):
        granter.put_role_policy(**asked, PolicyDocument=document(allow("logs:*", "x" * 10_240)))


def test_a_role_has_ten_managed_policies_and_no_eleventh(aws: launch.LocalAws) -> None:
    iam, name = client(aws, "iam"), name_of(make_role(aws))
    policies = [make_policy(aws, allow("logs:*", "*")) for _ in range(11)]
    for policy in policies[:10]:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    assert error(iam.attach_role_policy, RoleName=name, PolicyArn=policies[10]) == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerRole: 10",
    )
    iam.attach_role_policy(RoleName=name, PolicyArn=policies[0])
    iam.detach_role_policy(RoleName=name, PolicyArn=policies[0])
    iam.attach_role_policy(RoleName=name, PolicyArn=policies[10])


def test_a_policy_is_read_under_its_own_arn(aws: launch.LocalAws) -> None:
    policy, other = (make_policy(aws, allow("logs:*", "*")) for _ in range(2))
    reader = acting_as(aws, make_role(aws, allow(["iam:GetPolicy", "iam:GetPolicyVersion"], policy)), "iam")
    version = reader.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
    shown = reader.get_policy_version(PolicyArn=policy, VersionId=version)["PolicyVersion"]["Document"]
    assert shown == json.loads(document(allow("logs:*", "*")))
    assert other in refusal(reader.get_policy, PolicyArn=other)
    assert other in refusal(reader.get_policy_version, PolicyArn=other, VersionId=version)


def test_projects_are_listed_by_whoever_may_list_all_of_them(aws: launch.LocalAws) -> None:
    make_project(aws, "web-listed", make_role(aws))
    projects = f"arn:aws:codebuild:{aws.region}:{aws.account}:project/*"
    some, all_of_them = (
        acting_as(aws, make_role(aws, allow("codebuild:ListProjects", resource)), "codebuild")
        for resource in (projects, "*")
    )
    assert "resource: *" in refusal(some.list_projects)
    assert "web-listed" in all_of_them.list_projects(sortBy="NAME", sortOrder="ASCENDING")["projects"]


def test_a_projects_tags_stay_when_they_are_sent(aws: launch.LocalAws) -> None:
    make_project(aws, "web-tagged", make_role(aws))
    builds, tags = client(aws, "codebuild"), [{"key": "DockerHubRemediation", "value": "off"}]
    for sent, left in (({"tags": tags}, tags), ({"description": "no tags"}, [])):
        builds.update_project(name="web-tagged", **sent)
        assert builds.batch_get_projects(names=["web-tagged"])["projects"][0]["tags"] == left


def test_a_held_request_waits_and_everything_else_goes_on(aws: launch.LocalAws) -> None:
    make_project(aws, "web-held", make_role(aws))
    hold = aws.order("hold", service="codebuild", operation="UpdateProject")["hold"]
    script = "import boto3, sys; boto3.client('codebuild').update_project(name='web-held', description='changed')"
    waiting = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, **aws.environment})
    assert _eventually(lambda: any(h["hold"] == hold and h["caught"] for h in aws.order("holds")["holds"]))
    assert "description" not in aws.order("stored-project", name="web-held")["project"]
    aws.order("release", hold=hold)
    assert waiting.wait(20) == 0
    assert aws.order("stored-project", name="web-held")["project"]["description"] == "changed"


def test_every_request_is_logged_with_who_what_and_how_it_ended(aws: launch.LocalAws) -> None:
    role = make_role(aws)
    refusal(acting_as(aws, role, "codebuild").batch_get_projects, names=["nobody"])
    line = aws.read_requests()[-1]
    assert (line["service"], line["operation"]) == ("codebuild", "BatchGetProjects")
    assert line["principal"] == f"arn:aws:sts::{aws.account}:assumed-role/{role.rpartition('/')[2]}/somebody"
    assert (line["status"], line["error"]) == (400, "AccessDeniedException")
    assert line["parameters"] == {"names": ["nobody"]}


def test_an_order_that_does_not_exist_is_refused(aws: launch.LocalAws) -> None:
    with pytest.raises(launch.LaunchError, match="no order nonsense"):
        aws.order("nonsense")


def test_it_listens_on_loopback_alone(aws: launch.LocalAws) -> None:
    mine = {str(entry.readlink()) for entry in Path(f"/proc/{aws.process.pid}/fd").iterdir() if entry.is_symlink()}
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = row.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in mine:
                assert columns[1].startswith("0100007F:"), f"listens on {columns[1]}"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_whoever_started_it(tmp_path: Path, end: signal.Signals) -> None:
    script = (
        "import sys, time; from pathlib import Path; from local.aws import launch; "
        f"aws = launch.launch(python={str(MINISTACK)!r}, folder=Path({str(tmp_path)!r})); "
        "print(aws.process.pid, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], cwd=launch.ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    server = int(starter.stdout.readline())
    starter.send_signal(end)
    starter.wait()
    assert _eventually(lambda: not _runs(server))
    assert not (tmp_path / "local-aws.json").exists()


def test_a_server_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    with pytest.raises(launch.LaunchError, match="No module named"):
        launch.launch(python=_without_ministack(tmp_path), folder=tmp_path / "logs")


def _without_ministack(folder: Path) -> Path:
    """An interpreter that sees the standard library alone."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    script.chmod(0o755)
    return script


def _runs(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def _eventually(true: Callable[[], bool], seconds: float = 15) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.1)
    return False
