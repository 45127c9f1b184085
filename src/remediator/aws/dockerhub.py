"""Asks Docker Hub whether credentials are good, and what an account may pull; the answer never holds them."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from enum import StrEnum
from functools import partial

import urllib3

from remediator.core.value import value

DOCKER_HUB = "https://auth.docker.io"
QUERY = "/token?service=registry.docker.io&scope=repository:ratelimitpreview/test:pull"
REGISTRY = "https://registry-1.docker.io"
MANIFEST = "/v2/ratelimitpreview/test/manifests/latest"
SECONDS = 10.0

_TOKEN = r"[\x21-\x7e]+"  # noqa: S105 - what a token may be made of: nothing that would break a header
_PULLS = r"([0-9]{1,9})(?:;w=([0-9]{1,9}))?"


class Answer(StrEnum):
    """Only 200, with its allowance, and 401 speak about the credentials. 429: more questions do harm."""

    REJECTED = "rejected"
    NOT_NOW = "not-now"
    COULD_NOT_TELL = "could-not-tell"


@value
class Allowance:
    """An account's pulls in a window of seconds, and how many are left; None where it has no limit or names none."""

    limit: int | None
    remaining: int | None
    window: int | None


def ask_docker_hub(username: str, password: str, endpoint: str = "") -> Allowance | Answer:
    """Ask for a token, which proves the credentials, and then, with HEAD, for a manifest, whose headers tell what the
    account may pull. Neither costs a pull (https://docs.docker.com/docker-hub/usage/pulls/).

    An Answer where the credentials are not accepted, or where one of the two requests gives no clear result; NOT_NOW
    also for the registry's own 429 without the headers. `endpoint` stands for both addresses, on the loopback
    interface only (Settings sees to that). The credentials are for this address alone, so no redirect is followed.
    """
    # A secret's JSON may hold half a surrogate pair; the error of encoding it would hold the credentials.
    basic = b64encode(f"{username}:{password}".encode(errors="surrogatepass")).decode()
    try:
        with urllib3.PoolManager() as http:
            ask = partial(http.request, redirect=False, retries=False, timeout=SECONDS)
            answer = ask("GET", (endpoint or DOCKER_HUB) + QUERY, headers={"Authorization": f"Basic {basic}"})
            if answer.status != 200:
                return {401: Answer.REJECTED, 429: Answer.NOT_NOW}.get(answer.status, Answer.COULD_NOT_TELL)
            token = _token_in(answer.data)
            if token is None:
                return Answer.COULD_NOT_TELL
            headers = {"Authorization": f"Bearer {token}", "Accept": "*/*"}
            manifest = ask("HEAD", (endpoint or REGISTRY) + MANIFEST, headers=headers)
    except urllib3.exceptions.HTTPError:
        return Answer.COULD_NOT_TELL
    return _allowance_in(manifest.status, manifest.headers)


def _token_in(body: bytes) -> str | None:
    """The bearer token; it has either name (https://distribution.github.io/distribution/spec/auth/token/)."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    token = document.get("token") or document.get("access_token")
    return token if isinstance(token, str) and re.fullmatch(_TOKEN, token) else None


def _allowance_in(status: int, headers: Mapping[str, str]) -> Allowance | Answer:
    """A 429 that tells is an answer too; without the headers it says only that more questions do harm."""
    if status not in (200, 429):
        return Answer.COULD_NOT_TELL
    limit, remaining = headers.get("ratelimit-limit"), headers.get("ratelimit-remaining")
    if limit is None and remaining is None:
        return Allowance(None, None, None) if status == 200 else Answer.NOT_NOW
    allowed, left = re.fullmatch(_PULLS, limit or ""), re.fullmatch(_PULLS, remaining or "")
    if allowed is None or left is None:
        return Answer.COULD_NOT_TELL
    return Allowance(int(allowed[1]), int(left[1]), int(allowed[2]) if allowed[2] else None)
