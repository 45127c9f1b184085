"""A grant that arrives late is no verdict on a repair, and one that never arrives is the end of it."""

from __future__ import annotations

import pytest

from local.simulator.testing import simulate
from tests.workflow.account import Account

PHASES = ("DOWNLOAD_SOURCE", "PROVISIONING")


def phases_failed(account: Account) -> list[str]:
    """The phase in which each build of the project failed, oldest first."""
    return [
        next((p["phaseType"] for p in build["phases"] if p.get("phaseStatus") == "FAILED"), "")
        for build in account.builds()
    ]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("late", [1, 2])
def test_a_build_that_asked_too_early_is_run_again(account: Account, phase: str, late: int) -> None:
    account.simulator, _ = simulate(account.world, unreadable_credential=phase)
    account.create_project()
    build = account.failed_build()
    account.world.late_reads = late
    outcome = account.remediate(build, SETTLE_SECONDS="0")
    assert outcome["outcome"] == "remediated"
    tried = phases_failed(account)
    assert tried[0] == "PROVISIONING"
    assert set(tried[1:-1]) == {phase}
    assert tried[-1] == ""
    assert account.calls.count("StartBuild") == 1 + late
    assert outcome["retried_build"] == account.builds()[-1]["arn"]
    assert account.updates() == 1


@pytest.mark.parametrize("phase", PHASES)
def test_a_role_that_never_may_read_gets_its_project_back_as_it_was(account: Account, phase: str) -> None:
    account.simulator, _ = simulate(account.world, unreadable_credential=phase)
    account.create_project(
        environment={
            "imagePullCredentialsType": "CODEBUILD",
            "environmentVariables": [{"name": "STAGE", "value": "test", "type": "PLAINTEXT", "newer": 1}],
            "futureMember": {"nested": True},
        },
        futureTop=[1],
    )
    before = account.project()
    build = account.failed_build()
    account.world.late_reads = 1_000
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up"
    assert "taken back" in outcome["reason"]
    assert account.calls.count("StartBuild") == 3
    after = account.project()
    assert after.pop("lastModified") > before.pop("lastModified")
    assert after == before


def test_there_are_at_most_two_second_chances_and_the_waits_between_them_grow(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.late_reads = 1_000
    result = account.run(build, SETTLE_SECONDS="0")
    waits = [operation.name for operation in result.get_all_operations() if operation.name.startswith("settle")]
    assert waits == ["settle-again", "settle-again"]
    assert account.calls.count("StartBuild") == 3


def test_an_edit_made_since_survives_the_undo(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.late_reads = 1_000
    seen = [0]

    def edit(operation: str) -> None:
        if operation == "StartBuild":
            seen[0] += 1
            if seen[0] == 3:
                variables = account.project()["environment"]["environmentVariables"]
                mine = {"name": "MINE", "value": "1", "type": "PLAINTEXT"}
                account.edit(environment={"environmentVariables": [mine, *variables]}, description="newer")

    account.before.append(edit)
    account.remediate(build)
    after = account.project()
    assert after["description"] == "newer"
    assert [v["name"] for v in after["environment"]["environmentVariables"]] == ["MINE"]
    assert "registryCredential" not in after["environment"]


def test_a_credential_that_somebody_set_since_is_not_taken_away_by_the_undo(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.late_reads = 1_000
    other = {
        "credential": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:own",
        "credentialProvider": "SECRETS_MANAGER",
    }
    seen = [0]

    def edit(operation: str) -> None:
        if operation == "StartBuild":
            seen[0] += 1
            if seen[0] == 3:
                account.edit(environment={"registryCredential": other})

    account.before.append(edit)
    account.remediate(build)
    assert account.project()["environment"]["registryCredential"] == other


def test_changes_that_were_taken_back_are_not_listed_as_made(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.late_reads = 1_000
    outcome = account.remediate(build)
    assert "taken back" in outcome["reason"]
    assert [line.split()[0] for line in outcome["changes"]] == ["attach"], outcome
