"""The functions' environment variables: a wrong one is told by its name."""

from __future__ import annotations

import pytest

from remediator.core.guards.history import Limits
from remediator.core.guards.scope import Scope
from remediator.core.outcome import BadInput
from remediator.core.repair.sign_in import SignIn
from remediator.settings import Settings
from tests.unit import given

TOPIC = f"arn:aws:sns:{given.REGION}:{given.ACCOUNT}:notices"


def test_what_is_not_set_has_its_default() -> None:
    assert given.settings() == Settings(
        journal_table="journal",
        sign_in=SignIn(given.SECRET, given.POLICY),
        mode="auto",
        retry_build=True,
        retry_superseded=False,
        project_name_pattern="*",
        settle_seconds=60,
        limits=Limits(attempts=3, minutes=60),
        untrusted_projects="advise",
        allow_limited_account=False,
        trust_earlier_proof=True,
        scope=Scope(),
        notices_topic="",
        docker_hub_endpoint="",
        journal_days=365,
        inspect_build_logs=True,
        edit_buildspecs=True,
        remediator=given.REMEDIATOR,
    )


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    empty = dict.fromkeys(("MODE", "RETRY_BUILD", "SETTLE_SECONDS", "USERNAME_VARIABLE", "PROJECT_NAME_PATTERN"), "")

    assert given.settings(**empty) == given.settings()


