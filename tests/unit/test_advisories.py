"""`make check` fails on a known vulnerability, and says so where nobody can be asked. pip-audit is the real one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

import bootstrap
from artifact import advisories
from artifact.advisories import KNOWN, audit, packages
from artifact.build import REQUIREMENTS as BUNDLED

REQUIREMENTS = (
    "six==1.17.0 \\\n    --hash=sha256:00\nruamel-yaml==0.19.1 ; python_version < '4' \\\n    --hash=sha256:01\n"
)
OLD = {
    "id": "GHSA-0000",
    "aliases": ["CVE-1"],
    "summary": "old",
    "affected": [
        {
            "package": {"name": "six", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.18"}]}],
        }
    ],
}
Answer = Callable[[str, str], tuple[int, bytes]]


def told(vulnerable: str = "") -> Answer:
    """OSV as it answers: it knows the one that everybody knows, and that of one more package."""

    def answer(name: str, version: str) -> tuple[int, bytes]:
        return 200, json.dumps({"vulns": [OLD]} if (name, version) == KNOWN or name == vulnerable else {}).encode()

    return answer


@contextmanager
def osv(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked: Any = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = answer(asked["package"]["name"], asked["version"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module", autouse=True)
def environment() -> None:
    bootstrap.ensure(["audit"])


def test_a_known_vulnerability_fails_with_the_package_and_the_version_that_mends_it() -> None:
    with osv(told("six")) as address:
        status, text = audit(REQUIREMENTS, address)
    assert status == 1
    assert text.startswith("six 1.17.0 has the known vulnerability CVE-1, fixed in 1.18\n")


def test_packages_without_one_pass() -> None:
    with osv(told()) as address:
        assert audit(REQUIREMENTS, address) == (0, "known vulnerabilities: none in 2 packages")


@pytest.mark.parametrize(
    "answer",
    [
        lambda *_: (404, b"{}"),
        lambda *_: (503, b""),
        lambda *_: (200, b"<html>sign in</html>"),
        lambda *_: (200, b"{}"),
        lambda *_: (200, b"[]"),
    ],
    ids=["not found", "unavailable", "a page", "knows nothing", "another answer"],
)
def test_where_nobody_tells_it_says_so_in_one_line_and_passes(answer: Answer) -> None:
    with osv(answer) as address:
        status, text = audit(REQUIREMENTS, address)
    assert status == 0
    assert text.startswith(f"known vulnerabilities: not looked for, because {address} can't be asked (")
    assert "\n" not in text


def test_where_it_stops_answering_on_the_way_it_says_so_and_passes() -> None:
    def answer(name: str, version: str) -> tuple[int, bytes]:
        return (503, b"") if name == "ruamel-yaml" else told("six")(name, version)

    with osv(answer) as address:
        status, text = audit(REQUIREMENTS, address)
    assert (status, "can't be asked (HTTPError" in text) == (0, True)


def test_without_a_network_it_is_over_at_once() -> None:
    before = time.monotonic()
    with osv(told()) as address:
        pass
    assert audit(REQUIREMENTS, address)[0] == 0
    assert time.monotonic() - before < advisories.PATIENCE + 1


def test_a_pip_audit_that_writes_no_report_although_it_could_ask_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    broken = tmp_path / "pip-audit"
    broken.write_text("#!/bin/sh\necho 'no such option' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(advisories, "PIP_AUDIT", broken)
    with osv(told()) as address:
        status, text = audit(REQUIREMENTS, address)
    assert (status, "no such option" in text) == (1, True)


@pytest.mark.parametrize("requirements", ["", "six==1.17.0\nsix==1.16.0\n"])
def test_a_report_that_leaves_a_package_out_fails(requirements: str) -> None:
    with osv(told()) as address:
        status, text = audit(requirements, address)
    assert status == 1, text


def test_every_package_of_the_artifact_is_asked_for() -> None:
    text = BUNDLED.read_text(encoding="utf-8")
    found = packages(text)
    assert len(found) == text.count("==") >= 10
    assert {"boto3", "botocore", "urllib3"} <= {name for name, _ in found}


def test_it_ends_with_the_status_that_make_reads() -> None:
    script = "from artifact import advisories as a; a.audit = lambda _: (1, 'found'); raise SystemExit(a.main())"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=bootstrap.ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "found\n")
    assert "artifact.advisories" in (bootstrap.ROOT / "Makefile").read_text(encoding="utf-8")
