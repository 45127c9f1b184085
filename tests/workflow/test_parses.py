"""A diagnosis parses a buildspec once, and what becomes of it with the login once; a pull of an image parses none."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from remediator.core.buildspec import phases
from remediator.core.buildspec.edit import add_login
from remediator.core.buildspec.yaml_text import read_yaml
from remediator.steps.diagnose import Examination
from tests.workflow.account import Account
from tests.workflow.commands import CURATED, INLINE, in_repository, inline

NAMES_A_VARIABLE = INLINE.replace("commands:\n", "commands:\n      - echo $DOCKERHUB_USERNAME\n", 1)
MISSES = INLINE.replace("commands:\n", "commands:\n      - docker login -u a -p b registry-1.docker.io || true\n", 1)
WITH_A_SHELL = INLINE.replace("phases:", "env:\n  shell: bash\nphases:", 1)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each text was parsed within the step `diagnose`."""
    counted: Counter[str] = Counter()
    inside: list[bool] = []
    read, examine = read_yaml, Examination.examine

    def count(text: str) -> Any:
        if inside:
            counted[text] += 1
        return read(text)

    def diagnose(self: Examination, *arguments: Any) -> Any:
        inside.append(True)
        try:
            return examine(self, *arguments)
        finally:
            inside.pop()

    monkeypatch.setattr(phases, "read_yaml", count)
    monkeypatch.setattr(Examination, "examine", diagnose)
    return counted


@pytest.fixture(autouse=True)
def _commands(account: Account) -> None:
    account.agent = account.run_commands()


@pytest.mark.parametrize("buildspec", [INLINE, NAMES_A_VARIABLE, MISSES, WITH_A_SHELL])
def test_an_inline_buildspec_is_parsed_once_and_once_with_the_login_in_it(
    account: Account, parsed: Counter[str], buildspec: str
) -> None:
    outcome = account.remediate(inline(account, buildspec))

    assert outcome["outcome"] == "remediated", outcome["reason"]
    assert parsed == {buildspec: 1, add_login(buildspec): 1}


def test_a_buildspec_that_is_refused_is_parsed_once(account: Account, parsed: Counter[str]) -> None:
    signs_in_too_late = INLINE + "      - docker login -u a -p b || false\n"

    outcome = account.remediate(inline(account, signs_in_too_late))

    assert outcome["outcome"] == "advised", outcome["reason"]
    assert parsed == {signs_in_too_late: 1}


def test_an_overridden_buildspec_and_the_projects_own_are_parsed_once_each(
    account: Account, parsed: Counter[str]
) -> None:
    account.create_project(environment=CURATED, source={"type": "NO_SOURCE", "buildspec": INLINE})
    another = INLINE.replace("build:", "pre_build:", 1)

    outcome = account.remediate(account.failed_build(buildspecOverride=another))

    assert "another buildspec" in outcome["reason"]
    assert max(parsed.values()) == 1
    assert set(parsed) <= {another, add_login(another), INLINE}


def test_a_build_from_before_the_repair_has_its_buildspec_parsed_once_and_the_repaired_one_compared_and_read(
    account: Account, parsed: Counter[str]
) -> None:
    first = inline(account)
    second = account.failed_build()
    account.remediate(first)
    parsed.clear()

    assert account.remediate(second)["outcome"] == "remediated"
    assert parsed == {INLINE: 1, add_login(INLINE): 2}


def test_a_buildspec_in_the_repository_is_not_parsed(account: Account, parsed: Counter[str]) -> None:
    assert account.remediate(in_repository(account))["outcome"] == "remediated, unproven"
    assert parsed == {}


def test_a_failed_pull_of_the_image_parses_nothing_unless_the_buildspec_names_a_variable(
    account: Account, parsed: Counter[str]
) -> None:
    account.create_project(source={"type": "NO_SOURCE", "buildspec": INLINE})
    account.create_project("names", source={"type": "NO_SOURCE", "buildspec": NAMES_A_VARIABLE})

    account.remediate(account.failed_build())
    assert parsed == {}

    account.remediate(account.failed_build("names"))
    assert parsed == {NAMES_A_VARIABLE: 1}
