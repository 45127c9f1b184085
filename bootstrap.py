#!/usr/bin/env python3
"""Brings what the make targets need: uv, and the project's environments made with it.

    python3 bootstrap.py dev sam checkov audit local bench

makes `.venv` (dev) and `.tools/sam`, `.tools/checkov`, `.tools/audit`, `.tools/local`, `.tools/bench` from uv.lock,
each when it is asked for, and does nothing when it is up to date. It needs Python 3.11 and its standard library, not
pip nor venv: uv is one binary, and comes from the package index that pip's own settings name, checked against the
digest below.
"""

import sys

if sys.version_info < (3, 11) or sys.platform == "win32":
    sys.exit(
        "bootstrap.py: Python 3.11 or later is needed, on Linux or macOS (on Windows: within WSL). This is"
        f" {sys.executable}, {sys.version}. Nothing was changed. Name another one: make PYTHON=/path/to/python3.11 ..."
    )

import base64
import configparser
import contextlib
import fcntl
import hashlib
import html
import io
import os
import platform
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".tools"
UV = TOOLS / "uv"
# Each environment is one dependency group of uv.lock: their pins contradict each other (see pyproject.toml).
ENVIRONMENTS = {"dev": ROOT / ".venv"} | {name: TOOLS / name for name in ("sam", "checkov", "audit", "local", "bench")}
# What each was made of. It is written last, so what is half made has none.
STAMPS = {"uv": TOOLS / "uv.ready"} | {name: folder / ".ready" for name, folder in ENVIRONMENTS.items()}

UV_VERSION = "0.13.9"
# How the platform in the wheel's name begins, and the wheel's SHA-256, as https://pypi.org/simple/uv/ lists them.
# The digests stand here, so that an index cannot hand over another binary.
UV_WHEELS = {
    "x86_64 glibc": ("manylinux_2_17_x86_64", "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19"),
    "x86_64 musl": ("musllinux_1_1_x86_64", "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25"),
    "aarch64 glibc": ("manylinux_2_17_aarch64", "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe"),
    "aarch64 musl": ("manylinux_2_17_aarch64", "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe"),
    "x86_64 Darwin": ("macosx_10_12_x86_64", "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5"),
    "arm64 Darwin": ("macosx_11_0_arm64", "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63"),
}
PYPI = "https://pypi.org/simple"


class SetupError(Exception):
    """Something is missing; the message says what, what was left unchanged, and what to do."""


class PipSettings(dict[str, str]):
    """pip's options by name (https://pip.pypa.io/en/stable/topics/configuration/), read without pip."""

    @classmethod
    def read(cls, environ: Mapping[str, str], files: Sequence[Path] | None = None) -> "PipSettings":
        """Later files override earlier ones, [install] overrides [global], and PIP_* variables override files."""
        parser = configparser.RawConfigParser(strict=False)
        for file in pip_files(environ) if files is None else files:
            try:
                parser.read(file, encoding="utf-8")
            except (configparser.Error, UnicodeDecodeError) as error:
                raise SetupError(f"pip's settings in {file} cannot be read: {error}. Correct that file.") from error
        found = [item for name in ("global", "install") if parser.has_section(name) for item in parser.items(name)]
        found += [(name[4:], value) for name, value in environ.items() if name.startswith("PIP_") and value]
        return cls({name.lower().replace("_", "-").removeprefix("default-"): value for name, value in found})

    def several(self, option: str) -> list[str]:
        return self.get(option, "").split()

    @property
    def indexes(self) -> list[str]:
        """The strongest first; none with --no-index."""
        if self.get("no-index", "").lower() in {"1", "true", "yes", "on", "y", "t"}:
            return []
        return [url.rstrip("/") for url in (self.get("index-url") or PYPI, *self.several("extra-index-url"))]


