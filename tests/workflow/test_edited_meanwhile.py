"""People edit projects while they are repaired: their edit is kept, and what no longer fits is not forced."""

from __future__ import annotations

import json
from typing import Any

from tests.workflow.account import OWNER, Account, Json
from tests.workflow.test_main_job import credential_of, variables_of
from tests.workflow.watched import once


def after_the_grant(account: Account, action: Any) -> None:
    """Do something between the diagnosis and the patch."""
    account.after.append(once("AttachRolePolicy", action))


def test_an_edit_between_diagnosis_and_patch_is_kept(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    mine = [{"name": "MINE", "value": "1", "type": "PLAINTEXT"}]
    after_the_grant(
        account,
        lambda: account.edit(environment={"environmentVariables": mine, "privilegedMode": True}, description="newer"),
    )
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert "it differs from the project in environment.environmentVariables" in outcome["advice"][0]
    after = account.project()
    assert after["description"] == "newer"
    assert after["environment"]["privilegedMode"] is True
    assert after["environment"]["environmentVariables"] == mine + variables_of(account)
    assert after["environment"]["registryCredential"] == credential_of(account)


def test_what_the_edit_did_already_is_not_done_again(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    after_the_grant(account, lambda: account.edit(environment={"environmentVariables": variables_of(account)}))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "remediated"
    assert account.project()["environment"]["environmentVariables"] == variables_of(account)
    assert [line for line in outcome["changes"] if "environment variables" in line] == []


def test_an_edit_that_did_everything_leaves_nothing_to_send(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    everything: Json = {
        "registryCredential": credential_of(account),
        "environmentVariables": variables_of(account),
    }
    after_the_grant(account, lambda: account.edit(environment=everything))
    assert account.remediate(build)["outcome"] == "remediated"
    assert account.updates() == 0


def test_an_image_that_was_changed_meanwhile_ends_it_before_the_project_is_touched(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    after_the_grant(account, lambda: account.edit(environment={"image": "ghcr.io/example/python:3.12"}))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "advised"
    assert "ghcr.io/example/python:3.12" in outcome["reason"]
    assert account.writes() == ["AttachRolePolicy"]
    assert len(outcome["changes"]) == 1


def test_a_credential_of_its_own_that_was_set_meanwhile_is_kept(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    own = {
        "credential": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:own",
        "credentialProvider": "SECRETS_MANAGER",
    }
    after_the_grant(account, lambda: account.edit(environment={"registryCredential": own}))
    assert account.remediate(build)["outcome"] == "advised"
    assert account.project()["environment"]["registryCredential"] == own
    assert account.updates() == 0


def test_another_service_role_meanwhile_ends_it(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    other = account.make_role("other-build")
    after_the_grant(account, lambda: account.edit(serviceRole=other))
    outcome = account.remediate(build)
    assert outcome["outcome"] in ("advised", "gave-up")
    assert account.updates() == 0
    assert account.attached(other) == []


def test_a_project_that_was_deleted_meanwhile_ends_it(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    after_the_grant(account, lambda: account.simulator.call("DeleteProject", {"name": "orders"}, OWNER))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up"
    assert "deleted" in outcome["reason"]
    assert account.writes() == ["AttachRolePolicy"]


def test_a_project_that_reads_back_otherwise_is_a_failure_that_names_the_members(account: Account) -> None:
    account.create_project()
    build = account.failed_build()

    def meddle() -> None:
        environment = account.simulator.project("orders")["environment"]
        account.plant(description="lost", environment={**environment, "privilegedMode": True})

    account.after.append(once("UpdateProject", meddle))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "failed"
    assert "environment.privilegedMode" in outcome["reason"]
    assert "description" in outcome["reason"]
    assert account.writes() == ["AttachRolePolicy", "UpdateProject"]


def test_tags_that_come_back_in_another_order_are_the_same_tags(account: Account) -> None:
    tags = [{"key": "b", "value": "2"}, {"key": "a", "value": "1"}]
    account.create_project(tags=tags)
    build = account.failed_build()
    account.after.append(once("UpdateProject", lambda: account.plant(tags=tags[::-1])))
    assert account.remediate(build)["outcome"] == "remediated"


def test_a_role_that_others_may_assume_by_now_is_granted_nothing(account: Account) -> None:
    account.create_project()
    build = account.failed_build()
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})

    def open_it() -> None:
        account.boto("iam").update_assume_role_policy(RoleName="orders-build", PolicyDocument=document)

    account.after.append(once("GetSecretValue", open_it))
    outcome = account.remediate(build)
    assert (outcome["outcome"], account.writes()) == ("advised", [])
    assert "may also be assumed by *" in outcome["reason"]