def test_every_variable_is_read() -> None:
    settings = given.settings(
        MODE="plan",
        RETRY_BUILD="false",
        RETRY_SUPERSEDED="true",
        PROJECT_NAME_PATTERN="team-*",
        ENVIRONMENT_VARIABLES="when-needed",
        USERNAME_VARIABLE="HUB_USER",
        PASSWORD_VARIABLE="_TOKEN2",
        SETTLE_SECONDS="0",
        MAX_ATTEMPTS="5",
        COOLDOWN_MINUTES="1440",
        UNTRUSTED_PROJECTS="repair",
        DOCKER_HUB_ENDPOINT="http://localhost:5000",
        JOURNAL_DAYS="30",
        INSPECT_BUILD_LOGS="false",
        EDIT_BUILDSPECS="false",
        POLICY_MODE="secret",
        SECRET_KMS_KEY_ARN=given.KEY,
        ALLOW_LIMITED_ACCOUNT="true",
        DOCKER_HUB_UNREACHABLE="wait",
        WRITABLE_TOKEN="refuse",
        TAGGED_PROJECTS_ONLY="true",
        STACK_NAME="remediator",
        OWN_ROLE=given.ROLE,
        NOTICES_TOPIC=TOPIC,
        ROLE_REGIONS="us-east-1,eu-north-1",
    )

    assert settings == Settings(
        journal_table="journal",
        sign_in=SignIn(
            given.SECRET,
            given.POLICY,
            "secret",
            key_arn=given.KEY,
            username_variable="HUB_USER",
            password_variable="_TOKEN2",
            variables="when-needed",
        ),
        mode="plan",
        retry_build=False,
        retry_superseded=True,
        project_name_pattern="team-*",
        settle_seconds=0,
        limits=Limits(attempts=5, minutes=1440),
        untrusted_projects="repair",
        allow_limited_account=True,
        trust_earlier_proof=False,
        scope=Scope(tagged_only=True, stack="remediator", own_role=given.ROLE),
        notices_topic=TOPIC,
        docker_hub_endpoint="http://localhost:5000",
        journal_days=30,
        inspect_build_logs=False,
        edit_buildspecs=False,
        remediator=given.REMEDIATOR,
        role_regions=("us-east-1", "eu-north-1"),
        refuse_writable=True,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLICY_MODE", "everything"),
        ("SECRET_KMS_KEY_ARN", "alias/mine"),
        ("ALLOW_LIMITED_ACCOUNT", "yes"),
        ("DOCKER_HUB_UNREACHABLE", "go-on"),
        ("WRITABLE_TOKEN", "allow"),
        ("TAGGED_PROJECTS_ONLY", "True"),
        ("JOURNAL_TABLE", ""),
        ("JOURNAL_TABLE", "a b"),
        ("JOURNAL_TABLE", "journal\n"),
        ("SECRET_ARN", ""),
        ("SECRET_ARN", "docker-hub"),
        ("SECRET_ARN", given.POLICY),
        ("SECRET_ARN", f"{given.SECRET}\nx"),
        ("GRANT_POLICY_ARN", ""),
        ("GRANT_POLICY_ARN", given.ROLE),
        ("MODE", "Auto"),
        ("MODE", "approve"),
        ("RETRY_BUILD", "yes"),
        ("RETRY_BUILD", "True"),
        ("PROJECT_NAME_PATTERN", "[a-z]*"),
        ("PROJECT_NAME_PATTERN", "a*\n"),
        ("PROJECT_NAME_PATTERN", "arn:aws:*"),
        ("ENVIRONMENT_VARIABLES", "never"),
        ("USERNAME_VARIABLE", "2ND"),
        ("USERNAME_VARIABLE", "WITH-DASH"),
        ("USERNAME_VARIABLE", "CODEBUILD_USER"),
        ("PASSWORD_VARIABLE", "A B"),
        ("PASSWORD_VARIABLE", "DOCKERHUB_USERNAME"),
        ("SETTLE_SECONDS", "-1"),
        ("SETTLE_SECONDS", "901"),
        ("SETTLE_SECONDS", "1.5"),
        ("SETTLE_SECONDS", "soon"),
        ("MAX_ATTEMPTS", "0"),
        ("MAX_ATTEMPTS", "6"),
        ("MAX_ATTEMPTS", "three"),
        ("COOLDOWN_MINUTES", "4"),
        ("COOLDOWN_MINUTES", "1441"),
        ("COOLDOWN_MINUTES", "5.5"),
        ("UNTRUSTED_PROJECTS", "trust"),
        ("JOURNAL_DAYS", "0"),
        ("JOURNAL_DAYS", "3651"),
        ("DOCKER_HUB_ENDPOINT", "https://auth.docker.io"),
        ("DOCKER_HUB_ENDPOINT", "http://example.com:80"),
        ("DOCKER_HUB_ENDPOINT", "http://127.0.0.1"),
        ("DOCKER_HUB_ENDPOINT", "http://127.0.0.1:80@example.com"),
        ("DOCKER_HUB_ENDPOINT", "http://127.0.0.1:80/path"),
        ("DOCKER_HUB_ENDPOINT", "http://127.0.0.1.example.com:80"),
        ("DOCKER_HUB_ENDPOINT", "http://localhost:5000\n"),
        ("DOCKER_HUB_ENDPOINT", "http://LOCALHOST:5000"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(BadInput) as refused:
        given.settings(**{name: value})

    assert refused.value.field == name


@pytest.mark.parametrize("name", ["JOURNAL_TABLE", "SECRET_ARN", "GRANT_POLICY_ARN"])
def test_a_variable_that_has_no_default_is_missed(name: str) -> None:
    variables = given.variables()
    del variables[name]

    with pytest.raises(BadInput, match=name):
        Settings.from_environment(variables)


@pytest.mark.parametrize(
    ("pattern", "project", "covered"),
    [
        ("*", "anything", True),
        ("team-*", "team-a", True),
        ("team-*", "team-", True),
        ("team-*", "Team-a", False),
        ("team-*", "other-team-a", False),
        ("team-?", "team-ab", False),
        ("orders", "orders-api", False),
    ],
)
def test_the_pattern_says_which_projects_are_in_scope(pattern: str, project: str, covered: bool) -> None:
    assert given.settings(PROJECT_NAME_PATTERN=pattern).covers(project) is covered


@pytest.mark.parametrize(
    ("remediator", "name"),
    [
        (given.REMEDIATOR, "remediator"),
        (given.REMEDIATOR.removesuffix(":live"), "remediator"),
        ("", ""),
    ],
)
def test_remediators_name_is_what_its_role_sessions_are_called_after(remediator: str, name: str) -> None:
    assert given.settings(REMEDIATOR=remediator).remediator_name == name


def test_other_regions_are_none_at_first_and_never_the_stacks_own() -> None:
    assert given.settings().other_regions == ()
    assert given.settings(ROLE_REGIONS=f"us-east-1,{given.REGION},us-east-1").other_regions == ("us-east-1",)
