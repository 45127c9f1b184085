"""Entry of Intake: says no to what is not ours, answers commands, and starts Remediator for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.aws.executions import AlreadyStarted
from remediator.core.codebuild.failure import BuildFailure
from remediator.core.diagnosis.diagnosis import NOT_INSPECTED, WAITED_FOR, diagnose
from remediator.core.diagnosis.unreadable import SecretCause
from remediator.core.guards.history import retry_of_ours
from remediator.core.outcome import BadInput, Ending, Outcome
from remediator.services import Services
from remediator.settings import Settings
from remediator.steps.read_log import inspect

_services = Services()


def handler(event: Any, _context: Any) -> dict[str, Any]:
    return answer(event, _services)


def answer(event: Any, services: Services) -> dict[str, Any]:
    """Answer an event of the rule or a person's command.

    Wrong input is answered with what is wrong about it, not raised: Lambda would deliver it twice more. Wrong settings
    are raised, so that no event is lost with them: each ends in the dead-letter queue.
    """
    settings = services.settings
    if not settings.remediator:
        raise BadInput("REMEDIATOR", settings.remediator, "it must be the ARN of Remediator's alias")
    try:
        if isinstance(event, Mapping) and "command" in event:
            from remediator import commands  # events need none of what these read

            return commands.run(event, services)
        failure = BuildFailure.from_event(event)
        _refuse_other_places(event, failure, settings)
        return triage(failure, services)
    except BadInput as error:
        services.log.warning("bad input", extra=error.to_json())
        return error.to_json()
    except AlreadyStarted as error:
        services.log.warning("already started", extra={"execution": str(error)})
        return {"error": f"the execution {error} was started before; nothing was changed", "execution": str(error)}


def triage(failure: BuildFailure, services: Services) -> dict[str, Any]:
    """Decide from the event's own words, the build's record or its log whether the failure is ours, then let Remediator
    look."""
    settings = services.settings
    covered = settings.covers(failure.build.project)
    if covered and failure.phase == "PROVISIONING" and not failure.image:
        failure = _recorded(failure, services)
    diagnosis = diagnose(failure, inspect(failure, services) if covered and failure.of_command else NOT_INSPECTED)
    refusal = diagnosis.refusal
    if covered and isinstance(diagnosis.cause, SecretCause):
        refusal = _foreign_secret(failure, services)
    if diagnosis.cause in WAITED_FOR and settings.mode == "auto" and settings.retry_build:
        refusal = None  # whose limit it is, only Remediator may find out
    ours = retry_of_ours(failure.initiator, settings.remediator_name)
    refusal = refusal or (ours.with_facts(cause=diagnosis.cause) if ours else None)
    if not covered:
        reason = f"the project does not match ProjectNamePattern, {settings.project_name_pattern}"
        foreign = isinstance(diagnosis.cause, SecretCause)  # nobody has asked whose secret it is
        refusal = Outcome(Ending.SKIPPED, reason, None if foreign else diagnosis.cause, quiet=foreign)
    if refusal:
        return services.report.triage(failure.build, refusal, services.now())
    execution = services.executions.start(settings.remediator, failure.build, attempt=1)
    return {"project": failure.build.project, "build": str(failure.build), "started": execution}


def _refuse_other_places(event: Mapping[str, Any], failure: BuildFailure, settings: Settings) -> None:
    """A rule of another account may forward its events, whose builds nobody may look at here."""
    region, account = settings.place
    expected = {"account": account, "region": region}
    for field, wanted in expected.items():
        if event.get(field, wanted) != wanted:
            raise BadInput(field, event[field], f"it must be {wanted}, where this stack is")
    if (failure.build.region, failure.build.account) != (region, account):
        raise BadInput("detail.build-id", str(failure.build), f"it must be a build of {account} in {region}")


def _recorded(failure: BuildFailure, services: Services) -> BuildFailure:
    """The failure by the build's own record: rules hand on no image, which is a text of whoever starts the build."""
    build = services.codebuild.build(failure.build)
    if build is None:
        raise BadInput("detail.build-id", str(failure.build), "it must be a build that CodeBuild knows")
    return build.failure


def _foreign_secret(failure: BuildFailure, services: Services) -> Outcome | None:
    """Builds fail on all kinds of secrets: the journal is asked only where the message names no other one."""
    from remediator.core.guards.lost_grant import ANOTHER_SECRET, NEVER_REPAIRED

    if failure.names_other_secret(services.settings.sign_in.secret_arn):
        return ANOTHER_SECRET
    return None if services.journal.history(failure.build.project).was_repaired else NEVER_REPAIRED
