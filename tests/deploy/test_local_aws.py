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
ENVIRONMENT = {"type": "LINUX_CONTAINER", "image": "team/base:1.2", "computeType": "BUILD_GENERAL1_SMALL"}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[launch.LocalAws]:
    with launch.start(python=MINISTACK, folder=tmp_path_factory.mktemp("local-aws")) as running:
        yield running


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


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """The message of the denial that this call must get."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] in ("AccessDeniedException", "AccessDenied")
    return str(caught.value.response["Error"]["Message"])


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
