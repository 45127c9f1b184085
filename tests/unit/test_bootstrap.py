"""bootstrap.py, run as people run it, against an index and a uv of the tests' own."""

import ast
import base64
import hashlib
import http.server
import io
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import bootstrap

# Takes uv's place: keeps a journal of its calls, and makes what uv would make. With a file `broken` it fails half-way,
# with a file `slow` it does not come to an end.
FAKE_UV = """#!/bin/sh
cd "$(dirname "$0")"
case "$*" in --version) echo uv 0; exit;; esac
echo "$* | ${UV_DEFAULT_INDEX:-} | ${VIRTUAL_ENV:-}${PYTHONPATH:-}" >> calls
make() { mkdir -p "$1/bin"; : > "$1/bin/python"; }
case "$1" in
    venv) for folder; do :; done
          case "$*" in *--clear*) rm -rf "$folder";; esac
          make "$folder";;
    export) for file; do :; done; echo "six==1.17.0 --hash=sha256:0" > "$file";;
    pip) for file; do :; done; grep -q six "$file" || exit 3
         echo half > "$(dirname "$file")/half"
         if [ -f slow ]; then exec sleep 60; fi
         if [ -f broken ]; then echo "the network went away" >&2; exit 2; fi;;
esac
"""


@dataclass
class Index:
    """A package index on loopback, and what it was asked."""

    files: dict[str, tuple[str, bytes]]
    login: str = ""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        expected = f"Basic {base64.b64encode(self.login.encode()).decode()}" if self.login else None
        if self.login and handler.headers.get("Authorization") != expected:
            handler.send_error(401)
        elif handler.path not in self.files:
            handler.send_error(404)
        else:
            content_type, body = self.files[handler.path]
            handler.send_response(200)
            handler.send_header("Content-Type", content_type)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)


@dataclass
class Checkout:
    """A copy of bootstrap.py, with the fake uv's digest for the real one's, in a tree of its own."""

    root: Path
    index: Index

    def start(self, *names: str, **variables: str) -> subprocess.Popen[str]:
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(self.root / "home"), "PIP_CONFIG_FILE": os.devnull}
        environ |= {"PIP_EXTRA_INDEX_URL": self.index.url, "PIP_INDEX_URL": "https://pypi.org/simple"}
        # PyPI itself must not be asked by a test: an address that refuses stands in for the way there.
        environ |= {"https_proxy": "http://127.0.0.1:9"}
        command = [sys.executable, str(self.root / "bootstrap.py"), *names]
        return subprocess.Popen(command, env=environ | variables, stderr=subprocess.PIPE, text=True)

    def run(self, *names: str, **variables: str) -> tuple[int, str]:
        """Exit code and what was said."""
        process = self.start(*names, **variables)
        _, said = process.communicate(timeout=60)
        return process.returncode, said

    def calls(self) -> list[str]:
        """What uv was called with, since the last time this was asked."""
        path = self.root / ".tools/calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


@pytest.fixture
def wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"uv-{bootstrap.UV_VERSION}.data/scripts/uv", FAKE_UV)
    return content.getvalue()


@pytest.fixture
def wheel_name() -> str:
    begin, _ = bootstrap.wheel_for(os.uname().sysname, os.uname().machine, platform.libc_ver()[0])
    return f"{begin}.and_whatever_else.whl"


@pytest.fixture
def index(wheel: bytes, wheel_name: str) -> Iterator[Index]:
    page = {"files": [{"filename": wheel_name, "url": f"../../files/{wheel_name}"}]}
    served = Index(
        {
            "/simple/uv/": ("application/vnd.pypi.simple.v1+json", json.dumps(page).encode()),
            f"/files/{wheel_name}": ("application/octet-stream", wheel),
        }
    )

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}/simple"
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture
def checkout(tmp_path: Path, index: Index, wheel: bytes) -> Checkout:
    text = Path(bootstrap.__file__).read_text(encoding="utf-8")
    text = re.sub(r'"[0-9a-f]{64}"', f'"{hashlib.sha256(wheel).hexdigest()}"', text)
    (tmp_path / "bootstrap.py").write_text(text.replace("time.sleep(", "(lambda _: None)("), encoding="utf-8")
    (tmp_path / "uv.lock").write_text("version = 1\n")
    (tmp_path / "home").mkdir()
    return Checkout(tmp_path, index)


