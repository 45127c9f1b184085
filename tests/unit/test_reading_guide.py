"""docs/reading-guide.md lists every file through which a writing call goes, and the check of that says no."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from local.permissions import either, statements
from local.template import TEMPLATE, document
from tests.reading_guide import (
    MOST_LINES,
    NOWHERE,
    OPERATIONS,
    PAGE,
    SOURCE,
    STEP,
    STORY,
    WRITES,
    Guide,
    Trail,
    compare,
    lines_of,
    section,
    trails,
)

TEXT = PAGE.read_text(encoding="utf-8")
GUIDE = Guide.read(TEXT)
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
UNLISTED = [name for name in MODULES if name not in GUIDE.writers]
METHODS = {xform_name(operation) for operation in OPERATIONS}

READS = ("Get", "List", "BatchGet", "Describe", "Filter", "ConditionCheck")
OUR_OWN = {
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "lambda:CheckpointDurableExecution",
    "lambda:InvokeFunction",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sns:Publish",
    "sqs:SendMessage",
}
"""Journal, notices, Remediator, checkpoints, dead letters and logs: the stack's own."""
NO_CALL = {"iam:PassRole"}

# --- The page -------------------------------------------------------------------------------------------------------


def test_the_page_names_the_writing_calls_and_the_template_allows_no_other_write() -> None:
    told = set(re.findall(r"`(\w+)`", section(TEXT, "What counts as a write").partition("| service |")[2]))
    assert told == OPERATIONS
    held = [each for each in statements(document()) if each.holder.startswith(("Intake", "Remediator"))]
    actions = {action for each in held for action in either(each.body["Action"])}
    writes = {action for action in actions if not action.partition(":")[2].startswith(READS)}
    assert writes - OUR_OWN - NO_CALL == WRITES


def test_what_has_to_be_read_first_is_short_enough() -> None:
    assert GUIDE.writers
    assert lines_of(GUIDE.writers) <= MOST_LINES


@pytest.mark.parametrize("file", [*GUIDE.writers, *GUIDE.story, *GUIDE.content])
def test_a_file_has_about_as_many_lines_as_the_page_says(file: str) -> None:
    told = {**GUIDE.writers, **GUIDE.story, **GUIDE.content}[file]
    assert abs(lines_of([file]) - told) <= max(20, told // 5), f"{file} has {lines_of([file])} lines, not {told}"


def test_the_page_says_about_how_much_there_is_to_read() -> None:
    (lines, files), *_ = re.findall(r"About ([\d,]+) lines in (\d+) files", TEXT)
    assert int(files) == len(GUIDE.writers)
    assert abs(lines_of(GUIDE.writers) - int(lines.replace(",", ""))) <= 100
    (together,) = re.findall(r"With these two it is about ([\d,]+) lines", TEXT)
    assert abs(lines_of([*GUIDE.writers, *GUIDE.story]) - int(together.replace(",", ""))) <= 100


def test_everything_else_is_named_as_what_can_be_skipped() -> None:
    told = set(re.findall(r"`([\w/.]+)`", section(TEXT, "What can be skipped")))
    listed = {*GUIDE.writers, *GUIDE.story, *GUIDE.content}
    rest = {name if "/" not in name else name.rpartition("/")[0] + "/" for name in MODULES if name not in listed}
    assert rest <= told
    assert {name for name in told if name.endswith("/")} <= rest


# --- The source -----------------------------------------------------------------------------------------------------


def tree(module: str) -> ast.Module:
    return ast.parse((SOURCE / module).read_text(encoding="utf-8"))


def called(code: ast.AST) -> set[str]:
    """The methods that some code calls, on whatever."""
    calls = (node.func for node in ast.walk(code) if isinstance(node, ast.Call))
    return {function.attr for function in calls if isinstance(function, ast.Attribute)}


def writing_methods() -> set[str]:
    """The methods of aws/ in which a writing call stands."""
    listed = (module for module in GUIDE.writers if module.startswith("aws/"))
    functions = (node for module in listed for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef))
    return {function.name for function in functions if called(function) & METHODS}


