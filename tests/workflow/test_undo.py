"""`./remediator undo`: a repair is taken out of its project, and nobody who shares the role is broken by it."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from local.template import TEMPLATE
from remediator.core.policies.inline_policy import earlier_inline_policy
from tests.every_member import every_member, with_unknown_members
from tests.workflow.account import Account, Json
from tests.workflow.commands import CURATED, INLINE, INLINE_SOURCE, in_repository, inline
from tests.workflow.person import Person, tags_of
from tests.workflow.test_main_job import variables_of
from tests.workflow.test_policy_modes import AUDITORS, inline_policies, roles_in
from tests.workflow.watched import once, refused, refusing

PAGE = (TEMPLATE.parent / "docs" / "threat-model.md").read_text(encoding="utf-8")


@pytest.fixture
def person(account: Account) -> Person:
    return Person(account)


def repaired(account: Account, name: str = "orders", mode: str = "managed") -> Json:
    """A project whose image was throttled, after its repair; returns the project as it was before."""
    account.create_project(name, environment={"imagePullCredentialsType": "CODEBUILD"})
    before = account.project(name)
    assert account.remediate(account.failed_build(name), POLICY_MODE=mode)["outcome"] == "remediated"
    return before


def as_before(account: Account, before: Json, *but: str) -> bool:
    """Is the project as it was, but for the tag, its time and these members?"""
    after = account.project(before["name"])
    names = {*before, *after} - {"tags", "lastModified", *but}
    off = {"key": "DockerHubRemediation", "value": "off"}
    return after["tags"] == [*before["tags"], off] and all(after.get(name) == before.get(name) for name in names)


# The project


def test_a_repair_is_taken_out_and_the_role_no_longer_holds_the_policy(account: Account, person: Person) -> None:
    before = repaired(account)
    said = person.runs("undo", "orders", "--yes")
    assert person.status == 0
    assert as_before(account, before)
    assert account.attached() == []
    assert person.writes == ["UpdateProject", "DetachRolePolicy"]
    assert "Done: orders was changed, read back and compared" in said
    assert f"Done: detach the policy {account.policy_arn} from the role orders-build" in said


def test_without_yes_everything_is_shown_and_nothing_is_changed(account: Account, person: Person) -> None:
    repaired(account)
    there = account.project()
    said = person.runs("undo", "orders")
    assert (person.status, person.writes) == (0, [])
    assert account.project() == there
    assert account.attached() == [account.policy_arn]
    for told in (
        "tags: DockerHubRemediation=off",
        f"environment.registryCredential: removed ({account.secret_arn})",
        "environment.imagePullCredentialsType: SERVICE_ROLE becomes CODEBUILD, as before the repair",
        f"environment.environmentVariables.DOCKERHUB_USERNAME: removed ({account.secret_arn}:username)",
        f"environment.environmentVariables.DOCKERHUB_PASSWORD: removed ({account.secret_arn}:password)",
        f"detach the policy {account.policy_arn} from the role orders-build",
        "Nothing was changed. Run the command again with --yes",
    ):
        assert told in said


def test_members_that_nobody_knows_survive_and_every_other_member_too(account: Account, person: Person) -> None:
    absent = ("environment.registryCredential",)
    account.simulator.plant_project(with_unknown_members(every_member("orders", account.role_arn, without=absent)))
    before = account.project()
    assert account.remediate(account.failed_build_of("maria"))["changes"]
    assert "registryCredential" in account.project()["environment"]
    person.runs("undo", "orders", "--yes")
    assert person.status == 0
    del before["environment"]["dockerServer"]["status"]
    after = account.project()
    del after["environment"]["dockerServer"]["status"]
    assert {**after, "tags": after["tags"][:-1], "lastModified": 0} == {**before, "lastModified": 0}
    assert after["tags"][-1] == {"key": "DockerHubRemediation", "value": "off"}


def test_variables_of_the_owners_and_edits_since_the_repair_stay(account: Account, person: Person) -> None:
    before = repaired(account)
    own = {"name": "STAGE", "value": "live", "type": "PLAINTEXT"}
    also = {"name": "DOCKER_AUTH_CONFIG", "value": "other-secret:auth", "type": "SECRETS_MANAGER"}
    variables = [own, *account.project()["environment"]["environmentVariables"], also]
    account.edit(environment={"environmentVariables": variables, "computeType": "BUILD_GENERAL1_LARGE"})
    account.edit(description="edited since")
    person.runs("undo", "orders", "--yes")
    assert person.status == 0
    after = account.project()
    assert after["description"] == "edited since"
    assert after["environment"] == {
        **before["environment"],
        "computeType": "BUILD_GENERAL1_LARGE",
        "environmentVariables": [own, also],
    }


def test_a_credential_that_somebody_replaced_since_stays(account: Account, person: Person) -> None:
    repaired(account)
    other = {"credential": f"{account.secret_arn[:-9]}own-AbCdEf", "credentialProvider": "SECRETS_MANAGER"}
    account.edit(environment={"registryCredential": other})
    assert "registryCredential" not in person.runs("undo", "orders", "--yes")
    environment = account.project()["environment"]
    assert environment["registryCredential"] == other
    assert environment["imagePullCredentialsType"] == "SERVICE_ROLE"
    assert environment["environmentVariables"] == []


def test_the_newest_repair_tells_what_was_before(account: Account, person: Person) -> None:
    """The owner's deployment undid the first one, with another pull type."""
    before = repaired(account)
    repair = {
        "registryCredential": {"old": "absent", "new": account.secret_arn},
        "imagePullCredentialsType": {"old": "SERVICE_ROLE", "new": "SERVICE_ROLE"},
    }
    for age in range(1000, 6000, 1000):
        claimed_at = int(account.world.now() - age)
        item = {"repair": {"S": json.dumps(repair)}, "claimed_at": {"N": str(claimed_at)}}
        key = {"pk": {"S": f"build#orders:{age}"}}
        account.boto("dynamodb").put_item(TableName="journal", Item={**key, **item})
    person.runs("undo", "orders", "--yes")
    assert account.project()["environment"]["imagePullCredentialsType"] == "CODEBUILD"
    assert as_before(account, before)


