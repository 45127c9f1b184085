"""Reads from tags which tool a project or role is managed by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from remediator.core.value import value

Tool = Literal["cloudformation", "terraform", "pulumi"]

# CloudFormation sets these itself, and nobody else can: the prefix is reserved.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
_STACK_NAME = "aws:cloudformation:stack-name"
_LOGICAL_ID = "aws:cloudformation:logical-id"

_TERRAFORM = frozenset({"terraform", "opentofu"})
_DENIALS = frozenset({"", "0", "false", "n", "no", "none", "off"})


@value
class Owner:
    """The tool that defines a project or role, and whose next deploy undoes changes from elsewhere.

    `name` is the stack or workspace, `logical_id` the name within the stack; both may be empty. `certain` is False
    where no tag names a tool.
    """

    tool: Tool
    name: str
    logical_id: str
    certain: bool


def owner_of(tags: Mapping[str, str]) -> Owner:
    """The owner by the tags: CloudFormation's own count most, words that people chose least."""
    if _STACK_NAME in tags or _LOGICAL_ID in tags:
        return Owner("cloudformation", tags.get(_STACK_NAME, ""), tags.get(_LOGICAL_ID, ""), certain=True)
    if "pulumi:project" in tags or "pulumi:stack" in tags:
        return Owner("pulumi", tags.get("pulumi:stack", ""), "", certain=True)
    if any(_says_terraform(key, value) for key, value in tags.items()):
        workspace = next((value for key, value in tags.items() if _is_workspace(key)), "")
        return Owner("terraform", workspace, "", certain=True)
    return Owner("cloudformation", "", "", certain=False)


def _says_terraform(key: str, value: str) -> bool:
    """Do `managed-by=terraform` or `TerraformWorkspace=prod` say so? `terraform=false`, `course=terraforming` don't."""
    if value.strip().lower() in _DENIALS:
        return False
    return _is_workspace(key) or not _TERRAFORM.isdisjoint({*_words(key), *_words(value)})


def _is_workspace(key: str) -> bool:
    words = set(_words(key))
    return "workspace" in words and not words.isdisjoint(_TERRAFORM | {"tf"})


def _words(text: str) -> Iterator[str]:
    """The words of a text in lower case, `TerraformWorkspace` both as one and as two."""
    for word in re.findall(r"[A-Za-z]+", text):
        yield word.lower()
        yield from (part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", word))
