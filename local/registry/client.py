"""How a docker daemon pulls: challenge, token, version check, manifest; the first refusal is the answer."""

import base64
import http.client
import json
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from local.simulator.world import Credentials, PullAnswer

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_SECONDS = 10


def pull(registry_url: str, repository: str, reference: str, credentials: Credentials | None) -> PullAnswer:
    """Ask the registry for an image's manifest, signed in when there are credentials.

    `registry_url` is `http://host:port`, `repository` as the registry knows it (`library/python`),
    `reference` a tag or a digest. The answer's text is the registry's own message, empty for 200.
    """
    path = f"/v2/{repository}/manifests/{reference}"
    status, headers, body = _request(registry_url, "HEAD", path, {})
    if status != HTTPStatus.UNAUTHORIZED:
        return PullAnswer(status, _message(body))
    asked = dict(_PARAMETER.findall(headers.get("www-authenticate", "")))
    query = urlencode(
        {"service": asked.get("service", ""), "scope": asked.get("scope", f"repository:{repository}:pull")}
    )
    realm = urlsplit(asked.get("realm", "/token")).path
    status, _, body = _request(registry_url, "GET", f"{realm}?{query}", _basic(credentials))
    if status != HTTPStatus.OK:
        return PullAnswer(status, _message(body))
    bearer = {"Authorization": f"Bearer {json.loads(body)['token']}"}
    for method in ("HEAD", "GET"):
        status, _, body = _request(registry_url, method, path, bearer)
        if status != HTTPStatus.OK:
            return PullAnswer(status, _message(body))
    return PullAnswer(HTTPStatus.OK.value)


def _request(url: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_SECONDS)
    try:
        connection.request(method, path, headers={"Accept": "*/*", **headers})
        response = connection.getresponse()
        body = response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body
    finally:
        connection.close()


def _basic(credentials: Credentials | None) -> dict[str, str]:
    if credentials is None:
        return {}
    pair = f"{credentials.username}:{credentials.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _message(body: bytes) -> str:
    """The registry's words: the message of its first error, or the token service's `details`."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
    if not isinstance(document, dict):
        return ""
    errors = document.get("errors") or [{}]
    return str(document.get("details") or errors[0].get("message", ""))
