#!/usr/bin/env python3
"""Brings what the make targets need: uv, and the project's environments made with it.

    python3 bootstrap.py dev sam checkov local bench

makes `.venv` (dev) and `.tools/sam`, `.tools/checkov`, `.tools/local`, `.tools/bench` from uv.lock, each when
it is asked for, and does nothing when it is up to date. It needs Python 3.11 and its standard library, not pip
nor venv: uv is one binary, and comes from the package index that pip's own settings name, checked against the
digest below.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said before an import or an annotation of a later Python fails
    sys.exit(
        "bootstrap.py: Python 3.11 or later is needed; this is Python %d.%d (%s). Nothing was changed.\n"  # noqa: UP031
        "Run it with a later one: make PYTHON=/path/to/python3.11 ..."
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

import base64
import configparser
import contextlib
import hashlib
import html.parser
import io
import json
import netrc
import os
import platform
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import types
import urllib.error
import urllib.parse
import urllib.request
import urllib.response
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

try:
    import fcntl
except ImportError:
    sys.exit("bootstrap.py: this runs on Linux and macOS; on Windows, use it within WSL. Nothing was changed.")

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".tools"
UV = TOOLS / "uv"

UV_VERSION = "0.13.9"
# (system, machine, C library) to the wheel and its SHA-256, as https://pypi.org/simple/uv/ lists them. The
# digests stand here, so that an index cannot hand over another binary. musl's is static, good for old glibc.
UV_WHEELS = {
    ("Linux", "x86_64", "glibc"): (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Linux", "x86_64", "musl"): (
        "musllinux_1_1_x86_64",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    ),
    ("Linux", "aarch64", "glibc"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    ("Linux", "aarch64", "musl"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    ("Darwin", "x86_64", ""): (
        "macosx_10_12_x86_64",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    ("Darwin", "arm64", ""): (
        "macosx_11_0_arm64",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
}

# Each environment is one dependency group of uv.lock: their pins contradict each other (see pyproject.toml).
ENVIRONMENTS = {
    "dev": ROOT / ".venv",
    "sam": TOOLS / "sam",
    "checkov": TOOLS / "checkov",
    "local": TOOLS / "local",
    "bench": TOOLS / "bench",
}

PYPI = "https://pypi.org/simple"
ATTEMPTS = 3


class SetupError(Exception):
    """Something is missing; the message says what, what was left unchanged, and what to do."""


# --- pip's settings, read without pip -----------------------------------------------------------------------


@dataclass(frozen=True)
class PipSettings:
    """Where packages come from, as pip's files and PIP_* variables say.

    https://pip.pypa.io/en/stable/topics/configuration/
    """

    index: str = PYPI
    extra_indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    certificates: str = ""
    client_certificate: str = ""
    proxy: str = ""
    trusted_hosts: tuple[str, ...] = ()
    timeout: float = 30.0

    @classmethod
    def read(cls, environ: Mapping[str, str], files: Sequence[Path] | None = None) -> "PipSettings":
        """Later files override earlier ones, [install] overrides [global], and variables override files."""
        values: dict[str, str] = {}
        for file in pip_files(environ) if files is None else files:
            parser = configparser.RawConfigParser(strict=False)
            try:
                parser.read(file, encoding="utf-8")
            except (configparser.Error, UnicodeDecodeError) as error:
                raise SetupError(f"pip's settings in {file} cannot be read: {error}. Correct that file.") from error
            for section in ("global", "install"):
                if parser.has_section(section):
                    values.update((option_name(name), value) for name, value in parser.items(section))
        values.update(
            (option_name(name.removeprefix("PIP_")), value)
            for name, value in environ.items()
            if name.startswith("PIP_") and value
        )
        timeout = values.get("timeout", values.get("default-timeout", ""))
        return cls(
            index=values.get("index-url", "").rstrip("/") or PYPI,
            extra_indexes=tuple(url.rstrip("/") for url in values.get("extra-index-url", "").split()),
            find_links=tuple(values.get("find-links", "").split()),
            no_index=values.get("no-index", "").lower() in {"1", "true", "yes", "on", "y", "t"},
            certificates=values.get("cert", ""),
            client_certificate=values.get("client-cert", ""),
            proxy=values.get("proxy", ""),
            trusted_hosts=tuple(values.get("trusted-host", "").split()),
            timeout=float(timeout) if timeout.replace(".", "", 1).isdigit() else 30.0,
        )

    @property
    def is_default_index(self) -> bool:
        """uv.lock names files of PyPI; another index has to be asked for the same files by their digests."""
        return not self.no_index and self.index == PYPI


def option_name(name: str) -> str:
    return name.lower().replace("_", "-").lstrip("-")


def pip_files(environ: Mapping[str, str]) -> list[Path]:
    """pip's configuration files that may exist here, weakest first."""
    chosen = environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        machine = [Path("/Library/Application Support/pip/pip.conf")]
        own = home / "Library/Application Support/pip"
        user = own if own.is_dir() else home / ".config/pip"
    else:
        folders = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        machine = [Path(folder) / "pip/pip.conf" for folder in reversed(folders.split(":")) if folder]
        machine.append(Path("/etc/pip.conf"))
        user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip"
    personal = [] if chosen and Path(chosen).exists() else [home / ".pip/pip.conf", user / "pip.conf"]
    site = Path(sys.prefix) / "pip.conf"
    return [*machine, *personal, site, *([Path(chosen)] if chosen else [])]


