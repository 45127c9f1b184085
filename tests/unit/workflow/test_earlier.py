"""What the release 0.1.0 wrote is still read: its journal items, and the checkpoints of executions that wait.

`release_0_1_0.json` was recorded from that release's own workflow tests; long texts in it were shortened.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python.serdes import SerDesContext

from remediator.core.case import Case
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.pipeline import Place
from remediator.core.diagnosis.throttle import Cause
from remediator.core.outcome import Outcome
from remediator.core.retry.way import Way
from remediator.core.verdict.verdict import Verdict, Watched
from remediator.records.journal import Journal, UnitOwner
from remediator.records.secret_record import SecretRecord
from remediator.records.switch import StopSwitch
from remediator.steps.claim import Claimed, HasThisBuild, Held, LeftAlone
from remediator.steps.credentials import Accepted, AccountAllowance, Asking, LockedOut, Trusted, Unreachable
from remediator.steps.grant import Granted
from remediator.steps.patch import Patched, Undone
from remediator.steps.rerun.batch import BatchSeen
from remediator.steps.rerun.build import Started
from remediator.steps.rerun.stage import StageSeen
from remediator.steps.still_allowed import Busy
from remediator.workflow.checkpoint import Checkpoint
from tests.moto_aws import mock_aws
from tests.unit.checkpoints import checkpointed
from tests.unit.stored import Stored

RECORDED = json.loads(Path(__file__).with_name("release_0_1_0.json").read_text(encoding="utf-8"))
KINDS: dict[str, tuple[type, ...]] = {
    "claim": (Claimed, Held, LeftAlone),
    "diagnose": (Case,),
    "check": (Accepted, Trusted, Asking, Unreachable, Outcome),
    "allowance": (AccountAllowance, Unreachable, Outcome),
    "lock-out": (LockedOut,),
    "grant": (Granted, Busy, Outcome),
    "patch": (Patched, Outcome),
    "undo": (Undone, Outcome),
    "retry": (Started,),
    "start": (Started,),
    "batch": (BatchSeen,),
    "find-stage": (Place, Outcome),
    "retry-stage": (StageSeen,),
    "watch": (Watched,),
    "report": (Outcome,),
}
"""What a step returned in that release, as types of this one."""


def read(step: str, document: Any) -> Any:
    return Checkpoint(step).deserialize(json.dumps(document), SerDesContext())


def base(step: str) -> str:
    return step if step == "find-stage" else step.removeprefix("find-").removesuffix("-again")


def all_of(*steps: str) -> list[tuple[Any, Any]]:
    """What these steps wrote, and what is read of it."""
    return [(one["wrote"], read(one["step"], one["wrote"])) for one in RECORDED["checkpoints"] if one["step"] in steps]


def test_each_kind_of_result_was_recorded() -> None:
    found: dict[str, set[type]] = {}
    for one in RECORDED["checkpoints"]:
        found.setdefault(base(one["step"]), set()).add(type(read(one["step"], one["wrote"])))

    assert found == {step: set(kinds) for step, kinds in KINDS.items()}


@pytest.mark.parametrize("sample", RECORDED["checkpoints"], ids=lambda sample: sample["step"])
def test_what_is_read_of_a_checkpoint_survives_one_of_this_release(sample: dict[str, Any]) -> None:
    found = read(sample["step"], sample["wrote"])

    assert checkpointed(found) == found


def test_a_diagnosis_keeps_what_was_decided() -> None:
    for wrote, case in all_of("diagnose"):
        assert case.cause == Cause(wrote["cause"])
        assert [type(change).__name__ for change in case.plan.changes] == [
            c["change"] for c in wrote["plan"]["changes"]
        ]
        assert (case.retry.way, case.retry.overrides) == (
            Way(wrote["retry"]["way"]),
            tuple(wrote["retry"]["overrides"]),
        )
        assert (case.failed.build, case.failed.phase, case.failed.unit) == (
            wrote["build"],
            wrote["phase"],
            wrote["origin"],
        )
        assert (case.failed.batch, case.failed.pipeline) == (wrote["batch"], wrote["pipeline"])
        assert (case.standing.attempt, case.standing.undone) == (wrote["counts"], wrote["undone"])
        assert (case.times.last_modified, case.times.made_at) == (wrote["last_modified"], wrote["made_at"])
        assert case.waits is wrote["waits"]


def test_a_lease_keeps_the_projects_past() -> None:
    for wrote, claim in all_of("claim", "claim-again"):
        if isinstance(claim, Claimed):
            assert (claim.looks, claim.history.repaired_at) == (wrote["looks"], wrote["history"]["repaired_at"])
            assert claim.history.members == tuple(wrote["history"]["members"])
    assert read("claim", {"claim": "duplicate", "by": "x", "looks": 1, "history": None}) == HasThisBuild("x")


def test_a_watched_build_keeps_its_verdict() -> None:
    for wrote, seen in all_of("watch"):
        verdict = "unknown" if wrote["verdict"] == "untold" else wrote["verdict"]
        assert (seen.build, seen.verdict.value, seen.log_says) == (wrote["build"], verdict, wrote["told"])
        assert (seen.batch, seen.group) == (wrote.get("batch", ""), wrote.get("group", ""))
    told = {"build": "b", "verdict": "untold", "told": "no log"}
    assert read("watch", told) == Watched("b", Verdict.UNKNOWN, log_says="no log")


def test_a_retry_keeps_what_was_started() -> None:
    for wrote, started in all_of("retry", "start", "find-retry"):
        assert (started.build, started.batch) == (wrote.get("build", ""), wrote.get("batch", ""))
        assert (started.unit, started.at) == (wrote.get("whole", ""), wrote["at"])


def test_a_refusal_keeps_what_had_been_changed() -> None:
    for wrote, found in all_of("patch"):
        assert list(found.changes if isinstance(found, Outcome) else found.changed) == wrote.get("changed", [])


# The journal


def test_the_items_of_the_journal_are_read_as_they_were_meant() -> None:
    with mock_aws():
        table = Stored().table
        items = {item["pk"]["S"].partition("#")[0]: item for item in RECORDED["items"]}
        for item in items.values():
            table._client.put_item(TableName=table._name, Item=item)
        journal = Journal(table, 365)

        build = items["build"]
        arn = BuildArn.parse("arn:aws:codebuild:eu-west-1:123456789012:build/" + build["pk"]["S"].partition("#")[2])
        entry = journal.entry(arn)
        assert entry is not None
        assert (entry.execution, entry.attempt) == (build["execution"]["S"], 1)
        assert entry.outcome == build["outcome"]["S"]

        project = items["project"]
        history = journal.history("orders")
        assert history.repaired_by == project["repaired_by"]["S"]
        assert set(history.members) == set(project["members"]["SS"])
        assert set(history.tries) == set(project["tries"]["SS"])

        for kind in ("batch", "stage"):
            owner = UnitOwner(items[kind]["execution"]["S"], float(items[kind]["ended_at"]["N"]))
            assert journal.unit_owner(items[kind]["pk"]["S"]) == owner

        secret = SecretRecord(table, items["secret"]["pk"]["S"].partition("#")[2])
        known = secret.ask(items["secret"]["version"]["S"], "somebody", float(items["secret"]["fresh_until"]["N"]) - 1)
        assert (known.may_ask, known.accepted) == (False, items["secret"]["accepted"]["BOOL"])
        assert SecretRecord(table, items["sharing"]["pk"]["S"].partition("#")[2]).users() == ("orders",)
        assert "something is odd" in StopSwitch(table).stopped()