def test_it_brings_uv_and_the_environments_that_are_asked_for(checkout: Checkout) -> None:
    code, said = checkout.run("dev", "sam", PIP_INDEX_URL=checkout.index.url)
    assert code == 0, said
    assert [line.partition(" … ")[0] for line in said.splitlines()] == ["uv 0.13.9", ".venv", ".tools/sam"]
    assert (checkout.root / ".tools/sam/.ready").exists()
    assert not (checkout.root / ".tools/bench").exists()


def test_what_is_up_to_date_is_neither_asked_for_nor_mentioned(checkout: Checkout) -> None:
    checkout.run("dev", PIP_INDEX_URL=checkout.index.url)
    checkout.calls()
    checkout.index.asked.clear()
    assert checkout.run("dev", PIP_INDEX_URL=checkout.index.url) == (0, "")
    assert checkout.calls() == []
    assert checkout.index.asked == []


def test_pypi_is_the_index_and_nothing_of_the_caller_leads_uv_astray(checkout: Checkout) -> None:
    code, said = checkout.run("dev", VIRTUAL_ENV="/elsewhere", PYTHONPATH="/elsewhere", UV_DEFAULT_INDEX="http://x")
    assert code == 0, said
    calls = checkout.calls()
    assert len(calls) == 3
    assert all(call.endswith("| https://pypi.org/simple | ") for call in calls)


def test_another_index_is_asked_for_the_same_digests(checkout: Checkout) -> None:
    checkout.run("dev", PIP_INDEX_URL=checkout.index.url)
    venv, export, sync = checkout.calls()
    assert venv.startswith("venv")
    assert export.startswith("export --quiet --frozen --only-group dev")
    assert sync.startswith("pip sync --quiet --require-hashes")
    assert f"| {checkout.index.url} |" in sync


def test_a_changed_lock_is_synced_again(checkout: Checkout) -> None:
    checkout.run("dev")
    checkout.calls()
    (checkout.root / "uv.lock").write_text("version = 2\n")
    code, said = checkout.run("dev")
    assert (code, len(checkout.calls())) == (0, 3), said


def test_an_environment_that_was_stopped_half_way_is_not_ready(checkout: Checkout) -> None:
    checkout.run("sam")
    (checkout.root / "uv.lock").write_text("version = 2\n")
    half, slow = checkout.root / ".tools/sam/half", checkout.root / ".tools/slow"
    half.unlink()
    slow.touch()
    process = checkout.start("sam")
    while process.poll() is None and not half.exists():
        time.sleep(0.01)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in said
    assert not (checkout.root / ".tools/sam/.ready").exists()
    slow.unlink()
    assert checkout.run("sam")[0] == 0


def test_an_environment_whose_making_failed_is_not_ready_and_is_made_anew(checkout: Checkout) -> None:
    checkout.run("uv")
    broken = checkout.root / ".tools/broken"
    broken.touch()
    code, said = checkout.run("sam", PIP_EXTRA_INDEX_URL="")
    assert code == 1
    assert "the network went away" in said
    assert (checkout.root / ".tools/sam/half").exists()
    assert not (checkout.root / ".tools/sam/.ready").exists()
    (checkout.root / ".tools/sam/leftover").touch()
    broken.unlink()
    assert checkout.run("sam", PIP_EXTRA_INDEX_URL="")[0] == 0
    assert not (checkout.root / ".tools/sam/leftover").exists()


