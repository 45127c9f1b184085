"""Reads the checkpoints of executions that the release 0.1.0 started: plain JSON, in which no type is named.

An execution should end on the version that started it; this is for one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from remediator.core.case import Case, FailedBuild, Standing, Times
from remediator.core.codebuild.pipeline import Place
from remediator.core.diagnosis.throttle import Cause
from remediator.core.guards.history import History
from remediator.core.outcome import Outcome
from remediator.core.repair import change
from remediator.core.repair.plan import Plan
from remediator.core.retry.way import Retry, Way
from remediator.core.verdict.verdict import Verdict, Watched
from remediator.steps.claim import Claimed, HasThisBuild, Held, LeftAlone
from remediator.steps.credentials import Accepted, AccountAllowance, Asking, LockedOut, Trusted, Unreachable
from remediator.steps.grant import Granted
from remediator.steps.patch import Patched, Undone
from remediator.steps.rerun.batch import BatchSeen
from remediator.steps.rerun.build import Started
from remediator.steps.rerun.stage import StageSeen
from remediator.steps.still_allowed import Busy

Json = Mapping[str, Any]


def read(step: str, document: Json) -> Any:
    """What the step of this name returned."""
    reader = _READERS.get(step) or _READERS[step.removeprefix("find-").removesuffix("-again")]
    refusal = document.get("refusal")
    if refusal and reader not in (_case, _stage_seen):
        return Outcome.from_json(refusal).with_facts(changes=tuple(document.get("changed", ())))
    return reader(document)


def _of(kind: Any, document: Json, **known: Any) -> Any:
    """A value of this kind from the members of the document that it has, and what is known besides."""
    members = {name: document[name] for name in kind.__dataclass_fields__ if name in document}
    lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
    return kind(**{**members, **lists, **known})


def _outcome(document: Json | None) -> Outcome | None:
    return Outcome.from_json(document) if document else None


def _claim(document: Json) -> Any:
    match document["claim"]:
        case "granted":
            return Claimed(_of(History, document["history"]), document["looks"])
        case "duplicate":
            return HasThisBuild(document["by"])
        case "left-alone":
            return LeftAlone()
    return _of(Held, document)


def _case(document: Json) -> Case:
    place = document["place"]
    return Case(
        _outcome(document["refusal"]),
        Cause(document["cause"]) if document["cause"] else None,
        Plan(tuple(map(_change, document["plan"]["changes"]))),
        auth_config=bool(document["otherwise"]),
        waits=document["waits"],
        retry=_retry(document["retry"]),
        failed=_of(FailedBuild, document, unit=document["origin"], place=_of(Place, place) if place else None),
        standing=_of(Standing, document, attempt=document["counts"], last_news=document["notices"]),
        times=_of(Times, document),
    )


def _change(document: Json) -> change.Change:
    kind: Callable[..., change.Change] = getattr(change, document["change"])
    pairs = {"references": tuple(map(tuple, document["references"]))} if "references" in document else {}
    return kind(**{name: value for name, value in document.items() if name != "change"} | pairs)


def _retry(document: Json) -> Retry:
    then = document["then"]
    retry: Retry = _of(Retry, document, way=Way(document["way"]), then=_retry(then) if then else None)
    return retry


def _credentials(document: Json) -> Any:
    kinds = {"trusted": Trusted, "busy": Asking, "unreachable": Unreachable, "accepted": Accepted}
    return _of(AccountAllowance if "until" in document else kinds[document["state"]], document)


def _grant(document: Json) -> Any:
    return Busy("edited the policy of the secret") if "busy" in document else Granted(document["granted_at"])


def _watched(document: Json) -> Any:
    verdict = Verdict(document["verdict"].replace("untold", "unknown"))
    return _of(Watched, document, verdict=verdict, log_says=document["told"])


def _stage_seen(document: Json) -> Any:
    not_yet, refusal = document.get("refused", "no answer"), _outcome(document["refusal"])
    return _of(StageSeen, document, place=_of(Place, document), not_yet=not_yet, refusal=refusal)


def _started(document: Json) -> Any:
    return _of(Started, document, unit=document.get("whole", ""))


_READERS: dict[str, Callable[[Json], Any]] = {
    "claim": _claim,
    "diagnose": _case,
    "check": _credentials,
    "allowance": _credentials,
    "lock-out": lambda document: _of(LockedOut, document),
    "grant": _grant,
    "patch": lambda document: _of(Patched, document, case=_case(document["case"])),
    "undo": lambda document: _of(Undone, document),
    "retry": _started,
    "start": _started,
    "batch": lambda document: _of(BatchSeen, document),
    "find-stage": lambda document: _of(Place, document),
    "retry-stage": _stage_seen,
    "watch": _watched,
    "report": Outcome.from_json,
}
