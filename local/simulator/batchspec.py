"""Which builds a batch has: the `build-list` of a buildspec that stands in the project itself.

https://docs.aws.amazon.com/codebuild/latest/userguide/batch-build-buildspec.html
"""

from typing import Any

import yaml

from local.simulator.world import Document

BatchBuild = tuple[str, Document]
"""A build's identifier in its batch, and its overrides as StartBuild takes them."""

_ENVIRONMENT = {"compute-type": "computeTypeOverride", "image": "imageOverride", "type": "environmentTypeOverride"}


def builds_of(buildspec: str) -> list[BatchBuild]:
    """The builds of an inline buildspec's list; of any other buildspec one build that overrides nothing."""
    try:
        document = yaml.load(buildspec, Loader=yaml.BaseLoader)  # noqa: S506 - it makes text, lists and maps only
    except yaml.YAMLError:
        document = None
    listed = _map(_map(document).get("batch")).get("build-list")
    builds = [_build(_map(item)) for item in listed] if isinstance(listed, list) else []
    return builds or [("build", {})]


def _build(item: Document) -> BatchBuild:
    environment = _map(item.get("env"))
    overrides = {override: environment[member] for member, override in _ENVIRONMENT.items() if member in environment}
    if "privileged-mode" in environment:
        overrides["privilegedModeOverride"] = environment["privileged-mode"] == "true"
    if "variables" in environment:
        variables = _map(environment["variables"])
        overrides["environmentVariablesOverride"] = [
            {"name": name, "value": value, "type": "PLAINTEXT"} for name, value in variables.items()
        ]
    if "buildspec" in item:
        overrides["buildspecOverride"] = item["buildspec"]
    return str(item.get("identifier", "build")), overrides


def _map(value: Any) -> Document:
    return value if isinstance(value, dict) else {}
