"""The comparison of calls with policies tells what is missing, what is left over and what is too wide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.session import Session

from local.template import TEMPLATE
from remediator.aws.codebuild import CodeBuild
from tests.permissions import (
    DEPLOY,
    INTAKE,
    REMEDIATOR,
    WORKFLOW,
    Call,
    Recorded,
    acting_as,
    calls_of,
    compare,
    items_asked,
)
from tests.reading_guide import STEP
from tests.unit import given

Json = dict[str, Any]
PROJECTS = "arn:aws:codebuild:eu-west-1:123456789012:project/orders-*"
SIGNED = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def statement(sid: str, *actions: str, resource: str = PROJECTS, **more: Any) -> Json:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


LOOK = statement("Look", "codebuild:BatchGetProjects", "codebuild:BatchGetBuilds")
REPAIR = statement("Repair", "codebuild:UpdateProject", Condition={"Null": {"codebuild:source": "true"}})
EDIT = statement("Edit", "codebuild:UpdateProject", Condition={"Null": {"codebuild:source.buildspec": "false"}})
NEVER = {**statement("Never", "iam:PutRolePolicy", resource="*"), "Effect": "Deny"}
ALLOWED = [LOOK, REPAIR, EDIT, NEVER]
CALLS = {
    Call(REMEDIATOR, "codebuild:BatchGetProjects"): 7,
    Call(REMEDIATOR, "codebuild:BatchGetBuilds", (), "project/orders-1", DEPLOY): 2,
    Call(REMEDIATOR, "codebuild:UpdateProject", ("codebuild:environment",)): 3,
    Call(REMEDIATOR, "codebuild:UpdateProject", ("codebuild:source", "codebuild:source.buildspec")): 1,
}


def faults(*statements: Json, role: str = REMEDIATOR) -> list[str]:
    return list(compare([{role: list(statements)}], CALLS).faults)


def test_calls_and_statements_that_fit_leave_nothing_over() -> None:
    compared = compare([{REMEDIATOR: ALLOWED}], CALLS, {"Never": "its own role"})
    assert compared.faults == ()
    assert [(row.sid, row.action, row.workflow, row.deploy) for row in compared.rows] == [
        ("Edit", "codebuild:UpdateProject", 1, 0),
        ("Look", "codebuild:BatchGetBuilds", 0, 2),
        ("Look", "codebuild:BatchGetProjects", 7, 0),
        ("Repair", "codebuild:UpdateProject", 3, 0),
    ]
    assert compared.denied == ("Remediator: Never, iam:PutRolePolicy: its own role",)
    assert list(compared.lines())[-1] == "permissions: 0 missing, 0 surplus, 0 too wide"


@pytest.mark.parametrize(
    ("removed", "missing"),
    [
        (LOOK, ["BatchGetBuilds on project/orders-1 (deploy tests)", "BatchGetProjects (workflow tests)"]),
        (REPAIR, ["UpdateProject carrying codebuild:environment (workflow tests)"]),
        (EDIT, ["UpdateProject carrying codebuild:source, codebuild:source.buildspec (workflow tests)"]),
    ],
)
def test_without_a_statement_the_calls_that_need_it_are_missing(removed: Json, missing: list[str]) -> None:
    left = [each for each in ALLOWED if each is not removed]
    assert faults(*left) == [f"Remediator: no statement allows codebuild:{each}" for each in missing]


def test_a_statement_that_no_call_needs_is_left_over() -> None:
    assert faults(*ALLOWED, statement("Stop", "codebuild:StopBuild")) == [
        "Remediator: Stop allows codebuild:StopBuild, which nobody asked for"
    ]


def test_what_one_role_may_the_other_may_not() -> None:
    compared = compare([{INTAKE: ALLOWED}], CALLS)
    assert (len(compared.missing), len(compared.surplus)) == (4, 4)


def test_a_call_on_a_resource_that_no_statement_covers_is_missing() -> None:
    elsewhere = statement("Look", "codebuild:BatchGetProjects", "codebuild:BatchGetBuilds", resource=PROJECTS + "x")
    assert faults(elsewhere, REPAIR, EDIT) == [
        "Remediator: no statement allows codebuild:BatchGetBuilds on project/orders-1 (deploy tests)",
        "Remediator: Look allows codebuild:BatchGetBuilds, which nobody asked for",
    ]


def test_several_stacks_may_share_the_calls_between_them() -> None:
    assert compare([{REMEDIATOR: [LOOK, REPAIR]}, {REMEDIATOR: [LOOK, EDIT]}], CALLS).faults == ()
    assert compare([{REMEDIATOR: [LOOK, REPAIR]}, {REMEDIATOR: [EDIT]}], CALLS).faults == ()


@pytest.mark.parametrize("where", [WORKFLOW, DEPLOY])
def test_a_run_in_which_no_call_was_recorded_has_shown_nothing(where: str) -> None:
    calls = {call: times for call, times in CALLS.items() if call.where != where}
    assert f"no call of the {where} tests was recorded" in compare([{REMEDIATOR: ALLOWED}], calls).faults


@pytest.mark.parametrize("action", ["codebuild:*", "codebuild:Batch*", "*"])
def test_an_action_with_a_star_is_too_wide(action: str) -> None:
    assert f"Remediator: Wide allows {action}" in faults(*ALLOWED, statement("Wide", action))


@pytest.mark.parametrize("resource", ["*", "arn:*:codebuild:*:*:project/*"])
def test_every_resource_is_too_wide_unless_a_reason_is_written_down(resource: str) -> None:
    wide = statement("Look", "codebuild:BatchGetProjects", "codebuild:BatchGetBuilds", resource=resource)
    assert "Remediator: Look allows codebuild:BatchGetProjects on *, and no reason is written down" in faults(wide)
    found = compare([{REMEDIATOR: [statement("Find", "codebuild:ListProjects", resource=resource)]}], CALLS)
    assert found.wide == ()


def test_what_lambda_and_services_ask_for_is_told_with_its_source() -> None:
    via = {"StringEquals": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}}
    log = statement("Log", "logs:PutLogEvents")
    assert faults(*ALLOWED, log, statement("Decrypt", "kms:Decrypt", Condition=via)) == []
    assert faults(*ALLOWED, statement("Decrypt", "kms:Decrypt")) == [
        "Remediator: Decrypt allows kms:Decrypt, which nobody asked for"
    ]
    rows = compare([{REMEDIATOR: [log]}], CALLS).rows
    assert rows[0].why.endswith("https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html")


# --- What a request is checked as -----------------------------------------------------------------------------------


def test_a_transaction_is_checked_as_what_is_in_it_and_an_invocation_by_its_own_name() -> None:
    items: list[Json] = [{"Update": {}}, {"ConditionCheck": {}}, {"Put": {}}, {"Delete": {}}]
    assert [action for action, _ in items_asked("dynamodb", "TransactWriteItems", {"TransactItems": items})] == [
        "dynamodb:UpdateItem",
        "dynamodb:ConditionCheckItem",
        "dynamodb:PutItem",
        "dynamodb:DeleteItem",
    ]
    assert items_asked("lambda", "Invoke", {}) == [("lambda:InvokeFunction", {})]
    assert items_asked("codebuild", "BatchGetBuilds", {}) == [("codebuild:BatchGetBuilds", {})]


def item(key: str) -> Json:
    return {"TableName": "t", "Key": {"pk": {"S": key}}}


def test_a_call_on_an_item_is_told_with_the_kind_of_its_key_each_kind_once() -> None:
    def told(operation: str, body: Json) -> list[tuple[str, str]]:
        made = calls_of(f"before-send.dynamodb.{operation}", "https://x/", SIGNED.format("dynamodb"), json.dumps(body))
        return [(call.action, call.leading) for call in made]

    assert told("GetItem", item("build#orders:1")) == [("dynamodb:GetItem", "build#")]
    assert told("PutItem", {"TableName": "t", "Item": {"pk": {"S": "stop"}}}) == [("dynamodb:PutItem", "stop")]
    both = [{"Update": item("build#a:1")}, {"Update": item("build#b:2")}, {"ConditionCheck": item("stop")}]
    assert told("TransactWriteItems", {"TransactItems": both}) == [
        ("dynamodb:UpdateItem", "build#"),
        ("dynamodb:ConditionCheckItem", "stop"),
    ]


@pytest.mark.parametrize(("leading", "allowed"), [("build#", True), ("stop", True), ("project#", False), ("", False)])
def test_a_statement_on_leading_keys_allows_calls_on_items_of_these_kinds_alone(leading: str, allowed: bool) -> None:
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["build#*", "stop"]}}
    keep = statement("Keep", "dynamodb:PutItem", resource="*", Condition=condition)
    calls = {Call(INTAKE, "dynamodb:PutItem", leading=leading): 1}
    missing = compare([{INTAKE: [keep]}], calls).missing
    assert bool([told for told in missing if told.startswith("Intake")]) is not allowed


FUNCTION = "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aremediator%3A1"


@pytest.mark.parametrize(
    ("service", "event", "path", "body", "action", "resource"),
    [
        ("codebuild", "codebuild.BatchGetProjects", "/", {"names": ["a"]}, "codebuild:BatchGetProjects", "project/a"),
        ("codebuild", "codebuild.StopBuild", "/", {"id": "a:1"}, "codebuild:StopBuild", "project/a"),
        ("codebuild", "codebuild.BatchGetBuilds", "/", {"ids": ["x:build/a:1"]}, None, "project/a"),
        ("codebuild", "codebuild.ListProjects", "/", {}, "codebuild:ListProjects", ""),
        ("codepipeline", "codepipeline.GetPipeline", "/", {"name": "p"}, None, "p"),
        ("codepipeline", "codepipeline.RetryStageExecution", "/", {"pipelineName": "p", "stageName": "s"}, None, "p/s"),
        ("dynamodb", "dynamodb.GetItem", "/", {"TableName": "t"}, "dynamodb:GetItem", "table/t"),
        ("logs", "cloudwatch-logs.GetLogEvents", "/", {"logGroupName": "/g"}, "logs:GetLogEvents", "log-group:/g"),
        ("secretsmanager", "secrets-manager.GetSecretValue", "/", {"SecretId": given.SECRET}, None, None),
        ("lambda", "lambda.Invoke", f"/x/functions/{FUNCTION}/invocations", {}, None, "function:remediator:1"),
        (
            "lambda",
            "lambda.GetDurableExecution",
            f"/x/durable-executions/{FUNCTION}%2Fdurable-execution%2Fname%2F1",
            {},
            "lambda:GetDurableExecution",
            "function:remediator:1/durable-execution/name/1",
        ),
    ],
)
def test_action_and_resource_of_a_request_are_told(
    service: str, event: str, path: str, body: Json, action: str | None, resource: str | None
) -> None:
    (call,) = calls_of(f"before-send.{event}", f"https://x{path}", SIGNED.format(service), json.dumps(body).encode())
    assert call.action == action or action is None
    assert call.resource == (given.SECRET.split(":", 5)[5] if resource is None else resource)


def test_a_change_is_told_with_the_condition_keys_that_it_carries() -> None:
    body = {"name": "a", "environment": {"image": "x", "environmentVariables": [{"name": "A", "value": "b"}]}}
    (call,) = calls_of(
        "before-send.codebuild.UpdateProject", "https://x/", SIGNED.format("codebuild"), json.dumps(body)
    )
    assert "codebuild:environment.image" in call.keys
    assert not [key for key in call.keys if "/" in key]
    assert "codebuild:source" not in call.keys


# --- The record -----------------------------------------------------------------------------------------------------


class Nothing:
    """The body of an empty answer."""

    def stream(self, **_: object) -> Any:
        return iter([b"{}"])


def client(service: str) -> Any:
    session: Any = Session()
    return session.create_client(
        service, region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s", use_ssl=False
    )


def answered(request: Any, **_: object) -> AWSResponse:
    return AWSResponse(request.url, 200, HTTPHeaders(), Nothing())


def test_a_call_is_noted_before_anybody_answers_it_and_by_who_makes_it() -> None:
    recorded, codebuild = Recorded(), client("codebuild")
    codebuild.meta.events.register("before-send.codebuild", answered)
    recorded.listen(codebuild)
    with acting_as(INTAKE):
        codebuild.batch_get_projects(names=["a"])
    codebuild.batch_get_projects(names=["a"])
    codebuild.batch_get_projects(names=["b"])
    assert recorded.calls == {
        Call(INTAKE, "codebuild:BatchGetProjects"): 1,
        Call(REMEDIATOR, "codebuild:BatchGetProjects"): 2,
    }


def test_only_a_writing_call_is_noted_with_the_files_that_it_went_through() -> None:
    recorded, codebuild = Recorded(), client("codebuild")
    codebuild.meta.events.register("before-send.codebuild", answered)
    recorded.listen(codebuild)
    codebuild.batch_get_projects(names=["a"])
    assert recorded.trails == set()
    CodeBuild(codebuild).stop_build(given.BUILD_ARN)
    assert recorded.trails == {("StopBuild", STEP, "aws/codebuild.py")}


def test_what_was_recorded_goes_through_json_to_another_process() -> None:
    here, there = Recorded(), Recorded()
    here.calls.update(CALLS)
    here.policies.append({REMEDIATOR: ALLOWED})
    here.trails.add(("StopBuild", STEP, "aws/codebuild.py"))
    there.put(json.loads(json.dumps(here.take())))
    assert (there.calls, there.policies) == (CALLS, [{REMEDIATOR: ALLOWED}])
    assert there.trails == {("StopBuild", STEP, "aws/codebuild.py")}
    assert here.take() == {}


# --- The end of a run -----------------------------------------------------------------------------------------------

SUITE = """
from tests.permissions import RECORDED, Call

