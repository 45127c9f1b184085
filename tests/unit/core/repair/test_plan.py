"""What has to change so that a project signs in, and the plan's interpreters."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from remediator.core.codebuild.project import Snapshot
from remediator.core.repair.change import GrantBy, GrantSecretAccess, SetEnvironmentVariables, SetRegistryCredential
from remediator.core.repair.difference import difference
from remediator.core.repair.plan import Plan, make_plan
from remediator.core.repair.sign_in import takes_registry_credential
from tests.every_member import every_member, known_paths, with_unknown_members
from tests.unit import given
from tests.unit.checkpoints import checkpointed

GRANT = GrantSecretAccess(given.ROLE, given.POLICY, given.SECRET)
CREDENTIAL = SetRegistryCredential(given.SECRET, "CODEBUILD")
VARIABLES = SetEnvironmentVariables(tuple(given.REFERENCES.items()))
WHEN_NEEDED = replace(given.SIGN_IN, variables="when-needed")


def own(value: str, name: str = "DOCKERHUB_USERNAME") -> list[dict[str, str]]:
    return [{"name": name, "value": value, "type": "PLAINTEXT"}]


def test_a_project_that_lacks_everything_gets_grant_credential_and_variables_in_that_order() -> None:
    assert make_plan(given.snapshot(), given.SIGN_IN) == Plan((GRANT, CREDENTIAL, VARIABLES))


def test_a_role_that_was_not_read_is_planned_a_grant() -> None:
    assert make_plan(Snapshot(given.project()), given.SIGN_IN).grant == GRANT


def test_a_role_that_has_the_policy_is_granted_nothing() -> None:
    plan = make_plan(given.snapshot(attached=(given.POLICY,)), given.SIGN_IN)

    assert plan == Plan((CREDENTIAL, VARIABLES))
    assert plan.grant is None


def test_a_role_with_other_policies_is_granted_ours() -> None:
    assert make_plan(given.snapshot(attached=(f"{given.POLICY}-other",)), given.SIGN_IN).grant == GRANT


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("managed", f"attach the policy {given.POLICY} to the role {given.ROLE_NAME}"),
        ("secret", f"name the role {given.ROLE_NAME} in the resource policy of the secret {given.SECRET}"),
        ("inline", f"put an inline policy that may read the secret {given.SECRET} into the role {given.ROLE_NAME}"),
    ],
)
def test_a_grant_is_planned_shown_and_kept_in_the_way_that_the_stack_grants(mode: GrantBy, line: str) -> None:
    plan = make_plan(given.snapshot(), replace(given.SIGN_IN, grant_by=mode))

    assert plan.grant == replace(GRANT, by=mode)
    assert plan.show()[0] == line
    assert checkpointed(plan) == plan


def test_a_repaired_project_is_planned_no_change() -> None:
    snapshot = given.snapshot(env=given.repaired_environment(), attached=(given.POLICY,))

    plan = make_plan(snapshot, given.SIGN_IN)

    assert plan == Plan()
    assert difference(snapshot.project, plan.apply(snapshot.project)) == ()


def test_a_repaired_project_whose_role_lost_the_policy_is_planned_the_grant_alone() -> None:
    assert make_plan(given.snapshot(env=given.repaired_environment()), given.SIGN_IN) == Plan((GRANT,))


@pytest.mark.parametrize("missing", ["DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD"])
def test_one_missing_variable_is_set_beside_the_one_that_is_there(missing: str) -> None:
    environment = given.repaired_environment()
    environment["environmentVariables"] = [v for v in environment["environmentVariables"] if v["name"] != missing]

    plan = make_plan(given.snapshot(env=environment, attached=(given.POLICY,)), given.SIGN_IN)

    assert plan == Plan((SetEnvironmentVariables(((missing, given.REFERENCES[missing]),)),))


@pytest.mark.parametrize("name", ["DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD"])
def test_a_variable_of_that_name_which_is_the_projects_own_is_kept_and_neither_is_set(name: str) -> None:
    snapshot = given.snapshot(env={"environmentVariables": own("theirs", name)})

    plan = make_plan(snapshot, given.SIGN_IN)

    assert plan.changes == (GRANT, CREDENTIAL)
    assert plan.apply(snapshot.project)["environment"]["environmentVariables"] == own("theirs", name)
    told = given.advice(given.case(given.build(), snapshot))[-1]
    assert name in told
    assert "is kept" in told
    assert "theirs" not in told


def test_where_nothing_refers_to_the_secret_its_role_is_not_granted_it() -> None:
    """A credential and variables of the project's own: a grant would open the secret to it for nothing."""
    snapshot = given.snapshot(
        env={
            "registryCredential": {"credential": given.OTHER_SECRET, "credentialProvider": "SECRETS_MANAGER"},
            "environmentVariables": own("theirs"),
        }
    )

    assert make_plan(snapshot, given.SIGN_IN).changes == ()


