"""`make demo` finds out each thing that is broken on purpose, and names it (`make test-breaks`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.aws.launch import ROOT
from local.demo.breaks import BREAKS


@pytest.mark.breaks
@pytest.mark.parametrize("name", BREAKS)
def test_the_demo_ends_with_an_error_that_names_what_was_broken(name: str, tmp_path: Path) -> None:
    figures = tmp_path / "demo.json"
    command = [sys.executable, "-m", "local.demo", "--break", name, "--json", str(figures)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode != 0, result.stdout
    broken = [claim["name"] for claim in json.loads(figures.read_text())["claims"] if not claim["holds"]]
    assert name in broken, result.stdout
    assert name in result.stdout.splitlines()[-1]
