"""The login line is run for real, in every shell that is here, with a docker that only writes down what it is given."""

from __future__ import annotations

import shutil
import string
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from remediator.core.buildspec.edit import BuildspecError
from remediator.core.buildspec.login_line import login_command

SHELLS = [shell for shell in ("sh", "dash", "bash") if shutil.which(shell)]
LINE = login_command("posix", "DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD")
POWERSHELL = login_command("powershell", "DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD")
DOCKER = """#!/bin/sh
cat > "$WRITTEN/stdin"
for argument in "$@"; do printf '%s\\n' "$argument"; done > "$WRITTEN/arguments"
echo Login Succeeded
exit "${DOCKER_EXIT:-0}"
"""
PASSWORDS = [
    "dckr_pat_abcDEF-123",
    "".join(sign for sign in string.printable if sign.isprintable()),
    "-n",
    "-e \\n\\t\\\\",
    "%s %d %%",
    " leading and trailing ",
    "$HOME `id` $(id) ${PATH}",
    'it\'s "quoted"',
    "* ? [a-z] ~",
    "pässwörd-日本-🔑",
    "!!history",
]


@dataclass
class Ran:
    code: int
    output: str
    folder: Path

    @property
    def stdin(self) -> str | None:
        path = self.folder / "stdin"
        return path.read_bytes().decode() if path.exists() else None

    @property
    def arguments(self) -> list[str]:
        return (self.folder / "arguments").read_text().splitlines()


def run(shell: str, folder: Path, script: str, **variables: str) -> Ran:
    return run_without_docker(shell, folder, script, WITH_DOCKER="yes", **variables)


def run_without_docker(shell: str, folder: Path, script: str, **variables: str) -> Ran:
    tools = folder / "bin"
    tools.mkdir()
    (tools / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    if "WITH_DOCKER" in variables:
        (tools / "docker").write_text(DOCKER)
        (tools / "docker").chmod(0o755)
    found = subprocess.run(
        [shutil.which(shell) or shell, "-c", script],
        env={"PATH": str(tools), "WRITTEN": str(folder), "LC_ALL": "C.UTF-8", **variables},
        capture_output=True,
        timeout=20,
        check=False,
    )
    return Ran(found.returncode, (found.stdout + found.stderr).decode(), folder)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_docker_gets_the_password_and_the_name_exactly(shell: str, password: str, tmp_path: Path) -> None:
    ran = run(shell, tmp_path, LINE, DOCKERHUB_USERNAME="acme-bot", DOCKERHUB_PASSWORD=password)
    assert (ran.code, ran.stdin) == (0, password)
    assert ran.arguments == ["login", "--username", "acme-bot", "--password-stdin"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", ["-u", "a b", "o'neill", '"$HOME"'])
def test_an_odd_user_name_stays_one_argument(shell: str, name: str, tmp_path: Path) -> None:
    ran = run(shell, tmp_path, LINE, DOCKERHUB_USERNAME=name, DOCKERHUB_PASSWORD="p")
    assert ran.arguments == ["login", "--username", name, "--password-stdin"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("prefix", ["", "set -eu; "])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"DOCKERHUB_USERNAME": "u"},
        {"DOCKERHUB_PASSWORD": "p"},
        {"DOCKERHUB_USERNAME": "", "DOCKERHUB_PASSWORD": ""},
        {"DOCKERHUB_USERNAME": "u", "DOCKERHUB_PASSWORD": ""},
    ],
)
def test_without_both_variables_nothing_happens(
    shell: str, prefix: str, variables: dict[str, str], tmp_path: Path
) -> None:
    ran = run(shell, tmp_path, prefix + LINE, **variables)
    assert (ran.code, ran.output, ran.stdin) == (0, "", None)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("prefix", ["", "set -eu; "])
