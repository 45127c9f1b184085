"""What an outcome advises is what was really done: first what to do now, then what to keep, then what to know."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from remediator.core.policies.inline_policy import inline_policy_name
from tests.workflow.account import PASSWORD, USER, Account, Json
from tests.workflow.commands import INLINE, in_repository, inline
from tests.workflow.test_no_loop import THROTTLED
from tests.workflow.watched import refused, refusing

TWO_PHASES = {"image": "docker:27", "privilegedMode": True}
STACK = [{"key": "aws:cloudformation:stack-name", "value": "orders-stack"}]


def first_lines(outcome: Json) -> list[str]:
    return [text.partition("\n")[0] for text in outcome["advice"]]


def keeps(outcome: Json) -> list[str]:
    return [text for text in outcome["advice"] if text.startswith("Keep the change")]


# What was taken back, and what is there


def test_what_was_taken_back_is_not_to_be_kept(account: Account) -> None:
    account.agent = account.run_commands()
    account.world._may_read = lambda _role, _secret: False
    outcome = account.remediate(inline(account, tags=STACK))
    assert "the changes to the project were taken back" in outcome["reason"]
    assert outcome["advice"][0].startswith("look for a permissions boundary")
    assert "orders-stack" not in json.dumps(outcome["advice"])
    assert keeps(outcome) == []


def test_what_could_not_be_taken_back_is_to_be_taken_out_and_not_to_be_kept(account: Account) -> None:
    account.agent = account.run_commands()
    account.world._may_read = lambda _role, _secret: False
    denied = refusing("UpdateProject", refused("UpdateProject", "AccessDeniedException", "no"))
    build = inline(account)
    account.after.append(lambda call: account.before.append(denied) if call == "StartBuild" else None)
    outcome = account.remediate(build)
    assert "could not be taken back" in outcome["reason"]
    assert outcome["advice"][0].startswith("Take these changes out of the project by hand.")
    assert keeps(outcome) == []


def test_a_repair_in_two_phases_is_kept_in_one_advice(account: Account) -> None:
    account.agent = account.run_commands()
    account.create_project(environment=TWO_PHASES, source={"type": "NO_SOURCE", "buildspec": INLINE}, tags=STACK)
    outcome = account.remediate(account.failed_build())
    assert outcome["outcome"] == "remediated", outcome
    (keep,) = keeps(outcome)
    assert "RegistryCredential:" in keep
    assert 'Name: "DOCKERHUB_PASSWORD"' in keep
    assert "docker login" in keep


def test_a_first_phase_that_was_repaired_is_kept_where_the_second_is_only_advised(account: Account) -> None:
    account.agent = account.run_commands()
    account.create_project(environment=TWO_PHASES, source={"type": "NO_SOURCE", "buildspec": INLINE}, tags=STACK)
    outcome = account.remediate(account.failed_build(), EDIT_BUILDSPECS="false")
    assert outcome["outcome"] == "patched", outcome
    assert "EditBuildspecs is off" in outcome["reason"]
    assert first_lines(outcome)[0].startswith("Add the variables to the buildspec")
    assert first_lines(outcome)[1].startswith("Keep the change in CloudFormation")
    assert "RegistryCredential:" in outcome["advice"][1]
    assert "docker login" not in outcome["advice"][1]
    assert first_lines(outcome)[-1].startswith("Pull library/python from ECR Public")
    assert "attach-role-policy" not in json.dumps(outcome["advice"])


@pytest.mark.parametrize("granted", [False, True])
def test_an_attachment_is_advised_only_where_the_role_lacks_it_and_then_first(account: Account, granted: bool) -> None:
    account.agent = account.run_commands()
    build = inline(account)
    if granted:
        account.attach_policy()
    outcome = account.remediate(build, EDIT_BUILDSPECS="false")
    assert outcome["outcome"] == "advised", outcome
    attach = [number for number, text in enumerate(outcome["advice"]) if "attach-role-policy" in text]
    assert attach == ([] if granted else [0])


def test_where_the_role_can_not_be_read_the_attachment_is_advised_with_the_rest(account: Account) -> None:
    account.agent = account.run_commands()
    build = inline(account)
    account.before.append(refusing("GetRole", refused("GetRole", "AccessDenied", "no")))
    outcome = account.remediate(build, EDIT_BUILDSPECS="false")
    assert "EditBuildspecs is off" in outcome["reason"]
    assert "attach-role-policy" in outcome["advice"][0]


def test_a_step_that_breaks_off_after_a_repair_still_tells_what_to_keep(account: Account) -> None:
    account.create_project(tags=STACK)
    build = account.failed_build()
    broken = refusing("BatchGetBuilds", refused("BatchGetBuilds", "AccessDeniedException", "no"))
    account.after.append(lambda call: account.before.append(broken) if call == "StartBuild" else None)
    outcome = account.remediate(build)
    assert outcome["outcome"] == "failed", outcome
    assert outcome["advice"][0].startswith("look at the project")
    assert len(keeps(outcome)) == 1


# What to do now comes first


def test_the_first_advice_of_a_build_that_was_not_started_is_its_start(account: Account) -> None:
    account.create_project(tags=STACK)
    build = account.failed_build()
    account.before.append(refusing("StartBuild", refused("StartBuild", "AccessDeniedException", "no")))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "patched", outcome
    assert "start the build again" in outcome["advice"][0]
    assert first_lines(outcome)[1].startswith("Keep the change")


def test_the_first_advice_where_no_retry_was_asked_for_is_the_start_of_the_build(account: Account) -> None:
    account.create_project()
    outcome = account.remediate(account.failed_build(), retry=False)
    assert (outcome["outcome"], outcome["advice"][0]) == ("patched", "start the build again")


def test_who_shares_the_role_stands_behind_what_to_keep(account: Account) -> None:
    account.create_project("invoices")
    account.create_project()
    outcome = account.remediate(account.failed_build())
    assert [line.partition(" ")[0] for line in first_lines(outcome)] == ["Keep", "the"]
    assert "is shared with invoices" in outcome["advice"][1]


# What is only planned


@pytest.mark.parametrize("by_command", [False, True])
def test_a_plan_says_what_would_be_changed_and_how_a_person_makes_it(account: Account, by_command: bool) -> None:
    account.create_project("invoices")
    account.create_project(tags=STACK)
    build = account.failed_build()
    if by_command:
        outcome = account.ask({"command": "plan", "project": "orders"})
    else:
        outcome = account.remediate(build, MODE="plan")
    assert outcome["outcome"] == "planned", outcome
    told = json.dumps(outcome)
    assert "was changed" not in told
    assert "Keep the change" not in told
    grant, change = outcome["advice"][:2]
    assert grant.startswith("To make the change yourself, first let the project's builds read the credentials.")
    assert f"--policy-arn {account.policy_arn}" in grant
    assert change.startswith("To make the change yourself, make it in CloudFormation: add these properties")
    assert "a remediation would change the project orders" in change
    assert f'Credential: "{account.secret_arn}"' in change


# The grant, in the way of PolicyMode


@pytest.mark.parametrize("mode", ["inline", "secret"])
def test_a_lost_grant_comes_back_by_the_lines_of_its_mode(account: Account, mode: str) -> None:
    """A person does what is advised; then nothing is missed any more."""
    account.create_project()
    assert account.remediate(account.failed_build(), POLICY_MODE=mode)["outcome"] == "remediated"
    account.throttle(THROTTLED)
    build = account.failed_build()
    take_grant_away(account)
    outcome = account.remediate(build, POLICY_MODE=mode)
    assert "has lost its" in outcome["reason"], outcome
    (told,) = [text for text in outcome["advice"] if text.startswith("Let the project's builds read")]
    assert "attach" not in told
    follow(account, told)
    again = account.remediate(account.failed_build(), POLICY_MODE=mode)
    assert "carried the credentials already" in again["reason"]
    assert "has lost" not in again["reason"]


@pytest.mark.parametrize("mode", ["inline", "secret"])
@pytest.mark.parametrize("case", ["a buildspec by hand", "a secret without the key"])
def test_commands_that_a_person_signs_in_are_granted_by_the_lines_of_the_mode(
    account: Account, mode: str, case: str
) -> None:
    account.agent = account.run_commands()
    settings: Any = {"POLICY_MODE": mode, "EDIT_BUILDSPECS": "false"}
    if case == "a buildspec by hand":
        build = inline(account)
    else:
        account.put_secret(json.dumps({"username": USER, "password": PASSWORD}))
        build = in_repository(account)
    outcome = account.remediate(build, **settings)
    assert outcome["outcome"] == "advised", outcome
    (told,) = [text for text in outcome["advice"] if "-role-policy" in text or "put-resource-policy" in text]
    assert "attach-role-policy" not in told
    follow(account, told)
    again = account.remediate(account.failed_build(), **settings)
    assert not any("-role-policy" in text or "put-resource-policy" in text for text in again["advice"])


def take_grant_away(account: Account) -> None:
    iam = account.boto("iam")
    for name in iam.list_role_policies(RoleName="orders-build")["PolicyNames"]:
        iam.delete_role_policy(RoleName="orders-build", PolicyName=name)
    if account.secret_policy():
        account.boto("secretsmanager").delete_resource_policy(SecretId=account.secret_arn)


def follow(account: Account, told: str) -> None:
    """Do what the lines of an advice say, with the owner's clients."""
    lines = told.partition("\n\n")[2].splitlines()
    if "put-role-policy" in told:
        words = shlex.split(lines[0])
        given = dict(zip(words[3::2], words[4::2], strict=True))
        assert given["--policy-name"] == inline_policy_name(account.secret_arn)
        account.boto("iam").put_role_policy(
            RoleName=given["--role-name"],
            PolicyName=given["--policy-name"],
            PolicyDocument=given["--policy-document"],
        )
        return
    policy = "\n".join(line for line in lines if not line.startswith(("#", "aws ")))
    account.boto("secretsmanager").put_resource_policy(SecretId=account.secret_arn, ResourcePolicy=policy)


