"""The agent of a build container: it reads the buildspec and runs its commands in a folder of the build's own."""

from local.agent.agent import Agent, Repositories
from local.agent.images import docker_version

__all__ = ["Agent", "Repositories", "docker_version"]