def test_calls():
    RECORDED.calls[Call("Remediator", "codebuild:StopBuild")] += 1

def test_deployed():
    RECORDED.calls[Call("Remediator", "codebuild:StopBuild", where="deploy")] += 1
    statement = {"Sid": "Stop", "Effect": "Allow", "Action": "codebuild:STOP", "Resource": "x"}
    RECORDED.policies.append({"Remediator": [statement]})
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a suite of its own with this plugin; `action` is the one that its deployed role allows."""

    def run(action: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p tests.permissions_plugin --import-mode=importlib")
        (tmp_path / "test_suite.py").write_text(SUITE.replace("STOP", action))
        root = TEMPLATE.parent
        paths = os.pathsep.join([str(root), str(root / "src")])
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        environment = {**os.environ, "PYTHONPATH": paths}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
def test_a_whole_run_passes_with_the_table_when_calls_and_statements_fit(run: Any) -> None:
    result = run("StopBuild", "-n", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "permissions: 0 missing, 0 surplus, 0 too wide" in result.stdout


@pytest.mark.slow
def test_a_whole_run_fails_when_they_do_not_fit(run: Any) -> None:
    result = run("StartBuild", "-n", "2")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "2 passed" in result.stdout
    assert "permissions: 2 missing, 1 surplus, 0 too wide" in result.stdout


@pytest.mark.slow
def test_a_part_of_a_run_says_nothing(run: Any) -> None:
    for part in (("-k", "test"), ("test_suite.py",)):
        result = run("StartBuild", *part)
        assert (result.returncode, "permissions" in result.stdout) == (0, False), result.stdout
