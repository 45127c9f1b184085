"""Writes a repair in the form of the tool that defines the project, whose next deploy would undo it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from remediator.core.advice.layout import NAME_LENGTH, VALUE_LENGTH, artefact, as_item, one_line
from remediator.core.advice.owner import Owner, Tool
from remediator.core.codebuild.project import Document

_TITLES: dict[Tool, str] = {"cloudformation": "CloudFormation", "terraform": "Terraform", "pulumi": "Pulumi"}

_NO_NAME = "PROJECT_RESOURCE"
"""In place of a name that no tag tells."""


def in_definition(owner: Owner, project: str, changes: Document, *, head: str, why: str) -> str:
    """For a project that is defined elsewhere: the changes to it, in the form of the tool that owns it.

    `head` begins the first sentence, as "Keep the change". `changes` is what is set, in the form of CodeBuild's API:
    documents in documents, lists of documents, and plain values; references, never values of secrets.
    `source.buildspec` is the command that is added to the buildspec.
    """
    source = dict(changes.get("source") or {})
    login = str(source.pop("buildspec", None) or "")
    members = {key: value for key, value in {**changes, "source": source}.items() if value}
    # Terraform and Pulumi put values in place of ${…} in every text of a definition.
    item = as_item(login if owner.tool == "cloudformation" else login.replace("${", "$${"))
    parts = ["\n".join(_lines(owner, members)) if members else "", item]
    project = one_line(project)
    return artefact(
        f"{head} in {_TITLES[owner.tool]}: {_what_to_add(owner.tool, bool(members), item)}.",
        where=_where_defined(owner, project),
        why=one_line(why, VALUE_LENGTH),
        paste="\n\n".join(part for part in parts if part),
    )


def _what_to_add(tool: Tool, has_members: bool, item: str) -> str:
    properties = f"add these {'blocks' if tool == 'terraform' else 'properties'} to those of the project"
    login = "add the login to its buildspec, as the first command of the first phase"
    asked = [text for text, needed in ((properties, has_members), (login, item)) if needed]
    text = " and ".join(asked) or "nothing has to be added"
    if tool != "cloudformation" and "$${" in item:
        text += " (in a buildspec that is a file of its own, $${ is written ${)"
    return text


def _where_defined(owner: Owner, project: str) -> str:
    if not owner.certain:
        no_tag = "no tag tells what that is, so this is CloudFormation's form"
        return f"what the project {project} is deployed from; {no_tag}"
    name, logical_id = one_line(owner.name), one_line(owner.logical_id)
    if owner.tool == "cloudformation":
        stack = f"the template of the stack {name}" if name else "the stack's template"
        return stack + (f", resource {logical_id}" if logical_id else f", the resource of the project {project}")
    if owner.tool == "terraform":
        workspace = f" (workspace {name})" if name else ""
        return f"the resource aws_codebuild_project of the project {project}{workspace}"
    return f"the resource aws:codebuild:Project of the project {project}" + (f" (stack {name})" if name else "")


def _lines(owner: Owner, properties: Document) -> list[str]:
    if owner.tool == "terraform":
        return _hcl(properties)
    if owner.tool == "pulumi":
        document = {"resources": {_json(_NO_NAME): {"type": "aws:codebuild:Project", "properties": properties}}}
        return _yaml(document, str, lambda value: _json(value).replace("${", "$${"))
    logical_id = re.sub(r"[^A-Za-z0-9]", "", owner.logical_id)[:NAME_LENGTH] or _NO_NAME
    document = {"Resources": {_json(logical_id): {"Properties": properties}}}
    return _yaml(document, lambda key: key[:1].upper() + key[1:], _json)


def _yaml(document: Document, spelt: Callable[[str], str], quoted: Callable[[Any], str]) -> list[str]:
    """Lines of YAML, every string of it in double quotes: JSON's strings are YAML's too."""
    lines = []
    for key, value in document.items():
        if isinstance(value, Mapping):
            lines += [f"{spelt(key)}:", *_indented(_yaml(dict(value), spelt, quoted))]
        elif isinstance(value, list):
            lines += [f"{spelt(key)}:"]
            for item in value:
                first, *rest = _yaml(item, spelt, quoted)
                lines += [f"  - {first}", *(f"    {line}" for line in rest)]
        else:
            lines.append(f"{spelt(key)}: {quoted(value)}")
    return lines


def _hcl(document: Document) -> list[str]:
    """Lines of HCL: arguments first, then a block for each document, also for each one of a list."""
    blocks: list[tuple[str, Document]] = []
    arguments: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            blocks.append((_snake(key), dict(value)))
        elif isinstance(value, list):
            blocks += [(_snake(key).removesuffix("s"), item) for item in value]
        else:
            arguments[_snake(key)] = _json(value).replace("${", "$${").replace("%{", "%%{")
    width = max(map(len, arguments), default=0)
    lines = [f"{key:<{width}} = {value}" for key, value in arguments.items()]
    for name, block in blocks:
        lines += [""] * bool(lines) + [f"{name} {{", *_indented(_hcl(block)), "}"]
    return lines


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" if line else line for line in lines]


def _snake(key: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", key).lower()


def _json(value: Any) -> str:
    return json.dumps(one_line(value, VALUE_LENGTH) if isinstance(value, str) else value, ensure_ascii=False)
