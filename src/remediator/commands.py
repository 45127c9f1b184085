"""What people may ask Intake: to `plan` or `remediate` a project, to `stop` everything, and to `resume`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from remediator.asked import Asked
from remediator.core.outcome import BadInput
from remediator.core.wording import harmless
from remediator.services import Services

Answer = dict[str, Any]

MOST_REASON = 200
"""Characters of a reason."""

_PROJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,254}")


def run(event: Mapping[str, Any], services: Services) -> Answer:
    """Answer a command; BadInput names the field that is wrong, and then nothing was started."""
    command = _COMMANDS.get(event["command"]) if isinstance(event["command"], str) else None
    if command is None:
        raise BadInput("command", event["command"], f"it must be one of {', '.join(_COMMANDS)}")
    return command(event, services)


def plan(event: Mapping[str, Any], services: Services) -> Answer:
    """The plan for a project's newest failed build, by the code that Remediator runs; it writes nothing."""
    _only(event, "command", "project")
    asked = Asked.about(*_project(event, services), services)
    outcome = asked.nothing_to_do() or asked.planned()
    return {"project": asked.name, **outcome.to_json()}


def remediate(event: Mapping[str, Any], services: Services) -> Answer:
    """Start Remediator for a project's newest failed build; says which execution it is and how to see its outcome."""
    _only(event, "command", "project", "retry")
    retry = event.get("retry")
    if retry is not None and not isinstance(retry, bool):
        raise BadInput("retry", retry, "it must be true or false")
    asked = Asked.about(*_project(event, services), services)
    name, build = asked.name, asked.failed
    if build is None:
        none = f"{name} has no failed build among its newest hundred"
        raise BadInput("project", name, "a remediation starts from a failed build", none)
    healthy = asked.nothing_to_do()
    if healthy:
        return {"project": name, **healthy.to_json()}
    stopped = services.switch.stopped()
    if stopped:
        return {"project": name, "error": f"{stopped}; nothing was started", "go_on_with": '{"command": "resume"}'}
    arn = build.failure.build
    entry = services.journal.entry(arn)
    # The first attempt is the event's. A person's word goes before the rules against loops, and one beside an attempt
    # that still runs finds that out.
    attempt = max(2, entry.attempt + 1 if entry else 0)
    execution = services.executions.start(services.settings.remediator, arn, attempt, retry)
    return {
        "project": name,
        "build": str(arn),
        "execution": f"{arn.uuid}-{attempt}",
        "show_outcome": f"aws lambda get-durable-execution --durable-execution-arn {execution}",
    }


def stop(event: Mapping[str, Any], services: Services) -> Answer:
    """From now on nothing is granted, changed or retried, until `resume`; what runs stops before its next such step."""
    _only(event, "command", "reason")
    reason = event.get("reason", "")
    if not isinstance(reason, str) or len(reason) > MOST_REASON:
        raise BadInput("reason", reason, f"it must be a text of at most {MOST_REASON} characters")
    services.switch.turn(harmless(reason), services.now(), stopped=True)
    return {"stopped": True, "told": services.switch.stopped(), "go_on_with": '{"command": "resume"}'}


def resume(event: Mapping[str, Any], services: Services) -> Answer:
    """Projects are repaired again. Builds that failed while everything was stopped are not looked at."""
    _only(event, "command")
    services.switch.turn("", services.now(), stopped=False)
    return {"stopped": False}


_COMMANDS: dict[str, Callable[[Mapping[str, Any], Services], Answer]] = {
    "plan": plan,
    "remediate": remediate,
    "stop": stop,
    "resume": resume,
}


def _project(event: Mapping[str, Any], services: Services) -> tuple[str, dict[str, Any]]:
    name = event.get("project")
    if not isinstance(name, str) or not _PROJECT_NAME.fullmatch(name):
        raise BadInput("project", name, "it must be the name of a CodeBuild project")
    settings = services.settings
    if not settings.covers(name):
        raise BadInput(
            "project", name, f"it must match the stack's ProjectNamePattern, {settings.project_name_pattern}"
        )
    project = services.codebuild.project(name)
    if project is None:
        none = f"there is no project {name} in {settings.place[0]}"
        raise BadInput("project", name, "it must be a project of this account and region", none)
    return name, project


def _only(event: Mapping[str, Any], *allowed: str) -> None:
    for field in event:
        if field not in allowed:
            raise BadInput(str(field), event[field], f"the fields of this command are {', '.join(allowed)}")
