"""`make bench`: one table and bench.json; ends non-zero when a figure misses its bound."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from bench import programs
from local.input_transformer import handed_on

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".tools" / "bench"
PYTHON = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
ROUNDS = 15
"""Runs of each program, in turns. Single runs vary by a half where other work shares the machine; two runs one after
the other vary together, so their ratio is taken first, and then the median of the ratios."""
CLOSE = 41
"""The same where a few hundredths decide."""
SDK = ("boto3", "botocore", "jmespath", "dateutil", "urllib3", "s3transfer", "six.py")
C7N_ARCHIVE = """
from c7n.mu import custodian_archive
archive = custodian_archive(["boto3", "botocore", "jmespath", "dateutil", "urllib3", "s3transfer", "six"])
archive.close()
print(archive.size)
"""
Row = dict[str, Any]


def _event(name: str) -> str:
    """The event of this file as a rule hands it to Intake."""
    return json.dumps(handed_on(json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))))


EVENT = _event("throttled-anonymous-provisioning")
FAILED_COMMAND = _event("command-failed")
LOOK_ALIKE = _event("ecr-public-rate-exceeded")
HUB, ECR = "python:3.12", "public.ecr.aws/docker/library/python:3.12"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        rows, calls = measure(Path(name))
    document = {"python": sys.version.split()[0], "rounds": [CLOSE, ROUNDS], "rows": rows, "calls": calls}
    (ROOT / "bench.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    for row in rows:
        mark = "" if row["within"] else "   MISSED"
        print(f"{row['figure']:<62} {row['value']:>6} of {row['bound']:>5}{mark}  {row['against']}")
    missed = [row["figure"] for row in rows if not row["within"]]
    print(f"missed: {'; '.join(missed)}" if missed else "every figure is within its bound")
    return 1 if missed else 0


def measure(folder: Path) -> tuple[list[Row], dict[str, list[str]]]:
    ours, empty, peers = _trees(folder)
    starts = {
        "remediator": programs.START.format(path=[str(ours)], imports=programs.OURS),
        "empty": programs.START.format(path=[str(empty)], imports=programs.OURS),
    }
    start = _in_turns(starts, float, CLOSE)
    peers_too = {
        "remediator": starts["remediator"],
        "intake": programs.START.format(path=[str(ours)], imports=programs.INTAKE),
        "c7n": programs.START.format(path=[str(peers)], imports=programs.C7N),
        "eager": programs.START.format(path=[str(peers)], imports=programs.EAGER),
    }
    peer = _in_turns(peers_too, float, ROUNDS)
    with _hub() as hub:
        where = {"path": [str(ours), str(ROOT / "bench")], "hub": hub, "image": HUB}
        whole = programs.REMEDIATION.format(**where, repaired=False, pages=1, event=EVENT, remediates=True)
        runs = {"ours": whole, "straight": programs.STRAIGHT.format(**where)}
        cpu = _in_turns(runs, lambda out: float(json.loads(out)["cpu"]), CLOSE)
        full = _calls(whole)
        repaired = _calls(programs.REMEDIATION.format(**where, repaired=True, pages=1, event=EVENT, remediates=True))
        triage = {**where, "repaired": False, "remediates": False}
        alike = _calls(programs.REMEDIATION.format(**{**triage, "image": ECR}, pages=1, event=LOOK_ALIKE))
        usual = _calls(programs.REMEDIATION.format(**triage, pages=1, event=FAILED_COMMAND))
        waves = {projects: _calls(programs.WAVE.format(**where, projects=projects)) for projects in WAVES}
        most = _calls(programs.REMEDIATION.format(**triage, pages=4, event=_without_log(FAILED_COMMAND)))
    read = json.loads(_fresh(programs.THROUGHPUT.format(path=[str(ours), str(ROOT / "bench")])))
    sizes = _zip(ours), int(_run([str(PEERS / "bin" / "python"), "-c", C7N_ARCHIVE]))
    calls = {"full": _asked(full), "repaired": _asked(repaired), "look-alike": _asked(alike)}
    calls |= {"not ours": _asked(usual), "not ours, at most": _asked(most)}
    checkpoints = full[: full.index("Checkpoint", full.index("StartBuild")) + 1].count("Checkpoint")
    rows = [
        _row("start-up of Remediator", _times(start, "remediator", "empty"), "an empty durable handler", 1.08),
        _row("start-up of Remediator", _times(peer, "remediator", "c7n"), "c7n.handler, CodeBuild loaded", 0.80),
        _row("start-up of Remediator", _times(peer, "remediator", "eager"), "an eager Powertools handler", 0.55),
        _row("start-up of Intake", _times(peer, "intake", "remediator"), "that of Remediator", 0.85),
        _row("a cold remediation up to the retry, CPU", _times(cpu, "ours", "straight"), "a straight script", 1.56),
        _row("zip of the artifact with bytecode", sizes[0] / sizes[1], "c7n's Lambda archive with the SDK", 0.35),
        _row("AWS calls, full repair up to the retry", len(calls["full"]), "listed in bench.json", 36),
        _row("- the engine's checkpoints", checkpoints, "one for each step and wait up to the retry", STEPS),
        _row("AWS calls, already repaired, up to the retry", len(calls["repaired"]), "listed", 23),
        _row("AWS calls, look-alike", len(calls["look-alike"]), "its record, its journal entry", 2),
        _row("AWS calls, a failed command that is not ours", len(calls["not ours"]), "listed", 2),
        _row("- where the log is long, late to be named and misleading", len(calls["not ours, at most"]), "listed", 6),
    ]
    for projects, asked in waves.items():
        each = (len(asked) - asked.count("Checkpoint")) / projects
        rows.append(_row(f"AWS calls for each of {projects:,} projects that fail together", each, "flat", 34.5))
    for text, (speed, doubling) in read.items():
        least = 100 if text == "without hits" else 20
        rows.append(_row(f"diagnosis of log text, {text}, MB/s", speed, "at least", least, at_least=True))
        rows.append(_row("- twice the text, times as long", doubling, "linear", 2.2))
    return rows, calls


WAVES = (10, 100, 1000)
"""Projects that fail together, each with a role of its own."""

STEPS = 7
"""claim, diagnose, check, grant, settle, patch, retry."""


def _trees(folder: Path) -> tuple[Path, Path, Path]:
    """The artifact, the empty handler packed alike, and the peers, with the SDK's bytecode as the runtime has it."""
    empty = folder / "empty-source"
    (empty / "remediator").mkdir(parents=True)
    (empty / "remediator" / "__init__.py").touch()
    (empty / "remediator" / "handler.py").write_text(programs.EMPTY, encoding="utf-8")
    build = [sys.executable, "-m", "artifact.build", "--python", PYTHON, "--into"]
    _run([*build, str(folder / "ours")])
    _run([*build, str(folder / "empty"), "--source", str(empty)])
    installed = next(PEERS.glob("lib/python*/site-packages"))
    peers = folder / "peers"
    shutil.copytree(installed, peers, ignore=shutil.ignore_patterns("__pycache__"))
    _run([PYTHON, "-m", "compileall", "-q", *(str(peers / name) for name in SDK)])
    return folder / "ours", folder / "empty", peers


