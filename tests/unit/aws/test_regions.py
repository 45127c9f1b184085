"""The projects of several regions are read one region after the other, and one that can't be read is told by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from remediator.aws.regions import UnreadableRegion, projects_in


class Region:
    def __init__(self, *names: str, code: str = "") -> None:
        self._names = names
        self._code = code

    def projects(self, covers: Callable[[str], bool]) -> Iterator[dict[str, Any]]:
        yield from ({"name": name} for name in self._names if covers(name))
        if self._code:
            raise ClientError({"Error": {"Code": self._code, "Message": "AWS says no"}}, "ListProjects")


def names(*regions: Region) -> list[str]:
    numbered: Any = {f"region-{number}": region for number, region in enumerate(regions)}
    return [project["name"] for project in projects_in(numbered, lambda name: name != "theirs")]


def test_the_projects_of_all_regions_are_read_as_far_as_they_are_covered() -> None:
    assert names(Region("one", "theirs"), Region(), Region("two")) == ["one", "two"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException"])
def test_a_region_that_can_not_be_read_is_told_with_the_words_of_aws(code: str) -> None:
    with pytest.raises(UnreadableRegion) as error:
        names(Region("one"), Region("two", code=code))
    assert error.value.args == ("region-1", "AWS says no")


def test_a_region_that_does_not_answer_right_now_is_asked_again() -> None:
    with pytest.raises(ClientError, match="Throttling"):
        names(Region(code="ThrottlingException"))
