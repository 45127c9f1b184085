"""local/aws/README.md: one table says what local AWS adds to MiniStack, and why."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import local.aws

FOLDER = Path(local.aws.__file__).parent
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
HEAD, _, *ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("|")
]


def changes_ministack(source: str) -> bool:
    """Whether a module puts something of its own into one of MiniStack's."""
    tree = ast.parse(source)
    theirs = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "ministack"
        for alias in node.names
    }
    targets = [target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets]
    return any(owner(target) in theirs for target in targets if not isinstance(target, ast.Name))


def owner(target: ast.expr) -> str:
    """`iam` for `iam._roles["x"]`."""
    while isinstance(target, ast.Attribute | ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def test_every_module_that_changes_ministack_has_a_row_and_no_other_has() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py") if changes_ministack(path.read_text(encoding="utf-8"))}
    assert {row[0].strip("`") for row in ROWS} == modules


def test_every_row_says_what_aws_does_what_ministack_does_and_how_the_gap_is_closed() -> None:
    assert all(len(row) == len(HEAD) == 4 and all(row) for row in ROWS)


def test_the_table_is_about_the_version_that_is_installed() -> None:
    project = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    (pinned,) = (one for one in project["dependency-groups"]["local"] if one.startswith("ministack"))
    assert HEAD[2] == f"MiniStack {pinned.partition('==')[2]}"


def test_a_change_of_ministack_is_noticed_where_it_is_made() -> None:
    assert changes_ministack("from ministack.core import router\nrouter.PATTERNS['x'] = {}")
    assert changes_ministack("def install():\n    from ministack import app\n    app.handle = handle")
    assert not changes_ministack("from ministack.core import router\npatterns = router.PATTERNS")
