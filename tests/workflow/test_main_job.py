"""A build that hits Docker Hub's limit while its image is pulled comes back by itself."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from local.simulator.testing import simulate
from tests.workflow.account import PASSWORD, USER, Account, Json

PLAIN_VALUE = "a-value-of-the-owner-4711"


def variables_of(account: Account) -> list[Json]:
    return [
        {"name": "DOCKERHUB_USERNAME", "value": f"{account.secret_arn}:username", "type": "SECRETS_MANAGER"},
        {"name": "DOCKERHUB_PASSWORD", "value": f"{account.secret_arn}:password", "type": "SECRETS_MANAGER"},
    ]


def credential_of(account: Account) -> Json:
    return {"credential": account.secret_arn, "credentialProvider": "SECRETS_MANAGER"}


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_project_gets_credentials_and_the_build_comes_back_whatever_the_wording(
    account: Account, seed: int
) -> None:
    account.simulator, _ = simulate(account.world, seed=seed)
    account.create_project()
    build = account.failed_build()
    outcome = account.remediate(build)
    assert (outcome["outcome"], outcome["cause"]) == ("remediated", "anonymous-limit"), outcome
    retried = account.builds()[-1]
    assert outcome["retried_build"] == retried["arn"] != build["arn"]
    assert retried["buildStatus"] == "SUCCEEDED"
    assert retried["sourceVersion"] == build["resolvedSourceVersion"]


def test_the_project_differs_by_the_planned_members_and_by_nothing_else(account: Account) -> None:
    account.create_project(
        environment={
            "environmentVariables": [
                {"name": "STAGE", "value": PLAIN_VALUE, "type": "PLAINTEXT", "futureFlag": {"of": ["variables"]}}
            ],
            "dockerServer": {"computeType": "BUILD_GENERAL1_MEDIUM", "securityGroupIds": ["sg-1"], "newSwitch": 1},
            "futureMember": {"nested": [{"deep": None}]},
            "imagePullCredentialsType": "CODEBUILD",
        },
        tags=[{"key": "team", "value": "orders"}, {"key": "cost-centre", "value": "7"}],
        description="keeps its description",
        futureTop={"a": [1, {"b": False}]},
    )
    before = account.project()
    account.remediate(account.failed_build())
    after = account.project()
    wanted = copy.deepcopy(before)
    wanted["environment"]["registryCredential"] = credential_of(account)
    wanted["environment"]["imagePullCredentialsType"] = "SERVICE_ROLE"
    wanted["environment"]["environmentVariables"] += variables_of(account)
    assert after.pop("lastModified") > wanted.pop("lastModified")
    assert after == wanted


def test_the_role_may_read_before_the_project_asks_and_the_project_is_signed_in_before_the_build_starts(
    account: Account,
) -> None:
    account.create_project()
    account.remediate(account.failed_build())
    assert account.writes() == ["AttachRolePolicy", "UpdateProject", "StartBuild"]
    assert account.attached() == [account.policy_arn]


def test_update_project_carries_name_environment_and_tags_alone(account: Account) -> None:
    account.create_project()
    account.remediate(account.failed_build())
    request = next(call.request for call in account.simulator.calls if call.operation == "UpdateProject")
    assert sorted(request) == ["environment", "name", "tags"]


def test_the_journal_holds_the_claim_the_repair_and_the_outcome(account: Account) -> None:
    account.create_project(environment={"imagePullCredentialsType": "CODEBUILD"})
    build = account.failed_build()
    outcome = account.remediate(build)
    entry = account.entry(build)
    assert entry["attempt"] == "1"
    assert f"/durable-execution/{build['id'].partition(':')[2]}-1/" in entry["execution"]
    assert json.loads(entry["repair"]) == {
        "registryCredential": {"old": "absent", "new": account.secret_arn},
        "imagePullCredentialsType": {"old": "CODEBUILD", "new": "SERVICE_ROLE"},
        "environmentVariables.DOCKERHUB_USERNAME": {"old": "absent", "new": f"{account.secret_arn}:username"},
        "environmentVariables.DOCKERHUB_PASSWORD": {"old": "absent", "new": f"{account.secret_arn}:password"},
    }
    assert entry["outcome"] == "remediated"
    assert json.loads(entry["report"]) == {"project": "orders", "build": build["arn"], **outcome}
    assert int(entry["expires_at"]) > int(entry["ended_at"]) >= int(entry["claimed_at"])
    assert account.lease() is None


def test_the_repair_is_in_the_journal_before_the_project_changes(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    seen: list[bool] = []
    account.before.append(lambda call: seen.append("repair" in account.entry(build)) if call == "UpdateProject" else 0)
    account.remediate(build)
    assert seen == [True]


def test_a_run_of_many_suspensions_has_one_outcome_line_and_is_counted_once(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.create_project()
    build = account.failed_build()
    account.world.looks = 6
    result = account.run(build)
    assert account.invocations >= 6
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    outcomes = [line for line in lines if line.get("message") == "outcome"]
    metrics = [line for line in lines if "_aws" in line and "Outcomes" in line]
    assert len(outcomes) == len(metrics) == 1
    assert [line["RetriedBuilds"] for line in lines if "RetriedBuilds" in line] == [[1.0]]
    told = json.loads(result.result)
    assert {key: outcomes[0][key] for key in ("project", "build", *told)} == {
        "project": "orders",
        "build": build["arn"],
        **told,
    }
    assert metrics[0]["Outcomes"] == [1.0]
    assert metrics[0]["outcome"] == "remediated"


def test_no_secret_text_is_logged_journaled_checkpointed_or_told(
    account: Account, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    account.create_project(
        environment={"environmentVariables": [{"name": "STAGE", "value": PLAIN_VALUE, "type": "PLAINTEXT"}]}
    )
    build = account.failed_build()
    with caplog.at_level("DEBUG", "aws_durable_execution_sdk_python"):
        result = account.run(build)
    said = capsys.readouterr()
    everything = "\n".join(
        (
            said.out,
            said.err,
            caplog.text,
            json.dumps(account.journal()),
            str(result.result),
            *(repr(operation) for operation in result.get_all_operations()),
        )
    )
    assert "remediated" in everything
    assert account.secret_arn in everything
    for secret in (USER, PASSWORD, PLAIN_VALUE):
        assert secret not in everything


def test_variables_are_left_out_where_no_command_can_use_them(account: Account) -> None:
    account.create_project()
    account.remediate(account.failed_build(), ENVIRONMENT_VARIABLES="when-needed")
    assert account.project()["environment"]["environmentVariables"] == []
    assert account.project()["environment"]["registryCredential"] == credential_of(account)


def test_a_variable_that_is_the_projects_own_is_kept_and_reported(account: Account) -> None:
    own: list[dict[str, Any]] = [{"name": "DOCKERHUB_USERNAME", "value": "somebody", "type": "PLAINTEXT"}]
    account.create_project(environment={"environmentVariables": own})
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "remediated"
    assert account.project()["environment"]["environmentVariables"] == own
    assert any("DOCKERHUB_USERNAME" in advice for advice in outcome["advice"])


def test_the_variables_take_the_names_that_the_stack_gives_them(account: Account) -> None:
    account.create_project()
    account.remediate(account.failed_build(), USERNAME_VARIABLE="HUB_USER", PASSWORD_VARIABLE="HUB_TOKEN")
    names = [v["name"] for v in account.project()["environment"]["environmentVariables"]]
    assert names == ["HUB_USER", "HUB_TOKEN"]
