"""The checks of checkov that template.yaml skips: each has a reason, and each would fail without being skipped."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.template import TEMPLATE, document

ROOT = TEMPLATE.parent
CHECKOV = ROOT / ".tools" / "checkov"


def skips() -> Iterator[tuple[str, Any]]:
    """Resource, as checkov names it, and entry of each skip."""
    for name, resource in document()["Resources"].items():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            yield f"{resource['Type']}.{name}", skip


def test_every_skipped_check_has_its_reason() -> None:
    for resource, skip in skips():
        assert skip.keys() == {"id", "comment"}, resource
        assert len(skip["comment"]) >= 20, (resource, skip)


@pytest.mark.slow
def test_what_is_skipped_is_what_fails_without_the_skips(tmp_path: Path) -> None:
    # Both of checkov's forms are made unreadable, Metadata and comments: what only a comment skips is found out too.
    copy = tmp_path / "template.yaml"
    copy.write_text(TEMPLATE.read_text(encoding="utf-8").replace("checkov:", "unread:"), encoding="utf-8")
    run = subprocess.run(
        [CHECKOV / "bin/checkov", "--file", copy, "--output", "json"],
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(CHECKOV), "CKV_SKIP_PACKAGE_UPDATE_CHECK": "1"},
        capture_output=True,
        text=True,
    )
    report = json.loads(run.stdout)
    failed = {(check["resource"], check["check_id"]) for check in report["results"]["failed_checks"]}
    assert failed == {(resource, skip["id"]) for resource, skip in skips()}
    assert (report["summary"]["skipped"], run.returncode) == (0, 1)
