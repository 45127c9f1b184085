"""A build that hits Docker Hub's limit while its image is pulled comes back by itself."""

from __future__ import annotations

from tests.workflow.account import Account


def test_the_project_gets_credentials_and_the_build_comes_back(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated", outcome
    environment = account.project()["environment"]
    assert environment["registryCredential"]["credential"] == account.secret_arn
