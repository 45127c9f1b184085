"""What the simulator's tests share: a project as its owner would make it, and builds taken to their end."""

from local.simulator import CodeBuild, Document
from local.simulator.testing import FakeWorld

OWNER = "arn:aws:iam::123456789012:user/team/maria"
ROLE = "arn:aws:iam::123456789012:role/service-role/orders-build"


def request(**members: object) -> Document:
    """A CreateProject request for a project that builds in Docker Hub's `python:3.12`."""
    return {
        "name": "orders",
        "source": {"type": "GITHUB", "location": "https://github.com/example/orders.git"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": environment(),
        "serviceRole": ROLE,
        **members,
    }


def environment(**members: object) -> Document:
    """The environment of such a project."""
    return {"type": "LINUX_CONTAINER", "image": "python:3.12", "computeType": "BUILD_GENERAL1_SMALL", **members}


def with_credential(secret: str, **members: object) -> Document:
    """The environment of a project that pulls its image signed in."""
    credential = {"credential": secret, "credentialProvider": "SECRETS_MANAGER"}
    return environment(imagePullCredentialsType="SERVICE_ROLE", registryCredential=credential, **members)


def built(simulator: CodeBuild, world: FakeWorld, **overrides: object) -> Document:
    """Start a build of `orders` and take it to its end."""
    started = simulator.call("StartBuild", {"projectName": "orders", **overrides}, OWNER)["build"]
    world.finish(started["id"])
    return simulator.build(started["id"])


def failed_phase(build: Document) -> tuple[str, str]:
    """The first phase that failed, and its context as events write it."""
    phase = next(phase for phase in build["phases"] if phase.get("phaseStatus") == "FAILED")
    context = phase["contexts"][0]
    return phase["phaseType"], f"{context['statusCode']}: {context['message']}"
