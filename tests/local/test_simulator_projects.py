"""Projects keep every member, and CodeBuild's refusals are AWS's."""

from typing import Any

import pytest

from local.simulator import CodeBuild, ServiceError
from local.simulator.testing import FakeWorld, simulate
from tests.local.modelled import breaches
from tests.local.simulated import OWNER, environment, request, with_credential


@pytest.fixture
def simulator() -> CodeBuild:
    return simulate()[0]


def refusal(simulator: CodeBuild, operation: str, document: dict[str, Any]) -> str:
    with pytest.raises(ServiceError) as refused:
        simulator.call(operation, document, OWNER)
    return f"{refused.value.code}: {refused.value.message}"


def test_a_created_project_is_shown_with_the_defaults_of_aws(simulator: CodeBuild) -> None:
    project = simulator.call("CreateProject", request(badgeEnabled=True), OWNER)["project"]
    shown = simulator.call("BatchGetProjects", {"names": ["orders", project["arn"], "nobody"]}, OWNER)
    assert shown == {"projects": [project, project], "projectsNotFound": ["nobody"]}
    assert project["arn"] == "arn:aws:codebuild:eu-west-1:123456789012:project/orders"
    assert project["timeoutInMinutes"] == 60
    assert project["encryptionKey"].endswith(":alias/aws/s3")
    assert project["badge"] == {"badgeEnabled": True}
    assert "badgeEnabled" not in project
    assert project["environment"]["imagePullCredentialsType"] == "CODEBUILD"
    assert project["projectVisibility"] == "PRIVATE"
    assert project["created"] == project["lastModified"]


def test_a_planted_project_gets_what_aws_adds_and_keeps_the_rest(simulator: CodeBuild) -> None:
    simulator.plant_project(request(newer=[1], badge={"badgeEnabled": True}, timeoutInMinutes=7))
    project = simulator.project("orders")
    assert (project["newer"], project["timeoutInMinutes"], project["badge"]) == ([1], 7, {"badgeEnabled": True})
    assert project["queuedTimeoutInMinutes"] == 480


def test_an_unlimited_project_has_no_build_limit(simulator: CodeBuild) -> None:
    simulator.call("CreateProject", request(concurrentBuildLimit=3), OWNER)
    simulator.call("UpdateProject", {"name": "orders", "concurrentBuildLimit": -1}, OWNER)
    assert "concurrentBuildLimit" not in simulator.project("orders")


def test_an_update_replaces_whole_members_and_leaves_the_others(simulator: CodeBuild) -> None:
    hub = environment(privilegedMode=True, certificate="arn:aws:s3:::bucket/cert.pem", newer={"a": 1})
    simulator.call("CreateProject", request(environment=hub, description="old", newer=[1]), OWNER)
    simulator.call("UpdateProject", {"name": "orders", "environment": environment()}, OWNER)
    project = simulator.project("orders")
    assert project["environment"] == environment(
        environmentVariables=[], privilegedMode=False, imagePullCredentialsType="CODEBUILD"
    )
    assert (project["description"], project["newer"]) == ("old", [1])


def test_tags_that_are_not_sent_are_removed(simulator: CodeBuild) -> None:
    simulator.call("CreateProject", request(tags=[{"key": "team", "value": "a"}]), OWNER)
    simulator.call("UpdateProject", {"name": "orders", "description": "new"}, OWNER)
    assert simulator.project("orders")["tags"] == []


def test_tags_that_are_sent_stay(simulator: CodeBuild) -> None:
    tags = [{"key": "team", "value": "a"}]
    simulator.call("CreateProject", request(tags=tags), OWNER)
    simulator.call("UpdateProject", {"name": "orders", "description": "new", "tags": tags}, OWNER)
    assert simulator.project("orders")["tags"] == tags


def test_last_modified_moves_with_every_update_though_the_clock_stands_still() -> None:
    simulator, _ = simulate(FakeWorld(tick=0))
    times = [simulator.call("CreateProject", request(), OWNER)["project"]["lastModified"]]
    times += [simulator.call("UpdateProject", {"name": "orders"}, OWNER)["project"]["lastModified"] for _ in range(3)]
    assert times == sorted(set(times))