@pytest.mark.parametrize("module", UNLISTED)
def test_a_file_that_is_not_listed_calls_nothing_that_writes(module: str) -> None:
    assert not called(tree(module)) & METHODS


# `update` is a method of the journal's table and of dictionaries too. records/ is given that table and the notices,
# core/ nothing.
@pytest.mark.parametrize("module", [name for name in UNLISTED if not name.startswith(("core/", "records/"))])
def test_a_file_that_is_not_listed_asks_aws_for_no_write(module: str) -> None:
    assert len(writing_methods()) == len(METHODS)
    assert not called(tree(module)) & writing_methods()


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_method_of_a_writing_call_is_found_in_a_listed_file(method: str) -> None:
    assert any(method in called(tree(module)) for module in GUIDE.writers)


def test_the_command_on_the_page_finds_every_writing_call() -> None:
    (pattern,) = re.findall(r"grep -rnE '(.+)' src/remediator", TEXT)
    assert {name for name in re.findall(r"\w+", pattern) if name != "_client"} == METHODS
    found = {name: len(re.findall(pattern, (SOURCE / name).read_text(encoding="utf-8"))) for name in MODULES}
    assert sum(found.values()) == len(METHODS)
    assert {name for name, times in found.items() if times} <= GUIDE.writers.keys()


# --- The check ------------------------------------------------------------------------------------------------------

SMALL = Guide({"aws/iam.py": 57, "steps/grant.py": 240}, {"handler.py": 23}, {})
SEEN: list[Trail] = [
    ("AttachRolePolicy", STEP, "aws/iam.py"),
    ("AttachRolePolicy", STEP, "steps/grant.py"),
    ("AttachRolePolicy", STORY, "handler.py"),
]


def test_a_guide_that_lists_what_writes_go_through_has_no_faults() -> None:
    compared = compare(SMALL, SEEN, whole=True)
    assert compared.faults == ()
    assert list(compared.told()) == [f"reading guide: 2 files, {lines_of(SMALL.writers)} lines; 0 missing"]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("file", ["steps/patch.py", "handler.py", NOWHERE])
def test_a_file_that_a_write_went_through_and_the_guide_does_not_list_is_missing(file: str, whole: bool) -> None:
    compared = compare(SMALL, [*SEEN, ("UpdateProject", STEP, file)], whole=whole)
    assert compared.faults == (f"UpdateProject went through {file}, which the reading guide does not list",)
    assert list(compared.told())[-1].endswith("; 1 missing")


def test_what_stands_above_the_engine_has_to_be_listed_too() -> None:
    seen: list[Trail] = [*SEEN, ("AttachRolePolicy", STORY, "workflow/story.py")]
    assert "through workflow/story.py," in compare(SMALL, seen, whole=False).missing[0]
    assert compare(SMALL, [*SEEN, ("AttachRolePolicy", STORY, "steps/grant.py")], whole=True).faults == ()


def test_a_listed_file_that_no_write_went_through_is_one_too_many_in_a_whole_run_alone() -> None:
    assert compare(SMALL, SEEN[:1], whole=False).faults == ()
    above: Trail = ("AttachRolePolicy", STORY, "steps/grant.py")
    assert compare(SMALL, [*SEEN[:1], above], whole=True).faults == (
        "the reading guide lists steps/grant.py, through which no writing call went",
    )


def test_a_first_section_that_is_too_long_is_a_fault() -> None:
    lines = lines_of(SMALL.writers)
    assert compare(SMALL, SEEN, whole=False, most_lines=lines).faults == ()
    assert compare(SMALL, SEEN, whole=False, most_lines=lines - 1).faults == (
        f"the first section of the reading guide has {lines} lines, more than {lines - 1}",
    )


