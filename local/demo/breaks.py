"""The six things that `make demo BREAK=…` breaks on purpose, each in a copy of the functions' source or in the secret.

The demo has a claim of the same name for each: it has to be found broken.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from local.aws.launch import ROOT

_DIAGNOSIS = "core/diagnosis/diagnosis.py"
COPIED = ("template.yaml", "samconfig.toml", "src", "artifact", "bootstrap.py", "pyproject.toml", "uv.lock")


@dataclass(frozen=True)
class Edit:
    """Replace `old`, which stands exactly once in the file, by `new`."""

    file: str
    old: str
    new: str


BREAKS: dict[str, tuple[Edit, ...]] = {
    "patch-first": (
        Edit(
            "workflow/repair.py",
            "        granted = self._grant(case)\n",
            "        self._patch(case)\n        granted = self._grant(case)\n",
        ),
    ),
    "no-grant": (Edit("steps/grant.py", "self.services.iam.attach(change.role_name, change.policy_arn)", "pass"),),
    "wrong-password": (),
    "drop-member": (Edit("aws/codebuild.py", 'params["body"] = json.dumps(self._whole_request).encode()', "pass"),),
    "no-lease": (
        Edit(
            "aws/executions.py",
            'DurableExecutionName=f"{build.uuid}-{attempt}"',
            "DurableExecutionName=f\"{build.uuid}-{__import__('time').time_ns()}\"",
        ),
        Edit(
            "records/journal.py",
            '"attribute_not_exists(execution) OR execution = :me OR attempt < :attempt"',
            '"attribute_not_exists(execution) OR NOT execution = :me OR attempt < :attempt OR execution = :me"',
        ),
        Edit(
            "records/journal.py",
            '"(attribute_not_exists(execution) OR execution IN (:me, :evict))"',
            '"(attribute_not_exists(execution) OR execution IN (:me, :evict) OR NOT execution = :me)"',
        ),
    ),
    "other-registry": (
        Edit(_DIAGNOSIS, "    if registry != DOCKER_HUB:\n", "    if False:\n"),
        Edit(
            "core/diagnosis/diagnosis.py",
            "    if throttle and registry not in (DOCKER_HUB, None):\n",
            "    if False:\n",
        ),
        Edit(_DIAGNOSIS, "    if cause is Cause.ANONYMOUS_LIMIT:\n", "    if True:\n"),
        Edit(
            "core/repair/sign_in.py",
            'return ImageReference.parse(str(environment.get("image", ""))).is_docker_hub',
            "return True",
        ),
    ),
}
"""`wrong-password` breaks the secret, not the source."""


def broken_source(name: str, folder: Path) -> Path:
    """A copy of what `sam build` needs, with this break's edits; ROOT itself when it edits nothing.

    ValueError when an edit's text does not stand exactly once in its file: then the break would break nothing.
    """
    if not BREAKS[name]:
        return ROOT
    folder.mkdir(parents=True)
    for item in COPIED:
        source = ROOT / item
        if source.is_dir():
            shutil.copytree(source, folder / item)
        else:
            shutil.copy2(source, folder / item)
    (folder / ".tools").symlink_to(ROOT / ".tools")
    for edit in BREAKS[name]:
        apply(edit, folder / "src" / "remediator")
    return folder


def apply(edit: Edit, package: Path) -> None:
    path = package / edit.file
    text = path.read_text(encoding="utf-8")
    if text.count(edit.old) != 1:
        raise ValueError(f"{edit.file} holds {text.count(edit.old)} times, not once: {edit.old!r}")
    path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
