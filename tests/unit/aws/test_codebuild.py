"""CodeBuild's projects and builds, against the simulator: every request passes botocore's own model."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from local.simulator.testing import FakeWorld, simulate
from local.simulator.transport import attach
from remediator.aws.codebuild import CodeBuild
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.project import Snapshot
from remediator.core.repair.difference import difference
from remediator.core.repair.plan import make_plan
from tests.every_member import every_member, with_unknown_members
from tests.unit import given

CALLER = f"arn:aws:sts::{given.ACCOUNT}:assumed-role/remediator-role/remediator"


class Fixture:
    """The module under test, the simulator behind it, and the bodies of the requests that reached it."""

    def __init__(self) -> None:
        self.simulator, self.world = simulate(FakeWorld(when="told"))
        self.requests: list[tuple[str, Any]] = []
        self.simulator.before_call.append(lambda name, body: self.requests.append((name, copy.deepcopy(body))))
        self.client = given.aws("codebuild")
        attach(self.client, self.simulator, caller=CALLER)
        self.codebuild = CodeBuild(self.client)

    def plant(self, document: given.Document) -> given.Document:
        self.simulator.plant_project(document)
        found = self.codebuild.project(document["name"])
        assert found is not None
        return found


@pytest.fixture
def aws() -> Fixture:
    return Fixture()


def whole_project(**options: Any) -> given.Document:
    return with_unknown_members(every_member(given.PROJECT, given.ROLE, **options))


def changed(before: Any, after: Any) -> set[str]:
    """Where they differ, without what CodeBuild alone says: when, and how its docker server is."""
    own = ("lastModified", "environment.dockerServer.status")
    return {path for path in difference(before, after) if not path.startswith(own)}


def test_a_project_is_read_with_the_members_that_the_model_does_not_know(aws: Fixture) -> None:
    planted = whole_project()

    read = aws.plant(planted)

    assert difference(planted, read) == ()


def test_there_is_no_project_of_another_name(aws: Fixture) -> None:
    assert aws.codebuild.project("no-such-project") is None


def test_an_update_of_every_member_changes_exactly_what_was_planned(aws: Fixture) -> None:
    before = aws.plant(whole_project(without=("environment.registryCredential",)))
    plan = make_plan(Snapshot(before, given.role()), given.SIGN_IN)

    returned = aws.codebuild.update(plan.apply(before))

    after = aws.codebuild.project(given.PROJECT)
    assert after is not None
    assert changed(before, after) == {
        "environment.environmentVariables",
        "environment.imagePullCredentialsType",
        "environment.registryCredential",
    }
    assert after["lastModified"] > before["lastModified"]
    assert after["environment"]["environmentVariables"] == [
        *before["environment"]["environmentVariables"],
        *({"name": n, "value": v, "type": "SECRETS_MANAGER"} for n, v in given.REFERENCES.items()),
    ]
    assert difference(after, returned) == ()


def test_an_update_that_changes_nothing_loses_nothing(aws: Fixture) -> None:
    before = aws.plant(whole_project())

    aws.codebuild.update(before)

    assert changed(before, aws.codebuild.project(given.PROJECT)) == set()


def test_an_update_sends_name_environment_and_tags_and_nothing_else(aws: Fixture) -> None:
    before = aws.plant(whole_project())

    aws.codebuild.update(before)

    name, body = aws.requests[-1]
    assert name == "UpdateProject"
    assert set(body) == {"name", "environment", "tags"}
    assert "status" not in body["environment"]["dockerServer"]
    assert body["tags"] == before["tags"]


def test_an_update_leaves_the_document_that_it_was_given_as_it_was(aws: Fixture) -> None:
    before = aws.plant(whole_project())
    kept = copy.deepcopy(before)

    aws.codebuild.update(before)

    assert before == kept


@pytest.mark.parametrize("tags", [None, []])
def test_a_project_without_tags_is_sent_no_tags(aws: Fixture, tags: Any) -> None:
    aws.plant(given.project(tags=[]))

    aws.codebuild.update({**given.project(), "tags": tags})

    assert aws.requests[-1][1]["tags"] == []


def test_a_docker_server_without_a_status_is_sent_as_it_is(aws: Fixture) -> None:
    before = aws.plant(given.project())
    before["environment"]["dockerServer"] = {"computeType": "BUILD_GENERAL1_SMALL"}

    aws.codebuild.update(before)

    assert aws.requests[-1][1]["environment"]["dockerServer"] == {"computeType": "BUILD_GENERAL1_SMALL"}


def test_what_the_model_knows_is_validated_before_it_is_sent(aws: Fixture) -> None:
    before = aws.plant(given.project())
    before["environment"]["environmentVariables"] = [{"name": "NO_VALUE"}]
    asked = len(aws.requests)

    with pytest.raises(ParamValidationError):
        aws.codebuild.update(before)

    assert len(aws.requests) == asked


def test_a_refused_update_is_told_and_changes_nothing(aws: Fixture) -> None:
    before = aws.plant(given.project())
    wrong = copy.deepcopy(before)
    wrong["environment"]["imagePullCredentialsType"] = "SERVICE_ROLE"
    wrong["environment"]["image"] = "aws/codebuild/standard:7.0"

    with pytest.raises(ClientError, match="curated image"):
        aws.codebuild.update(wrong)

    assert aws.codebuild.project(given.PROJECT) == before


def test_an_answer_that_says_no_is_not_taken_for_the_one_before_it(aws: Fixture) -> None:
    aws.plant(given.project())

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        aws.codebuild.start_build("no-such-project", None, "token", {})
    assert aws.codebuild.project("no-such-project") is None


def test_a_build_is_started_with_the_source_version_and_the_projects_settings(aws: Fixture) -> None:
    aws.plant(given.project())

    build = aws.codebuild.start_build(given.PROJECT, "refs/heads/main", "token-1", {})

    assert aws.requests[-1] == (
        "StartBuild",
        {"projectName": given.PROJECT, "sourceVersion": "refs/heads/main", "idempotencyToken": "token-1"},
    )
    assert (build.initiator, build.status) == ("remediator-role/remediator", "IN_PROGRESS")


def test_a_build_without_a_source_version_is_started_without_one(aws: Fixture) -> None:
    aws.plant(given.project())

    aws.codebuild.start_build(given.PROJECT, None, "token-1", {})

    assert "sourceVersion" not in aws.requests[-1][1]


def test_the_same_token_starts_one_build(aws: Fixture) -> None:
    aws.plant(given.project())

    ids = {aws.codebuild.start_build(given.PROJECT, None, token, {}).document["id"] for token in ("a", "a", "b")}

    assert len(ids) == 2


def test_a_build_is_retried_by_its_id_and_once_for_a_token(aws: Fixture) -> None:
    aws.plant(given.project())
    arn = BuildArn.parse(aws.codebuild.start_build(given.PROJECT, None, "token", {}).document["arn"])

    ids = {aws.codebuild.retry_build(arn, token).document["id"] for token in ("a", "a", "b")}

    assert aws.requests[-1] == ("RetryBuild", {"id": arn.id, "idempotencyToken": "b"})
    assert len(ids) == 2
    assert arn.id not in ids


def test_a_build_that_is_stopped_has_ended(aws: Fixture) -> None:
    aws.plant(given.project())
    arn = BuildArn.parse(aws.codebuild.start_build(given.PROJECT, None, "token", {}).document["arn"])

    aws.codebuild.stop_build(arn)

    stopped = aws.codebuild.build(arn)
    assert stopped is not None
    assert (stopped.status, stopped.ended) == ("STOPPED", True)


def test_a_build_is_read_by_its_arn(aws: Fixture) -> None:
    aws.plant(given.project())
    started = aws.codebuild.start_build(given.PROJECT, None, "token", {})

    found = aws.codebuild.build(BuildArn.parse(started.document["arn"]))

    assert found is not None
    assert found.document["id"] == started.document["id"]


def test_there_is_no_build_of_another_id(aws: Fixture) -> None:
    aws.plant(given.project())

    assert aws.codebuild.build(given.BUILD_ARN) is None


@pytest.mark.parametrize("other", [{"account": "999999999999"}, {"region": "us-east-1"}, {"partition": "aws-cn"}])
def test_a_build_of_that_id_in_another_account_or_region_is_not_the_one_that_was_asked_for(
    aws: Fixture, other: dict[str, str]
) -> None:
    """CodeBuild is asked by an id, in which neither is."""
    aws.plant(given.project())
    arn = BuildArn.parse(aws.codebuild.start_build(given.PROJECT, None, "token", {}).document["arn"])

    assert aws.codebuild.build(replace(arn, **other)) is None
    assert aws.requests[-1] == ("BatchGetBuilds", {"ids": [arn.id]})
    assert aws.codebuild.build(arn) is not None


def names(projects: Iterable[given.Document]) -> list[str]:
    return sorted(project["name"] for project in projects)


def test_projects_are_looked_for_on_every_page(aws: Fixture) -> None:
    planted = [f"project-{number:03}" for number in range(205)]
    for name in planted:
        aws.simulator.plant_project(given.project(name=name))
    before = len(aws.requests)

    assert names(aws.codebuild.projects(lambda _: True)) == planted
    assert [name for name, _ in aws.requests[before:]] == ["ListProjects", "BatchGetProjects"] * 3


def test_projects_that_are_not_covered_are_not_asked_for(aws: Fixture) -> None:
    """The functions' role may not read them, and the whole request would be refused."""
    for name in ("team-a", "other"):
        aws.plant(given.project(name=name))

    assert names(aws.codebuild.projects(lambda name: name.startswith("team-"))) == ["team-a"]
    assert aws.requests[-1] == ("BatchGetProjects", {"names": ["team-a"]})


def test_a_page_without_a_covered_project_is_passed_over(aws: Fixture) -> None:
    aws.plant(given.project())

    assert names(aws.codebuild.projects(lambda _: False)) == []
    assert aws.requests[-1][0] == "ListProjects"


def test_the_newest_builds_come_first(aws: Fixture) -> None:
    aws.plant(given.project())
    ids = [aws.codebuild.start_build(given.PROJECT, None, token, {}).document["id"] for token in "abc"]

    assert [build.document["id"] for build in aws.codebuild.latest_builds(given.PROJECT)] == ids[::-1]


def test_a_project_that_never_built_has_no_builds(aws: Fixture) -> None:
    aws.plant(given.project())

    assert aws.codebuild.latest_builds(given.PROJECT) == []
    assert aws.requests[-1][0] == "ListBuildsForProject"


def test_more_than_a_hundred_builds_are_asked_for_a_hundred_at_most(aws: Fixture) -> None:
    aws.plant(given.project())
    for number in range(103):
        aws.codebuild.start_build(given.PROJECT, None, f"token-{number}", {})

    assert len(aws.codebuild.latest_builds(given.PROJECT)) == 100