def test_two_at_once_fetch_one_uv_and_make_one_environment(checkout: Checkout, wheel_name: str) -> None:
    both = [checkout.start("dev", PIP_INDEX_URL=checkout.index.url) for _ in range(2)]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert checkout.index.asked.count(f"/files/{wheel_name}") == 1
    assert len(checkout.calls()) == 3


def test_an_index_in_html_will_do(checkout: Checkout, wheel_name: str) -> None:
    page = f'<html><a href="../../files/{wheel_name}#sha256=0">{wheel_name}</a></html>'.encode()
    checkout.index.files["/simple/uv/"] = ("text/html", page)
    assert checkout.run("uv")[0] == 0


def test_a_folder_of_wheels_will_do(checkout: Checkout, wheel: bytes, wheel_name: str) -> None:
    folder = checkout.root / "wheels"
    folder.mkdir()
    (folder / wheel_name).write_bytes(wheel)
    assert checkout.run("uv", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder))[0] == 0
    assert checkout.index.asked == []


def test_a_folder_of_wheels_that_is_not_there_is_named(checkout: Checkout) -> None:
    code, said = checkout.run("uv", PIP_NO_INDEX="1", PIP_FIND_LINKS="/nowhere/wheels")
    assert code == 1
    assert "/nowhere/wheels: no answer" in said
    assert "Traceback" not in said


def test_a_page_of_links_of_its_own_will_do(checkout: Checkout, wheel_name: str) -> None:
    checkout.index.files["/links/"] = ("text/html", f"<a href='../files/{wheel_name}'>uv</a>".encode())
    page = checkout.index.url.replace("/simple", "/links/")
    assert checkout.run("uv", PIP_NO_INDEX="1", PIP_FIND_LINKS=page)[0] == 0


def test_a_proxy_of_pips_settings_is_asked(checkout: Checkout, wheel_name: str) -> None:
    for path in ("/simple/uv/", f"/files/{wheel_name}"):
        checkout.index.files[f"http://index.example{path}"] = checkout.index.files[path]
    proxy = checkout.index.url.removesuffix("/simple")
    code, said = checkout.run("uv", PIP_INDEX_URL="http://index.example/simple", PIP_PROXY=proxy)
    assert code == 0, said
    assert f"http://index.example/files/{wheel_name}" in checkout.index.asked


def test_certificates_that_are_not_there_are_said_so(checkout: Checkout) -> None:
    code, said = checkout.run("uv", PIP_CERT="/nowhere/ca.pem")
    assert code == 1
    assert "PIP_CERT" in said
    assert "Traceback" not in said


def test_a_password_in_the_address_is_sent_and_never_shown(checkout: Checkout) -> None:
    checkout.index.login = "me:s3cret"
    code, said = checkout.run("uv", PIP_INDEX_URL=checkout.index.url.replace("://", "://me:s3cret@"))
    assert code == 0, said
    (checkout.root / ".tools/uv").unlink()
    code, said = checkout.run("uv", PIP_INDEX_URL=checkout.index.url.replace("://", "://me:wr0ng@"))
    assert code == 1
    assert "answered 401" in said
    assert "wr0ng" not in said


def test_a_file_with_another_digest_is_refused_and_nothing_is_left(checkout: Checkout, wheel_name: str) -> None:
    checkout.index.files[f"/files/{wheel_name}"] = ("application/octet-stream", b"something else")
    code, said = checkout.run("uv")
    assert code == 1
    assert "is expected" in said
    assert sorted(path.name for path in (checkout.root / ".tools").iterdir()) == ["lock"]


