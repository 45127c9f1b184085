"""The programs that are measured, as source text: each runs in a fresh interpreter and prints its figure."""

from __future__ import annotations

START = """
import sys; sys.path[:0] = {path!r}
import time; began = time.process_time()
{imports}
import boto3
boto3.client("lambda", region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s")
print(time.process_time() - began)
"""

OURS = "import remediator.handler"
INTAKE = "import remediator.intake"
C7N = "import c7n.handler; from c7n.resources import load_resources; load_resources(('aws.codebuild',))"
EAGER = """
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
import boto3
logger, metrics, tracer = Logger(service="x"), Metrics(namespace="x", service="x"), Tracer(service="x", disabled=True)
class Event(BaseModel):
    detail: dict
keys = dict(region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s")
clients = [boto3.client(name, **keys) for name in ("codebuild", "iam", "secretsmanager", "dynamodb", "lambda")]
"""
EMPTY = '''"""An empty durable handler."""

from aws_durable_execution_sdk_python import durable_execution


@durable_execution
def handler(event, context):
    return {}
'''

SETTINGS = """
import os
os.environ.update({{
    "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
    "JOURNAL_TABLE": "journal", "SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hub-AbCdEf",
    "GRANT_POLICY_ARN": "arn:aws:iam::123456789012:policy/grant", "SETTLE_SECONDS": "0",
    "DOCKER_HUB_ENDPOINT": {hub!r}, "POWERTOOLS_SERVICE_NAME": "r", "POWERTOOLS_METRICS_NAMESPACE": "r",
    "REMEDIATOR": "arn:aws:lambda:eu-west-1:123456789012:function:remediator:live",
}})
"""

REMEDIATION = (
    "import sys; sys.path[:0] = {path!r}\n"
    + SETTINGS
    + """
import json, time
import answers
account = answers.Account(repaired={repaired}, pages={pages}, image={image!r})
answers.install(account)
import remediator.intake, remediator.handler
if {event!r}:
    remediator.intake.handler(json.loads({event!r}), None)
from types import SimpleNamespace
operation = {{"Id": "y", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1.0,
             "ExecutionDetails": {{"InputPayload": json.dumps(answers.BUILD)}}}}
arn = "arn:aws:lambda:eu-west-1:123456789012:function:remediator:1/durable-execution/x-1/y"
event = {{"DurableExecutionArn": arn, "CheckpointToken": "t", "InitialExecutionState": {{"Operations": [operation]}}}}
if {remediates}:
    answer = remediator.handler.handler(event, SimpleNamespace(aws_request_id="r", function_name="f"))
    assert answer["Status"] == "PENDING", answer
    assert "StartBuild" in answers.CALLS, answers.CALLS
print(json.dumps({{"cpu": time.process_time(), "calls": answers.CALLS}}))
"""
)

WAVE = (
    "import sys; sys.path[:0] = {path!r}\n"
    + SETTINGS
    + """
import json
import answers
names = tuple(f"orders-{{number}}" for number in range({projects}))
account = answers.Account(names=names)
answers.install(account)
import remediator.handler
from types import SimpleNamespace
for name in names:
    account.operations.clear()
    build = answers.BUILD.replace("/orders:", f"/{{name}}:")
    operation = {{"Id": "y", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1.0,
                 "ExecutionDetails": {{"InputPayload": json.dumps(build)}}}}
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:remediator:1/durable-execution/{{name}}-1/y"
    state = {{"Operations": [operation]}}
    event = {{"DurableExecutionArn": arn, "CheckpointToken": "t", "InitialExecutionState": state}}
    answer = remediator.handler.handler(event, SimpleNamespace(aws_request_id="r", function_name="f"))
    assert answer["Status"] == "PENDING", answer
assert answers.CALLS.count("StartBuild") == len(names), answers.CALLS
print(json.dumps({{"calls": answers.CALLS}}))
"""
)

STRAIGHT = (
    "import sys; sys.path[:0] = {path!r}\n"
    + SETTINGS
    + """
import json, time
import boto3, urllib3
import answers
answers.install(answers.Account())
make = boto3.client
lambda_, codebuild, iam = make("lambda"), make("codebuild"), make("iam")
secrets, dynamodb = make("secretsmanager"), make("dynamodb")
codebuild.batch_get_builds(ids=["orders:1"])
lambda_.invoke(FunctionName=os.environ["REMEDIATOR"], InvocationType="Event", Payload=json.dumps(answers.BUILD))
key = {{"pk": {{"S": "x"}}}}
update = {{"TableName": "journal", "Key": key, "UpdateExpression": "SET a = :a",
          "ExpressionAttributeValues": {{":a": {{"S": "x"}}}}}}
both = [{{"Update": update}}, {{"Update": update}}]
dynamodb.update_item(**update)
codebuild.batch_get_builds(ids=["orders:1"])
project = codebuild.batch_get_projects(names=["orders"])["projects"][0]
iam.get_role(RoleName="orders-build")
iam.list_attached_role_policies(RoleName="orders-build")
secrets.get_resource_policy(SecretId="hub")
dynamodb.transact_write_items(TransactItems=both)
secret = json.loads(secrets.get_secret_value(SecretId="hub")["SecretString"])
dynamodb.update_item(**update)
secrets.describe_secret(SecretId="hub")
headers = urllib3.make_headers(basic_auth=secret["username"] + ":" + secret["password"])
hub, http = os.environ["DOCKER_HUB_ENDPOINT"], urllib3.PoolManager()
assert http.request("GET", hub + "/token", headers=headers).status == 200
assert http.request("HEAD", hub + "/v2/ratelimitpreview/test/manifests/latest").status == 200
dynamodb.update_item(**update)
dynamodb.get_item(TableName="journal", Key=key)
dynamodb.update_item(**update)
codebuild.batch_get_projects(names=codebuild.list_projects()["projects"])
dynamodb.update_item(**update)


def still_allowed():
    iam.get_role(RoleName="orders-build")
    found = codebuild.batch_get_projects(names=["orders"])["projects"][0]
    dynamodb.get_item(TableName="journal", Key=key)
    return found


still_allowed()
iam.attach_role_policy(RoleName="orders-build", PolicyArn=answers.POLICY)
dynamodb.get_item(TableName="journal", Key=key)
still_allowed()
project = codebuild.batch_get_projects(names=["orders"])["projects"][0]
codebuild.update_project(name="orders", environment={{**project["environment"], **answers.REPAIRED}}, tags=[])
codebuild.batch_get_projects(names=["orders"])
dynamodb.update_item(**update)
codebuild.list_builds_for_project(projectName="orders")
dynamodb.get_item(TableName="journal", Key=key)
still_allowed()
codebuild.start_build(projectName="orders")
print(json.dumps({{"cpu": time.process_time(), "calls": answers.CALLS}}))
"""
)

THROUGHPUT = """
import sys; sys.path[:0] = {path!r}
import json
import throughput as t
print(json.dumps({{
    "without hits": [t.speed(t.ordinary, 20 * t.MB), t.doubling(t.ordinary, 20 * t.MB)],
    "with hits": [t.speed(t.with_hits, 20 * t.MB), t.doubling(t.with_hits, 50 * t.MB)],
    "one line of 50 MB": [t.speed(t.one_line, 50 * t.MB), t.doubling(t.one_line, 50 * t.MB)],
    "a million near misses": [t.speed(t.near_misses, 100 * t.MB), t.doubling(t.near_misses, 50 * t.MB)],
}}))
"""
