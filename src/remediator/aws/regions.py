"""Reads the projects of several regions: roles are one for all of them, and each region has a CodeBuild of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from botocore.exceptions import ClientError

from remediator.aws.client import message_of, raise_if_transient
from remediator.aws.codebuild import CodeBuild
from remediator.core.codebuild.project import Document


class UnreadableRegion(Exception):
    """The projects of a region can't be read: its name, and AWS's words."""


def projects_in(regions: Mapping[str, CodeBuild], covers: Callable[[str], bool]) -> Iterator[Document]:
    """All projects of these regions whose names are covered."""
    for region, codebuild in regions.items():
        try:
            yield from codebuild.projects(covers)
        except ClientError as error:
            raise_if_transient(error)
            raise UnreadableRegion(region, message_of(error)) from error
