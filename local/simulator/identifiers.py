"""Which build, or which batch of builds, an id or an ARN names."""

from local.simulator.errors import invalid_input
from local.simulator.world import World

_NOUNS = {"build": "build", "build-batch": "build batch"}


def key_of(identifier: object, kind: str) -> str:
    """`project:uuid`, of that or of an ARN of that kind (`build`, `build-batch`); else InvalidInputException."""
    text = str(identifier)
    key = text.partition(f":{kind}/")[2] if text.startswith("arn:") else text
    if ":" not in key:
        raise invalid_input(f"Invalid {_NOUNS[kind]} ID provided")
    return key


def arn_of(world: World, kind: str, key: str) -> str:
    """The ARN of a build or a batch with that id."""
    return f"arn:{world.partition}:codebuild:{world.region}:{world.account}:{kind}/{key}"