def test_an_update_that_is_refused_changes_nothing(simulator: CodeBuild) -> None:
    simulator.call("CreateProject", request(), OWNER)
    before = simulator.project("orders")
    refusal(simulator, "UpdateProject", {"name": "orders", "environment": environment(type="PDP11")})
    assert simulator.project("orders") == before


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (
            {"environment": environment(image="aws/codebuild/standard:7.0", imagePullCredentialsType="SERVICE_ROLE")},
            "cannot use a CodeBuild curated image with imagePullCredentialsType SERVICE_ROLE",
        ),
        (
            {"environment": {**with_credential("hub"), "imagePullCredentialsType": "CODEBUILD"}},
            "registryCredential can only be used with imagePullCredentialsType SERVICE_ROLE",
        ),
        (
            {"environment": {**with_credential("hub"), "image": "aws/codebuild/standard:7.0"}},
            "cannot use a CodeBuild curated image",
        ),
        (
            {"environment": with_credential("hub") | {"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"}},
            "cannot use an Amazon ECR image with registryCredential",
        ),
        (
            {"environment": with_credential("hub") | {"registryCredential": {"credential": "hub"}}},
            "'environment.registryCredential.credentialProvider'",
        ),
        ({"environment": environment(type="PDP11")}, "Value 'PDP11' at 'environment.type'"),
        ({"environment": environment(type=None)}, "Value null at 'environment.type'"),
        ({"environment": environment(image=None)}, "Value null at 'environment.image'"),
        ({"environment": environment(computeType=None)}, "Value null at 'environment.computeType'"),
        ({"environment": environment(environmentVariables=[{"name": "A"}])}, "environmentVariables.value"),
        (
            {"environment": environment(environmentVariables=[{"name": "A", "value": "b", "type": "X"}])},
            "Value 'X' at 'environment.environmentVariables.type'",
        ),
        (
            {"environment": environment(dockerServer={"computeType": "X", "status": {"status": "ACTIVE"}})},
            "dockerServer.status is output only",
        ),
        (
            {"artifacts": {"type": "NO_ARTIFACTS", "encryptionDisabled": False}},
            "artifact type NO_ARTIFACTS should have null encryptionDisabled",
        ),
        ({"source": {"type": "FLOPPY"}}, "Value 'FLOPPY' at 'source.type'"),
        ({"source": {"type": "NO_SOURCE", "buildspec": "x" * 25_601}}, "Max buildspec length is 25600"),
        ({"serviceRole": "arn:aws:iam::123456789012:user/orders"}, "Invalid service role"),
        ({"serviceRole": "arn:aws:iam::999999999999:role/x"}, "does not match caller's account"),
        ({"timeoutInMinutes": 1}, "must be between 5 and 2160"),
        *(
            ({member: "x"}, f"does not accept the member {member}")
            for member in (
                "arn",
                "created",
                "lastModified",
                "webhook",
                "badge",
                "projectVisibility",
                "publicProjectAlias",
                "resourceAccessRole",
            )
        ),
    ],
)
def test_what_aws_refuses_is_refused(simulator: CodeBuild, sent: dict[str, Any], message: str) -> None:
    simulator.call("CreateProject", request(), OWNER)
    assert message in refusal(simulator, "UpdateProject", {"name": "orders", **sent})
    assert message in refusal(simulator, "CreateProject", request(name="other", **sent))


def test_the_same_environment_with_docker_hub_is_accepted(simulator: CodeBuild) -> None:
    simulator.call("CreateProject", request(environment=with_credential("hub")), OWNER)
    assert simulator.project("orders")["environment"]["registryCredential"]["credential"] == "hub"


def test_a_docker_server_has_a_status_when_it_is_read(simulator: CodeBuild) -> None:
    server = {"computeType": "BUILD_GENERAL1_SMALL", "securityGroupIds": ["sg-1"]}
    simulator.call("CreateProject", request(environment=environment(dockerServer=server)), OWNER)
    shown = simulator.call("BatchGetProjects", {"names": ["orders"]}, OWNER)["projects"][0]
    assert shown["environment"]["dockerServer"] == {**server, "status": {"status": "ACTIVE"}}


