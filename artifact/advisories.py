"""Fails when a package that the artifact bundles has a known vulnerability: `make check`.

    python3 -m artifact.advisories

pip-audit asks OSV (https://osv.dev) for each version of src/requirements.txt, and ends with 1 both when it finds
something and when it could not ask. So its report decides and not its exit status: it writes one only when it has asked
for every package. OSV is asked for a vulnerability that everybody knows first, so that a machine without a network
waits for one short time-out, and a page that a proxy answers with is not taken for "nothing known".
"""

import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from typing import Any

import bootstrap
from artifact.build import REQUIREMENTS

OSV = "https://api.osv.dev/v1/query"
PIP_AUDIT = bootstrap.ENVIRONMENTS["audit"] / "bin" / "pip-audit"
KNOWN = ("requests", "2.19.1")
"""CVE-2018-18074."""
PATIENCE = 5
"""Seconds for an answer."""

Packages = list[tuple[str, str]]


def packages(requirements: str) -> Packages:
    """Name and version of each line `name==version`."""
    return re.findall(r"^([\w.-]+)==([^\s;\\]+)", requirements, re.MULTILINE)


def why_unasked(osv: str, wanted: Iterable[tuple[str, str]] = ()) -> str:
    """Why OSV does not tell what is known of these packages; empty where it does."""
    for name, version in (KNOWN, *wanted):
        body = json.dumps({"package": {"name": name, "ecosystem": "PyPI"}, "version": version}).encode()
        request = urllib.request.Request(osv, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                told = json.load(answer)
        except (OSError, HTTPException, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        if (name, version) == KNOWN and not (isinstance(told, dict) and told.get("vulns")):
            return f"its answer does not tell the vulnerability of {name} {version}"
    return ""


def report_on(wanted: Packages, osv: str) -> tuple[Any, str]:
    """pip-audit's report, None where it wrote none, and what it said."""
    with tempfile.TemporaryDirectory() as name:
        listed, report = Path(name, "requirements.txt"), Path(name, "report.json")
        listed.write_text("".join(f"{package}=={version}\n" for package, version in wanted), encoding="utf-8")
        command = [
            str(PIP_AUDIT),
            "--requirement",
            str(listed),
            "--no-deps",
            "--disable-pip",
            "--timeout",
            str(PATIENCE),
        ]
        command += ["--vulnerability-service", "osv", "--osv-url", osv, "--cache-dir", str(Path(name, "cache"))]
        command += ["--progress-spinner", "off", "--format", "json", "--output", str(report)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        try:
            return json.loads(report.read_text(encoding="utf-8")), done.stderr
        except (OSError, ValueError):
            return None, done.stderr


def audit(requirements: str, osv: str = OSV) -> tuple[int, str]:
    """The exit status, and what there is to say."""
    wanted = packages(requirements)
    unasked = why_unasked(osv)
    report, said = (None, "") if unasked else report_on(wanted, osv)
    if report is None:
        unasked = unasked or why_unasked(osv, wanted)
        if unasked:
            return 0, f"known vulnerabilities: not looked for, because {osv} can't be asked ({unasked})"
        return 1, f"known vulnerabilities: {osv} answers, and pip-audit wrote no report all the same:\n{said}"
    audited = {(each["name"], each["version"]): each["vulns"] for each in report["dependencies"] if "vulns" in each}
    missing = [f"{name} {version}" for name, version in wanted if (name, version) not in audited]
    if missing or not wanted:
        return 1, f"known vulnerabilities: pip-audit's report leaves out {', '.join(missing) or 'everything'}"
    found = [_told(name, version, one) for (name, version), several in audited.items() for one in several]
    if found:
        return 1, "\n".join([*found, 'Update it with `make lock ARGS="--upgrade-package NAME"`. Nothing was changed.'])
    return 0, f"known vulnerabilities: none in {len(wanted)} packages"


def _told(name: str, version: str, vulnerability: Any) -> str:
    fixed = ", ".join(vulnerability["fix_versions"]) or "no version"
    return f"{name} {version} has the known vulnerability {vulnerability['id']}, fixed in {fixed}"


def main() -> int:
    status, text = audit(REQUIREMENTS.read_text(encoding="utf-8"))
    print(text, file=sys.stderr if status else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main())
