"""The account's projects and their builds, as their owner makes, edits and starts them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from local.agent import Agent
from local.input_transformer import handed_on
from local.registry import Registry
from local.simulator import CodeBuild as Simulator
from local.simulator import CodePipeline, PullAnswer
from local.simulator.testing import FakeWorld, pipelines_of, simulate
from tests import canaries
from tests.workflow.stored import ACCOUNT, Json, Stored

OWNER = f"arn:aws:iam::{ACCOUNT}:user/maria"
LOCATION = f"https://{canaries.SOURCE_TOKEN}@github.com/example/orders.git"


class Builds(Stored):
    """CodeBuild and CodePipeline as they are simulated: one project of one owner, and whatever a test adds."""

    def __init__(self, world: FakeWorld, registry: Registry) -> None:
        super().__init__()
        self.world = world
        self.registry = registry
        self.agent: Agent
        self.simulator: Simulator
        self.pipelines: CodePipeline
        self._simulate(simulate(world)[0])

    def run_commands(self) -> Agent:
        """From now on the commands of builds are run for real, with a docker that pulls from the registry."""
        agent = Agent(self.registry.url)
        self._simulate(simulate(self.world, run_commands=agent)[0])
        return agent

    def _simulate(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.pipelines = pipelines_of(simulator, self.world)

    # Projects

    def create_project(self, name: str = "orders", **members: Any) -> Json:
        """A project of the owner's, in which canaries are: in a variable, its source's location, its webhook."""
        environment = {
            "type": "LINUX_CONTAINER",
            "image": "python:3.12",
            "computeType": "BUILD_GENERAL1_SMALL",
            "imagePullCredentialsType": "SERVICE_ROLE",
            **members.pop("environment", {}),
        }
        environment["environmentVariables"] = _with_canary(environment.get("environmentVariables", []))
        request = {
            "name": name,
            "source": {"type": "GITHUB", "location": LOCATION},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": environment,
            "serviceRole": self.role_arn,
            "tags": [{"key": "team", "value": "orders"}],
            **members,
        }
        self.simulator.call("CreateProject", request, OWNER)
        return self.project(name)

    def project(self, name: str = "orders") -> Json:
        """The project as BatchGetProjects tells it, but for the canary among its variables."""
        project: Json = self.simulator.call("BatchGetProjects", {"names": [name]}, OWNER)["projects"][0]
        environment = project["environment"]
        variables = [one for one in environment["environmentVariables"] if one != canaries.PLAINTEXT]
        return {**project, "environment": {**environment, "environmentVariables": variables}}

    def edit(self, name: str = "orders", **members: Any) -> None:
        """Edit the project as its owner would, environment members given as `environment`."""
        before = self.project(name)
        if "environment" in members:
            environment = {**before["environment"], **members["environment"]}
            variables = _with_canary(environment["environmentVariables"])
            members["environment"] = {**environment, "environmentVariables": variables}
        self.simulator.call("UpdateProject", {"name": name, "tags": before["tags"], **members}, OWNER)

    def plant(self, name: str = "orders", **members: Any) -> None:
        """Put members into the project that no UpdateProject takes; lastModified stays. A webhook has its secret."""
        if "webhook" in members:
            members["webhook"] = {"secret": canaries.WEBHOOK_SECRET, **members["webhook"]}
        self.simulator.plant_project({**self.simulator.project(name), **members})

    def hook(self, events: str = "PUSH", actors: str = "^1234567$", name: str = "orders") -> None:
        """Give the project a webhook for these events of these people."""
        filters = [{"type": "EVENT", "pattern": events}, {"type": "ACTOR_ACCOUNT_ID", "pattern": actors}]
        self.plant(name, webhook={"url": "https://x", "filterGroups": [filters]})

    # Builds

    def failed_build(self, project: str = "orders", caller: str = OWNER, **overrides: Any) -> Json:
        """Start a build as its owner would, and take it to its end; returns its record."""
        started = self.simulator.call("StartBuild", {"projectName": project, **overrides}, caller)["build"]
        self.world.finish(started["id"])
        return self.build(started["id"])

    def failed_build_of(self, initiator: str, project: str = "orders", **members: Any) -> Json:
        """The same for a build that no caller of StartBuild started."""
        batch_arn = members.pop("batch_arn", None)
        started = self.simulator.start_build({"projectName": project, **members}, initiator, batch_arn=batch_arn)
        self.world.finish(started["id"])
        return self.build(started["id"])

    def build_that_says(self, message: str, **members: Any) -> Json:
        """A failed build whose PROVISIONING ended with this message, and with these members in its record."""
        build = self.failed_build()
        document = self.simulator._builds.find(build["id"]).document
        for phase in document["phases"]:
            if phase["phaseType"] == "PROVISIONING":
                phase["contexts"][0]["message"] = message
        document.update(members)
        return self.build(build["id"])

    def throttle(self, answer: PullAnswer) -> None:
        """Have the registry answer every pull like this from now on."""
        self.world._pull = lambda _image, _credentials: answer

    def build(self, build_id: str) -> Json:
        build: Json = self.simulator.build(build_id)
        return build

    def builds(self, project: str = "orders") -> list[Json]:
        """All builds of the project, oldest first."""
        ids = self.simulator.call("ListBuildsForProject", {"projectName": project, "sortOrder": "ASCENDING"}, OWNER)
        return [self.build(build_id) for build_id in ids["ids"]]

    def event_of(self, build: Json) -> Json:
        """The event that CodeBuild published when this build ended, as a rule hands it to Intake."""
        published = next(
            event
            for event in self.world.events
            if event["detail-type"] == "CodeBuild Build State Change"
            and event["detail"]["build-id"] == build["arn"]
            and event["detail"]["build-status"] != "IN_PROGRESS"
        )
        return handed_to_intake(published)


def handed_to_intake(event: Json) -> Json:
    """What a rule makes of an event of CodeBuild's, which is also what a dead letter of Intake's keeps. Docker Hub's
    message in it names the user whose pulls are used up."""
    handed: Json = handed_on(event)
    canaries.saw("an event that a rule handed on", json.dumps(handed), frozenset({canaries.USER_KIND}))
    return handed


def _with_canary(variables: Sequence[Json]) -> list[Json]:
    return [canaries.PLAINTEXT, *(one for one in variables if one != canaries.PLAINTEXT)]
