"""A person at a terminal who pastes commands and types a token where it is asked for; `aws` is a stand-in."""

from __future__ import annotations

import os
import pty
from pathlib import Path

AWS = """\
#!/bin/sh
# As the AWS CLI reads a parameter: file:// and a path (aws/aws-cli, awscli/paramfile.py).
printf '%s\\n' "$@" > "$KEPT/arguments"
env > "$KEPT/environment"
for last in "$@"; do :; done
cat "${last#file://}" > "$KEPT/stored"
"""


def paste(lines: str, folder: Path, token: str) -> dict[str, str]:
    """Run the lines in an empty folder, and type the token unseen; returns what `aws` was given, by name: `stored`,
    `arguments`, `environment`, and what the `terminal` showed. `left` are the files that are there afterwards."""
    kept, work, tools = (folder / name for name in ("kept", "work", "tools"))
    for each in (kept, work, tools):
        each.mkdir()
    (tools / "aws").write_text(AWS)
    (tools / "aws").chmod(0o755)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "KEPT": str(kept), "HOME": str(work)}
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(work)
        os.execvpe("sh", ["sh", "-c", lines], environment)  # noqa: S606 - the terminal has to be its own
    shown = b""
    while b"token: " not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, f"{token}\n".encode())
    shown += _rest(terminal)
    _, status = os.waitpid(child, 0)
    assert status == 0, shown
    given = {path.name: path.read_text(encoding="utf-8") for path in kept.iterdir()}
    left = " ".join(str(path.relative_to(work)) for path in work.rglob("*"))
    return {**given, "terminal": shown.decode(), "left": left}


def _rest(terminal: int) -> bytes:
    rest = b""
    while True:
        try:
            more = os.read(terminal, 1000)
        except OSError:  # Linux says so when the other side has ended
            more = b""
        if not more:
            os.close(terminal)
            return rest
        rest += more