def test_a_project_that_is_not_there_can_not_be_updated(simulator: CodeBuild) -> None:
    said = refusal(simulator, "UpdateProject", {"name": "orders"})
    assert said.startswith("ResourceNotFoundException: Project cannot be found: arn:aws:codebuild:")


def test_a_name_that_is_taken_or_malformed_is_refused(simulator: CodeBuild) -> None:
    simulator.call("CreateProject", request(), OWNER)
    assert refusal(simulator, "CreateProject", request()).startswith("ResourceAlreadyExistsException")
    assert refusal(simulator, "CreateProject", request(name="a b")).startswith("InvalidInputException")


def test_a_deleted_project_is_gone_and_may_be_deleted_again(simulator: CodeBuild) -> None:
    simulator.call("CreateProject", request(), OWNER)
    for _ in range(2):
        simulator.call("DeleteProject", {"name": "orders"}, OWNER)
    assert simulator.call("ListProjects", {}, OWNER) == {"projects": []}


def test_projects_are_listed_in_pages_of_a_hundred(simulator: CodeBuild) -> None:
    for number in range(101):
        simulator.plant_project({"name": f"p{number:03}"})
    first = simulator.call("ListProjects", {}, OWNER)
    rest = simulator.call("ListProjects", {"nextToken": first["nextToken"]}, OWNER)
    assert len(first["projects"]) == 100
    assert rest == {"projects": ["p100"]}
    assert "Invalid next token" in refusal(simulator, "ListProjects", {"nextToken": "x"})
    assert not breaches("codebuild", "ListProjects", first)


def test_projects_are_listed_in_the_order_that_is_asked_for(simulator: CodeBuild) -> None:
    for number, name in enumerate(("web", "api", "docs")):
        simulator.plant_project({"name": name, "created": number, "lastModified": 10 - number})

    def listed(**order: str) -> list[str]:
        names: list[str] = simulator.call("ListProjects", order, OWNER)["projects"]
        return names

    assert listed() == listed(sortBy="NAME", sortOrder="ASCENDING") == ["api", "docs", "web"]
    assert listed(sortBy="CREATED_TIME") == ["web", "api", "docs"]
    assert listed(sortBy="LAST_MODIFIED_TIME", sortOrder="DESCENDING") == ["web", "api", "docs"]
    assert "[NAME, CREATED_TIME, LAST_MODIFIED_TIME]" in refusal(simulator, "ListProjects", {"sortBy": "AGE"})


def test_a_webhook_is_shown_with_its_project_until_it_is_deleted(simulator: CodeBuild) -> None:
    policy = {"requiresCommentApproval": "ALL_PULL_REQUESTS"}
    simulator.call("CreateProject", request(), OWNER)
    simulator.call("CreateWebhook", {"projectName": "orders"}, OWNER)
    assert refusal(simulator, "CreateWebhook", {"projectName": "orders"}).startswith("ResourceAlreadyExists")
    simulator.call("UpdateWebhook", {"projectName": "orders", "pullRequestBuildPolicy": policy}, OWNER)
    assert simulator.project("orders")["webhook"]["pullRequestBuildPolicy"] == policy
    simulator.call("DeleteWebhook", {"projectName": "orders"}, OWNER)
    assert refusal(simulator, "DeleteWebhook", {"projectName": "orders"}).startswith("ResourceNotFound")


def test_a_project_can_be_made_public(simulator: CodeBuild) -> None:
    arn = simulator.call("CreateProject", request(), OWNER)["project"]["arn"]
    seen = {"projectArn": arn, "projectVisibility": "PUBLIC_READ"}
    assert simulator.call("UpdateProjectVisibility", seen, OWNER)["projectVisibility"] == "PUBLIC_READ"
    assert simulator.project("orders")["projectVisibility"] == "PUBLIC_READ"
    seen["projectVisibility"] = "HIDDEN"
    assert "HIDDEN" in refusal(simulator, "UpdateProjectVisibility", seen)
