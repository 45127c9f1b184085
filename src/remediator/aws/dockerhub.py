"""Asks Docker Hub whether credentials are good, and what they allow; the answer never holds them."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Any

import urllib3

from remediator.core.value import value

DOCKER_HUB = "https://auth.docker.io"
TOKEN_FOR = "/token?service=registry.docker.io&scope=repository:"  # noqa: S105 - the beginning of a path
REGISTRY = "https://registry-1.docker.io"
PUBLIC = "ratelimitpreview/test"
MANIFEST = f"/v2/{PUBLIC}/manifests/latest"
UNUSED = "codebuild-pull-limit-remediator"
"""A repository that need not exist: a push makes it. Only a token for it is asked for."""
SECONDS = 10.0
MOST_BYTES = 65_536
"""What is read of an answer; a token has a few thousand bytes."""

_TOKEN = r"[\x21-\x7e]+"  # noqa: S105 - what a token may be made of: nothing that would break a header
_PULLS = r"([0-9]{1,9})(?:;w=([0-9]{1,9}))?"
_NAMESPACE = r"[a-z0-9](?:[a-z0-9_-]{0,253}[a-z0-9])?"
_LOCKED_OUT = rb"(?i)too many (?:failed )?login attempts"
_LACKS_SCOPE = rb"(?i)insufficient[ _]scope"


class Answer(StrEnum):
    """What Docker Hub says besides an allowance. All but COULD_NOT_TELL are its own words, and no guess from a status:
    a 429 is also given to addresses that many share (https://github.com/docker/hub-feedback/issues/1907)."""

    REJECTED = "rejected"
    LACKS_SCOPE = "lacks-scope"
    LOCKED_OUT = "locked-out"
    COULD_NOT_TELL = "could-not-tell"


@value
class Allowance:
    """An account's pulls in a window of seconds, and how many are left; None where it has no limit or names none.
    `pushes`: could the token push too? None where that was not asked or can't be told."""

    limit: int | None
    remaining: int | None
    window: int | None
    pushes: bool | None = None


def ask_docker_hub(username: str, password: str, endpoint: str = "", *, about_push: bool = False) -> Allowance | Answer:
    """Ask for a token, which proves the credentials, and then, with HEAD, for a manifest, whose headers tell what the
    account may pull. Neither costs a pull (https://docs.docker.com/docker-hub/usage/pulls/).

    `about_push`: ask for a second token, one that may push. That is a request of its own, because Docker Hub refuses a
    read-only token any token where push is among what is asked for
    (https://github.com/spinalcordtoolbox/spinalcordtoolbox/issues/5286).

    An Answer where the credentials are not accepted, or where one of the first two requests gives no clear result.
    `endpoint` stands for both addresses, on the loopback interface only (Settings sees to that). The credentials are
    for this address alone, so no redirect is followed.
    """
    # A secret's JSON may hold half a surrogate pair; the error of encoding it would hold the credentials.
    basic = b64encode(f"{username}:{password}".encode(errors="surrogatepass")).decode()
    try:
        with urllib3.PoolManager() as http:
            ask = partial(http.request, redirect=False, retries=False, timeout=SECONDS, preload_content=False)
            sign_in = partial(ask, "GET", headers={"Authorization": f"Basic {basic}"})
            answer = sign_in((endpoint or DOCKER_HUB) + f"{TOKEN_FOR}{PUBLIC}:pull")
            body = answer.read(MOST_BYTES)
            token = _token_in(body)
            if answer.status != 200 or token is None:
                return _refusal(answer.status, body)
            headers = {"Authorization": f"Bearer {token}", "Accept": "*/*"}
            manifest = ask("HEAD", (endpoint or REGISTRY) + MANIFEST, headers=headers)
            allowance = _allowance_in(manifest.status, manifest.headers)
            # Where this token shows nothing of what it allows, another one would not either.
            if not about_push or isinstance(allowance, Answer) or _access_in(token) is None:
                return allowance
            with suppress(urllib3.exceptions.HTTPError):
                if re.fullmatch(_NAMESPACE, username.lower()):
                    asked = f"{TOKEN_FOR}{username.lower()}/{UNUSED}:pull,push"
                    answer = sign_in((endpoint or DOCKER_HUB) + asked)
                    allowance = replace(allowance, pushes=_pushes(answer.status, answer.read(MOST_BYTES)))
            return allowance
    except urllib3.exceptions.HTTPError:
        return Answer.COULD_NOT_TELL


def _refusal(status: int, body: bytes) -> Answer:
    """What the token endpoint means where it gives no token. Only its own words make a lockout of a 429."""
    if status == 401:
        return Answer.LACKS_SCOPE if re.search(_LACKS_SCOPE, body) else Answer.REJECTED
    return Answer.LOCKED_OUT if status == 429 and re.search(_LOCKED_OUT, body) else Answer.COULD_NOT_TELL


def _token_in(body: bytes) -> str | None:
    """The bearer token; it has either name (https://distribution.github.io/distribution/spec/auth/token/)."""
    document = _object_in(body)
    token = document.get("token") or document.get("access_token")
    return token if isinstance(token, str) and re.fullmatch(_TOKEN, token) else None


def _pushes(status: int, body: bytes) -> bool | None:
    """Could the token push, by Docker Hub's answer to who asked for that? None where the answer does not tell."""
    if status == 401 and re.search(_LACKS_SCOPE, body):
        return False
    access = _access_in(_token_in(body) or "") if status == 200 else None
    if access is None:
        return None
    granted = [entry.get("actions") for entry in access if isinstance(entry, dict)]
    return any(isinstance(actions, list) and ("push" in actions or "*" in actions) for actions in granted)


def _access_in(token: str) -> list[Any] | None:
    """What a bearer token says that it allows; None where that can't be read. Nobody need verify it: who gave it, over
    TLS, is Docker Hub itself. https://distribution.github.io/distribution/spec/auth/jwt/"""
    _, _, claims = token.partition(".")
    claims = claims.partition(".")[0]
    try:
        access = _object_in(urlsafe_b64decode(claims + "=" * (-len(claims) % 4))).get("access")
    except ValueError:
        return None
    return access if isinstance(access, list) else None


def _object_in(text: bytes) -> dict[str, Any]:
    """A JSON object; an empty one for everything else."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _allowance_in(status: int, headers: Mapping[str, str]) -> Allowance | Answer:
    """A 429 that tells is an answer too. A 401 says that the token allows no pull of public images, as one of an
    organization may, unless it says that something is wrong with the token itself (`invalid_token`).
    https://www.rfc-editor.org/rfc/rfc6750#section-3.1"""
    if status == 401 and "invalid_token" not in headers.get("www-authenticate", ""):
        return Answer.LACKS_SCOPE
    if status not in (200, 429):
        return Answer.COULD_NOT_TELL
    limit, remaining = headers.get("ratelimit-limit"), headers.get("ratelimit-remaining")
    if limit is None and remaining is None:
        return Allowance(None, None, None) if status == 200 else Answer.COULD_NOT_TELL
    allowed, left = re.fullmatch(_PULLS, limit or ""), re.fullmatch(_PULLS, remaining or "")
    if allowed is None or left is None:
        return Answer.COULD_NOT_TELL
    return Allowance(int(allowed[1]), int(left[1]), int(allowed[2]) if allowed[2] else None)
