"""template.yaml as CloudFormation reads it: short forms made long, conditions decided, statements found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).resolve().parents[1] / "template.yaml"
NO_VALUE = {"Ref": "AWS::NoValue"}

Document = Mapping[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, read as the long ones: `!Ref X` becomes `{"Ref": "X"}`."""


def _long_form(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _long_form)


def read(text: str) -> Document:
    """The document of a template's text."""
    loaded: Document = yaml.load(text, Loader=_Loader)  # noqa: S506 # a SafeLoader with CloudFormation's tags
    return loaded


@cache
def document() -> Document:
    """The project's own template."""
    return read(TEMPLATE.read_text(encoding="utf-8"))


class Stack:
    """The template as CloudFormation sees it once the parameters are given: conditions decided, no-values gone.

    `template` is the document; without it, it is the project's own.
    """

    def __init__(self, template: Document | None = None, /, **parameters: Any) -> None:
        self._document = document() if template is None else template
        defaults = {name: given.get("Default", "") for name, given in self._document["Parameters"].items()}
        for name, given in self._document["Parameters"].items():
            if given["Type"] == "CommaDelimitedList":
                defaults[name] = defaults[name].split(",")
        self._parameters = {**defaults, **parameters}
        self.resources: dict[str, Any] = {
            name: self._decide(resource)
            for name, resource in self._document["Resources"].items()
            if "Condition" not in resource or self._holds({"Condition": resource["Condition"]})
        }

    def statements(self, *names: str) -> Iterator[Mapping[str, Any]]:
        """Every statement of the roles and identity policies of this name, of all of them when none is named."""
        for name, resource in self.resources.items():
            properties = resource.get("Properties", {})
            if names and name not in names:
                continue
            for policy in properties.get("Policies", []):
                yield from policy["PolicyDocument"]["Statement"]
            if resource["Type"] in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}:
                yield from properties["PolicyDocument"]["Statement"]

    def statement(self, action: str, *names: str) -> Mapping[str, Any]:
        """The one statement that allows this action."""
        (found,) = (each for each in self._allowing(*names) if action in actions(each))
        return found

    def actions(self, *names: str) -> set[str]:
        """The actions that are allowed."""
        return {action for each in self._allowing(*names) for action in actions(each)}

    def _allowing(self, *names: str) -> Iterator[Mapping[str, Any]]:
        return (each for each in self.statements(*names) if each["Effect"] == "Allow")

    def accepted(self) -> bool:
        """Do the template's rules let these parameters pass?"""
        rules = self._document["Rules"].values()
        return all(
            self._holds(each["Assert"])
            for rule in rules
            if self._holds(rule.get("RuleCondition", _ALWAYS))
            for each in rule["Assertions"]
        )

    def _decide(self, value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(self._decide, value) if each != NO_VALUE]
        if not isinstance(value, dict):
            return value
        if "Fn::If" in value:
            condition, then, otherwise = value["Fn::If"]
            return self._decide(then if self._holds({"Condition": condition}) else otherwise)
        decided = {key: self._decide(each) for key, each in value.items()}
        return {key: each for key, each in decided.items() if each != NO_VALUE}

    def _holds(self, expression: Any) -> bool:
        ((function, argument),) = expression.items()
        match function:
            case "Condition":
                return self._holds(self._document["Conditions"][argument])
            case "Fn::Equals":
                left, right = (self._plain(each) for each in argument)
                return bool(left == right)
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::And":
                return all(self._holds(each) for each in argument)
            case "Fn::Or":
                return any(self._holds(each) for each in argument)
        raise AssertionError(f"no condition function: {function}")

    def _plain(self, value: Any) -> Any:
        match value:
            case {"Ref": name}:
                return self._parameters[name]
            case {"Fn::Join": [separator, parts]}:
                return separator.join(self._plain(parts))
        return value


_ALWAYS = {"Fn::Equals": ["", ""]}


def actions(statement: Mapping[str, Any]) -> list[str]:
    listed = statement["Action"]
    return [listed] if isinstance(listed, str) else list(listed)


def resources(statement: Mapping[str, Any]) -> list[Any]:
    listed = statement["Resource"]
    return listed if isinstance(listed, list) else [listed]
