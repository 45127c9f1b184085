"""`make demo`: ends with 0 when everything came out, and names what did not."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from local.aws.launch import ROOT, LaunchError
from local.demo.breaks import BREAKS
from local.demo.run import run
from local.demo.screen import Screen
from local.stack import StackError


def main() -> int:
    arguments = _arguments()
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        try:
            document = run(screen, Path(folder), arguments.broken, arguments.seed)
        except (LaunchError, StackError) as error:
            screen.say(f"demo: {error}")
            return 2
    failed = [claim["name"] for claim in document["claims"] if not claim["holds"]]
    wrong = [case["name"] for case in document["cases"] if not _as_expected(case)]
    document["ok"] = not failed and not wrong
    arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    screen.title(_summary(document, failed, wrong, arguments.broken))
    return 0 if document["ok"] else 1


def _as_expected(case: dict[str, str]) -> bool:
    """The journal says so, and the logs say the same: only the repaired project was changed."""
    shown = case["shown"] if case["expected"].startswith("remediated") else "left alone"
    return case["reported"] == case["expected"] and case["verdict"] == shown


def _summary(document: dict[str, object], failed: list[str], wrong: list[str], broken: str) -> str:
    if not failed and not wrong:
        hidden = f"; BREAK={broken} was NOT found out" if broken else ""
        return f"Everything came out, in {document['seconds']} s{hidden}"
    what = [f"broken: {', '.join(dict.fromkeys(failed))}"] if failed else []
    what += [f"another verdict than expected: {', '.join(wrong)}"] if wrong else []
    return "; ".join(what)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--break", dest="broken", default=os.environ.get("BREAK", ""))
    parser.add_argument("--seed", type=int, default=None, help="draw the same names, delays and messages again")
    parser.add_argument("--json", type=Path, default=ROOT / "demo.json", help="where the figures go")
    arguments = parser.parse_args()
    if arguments.broken and arguments.broken not in BREAKS:
        parser.exit(2, f"demo: there is no break {arguments.broken!r}; BREAK may be one of {', '.join(BREAKS)}\n")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
