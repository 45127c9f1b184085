"""The login of a repair is found again in a buildspec, and cut out without a trace or not at all."""

from __future__ import annotations

import pytest

from remediator.core.buildspec.edit import find_login_place
from remediator.core.buildspec.phases import BuildspecText
from remediator.core.repair.sign_in import SignIn
from remediator.core.repair.signed_in import login_lines
from tests.unit.given import SECRET
from undo.login import find_login

LOGINS = login_lines(SignIn(SECRET, "arn:aws:iam::123456789012:policy/grant"))

LINES = {
    "list": "version: 0.2\nphases:\n  build:\n    commands:\n      - docker build .\n",
    "list at its key": "version: 0.2\nphases:\n  build:\n    commands:\n    - docker build .  # why\n    - make\n",
    "CRLF": "version: 0.2\r\nphases:\r\n  build:\r\n    commands:\r\n      - docker build .\r\n",
    "no last line break": "version: 0.2\nphases:\n  build:\n    commands:\n      - docker build .",
    "a new phase": "phases:\n  build:\n    commands: docker build .\n",
    "new commands": "phases:\n  install:\n    finally: [a]\n  build:\n    commands:\n      - b\n",
    "a comment above": "phases:\n  build:\n    commands:\n      # build it\n      - docker build .\n",
    "finally only": "phases:\n  build:\n    finally:\n      - docker build .\n    commands:\n      - make\n",
    "run-as": "run-as: maria\nphases:\n  build:\n    commands:\n      - docker build .\n",
}
ONE_COMMAND = "phases:\n  build:\n    run-as: maria\n    commands: docker build .\n"
"""Its key and its command are split by the login."""
NO_COMMANDS = "phases:\n  install:\n    commands:\n    finally: [a]\n  build:\n    commands:\n      - b\n"
BRACKETS = {
    "a list in brackets": "phases:\n  build:\n    commands: [a, b]\n",
    "JSON": '{"version": 0.2, "phases": {"build": {"commands": ["docker build ."]}}}',
    "flow": "version: 0.2\nphases: {build: {commands: [docker build .]}}\n",
}


def with_login(text: str) -> tuple[str, str]:
    """The buildspec after its repair, and the inserted text as the journal keeps it."""
    added = find_login_place(BuildspecText(text))
    assert added is not None
    return added.after.text, added.insertion.text


@pytest.mark.parametrize("text", [*LINES.values(), *BRACKETS.values(), ONE_COMMAND, NO_COMMANDS])
def test_what_the_journal_has_is_cut_out(text: str) -> None:
    after, inserted = with_login(text)
    found = find_login(after, LOGINS, [inserted])
    assert found is not None
    assert found.revert({"buildspec": after}) == {"buildspec": text}
    assert found.command in LOGINS


@pytest.mark.parametrize("text", LINES.values(), ids=LINES)
def test_a_login_on_a_line_of_its_own_is_found_without_the_journal(text: str) -> None:
    after, _ = with_login(text)
    found = find_login(after, LOGINS, [])
    assert found is not None
    assert found.revert({"buildspec": after}) == {"buildspec": text}


@pytest.mark.parametrize("text", BRACKETS.values(), ids=BRACKETS)
def test_one_in_brackets_is_not_found_without_the_journal(text: str) -> None:
    after, _ = with_login(text)
    assert find_login(after, LOGINS, []) is None


@pytest.mark.parametrize("text", [ONE_COMMAND, NO_COMMANDS])
def test_without_the_journal_the_commands_are_as_before_and_the_text_may_differ(text: str) -> None:
    after, _ = with_login(text)
    found = find_login(after, LOGINS, [])
    assert found is not None
    assert BuildspecText(found.revert({"buildspec": after})["buildspec"]).says == BuildspecText(text).says


def test_comments_of_the_owners_above_the_login_stay() -> None:
    after, _ = with_login(LINES["list"])
    commented = after.replace("      - (", "      # ours, see the wiki\n      - (", 1)
    found = find_login(commented, LOGINS, [])
    assert found is not None
    assert "# ours, see the wiki" in found.revert({"buildspec": commented})["buildspec"]


def test_a_phase_that_the_owner_has_added_commands_to_keeps_them() -> None:
    after, inserted = with_login(LINES["a new phase"])
    assert "commands" in inserted
    edited = after.replace("|| true\n", "|| true\n      - make tools\n", 1)
    found = find_login(edited, LOGINS, [inserted])
    assert found is not None
    assert "- make tools" in found.revert({"buildspec": edited})["buildspec"]


def test_a_cut_that_would_change_something_else_is_not_made() -> None:
    """The one command has become a list by the repair, and the owner has added to it since."""
    after, inserted = with_login(ONE_COMMAND)
    edited = after.replace("- docker build .\n", "- docker build .\n    - make\n")
    assert edited != after
    found = find_login(edited, LOGINS, [inserted])
    assert found is not None
    reverted = BuildspecText(found.revert({"buildspec": edited})["buildspec"])
    assert [phase.commands for phase in reverted.says.phases] == [("docker build .", "make")]


@pytest.mark.parametrize("edit", [("|| true", ""), ("docker login", "docker login docker.io"), ("- (", "- time (")])
def test_a_login_that_somebody_edited_is_not_found(edit: tuple[str, str]) -> None:
    after, inserted = with_login(LINES["list"])
    edited = after.replace(*edit, 1)
    assert edited != after
    assert find_login(edited, LOGINS, [inserted]) is None


def test_a_login_that_stands_there_twice_is_not_found() -> None:
    after, inserted = with_login(LINES["list"])
    assert find_login(after.replace(inserted, inserted * 2), LOGINS, [inserted]) is None


@pytest.mark.parametrize("text", ["", "no buildspec", "phases: [", "buildspec.yml", "phases: {}\n"])
def test_what_is_no_buildspec_has_no_login(text: str) -> None:
    assert find_login(text, LOGINS, ["      - docker login\n", ""]) is None