def within(*modules: str) -> set[Trail]:
    """The trails of a call that the last of these modules makes, each called by the one before it."""
    call: Any = None
    for number, name in enumerate(reversed(modules)):
        space: dict[str, Any] = {"__name__": name, "call": call, "trails": trails, "frame": sys._getframe}
        code = "call()" if number else "trails('StartBuild', frame())"
        exec(f"def made(): return {code}", space)  # noqa: S102 # the frame has to be that module's
        call = space["made"]
    found: set[Trail] = call()
    return found


def test_the_engine_parts_the_files_of_a_step_from_those_above_it() -> None:
    engine = "aws_durable_execution_sdk_python.operation.step"
    found = within(
        "remediator.workflow.story", engine, "remediator.steps.patch", "remediator.aws.codebuild", "botocore"
    )
    assert found == {
        ("StartBuild", STEP, "aws/codebuild.py"),
        ("StartBuild", STEP, "steps/patch.py"),
        ("StartBuild", STORY, "workflow/story.py"),
    }


def test_a_call_of_a_test_is_none_of_the_functions_even_within_a_step() -> None:
    assert within("remediator.steps.credentials", "tests.workflow.test_canaries", "tests.workflow.watched") == set()
    assert within("tests.unit.test_x", "remediator.aws.iam") == {("StartBuild", STEP, "aws/iam.py")}


def test_a_call_that_comes_from_nowhere_is_told() -> None:
    assert trails("StartBuild", None) == {("StartBuild", STEP, NOWHERE)}


# --- The end of a run -----------------------------------------------------------------------------------------------

SUITE = """
from tests.permissions import RECORDED, Call
from tests.reading_guide import PAGE, STEP, Guide

def test_writes():
    listed = Guide.read(PAGE.read_text(encoding="utf-8")).writers
    RECORDED.calls[Call("Remediator", "codebuild:StopBuild")] += 1
    RECORDED.trails |= {("StopBuild", STEP, file) for file in listed if file != "LEFT OUT"}

def test_deployed():
    RECORDED.calls[Call("Remediator", "codebuild:StopBuild", where="deploy")] += 1
    RECORDED.trails |= {("StopBuild", STEP, file) for file in ["aws/codebuild.py", "ADDED"] if file}
    statement = {"Sid": "Stop", "Effect": "Allow", "Action": "codebuild:StopBuild", "Resource": "x"}
    RECORDED.policies.append({"Remediator": [statement]})
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a suite of its own, in which writes go through all listed files but one, and through one that is added."""

    def run(*arguments: str, left_out: str = "", added: str = "") -> subprocess.CompletedProcess[str]:
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p tests.permissions_plugin --import-mode=importlib")
        (tmp_path / "test_suite.py").write_text(SUITE.replace("LEFT OUT", left_out).replace("ADDED", added))
        root = TEMPLATE.parent
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
def test_a_whole_run_passes_when_the_guide_lists_what_was_seen(run: Any) -> None:
    result = run("-n", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"reading guide: \d+ files, \d+ lines; 0 missing", result.stdout)


@pytest.mark.slow
def test_a_run_fails_when_the_guide_lacks_a_file_that_any_process_saw(run: Any) -> None:
    result = run("-n", "2", "test_suite.py", added="aws/kms.py")
    assert (result.returncode, "2 passed" in result.stdout) == (1, True), result.stdout + result.stderr
    assert "StopBuild went through aws/kms.py, which the reading guide does not list" in result.stdout
    assert "; 1 missing" in result.stdout


@pytest.mark.slow
def test_a_whole_run_fails_when_the_guide_lists_a_file_too_many(run: Any) -> None:
    result = run(left_out="aws/iam.py")
    assert (result.returncode, "2 passed" in result.stdout) == (1, True), result.stdout + result.stderr
    assert "the reading guide lists aws/iam.py, through which no writing call went" in result.stdout


@pytest.mark.slow
def test_a_part_of_a_run_does_not_miss_what_it_did_not_run(run: Any) -> None:
    result = run("test_suite.py", left_out="aws/iam.py")
    assert (result.returncode, "; 0 missing" in result.stdout) == (0, True), result.stdout