# --- the download of uv -------------------------------------------------------------------------------------


class Links(html.parser.HTMLParser):
    """The links of an index page in HTML (PEP 503), as the page writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.extend(value for name, value in attrs if name == "href" and value)


def links_of(page: bytes, content_type: str) -> list[str]:
    """Links of a page of the simple repository API, in JSON (PEP 691) or HTML (PEP 503)."""
    if "json" in content_type:
        document = json.loads(page)
        return [str(file["url"]) for file in document["files"]]
    parser = Links()
    parser.feed(page.decode("utf-8", "replace"))
    return parser.found


def file_name(url: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])


def without_credentials(url: str) -> str:
    """The address as it may be shown."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class Web:
    """HTTP and file addresses, with pip's certificates, proxy, credentials and trusted hosts."""

    def __init__(self, settings: PipSettings) -> None:
        self._settings = settings

    def open(self, url: str, accept: str) -> urllib.response.addinfourl:
        """The open response; OSError (of which URLError is one) after ATTEMPTS attempts."""
        shown, host = without_credentials(url), urllib.parse.urlsplit(url).hostname or ""
        request = urllib.request.Request(shown, headers={"Accept": accept, "User-Agent": "bootstrap.py"})
        login = self._login(url, host)
        if login:
            token = base64.b64encode(":".join(login).encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {token}")
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=self._context(url)))
        if self._settings.proxy:
            proxy = self._settings.proxy
            opener.add_handler(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response: urllib.response.addinfourl = opener.open(request, timeout=self._settings.timeout)
            except urllib.error.HTTPError as error:
                if error.code < 500 or attempt == ATTEMPTS:
                    raise
            except urllib.error.URLError as error:
                # A wrong certificate or an unknown name will not be right a moment later.
                if isinstance(error.reason, ssl.SSLCertVerificationError) or attempt == ATTEMPTS:
                    raise
            else:
                return response
            time.sleep(attempt * 0.5)
        raise AssertionError("unreachable")

    def _login(self, url: str, host: str) -> tuple[str, str] | None:
        parts = urllib.parse.urlsplit(url)
        if parts.username:
            return urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or "")
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            entry = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
            return (entry[0], entry[2] or "") if entry else None
        return None

    def _context(self, url: str) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._settings.certificates or None)
            if self._settings.client_certificate:
                context.load_cert_chain(self._settings.client_certificate)
        except OSError as error:
            raise SetupError(f"The certificates that pip's settings name cannot be read: {error}.") from error
        parts = urllib.parse.urlsplit(url)
        if {parts.hostname, f"{parts.hostname}:{parts.port}"} & set(self._settings.trusted_hosts):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


