"""What the account keeps: the secret, the stack's policy and its journal, the roles of its projects."""

from __future__ import annotations

import json
from typing import Any

from tests import canaries
from tests.workflow.clients import owners_client

ACCOUNT = "123456789012"
USER, PASSWORD = canaries.USER, canaries.PASSWORD
SECRET = {
    "username": USER,
    "password": PASSWORD,
    "docker_auth_config": json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": canaries.AUTH}}}),
}
Json = dict[str, Any]


class Stored:
    """A secret, the policy that lets it be read, one role of a project, and an empty journal."""

    def __init__(self) -> None:
        self.secret_arn = self._make_secret()
        self.policy_arn = self.make_policy("grant")
        self.role_arn = self.make_role("orders-build")
        self._make_journal()

    def boto(self, service: str) -> Any:
        """The owner's client, whose calls are not counted."""
        return owners_client(service)

    # The secret

    def _make_secret(self) -> str:
        text = json.dumps(SECRET)
        return str(self.boto("secretsmanager").create_secret(Name="hub", SecretString=text)["ARN"])

    def put_secret(self, text: str) -> None:
        self.boto("secretsmanager").put_secret_value(SecretId=self.secret_arn, SecretString=text)

    def secret_policy(self) -> str:
        """The text of the secret's resource policy, empty for none."""
        answer = self.boto("secretsmanager").get_resource_policy(SecretId=self.secret_arn)
        return str(answer.get("ResourcePolicy") or "")

    def may_read(self, role_arn: str, secret_arn: str) -> bool:
        """The grant as AWS has it: by the stack's policy, by an inline one, or by the secret's own."""
        name = role_arn.rpartition("/")[2]
        return secret_arn == self.secret_arn and (
            self.policy_arn in self.attached(role_arn)
            or bool(self.boto("iam").list_role_policies(RoleName=name)["PolicyNames"])
            or self.boto("iam").get_role(RoleName=name)["Role"]["Arn"] in self.secret_policy()
        )

    # Policies and roles

    def make_policy(self, name: str) -> str:
        grant = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [grant]})
        return str(self.boto("iam").create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"])

    def make_role(self, name: str, principal: Any = None) -> str:
        principal = principal or {"Service": "codebuild.amazonaws.com"}
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = self.boto("iam").create_role(RoleName=name, Path="/service-role/", AssumeRolePolicyDocument=document)
        return str(role["Role"]["Arn"])

    def attach_policy(self, role_arn: str = "") -> None:
        name = (role_arn or self.role_arn).rpartition("/")[2]
        self.boto("iam").attach_role_policy(RoleName=name, PolicyArn=self.policy_arn)

    def attached(self, role_arn: str = "") -> list[str]:
        name = (role_arn or self.role_arn).rpartition("/")[2]
        answer = self.boto("iam").list_attached_role_policies(RoleName=name)
        return [policy["PolicyArn"] for policy in answer["AttachedPolicies"]]

    # The journal

    def _make_journal(self) -> None:
        self.boto("dynamodb").create_table(
            TableName="journal",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def journal(self) -> dict[str, Json]:
        items = self.boto("dynamodb").scan(TableName="journal")["Items"]
        return {item["pk"]["S"]: {k: next(iter(v.values())) for k, v in item.items()} for item in items}

    def lease(self, project: str = "orders") -> str | None:
        """The execution that holds the project."""
        holder: str | None = self.journal().get(f"project#{project}", {}).get("execution")
        return holder

    def entry(self, build: Json) -> Json:
        """The journal's item of a failed build."""
        return self.journal()[f"build#{build['id']}"]
