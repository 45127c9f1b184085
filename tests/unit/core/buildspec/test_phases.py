"""What is read of a buildspec: its phases, with their users, and its shell."""

from __future__ import annotations

from textwrap import dedent

from remediator.core.buildspec.phases import Buildspec, BuildspecText, Phase


def test_a_buildspec_is_read_with_users_and_shells() -> None:
    text = dedent("""
        version: 0.2
        run-as: ci
        env:
          shell: bash
        phases:
          build:
            run-as: root
            commands:
              - a
              -
              - {not: a command}
            finally: f
          install:
            commands: i
    """)
    assert BuildspecText(text).says == Buildspec(
        "0.2", "bash", (Phase("install", ("i",), (), "ci"), Phase("build", ("a",), ("f",), "root"))
    )
