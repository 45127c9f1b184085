"""How docker speaks to a registry: challenge, token, then manifests; the first refusal is the answer.

It writes its HTTP itself: `http.client` alone would take longer to import than a pull takes.
"""

from __future__ import annotations

import base64
import json
import re
import socket
from typing import Any, NamedTuple

Login = tuple[str, str]
"""User name and password."""

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_ADDRESS = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\]):(\d+)/?")
_SECONDS = 10
_OK, _CREATED, _ACCEPTED, _UNAUTHORIZED = 200, 201, 202, 401
_CODES = {401: "unauthorized", 403: "denied", 404: "not found", 429: "toomanyrequests"}
_MOST = 1 << 16


class Answer(NamedTuple):
    """One HTTP answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Refused(Exception):
    """The registry said no, in `step` token, manifest or upload: `text` is its message, `digest` the image's."""

    def __init__(self, step: str, status: int, code: str, text: str, digest: str = "") -> None:
        super().__init__(text)
        self.step, self.status, self.code, self.text, self.digest = step, status, code, text, digest


def sign_in(url: str, login: Login) -> None:
    """Have user name and password verified, as `docker login` does; raises Refused."""
    token = _token(url, _request(url, "GET", "/v2/"), "", login)
    answer = _request(url, "GET", "/v2/", {"Authorization": f"Bearer {token}"})
    if answer.status != _OK:
        raise _refused("manifest", answer)


def pull(url: str, repository: str, reference: str, login: Login | None) -> str:
    """Ask for an image's manifest, a version check first; its digest. Raises Refused.

    `url` is `http://127.0.0.1:PORT`, `repository` as the registry knows it (`library/python`), `reference` a tag
    or a digest.
    """
    path = f"/v2/{repository}/manifests/{reference}"
    answer = _request(url, "HEAD", path)
    digest = ""
    if answer.status == _UNAUTHORIZED:
        bearer = {"Authorization": f"Bearer {_token(url, answer, f'repository:{repository}:pull', login)}"}
        for method in ("HEAD", "GET"):
            answer = _request(url, method, path, bearer)
            digest = answer.headers.get("docker-content-digest", digest)
            if answer.status != _OK:
                break
    if answer.status != _OK:
        raise _refused("manifest", answer, digest)
    return digest


def push(url: str, repository: str, reference: str, login: Login | None) -> str:
    """Upload an image: a blob's upload is opened, the manifest put; its digest. Raises Refused."""
    uploads = f"/v2/{repository}/blobs/uploads/"
    challenge = _request(url, "POST", uploads)
    bearer = {"Authorization": f"Bearer {_token(url, challenge, f'repository:{repository}:pull,push', login)}"}
    answer = _request(url, "POST", uploads, bearer)
    if answer.status == _ACCEPTED:
        answer = _request(url, "PUT", f"/v2/{repository}/manifests/{reference}", bearer, b"{}")
    if answer.status != _CREATED:
        raise _refused("upload", answer)
    return answer.headers.get("docker-content-digest", "")


def _token(url: str, challenge: Answer, scope: str, login: Login | None) -> str:
    asked = dict(_PARAMETER.findall(challenge.headers.get("www-authenticate", "")))
    query = [("service", asked.get("service", "")), ("scope", scope)]
    headers = {}
    if login is not None:
        query += [("account", login[0]), ("client_id", "docker"), ("offline_token", "true")]
        pair = base64.b64encode(":".join(login).encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
    realm = "/" + asked.get("realm", "/token").rpartition("/")[2]
    text = "&".join(f"{name}={_quoted(value)}" for name, value in query if value)
    answer = _request(url, "GET", f"{realm}?{text}", headers)
    if answer.status != _OK:
        raise _refused("token", answer)
    return str(json.loads(answer.body)["token"])


def _quoted(value: str) -> str:
    safe = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/,"
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in value.encode())


def _request(url: str, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    address = _ADDRESS.fullmatch(url)
    if address is None:
        raise ValueError(f"a registry on loopback is needed, not {url}")
    host, port = address[1].strip("[]"), int(address[2])
    sent = {"Host": f"{address[1]}:{port}", "Accept": "*/*", "Connection": "close", **(headers or {})}
    if body:
        sent["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    with socket.create_connection((host, port), timeout=_SECONDS) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        received = b"".join(iter(lambda: connection.recv(_MOST), b""))
    top, _, content = received.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Answer(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, content)


def _refused(step: str, answer: Answer, digest: str = "") -> Refused:
    """The registry's words: code and message of its first error, or the token service's `details`."""
    code, text = _CODES.get(answer.status, "unknown"), ""
    try:
        document: Any = json.loads(answer.body)
    except ValueError:
        text = answer.body.decode(errors="replace")
    else:
        if isinstance(document, dict):
            error = (document.get("errors") or [{}])[0]
            code = str(error.get("code", code)).lower()
            text = str(document.get("details") or error.get("message", ""))
    return Refused(step, answer.status, code, text, digest)
