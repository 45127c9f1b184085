"""`make invoke` and `make demo` answer wrong input with a sentence and a status, never with a traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import invoke
from local.aws.launch import ROOT
from local.demo import __main__ as demo


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = invoke.main([*arguments])
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "is empty"), ("  \n", "is empty"), ("{", "is no JSON"), (b"\xff\xfe", "can't be read")],
)
def test_a_file_that_is_no_event_is_answered_with_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | bytes, words: str
) -> None:
    path = tmp_path / "event.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    status, told = said(capsys, str(path))

    assert status == 1
    assert told.startswith("invoke: ")
    assert words in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(("name", "words"), [("events", "is a folder"), ("events/no-such.json", "there is no file")])
def test_a_name_that_is_no_file_is_answered_with_what_it_is(
    capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    status, told = said(capsys, str(ROOT / name))

    assert status == 1
    assert words in told


@pytest.mark.parametrize(
    ("answer", "status"),
    [({"error": "`project` is missing"}, 1), ({"project": "orders", "outcome": "planned"}, 0), (None, 0)],
)
def test_an_answer_that_is_an_error_ends_with_a_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Any, status: int
) -> None:
    monkeypatch.setattr(invoke, "invoke", lambda _: answer)

    assert invoke.main(["events/plan.json"]) == status
    assert capsys.readouterr().out.strip()


ALIAS = "arn:aws:lambda:eu-central-1:000000000000:function:remediator:live"


def test_an_event_is_sent_as_if_it_came_from_the_local_aws() -> None:
    whole = invoke.as_from(ALIAS, (ROOT / "events/command-failed.json").read_text(encoding="utf-8"))
    event = json.loads(whole)
    assert (event["account"], event["region"]) == ("000000000000", "eu-central-1")
    assert event["detail"]["build-id"].startswith("arn:aws:codebuild:eu-central-1:000000000000:build/")


@pytest.mark.parametrize(
    "event", ['{"command": "plan", "project": "orders"}', '["account"]', '{"account": 7, "region": ""}']
)
def test_what_names_no_place_is_sent_as_it_is(event: str) -> None:
    assert invoke.as_from(ALIAS, event) == event


def test_a_break_that_is_none_ends_the_demo_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["local.demo"])
    monkeypatch.setenv("BREAK", "no-such-break")

    with pytest.raises(SystemExit) as ended:
        demo.main()

    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "there is no break 'no-such-break'" in told
    assert "no-grant" in told


@pytest.mark.parametrize(
    ("report", "words"),
    [("None\n", "The journal has no such build."), ('{"advice": ["one", "two"]}\n', "one\n\ntwo")],
)
def test_the_line_of_the_readme_that_shows_advice_takes_a_wrong_id(report: str, words: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    line = re.search(r"python3 -c '(\nimport json, sys\nreport = .*?)'\n", readme, re.DOTALL)
    assert line

    done = subprocess.run([sys.executable, "-c", line[1]], input=report, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == (words, "")