def test_a_project_that_was_never_repaired_is_undone_as_it_stands_and_that_is_told(
    account: Account, person: Person
) -> None:
    """Its owner followed the same article: the members look alike, and nothing tells what was before."""
    credential = {"credential": account.secret_arn, "credentialProvider": "SECRETS_MANAGER"}
    environment = {"registryCredential": credential, "environmentVariables": variables_of(account)}
    account.create_project(environment=environment)
    account.attach_policy()
    assert "the journal has no repair of this project" in person.runs("undo", "orders")
    person.runs("undo", "orders", "--yes")
    after = account.project()["environment"]
    assert "registryCredential" not in after
    assert (after["imagePullCredentialsType"], after["environmentVariables"]) == ("SERVICE_ROLE", [])
    assert account.attached() == []


def test_a_project_that_names_the_secret_by_its_own_members_only_is_left_alone(
    account: Account, person: Person
) -> None:
    own = {"name": "HUB_USER", "value": "hub:username", "type": "SECRETS_MANAGER"}
    account.create_project(environment={"environmentVariables": [own]})
    account.attach_policy()
    person.runs("undo", "orders", "--yes")
    assert (person.status, person.writes) == (1, [])
    assert account.attached() == [account.policy_arn]


def test_what_the_owner_made_of_the_secret_stays_and_keeps_the_grant(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    repaired(account)
    own = {"name": "HUB_USER", "value": f"{account.secret_arn}:username", "type": "SECRETS_MANAGER"}
    variables = [*account.project()["environment"]["environmentVariables"], own]
    account.edit(environment={"environmentVariables": variables})
    said = person.runs("undo", "orders", "--yes")
    assert account.project()["environment"]["environmentVariables"] == [own]
    assert account.attached() == [account.policy_arn]
    assert "environment.environmentVariables.HUB_USER names the secret and was not made by this tool: it stays" in said
    assert "Kept: the role orders-build keeps its grant" in said
    assert person.writes == ["UpdateProject"]


# Buildspecs


def test_the_login_is_taken_out_of_an_inline_buildspec_and_edits_since_stay(account: Account, person: Person) -> None:
    account.agent = account.run_commands()
    assert account.remediate(inline(account))["outcome"] == "remediated"
    edited = account.project()["source"]["buildspec"].replace(INLINE_SOURCE, f"{INLINE_SOURCE}  # edited since")
    account.edit(source={"type": "NO_SOURCE", "buildspec": edited})
    said = person.runs("undo", "orders", "--yes")
    assert person.status == 0
    assert "source.buildspec: the login is removed" in said
    assert account.project()["source"] == {
        "type": "NO_SOURCE",
        "buildspec": INLINE.replace(INLINE_SOURCE, f"{INLINE_SOURCE}  # edited since"),
    }
    assert account.attached() == []


def test_a_login_is_found_without_the_journal(account: Account, person: Person) -> None:
    account.agent = account.run_commands()
    build = inline(account)
    account.remediate(build)
    account.boto("dynamodb").delete_item(TableName="journal", Key={"pk": {"S": f"build#{build['id']}"}})
    person.runs("undo", "orders", "--yes")
    assert person.status == 0
    assert account.project()["source"]["buildspec"] == INLINE


def test_a_login_that_somebody_edited_is_left_alone_with_everything_else(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the variables it could fail: nobody knows what became of it."""
    account.agent = account.run_commands()
    account.remediate(inline(account))
    edited = account.project()["source"]["buildspec"].replace(" ) || true", " )")
    account.edit(source={"type": "NO_SOURCE", "buildspec": edited.replace("fi ) || true", "fi )")})
    there = account.project()
    for arguments in (["undo", "orders"], ["undo", "orders", "--yes"]):
        person.runs(*arguments)
        assert (person.status, person.writes) == (1, [])
        error = capsys.readouterr().err
        assert "uses DOCKERHUB_USERNAME and DOCKERHUB_PASSWORD in lines that this tool did not write" in error
    assert account.project() == there
    assert account.attached() == [account.policy_arn]


def test_a_login_that_reads_variables_of_the_owners_stays(account: Account, person: Person) -> None:
    """The owner has taken over the line, with another account."""
    account.agent = account.run_commands()
    account.remediate(inline(account))
    source = account.project()["source"]
    own = [{"name": f"DOCKERHUB_{kind}", "value": "own", "type": "PLAINTEXT"} for kind in ("USERNAME", "PASSWORD")]
    account.edit(environment={**CURATED, "environmentVariables": own})
    person.runs("undo", "orders", "--yes")
    assert account.project()["source"] == source
    assert account.project()["environment"]["environmentVariables"] == own
    assert account.attached() == []


def test_the_variable_of_the_docker_cli_is_taken_out(account: Account, person: Person) -> None:
    account.agent = account.run_commands()
    assert account.remediate(in_repository(account))["outcome"].startswith("remediated")
    said = person.runs("undo", "orders", "--yes")
    assert "environment.environmentVariables.DOCKER_AUTH_CONFIG: removed" in said
    assert "the buildspec is not part of the project, and was not looked into" in said
    assert account.project()["environment"]["environmentVariables"] == []
    assert account.attached() == []


# The role


def test_a_role_that_another_project_needs_keeps_its_grant_until_the_last_undo(
    account: Account, person: Person
) -> None:
    repaired(account)
    repaired(account, "invoices")
    account.create_project("quotes")  # it has the role, and does not name the secret
    said = person.runs("undo", "orders", "--yes")
    assert (person.status, person.writes) == (0, ["UpdateProject"])
    assert account.attached() == [account.policy_arn]
    kept = next(line for line in said.splitlines() if line.startswith("Kept: "))
    assert "invoices (environment.environmentVariables.DOCKERHUB_PASSWORD" in kept
    assert "orders (" not in kept
    assert "quotes" not in kept
    account.world.finish(account.failed_build("invoices")["id"])
    assert account.builds("invoices")[-1]["buildStatus"] == "SUCCEEDED"
    person.runs("undo", "invoices", "--yes")
    assert person.writes == ["UpdateProject", "DetachRolePolicy"]
    assert account.attached() == []


@pytest.mark.parametrize(
    "members",
    [
        {"environment": {"registryCredential": {"credential": "hub", "credentialProvider": "SECRETS_MANAGER"}}},
        {"environment": {"environmentVariables": [{"name": "U", "value": "hub:username", "type": "SECRETS_MANAGER"}]}},
        {"environment": {"environmentVariables": [{"name": "ARN", "value": "ARN", "type": "PLAINTEXT"}]}},
        {"source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\nenv: {secrets-manager: {U: 'hub:username'}}\n"}},
        {"source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: [echo ARN]}}\n"}},
        {"serviceRole": "Orders-BUILD", "environment": {"registryCredential": {"credential": "hub"}}},
    ],
)
def test_however_another_project_names_the_secret_the_grant_is_kept(
    account: Account, person: Person, members: Any
) -> None:
    repaired(account)
    account.create_project("invoices")
    text = json.dumps({**account.simulator.project("invoices"), **members})
    account.simulator.plant_project(
        json.loads(text.replace('ARN"', f'{account.secret_arn}"').replace("echo ARN", f"echo {account.secret_arn}"))
    )
    person.runs("undo", "orders", "--yes")
    assert (person.status, person.writes) == (0, ["UpdateProject"])
    assert account.attached() == [account.policy_arn]


def test_a_project_with_another_role_does_not_keep_this_one(account: Account, person: Person) -> None:
    repaired(account)
    other = account.make_role("invoices-build")
    account.create_project("invoices", serviceRole=other)
    account.remediate(account.failed_build("invoices"))
    person.runs("undo", "orders", "--yes")
    assert account.attached() == []
    assert account.attached(other) == [account.policy_arn]


def test_an_inline_policy_is_deleted_and_the_roles_own_ones_stay(account: Account, person: Person) -> None:
    statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
    own = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    repaired(account, mode="inline")
    account.boto("iam").put_role_policy(RoleName="orders-build", PolicyName="logs", PolicyDocument=own)
    person.runs("undo", "orders", "--yes")
    assert person.writes == ["UpdateProject", "DeleteRolePolicy"]
    assert list(inline_policies(account)) == ["logs"]


def test_an_inline_policy_that_an_earlier_release_wrote_is_deleted_too(account: Account, person: Person) -> None:
    repaired(account, mode="inline")
    ((name, _),) = inline_policies(account).items()
    text = json.dumps(earlier_inline_policy(account.secret_arn, "arn:aws:kms:eu-west-1:123456789012:key/1"))
    account.boto("iam").put_role_policy(RoleName="orders-build", PolicyName=name, PolicyDocument=text)
    person.runs("undo", "orders", "--yes")
    assert inline_policies(account) == {}


def test_an_inline_policy_that_somebody_edited_stays(account: Account, person: Person) -> None:
    repaired(account, mode="inline")
    ((name, document),) = inline_policies(account).items()
    edited = copy.deepcopy(document)
    edited["Statement"][0]["Resource"] = "*"
    text = json.dumps(edited)
    account.boto("iam").put_role_policy(RoleName="orders-build", PolicyName=name, PolicyDocument=text)
    person.runs("undo", "orders", "--yes")
    assert (person.status, person.writes) == (0, ["UpdateProject"])


def test_the_role_is_taken_out_of_the_secrets_policy_and_all_else_stays(account: Account, person: Person) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": [AUDITORS]})
    account.boto("secretsmanager").put_resource_policy(SecretId=account.secret_arn, ResourcePolicy=text)
    other = account.make_role("invoices-build")
    account.create_project("invoices", serviceRole=other)
    account.remediate(account.failed_build("invoices"), POLICY_MODE="secret")
    repaired(account, mode="secret")
    person.runs("undo", "orders", "--yes")
    assert person.writes == ["UpdateProject", "PutResourcePolicy"]
    kept, ours = json.loads(account.secret_policy())["Statement"]
    assert kept == AUDITORS
    assert ours["Principal"]["AWS"] == [other]


def test_a_policy_of_the_secret_that_had_nothing_else_is_gone(account: Account, person: Person) -> None:
    repaired(account, mode="secret")
    assert roles_in(account) == [account.role_arn]
    person.runs("undo", "orders", "--yes")
    assert person.writes == ["UpdateProject", "DeleteResourcePolicy"]
    assert account.secret_policy() == ""


def test_the_secrets_policy_is_left_alone_while_the_stack_edits_it(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    repaired(account, mode="secret")
    values = {"pk": {"S": f"policy#{account.secret_arn}"}, "execution": {"S": "another"}}
    held = {**values, "held_until": {"N": str(int(account.world.now()) + 100)}}
    account.boto("dynamodb").put_item(TableName="journal", Item=held)
    person.runs("undo", "orders", "--yes")
    assert (person.status, person.writes) == (1, ["UpdateProject"])
    assert "is being edited right now. Run the command again" in capsys.readouterr().err
    assert roles_in(account) == [account.role_arn]


def test_grants_of_a_policy_mode_that_was_used_before_are_taken_back_too(account: Account, person: Person) -> None:
    repaired(account, mode="inline")
    account.attach_policy()
    person.parameters["PolicyMode"] = "secret"
    person.runs("undo", "orders", "--yes")
    assert account.attached() == []
    assert inline_policies(account) == {}


def test_a_secret_that_was_used_before_is_taken_out_too(account: Account, person: Person) -> None:
    former = f"{account.secret_arn[:-10]}former-AbCdEf"
    person.parameters["FormerSecretArns"] = former
    credential = {"credential": former, "credentialProvider": "SECRETS_MANAGER"}
    account.create_project(environment={"registryCredential": credential})
    account.create_project("invoices", environment={"registryCredential": credential})
    account.attach_policy()
    person.runs("undo", "orders", "--yes")
    assert "registryCredential" not in account.project()["environment"]
    assert account.attached() == [account.policy_arn]


# What runs at the same time


def test_the_grant_waits_for_a_build_that_still_runs_with_the_secret(account: Account, person: Person) -> None:
    repaired(account)
    build = account.simulator.call("StartBuild", {"projectName": "orders"}, "arn:aws:iam::123456789012:user/x")["build"]
    assert f"the build {build['id']} runs with the secret" in person.runs("undo", "orders")
    account.world.looks = 4
    said = person.runs("undo", "orders", "--yes")
    assert person.status == 0
    assert "Waiting at most 60 minutes, for the grant only" in said
    assert account.attached() == []


def test_a_build_that_does_not_end_in_time_keeps_the_grant_and_the_rest_is_done_later(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    repaired(account)
    build = account.simulator.call("StartBuild", {"projectName": "orders"}, "arn:aws:iam::123456789012:user/x")["build"]
    person.runs("undo", "orders", "--yes", "--wait", "0")
    assert (person.status, person.writes) == (1, ["UpdateProject"])
    assert "keeps its grant, and everything else is done" in capsys.readouterr().err
    assert account.attached() == [account.policy_arn]
    account.world.finish(build["id"])
    assert account.builds()[-1]["buildStatus"] == "SUCCEEDED"
    person.runs("undo", "orders", "--yes")
    assert (person.status, person.writes) == (0, ["DetachRolePolicy"])
    assert account.attached() == []


def test_a_build_of_another_project_that_began_before_its_own_undo_is_waited_for_too(
    account: Account, person: Person
) -> None:
    repaired(account)
    repaired(account, "invoices")
    account.simulator.call("StartBuild", {"projectName": "invoices"}, "arn:aws:iam::123456789012:user/x")
    person.runs("undo", "invoices", "--yes")
    person.runs("undo", "orders", "--yes", "--wait", "0")
    assert person.status == 1
    assert account.attached() == [account.policy_arn]


def test_a_batch_that_still_starts_builds_with_the_secret_is_waited_for(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its builds have all ended, and it has not: the next ones would have the settings that it began with."""
    repaired(account)
    batch = account.simulator.start_batch("orders", [("lint", {})], "maria")
    account.world.finish()
    with monkeypatch.context() as patched:
        patched.setattr(account.simulator._batches, "_status", lambda _: "IN_PROGRESS")
        person.runs("undo", "orders", "--yes", "--wait", "0")
    assert (person.status, person.writes) == (1, ["UpdateProject"])
    assert f"the batch {batch['id']} runs with the secret" in capsys.readouterr().err
    person.runs("undo", "orders", "--yes")
    assert (person.status, account.attached()) == (0, [])


def hold(account: Account, project: str) -> str:
    """Let an execution that runs hold the project, as while it repairs it."""
    execution = "arn:aws:lambda:eu-west-1:123456789012:function:remediator:1/durable-execution/x-1/" + "0" * 8
    account.lambda_.begin(execution)
    item = {"pk": {"S": f"project#{project}"}, "execution": {"S": execution}}
    account.boto("dynamodb").put_item(TableName="journal", Item=item)
    return execution


def test_a_project_that_is_being_repaired_is_left_alone(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    repaired(account)
    execution = hold(account, "orders")
    assert (
        f"With --yes it would refuse now: a remediation of orders is under way (execution {execution})"
        in person.runs("undo", "orders")
    )
    person.runs("undo", "orders", "--yes")
    assert (person.status, person.writes) == (1, [])
    assert "nothing was changed" in capsys.readouterr().err
    account.lambda_.end(execution)
    person.runs("undo", "orders", "--yes")
    assert person.status == 0


def test_a_role_that_is_being_granted_for_another_project_keeps_its_grant(account: Account, person: Person) -> None:
    """Between grant and update that project does not name the secret yet."""
    repaired(account)
    account.create_project("invoices")
    hold(account, "invoices")
    person.runs("undo", "orders", "--yes", "--wait", "1")
    assert (person.status, person.writes) == (1, ["UpdateProject"])
    assert account.attached() == [account.policy_arn]


def test_a_project_that_takes_up_the_secret_while_the_undo_waits_keeps_the_grant(
    account: Account, person: Person
) -> None:
    repaired(account)
    account.create_project("invoices")
    environment = {"environmentVariables": variables_of(account)}

    def take_up() -> None:
        account.edit("invoices", environment=environment)

    person.watch.before.append(once("ListBuildsForProject", take_up))
    said = person.runs("undo", "orders", "--yes")
    assert "Kept: " in said
    assert account.attached() == [account.policy_arn]


def test_nothing_repairs_the_project_again(account: Account, person: Person) -> None:
    repaired(account)
    person.runs("undo", "orders", "--yes")
    assert tags_of(account)["DockerHubRemediation"] == "off"
    outcome = account.remediate(account.failed_build())
    assert (outcome["outcome"], account.attached()) == ("skipped", [])


def test_the_tag_is_part_of_the_one_update_and_the_command_that_takes_it_off_keeps_the_others(
    account: Account, person: Person
) -> None:
    repaired(account)
    said = person.runs("undo", "orders", "--yes")
    assert person.writes.count("UpdateProject") == 1
    assert tags_of(account) == {"team": "orders", "DockerHubRemediation": "off"}
    wanted = """aws codebuild update-project --name orders --tags '[{"key": "team", "value": "orders"}]'"""
    assert said.splitlines()[-1].strip() == wanted


def test_the_threat_model_lists_each_call_and_no_other(account: Account, person: Person) -> None:
    for name, mode in [("orders", "managed"), ("invoices", "inline"), ("quotes", "secret"), ("stock", "secret")]:
        repaired(account, name, mode)
        account.simulator.start_batch(name, [("lint", {})], "maria")
        hold(account, name)
        person.runs("projects")
        person.runs("undo", name)
        account.world.finish()
        account.boto("dynamodb").delete_item(TableName="journal", Key={"pk": {"S": f"project#{name}"}})
        person.runs("undo", name, "--yes")
        assert person.status == 0
        if name == "quotes":
            text = json.dumps({"Version": "2012-10-17", "Statement": [AUDITORS]})
            account.boto("secretsmanager").put_resource_policy(SecretId=account.secret_arn, ResourcePolicy=text)
    section = PAGE.partition("\n## What `./remediator` may do\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"`[a-z]+:([A-Z][A-Za-z]+)`", section)) == person.ever_asked


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("orderz",), "there is no project orderz in eu-west-1; nothing was changed"),
        (("quotes",), "quotes does not name the secret of remediator, and its role quotes-build holds no grant"),
        (("orders", "--stack", "nowhere"), "there is no stack nowhere in eu-west-1; nothing was changed"),
        (("orders", "--stack", "other-app"), "the stack other-app has no output SecretArn"),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(
    account: Account,
    person: Person,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    repaired(account)
    account.create_project("quotes", serviceRole=account.make_role("quotes-build"))
    stack = {"stack": arguments[2]} if len(arguments) == 3 else {}
    person.runs("undo", arguments[0], "--yes", **stack)
    assert (person.status, person.writes) == (1, [])
    assert told in capsys.readouterr().err


def test_a_project_that_never_named_the_secret_beside_one_that_does_is_told_so(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    repaired(account)
    account.create_project("quotes")
    person.runs("undo", "quotes", "--yes")
    assert (person.status, person.writes) == (1, [])
    error = capsys.readouterr().err
    assert "quotes does not name the secret of remediator. Its role orders-build keeps the grant" in error
    assert "orders (environment." in error


@pytest.mark.parametrize("operation", ["DescribeStacks", "BatchGetProjects", "Scan", "ListAttachedRolePolicies"])
def test_a_read_that_is_denied_ends_it_before_anything_is_changed(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str], operation: str
) -> None:
    repaired(account)
    person.watch.before.append(refusing(operation, refused(operation, "AccessDenied", "no way", status=403)))
    person.runs("undo", "orders", "--yes")
    assert (person.status, person.writes) == (1, [])
    error = capsys.readouterr().err
    assert f"your credentials may not do {operation}: no way.\nNothing was changed." in error


def test_an_update_that_is_denied_leaves_the_grant(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    repaired(account)
    error = refused("UpdateProject", "AccessDeniedException", "no way", status=403)
    person.watch.before.append(refusing("UpdateProject", error))
    person.runs("undo", "orders", "--yes")
    assert (person.status, account.attached()) == (1, [account.policy_arn])
    told = "CodeBuild refused to update orders (AccessDeniedException): no way; nothing was changed"
    assert told in capsys.readouterr().err


def test_tags_that_cloudformation_keeps_are_told_with_the_way_around(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    repaired(account)
    message = "Caller is an end user and not allowed to mutate system tags"
    person.watch.before.append(refusing("UpdateProject", refused("UpdateProject", "InvalidInputException", message)))
    person.runs("undo", "orders", "--yes")
    assert (person.status, account.attached()) == (1, [account.policy_arn])
    assert "Add the tag DockerHubRemediation=off to the project in its template" in capsys.readouterr().err


def test_an_update_whose_answer_is_lost_is_told_as_unknown_and_goes_on_the_next_time(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    before = repaired(account)
    error = refused("UpdateProject", "ServiceUnavailableException", status=503)

    def lose() -> None:
        raise error

    person.watch.after.append(once("UpdateProject", lose))
    person.runs("undo", "orders", "--yes")
    assert person.status == 1
    assert "The same command without --yes shows what is left." in capsys.readouterr().err
    person.runs("undo", "orders", "--yes")
    assert (person.status, person.writes) == (0, ["DetachRolePolicy"])
    assert as_before(account, before)


def test_an_edit_by_somebody_else_during_the_update_keeps_the_grant(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    repaired(account)

    def edit() -> None:
        account.edit(description="edited at the same moment")

    person.watch.after.append(once("UpdateProject", edit))
    person.runs("undo", "orders", "--yes")
    assert (person.status, account.attached()) == (1, [account.policy_arn])
    assert "differs from what was sent in description" in capsys.readouterr().err


def test_a_detach_that_is_denied_tells_what_is_done_and_what_is_left(
    account: Account, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    repaired(account)
    error = refused("DetachRolePolicy", "AccessDenied", "no way", status=403)
    person.watch.before.append(refusing("DetachRolePolicy", error))
    said = person.runs("undo", "orders", "--yes")
    assert person.status == 1
    assert "Done: orders was changed, read back and compared" in said
    assert "What is listed above under Done: is done." in capsys.readouterr().err


def test_an_interrupt_tells_what_is_done(account: Account, person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    repaired(account)
    person.watch.before.append(refusing("ListBuildsForProject", KeyboardInterrupt()))
    person.runs("undo", "orders", "--yes")
    assert (person.status, account.attached()) == (1, [account.policy_arn])
    assert "interrupted.\nWhat is listed above under Done: is done." in capsys.readouterr().err


# The list


def test_the_list_has_each_project_with_its_members_its_role_and_who_shares_it(
    account: Account, person: Person
) -> None:
    repaired(account)
    repaired(account, "invoices")
    account.create_project("quotes")
    other = account.make_role("stock-build")
    own = {"name": "HUB_USER", "value": "hub:username", "type": "SECRETS_MANAGER"}
    account.create_project("stock", serviceRole=other, environment={"environmentVariables": [own]})
    account.attach_policy(account.make_role("left-build"))
    said = person.runs("projects")
    assert (person.status, person.writes) == (0, [])
    assert "3 of 4 projects that could be listed name it." in said
    blocks = {block.splitlines()[0]: block for block in said.split("\n\n")}
    assert (
        "service role orders-build; shared with invoices, which name the secret too; shared with quotes"
        in blocks["orders"]
    )
    assert "  environment.registryCredential\n" in blocks["orders"]
    assert "environment.environmentVariables.HUB_USER (not made by this tool)" in blocks["stock"]
    assert "service role stock-build" in blocks["stock"]
    assert "quotes" not in blocks
    assert "no listed project with them names the secret: left-build" in said
    assert "Not looked at" in said


def test_the_list_has_projects_of_which_only_the_login_is_left(account: Account, person: Person) -> None:
    account.agent = account.run_commands()
    account.remediate(inline(account))
    account.edit(environment={**CURATED, "environmentVariables": []})
    said = person.runs("projects")
    assert "source.buildspec: the login" in said
    person.runs("undo", "orders", "--yes")
    assert account.project()["source"]["buildspec"] == INLINE
    assert account.attached() == []
