"""Which customer key a call uses besides, and what its caller needs on that key.

AWS: a service works with a customer's key in the name of whoever calls it, so the caller needs rights on the
key too, and the key's own policy has to let the caller in. Each service has its own words for a refusal.

| call | needs | documented |
|---|---|---|
| GetSecretValue | Decrypt | secretsmanager/latest/userguide/security-encryption.html |
| PutSecretValue | Decrypt, GenerateDataKey | the same |
| sns:Publish | Decrypt, GenerateDataKey | sns/latest/dg/sns-key-management.html |
| sqs:SendMessage | Decrypt, GenerateDataKey | AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html |
| sqs:ReceiveMessage | Decrypt | the same |
| items of a DynamoDB table | Decrypt | amazondynamodb/latest/developerguide/encryption.usagenotes.html |

What a service does in its own name (delivering from a topic to a queue, writing a log) is not held to the key's policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import dynamodb, kms, secretsmanager, sns, sqs

Document = dict[str, Any]

DECRYPT, GENERATE = "kms:Decrypt", "kms:GenerateDataKey"
WRITING, READING = (GENERATE, DECRYPT), (DECRYPT,)
NEEDED = {
    "secretsmanager:GetSecretValue": READING,
    "secretsmanager:PutSecretValue": WRITING,
    "sns:Publish": WRITING,
    "sqs:SendMessage": WRITING,
    "sqs:ReceiveMessage": READING,
    **{
        f"dynamodb:{name}": READING
        for name in (
            "BatchGetItem",
            "BatchWriteItem",
            "ConditionCheckItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "UpdateItem",
        )
    },
}
CODES = {"sns": "KMSAccessDenied", "sqs": "KMS.AccessDeniedException"}
"""Errors of botocore's models that are not AccessDeniedException."""

SECRETS_MANAGER_WORDS = "Access to KMS is not allowed"
"""https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas/issues/53"""


@dataclass(frozen=True)
class Use:
    """What a call needs on a key (its ARN), with the condition keys that it has there; the refusal's code."""

    key: str
    actions: tuple[str, ...]
    context: Document = field(default_factory=dict)
    code: str = "AccessDeniedException"

    def refusal(self, action: str, principal: str) -> str:
        if "secretsmanager" in str(self.context.get("kms:ViaService")):
            return SECRETS_MANAGER_WORDS
        return f"User: {principal} is not authorized to perform: {action} on resource: {self.key}"


def used(action: str, resource: str) -> Use | None:
    """The customer key that a call on this resource uses; None when no such key protects it."""
    needed = NEEDED.get(action)
    service = action.partition(":")[0]
    named = _protecting(service, resource) if needed else ""
    if needed is None or not _of_a_customer(named):
        return None
    context = {"kms:ViaService": f"{service}.{get_region()}.amazonaws.com", "kms:CallerAccount": get_account_id()}
    if service == "secretsmanager":
        context["kms:EncryptionContext:SecretARN"] = resource
    return Use(arn(named), needed, context, CODES.get(service, "AccessDeniedException"))


def usable(named: str) -> bool:
    """Whether a key of this account, as a resource names it, is there and enabled; true without a customer key."""
    if not _of_a_customer(named) or (named.startswith("arn:") and named.split(":")[4] != get_account_id()):
        return True
    record = kms._resolve_key(named)
    return record is not None and record.get("KeyState") == "Enabled"


def arn(named: str) -> str:
    """The ARN of a key that is named by ARN, id or alias; what names none is taken for an id."""
    record = kms._resolve_key(named)
    if record is not None:
        return str(record["Arn"])
    return named if named.startswith("arn:") else f"arn:aws:kms:{get_region()}:{get_account_id()}:key/{named}"


def _of_a_customer(named: str) -> bool:
    return bool(named) and "alias/aws/" not in named


def _protecting(service: str, resource: str) -> str:
    """The key of a secret, topic, queue or table, as it is written there."""
    found: Any = None
    if service == "secretsmanager":
        found = (secretsmanager._resolve(resource)[1] or {}).get("KmsKeyId")
    elif service == "sns":
        found = ((sns._topic_by_arn_any_scope(resource) or {}).get("attributes") or {}).get("KmsMasterKeyId")
    elif service == "sqs":
        found = ((sqs._queue_by_arn(resource) or {}).get("attributes") or {}).get("KmsMasterKeyId")
    elif service == "dynamodb":
        table = dynamodb._tables.get(resource.partition(":table/")[2].partition("/")[0]) or {}
        found = (table.get("SSEDescription") or {}).get("KMSMasterKeyArn")
    return str(found or "")
