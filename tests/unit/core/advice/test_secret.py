"""How the credentials are stored, so that a person can paste it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from remediator.core.advice.secret import store_credentials
from remediator.core.repair.auth_config import fault_in
from tests.unit.repairs import HOSTILE, SECRET, pasted

FAULT = "its key password is missing, empty or no string"


def test_the_secret_its_fault_and_what_to_do_after_are_told() -> None:
    what, where, why = store_credentials(SECRET, FAULT).splitlines()[:3]

    assert what.endswith("then use the remediate command. This replaces the whole value: add keys of your own.")
    assert (where, why) == (f"where: the secret {SECRET}", f"why: {FAULT}")


def test_what_is_pasted_stores_all_three_keys_and_leaves_no_file(tmp_path: Path) -> None:
    stored = tmp_path / "stored"
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\necho "$@" > arguments; cp secret.json stored\n')
    aws.chmod(0o755)
    lines = pasted(store_credentials(SECRET, FAULT)).replace("YOUR-USER YOUR-TOKEN", "hubuser 'to:ken'")

    subprocess.run(
        ["sh", "-c", lines], cwd=tmp_path, check=True, env={"PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin"}
    )

    content = json.loads(stored.read_text())
    assert (content["username"], content["password"]) == ("hubuser", "to:ken")
    assert fault_in(content["docker_auth_config"], "hubuser", "to:ken") == ""
    assert (tmp_path / "arguments").read_text().split() == [
        "secretsmanager", "put-secret-value", "--region", "eu-west-1", "--secret-id", SECRET,
        "--secret-string", "file://secret.json",
    ]  # fmt: skip
    assert not (tmp_path / "secret.json").exists()


def test_a_hostile_name_stays_one_argument() -> None:
    assert len(pasted(store_credentials(HOSTILE, HOSTILE)).splitlines()) == len(
        pasted(store_credentials(SECRET, FAULT)).splitlines()
    )
