"""Asks Docker Hub whether credentials are good; the answer never holds them."""

from __future__ import annotations

from base64 import b64encode
from enum import StrEnum

import urllib3

DOCKER_HUB = "https://auth.docker.io"
QUERY = "/token?service=registry.docker.io&scope=repository:ratelimitpreview/test:pull"
SECONDS = 10.0


class Answer(StrEnum):
    """Only 200 and 401 speak about the credentials; after 429 more questions do harm, the rest may pass by itself."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOT_NOW = "not-now"
    COULD_NOT_TELL = "could-not-tell"


def try_credentials(username: str, password: str, endpoint: str = "") -> Answer:
    """Ask the token endpoint once; that costs no pull (https://docs.docker.com/docker-hub/usage/pulls/).

    `endpoint` replaces Docker Hub's address, on the loopback interface only (Settings sees to that). A redirect is not
    followed: the credentials are for this address alone.
    """
    basic = b64encode(f"{username}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    try:
        with urllib3.PoolManager() as http:
            url = (endpoint or DOCKER_HUB) + QUERY
            answer = http.request("GET", url, headers=headers, redirect=False, retries=False, timeout=SECONDS)
    except urllib3.exceptions.HTTPError:
        return Answer.COULD_NOT_TELL
    told = {200: Answer.ACCEPTED, 401: Answer.REJECTED, 429: Answer.NOT_NOW}
    return told.get(answer.status, Answer.COULD_NOT_TELL)
