"""The advice of an outcome, from what was really done."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from remediator.core.case import Case
from remediator.core.case_advice import EARLIER, Done, take_out_by_hand, with_advice
from remediator.core.codebuild.project import Snapshot
from remediator.core.outcome import ADVICE_LENGTH, ALL_ADVICE, Ending, Outcome, advised, gave_up, patched
from remediator.core.repair.change import SetEnvironmentVariables
from remediator.core.repair.plan import Plan
from remediator.workflow.checkpoint import Checkpoint
from tests.unit import given
from tests.unit.checkpoints import CONTEXT, text_of

PASSED = Outcome(Ending.REMEDIATED, "it passed")
STACK = {"aws:cloudformation:stack-name": "roles"}
SHARED = "the service role is shared with invoices"


def image_case() -> Case:
    """Of a project whose image was throttled; its role is a stack's."""
    return given.case(given.build(), Snapshot(given.project(), replace(given.role(), tags=STACK)))


def advice_of(outcome: Outcome, done: Done) -> tuple[str, ...]:
    return with_advice(outcome, done, given.SIGN_IN).advice


def starts(texts: tuple[str, ...]) -> list[str]:
    return [" ".join(text.split(" ")[:2]) for text in texts]


def test_what_to_do_now_goes_before_what_to_keep_and_that_before_what_to_know() -> None:
    case = image_case()
    done = Done((case,), case.plan, SHARED, earlier_proof=True)

    told = advice_of(patched("no start", "start the build again").with_facts(background=("another registry",)), done)

    assert starts(told) == ["start the", "Keep the", "Run this", "the service", "Docker Hub", "another registry"]
    assert told[3:5] == (SHARED, EARLIER)


def test_nothing_is_to_be_kept_where_nothing_was_done() -> None:
    assert advice_of(gave_up("refused", "look there"), Done((image_case(),))) == ("look there",)


def test_a_grant_that_stays_is_told_where_the_changes_to_the_project_were_taken_back() -> None:
    case = image_case()

    (told,) = advice_of(gave_up("taken back"), Done((case,), case.plan.without(case.plan.project_changes)))

    assert told.startswith("Run this before the stack roles is deleted")


def test_a_second_case_that_knows_nothing_of_the_project_does_not_hide_the_first() -> None:
    case = image_case()

    told = advice_of(patched("x"), Done((case, Case(advised("no way"), case.cause)), case.plan))

    assert starts(told) == ["Keep the", "Run this"]


@pytest.mark.parametrize("made", [False, True])
def test_a_grant_that_this_execution_has_made_is_not_advised(made: bool) -> None:
    first = image_case()
    grant = first.plan.grant
    assert grant is not None
    second = Case(advised("no way", "edit the buildspec"), first.cause, by_hand=Plan((grant,)))

    told = advice_of(second.refusal or PASSED, Done((first, second), first.plan if made else Plan()))

    assert ("attach-role-policy" in told[0]) is not made
    assert told[0 if made else 1] == "edit the buildspec"


def test_variables_of_two_repairs_are_kept_together() -> None:
    first, second = (SetEnvironmentVariables(((name, f"{given.SECRET}:{name}"),)) for name in ("A", "B"))

    settings = Plan((first, second)).settings()

    assert [each["name"] for each in settings["environment"]["environmentVariables"]] == ["A", "B"]


@pytest.mark.parametrize(("ending", "place"), [(Ending.GAVE_UP, 0), (Ending.REMEDIATED, 1)])
def test_how_to_be_rid_of_a_limit_is_to_do_now_only_while_it_lasts(ending: Ending, place: int) -> None:
    kept = image_case()
    waits = given.case(given.build(phases=given.phases(message=given.ACCOUNT_LIMIT), env=given.repaired_environment()),
                       given.snapshot(env=given.repaired_environment()))  # fmt: skip
    assert waits.waits

    told = advice_of(Outcome(ending, "it ended"), Done((kept, waits), Plan(kept.plan.project_changes)))

    assert [text for text in told if text.startswith(("wait until", "Keep"))][place].startswith("wait until")


def test_a_plan_that_was_not_carried_out_says_what_would_be() -> None:
    grant, change = advice_of(Outcome(Ending.PLANNED, "planned"), Done((image_case(),)))

    assert "attach-role-policy" in grant
    assert "a remediation would change the project" in change
    assert "was changed" not in grant + change


def test_what_is_cut_of_too_much_advice_is_never_what_to_do_now() -> None:
    case = image_case()
    now = tuple(f"{number}{'x' * (ADVICE_LENGTH - 1)}" for number in range(ALL_ADVICE // ADVICE_LENGTH))

    assert advice_of(patched("x", *now), Done((case,), case.plan, SHARED)) == now


def test_changes_to_take_out_are_named_one_by_one() -> None:
    case = image_case()

    lines = take_out_by_hand(given.PROJECT, case.plan).partition("\n\n")[2].splitlines()

    assert lines == [change.show() for change in case.plan.project_changes]


def test_a_case_of_a_checkpoint_that_knows_nothing_of_what_is_made_by_hand_is_read_all_the_same() -> None:
    case = image_case()
    document = json.loads(text_of(case))
    del document["by_hand"]

    assert Checkpoint("diagnose").deserialize(json.dumps(document), CONTEXT) == case
