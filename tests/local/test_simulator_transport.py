"""Clients of botocore reach the simulator in process: validated, parsed, with raw bodies for their hooks."""

import json
import threading
from datetime import datetime
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from local.simulator import CodeBuild, Document, ServiceError, wire
from local.simulator.testing import simulate
from local.simulator.transport import attach
from tests.local.simulated import OWNER, environment, request

KEYS = {"region_name": "eu-west-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture
def simulator() -> CodeBuild:
    return simulate()[0]


@pytest.fixture
def client(simulator: CodeBuild) -> Any:
    client = boto3.client("codebuild", **KEYS)  # type: ignore[call-overload]
    attach(client, simulator, caller=OWNER)
    return client


def test_a_client_gets_parsed_answers(client: Any) -> None:
    created = client.create_project(**request())["project"]
    assert isinstance(created["created"], datetime)
    build = client.start_build(projectName="orders")["build"]
    assert build["initiator"] == "maria"
    assert client.batch_get_builds(ids=[build["id"]])["builds"][0]["buildStatus"] == "IN_PROGRESS"


def test_a_client_gets_errors_of_its_model(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Project cannot be found") as raised:
        client.start_build(projectName="orders")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_client_still_validates_what_it_sends(client: Any, simulator: CodeBuild) -> None:
    with pytest.raises(ParamValidationError):
        client.create_project(name="orders")
    assert simulator.calls == []


def test_a_client_turns_the_pages_of_a_list(client: Any, simulator: CodeBuild) -> None:
    for number in range(250):
        simulator.plant_project({"name": f"p{number:03}"})
    pages = list(client.get_paginator("list_projects").paginate(sortOrder="DESCENDING"))
    assert [len(page["projects"]) for page in pages] == [100, 100, 50]
    assert pages[2]["projects"][-1] == "p000"


def test_a_client_does_not_see_members_that_its_model_lacks(client: Any, simulator: CodeBuild) -> None:
    simulator.plant_project(request(newer={"a": 1}))
    assert "newer" not in client.batch_get_projects(names=["orders"])["projects"][0]


def test_its_hooks_see_them_in_the_raw_body(client: Any, simulator: CodeBuild) -> None:
    simulator.plant_project(request(newer={"a": 1}, environment=environment(newest=[1])))
    bodies: list[Document] = []

    def keep(response_dict: dict[str, Any], **_: object) -> None:
        bodies.append(json.loads(response_dict["body"]))

    client.meta.events.register("before-parse.codebuild.BatchGetProjects", keep)
    client.batch_get_projects(names=["orders"])
    (project,) = bodies[0]["projects"]
    assert project["newer"] == {"a": 1}
    assert project["environment"]["newest"] == [1]
    assert isinstance(project["lastModified"], float)


def test_members_that_no_model_knows_survive_an_update_of_another_member(client: Any, simulator: CodeBuild) -> None:
    odd = environment(newest={"deep": [1]})
    simulator.plant_project(request(newer={"a": 1}, environment=odd, source={"type": "NO_SOURCE", "odd": {"b": 2}}))
    client.update_project(name="orders", description="new")
    project = simulator.project("orders")
    assert project["description"] == "new"
    assert project["newer"] == {"a": 1}
    assert project["environment"] == odd
    assert project["source"] == {"type": "NO_SOURCE", "odd": {"b": 2}}


def test_members_that_a_hook_adds_to_the_body_are_kept(client: Any, simulator: CodeBuild) -> None:
    simulator.plant_project(request())

    def add(params: dict[str, Any], **_: object) -> None:
        body = json.loads(params["body"])
        body["environment"]["newest"] = [1]
        params["body"] = json.dumps(body).encode()

    client.meta.events.register("before-call.codebuild.UpdateProject", add)
    client.update_project(name="orders", environment=environment())
    assert simulator.project("orders")["environment"]["newest"] == [1]


def test_a_session_gives_its_later_clients_the_simulator(simulator: CodeBuild) -> None:
    sessions: list[Any] = [boto3.Session(**KEYS), botocore.session.get_session()]  # type: ignore[arg-type]
    for session in sessions:
        attach(session, simulator, caller=OWNER)
    clients = [sessions[0].client("codebuild"), sessions[1].create_client("codebuild", **KEYS)]
    assert [client.list_projects()["projects"] for client in clients] == [[], []]


def test_attaching_again_replaces_the_caller(client: Any, simulator: CodeBuild) -> None:
    attach(client, simulator, caller="arn:aws:iam::123456789012:user/tom")
    client.list_projects()
    assert [call.caller for call in simulator.calls] == ["arn:aws:iam::123456789012:user/tom"]


def test_every_call_is_on_record_with_its_refusal(client: Any, simulator: CodeBuild) -> None:
    client.list_builds()
    with pytest.raises(ClientError):
        client.stop_build(id="orders:1")
    assert [(call.operation, call.request, call.caller, call.error) for call in simulator.calls] == [
        ("ListBuilds", {}, OWNER, None),
        ("StopBuild", {"id": "orders:1"}, OWNER, "ResourceNotFoundException"),
    ]
    assert simulator.calls[0].time <= simulator.calls[1].time


def test_a_hook_holds_one_call_back_while_others_are_answered(simulator: CodeBuild) -> None:
    simulator.plant_project(request())
    held, go_on = threading.Event(), threading.Event()

    def hold(operation: str, _request: Document) -> None:
        if operation == "UpdateProject":
            held.set()
            assert go_on.wait(5)

    simulator.before_call.append(hold)
    update = threading.Thread(
        target=simulator.call, args=("UpdateProject", {"name": "orders", "description": "new"}, OWNER)
    )
    update.start()
    assert held.wait(5)
    assert "description" not in simulator.call("BatchGetProjects", {"names": ["orders"]}, OWNER)["projects"][0]
    go_on.set()
    update.join(5)
    assert simulator.project("orders")["description"] == "new"
    assert [call.operation for call in simulator.calls] == ["BatchGetProjects", "UpdateProject"]


def test_a_hook_may_refuse_a_call(client: Any, simulator: CodeBuild) -> None:
    def deny(_operation: str, _request: Document) -> None:
        raise ServiceError("AccessDeniedException", "no", 400)

    simulator.before_call.append(deny)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        client.list_projects()
    assert simulator.calls[0].error == "AccessDeniedException"


def test_builds_started_at_once_by_many_threads_have_numbers_and_ids_of_their_own(simulator: CodeBuild) -> None:
    simulator.plant_project(request())
    threads = [
        threading.Thread(target=simulator.call, args=("StartBuild", {"projectName": "orders"}, OWNER))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    ids = simulator.call("ListBuilds", {}, OWNER)["ids"]
    assert sorted(simulator.build(build_id)["buildNumber"] for build_id in ids) == list(range(1, 21))


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("CodeBuild_20161006.MakeCoffee", b"{}", "UnknownOperationException"),
        ("Other_1.ListProjects", b"{}", "UnknownOperationException"),
        ("", b"", "UnknownOperationException"),
        ("CodeBuild_20161006.ListProjects", b"[]", "SerializationException"),
        ("CodeBuild_20161006.ListProjects", b"{", "SerializationException"),
    ],
)
def test_what_is_no_request_gets_an_error_on_the_wire(
    simulator: CodeBuild, target: str, body: bytes, code: str
) -> None:
    answer = wire.answer(simulator, target, body, OWNER)
    assert (answer.status, json.loads(answer.body)["__type"]) == (400, code)
    assert answer.headers["x-amzn-ErrorType"] == code
