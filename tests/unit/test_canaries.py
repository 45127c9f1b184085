"""The check for canaries: it finds each of them however it is written, and a run in which one comes out fails."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from remediator.aws.secret import Credentials
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot
from tests import canaries
from tests.unit import given
from tests.unit.checkpoints import text_of

ROOT = Path(__file__).parents[2]

WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "in JSON": json.dumps,
    "in JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "in an address": quote,
    "in base64": lambda value: base64.b64encode(value.encode()).decode(),
    "in base64 after one byte": lambda value: base64.b64encode(b"x" + value.encode()).decode(),
    "in base64 after two bytes": lambda value: base64.b64encode(b"xy" + value.encode()).decode(),
}


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("kind", canaries.CANARIES)
def test_every_canary_is_found_however_it_is_written(kind: str, way: str) -> None:
    for value in canaries.CANARIES[kind]:
        with canaries.apart() as capture:
            canaries.saw("a log line", f"before {WRITTEN[way](value)} after")
        _, leaks = capture.taken()
        assert leaks, (kind, way)
        assert all(value not in str(leak) for leak in leaks), "it shows the canary itself"
        assert "a log line" in str(leaks[0])


def test_what_holds_none_is_no_leak() -> None:
    with canaries.apart() as capture:
        canaries.saw("a log line", "the secret's key password is missing, empty or no string")
    assert capture.taken() == (1, ())


def test_where_a_canary_has_to_be_it_is_no_leak_and_elsewhere_it_is() -> None:
    (value,) = canaries.CANARIES[next(iter(canaries.OF_THE_PROJECT))][:1]
    with canaries.apart() as capture:
        canaries.saw("a request", value, canaries.OF_THE_PROJECT)
        assert capture.taken() == (1, ())
        canaries.saw("a request", value)
        assert capture.taken()[1]


def test_what_holds_the_credentials_does_not_show_them() -> None:
    told = f"{Credentials(canaries.USER, canaries.PASSWORD, canaries.AUTH)!r}"
    with canaries.apart() as capture:
        canaries.saw("an exception", told)
    assert capture.taken() == (1, ())


def told_of_a_project(snapshot: Snapshot, build: Build) -> str:
    """All that a diagnosis and its plan tell of a project: what a checkpoint keeps, and what a person is shown."""
    found = given.case(build, snapshot, given.throttled(), pushes=False)
    shown = [change.show() for change in found.plan.changes]
    return json.dumps([text_of(found), shown, given.advice(found)])


@pytest.mark.parametrize("image", [given.IMAGE, given.STANDARD_IMAGE])
@pytest.mark.parametrize("buildspec", [given.BUILDSPEC, "", "ci/build.yml"])
def test_nothing_that_a_plan_tells_holds_what_is_the_projects_own(image: str, buildspec: str) -> None:
    webhook = {"secret": canaries.WEBHOOK_SECRET, "url": "https://x"}
    source = {
        "type": "GITHUB",
        "location": f"https://{canaries.SOURCE_TOKEN}@github.com/x/y.git",
        "buildspec": buildspec,
    }
    own = {"image": image, "environmentVariables": [canaries.PLAINTEXT]}
    more = {"image": image, "environmentVariables": [{**canaries.PLAINTEXT, "name": "OTHER"}]}
    snapshot = given.snapshot(env=own, source=source, webhook=webhook)
    with canaries.apart() as capture:
        for env in (own, more):
            pulled = given.build(env=env, source=source)
            command = given.throttled_command(image=image, buildspec=buildspec, env=env)
            for build in (pulled, command):
                canaries.saw("a plan", told_of_a_project(snapshot, build))
    assert capture.taken() == (4, ())


LEAKING = """
import logging, sys
from tests import canaries

def test_a_log_line():
    logging.getLogger("x").warning("tried %s", canaries.PASSWORD)

def test_stdout():
    print(canaries.AUTH)

def test_stderr():
    print(canaries.USER, file=sys.stderr)

def test_what_was_seen():
    canaries.saw("the checkpoint of patch", canaries.SOURCE_TOKEN)

def test_nothing():
    print("nothing")
"""


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_test_in_which_a_canary_comes_out_fails(tmp_path: Path, processes: str) -> None:
    """A run of its own, with the hooks of this one; what several processes looked through is added up."""
    (tmp_path / "test_leaks.py").write_text(LEAKING)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-n",
        processes,
    ]
    ran = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "4 failed, 1 passed" in ran.stdout
    assert re.search(r"canaries: [0-9]+ texts of 5 tests were looked through", ran.stdout), ran.stdout
    told = ran.stdout.partition("What came out held what must never come out")[2]
    assert canaries.SOURCE_TOKEN not in told
    assert "the checkpoint of patch" in ran.stdout
