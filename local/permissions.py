"""Writes the tables of docs/permissions.md, each between two markers, from template.yaml: `make docs`.

<!-- statements: RemediatorRole -->   every statement of a role or policy; why it is there is the comment above it
<!-- parameters -->                   what each parameter takes away, adds and changes
<!-- open resources -->               resources with a wildcard of their own
<!-- end -->                          ends each of them
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.template import NO_VALUE, TEMPLATE, Document, Stack, read, resources

PAGE = TEMPLATE.parent / "docs" / "permissions.md"

_LOG_GROUPS = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${LogGroupPattern}"

OPEN_RESOURCES = {
    f"{_LOG_GROUPS}:*": "a stream has a build's name, which is not known before",
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*": "a project's role is known only after the project is read",
    "arn:${AWS::Partition}:codebuild:*:${AWS::AccountId}:project/${ProjectNamePattern}": (
        "an ARN has one region or a wildcard; a condition names the regions"
    ),
    "arn:${AWS::Partition}:codepipeline:${AWS::Region}:${AWS::AccountId}:${PipelineNamePattern}/*": (
        "a stage is a resource below its pipeline, and has any name"
    ),
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:role${RolePath}*": (
        "a project's role is known only after the project is read; the role has to be under the path"
    ),
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/*": (
        "a role's permissions boundary is known only after the role is read"
    ),
    "arn:${AWS::Partition}:iam::aws:policy/*": "a permissions boundary may be one of AWS's own policies",
    "${Remediator.Arn}:*": "executions belong to versions, whose numbers are not known before",
    "${Remediator.Arn}:*/durable-execution/*": "executions have names that are not known before",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:"
    "secret:docker-hub/${AWS::StackName}-${Instance}-??????": (
        "Secrets Manager appends six random characters to a name when it makes the secret"
    ),
}
"""The only resources with a wildcard of their own, and why they have to have it."""

EVERYWHERE = {
    "codebuild:ListProjects": "CodeBuild has no resource for it; it answers with the names of the account's projects",
}
"""Actions that are allowed on `*`, and why."""

Json = dict[str, Any]


class Untold(ValueError):
    """Something in the template lacks its reason, or its place on the page; the message says what."""


@dataclass(frozen=True)
class Statement:
    """One statement as it stands in the template, before any condition is decided.

    `exists` holds the conditions under which it is there at all, `holder` is the resource that it stands in.
    """

    holder: str
    exists: tuple[Json, ...]
    body: Json

    @property
    def sid(self) -> str:
        return str(self.body["Sid"])


# --- What is in the template ----------------------------------------------------------------------------------------


def statements(template: Document) -> list[Statement]:
    """Every statement of every role and policy; whom a role trusts is not among them."""
    return [
        Statement(name, exists, body)
        for name, resource in template["Resources"].items()
        for exists, body in _bodies(resource.get("Properties", {}), _condition_of(resource))
    ]


def _condition_of(resource: Json) -> tuple[Json, ...]:
    return ({"Condition": resource["Condition"]},) if "Condition" in resource else ()


def _bodies(properties: Json, exists: tuple[Json, ...]) -> Iterator[tuple[tuple[Json, ...], Json]]:
    for conditions, policy in _alternatives(properties.get("Policies", []), exists):
        yield from _alternatives(policy["PolicyDocument"]["Statement"], conditions)
    for member in ("PolicyDocument", "ResourcePolicy", "KeyPolicy"):
        if member in properties:
            yield from _alternatives(properties[member]["Statement"], exists)


def _alternatives(value: Any, exists: tuple[Json, ...]) -> Iterator[tuple[tuple[Json, ...], Json]]:
    """The elements of a list, those inside of `Fn::If` with its condition."""
    if isinstance(value, list):
        for each in value:
            yield from _alternatives(each, exists)
    elif "Fn::If" in value:
        name, then, otherwise = value["Fn::If"]
        yield from _alternatives(then, (*exists, {"Condition": name}))
        yield from _alternatives(otherwise, (*exists, {"Fn::Not": [{"Condition": name}]}))
    elif value != NO_VALUE:
        yield exists, value


def either(value: Any) -> Iterator[Any]:
    """Every action or resource that a statement may have, whatever the parameters say."""
    if isinstance(value, list):
        for each in value:
            yield from either(each)
    elif isinstance(value, dict) and "Fn::If" in value:
        yield from either(value["Fn::If"][1:])
    elif value != NO_VALUE:
        yield value


def comments(text: str) -> dict[tuple[str, str], str]:
    """(resource, Sid) → the comment directly above the statement, or above the `!If` that it stands in; empty without.

    PyYAML drops comments, so they are read from the text.
    """
    found: dict[tuple[str, str], str] = {}
    holder = ""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if named := re.fullmatch(r"  (\w+):", line):
            holder = named[1]
        if sid := re.fullmatch(r"\s+(?:- )?Sid: (\w+)", line):
            found[holder, sid[1]] = _comment_above(lines, number)
    return found


def reasons(text: str) -> dict[tuple[str, str], str]:
    """The same; raises Untold for statements without a comment, or with a bare link."""
    found = comments(text)
    missing = [f"{sid} of {holder}" for (holder, sid), reason in found.items() if not _LINK.sub("", reason).strip()]
    if missing:
        raise Untold(f"{TEMPLATE.name}: no comment says why, above the statement {', '.join(missing)}")
    return found


_LINK = re.compile(r"https?://\S+")


def _comment_above(lines: list[str], number: int) -> str:
    while re.fullmatch(r"\s*- (!If|\w+)", lines[number - 1]):
        number -= 1
    comment: list[str] = []
    while lines[number - 1].lstrip().startswith("# "):
        number -= 1
        comment.insert(0, lines[number].lstrip(" #"))
    return " ".join(comment)


# --- How it is told -------------------------------------------------------------------------------------------------


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`"


def _listed(values: list[str]) -> str:
    return ", ".join(dict.fromkeys(values)) or "–"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _shown(value: Any, template: Document) -> str:
    """A value of the template for people: `…` stand for the stack's own partition, region and account."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn" | "Id"]}:
            return _code(name)
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return _code(f"{name}.{attribute}")
        case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), _]}:
            short = text.replace("${AWS::Partition}", "…").replace("${AWS::Region}:${AWS::AccountId}", "…")
            return _code(short.replace("${AWS::AccountId}", "…").replace("${Remediator.Arn}", "Remediator"))
        case {"Fn::If": [str(condition), then, otherwise]}:
            told = f"{_shown(then, template)} ({_when({'Condition': condition}, template)})"
            return told if otherwise == NO_VALUE else f"{told}, else {_shown(otherwise, template)}"
        case list():
            return _listed([_shown(each, template) for each in value])
        case dict():
            return _code(json.dumps(value))
    return _code(str(value))