def test_an_index_without_it_and_one_that_does_not_answer_are_named(checkout: Checkout) -> None:
    del checkout.index.files["/simple/uv/"]
    code, said = checkout.run("uv", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert code == 1
    assert "http://127.0.0.1:9/simple/uv/: no answer" in said
    assert f"{checkout.index.url}/uv/: answered 404" in said
    assert "Traceback" not in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_tree_that_may_not_be_written_is_said_so(checkout: Checkout) -> None:
    checkout.root.chmod(0o555)
    code, said = checkout.run("uv")
    checkout.root.chmod(0o755)
    assert code == 1
    assert "may not be written" in said


def test_an_unknown_environment_is_refused_with_those_that_exist(checkout: Checkout) -> None:
    code, said = checkout.run("prod")
    assert code == 2
    assert "dev sam checkov audit local bench" in said


def test_a_platform_without_a_pinned_wheel_is_named() -> None:
    with pytest.raises(bootstrap.SetupError, match="Plan9 on vax"):
        bootstrap.wheel_for("Plan9", "vax", "")


def test_an_old_python_can_read_it_far_enough_to_say_so() -> None:
    source = Path(bootstrap.__file__).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert source.index("sys.version_info < (3, 11)") < source.index("import base64")


def test_settings_are_weighed_as_pip_does(tmp_path: Path) -> None:
    machine, user = tmp_path / "machine.conf", tmp_path / "user.conf"
    machine.write_text("[global]\nindex-url = https://machine/simple\ncert = /machine.pem\ntimeout = 7\n")
    user.write_text("[global]\nindex_url = https://user/simple/\n[install]\ntrusted-host = a\n  b\n")
    environ = {"PIP_CERT": "/mine.pem", "PIP_EXTRA_INDEX_URL": "https://one https://two/", "PIP_NO_INDEX": ""}
    settings = bootstrap.PipSettings.read(environ, [machine, tmp_path / "absent.conf", user])
    assert settings.indexes == ["https://user/simple", "https://one", "https://two"]
    assert settings["cert"] == "/mine.pem"
    assert settings.several("trusted-host") == ["a", "b"]
    assert settings["timeout"] == "7"
    assert bootstrap.PipSettings.read({}, []).indexes == [bootstrap.PYPI]
    assert bootstrap.PipSettings.read({"PIP_NO_INDEX": "1"}, [user]).indexes == []


def test_pips_settings_are_told_to_uv_in_its_own_variables(tmp_path: Path) -> None:
    settings = bootstrap.PipSettings(
        {
            "index-url": "https://one/simple",
            "extra-index-url": "https://two\nhttps://three",
            "find-links": "/wheels https://four/links/",
            "cert": "/ca.pem",
            "client-cert": "/me.pem",
            "trusted-host": "a\nb",
            "proxy": "http://proxy:3128",
            "timeout": "180",
        }
    )
    environ = bootstrap.uv_environ(settings, {"HOME": str(tmp_path), "UV_INDEX": "https://mine", "UV_OFFLINE": "1"})
    assert (
        environ.items()
        >= {
            "UV_DEFAULT_INDEX": "https://one/simple",
            "UV_INDEX": "https://two https://three",
            "UV_FIND_LINKS": "/wheels,https://four/links/",
            "SSL_CERT_FILE": "/ca.pem",
            "SSL_CLIENT_CERT": "/me.pem",
            "UV_INSECURE_HOST": "a b",
            "HTTPS_PROXY": "http://proxy:3128",
            "UV_HTTP_TIMEOUT": "180",
            "UV_OFFLINE": "1",
        }.items()
    )
    assert "UV_CACHE_DIR" not in environ


def test_files_that_pip_cannot_read_either_are_named(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("no section\n")
    with pytest.raises(bootstrap.SetupError, match=r"pip\.conf cannot be read"):
        bootstrap.PipSettings.read({}, [tmp_path / "pip.conf"])


def test_a_chosen_file_takes_the_place_of_the_users_own(tmp_path: Path) -> None:
    chosen = tmp_path / "chosen.conf"
    environ = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(chosen)}
    own = tmp_path / ".pip/pip.conf"
    assert own in bootstrap.pip_files(environ)
    chosen.touch()
    assert own not in bootstrap.pip_files(environ)
    assert bootstrap.pip_files(environ)[-1] == chosen
    assert bootstrap.pip_files({"PIP_CONFIG_FILE": os.devnull}) == []
