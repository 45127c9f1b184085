"""What CodeBuild tells the event bus: the two kinds of build events in their captured shapes."""

import time
import uuid

from local.simulator.world import Document, World

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HALF_DAY = 12
# Phases before the container's: their context is empty, not a blank one.
_UNCONTEXTED = ("SUBMITTED", "QUEUED")


def event_time(seconds: float) -> str:
    """A time as events write it: `Nov 20, 2026 9:14:08 AM`, UTC, unpadded."""
    at = time.gmtime(seconds)
    hour = at.tm_hour % _HALF_DAY or _HALF_DAY
    half = "AM" if at.tm_hour < _HALF_DAY else "PM"
    return f"{_MONTHS[at.tm_mon - 1]} {at.tm_mday}, {at.tm_year} {hour}:{at.tm_min:02}:{at.tm_sec:02} {half}"


def state_change(world: World, build: Document, *, floats: bool = False) -> Document:
    """`CodeBuild Build State Change`: when a build starts and when it has ended."""
    information = _information(build, floats=floats)
    if build["buildComplete"]:
        information["build-number"] = _number(build["buildNumber"], floats=floats)
        information["project-file-system-locations"] = []
        information["phases"] = [_phase(phase, floats=floats) for phase in build["phases"]]
    return _envelope(
        world,
        build,
        "CodeBuild Build State Change",
        {
            "build-status": build["buildStatus"],
            "project-name": build["projectName"],
            "build-id": build["arn"],
            "additional-information": information,
            "current-phase": build["currentPhase"] if build["buildComplete"] else "SUBMITTED",
            "current-phase-context": "[]",
            "version": "1",
        },
    )


def phase_change(world: World, build: Document, completed: Document, *, floats: bool = False) -> Document:
    """`CodeBuild Build Phase Change`: a phase has ended; its context is a string here, not a list."""
    information = _information(build, floats=floats)
    information["phases"] = [_phase(phase, floats=floats) for phase in build["phases"]]
    return _envelope(
        world,
        build,
        "CodeBuild Build Phase Change",
        {
            "project-name": build["projectName"],
            "build-id": build["arn"],
            "completed-phase": completed["phaseType"],
            "completed-phase-status": completed["phaseStatus"],
            "completed-phase-duration-seconds": _number(completed["durationInSeconds"], floats=floats),
            "completed-phase-start": event_time(completed["startTime"]),
            "completed-phase-end": event_time(completed["endTime"]),
            "completed-phase-context": f"[{', '.join(_contexts(completed))}]",
            "additional-information": information,
            "version": "1",
        },
    )


def _envelope(world: World, build: Document, detail_type: str, detail: Document) -> Document:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.codebuild",
        "account": world.account,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(world.now())),
        "region": world.region,
        "resources": [build["arn"]],
        "detail": detail,
    }


def _information(build: Document, *, floats: bool) -> Document:
    """`additional-information` without what only some events have. It never holds a registry credential."""
    information: Document = {
        "cache": _named(build["cache"], {"type": "type", "location": "location"}),
        "timeout-in-minutes": _number(build["timeoutInMinutes"], floats=floats),
        "build-complete": build["buildComplete"],
        "initiator": build["initiator"],
        "build-start-time": event_time(build["startTime"]),
        "source": _source(build["source"], floats=floats),
        "artifact": {"location": build["artifacts"].get("location", "")},
        "environment": _environment(build["environment"]),
        "logs": _named(
            build["logs"], {"groupName": "group-name", "streamName": "stream-name", "deepLink": "deep-link"}
        ),
        "queued-timeout-in-minutes": _number(build["queuedTimeoutInMinutes"], floats=floats),
    }
    if build.get("vpcConfig"):
        information["vpc-config"] = _vpc(build["vpcConfig"])
    if build.get("sourceVersion"):
        information["source-version"] = build["sourceVersion"]
    return information


def _environment(environment: Document) -> Document:
    return {
        "image": environment["image"],
        "privileged-mode": environment.get("privilegedMode", False),
        "image-pull-credentials-type": environment.get("imagePullCredentialsType", "CODEBUILD"),
        "compute-type": environment["computeType"],
        "type": environment["type"],
        "environment-variables": [
            {"name": variable["name"], "type": variable.get("type", "PLAINTEXT"), "value": variable["value"]}
            for variable in environment.get("environmentVariables", [])
        ],
    }


def _source(source: Document, *, floats: bool) -> Document:
    shown = {"buildspec": source.get("buildspec", "")} | _named(
        source, {"location": "location", "reportBuildStatus": "report-build-status", "type": "type"}
    )
    if "gitCloneDepth" in source:
        shown["git-clone-depth"] = _number(source["gitCloneDepth"], floats=floats)
    if "gitSubmodulesConfig" in source:
        shown["git-submodules-config"] = {
            "fetch-submodules": source["gitSubmodulesConfig"].get("fetchSubmodules", False)
        }
    if "auth" in source:
        shown["auth"] = _named(source["auth"], {"type": "type", "resource": "resource"})
    return shown


def _vpc(vpc: Document) -> Document:
    return {
        "vpc-id": vpc.get("vpcId"),
        "subnets": [{"subnet-id": subnet} for subnet in vpc.get("subnets", [])],
        "security-group-ids": vpc.get("securityGroupIds", []),
    }


def _phase(phase: Document, *, floats: bool) -> Document:
    shown: Document = {"start-time": event_time(phase["startTime"]), "phase-type": phase["phaseType"]}
    if "phaseStatus" in phase:
        shown["phase-context"] = _contexts(phase)
        shown["end-time"] = event_time(phase["endTime"])
        shown["duration-in-seconds"] = _number(phase["durationInSeconds"], floats=floats)
        shown["phase-status"] = phase["phaseStatus"]
    return shown


def _contexts(phase: Document) -> list[str]:
    contexts = phase.get("contexts", [])
    if phase["phaseType"] in _UNCONTEXTED and not any(context.get("statusCode") for context in contexts):
        return []
    return [f"{context.get('statusCode', '')}: {context.get('message', '')}" for context in contexts]


def _named(document: Document, names: dict[str, str]) -> Document:
    return {new: document[old] for old, new in names.items() if old in document}


def _number(value: int, *, floats: bool) -> int | float:
    """Numbers of captured events are integers in some, floats in others."""
    return float(value) if floats else value