def _when(expression: Any, template: Document) -> str:
    """A condition in terms of parameters: `Mode=auto` and `RetryBuild=true`."""
    match expression:
        case {"Condition": str(name)}:
            return _when(template["Conditions"][name], template)
        case {"Fn::Equals": [left, ""]}:
            return f"{_parameter(left)} empty"
        case {"Fn::Not": [{"Fn::Equals": [left, ""]}]}:
            return f"{_parameter(left)} given"
        case {"Fn::Equals": [left, str(value)]}:
            return _code(f"{_parameter(left).strip('`')}={value}")
        case {"Fn::Not": [{"Fn::Equals": [left, str(value)]}]}:
            return f"{_parameter(left)} other than {_code(value)}"
        case {"Fn::Not": [{"Condition": str(name)}]}:
            return _when({"Fn::Not": [template["Conditions"][name]]}, template)
        case {"Fn::Not": [{"Fn::Not": [inner]}]}:
            return _when(inner, template)
        case {"Fn::Not": [inner]}:
            return f"not ({_when(inner, template)})"
        case {"Fn::And": list(parts)}:
            told = [_when(part, template) for part in parts]
            return " and ".join(f"({each})" if " or " in each else each for each in told)
        case {"Fn::Or": list(parts)}:
            return " or ".join(_when(part, template) for part in parts)
    raise Untold(f"{TEMPLATE.name}: no words for the condition {expression}")