def _in_turns(sources: dict[str, str], read: Callable[[str], float], rounds: int) -> list[dict[str, float]]:
    """The figures of each round, in which every program has its turn; CPU seconds."""
    return [{name: read(_fresh(source)) for name, source in sources.items()} for _ in range(rounds)]


def _times(rounds: list[dict[str, float]], one: str, other: str) -> float:
    """How many times as long one program takes as the other."""
    return median(figures[one] / figures[other] for figures in rounds)


def _fresh(source: str) -> str:
    """Run in a fresh interpreter that sees nothing installed and can write no bytecode; its last line."""
    return _run([PYTHON, "-I", "-S", "-B", "-c", source]).strip().splitlines()[-1]


def _calls(source: str) -> list[str]:
    calls: list[str] = json.loads(_fresh(source))["calls"]
    return calls


def _asked(calls: list[str]) -> list[str]:
    """AWS calls up to and with the retry, without the engine's checkpoints."""
    until = calls.index("StartBuild") + 1 if "StartBuild" in calls else len(calls)
    return [call for call in calls[:until] if call != "Checkpoint"]


def _run(command: list[str]) -> str:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"bench: {command[:4]} ended with {result.returncode}:\n{result.stderr[-3000:]}")
    return result.stdout


def _zip(folder: Path) -> int:
    archive = folder.with_suffix(".zip")
    with ZipFile(archive, "w", ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    return archive.stat().st_size


def _without_log(event: str) -> str:
    document = json.loads(event)
    del document["detail"]["additional-information"]["logs"]
    return json.dumps(document)


def _row(figure: str, value: float, against: str, bound: float, at_least: bool = False) -> Row:
    shown = round(value, 2)
    within = value >= bound if at_least else value <= bound
    return {"figure": figure, "value": shown, "against": against, "bound": bound, "within": within}


class _hub:  # noqa: N801 - a context, used like a function
    """Docker Hub on loopback: every login is good, and no account has a limit."""

    def __enter__(self) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                body = b'{"token": "t"}'
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


if __name__ == "__main__":
    sys.exit(main())
