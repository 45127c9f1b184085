"""Reads the checkpoints of executions that the release 0.1.0 started: plain JSON, in which no type is named.

An execution ends on the version that started it, so this is for the case that it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from remediator.core.case import Case, FailedBuild, ProjectFacts, Standing, Times
from remediator.core.codebuild.pipeline import Place
from remediator.core.diagnosis.throttle import Cause
from remediator.core.guards.history import History
from remediator.core.outcome import Outcome
from remediator.core.repair import change
from remediator.core.repair.plan import Plan
from remediator.core.retry.way import Retry, Way
from remediator.core.verdict.verdict import Verdict, Watched
from remediator.steps.credentials import Accepted, AccountAllowance, Asking, LockedOut, Trusted, Unreachable
from remediator.steps.grant import Busy, Granted
from remediator.steps.patch import Patched, Undone
from remediator.steps.rerun_batch import BatchSeen
from remediator.steps.rerun_build import Started
from remediator.steps.rerun_stage import StageSeen
from remediator.workflow.lease import Claimed, HasThisBuild, Held, LeftAlone

Json = Mapping[str, Any]


def read(name: str, document: Json) -> Any:
    """What the step of this name returned."""
    return _READERS[name.removeprefix("find-").removesuffix("-again") if name != "find-stage" else name](document)


def _claim(document: Json) -> Any:
    match document["claim"]:
        case "granted":
            past: dict[str, Any] = {name: _tuple(value) for name, value in document["history"].items()}
            return Claimed(History(**past), document["looks"])
        case "duplicate":
            return HasThisBuild(document["by"])
        case "left-alone":
            return LeftAlone()
    return Held(document["by"], document["looks"])


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _case(document: Json) -> Case:
    refusal, place, auth_config = document["refusal"], document["place"], bool(document["otherwise"])
    same = {name: document[name] for name in FailedBuild.__slots__ if name in document} | {
        "unit": document["origin"],
        "place": Place(**place) if place else None,
    }
    counts = Standing(document["counts"], document["notices"], document["undone"], document["duplicate_of"])
    return Case(
        Outcome.from_json(refusal) if refusal else None,
        Cause(document["cause"]) if document["cause"] else None,
        Plan(tuple(map(_change, document["plan"]["changes"]))),
        auth_config,
        document["waits"],
        _retry(document["retry"]),
        FailedBuild(**same),
        counts,
        Times(document["last_modified"], document["made_at"], document["edited_at"]),
        ProjectFacts(),
    )


def _change(document: Json) -> change.Change:
    members = {name: value for name, value in document.items() if name != "change"}
    if "references" in members:
        members["references"] = tuple((name, value) for name, value in members["references"])
    kind: Callable[..., change.Change] = getattr(change, document["change"])
    return kind(**members)


def _retry(document: Json) -> Retry:
    then = document["then"]
    return Retry(
        Way(document["way"]), document["against"], tuple(document["overrides"]), _retry(then) if then else None
    )


def _credentials(document: Json) -> Any:
    match document["state"]:
        case "accepted" if "until" in document:
            members = {name: _tuple(document[name]) for name in AccountAllowance.__slots__}
            return AccountAllowance(**members)
        case "accepted":
            return Accepted(document["limit"], document["remaining"], document["window"])
        case "trusted":
            return Trusted()
        case "busy":
            return Asking()
        case "unreachable":
            return Unreachable(document["earlier"])
    return Outcome.from_json(document["refusal"])


def _grant(document: Json) -> Any:
    if "refusal" in document:
        return Outcome.from_json(document["refusal"])
    return Busy("edited the policy of the secret") if "busy" in document else Granted(document["granted_at"])


def _patch(document: Json) -> Any:
    changed = tuple(document.get("changed", ()))
    if "refusal" in document:
        return Outcome.from_json(document["refusal"]).with_facts(changes=changed)
    return Patched(_case(document["case"]), changed, document["at"])


def _undo(document: Json) -> Any:
    return Outcome.from_json(document["refusal"]) if "refusal" in document else Undone(document["undone"])


def _started(document: Json) -> Started:
    members = {("unit" if name == "whole" else name): value for name, value in document.items()}
    return Started(**members)


def _watched(document: Json) -> Watched:
    told = {"log_says": document["told"], "verdict": Verdict(document["verdict"].replace("untold", "unknown"))}
    return Watched(**{name: document[name] for name in Watched.__slots__ if name in document}, **told)


def _stage_seen(document: Json) -> StageSeen:
    refusal, names = document["refusal"], ("asked", "changed", "next", "at")
    return StageSeen(
        _place(document),
        not_yet=document.get("refused", "no answer"),
        refusal=Outcome.from_json(refusal) if refusal else None,
        **{name: document[name] for name in names if name in document},
    )


def _place(document: Json) -> Any:
    if set(document) == {"refusal"}:
        return Outcome.from_json(document["refusal"])
    return Place(document["stage"], document["action"], document["execution"])


_READERS: dict[str, Callable[[Json], Any]] = {
    "claim": _claim,
    "diagnose": _case,
    "check": _credentials,
    "allowance": _credentials,
    "lock-out": lambda document: LockedOut(**document),
    "grant": _grant,
    "patch": _patch,
    "undo": _undo,
    "retry": _started,
    "start": _started,
    "batch": lambda document: BatchSeen(**document),
    "find-stage": _place,
    "retry-stage": _stage_seen,
    "watch": _watched,
    "report": Outcome.from_json,
}
