"""What CloudFormation makes of a template: properties that a stack relies on (`DurableConfig`: see `durable`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import dynamodb, lambda_svc, secretsmanager, sns
from ministack.services import iam as iam_service
from ministack.services.cloudformation import provisioners

Document = dict[str, Any]
Provision = Callable[..., Any]

DURABLE_POLICY = "service-role/AWSLambdaBasicDurableExecutionRolePolicy"
DURABLE_DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                "lambda:CheckpointDurableExecution",
                "lambda:GetDurableExecutionState",
            ],
            "Resource": "*",
        }
    ],
}


def install() -> None:
    record = iam_service._make_aws_managed_record(DURABLE_POLICY, json.dumps(DURABLE_DOCUMENT))
    iam_service._aws_managed_policies[record["Arn"]] = record
    handlers = provisioners._RESOURCE_HANDLERS
    settling = {
        "AWS::DynamoDB::Table": _settle_table,
        "AWS::Lambda::Function": _settle_function,
        "AWS::SNS::Topic": _settle_topic,
    }
    for kind, settle in settling.items():
        handlers[kind]["create"] = _then(handlers[kind]["create"], settle)
    _by_arn(handlers["AWS::SecretsManager::Secret"])


def _then(original: Provision, settle: Callable[[str, Document], None]) -> Provision:
    def create(logical_id: str, properties: Document, stack_name: str) -> Any:
        made = original(logical_id, properties, stack_name)
        settle(made[0], properties)
        return made

    return create


def _settle_table(name: str, properties: Document) -> None:
    if sse := properties.get("SSESpecification"):
        enabled = {"Enabled": _true(sse.get("SSEEnabled")), **{k: v for k, v in sse.items() if k != "SSEEnabled"}}
        dynamodb._tables[name]["SSEDescription"] = dynamodb._sse_description_from_spec(enabled)
    if expiry := properties.get("TimeToLiveSpecification"):
        specification = {**expiry, "Enabled": _true(expiry.get("Enabled"))}
        _accepted(dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": specification}))
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        specification = {**recovery, "PointInTimeRecoveryEnabled": _true(recovery.get("PointInTimeRecoveryEnabled"))}
        request = {"TableName": name, "PointInTimeRecoverySpecification": specification}
        _accepted(dynamodb._update_continuous_backups(request))


def _settle_function(name: str, properties: Document) -> None:
    config = lambda_svc._functions[name]["config"]
    if dead_letters := properties.get("DeadLetterConfig"):
        config["DeadLetterConfig"] = dead_letters
    if (reserved := properties.get("ReservedConcurrentExecutions")) is not None:
        _accepted(lambda_svc._put_function_concurrency(name, {"ReservedConcurrentExecutions": int(reserved)}))


def _settle_topic(arn: str, properties: Document) -> None:
    attributes = sns._topics[arn]["attributes"]
    if key := properties.get("KmsMasterKeyId"):
        attributes["KmsMasterKeyId"] = key
    policy = json.loads(attributes["Policy"])
    for statement in policy["Statement"]:
        # only services send the key, so a person or a role of the account needs a policy of its own
        statement["Condition"] = {"StringEquals": {"AWS:SourceOwner": get_account_id()}}
    attributes["Policy"] = json.dumps(policy)


def _by_arn(handlers: Document) -> None:
    """Let a secret's physical id, and so its `Ref`, be its ARN."""
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def name_of(physical_id: str) -> str:
        name, _ = secretsmanager._resolve(physical_id)
        return str(name or physical_id)

    def created(logical_id: str, properties: Document, stack_name: str) -> Any:
        _, attributes = create(logical_id, properties, stack_name)
        return attributes["Arn"], attributes

    def updated(physical_id: str, old: Document, new: Document, stack_name: str, logical_id: str | None = None) -> Any:
        changed = update(name_of(physical_id), old, new, stack_name, logical_id)
        return changed[1]["Arn"], *changed[1:]

    def deleted(physical_id: str, properties: Document) -> Any:
        return delete(name_of(physical_id), properties)

    handlers.update(create=created, update=updated, delete=deleted)


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _accepted(answer: Any) -> None:
    if answer[0] >= 400:
        raise ValueError(answer[2].decode(errors="replace"))
