"""The login line in every shell that is here, with a docker that keeps config.json, at a registry that checks."""

from __future__ import annotations

import base64
import json
import shutil
import string
import subprocess
from pathlib import Path

import pytest

from local.agent import docker
from local.registry import Registry
from remediator.core.buildspec.login_line import login_command

LINE = login_command("posix", "DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD")
PRINTABLE = "".join(sign for sign in string.printable if sign.isprintable())
PASSWORDS = [PRINTABLE, PRINTABLE[::-1], "-n", "%s\\n$(id)`id`", "a b  c ", "'\"\\"]


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
@pytest.mark.parametrize("password", PASSWORDS)
def test_the_registry_receives_every_password_exactly(shell: str, password: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    with Registry() as registry:
        registry.add_account("hubuser", password)
        docker.write_command(tmp_path, docker.settings(registry.url, {}, "28.5.2", tmp_path / "state", running=True))
        found = subprocess.run(
            [shell, "-eux", "-c", LINE],
            env={
                "PATH": f"{tmp_path}:/usr/bin:/bin",
                "HOME": str(tmp_path),
                "DOCKERHUB_USERNAME": "hubuser",
                "DOCKERHUB_PASSWORD": password,
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Login Succeeded" in found.stdout
        assert [entry["status"] for entry in registry.log if entry["login"] == "hubuser"] == [200]
    auths = json.loads((tmp_path / ".docker" / "config.json").read_text())["auths"]
    assert base64.b64decode(auths["https://index.docker.io/v1/"]["auth"]).decode() == f"hubuser:{password}"
    assert password not in found.stderr or len(password) < 3
