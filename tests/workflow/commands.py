"""Projects whose own docker commands are throttled, for the tests that run commands for real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.workflow.account import USER, Account, Json

CURATED = {"image": "aws/codebuild/standard:7.0", "privilegedMode": True, "imagePullCredentialsType": "CODEBUILD"}
LOCATION = "https://github.com/example/orders.git"
DOCKERFILE = "FROM python:3.12\nRUN true\n"
BUILDSPEC = """\
version: 0.2
phases:
  build:
    commands:
      - echo building   # before docker
      - docker build -t orders .
"""
INLINE_SOURCE = "mkdir -p app && printf 'FROM python:3.12\\n' > app/Dockerfile && docker build -t orders app"
INLINE = f"version: 0.2\nphases:\n  build:\n    commands:\n      - {INLINE_SOURCE}\n"


def inline(account: Account, buildspec: str = INLINE, **members: Any) -> Json:
    account.create_project(environment=CURATED, source={"type": "NO_SOURCE", "buildspec": buildspec}, **members)
    return account.failed_build()


def in_repository(account: Account, buildspec: str = BUILDSPEC, *, passed: str = "", **members: Any) -> Json:
    """A project whose buildspec is in its repository; a build passes with `passed` before one is throttled."""
    account.create_project(environment={**CURATED, **members}, source={"type": "GITHUB", "location": LOCATION})
    harmless = "version: 0.2\nphases:\n  build:\n    commands:\n      - 'true'\n"
    account.agent.repositories[LOCATION] = {"buildspec.yml": passed or harmless}
    account.world.finish(account.failed_build()["id"])
    account.agent.repositories[LOCATION] = {"buildspec.yml": buildspec, "Dockerfile": DOCKERFILE}
    return account.failed_build()


@contextmanager
def no_pulls_left(account: Account) -> Iterator[None]:
    """The secret's own account is used up for as long as this lasts; the registry is shared by all tests."""
    account.registry.accounts.set_pulls(USER, 0)
    try:
        yield
    finally:
        account.registry.accounts.set_pulls(USER, None)
