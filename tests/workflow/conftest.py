"""The account in which the workflow's tests run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from local.registry import Registry
from local.simulator.testing import FakeWorld
from tests.workflow.account import REGION, Account


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        registry.add_account("hubuser", "dckr_pat_right")
        yield registry


@pytest.fixture
def account(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "remediator")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "DockerHubRemediator")
    # moto lacks the CodeBuild calls that matter, and Lambda's of durable functions: those are answered by `Account`.
    with mock_aws(config={"core": {"passthrough": {"services": ["codebuild", "lambda"]}}}):
        world = FakeWorld(may_read=lambda role, secret: account.may_read(role, secret))
        world.accounts["hubuser"] = "dckr_pat_right"
        account = Account(world, registry)
        yield account
