"""A project with every member of botocore's model is kept, shown and built, whatever is updated beside it."""

from typing import Any

import boto3
import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local.simulator import Document
from local.simulator.checks import OUTPUT_ONLY
from local.simulator.testing import simulate
from local.simulator.transport import attach
from tests.local.simulated import OWNER, ROLE, built

_CHOSEN = {"serviceRole": ROLE, "timeoutInMinutes": 61, "queuedTimeoutInMinutes": 62, "name": "orders"}


def value(shape: Shape, name: str) -> Any:
    """A value for a member; the last of an enumeration, so that it is seldom the default."""
    if name in _CHOSEN:
        return _CHOSEN[name]
    if isinstance(shape, StructureShape):
        return {member: value(inner, member) for member, inner in shape.members.items() if member != "status"}
    if isinstance(shape, ListShape):
        return [value(shape.member, name)]
    if isinstance(shape, MapShape):
        return {"key": value(shape.value, name)}
    plain: dict[str, Any] = {"integer": 3, "long": 3, "double": 3.0, "boolean": True, "timestamp": 1_795_000_000.0}
    return plain[shape.type_name] if shape.type_name in plain else _text(shape, name)


def _text(shape: Shape, name: str) -> str:
    enumeration: list[str] = getattr(shape, "enum", [])
    return enumeration[-1] if enumeration else f"any-{name}"


def full_request() -> Document:
    """A CreateProject request with every member that there is."""
    model = botocore.session.get_session().get_service_model("codebuild")
    members = model.operation_model("CreateProject").input_shape
    assert isinstance(members, StructureShape)
    request: Document = value(members, "CreateProject")
    request["name"] = "orders"
    request["artifacts"]["type"] = "S3"
    return request


def test_every_member_of_the_model_survives_an_update_of_another() -> None:
    simulator, _ = simulate()
    request = full_request()
    simulator.call("CreateProject", request, OWNER)
    before = simulator.project("orders")
    assert {member for member in request if before.get(member) != request[member]} == {"badgeEnabled"}
    client: Any = boto3.client(
        "codebuild", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    attach(client, simulator, caller=OWNER)
    shown = client.batch_get_projects(names=["orders"])["projects"][0]
    assert shown.keys() - OUTPUT_ONLY == request.keys() - {"badgeEnabled"}
    client.update_project(name="orders", tags=shown["tags"], sourceVersion="v2")
    after = simulator.project("orders")
    changed = {member for member in after if after[member] != before.get(member)}
    assert changed == {"sourceVersion", "lastModified"}


def test_it_can_be_built_and_its_builds_be_parsed() -> None:
    simulator, world = simulate()
    simulator.call("CreateProject", full_request(), OWNER)
    build = built(simulator, world)
    model = botocore.session.get_session().get_service_model("codebuild")
    shape = model.shape_for("Build")
    assert isinstance(shape, StructureShape)
    assert build.keys() <= shape.members.keys()
    assert build["environment"]["image"] == "any-image"
    assert world.events[-1]["detail"]["additional-information"]["vpc-config"]["vpc-id"] == "any-vpcId"
