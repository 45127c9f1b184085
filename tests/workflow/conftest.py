"""The account in which the workflow's tests run."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest
from aws_durable_execution_sdk_python import state
from aws_durable_execution_sdk_python_testing.executor import Executor
from aws_lambda_powertools import Logger

from local.registry import Registry
from tests.canaries import saw
from tests.workflow.account import ENVIRONMENT, PASSWORD, USER, Account, new_account


@pytest.fixture(scope="session", autouse=True)
def _brisk_engine() -> None:
    """The engine looks ten times a second whether it may stop, which every suspension waits for; the runner lets
    five seconds pass before it resumes an execution whose invocation failed."""
    state._STOP_SIGNAL_POLL_SECONDS = 0.002
    Executor.RETRY_BACKOFF_SECONDS = 0


class _Stdout(io.StringIO):
    """What is the standard output at the moment: a logger keeps the stream that it was made with."""

    def write(self, text: str) -> int:
        saw("a log line", text)
        return sys.stdout.write(text)


@pytest.fixture(scope="session", autouse=True)
def _logger() -> None:
    Logger(service="remediator", stream=_Stdout())


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


@pytest.fixture
def account(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    registry.add_account(USER, PASSWORD, read_only=True)  # as README asks for, whatever the last test has left
    with new_account(registry) as made:
        yield made