def pip_files(environ: Mapping[str, str]) -> list[Path]:
    """pip's configuration files that may exist here, weakest first; those of Linux and of macOS do not collide."""
    chosen = environ.get("PIP_CONFIG_FILE", "")
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = reversed((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"))
    machine = [Path("/Library/Application Support/pip"), *(Path(folder, "pip") for folder in shared), Path("/etc")]
    user = [home / ".pip", config / "pip", home / "Library/Application Support/pip"]
    folders = [*machine, *([] if chosen and Path(chosen).exists() else user), Path(sys.prefix)]
    files = [*(folder / "pip.conf" for folder in folders), *([Path(chosen)] if chosen else [])]
    return [] if chosen == os.devnull else files


def wheel_for(system: str, machine: str, libc: str) -> tuple[str, str]:
    """How the name of uv's wheel for a platform begins, and its SHA-256; musl's is static, good for any libc."""
    kind = system if system != "Linux" else "glibc" if libc == "glibc" else "musl"
    tag, digest = UV_WHEELS.get(f"{machine} {kind}", ("", ""))
    if not tag:
        raise SetupError(f"uv {UV_VERSION} is not known for {system} on {machine}. Nothing was changed.")
    return f"uv-{UV_VERSION}-py3-none-{tag}", digest


def fetch_uv(settings: PipSettings) -> None:
    """Puts the pinned binary at `.tools/uv` in one rename, because another process may be running the former."""
    print(f"uv {UV_VERSION} … ", file=sys.stderr)
    wheel, digest = wheel_for(platform.system(), platform.machine(), platform.libc_ver()[0])
    address = find_wheel(wheel, settings)
    content, _ = fetch(address, settings)
    actual = hashlib.sha256(content).hexdigest()
    if actual != digest:
        found = f"{without_login(address)} has the SHA-256 {actual}"
        raise SetupError(f"{found}, and {digest} is expected. It was thrown away: damaged, or another file.")
    draft = TOOLS / "uv.draft"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        draft.write_bytes(archive.read(f"uv-{UV_VERSION}.data/scripts/uv"))
    draft.chmod(0o755)
    draft.replace(UV)
    run_uv(("--version",), os.environ)


def find_wheel(wheel: str, settings: PipSettings) -> str:
    """Its address at the first that offers it: the index, further indexes, --find-links."""
    asked = []
    for page in (*(f"{index}/uv/" for index in settings.indexes), *settings.several("find-links")):
        try:
            for link in links_of(page, settings):
                if re.search(rf"/{wheel}[^/]*\.whl([?#]|$)", link):
                    return link
            asked.append(f"{without_login(page)}: does not offer it")
        except SetupError as error:
            asked.append(str(error))
    said = f"{wheel}*.whl was not found. Check network, pip's settings and certificates (PIP_CERT). Asked:"
    raise SetupError("\n  ".join([said, *asked]))


def links_of(page: str, settings: PipSettings) -> list[str]:
    """Absolute links of an index's page in HTML (PEP 503) or JSON (PEP 691), or of a folder."""
    folder = Path(unquote(page.removeprefix("file://"))).absolute()
    if folder.is_dir():
        if not (folder / "index.html").is_file():
            return [file.as_uri() for file in folder.iterdir()]
        page = (folder / "index.html").as_uri()
    content, address = fetch(page, settings)
    links = re.findall(r"""(?:href\s*=|"url"\s*:)\s*["']([^"']+)""", content.decode("utf-8", "replace"), re.IGNORECASE)
    return [urljoin(address, html.unescape(link)) for link in links]


def fetch(url: str, settings: PipSettings) -> tuple[bytes, str]:
    """Content and final address, which keeps its login for the relative links of a page. Tries three times."""
    # These are slow to import, and nearly every run finds all up to date.
    import ssl
    from http.client import HTTPException
    from urllib import request as web

    shown, parts, attempt = without_login(url), urlsplit(url), 0
    proxies = dict.fromkeys(("http", "https"), settings["proxy"]) if "proxy" in settings else None
    while True:
        attempt += 1
        try:
            request = web.Request(shown, headers={"User-Agent": "bootstrap.py"})
            if parts.username:
                login = unquote(f"{parts.username}:{parts.password or ''}").encode()
                request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
            context = ssl.create_default_context(cafile=settings.get("cert"))
            if {parts.hostname, request.host} & set(settings.several("trusted-host")):
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if "client-cert" in settings:
                context.load_cert_chain(settings["client-cert"])
            handlers = web.HTTPSHandler(context=context), web.ProxyHandler(proxies)
            with web.build_opener(*handlers).open(request, timeout=float(settings.get("timeout", "30"))) as response:
                return response.read(), url if response.url == shown else response.url
        except (OSError, ValueError, HTTPException) as error:
            code = getattr(error, "code", 500)
            if code < 500 or attempt == 3:
                raise SetupError(f"{shown}: {f'answered {code}' if code < 500 else f'no answer: {error}'}") from error
        time.sleep(attempt * 0.5)


def without_login(url: str) -> str:
    """The address as it may be shown."""
    return re.sub("^(https?://)[^/]*@", r"\1", url)


def uv_environ(settings: PipSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's variables without those that lead uv elsewhere, and pip's settings: options would show passwords."""
    stray = "VIRTUAL_ENV|CONDA_PREFIX|PYTHON(PATH|HOME)|UV_(?!CACHE_|HTTP_|OFFLINE|LINK_MODE|KEYRING_|CONCURRENT_)"
    result = {name: value for name, value in environ.items() if not re.match(stray, name)}
    result |= {"UV_NO_CONFIG": "1", "UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    result.setdefault("UV_HTTP_TIMEOUT", settings.get("timeout", "30").partition(".")[0])
    default, *further = settings.indexes or [PYPI]
    translated = {
        "UV_DEFAULT_INDEX": default,
        "UV_INDEX": " ".join(further),
        # Every file is held by its digest, so no index can slip in another one under the same name.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_NO_INDEX": "" if settings.indexes else "1",
        "UV_FIND_LINKS": ",".join(settings.several("find-links")),
        "UV_INSECURE_HOST": " ".join(settings.several("trusted-host")),
        "SSL_CERT_FILE": settings.get("cert"),
        "SSL_CLIENT_CERT": settings.get("client-cert"),
        **dict.fromkeys(("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"), settings.get("proxy")),
    }
    result |= {name: value for name, value in translated.items() if value}
    cache = Path(result.get("XDG_CACHE_HOME") or Path(result.get("HOME") or "/", ".cache"), "uv")
    if not os.access(next(folder for folder in (cache, *cache.parents) if folder.exists()), os.W_OK | os.X_OK):
        result.setdefault("UV_CACHE_DIR", str(TOOLS / "cache"))
    return result


def run_uv(arguments: Sequence[str | Path], environ: Mapping[str, str]) -> str:
    """Standard output of a run of uv in the repository; SetupError with what uv said when it fails."""
    done = subprocess.run([UV, *arguments], check=False, cwd=ROOT, env=dict(environ), capture_output=True, text=True)
    if done.returncode:
        raise SetupError(f"uv {' '.join(map(str, arguments))}\nended with {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def own_python() -> str:
    """The Python that runs this, not a virtual environment's link to it, which may be the one remade."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def make_environment(name: str, settings: PipSettings) -> None:
    """Installs what uv.lock says, by version and digest: it names PyPI's addresses, and pip may have another index."""
    folder, environ = ENVIRONMENTS[name], uv_environ(settings, os.environ)
    print(f"{folder.relative_to(ROOT)} … ", file=sys.stderr)
    STAMPS[name].unlink(missing_ok=True)
    run_uv(("venv", "--quiet", "--clear", "--python", own_python(), folder), environ)
    python, pins = folder / "bin/python", folder / "requirements.txt"
    what = ("--only-group", name, "--no-header", "--no-annotate")
    run_uv(("export", "--quiet", "--frozen", *what, "--output-file", pins), environ)
    run_uv(("pip", "sync", "--quiet", "--require-hashes", "--no-build", "--python", python, pins), environ)


def fingerprint(name: str) -> str:
    """Of what an environment depends on; of pyproject.toml, only what uv.lock took over."""
    if name == "uv":
        return UV_VERSION
    inputs = (UV_VERSION, name, str(ROOT), own_python(), sys.version, os.uname().machine)
    return hashlib.sha256(b"\0".join([*map(str.encode, inputs), (ROOT / "uv.lock").read_bytes()])).hexdigest()


def is_ready(name: str) -> bool:
    program = UV if name == "uv" else ENVIRONMENTS[name] / "bin/python"
    return program.exists() and STAMPS[name].exists() and STAMPS[name].read_text() == fingerprint(name)


def ensure(names: Sequence[str]) -> None:
    """Makes ready what is not; one process at a time, the others wait and then find it done."""
    wanted = ["uv", *(name for name in ENVIRONMENTS if name in names)]
    if all(map(is_ready, wanted)):
        return
    TOOLS.mkdir(exist_ok=True)
    with locked(TOOLS / "lock"):
        settings = PipSettings.read(os.environ)
        for name in wanted:
            if not is_ready(name):
                fetch_uv(settings) if name == "uv" else make_environment(name, settings)
                STAMPS[name].write_text(fingerprint(name))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; a process that dies lets go of it."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process is at work in {path.parent}; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> None:
    if not arguments or not STAMPS.keys() >= set(arguments):
        print(f"usage: python3 bootstrap.py [{' '.join(STAMPS)}] ...; nothing was changed", file=sys.stderr)
        sys.exit(2)
    # A stop ends it like an interrupt: uv is stopped too, and what is half made has no stamp.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        ensure(arguments)
    except KeyboardInterrupt:
        sys.exit("bootstrap.py: interrupted; what was half made is made anew next time.")
    except PermissionError as error:
        sys.exit(f"bootstrap.py: {error.filename} may not be written: {error.strerror}.")
    except (SetupError, OSError) as error:
        sys.exit(f"bootstrap.py: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
