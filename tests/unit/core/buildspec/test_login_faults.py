"""A buildspec's own sign-in that does not serve its pulls is told, with the reason; one that serves has no fault."""

from __future__ import annotations

from textwrap import indent

import pytest

from remediator.core.buildspec.login_faults import login_faults
from remediator.core.buildspec.phases import BuildspecText


def faults(**phases: str) -> str:
    """One fault at most; a phase is commands, one a line, and `as:user` as the first for its user."""
    text = "version: 0.2\nphases:\n"
    for name, commands in phases.items():
        lines = commands.split("\n")
        text += f"  {name}:\n"
        if lines[0].startswith("as:"):
            text += f"    run-as: {lines.pop(0)[3:]}\n"
        text += "    commands:\n" + indent("\n".join(f"- {line}" for line in lines), "      ") + "\n"
    found = login_faults(BuildspecText(text).says)
    assert len(found) <= 1
    return found[0] if found else ""


def test_a_sign_in_that_serves_has_no_fault() -> None:
    assert faults(install="docker login", build="docker build .\ndocker push a\ndocker logout") == ""
    assert faults(build="docker login\ndocker logout ghcr.io\ndocker build .") == ""
    assert faults(build="docker login\ntrap 'docker logout' EXIT\ndocker pull a") == ""
    assert faults(build="docker pull ghcr.io/a/b\ndocker login\ndocker pull a") == ""
    assert faults(install="as:root\ndocker login", build="docker pull a") == ""
    assert faults(build="docker login registry-1.docker.io\ndocker login\ndocker pull a") == ""
    assert faults(build="docker logout\ndocker login\ndocker pull a") == ""


def test_without_a_sign_in_there_is_no_fault() -> None:
    assert faults(build="docker pull a") == ""
    assert faults(build="docker login ghcr.io\ndocker pull a") == ""
    assert login_faults(BuildspecText("version: 0.2\nbatch: {}\n").says) == ()


@pytest.mark.parametrize("host", ["registry-1.docker.io", "https://index.docker.io/", "registry.hub.docker.com"])
def test_a_sign_in_under_a_host_that_misses_is_told(host: str) -> None:
    assert "keeps apart" in faults(build=f"docker login {host}\ndocker pull a")


def test_a_sign_in_that_comes_too_late_is_told() -> None:
    assert "comes after" in faults(build="docker build .", post_build="docker login\ndocker push a")
    assert "comes after" in faults(build="docker pull a\ndocker login\ndocker pull b")


def test_a_sign_in_that_is_undone_is_told() -> None:
    assert "undone" in faults(install="docker login\ndocker logout", build="docker pull a")
    assert "undone" in faults(install="docker login", pre_build="rm -rf ~/.docker", build="docker compose up")


def test_a_sign_in_of_another_user_is_told() -> None:
    assert "another user" in faults(install="docker login", build="as:ci\ndocker pull a")
    assert "another user" in faults(install="as:ci\ndocker login", build="docker pull a")
