"""What people may ask Intake: to `plan` or `remediate` a project, to `stop` everything, and to `resume`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from remediator.core.advice.owner import owner_of
from remediator.core.case import Case, ProjectFacts
from remediator.core.case_advice import Done, with_advice
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import FAILED_STATUSES
from remediator.core.codebuild.project import Snapshot
from remediator.core.decide import make_case, read, refuse_build
from remediator.core.diagnosis.diagnosis import diagnose
from remediator.core.guards.history import started_by
from remediator.core.guards.own_commands import pull_request_objection
from remediator.core.guards.scope import out_of_scope
from remediator.core.guards.strangers import stranger_objection
from remediator.core.outcome import BadInput, Ending, Outcome, skipped
from remediator.core.repair.plan import kept_variables, make_plan
from remediator.core.repair.sign_in import takes_registry_credential
from remediator.core.wording import harmless
from remediator.services import Services
from remediator.steps.read_log import inspect_build, pushes_by_itself

Answer = dict[str, Any]

MOST_REASON = 200
"""Characters of a reason."""

_PROJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,254}")
_KEY_NOT_READ = (
    "the secret is not read from here: without its key docker_auth_config there is advice instead of a change"
)
_NOT_READ = "the service role is not read from here: whether it has the policy already, and who may assume it"


def run(event: Mapping[str, Any], services: Services) -> Answer:
    """Answer a command; BadInput names the field that is wrong, and then nothing was started."""
    command = _COMMANDS.get(event["command"]) if isinstance(event["command"], str) else None
    if command is None:
        raise BadInput("command", event["command"], f"it must be one of {', '.join(_COMMANDS)}")
    return command(event, services)


def plan(event: Mapping[str, Any], services: Services) -> Answer:
    """The plan for a project's newest failed build, by the code that Remediator runs; it writes nothing."""
    _only(event, "command", "project")
    name, project = _project(event, services)
    case = _case(_newest_failure(name, services), Snapshot(project), services)
    refusal = case.refusal.with_facts(cause=case.refusal.cause or case.cause) if case.refusal else None
    if refusal and case.by_hand.grant:
        refusal = refusal.with_facts(background=(_NOT_READ, *refusal.background))
    outcome = refusal or Outcome(
        Ending.PLANNED,
        "nothing was written; this is what a remediation would change",
        cause=case.cause,
        changes=case.plan.show(),
        background=(_NOT_READ, *((_KEY_NOT_READ,) if case.auth_config else ())),
    )
    return {"project": name, **with_advice(outcome, Done((case,)), services.settings.sign_in).to_json()}


def remediate(event: Mapping[str, Any], services: Services) -> Answer:
    """Start Remediator for a project's newest failed build; says which execution it is and how to see its outcome."""
    _only(event, "command", "project", "retry")
    retry = event.get("retry")
    if retry is not None and not isinstance(retry, bool):
        raise BadInput("retry", retry, "it must be true or false")
    name, _ = _project(event, services)
    build = _newest_failure(name, services)
    if build is None:
        raise BadInput("project", name, "it must be a project with a failed build among its newest hundred")
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


def _case(build: Build | None, snapshot: Snapshot, services: Services) -> Case:
    terms = services.settings.terms
    if build is None:
        if not takes_registry_credential(snapshot.environment):
            return Case(skipped("the project's image does not come from Docker Hub"))
        refusal = out_of_scope(snapshot, terms.scope) or stranger_objection(snapshot, terms.untrusted)
        kept = kept_variables(snapshot, terms.sign_in)
        facts = ProjectFacts(snapshot.name, owner_of(snapshot.tags), kept_variables=kept)
        return Case(refusal, plan=make_plan(snapshot, terms.sign_in), facts=facts)
    diagnosis = diagnose(build.failure, inspect_build(build, services))
    refused = refuse_build(build, diagnosis)
    if refused:
        return refused
    foreign = pull_request_objection(build)
    if foreign:
        return Case(foreign, diagnosis.cause)
    pushes = pushes_by_itself(build, snapshot.project, services)
    case = make_case(read(build, snapshot, terms.sign_in), diagnosis, terms, pushes=pushes)
    # A person who asks what would be changed learns what there is to do instead.
    return Case(diagnosis.refusal, case.cause) if case.waits else case


def _project(event: Mapping[str, Any], services: Services) -> tuple[str, dict[str, Any]]:
    name = event.get("project")
    if not isinstance(name, str) or not _PROJECT_NAME.fullmatch(name):
        raise BadInput("project", name, "it must be the name of a CodeBuild project")
    if not services.settings.covers(name):
        pattern = services.settings.project_name_pattern
        raise BadInput("project", name, f"it must match the stack's ProjectNamePattern, {pattern}")
    project = services.codebuild.project(name)
    if project is None:
        raise BadInput("project", name, "it must be a project of this account and region")
    return name, project


def _newest_failure(project: str, services: Services) -> Build | None:
    """Its newest failed build. Those that Remediator started are verdicts, not failures."""
    own, builds = services.settings.remediator_name, services.codebuild.latest_builds(project)
    return next((b for b in builds if b.status in FAILED_STATUSES and not started_by(b.initiator, own)), None)


def _only(event: Mapping[str, Any], *allowed: str) -> None:
    for field in event:
        if field not in allowed:
            raise BadInput(str(field), event[field], f"the fields of this command are {', '.join(allowed)}")
