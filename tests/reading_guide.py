"""Which files of src/remediator a writing call goes through, and whether docs/reading-guide.md lists them.

tests/permissions.py takes the files from the call stack of every writing call; tests/permissions_plugin.py compares
them with the guide at the end of a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType

from local.template import TEMPLATE

WRITES = frozenset(
    {
        "codebuild:UpdateProject",
        "codebuild:StartBuild",
        "codebuild:RetryBuild",
        "codebuild:StopBuild",
        "codebuild:RetryBuildBatch",
        "codepipeline:RetryStageExecution",
        "iam:AttachRolePolicy",
        "iam:PutRolePolicy",
        "secretsmanager:PutResourcePolicy",
    }
)
"""The calls that write to anything that is not the stack's own."""

OPERATIONS = frozenset(action.partition(":")[2] for action in WRITES)
MOST_LINES = 1800
"""What the first section may come to."""

PAGE = TEMPLATE.parent / "docs" / "reading-guide.md"
SOURCE = TEMPLATE.parent / "src" / "remediator"
OURS, ENGINE = "remediator.", "aws_durable_execution_sdk_python."

# --- Calls ----------------------------------------------------------------------------------------------------------

STEP, STORY = "step", "story"
NOWHERE = "no file of src/remediator"

Trail = tuple[str, str, str]
"""The operation; STEP for a file between the call and the durable engine, STORY for one above the engine; the file."""


def trails(operation: str, frame: FrameType | None) -> set[Trail]:
    """The files on a call stack, `frame` being its innermost; none for a call that a test makes itself."""
    found: set[Trail] = set()
    place = STEP
    while frame:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith(ENGINE):
            place = STORY
        elif module.startswith(OURS):
            found.add((operation, place, module.removeprefix(OURS).replace(".", "/") + ".py"))
        elif not found and module.rpartition(".")[2].startswith("test_"):
            return set()
        frame = frame.f_back
    return found or {(operation, STEP, NOWHERE)}


# --- The guide ------------------------------------------------------------------------------------------------------

_ROW = re.compile(r"^\|.*?`([\w/]+\.py)`.*?\| (\d+) \|", re.MULTILINE)


@dataclass(frozen=True)
class Guide:
    """The files that the page lists, each with its number of lines: through which calls go, above the steps, and
    which make the content."""

    writers: Mapping[str, int]
    story: Mapping[str, int]
    content: Mapping[str, int]

    @classmethod
    def read(cls, text: str) -> Guide:
        titles = ("The files through which a write goes", "The story above them", "What decides the content")
        return cls(*({file: int(lines) for file, lines in _ROW.findall(section(text, title))} for title in titles))


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def lines_of(files: Iterable[str]) -> int:
    """How many lines these files have now; one that is gone has none."""
    paths = (SOURCE / file for file in files)
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths if path.exists())


# --- The comparison -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """`missing`: files that the guide lacks. `surplus`: files of its first section through which no writing call went,
    and a section that is too long. One sentence each."""

    files: int
    lines: int
    missing: tuple[str, ...]
    surplus: tuple[str, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        return (*self.missing, *self.surplus)

    def told(self) -> Iterator[str]:
        yield from self.faults
        yield f"reading guide: {self.files} files, {self.lines} lines; {len(self.missing)} missing"


def compare(guide: Guide, seen: Iterable[Trail], *, whole: bool, most_lines: int = MOST_LINES) -> Compared:
    """The guide against the trails of all writing calls. Only a `whole` run shows that a listed file is not needed."""
    seen = set(seen)
    unlisted = {
        f"{operation} went through {file}, which the reading guide does not list"
        for operation, place, file in seen
        if file not in guide.writers and not (place == STORY and file in guide.story)
    }
    lines = lines_of(guide.writers)
    surplus = [f"the first section of the reading guide has {lines} lines, more than {most_lines}"]
    surplus = surplus if lines > most_lines else []
    if whole:
        unused = guide.writers.keys() - {file for _, place, file in seen if place == STEP}
        surplus += [f"the reading guide lists {file}, through which no writing call went" for file in sorted(unused)]
    return Compared(len(guide.writers), lines, tuple(sorted(unlisted)), tuple(surplus))
