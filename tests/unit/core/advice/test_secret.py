"""How the credentials are stored, so that a person can paste it."""

from __future__ import annotations

import json
from pathlib import Path

from remediator.core.advice.secret import store_credentials
from remediator.core.repair.auth_config import fault_in
from tests.unit.repairs import HOSTILE, SECRET, pasted
from tests.unit.terminal import paste

FAULT = "its key password is missing, empty or no string"


def test_the_secret_its_fault_and_what_to_do_after_are_told() -> None:
    what, where, why = store_credentials(SECRET, FAULT).splitlines()[:3]

    assert what.endswith("then use the remediate command. This replaces the whole value: add keys of your own.")
    assert (where, why) == (f"where: the secret {SECRET}", f"why: {FAULT}")


def test_what_is_pasted_stores_all_three_keys_and_leaves_the_token_nowhere_else(tmp_path: Path) -> None:
    lines = pasted(store_credentials(SECRET, FAULT))

    given = paste(lines, tmp_path, "to:ken")

    content = json.loads(given["stored"])
    assert (content["username"], content["password"]) == ("YOUR-USER", "to:ken")
    assert fault_in(content["docker_auth_config"], "YOUR-USER", "to:ken") == ""
    assert given["arguments"].split() == [
        "secretsmanager", "put-secret-value", "--region", "eu-west-1", "--secret-id", SECRET,
        "--secret-string", "file:///dev/stdin",
    ]  # fmt: skip
    assert "to:ken" not in given["environment"] + given["terminal"]
    assert given["left"] == ""


def test_a_hostile_name_stays_one_argument() -> None:
    assert len(pasted(store_credentials(HOSTILE, HOSTILE)).splitlines()) == len(
        pasted(store_credentials(SECRET, FAULT)).splitlines()
    )
