"""The guards between a diagnosis and a change: each of them says no here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Role, Snapshot
from remediator.core.guards.review import objection
from remediator.core.guards.strangers import Untrusted, stranger_objection
from remediator.core.outcome import Ending, Outcome
from tests.unit import given

OTHER_ROLE = f"arn:aws:iam::{given.ACCOUNT}:role/admin"
PULL_REQUESTS = {"filterGroups": [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED"}]]}
OPEN_TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}


def credential(secret: str) -> dict[str, Any]:
    return {"registryCredential": {"credential": secret, "credentialProvider": "SECRETS_MANAGER"}}


BEFORE, AFTER = given.build().started_at - 1, given.build().started_at + 1
"""Edits of the project, before the build started and since."""


def review(build: Build, snapshot: Snapshot, untrusted: Untrusted = "advise", edited: float = BEFORE) -> Outcome | None:
    return objection(given.reading(build, snapshot), given.SIGN_IN, untrusted, edited)


def object_to(
    build: Build, snapshot: Snapshot, untrusted: Untrusted = "advise", edited: float = BEFORE
) -> tuple[Ending, str]:
    found = review(build, snapshot, untrusted, edited)
    assert found is not None
    return found.ending, found.reason


def test_a_plain_project_meets_no_objection() -> None:
    assert review(given.build(), given.snapshot()) is None


def test_a_project_that_was_repaired_after_the_build_started_meets_no_objection() -> None:
    snapshot = given.snapshot(env=given.repaired_environment())

    assert review(given.build(), snapshot) is None


def test_a_build_with_another_role_than_the_projects_leaves_the_project_alone() -> None:
    ending, reason = object_to(given.build(serviceRole=OTHER_ROLE), given.snapshot())

    assert ending is Ending.ADVISED
    assert OTHER_ROLE in reason
    assert given.ROLE in reason


def test_the_other_role_is_let_read_the_secret_by_lines_to_paste_where_it_is_of_this_account() -> None:
    found = review(given.build(serviceRole=OTHER_ROLE), given.snapshot())
    foreign = review(given.build(serviceRole="arn:aws:iam::999999999999:role/x"), given.snapshot())

    assert found is not None
    assert foreign is not None
    assert found.advice[0] == foreign.advice[0] == "start the build again without the override of its role"
    assert f"aws iam attach-role-policy --role-name {OTHER_ROLE.rpartition('/')[2]}" in found.advice[1]
    assert len(foreign.advice) == 1


NAMES = [given.ROLE, given.ROLE_NAME, f"arn:aws:iam::{given.ACCOUNT}:role/{given.ROLE_NAME}"]
"""One role, as a record may have it: by IAM's ARN, by name, by an ARN without its path."""


@pytest.mark.parametrize("of_build", NAMES)
@pytest.mark.parametrize("of_project", NAMES)
def test_one_role_in_two_spellings_is_no_other_role(of_build: str, of_project: str) -> None:
    assert review(given.build(serviceRole=of_build), given.snapshot(serviceRole=of_project)) is None


@pytest.mark.parametrize("of_build", ["admin", OTHER_ROLE])
def test_a_role_of_another_name_is_another_role_however_it_is_written(of_build: str) -> None:
    found = review(given.build(serviceRole=of_build), given.snapshot(serviceRole=given.ROLE_NAME))

    assert found is not None
    assert f"the build ran with the service role {of_build}" in found.reason


@pytest.mark.parametrize("of_build", NAMES)
def test_a_project_whose_role_is_of_another_account_is_left_alone_though_the_names_are_equal(of_build: str) -> None:
    foreign = given.ROLE.replace(given.ACCOUNT, "999999999999")
    found = review(given.build(serviceRole=of_build), given.snapshot(serviceRole=foreign))

    assert found is not None
    assert f"{foreign} is not of this account" in found.reason


@pytest.mark.parametrize("role", ["arn:aws:iam::999999999999:role/codebuild", "another:codebuild", None])
def test_a_role_that_is_not_of_this_account_is_left_alone(role: str | None) -> None:
    """IAM is asked by name, and would tell of the wrong one."""
    found = review(given.build(serviceRole=role), given.snapshot(serviceRole=role), "repair")

    assert found is not None
    assert found.ending is Ending.ADVISED


@pytest.mark.parametrize(
    "secret",
    [
        given.SECRET.replace(given.ACCOUNT, "999999999999"),
        given.SECRET.replace(given.REGION, "us-east-1"),
    ],
)
@pytest.mark.parametrize("build", [given.build(), given.throttled_command()])
def test_a_secret_of_another_account_or_region_is_not_given_to_anybody(build: Build, secret: str) -> None:
    snapshot = given.of_commands() if build.failure.of_command else given.snapshot()

    sign_in = replace(given.SIGN_IN, secret_arn=secret)
    found = objection(given.reading(build, snapshot, sign_in), sign_in, "repair", BEFORE)

    assert found is not None
    assert found.ending is Ending.ADVISED
    assert f"the secret {secret} is not of this account and region, {given.ACCOUNT} in {given.REGION}" in found.reason


def test_another_secret_of_this_account_and_region_meets_no_objection() -> None:
    sign_in = replace(given.SIGN_IN, secret_arn=given.OTHER_SECRET)

    assert objection(given.reading(given.build(), given.snapshot(), sign_in), sign_in, "advise", BEFORE) is None


OTHER_IMAGE = "bitnami/node:20"


