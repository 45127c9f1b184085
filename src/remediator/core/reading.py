"""Everything that a diagnosis reads of a failed build and its project, gathered once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from remediator.core.buildspec.phases import BuildspecText
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Role, Snapshot
from remediator.core.codebuild.start import Start
from remediator.core.value import value


@value
class Overrides:
    """What a build was started with besides its project's settings.

    `request` gives it again: members of StartBuild's request. It may hold values of plain text variables, so it is
    neither logged nor checkpointed. `names` are the members that differ (`environment.computeType`), never a value,
    `lost` those that can't be given again from here, or only in part.
    """

    request: Mapping[str, Any] = field(repr=False)
    names: tuple[str, ...]
    lost: tuple[str, ...]


@value
class Reading:
    """`start` is how the build was started, or what it belongs to. `buildspec` is the project's, `ran` the build's own:
    one object where their texts are equal. `signed_in`: does the build carry the credentials of a repair where its pull
    was throttled?"""

    build: Build
    start: Start
    snapshot: Snapshot
    buildspec: BuildspecText
    ran: BuildspecText
    overrides: Overrides
    signed_in: bool

    def with_role(self, role: Role) -> Reading:
        return replace(self, snapshot=replace(self.snapshot, role=role))

    @property
    def another_image(self) -> bool:
        """Did the build run in another image than the project has: an override, or the project was edited since?"""
        return self.build.environment.get("image") != self.snapshot.environment.get("image")