def test_a_curated_image_gets_the_variables_but_no_registry_credential() -> None:
    plan = make_plan(given.snapshot(env={"image": "aws/codebuild/standard:7.0"}), given.SIGN_IN)

    assert plan.changes == (GRANT, VARIABLES)


def test_the_variables_have_the_names_that_the_settings_give_them() -> None:
    sign_in = replace(given.SIGN_IN, username_variable="HUB_USER", password_variable="HUB_TOKEN")

    plan = make_plan(given.snapshot(), sign_in)

    assert plan.changes[-1] == SetEnvironmentVariables(
        (("HUB_USER", f"{given.SECRET}:username"), ("HUB_TOKEN", f"{given.SECRET}:password"))
    )


@pytest.mark.parametrize(
    ("privileged", "buildspec"),
    [(True, None), (True, "ci.yml"), (False, 'commands: ["docker login -u $DOCKERHUB_USERNAME"]')],
)
def test_when_needed_sets_the_variables_where_commands_can_use_them(privileged: bool, buildspec: str | None) -> None:
    snapshot = given.snapshot(env={"privilegedMode": privileged}, source={"buildspec": buildspec})

    assert VARIABLES in make_plan(snapshot, WHEN_NEEDED).changes


@pytest.mark.parametrize("source", [{"buildspec": "commands: [make]"}, {"buildspec": None}, {}, None])
def test_when_needed_leaves_the_variables_out_where_no_command_can_use_them(source: Any) -> None:
    assert make_plan(given.snapshot(source=source), WHEN_NEEDED).changes == (GRANT, CREDENTIAL)


@pytest.mark.parametrize(
    ("environment", "takes"),
    [
        ({"image": "node"}, True),
        ({"image": "docker.io/library/node:22"}, True),
        ({"image": "node", "type": "WINDOWS_SERVER_2022_CONTAINER"}, True),
        ({"image": "aws/codebuild/standard:7.0"}, False),
        ({"image": "public.ecr.aws/docker/library/node"}, False),
        ({"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/node"}, False),
        ({"image": "ghcr.io/example/node"}, False),
        ({"image": "localhost:5000/node"}, False),
        ({"image": "node", "type": "LINUX_LAMBDA_CONTAINER"}, False),
        ({"image": "node", "type": "ARM_LAMBDA_CONTAINER"}, False),
        ({"image": "$IMAGE"}, False),
        ({"image": None}, False),
        ({}, False),
    ],
)
def test_only_docker_hubs_images_take_the_registry_credential(environment: dict[str, Any], takes: bool) -> None:
    assert takes_registry_credential(environment) is takes


def test_a_plan_changes_what_it_says_and_nothing_else() -> None:
    before = given.project()
    kept = copy.deepcopy(before)

    after = make_plan(given.snapshot(), given.SIGN_IN).apply(before)

    assert after == given.project(env=given.repaired_environment())
    assert before == kept


def test_a_plan_applied_twice_changes_nothing_more() -> None:
    plan = make_plan(given.snapshot(), given.SIGN_IN)
    once = plan.apply(given.project())

    assert plan.apply(once) == once