@pytest.mark.parametrize("edited", [BEFORE, given.build().started_at])
def test_a_build_of_an_overridden_image_is_helped_as_long_as_nobody_edited_the_project_since(edited: float) -> None:
    """Only then it was surely an override, which can be given a credential of its own."""
    assert review(given.build(env={"image": OTHER_IMAGE}), given.snapshot(), edited=edited) is None


def test_an_overridden_image_is_helped_whatever_image_the_project_itself_has() -> None:
    curated = given.snapshot(env={"image": given.STANDARD_IMAGE})

    assert review(given.build(env={"image": OTHER_IMAGE}), curated) is None


def test_a_build_with_another_image_than_a_project_that_was_edited_since_leaves_that_alone() -> None:
    ending, reason = object_to(given.build(env={"image": OTHER_IMAGE}), given.snapshot(), edited=AFTER)

    assert ending is Ending.ADVISED
    assert OTHER_IMAGE in reason


@pytest.mark.parametrize("environment", [{"image": "ghcr.io/example/x"}, {"image": given.STANDARD_IMAGE}])
def test_an_overridden_image_that_takes_no_credential_leaves_the_project_alone(environment: dict[str, str]) -> None:
    ending, reason = object_to(given.build(env=environment), given.snapshot())

    assert ending is Ending.ADVISED
    assert environment["image"] in reason


def test_lambda_compute_takes_no_credential_for_an_overridden_image_either() -> None:
    build = given.build(env={"image": OTHER_IMAGE, "type": "LINUX_LAMBDA_CONTAINER"})

    assert object_to(build, given.snapshot())[0] is Ending.ADVISED


def test_an_overridden_image_lifts_no_other_guard() -> None:
    build = given.build(env={"image": OTHER_IMAGE, **credential(given.OTHER_SECRET)})

    assert given.OTHER_SECRET in object_to(build, given.snapshot())[1]
    assert object_to(given.build(env={"image": OTHER_IMAGE}), given.snapshot(projectVisibility="PUBLIC_READ"))


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"buildspec": given.BUILDSPEC + "      - echo overridden\n"}, "another buildspec"),
        ({"image": "aws/codebuild/standard:6.0"}, "in another image"),
    ],
)
@pytest.mark.parametrize("edited", [BEFORE, AFTER])
def test_commands_of_another_buildspec_or_image_than_the_projects_are_no_ground_for_a_repair(
    members: dict[str, Any], word: str, edited: float
) -> None:
    """What the project's own commands do is not told by those of an override, whenever the project was edited."""
    ending, reason = object_to(given.throttled_command(**members), given.of_commands(), edited=edited)

    assert ending is Ending.ADVISED
    assert word in reason


@pytest.mark.parametrize("environment", [{"image": "ghcr.io/example/x"}, {"type": "LINUX_LAMBDA_CONTAINER"}])
def test_an_environment_that_takes_no_credential_is_skipped(environment: dict[str, str]) -> None:
    ending, _ = object_to(given.build(env=environment), given.snapshot(env=environment))

    assert ending is Ending.SKIPPED


@pytest.mark.parametrize("project", [{}, credential(given.OTHER_SECRET)])
def test_a_build_that_signed_in_with_another_credential_leaves_the_project_alone(project: dict[str, Any]) -> None:
    build = given.build(env=credential(given.OTHER_SECRET))

    ending, reason = object_to(build, given.snapshot(env=project))

    assert ending is Ending.ADVISED
    assert given.OTHER_SECRET in reason


def test_a_credential_that_the_project_got_since_is_kept() -> None:
    ending, reason = object_to(given.build(), given.snapshot(env=credential(given.OTHER_SECRET)))

    assert ending is Ending.ADVISED
    assert "it was kept" in reason


STRANGERS = [
    ({"projectVisibility": "PUBLIC_READ"}, given.CODEBUILD_TRUST, "PUBLIC_READ"),
    ({"webhook": PULL_REQUESTS}, given.CODEBUILD_TRUST, "webhook"),
    ({}, OPEN_TRUST, "assumed by *"),
]


@pytest.mark.parametrize(("members", "trust", "word"), STRANGERS)
def test_a_project_that_strangers_can_make_build_or_read_is_left_alone(
    members: dict[str, Any], trust: dict[str, Any], word: str
) -> None:
    snapshot = Snapshot(given.project(**members), given.role(trust=trust))

    ending, reason = object_to(given.build(), snapshot)

    assert ending is Ending.ADVISED
    assert word in reason


@pytest.mark.parametrize(("members", "trust", "word"), STRANGERS)
def test_the_word_repair_lets_strangers_have_the_credentials(
    members: dict[str, Any], trust: dict[str, Any], word: str
) -> None:
    snapshot = Snapshot(given.project(**members), given.role(trust=trust))

    assert review(given.build(), snapshot, "repair") is None


def test_the_word_repair_lifts_no_other_guard() -> None:
    assert object_to(given.build(serviceRole=OTHER_ROLE), given.snapshot(), "repair")[0] is Ending.ADVISED


def test_every_way_in_for_strangers_is_told_at_once() -> None:
    project = given.project(projectVisibility="PUBLIC_READ", webhook=PULL_REQUESTS)

    found = stranger_objection(Snapshot(project, Role(given.ROLE, OPEN_TRUST)), "advise")

    assert found is not None
    assert found.reason.count(";") == 2


def test_without_its_role_read_a_project_is_judged_by_the_rest() -> None:
    assert stranger_objection(Snapshot(given.project()), "advise") is None
    assert stranger_objection(Snapshot(given.project(webhook=PULL_REQUESTS)), "advise") is not None
