"""Tells why a buildspec's own sign-in to Docker Hub does not serve its pulls."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby, islice

from remediator.core.buildspec.docker_commands import MISSES, Action, DockerAct, docker_acts
from remediator.core.buildspec.phases import Buildspec
from remediator.core.names import DOCKER_HUB

_MOST_ACTS = 100_000
"""Docker commands of a buildspec that are looked at: aliases can make a short text hold millions."""

_HUB_LOGIN = DockerAct(Action.LOGIN, DOCKER_HUB)
_HUB_LOGOUT = DockerAct(Action.LOGOUT, DOCKER_HUB)


def login_faults(buildspec: Buildspec) -> tuple[str, ...]:
    """Why the buildspec's own sign-in does not serve its pulls, in sentences for people. Empty when nothing is wrong,
    when it has no sign-in, and when no command of it is known to pull from Docker Hub."""
    acts = list(islice(_acts_of(buildspec), _MOST_ACTS))
    if any(act == _HUB_LOGIN for _, act in acts):
        return tuple(dict.fromkeys(_faults_of_pulls(acts)))
    missed = {act.registry for _, act in acts if act.action is Action.LOGIN and act.registry in MISSES}
    return tuple(
        f"It signs in to {host}, which the docker CLI keeps apart: pulls from Docker Hub do not use that sign-in."
        for host in sorted(filter(None, missed))
    )


def _acts_of(buildspec: Buildspec) -> Iterator[tuple[str, DockerAct]]:
    """The user and what is done, in order. A command that aliases repeat is read once."""
    acts = cache(lambda script: [act for act, _ in groupby(docker_acts(script))])
    for phase in buildspec.phases:
        for script in phase.scripts:
            for act in acts(script):
                yield phase.run_as or "root", act


def _faults_of_pulls(acts: list[tuple[str, DockerAct]]) -> Iterator[str]:
    signed_in: set[str] = set()
    undone: set[str] = set()
    for user, act in acts:
        if act == _HUB_LOGIN:
            signed_in.add(user)
            undone.discard(user)
        elif user in signed_in:
            if act.action is Action.FORGET or act == _HUB_LOGOUT:
                signed_in.discard(user)
                undone.add(user)
        elif act.action is Action.PULL and act.registry in {None, DOCKER_HUB}:
            if user in undone:
                yield "Its sign-in to Docker Hub is undone, by a logout or with docker's configuration, before a pull."
            elif signed_in or undone:
                yield "Its sign-in to Docker Hub is made by another user (run-as) than a pull, which does not see it."
            else:
                yield "Its sign-in to Docker Hub comes after the first command that pulls or builds."
