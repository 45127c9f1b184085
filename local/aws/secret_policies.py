"""What Secrets Manager refuses in a secret's resource policy. Standard library only.

PutResourcePolicy takes at most 20,480 characters of IAM's grammar, with principals that exist, and with
`BlockPublicPolicy` nothing that lets everybody in:
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutResourcePolicy.html
A member that is too long is a ValidationException, as the framework of JSON services answers
(https://github.com/kubernetes-sigs/cluster-api-provider-aws/issues/1531). A role that is deleted stays in the
policy as its unique id, and a policy with such an id is refused when it is put again
(https://github.com/hashicorp/terraform-provider-aws/issues/29496).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]

LONGEST = 20_480
"""Characters; the `max` of the member ResourcePolicy in botocore's model."""

VERSIONS = ("2012-10-17", "2008-10-17")
OF_THE_CALLER = ("aws:principal", "aws:source")
"""How the condition keys begin that can narrow a statement for everybody to somebody."""


@dataclass(frozen=True)
class Fault:
    """Secrets Manager's answer: the code of the error and its message."""

    code: str
    message: str


def fault(text: str, exists: Callable[[str], bool], *, block_public: bool) -> Fault | None:
    """Why a policy is refused, or None; `exists` says whether an AWS principal other than `*` exists."""
    if len(text) > LONGEST:
        constraint = f"Member must have length less than or equal to {LONGEST}"
        message = f"1 validation error detected: Value at 'resourcePolicy' failed to satisfy constraint: {constraint}"
        return Fault("ValidationException", message)
    try:
        document = json.loads(text)
    except ValueError:
        return _malformed("This resource policy contains invalid Json.")
    if not _well_formed(document):
        return _malformed("This policy has invalid syntax.")
    principals = [principal for statement in _statements(document) for principal in _named(statement)]
    if not all(principal == "*" or exists(principal) for principal in principals):
        return _malformed("This resource policy contains an unsupported principal.")
    if block_public and any(_lets_everybody_in(statement) for statement in _statements(document)):
        return Fault(
            "PublicPolicyException",
            "The BlockPublicPolicy parameter is set to true, and the resource policy did not prevent broad access "
            "to the secret.",
        )
    return None


def without_role(text: str, role_arn: str, role_id: str) -> str:
    """The policy after that role was deleted: its unique id stands where its ARN stood."""
    document = json.loads(text)
    for statement in _statements(document):
        for member in ("Principal", "NotPrincipal"):
            named = statement.get(member)
            if isinstance(named, dict) and "AWS" in named:
                left = [role_id if principal == role_arn else principal for principal in as_list(named["AWS"])]
                named["AWS"] = left if isinstance(named["AWS"], list) else left[0]
    return json.dumps(document)


def _malformed(message: str) -> Fault:
    return Fault("MalformedPolicyDocumentException", message)


def _well_formed(document: Any) -> bool:
    if not isinstance(document, dict) or document.get("Version", VERSIONS[0]) not in VERSIONS:
        return False
    statements = as_list(document.get("Statement"))
    if not statements or not all(isinstance(statement, dict) for statement in statements):
        return False
    named = [statement["Sid"] for statement in statements if "Sid" in statement]
    return len(named) == len(set(named)) and all(_complete(statement) for statement in statements)


def _complete(statement: Document) -> bool:
    """An effect, and one of each pair of elements."""
    pairs = (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal"))
    whole = all((one in statement) != (other in statement) for one, other in pairs)
    named = statement.get("Principal", statement.get("NotPrincipal"))
    return whole and statement.get("Effect") in ("Allow", "Deny") and (named == "*" or isinstance(named, dict))


def _statements(document: Document) -> list[Document]:
    return as_list(document.get("Statement"))


def _named(statement: Document) -> Iterator[str]:
    """The AWS principals that a statement names."""
    for member in ("Principal", "NotPrincipal"):
        named = statement.get(member)
        yield from (str(one) for one in as_list(named.get("AWS") if isinstance(named, dict) else named))


def _lets_everybody_in(statement: Document) -> bool:
    if statement["Effect"] != "Allow" or ("NotPrincipal" not in statement and "*" not in _named(statement)):
        return False
    keys = [key for block in (statement.get("Condition") or {}).values() for key in block]
    return not any(key.lower().startswith(OF_THE_CALLER) for key in keys)


def as_list(value: Any) -> list[Any]:
    """An element of a policy that may be one or several."""
    return value if isinstance(value, list) else [] if value is None else [value]
