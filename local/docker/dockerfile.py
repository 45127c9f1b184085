"""Which images a build of a Dockerfile fetches."""

from __future__ import annotations

import re

_ARG = re.compile(r"ARG\s+(\w+)(?:=(.*))?", re.IGNORECASE)
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COPY = re.compile(r"(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=(\S+)", re.IGNORECASE)
_SYNTAX = re.compile(r"#\s*syntax\s*=\s*(\S+)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")


class Needed(list[tuple[int, str]]):
    """(line, image) in the order of the file, each image once; a stage's name and `scratch` are none."""

    def add(self, line: int, image: str) -> None:
        if image not in [known for _, known in self]:
            self.append((line, image))


def images(text: str, arguments: dict[str, str]) -> Needed:
    """The images that the Dockerfile names, with `--build-arg` values; the frontend of a `# syntax=` line first."""
    needed, stages, values = Needed(), {"scratch"}, dict[str, str]()
    syntax = _SYNTAX.match(text)
    if syntax:
        needed.add(1, syntax[1])
    for number, line in _instructions(text):
        if argument := _ARG.match(line):
            default = (argument[2] or "").strip("\"'")
            values[argument[1]] = arguments.get(argument[1], default)
        elif stage := _FROM.match(line):
            image = _filled(stage[1], values)
            if image.lower() not in stages:
                needed.add(number, image)
            if stage[2]:
                stages.add(stage[2].lower())
        elif (copied := _COPY.match(line)) and not copied[1].isdigit() and copied[1].lower() not in stages:
            needed.add(number, copied[1])
    return needed


def _instructions(text: str) -> list[tuple[int, str]]:
    """Each instruction on one line, with the number of its first."""
    found: list[tuple[int, str]] = []
    started, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        started = started or number
        parts.append(line.removesuffix("\\").rstrip())
        if not line.endswith("\\"):
            found.append((started, " ".join(parts)))
            started, parts = 0, []
    return found


def _filled(text: str, values: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda name: values.get(name[1] or name[3]) or name[2] or "", text)
