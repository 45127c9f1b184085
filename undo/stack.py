"""Reads from CloudFormation what a deployed stack is: its secrets, its policy, its journal, its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from remediator.aws.client import code_of
from remediator.core.names import PASSWORD_VARIABLE, USERNAME_VARIABLE
from remediator.core.repair.sign_in import SignIn
from remediator.core.value import value


class Refused(Exception):
    """The command can't or must not go on; the message says why, and what to do."""


@value
class Stack:
    """A deployed stack. `sign_ins` has one entry for each secret: the one in use first, then the former ones."""

    name: str
    sign_ins: tuple[SignIn, ...]
    journal: str
    policy_mode: str

    @property
    def policy_arn(self) -> str:
        return self.sign_ins[0].policy_arn

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(sign_in.secret_arn for sign_in in self.sign_ins)

    @classmethod
    def read(cls, cloudformation: Any, name: str) -> Stack:
        """The stack as it is deployed; Refused where there is none, or where it is not one of this tool."""
        try:
            described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if code_of(error) != "ValidationError":
                raise
            where = cloudformation.meta.region_name
            told = f"there is no stack {name} in {where}; nothing was changed. Check --stack and the region"
            raise Refused(told) from error
        outputs = {each["OutputKey"]: str(each.get("OutputValue", "")) for each in described.get("Outputs", [])}
        given = {each["ParameterKey"]: str(each.get("ParameterValue", "")) for each in described.get("Parameters", [])}
        missing = [output for output in ("SecretArn", "GrantPolicyArn", "JournalTable") if not outputs.get(output)]
        if missing:
            raise Refused(
                f"the stack {name} has no output {' and no output '.join(missing)}, so it is not a stack of this tool, "
                "or its first deployment has not ended; nothing was changed"
            )
        return cls(name, _sign_ins(outputs, given), outputs["JournalTable"], given.get("PolicyMode") or "managed")


def _sign_ins(outputs: Mapping[str, str], given: Mapping[str, str]) -> tuple[SignIn, ...]:
    former = [arn.strip() for arn in given.get("FormerSecretArns", "").split(",")]
    return tuple(
        SignIn(
            secret_arn,
            outputs["GrantPolicyArn"],
            username_variable=given.get("UsernameVariable") or USERNAME_VARIABLE,
            password_variable=given.get("PasswordVariable") or PASSWORD_VARIABLE,
        )
        for secret_arn in dict.fromkeys([outputs["SecretArn"], *filter(None, former)])
    )