def wheel_for(system: str, machine: str, libc: str) -> tuple[str, str]:
    """File name and SHA-256 of uv's wheel for a platform."""
    machine = {"amd64": "x86_64", "AMD64": "x86_64"}.get(machine, machine)
    machine = "aarch64" if (system, machine) == ("Linux", "arm64") else machine
    if (system, machine, libc) not in UV_WHEELS:
        raise SetupError(
            f"No uv {UV_VERSION} is known for {system} on {machine}."
            " This runs on Linux (x86_64, aarch64) and macOS. Nothing was changed."
        )
    tags, digest = UV_WHEELS[system, machine, libc]
    return f"uv-{UV_VERSION}-py3-none-{tags}.whl", digest


def c_library() -> str:
    """`glibc` from 2.17, else `musl`; empty where the question does not arise."""
    if platform.system() != "Linux":
        return ""
    try:
        _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        return "glibc" if tuple(int(part) for part in version.split(".")[:2]) >= (2, 17) else "musl"
    except (ValueError, OSError):
        return "musl"


def wheel_addresses(web: Web, settings: PipSettings, wheel: str) -> Iterator[str]:
    """Where the wheel is offered: index, further indexes, --find-links; SetupError when they are used up."""
    asked: list[str] = []
    indexes = [] if settings.no_index else [settings.index, *settings.extra_indexes]
    for page in [*(f"{index}/uv/" for index in indexes), *settings.find_links]:
        shown = without_credentials(page)
        local = Path(urllib.request.url2pathname(urllib.parse.urlsplit(page).path) if "file:" in page[:5] else page)
        try:
            if "://" not in page or page.startswith("file:"):
                yield from (path.as_uri() for path in local.rglob(wheel))
                if not (local / "index.html").is_file():
                    asked.append(f"{shown}: no such file there")
                    continue
                base, links = (
                    (local / "index.html").as_uri(),
                    links_of((local / "index.html").read_bytes(), "html"),
                )
            else:
                accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
                with web.open(page, accept) as response:
                    # Relative links of an index that asks for a password need that password too.
                    base = page if without_credentials(response.url) == shown else response.url
                    links = links_of(response.read(), response.headers.get_content_type())
        except (OSError, ValueError, KeyError) as error:
            asked.append(f"{shown}: {reason_of(error)}")
            continue
        offered = [urllib.parse.urljoin(base, link) for link in links if file_name(link) == wheel]
        yield from offered
        if not offered:
            asked.append(f"{shown}: does not offer it")
    raise SetupError(
        f"{wheel} was not found. Asked, as pip's settings say:\n  " + "\n  ".join(asked or ["nothing: no index is set"])
    )


