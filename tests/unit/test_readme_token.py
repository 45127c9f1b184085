"""README's command for the token: as it is written, at a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from local.template import document
from remediator.core.repair.auth_config import fault_in
from tests.unit.terminal import paste

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
TOKEN = "dckr_pat_kanari'\"$x"


def test_the_command_stores_all_three_keys_and_the_token_is_nowhere_else(tmp_path: Path) -> None:
    (block,) = (text for text in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "create-secret" in text)
    given = paste(block, tmp_path, TOKEN)  # a block in a list is indented, and Python takes no indented lines
    stored = json.loads(given["stored"])
    assert (stored["username"], stored["password"]) == ("YOUR-USER", TOKEN)
    assert fault_in(stored["docker_auth_config"], "YOUR-USER", TOKEN) == ""
    assert given["arguments"].split() == [
        "secretsmanager", "create-secret", "--name", "docker-hub", "--secret-string", "file:///dev/stdin",
    ]  # fmt: skip
    for place in ("arguments", "environment", "terminal"):
        assert "kanari" not in given[place], place
    assert given["left"] == ""


@pytest.mark.parametrize("page", ["README.md", "docs/permissions.md", "docs/decisions.md", "samconfig.toml"])
def test_no_command_and_no_file_has_a_token_in_it(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    assert not re.search(r"YOUR-TOKEN|DockerHubToken\s*=|--secret-string (?!file:///dev/stdin)", text)


def test_the_parameter_of_the_token_is_never_shown() -> None:
    assert document()["Parameters"]["DockerHubToken"]["NoEcho"] is True