def test_every_member_that_codebuild_knows_and_some_that_it_does_not_survive_plan_and_revert() -> None:
    bare = every_member(given.PROJECT, given.ROLE, without=("environment.registryCredential",))
    before = with_unknown_members(bare)
    plan = make_plan(Snapshot(before, given.role()), given.SIGN_IN)

    after = plan.apply(before)

    assert len(known_paths()) > 130
    assert difference(before, after) == (
        "environment.environmentVariables",
        "environment.imagePullCredentialsType",
        "environment.registryCredential",
    )
    assert after["environment"]["environmentVariables"][:1] == before["environment"]["environmentVariables"]
    assert plan.revert(after) == before


def test_a_revert_takes_back_only_what_is_still_ours() -> None:
    plan = make_plan(given.snapshot(), given.SIGN_IN)
    edited = plan.apply(given.project())
    theirs = {"credential": given.OTHER_SECRET, "credentialProvider": "SECRETS_MANAGER"}
    edited["environment"]["registryCredential"] = theirs
    edited["environment"]["environmentVariables"][1]["value"] = "theirs now"
    edited["description"] = "edited since"

    reverted = plan.revert(edited)

    assert reverted["environment"]["registryCredential"] == theirs
    assert reverted["environment"]["imagePullCredentialsType"] == "SERVICE_ROLE"
    assert [v["value"] for v in reverted["environment"]["environmentVariables"]] == ["test", "theirs now"]
    assert reverted["description"] == "edited since"


def test_a_revert_gives_a_pull_type_that_was_not_there_its_default() -> None:
    project = given.project(env={"imagePullCredentialsType": None})
    plan = make_plan(Snapshot(project, given.role()), given.SIGN_IN)

    wanted = given.project(env={"imagePullCredentialsType": "CODEBUILD"})
    assert plan.revert(plan.apply(project)) == wanted


@pytest.mark.parametrize("environment", [None, {}])
def test_a_project_without_an_environment_is_applied_and_reverted_without_an_error(environment: Any) -> None:
    plan = Plan((VARIABLES, CREDENTIAL))
    project = {"name": given.PROJECT, "environment": environment}

    assert plan.revert(plan.apply(project))["environment"]["environmentVariables"] == []
    assert plan.revert(project)["environment"] == {"environmentVariables": []}


def test_a_plan_is_shown_line_by_line() -> None:
    shown = make_plan(given.snapshot(), given.SIGN_IN).show()

    assert shown == (
        f"attach the policy {given.POLICY} to the role {given.ROLE_NAME}",
        f"pull the image with the registry credential {given.SECRET} (imagePullCredentialsType SERVICE_ROLE)",
        "set the environment variables "
        + " and ".join(f"{name} = {reference}" for name, reference in given.REFERENCES.items()),
    )


def test_the_journal_gets_old_and_new_of_what_is_touched_and_no_other_variable() -> None:
    record = make_plan(given.snapshot(), given.SIGN_IN).record()

    assert record == {
        "registryCredential": {"old": "absent", "new": given.SECRET},
        "imagePullCredentialsType": {"old": "CODEBUILD", "new": "SERVICE_ROLE"},
        "environmentVariables.DOCKERHUB_USERNAME": {"old": "absent", "new": f"{given.SECRET}:username"},
        "environmentVariables.DOCKERHUB_PASSWORD": {"old": "absent", "new": f"{given.SECRET}:password"},
    }


def test_the_journal_tells_that_there_was_no_pull_type() -> None:
    record = SetRegistryCredential(given.SECRET, None).record()

    assert record["imagePullCredentialsType"]["old"] == "absent"


@pytest.mark.parametrize(
    "plan", [Plan(), Plan((GRANT, CREDENTIAL, VARIABLES)), Plan((SetRegistryCredential("s", None),))]
)
def test_a_plan_survives_a_checkpoint(plan: Plan) -> None:
    assert checkpointed(plan) == plan


def test_a_snapshot_tells_the_projects_name_tags_and_time() -> None:
    snapshot = given.snapshot()

    assert (snapshot.name, snapshot.tags) == (given.PROJECT, {"team": "orders"})
    assert snapshot.last_modified == 1_795_000_000.25
    assert Snapshot({"name": "x", "tags": None}).tags == {}
    assert Snapshot({"name": "x"}).last_modified == 0.0