def reason_of(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        reason = error.reason
        if isinstance(reason, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted ({reason.verify_message}); install the system's certificates"
                " (Debian: apt-get install ca-certificates) or name a bundle in PIP_CERT"
            )
        return f"no answer ({reason}); is there a network?"
    return f"no usable answer ({error})"


def fetch_uv(settings: PipSettings) -> None:
    """Puts the pinned binary at `.tools/uv` in one rename."""
    wheel, digest = wheel_for(platform.system(), platform.machine(), c_library())
    web = Web(settings)
    with tempfile.TemporaryDirectory(dir=TOOLS, prefix="uv-") as folder:
        path = Path(folder) / wheel
        for address in wheel_addresses(web, settings, wheel):
            actual = hashlib.sha256()
            try:
                with web.open(address, "*/*") as response, path.open("wb") as file:
                    for block in iter(lambda: response.read(1 << 20), b""):
                        actual.update(block)
                        file.write(block)
            except OSError as error:
                raise SetupError(
                    f"{without_credentials(address)}: {reason_of(error)}. uv was not installed."
                ) from error
            if actual.hexdigest() == digest:
                break
            raise SetupError(
                f"{without_credentials(address)} has the SHA-256 {actual.hexdigest()}, and {digest} is"
                " expected. It was thrown away: the download was damaged, or the index serves another file"
                " under this name."
            )
        binary = Path(folder) / "uv"
        with zipfile.ZipFile(path) as unpacked:
            binary.write_bytes(unpacked.read(f"uv-{UV_VERSION}.data/scripts/uv"))
        binary.chmod(0o755)
        check = subprocess.run([binary, "--version"], check=False, capture_output=True, text=True)
        if check.returncode:
            raise SetupError(f"uv {UV_VERSION} was fetched but does not run here: {check.stderr.strip()}")
        binary.replace(UV)


# --- environments, made by uv -------------------------------------------------------------------------------


def uv_environ(settings: PipSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that uv runs with: the caller's, without those that would lead it to another project."""
    kept = {"UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_OFFLINE", "UV_LINK_MODE", "UV_KEYRING_PROVIDER"}
    dropped = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX"}
    result = {
        name: value
        for name, value in environ.items()
        if name not in dropped and (not name.startswith("UV_") or name in kept or name.startswith("UV_CONCURRENT_"))
    }
    result |= {
        "UV_NO_CONFIG": "1",
        "UV_SYSTEM_CERTS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
    }
    result.setdefault("UV_HTTP_TIMEOUT", str(int(settings.timeout) or 30))
    if settings.certificates:
        result["SSL_CERT_FILE"] = settings.certificates
    if settings.client_certificate:
        result["SSL_CLIENT_CERT"] = settings.client_certificate
    if settings.trusted_hosts:
        result["UV_INSECURE_HOST"] = " ".join(settings.trusted_hosts)
    if settings.proxy:
        result |= {"ALL_PROXY": settings.proxy, "HTTP_PROXY": settings.proxy, "HTTPS_PROXY": settings.proxy}
    cache = Path(result.get("XDG_CACHE_HOME") or Path(result.get("HOME") or "/") / ".cache")
    if "UV_CACHE_DIR" not in result and not writable(cache / "uv"):
        result["UV_CACHE_DIR"] = str(TOOLS / "cache")
    return result


def index_environ(settings: PipSettings) -> dict[str, str]:
    """Variables that name pip's index to uv, not options: an index may have a password in its address."""
    result = {"UV_DEFAULT_INDEX": settings.index}
    if settings.extra_indexes:
        result["UV_INDEX"] = " ".join(settings.extra_indexes)
        # Every file is held by its digest, so no index can slip in another one under the same name.
        result["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if settings.find_links:
        result["UV_FIND_LINKS"] = ",".join(settings.find_links)
    if settings.no_index:
        result["UV_NO_INDEX"] = "1"
    return result


def writable(folder: Path) -> bool:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def run_uv(arguments: Sequence[str | Path], environ: Mapping[str, str]) -> str:
    """Standard output of a run of uv in the repository; SetupError with what uv said when it fails."""
    done = subprocess.run([UV, *arguments], check=False, cwd=ROOT, env=dict(environ), capture_output=True, text=True)
    if done.returncode:
        command = " ".join(str(argument) for argument in arguments)
        raise SetupError(f"uv {command}\nended with {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def own_python() -> str:
    """The Python that runs this, not a virtual environment's link to it, which may be the one remade."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def make_environment(name: str, settings: PipSettings) -> None:
    """Brings one environment to what uv.lock says; made anew unless the last run with it came to its end."""
    folder = ENVIRONMENTS[name]
    stamp = folder / ".ready"
    environ = uv_environ(settings, os.environ)
    if stamp.exists() and (folder / "bin/python").exists():
        stamp.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)
    if not settings.is_default_index:
        install_by_digest(name, settings)
    else:
        try:
            run_uv(
                ("sync", "--quiet", "--frozen", "--only-group", name, "--no-build", "--python", own_python()),
                environ | {"UV_PROJECT_ENVIRONMENT": str(folder)},
            )
        except SetupError:
            if not (settings.extra_indexes or settings.find_links):
                raise
            install_by_digest(name, settings)
    write(stamp, fingerprint(name))


def install_by_digest(name: str, settings: PipSettings) -> None:
    """The same files by version and digest, from pip's index instead of the addresses in uv.lock."""
    folder, environ = ENVIRONMENTS[name], uv_environ(settings, os.environ)
    with tempfile.TemporaryDirectory(dir=TOOLS, prefix=f"{name}-") as scratch:
        requirements = Path(scratch) / "requirements.txt"
        export = ("export", "--quiet", "--frozen", "--only-group", name, "--no-header", "--no-annotate")
        requirements.write_text(run_uv(export, environ), encoding="utf-8")
        run_uv(("venv", "--quiet", "--allow-existing", "--python", own_python(), folder), environ)
        run_uv(
            (
                "pip",
                "sync",
                "--quiet",
                "--require-hashes",
                "--no-build",
                "--python",
                folder / "bin/python",
                requirements,
            ),
            environ | index_environ(settings),
        )


def fingerprint(name: str) -> str:
    """Digest of what the environment depends on; of pyproject.toml, only what uv.lock took over."""
    inputs = (UV_VERSION, name, str(ROOT), own_python(), sys.version, platform.machine())
    return hashlib.sha256(b"\0".join([*map(str.encode, inputs), (ROOT / "uv.lock").read_bytes()])).hexdigest()


def is_ready(name: str) -> bool:
    if name == "uv":
        return UV.exists() and read(TOOLS / "uv.ready") == UV_VERSION
    folder = ENVIRONMENTS[name]
    return read(folder / ".ready") == fingerprint(name) and (folder / "bin/python").exists()


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def write(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="ascii")
    draft.replace(path)


def ensure(names: Sequence[str]) -> None:
    """Makes ready what is not; one process at a time, the others wait and then find it done."""
    wanted = [name for name in ("uv", *(name for name in ENVIRONMENTS if name in names)) if not is_ready(name)]
    if not wanted:
        return
    try:
        TOOLS.mkdir(exist_ok=True)
        with locked(TOOLS / "lock"):
            settings = PipSettings.read(os.environ)
            for name in wanted:
                if not is_ready(name):
                    make(name, settings)
    except PermissionError as error:
        raise SetupError(f"{error.filename or ROOT} may not be written: {error.strerror}.") from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; a process that dies lets go of it."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is at work in {path.parent}; waiting for it\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(name: str, settings: PipSettings) -> None:
    label = f"uv {UV_VERSION}" if name == "uv" else str(ENVIRONMENTS[name].relative_to(ROOT))
    started = time.monotonic()
    say(f"{label} … ")
    try:
        if name == "uv":
            fetch_uv(settings)
            write(TOOLS / "uv.ready", UV_VERSION)
        else:
            make_environment(name, settings)
    except BaseException:
        say("not ready\n")
        raise
    say(f"ready in {time.monotonic() - started:.1f} s\n")


def say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def stop(number: int, _frame: types.FrameType | None) -> None:
    """Ends like an interrupt does: uv is stopped too, and what is half made has no stamp."""
    raise SystemExit(128 + number)


def main(arguments: Sequence[str]) -> int:
    unknown = [name for name in arguments if name not in ENVIRONMENTS and name != "uv"]
    if unknown or not arguments:
        say(f"usage: python3 bootstrap.py [{' '.join(['uv', *ENVIRONMENTS])}] ...\n")
        if unknown:
            say(f"bootstrap.py: {unknown[0]} is none of them. Nothing was changed.\n")
        return 2
    signal.signal(signal.SIGTERM, stop)
    try:
        ensure(arguments)
    except SetupError as error:
        say(f"bootstrap.py: {error}\n")
        return 1
    except KeyboardInterrupt:
        say("bootstrap.py: interrupted; what was half made is made anew next time.\n")
        return 130
    except OSError as error:
        say(f"bootstrap.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="replace")
    sys.exit(main(sys.argv[1:]))
