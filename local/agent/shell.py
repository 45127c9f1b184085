"""Runs one command of a build in a shell, with the environment and the folder that earlier ones left."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# The outer shell leads the command's process group: what the command leaves running ends with it, and no other does.
_LEADER = '"$@"; code=$?; trap "" TERM; kill 0; exit $code'


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit status, None when the time was up; its output, line by line."""

    status: int | None
    lines: list[str]

    @property
    def failed(self) -> bool:
        return self.status != 0

    @property
    def reason(self) -> str:
        return "timed out" if self.status is None else f"exit status {self.status}"


class Shell:
    """One build's shell: what a command exports and where it goes is there for the next one.

    CodeBuild runs each command as a script of its own too, between one that restores the environment and one that
    saves it: a variable that is not exported, and what comes before an `exit`, is lost.
    """

    def __init__(self, folder: Path, start: Path, environment: Mapping[str, str], seconds: float) -> None:
        self._folder = folder
        self._start = start
        self._environment = dict(environment)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        folder.mkdir()
        self._exports, self._place = folder / "env.sh", folder / "dir.txt"
        self.forget()

    def forget(self) -> None:
        """Go back to the environment and the folder of the start."""
        self._exports.write_text("")
        self._place.write_text(str(self._start))

    def run(self, program: str, command: str, changes: Mapping[str, str]) -> Ended:
        """Run a command with `sh` or `bash`; `changes` go into the environment before it."""
        exports, place = shlex.quote(str(self._exports)), shlex.quote(str(self._place))
        changed = "".join(f"; export {name}={shlex.quote(value)}" for name, value in changes.items())
        script = self._folder / "script.sh"
        script.write_text(
            f". {exports}{changed}\n"
            f'cd "$(cat {place})"\n\n{command}\n'
            f"CODEBUILD_LAST_EXIT=$?\nexport -p > {exports}\npwd > {place}\nexit $CODEBUILD_LAST_EXIT\n",
            encoding="utf-8",
        )
        output = self._folder / "output"
        with output.open("wb") as stream:
            status = self._wait(["sh", "-c", _LEADER, "sh", program, str(script)], stream.fileno())
        return Ended(status, output.read_text(encoding="utf-8", errors="replace").splitlines())

    def close(self) -> None:
        """End what runs now; nothing runs from here on."""
        with self._lock:
            self._closed = True
            self._kill()

    def _wait(self, argv: list[str], output: int) -> int | None:
        with self._lock:
            if self._closed:
                return None
            process = self._process = subprocess.Popen(
                argv,
                cwd=self._start,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            return process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            with self._lock:
                self._kill()
            process.wait()
            return None

    def _kill(self) -> None:
        """Kill the running command's process group; the number is its own as long as nobody has waited for it."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