def _parameter(value: Any) -> str:
    match value:
        case {"Ref": str(name)} | {"Fn::Join": [_, {"Ref": str(name)}]}:
            return _code(name)
    raise Untold(f"{TEMPLATE.name}: no words for {value} in a condition")


_IS = {"StringEquals", "ArnEquals", "Bool"}


def _limits(condition: Any, template: Document) -> str:
    """A statement's Condition: which keys a request must not or must have, and what the others must be."""
    if "Fn::If" in condition:
        return _shown(condition, template)
    told: list[str] = []
    for operator, keys in condition.items():
        if operator == "Null":
            for word, value in (("without", "true"), ("with", "false")):
                named = [_code(key) for key, absent in keys.items() if absent == value]
                told += [f"{word} {_listed(named)}"] if named else []
        else:
            word = "is" if operator in _IS else operator
            told += [f"{_code(key)} {word} {_shown(value, template)}" for key, value in keys.items()]
    return "; ".join(told)


def _principal(statement: Json, template: Document) -> str:
    principal = statement.get("Principal")
    if principal is None:
        return ""
    named = principal.values() if isinstance(principal, dict) and "Fn::If" not in principal else [principal]
    return " to " + _listed([_shown(each, template) for value in named for each in _as_list(value)])


def statement_table(holder: str, template: Document, why: Mapping[tuple[str, str], str]) -> str:
    rows = [
        (
            _code(each.sid),
            each.body["Effect"] + _principal(each.body, template),
            _shown(each.body["Action"], template),
            _listed([_shown(resource, template) for resource in resources(each.body)]),
            _limits(each.body.get("Condition", {}), template) or "–",
            " and ".join(_when(condition, template) for condition in each.exists) or "always",
            why[each.holder, each.sid],
        )
        for each in statements(template)
        if each.holder == holder
    ]
    if not rows:
        raise Untold(f"{PAGE.name} has a table for {holder}, which has no statements in {TEMPLATE.name}")
    return _table(("statement", "effect", "actions", "resources", "only", "there with", "why"), rows)


# --- What parameters change -----------------------------------------------------------------------------------------

Chosen = tuple[tuple[str, Any], ...]


def parameter_table(template: Document) -> str:
    """Each parameter that changes a statement, with each other value than its default; the rest stays at defaults.

    One that changes nothing by itself is tried together with each value of each other.
    """
    parameters: dict[str, Json] = template["Parameters"]
    choices = {name: _values(given) for name, given in parameters.items()}
    rows = []
    for name, values in choices.items():
        others = [((other, value),) for other in choices if other != name for value in choices[other]]
        for value in values:
            for context in ((), *others):
                if told := _difference(template, context, (name, value)):
                    rows.append((_told(parameters, (name, value), *context), *told))
                    break
    return _table(("parameter", "takes away", "adds", "changes"), rows)


def _values(given: Json) -> list[Any]:
    """Every other value than the default; one, where any text is allowed."""
    if "AllowedValues" in given:
        return [value for value in given["AllowedValues"] if value != given["Default"]]
    return [[_ANOTHER] if given["Type"] == "CommaDelimitedList" else _ANOTHER]


_ANOTHER = "[another]"


def _told(parameters: Mapping[str, Json], *chosen: tuple[str, Any]) -> str:
    words = []
    for name, value in chosen:
        if "AllowedValues" in parameters[name]:
            words.append(_code(f"{name}={value}"))
        else:
            words.append(f"{_code(name)} {'other than its default' if parameters[name]['Default'] else 'given'}")
    return " with ".join(words)