# A secret that is wrong


@pytest.mark.parametrize(
    ("secret", "keys"),
    [
        ("{}", ["key username is missing", "key password is missing"]),
        (json.dumps({"username": USER}), ["key password is missing"]),
        (
            json.dumps({"username": f"{USER} ", "password": 7}),
            ["key username begins or ends", "key password is missing"],
        ),
        (
            json.dumps({"username": USER, "password": "canary-4711"}),
            ["(401), which are its keys username and password"],
        ),
        ("canary-4711", ["keys username and password"]),
    ],
)
def test_a_wrong_secret_is_named_with_its_keys_and_how_to_store_it(
    account: Account, secret: str, keys: list[str]
) -> None:
    account.create_project()
    account.put_secret(secret)
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], account.writes()) == ("rejected", [])
    assert f"the secret {account.secret_arn}" in outcome["reason"]
    for key in keys:
        assert key in outcome["reason"]
    assert f"put-secret-value --region eu-west-1 --secret-id {account.secret_arn}" in outcome["advice"][0]
    assert "canary-4711" not in json.dumps(outcome)


def test_a_secret_with_a_wrong_third_key_is_named_with_it(account: Account) -> None:
    account.agent = account.run_commands()
    account.put_secret(json.dumps({"username": USER, "password": PASSWORD, "docker_auth_config": "canary-4711"}))
    outcome = account.remediate(in_repository(account))
    assert outcome["outcome"] == "rejected", outcome
    assert f"the secret {account.secret_arn} can't be used: its key docker_auth_config" in outcome["reason"]
    assert "put-secret-value" in outcome["advice"][0]
    assert "canary-4711" not in json.dumps(outcome)


def test_a_plan_that_is_refused_says_that_the_role_was_not_read_where_a_grant_is_advised(account: Account) -> None:
    account.agent = account.run_commands()
    inline(account)
    answer = account.ask({"command": "plan", "project": "orders"}, EDIT_BUILDSPECS="false")
    assert answer["outcome"] == "advised", answer
    assert "attach-role-policy" in answer["advice"][0]
    assert any(text.startswith("the service role is not read from here") for text in answer["advice"][2:])
