"""Every buildspec of the corpora gets its login, keeps the one it has, or is refused, as the corpus says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from remediator.core.buildspec.docker_commands import Action, docker_acts
from remediator.core.buildspec.edit import BuildspecError, add_login, find_login_place
from remediator.core.buildspec.login_line import login_command
from remediator.core.buildspec.phases import BuildspecText
from tests.corpora.corpus import SHARED, Case, Corpus

Record = Callable[[str, object], None]

FOLDER = SHARED / "buildspecs"
LOGINS = [login_command(shell, "DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD") for shell in ("posix", "powershell")]
ONE_LINE_LISTS = {"flow.yml", "flow-list.yml"}
"""The login goes into the line that holds the whole list."""


def expectations() -> Corpus:
    """The cases of expect.yaml, which is a mapping: one for each file, counted in the folder."""
    if not FOLDER.is_dir():
        pytest.skip(f"the shared corpora are not here ({FOLDER})")
    expected = yaml.safe_load((FOLDER / "expect.yaml").read_text(encoding="utf-8"))
    files = [path for path in FOLDER.iterdir() if path.name != "expect.yaml"]
    return Corpus("buildspecs", [{"file": name, **case} for name, case in expected.items()], len(files))


def wrong_login(case: Case) -> str | None:
    text = (FOLDER / case["file"]).read_bytes().decode("utf-8")
    try:
        new = add_login(text)
    except BuildspecError as error:
        return None if case["login"] == "refused" else f"{case['file']}: refused: {error}"
    found = "present" if new == text else "added"
    if found != case["login"]:
        return f"{case['file']}: {found}, not {case['login']}"
    return wrong_addition(case["file"], text, new) if found == "added" else None


def wrong_addition(name: str, text: str, new: str) -> str | None:
    added = find_login_place(BuildspecText(text))
    if added is None or added.insertion.apply(text) != new or added.insertion.revert(new) != text:
        return f"{name}: no single insertion"
    if add_login(new) != new:
        return f"{name}: added twice"
    commands = [command for phase in BuildspecText(new).says.phases for command in phase.scripts]
    before = [command for phase in BuildspecText(text).says.phases for command in phase.scripts]
    if commands[0] not in LOGINS or commands[1:] != before:
        return f"{name}: the login is not one more command, the first"
    remaining = iter(new.splitlines(keepends=True))
    if name not in ONE_LINE_LISTS and not all(line in remaining for line in text.splitlines(keepends=True)):
        return f"{name}: a line changed"
    return None


def wrong_registry(case: Case) -> str | None:
    logins = [act.registry for act in docker_acts(case["command"]) if act.action is Action.LOGIN]
    wanted = [] if case["registry"] in {"none", "script"} else [case["registry"].removeprefix("other:")]
    if case["command"].startswith('echo "If authentication failed'):
        # The command only shows a login to whoever reads the log.
        wanted = []
    return None if logins == wanted else f"{case['command']!r}: {logins}, not {wanted}"


def test_every_buildspec_is_changed_kept_or_refused_as_it_says(record_property: Record) -> None:
    expectations().check(wrong_login, record_property)


def test_every_sign_in_command_is_read_as_it_says(record_property: Record) -> None:
    Corpus.shared("login-commands.yaml").check(wrong_registry, record_property)
