"""What was learned of roles that could not read the secret, and whom that keeps from being tried."""

from __future__ import annotations

import pytest

from remediator.core.guards.lost_grant import unreadable_before
from remediator.core.outcome import Ending

SECRET = "the secret hub"


@pytest.mark.parametrize("roles", [(), ("another-build",)])
def test_a_role_that_nothing_is_known_of_may_be_tried(roles: tuple[str, ...]) -> None:
    """A denial may be for one role alone."""
    assert unreadable_before(roles, roles, "orders-build", SECRET) is None


@pytest.mark.parametrize("roles", [("orders-build",), ("another-build", "orders-build")])
def test_a_role_that_could_not_read_the_secret_is_told(roles: tuple[str, ...]) -> None:
    told = unreadable_before(roles, roles, "orders-build", SECRET)

    assert told is not None
    assert told.ending is Ending.ADVISED
    assert told.reason.startswith("builds with the service role orders-build could not read the secret hub")
    assert told.reason.endswith("nothing was written")
    assert any("remediate" in advice for advice in told.advice)


def test_once_two_roles_could_not_read_it_no_third_one_is_tried() -> None:
    two = ("one-build", "two-build")
    told = unreadable_before(two, two, "orders-build", SECRET)

    assert told is not None
    assert told.reason.startswith(
        "builds with other service roles (one-build, two-build) could not read the secret hub"
    )


@pytest.mark.parametrize("in_a_row", [(), ("two-build",)])
def test_where_another_role_could_between_a_third_one_is_tried(in_a_row: tuple[str, ...]) -> None:
    assert unreadable_before(("one-build", "two-build"), in_a_row, "orders-build", SECRET) is None
