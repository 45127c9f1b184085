"""Decides whether a text is what the docker CLI takes from DOCKER_AUTH_CONFIG, for one account of Docker Hub."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from remediator.core.names import DOCKER_HUB_KEY


def fault_in(text: str, username: str, password: str) -> str:
    """What is wrong with the text, without anything that it holds; empty when it signs this account in and no other.

    The docker CLI refuses members that it does not know, and then goes on without any credentials:
    https://github.com/docker/cli/blob/master/cli/config/configfile/file.go
    """
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return "it is no JSON"
    auths = document.get("auths") if isinstance(document, dict) else None
    if not isinstance(auths, dict) or list(document) != ["auths"]:
        return "it has to be a JSON object with the one member auths"
    if list(auths) != [DOCKER_HUB_KEY]:
        return f"its auths have to name {DOCKER_HUB_KEY} and nothing else"
    entry = auths[DOCKER_HUB_KEY]
    if not isinstance(entry, dict) or list(entry) != ["auth"] or not isinstance(entry["auth"], str):
        return f"{DOCKER_HUB_KEY} has to hold the one member auth, a text"
    try:
        pair = base64.b64decode(entry["auth"], validate=True).decode()
    except (binascii.Error, ValueError):
        return "its auth is no base64"
    if pair != f"{username}:{password}":
        return "its auth does not decode to the secret's own user name and password"
    return ""
