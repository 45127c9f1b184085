"""The registry's doors for tokens, manifests and uploads, with the answers that Docker Hub gives."""

import base64
import binascii
import hashlib
import json
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from local.registry.accounts import Account, Accounts

_MANIFEST = re.compile(r"^/v2/(?P<repository>[a-z0-9._/-]+)/manifests/(?P<reference>[A-Za-z0-9._:-]+)$")
_UPLOADS = re.compile(r"^/v2/(?P<repository>[a-z0-9._/-]+)/blobs/uploads/$")
_SCOPE = re.compile(r"repository:(?P<repository>[^:]+):(?P<actions>[a-z,*]+)")
UNLIMITED = "verified/"
"""Repositories whose pulls don't count, as those of Docker Hub's verified publishers."""

INSUFFICIENT = "access token has insufficient scopes"
_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"


class Registry:
    """An embeddable registry on 127.0.0.1 and a free port; every repository and tag exists.

    `anonymous_pulls` is how many pulls are left without signing in (0: throttled from the start, None: no
    limit). `log` has one entry for each request: time (epoch seconds), method, path, repository, account
    (None: anonymous or not let in), login (the user name that a login named), status; the same as JSON lines
    in `log_file`.
    """

    def __init__(self, *, anonymous_pulls: int | None = 0, log_file: Path | None = None) -> None:
        self.accounts = Accounts(anonymous_pulls)
        self.log: list[dict[str, Any]] = []
        self._log_file = log_file
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> Self:
        """Answer requests from a thread of its own."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def add_account(
        self,
        user: str,
        password: str,
        pulls: int | None = None,
        *,
        read_only: bool = False,
        chosen_only: bool = False,
    ) -> None:
        """Make an account with so many pulls (None: no limit), or change the one of that name."""
        self.accounts.add(Account(user, password, pulls, read_only=read_only, chosen_only=chosen_only))

    def record(self, entry: dict[str, Any]) -> None:
        """Add a line to the access log."""
        with self._lock:
            self.log.append(entry)
            if self._log_file is not None:
                with self._log_file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(entry) + "\n")

    def pulls(self) -> list[dict[str, Any]]:
        """What the access log says of pulls: manifests that were asked for with GET and a token."""
        with self._lock:
            return [
                entry
                for entry in self.log
                if entry["method"] == "GET" and "/manifests/" in entry["path"] and entry["status"] != 401
            ]

    def pushes(self) -> list[dict[str, Any]]:
        """What the access log says of pushes: uploads and manifests that were sent with a token, refused ones too."""
        with self._lock:
            sent = [entry for entry in self.log if entry["method"] in ("POST", "PUT") and entry["repository"]]
            return [entry for entry in sent if entry["account"] is not None or entry["status"] != 401]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, registry: Registry) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registry = registry


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one piece: without it a small answer waits for the client's delayed ACK.
    wbufsize = -1
    server: _Server
    _login: str | None
    _account: str | None
    _repository: str | None

    def do_GET(self) -> None:
        self._login = self._account = self._repository = None
        url = urlsplit(self.path)
        manifest = _MANIFEST.match(url.path)
        if url.path == "/token" and self.command == "GET":
            self._token(parse_qs(url.query))
        elif manifest is not None:
            self._manifest(manifest["repository"], manifest["reference"])
        elif url.path in ("/v2", "/v2/"):
            self._door()
        else:
            self._error(404, "NOT_FOUND", "page not found")

    do_HEAD = do_GET  # noqa: N815 - the base class looks for this name

    def do_POST(self) -> None:
        self._login = self._account = self._repository = None
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        pushed = (_UPLOADS if self.command == "POST" else _MANIFEST).match(path)
        if pushed is None:
            self._error(404, "NOT_FOUND", "page not found")
        elif self._may_push(pushed["repository"]):
            self._take(pushed.groupdict())

    do_PUT = do_POST  # noqa: N815 - the base class looks for this name

    def _token(self, query: dict[str, list[str]]) -> None:
        scopes = [found for text in query.get("scope", []) if (found := _SCOPE.fullmatch(text))]
        self._repository = scopes[0]["repository"] if scopes else None
        self._login, password = _basic(self.headers.get("Authorization", ""))
        account = self.server.registry.accounts.sign_in(self._login, password)
        if account is None:
            self._answer(401, {"details": "incorrect username or password"})
            return
        if account.locked:
            self._answer(429, {"details": account.locked})
            return
        asked = {scope["repository"]: scope["actions"].split(",") for scope in scopes}
        if account.read_only and any("push" in actions for actions in asked.values()):
            # Docker Hub gives less than was asked for to accounts, but nothing at all to such a token.
            self._answer(401, {"details": INSUFFICIENT})
            return
        self._account = account.user
        granted = {name: [action for action in asked[name] if action in account.may(name)] for name in asked}
        token = self.server.registry.accounts.issue(account, granted)
        issued = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._answer(200, {"token": token, "access_token": token, "expires_in": 300, "issued_at": issued})

    def _door(self) -> None:
        """Where a login shows that its token is good."""
        account = self._bearer("")
        if account is None:
            self._challenge(None)
            return
        self._account = account.user
        self._answer(200, {})

    def _bearer(self, repository: str) -> Account | None:
        return self.server.registry.accounts.bearer(self._token_sent, repository)

    @property
    def _token_sent(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""

    def _may_push(self, repository: str) -> bool:
        """Whether the token's account may; otherwise it has been told."""
        self._repository = repository
        account = self._bearer(repository)
        if account is None:
            self._challenge(repository, "pull,push")
            return False
        self._account = account.user
        if "push" not in account.may(repository):
            self._error(403, "DENIED", "requested access to the resource is denied")
            return False
        return True

    def _take(self, pushed: dict[str, str]) -> None:
        repository = pushed["repository"]
        if "reference" in pushed:
            self._answer(201, {}, {"Docker-Content-Digest": _digest(repository, pushed["reference"])})
        else:
            self._answer(202, {}, {"Location": f"/v2/{repository}/blobs/uploads/{uuid.uuid4()}"})

    def _manifest(self, repository: str, reference: str) -> None:
        self._repository = repository
        accounts = self.server.registry.accounts
        account = self._bearer(repository)
        if account is None:
            self._challenge(repository)
            return
        self._account = account.user
        # A version check is no pull: it is answered, with its headers, when there are no pulls left too.
        if self.command == "HEAD" or repository.startswith(UNLIMITED) or accounts.take(account):
            self._found(account, repository, reference)
        else:
            self._error(429, "TOOMANYREQUESTS", account.refusal, account.rate_limit(self.client_address[0]))

    def _found(self, account: Account, repository: str, reference: str) -> None:
        document = {
            "schemaVersion": 2,
            "mediaType": _MEDIA_TYPE,
            "manifests": [],
            "annotations": {"image": repository},
        }
        limit = account.rate_limit(self.client_address[0])
        headers = {"Docker-Content-Digest": _digest(repository, reference), **limit}
        self._answer(200, document, headers, _MEDIA_TYPE)

    def _challenge(self, repository: str | None, actions: str = "pull") -> None:
        scope = f',scope="repository:{repository}:{actions}"' if repository else ""
        realm = f"http://{self.headers.get('Host', '127.0.0.1')}/token"
        error = "insufficient_scope" if self.server.registry.accounts.knows(self._token_sent) else "invalid_token"
        told = f',error="{error}"' if self._token_sent else ""
        header = f'Bearer realm="{realm}",service="registry.docker.io"{scope}{told}'
        self._error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": header})

    def _error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        self._answer(status, {"errors": [{"code": code, "message": message}]}, headers)

    def _answer(
        self,
        status: int,
        document: dict[str, Any],
        headers: dict[str, str] | None = None,
        media_type: str = "application/json",
    ) -> None:
        body = json.dumps(document).encode()
        self.server.registry.record(
            {
                "time": time.time(),
                "method": self.command,
                "path": self.path,
                "repository": self._repository,
                "account": self._account,
                "login": self._login,
                "status": status,
            }
        )
        self.send_response(status)
        for name, value in {
            "Content-Type": media_type,
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Silent: the access log is the registry's own."""


def _digest(repository: str, reference: str) -> str:
    return f"sha256:{hashlib.sha256(json.dumps([repository, reference]).encode()).hexdigest()}"


def _basic(header: str) -> tuple[str | None, str]:
    """User name and password of a basic Authorization header; a header that can't be read is a wrong one."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None, ""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password