def test_without_docker_nothing_happens(shell: str, prefix: str, tmp_path: Path) -> None:
    ran = run_without_docker(shell, tmp_path, prefix + LINE, DOCKERHUB_USERNAME="u", DOCKERHUB_PASSWORD="p")
    assert (ran.code, ran.output) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_login_that_fails_does_not_end_the_build_and_its_answer_is_in_the_log(shell: str, tmp_path: Path) -> None:
    script = f"set -eu\n{LINE}\necho code $?"
    ran = run(shell, tmp_path, script, DOCKERHUB_USERNAME="u", DOCKERHUB_PASSWORD="p", DOCKER_EXIT="1")
    assert (ran.code, ran.output) == (0, "Login Succeeded\ncode 0\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_no_credential_is_printed_under_xtrace(shell: str, tmp_path: Path) -> None:
    variables = {"DOCKERHUB_USERNAME": "acme-bot", "DOCKERHUB_PASSWORD": "hunter2-hunter2"}
    ran = run(shell, tmp_path, f"set -eux\n{LINE}\necho after", **variables)
    assert ran.code == 0
    assert ran.stdin == "hunter2-hunter2"
    assert "hunter2" not in ran.output
    assert "acme-bot" not in ran.output
    assert "+ echo after" in ran.output, "xtrace is on again after the line"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_is_left_as_it_was(shell: str, tmp_path: Path) -> None:
    script = f"set > $WRITTEN/before; a=$-; {LINE}; test $a = $- && set > $WRITTEN/after && echo same options"
    ran = run(shell, tmp_path, script, DOCKERHUB_USERNAME="u", DOCKERHUB_PASSWORD="p")
    assert "same options" in ran.output
    before, after = ((tmp_path / name).read_text().splitlines() for name in ("before", "after"))
    ignored = ("_=", "a=", "BASH", "PIPESTATUS", "LINENO")
    assert [line for line in before if not line.startswith(ignored)] == [
        line for line in after if not line.startswith(ignored)
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_names_of_the_variables_are_ours_to_choose(shell: str, tmp_path: Path) -> None:
    ran = run(shell, tmp_path, login_command("posix", "HUB_USER", "HUB_TOKEN"), HUB_USER="u", HUB_TOKEN="t")
    assert (ran.stdin, ran.arguments) == ("t", ["login", "--username", "u", "--password-stdin"])


@pytest.mark.parametrize("line", [LINE, POWERSHELL])
def test_the_line_needs_no_quotes_in_yaml(line: str) -> None:
    assert not {": ", " #", "\n", "'"} & {line[i : i + n] for i in range(len(line)) for n in (1, 2)}
    assert line[0] not in "-?:,[]{}#&*!|>'\"%@`"


@pytest.mark.parametrize("name", ["", "A B", "A;id", "1A", "$X", "A\n", "Ä"])
def test_a_name_that_is_no_variable_is_refused(name: str) -> None:
    with pytest.raises(BuildspecError, match="names of letters"):
        login_command("posix", name, "DOCKERHUB_PASSWORD")
    with pytest.raises(BuildspecError, match="names of letters"):
        login_command("powershell", "DOCKERHUB_USERNAME", name)


def test_another_shell_is_refused() -> None:
    for shell in ("bash", "PowerShell", "", None):
        with pytest.raises(BuildspecError, match="posix and powershell only"):
            login_command(shell, "U", "P")  # type: ignore[arg-type]


def test_the_powershell_line_asks_for_docker_and_both_variables_and_leaves_no_exit_code() -> None:
    assert POWERSHELL.startswith("if ($env:DOCKERHUB_USERNAME -and $env:DOCKERHUB_PASSWORD -and (Get-Command docker ")
    assert "-ErrorAction SilentlyContinue" in POWERSHELL
    assert "$env:DOCKERHUB_PASSWORD | docker login --username $env:DOCKERHUB_USERNAME --password-stdin" in POWERSHELL
    assert "catch { }" in POWERSHELL
    assert POWERSHELL.endswith(" } } ; $global:LASTEXITCODE = 0"), "the last command succeeds with and without docker"
    assert POWERSHELL.count("{") == POWERSHELL.count("}")
    assert POWERSHELL.count("(") == POWERSHELL.count(")")
