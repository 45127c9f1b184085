"""The demo's breaks still break something: each edit applies to the source as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from local.aws.launch import ROOT
from local.demo.breaks import BREAKS, Edit, apply


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "src" / "remediator", tmp_path / "remediator"))


@pytest.mark.parametrize("name", BREAKS)
def test_every_edit_of_a_break_applies_and_leaves_a_module_that_compiles(name: str, package: Path) -> None:
    for edit in BREAKS[name]:
        apply(edit, package)
        compile((package / edit.file).read_text(encoding="utf-8"), edit.file, "exec")


def test_an_edit_that_would_break_nothing_is_refused(package: Path) -> None:
    with pytest.raises(ValueError, match=r"hub\.py holds 0 times, not once"):
        apply(Edit("aws/dockerhub.py", "no such text", "x"), package)
