"""The other projects that would come to read the secret with a grant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from remediator.core.case import Case
from remediator.core.outcome import Ending, Outcome
from remediator.core.repair.plan import Plan
from remediator.services import Services
from remediator.steps.sharing import shared_role
from tests.unit import given

PROJECT = given.project()
CASE = given.case(given.build(), given.snapshot())


@dataclass
class FakeCodeBuild:
    """Projects that all have the role which is asked for; keeps the asks."""

    projects: list[given.Document] = field(default_factory=lambda: [PROJECT])
    asked: list[str] = field(default_factory=list)

    def projects_of(self, role_arn: str, covers: Callable[[str], bool]) -> list[given.Document]:
        self.asked.append(role_arn)
        return [project for project in self.projects if covers(project["name"])]


class World(Services):
    def __init__(self, *neighbours: given.Document, **settings: str) -> None:
        self.codebuild_fake = FakeCodeBuild([PROJECT, *neighbours])
        self.__dict__.update(codebuild=self.codebuild_fake, settings=given.settings(**settings))


def neighbour(name: str = "invoices", **members: Any) -> given.Document:
    return given.project(name=name, **members)


def test_a_role_of_the_projects_own_changes_nothing_of_the_case() -> None:
    world = World()

    assert shared_role(CASE, PROJECT, world) == CASE
    assert world.codebuild_fake.asked == [given.ROLE]


def test_projects_that_share_the_role_are_told_with_the_plan() -> None:
    case = shared_role(CASE, PROJECT, World(neighbour()))

    assert case.refusal is None
    assert case.plan.changes == CASE.plan.changes
    assert case.plan.advice[:-1] == CASE.plan.advice
    assert "is shared with invoices" in case.plan.advice[-1]


OPEN = neighbour(projectVisibility="PUBLIC_READ")


def test_strangers_in_a_project_that_shares_the_role_end_it_with_nothing_planned() -> None:
    case = shared_role(CASE, PROJECT, World(OPEN))

    assert case.refusal is not None
    assert (case.refusal.ending, case.cause) == (Ending.ADVISED, CASE.cause)
    assert case.plan.changes == ()


def test_strangers_may_have_the_credentials_where_the_stack_says_so() -> None:
    assert shared_role(CASE, PROJECT, World(OPEN, UNTRUSTED_PROJECTS="repair")).refusal is None


def test_projects_of_other_names_can_not_be_read_and_are_not_told() -> None:
    assert shared_role(CASE, PROJECT, World(OPEN, PROJECT_NAME_PATTERN="orders-*")) == CASE


@pytest.mark.parametrize(
    "case",
    [Case(Outcome(Ending.SKIPPED, "no"), plan=CASE.plan), Case(None, plan=Plan(CASE.plan.project_changes))],
)
def test_where_nothing_is_granted_nobody_is_looked_for(case: Case) -> None:
    world = World(OPEN)

    assert shared_role(case, PROJECT, world) == case
    assert world.codebuild_fake.asked == []
