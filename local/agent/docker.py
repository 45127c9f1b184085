"""Puts the docker of local AWS on a build's PATH, or keeps the machine's own off it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

FOLDERS = (Path("/usr/local/bin"), Path("/usr/bin"), Path("/bin"))
_ROOT = Path(__file__).resolve().parents[2]


def write_command(folder: Path, settings: Mapping[str, str]) -> None:
    """Write an executable `docker` that runs local.docker with these settings, whatever its environment is."""
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in {"PYTHONPATH": str(_ROOT), **settings}.items())
    python = shlex.quote(sys.executable)
    script = folder / "docker"
    script.write_text(f'#!/bin/sh\nexport {exports}\nexec {python} -P -S -m local.docker "$@"\n', encoding="utf-8")
    script.chmod(0o755)


def settings(hub: str, throttled: Mapping[str, str], version: str, folder: Path, *, running: bool) -> dict[str, str]:
    """What local.docker reads of its environment."""
    return {
        "LOCAL_DOCKER_HUB": hub,
        "LOCAL_DOCKER_THROTTLED": json.dumps(dict(throttled)),
        "LOCAL_DOCKER_VERSION": version,
        "LOCAL_DOCKER_FOLDER": str(folder),
        "LOCAL_DOCKER_DAEMON": "" if running else "none",
    }


def without_docker(folder: Path) -> list[str]:
    """The machine's folders of commands; one that has a docker is replaced by links to everything else in it."""
    path = []
    for number, commands in enumerate(FOLDERS):
        if not (commands / "docker").exists():
            path.append(str(commands))
            continue
        linked = folder / str(number)
        linked.mkdir(parents=True)
        for command in os.scandir(commands):
            if command.name != "docker":
                (linked / command.name).symlink_to(command.path)
        path.append(str(linked))
    return path
