"""The secret's third key signs in the secret's own account and nobody else, or it is refused with the reason."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from remediator.core.names import DOCKER_HUB_KEY
from remediator.core.repair.auth_config import fault_in

USER, PASSWORD = "hubuser", "dckr_pat_4711"


def encoded(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


def config(auth: Any = None, **members: Any) -> str:
    entry = {"auth": encoded(f"{USER}:{PASSWORD}") if auth is None else auth}
    return json.dumps({"auths": {DOCKER_HUB_KEY: entry}, **members})


def test_the_form_that_the_docker_cli_takes_has_no_fault() -> None:
    assert fault_in(config(), USER, PASSWORD) == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[]", "one member auths"),
        ("{}", "one member auths"),
        (json.dumps({"auths": []}), "one member auths"),
        (config(credsStore="pass"), "one member auths"),
        (json.dumps({"auths": {}}), f"name {DOCKER_HUB_KEY} and nothing else"),
        (json.dumps({"auths": {"docker.io": {"auth": "x"}}}), f"name {DOCKER_HUB_KEY} and nothing else"),
        (json.dumps({"auths": {DOCKER_HUB_KEY: {}, "ghcr.io": {}}}), "and nothing else"),
        (json.dumps({"auths": {DOCKER_HUB_KEY: {"auth": "x", "email": "y"}}}), "one member auth"),
        (json.dumps({"auths": {DOCKER_HUB_KEY: "x"}}), "one member auth"),
        (config(7), "one member auth"),
        (config("no base64!"), "no base64"),
        (config(base64.b64encode(b"\xff:\xfe").decode()), "no base64"),
        (config(encoded(f"{USER}:other")), "own user name and password"),
        (config(encoded(f"other:{PASSWORD}")), "own user name and password"),
        (config(encoded(USER)), "own user name and password"),
    ],
)
def test_anything_else_is_refused_with_the_reason_and_without_what_it_holds(text: str, fault: str) -> None:
    told = fault_in(text, USER, PASSWORD)
    assert fault in told
    for held in (USER, PASSWORD, "dckr", encoded(f"{USER}:other"), "ghcr"):
        assert held not in told


def test_a_password_with_a_colon_is_the_whole_rest() -> None:
    assert fault_in(config(encoded("u:a:b:c")), "u", "a:b:c") == ""
