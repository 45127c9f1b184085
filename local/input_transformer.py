"""What EventBridge hands to a target: an event after the target's InputTransformer, as strictly as AWS documents it.

A text is put in as it is, without escaping, and a path that the event does not have leaves nothing. So a template that
gives JSON here gives it on AWS. An object or a list stands alone, not within a text.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from local.template import Stack

_PLACEHOLDER = re.compile(r"""(?P<quoted>"?)<(?P<name>[\w-]+)>""")


def handed_on(event: Mapping[str, Any], rule: str = "ThrottledPull") -> Any:
    """What the target of this rule of the project's template gets of an event; ValueError where that is no JSON."""
    (target,) = Stack().resources[rule]["Properties"]["Targets"]
    return json.loads(transformed(event, target["InputTransformer"]))


def transformed(event: Mapping[str, Any], transformer: Mapping[str, Any]) -> str:
    """The text that the transformer makes of an event."""
    found = {name: _at(event, path) for name, path in transformer["InputPathsMap"].items()}

    def put_in(placeholder: re.Match[str]) -> str:
        value = found[placeholder["name"]]
        if not placeholder["quoted"] and value is not None and not isinstance(value, dict | list):
            raise ValueError(f"<{placeholder['name']}> is a plain value, and stands outside of quotes")
        if placeholder["quoted"] and isinstance(value, dict | list):
            raise ValueError(f"<{placeholder['name']}> is an object or a list, and stands within quotes")
        text = json.dumps(value) if isinstance(value, dict | list) else "" if value is None else str(value)
        return placeholder["quoted"] + text

    return _PLACEHOLDER.sub(put_in, transformer["InputTemplate"])


def _at(event: Any, path: str) -> Any:
    """What is at `$.a.b`; None where there is nothing."""
    for name in path.removeprefix("$.").split("."):
        event = event.get(name) if isinstance(event, Mapping) else None
    return event