def _difference(template: Document, context: Chosen, chosen: tuple[str, Any]) -> tuple[str, str, str] | None:
    """What the chosen value takes away, adds and changes; None when it is nothing."""
    before, after = _held(template, dict(context)), _held(template, dict((*context, chosen)))
    gone = [key for key in before if key not in after]
    new = [key for key in after if key not in before]
    changed = [key for key in before if key in after and before[key] != after[key]]
    if not gone and not new and not changed:
        return None
    return _keys(gone, before), _keys(new, after), _keys(changed, before)


Held = dict[tuple[str, str], str]


def _held(template: Document, parameters: Json) -> Held:
    """(resource, Sid) → the statement with the parameters put in; other resources that come and go, without a Sid."""
    stack = Stack(template, **parameters)
    found: Held = {}
    for name, resource in stack.resources.items():
        found[name, ""] = ""
        for _, body in _bodies(resource.get("Properties", {}), ()):
            text = json.dumps(body)
            for parameter, value in parameters.items():
                text = text.replace(f"${{{parameter}}}", str(value)).replace(f'"Ref": "{parameter}"', str(value))
            found[name, body["Sid"]] = text
    return found


def _keys(keys: list[tuple[str, str]], among: Held) -> str:
    """Sids, with whose they are when others have one of that name too; resources by their own name."""
    told = []
    for holder, sid in keys:
        namesakes = [key for key in among if key[1] == sid and key not in keys]
        if not sid:
            told.append(f"the resource {_code(holder)}")
        else:
            told.append(f"{_code(sid)} of {_code(holder)}" if namesakes else _code(sid))
    return _listed(told)


# --- Wildcards ------------------------------------------------------------------------------------------------------


def open_resources(template: Document) -> dict[tuple[str, str], list[Statement]]:
    """(resource with a wildcard of its own, its reason) → the statements on it. Raises Untold where one has none."""
    found: dict[tuple[str, str], list[Statement]] = {}
    for each in statements(template):
        for resource in either(each.body["Resource"]):
            text = _text_of(resource)
            if "*" in text or "?" in text:
                for reason in _reasons_for(text, each):
                    found.setdefault((text, reason), []).append(each)
    return found


def _text_of(resource: Any) -> str:
    match resource:
        case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), _]}:
            return text
        case str():
            return resource
    return ""


def _reasons_for(text: str, statement: Statement) -> list[str]:
    known = (
        [EVERYWHERE.get(action) for action in either(statement.body["Action"])]
        if text == "*"
        else [OPEN_RESOURCES.get(text)]
    )
    if None in known:
        raise Untold(f"{TEMPLATE.name}: no reason is written down for {text} in the statement {statement.sid}")
    return [reason for reason in known if reason]


def open_resource_table(template: Document) -> str:
    rows = [
        (_shown({"Fn::Sub": text}, template), _listed([_code(each.sid) for each in those]), reason)
        for (text, reason), those in open_resources(template).items()
    ]
    return _table(("resource", "statements", "why it is open"), rows)


# --- The page -------------------------------------------------------------------------------------------------------

_MARKED = re.compile(r"(?<=<!-- )(statements: \w+|parameters|open resources)(?= -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)


def page(text: str, template_text: str) -> str:
    """The page with its tables as the template has them now.

    Raises Untold where a reason is missing, or a marker for a resource that has statements.
    """
    template = read(template_text)
    why = reasons(template_text)
    holders = dict.fromkeys(each.holder for each in statements(template))
    missing = [name for name in holders if f"<!-- statements: {name} -->" not in text]
    if missing:
        raise Untold(f"{PAGE.name} has no marker <!-- statements: {missing[0]} -->")

    def written(found: re.Match[str]) -> str:
        marker = found[1]
        match marker.split(": "):
            case ["statements", holder]:
                table = statement_table(holder, template, why)
            case ["parameters"]:
                table = parameter_table(template)
            case _:
                table = open_resource_table(template)
        return f"{marker} -->\n{table}\n"

    return _MARKED.sub(written, text)


def main() -> None:
    text = page(PAGE.read_text(encoding="utf-8"), TEMPLATE.read_text(encoding="utf-8"))
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
