"""A repair of commands that does harm, or of which nothing can be told, is taken back or told as it is."""

from __future__ import annotations

import pytest

from local.agent import buildspec as agents_buildspec
from tests.workflow.account import Account
from tests.workflow.commands import INLINE, in_repository, inline, no_pulls_left
from tests.workflow.watched import once, refused


@pytest.fixture(autouse=True)
def _commands(account: Account) -> None:
    account.agent = account.run_commands()


def variables_of(account: Account) -> list[str]:
    return [variable["name"] for variable in account.project()["environment"]["environmentVariables"]]


@pytest.mark.parametrize("broken", ["BatchGetProjects", "UpdateProject"])
def test_what_an_interrupted_patch_changed_is_taken_back_too(account: Account, broken: str) -> None:
    """The step runs again, finds its change made, and has to know that it is its own."""
    account.world._may_read = lambda _role, _secret: False
    build = inline(account)
    before = account.project()
    error = refused(broken, "ServiceUnavailableException", status=503)

    def refuse() -> None:
        raise error

    if broken == "UpdateProject":
        account.after.append(once("UpdateProject", refuse))
    else:
        account.before.append(once("BatchGetProjects", refuse, at=3))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "the changes to the project were taken back" in outcome["reason"]
    after = account.project()
    assert after["source"] == before["source"]
    assert variables_of(account) == []


def test_an_undo_whose_answer_was_lost_is_told_as_what_it_did(account: Account) -> None:
    account.world._may_read = lambda _role, _secret: False
    build = inline(account)
    error = refused("UpdateProject", "ServiceUnavailableException", status=503)

    def lose() -> None:
        raise error

    account.after.append(once("UpdateProject", lose, at=2))
    outcome = account.remediate(build)
    assert "the changes to the project were taken back" in outcome["reason"]
    assert variables_of(account) == []
    assert outcome["changes"] == [f"attach the policy {account.policy_arn} to the role orders-build"]


def test_a_buildspec_that_codebuild_can_no_longer_read_is_as_it_was(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = inline(account)
    parse = agents_buildspec.parse

    def refuse(text: str) -> agents_buildspec.Buildspec:
        if "docker login" in text:
            raise agents_buildspec.YamlFileError("Expected Commands[0] to be of string type")
        return parse(text)

    monkeypatch.setattr(agents_buildspec, "parse", refuse)
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "could not read the buildspec" in outcome["reason"]
    assert account.project()["source"]["buildspec"] == INLINE


def test_an_edit_while_the_repair_is_written_down_is_kept(account: Account) -> None:
    build = inline(account)
    edited = INLINE + "  post_build:\n    commands:\n      - echo done\n"
    account.after.append(once("UpdateItem", lambda: account.edit(source={"type": "NO_SOURCE", "buildspec": edited})))
    account.remediate(build)
    assert account.project()["source"]["buildspec"] == edited


def test_docker_auth_config_is_taken_back_where_it_denied_a_push_that_no_log_had_shown(account: Account) -> None:
    account.registry.add_account("owner", "own-password")
    pushing = (
        "version: 0.2\nphases:\n  build:\n    commands:\n      - docker pull python:3.12\n"
        "      - docker login -u owner -p own-password > /dev/null 2>&1\n"
        "      - docker pull owner/orders:1\n      - docker push owner/orders:1\n"
    )
    outcome = account.remediate(in_repository(account, pushing))
    assert outcome["outcome"] == "gave-up", outcome
    assert "docker was denied something in BUILD" in outcome["reason"]
    assert "the changes to the project were taken back" in outcome["reason"]
    assert any("docker login --username" in line for line in outcome["advice"])
    assert variables_of(account) == []


def test_a_denial_that_an_earlier_command_tolerated_is_not_held_against_the_repair(account: Account) -> None:
    text = (
        "version: 0.2\nphases:\n  build:\n    commands:\n      - docker pull python:3.12\n"
        "      - 'echo denied: requested access to the resource is denied; env | grep -c DOCKER_AUTH_CONFIG'\n"
        "      - exit 3\n"
    )
    outcome = account.remediate(in_repository(account, text))
    assert outcome["outcome"] == "remediated, unproven", outcome
    assert "it then failed in BUILD by itself" in outcome["reason"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_secret_that_can_not_be_read_is_found_out_without_the_log_too(account: Account, code: str) -> None:
    build = in_repository(account)
    account.world._may_read = lambda _role, _secret: False
    refusal = refused("FilterLogEvents", code)

    def deny() -> None:
        raise refusal

    account.after.append(
        once(
            "StartBuild", lambda: account.before.append(lambda called: deny() if called == "FilterLogEvents" else None)
        )
    )
    outcome = account.remediate(build)
    assert "can't read the secret" in outcome["reason"], outcome
    assert variables_of(account) == []


@pytest.mark.parametrize("call", ["UpdateProject", "BatchGetProjects"])
def test_what_can_not_be_taken_back_is_told_with_why_it_had_to_be(account: Account, call: str) -> None:
    account.world._may_read = lambda _role, _secret: False
    build = inline(account)
    refusal = refused(call, "AccessDeniedException", "not allowed")

    def deny() -> None:
        raise refusal

    account.after.append(once("StartBuild", lambda: account.before.append(once(call, deny)), at=3))
    outcome = account.remediate(build)
    assert outcome["outcome"] == "gave-up", outcome
    assert "can't read the secret although it was granted; that could not be taken back" in outcome["reason"]
    by_hand = outcome["advice"][0]
    assert by_hand.startswith("Take these changes out of the project by hand.")
    assert "DOCKERHUB_PASSWORD" in by_hand
    assert "docker login" in by_hand
    assert outcome["retried_build"]


def test_an_undo_waits_for_whoever_works_on_the_project(account: Account) -> None:
    """The lease was given back with the retry; it is taken again before anything is written."""
    account.world._may_read = lambda _role, _secret: False
    account.remediate(inline(account))
    last_start = max(index for index, call in enumerate(account.calls) if call == "StartBuild")
    undo = [call for call in account.calls[last_start:] if call in ("UpdateItem", "UpdateProject")]
    # The build is adopted, the lease taken again, and only then the project is changed.
    assert undo[:3] == ["UpdateItem", "UpdateItem", "UpdateProject"]


def test_a_retried_build_whose_log_can_not_be_read_is_no_success(account: Account) -> None:
    build = inline(account)
    refusal = refused("FilterLogEvents", "AccessDeniedException", "denied")

    def deny() -> None:
        raise refusal

    account.before.append(once("FilterLogEvents", deny, at=2))
    with no_pulls_left(account):
        outcome = account.remediate(build, ALLOW_LIMITED_ACCOUNT="true")
    assert outcome["outcome"] == "patched", outcome
    assert "whether its pull got through is not told" in outcome["reason"]


def test_a_retried_build_that_is_throttled_as_the_account_is_given_up_with_the_evidence(account: Account) -> None:
    build = inline(account)
    with no_pulls_left(account):
        outcome = account.remediate(build, ALLOW_LIMITED_ACCOUNT="true")
    assert outcome["outcome"] == "gave-up", outcome
    assert "pull rate limit as '…'" in outcome["reason"]


def test_after_a_repair_was_taken_back_the_project_is_left_alone_for_a_day(account: Account) -> None:
    account.world._may_read = lambda _role, _secret: False
    assert account.remediate(inline(account))["outcome"] == "gave-up"
    before = account.writes()

    again = account.failed_build()
    outcome = account.remediate(again)
    assert outcome["outcome"] == "advised", outcome
    assert "was taken back within the last day" in outcome["reason"]
    assert account.writes() == before
    assert account.entry(again)["outcome"] == "advised"

    account.world._may_read = account.may_read
    assert account.remediate(again, attempt=2)["outcome"] == "remediated"


def test_a_day_after_a_repair_was_taken_back_the_next_failure_is_repaired(account: Account) -> None:
    account.world._may_read = lambda _role, _secret: False
    account.remediate(inline(account))
    account.world._may_read = account.may_read
    account.world.sleep(86_400 + 60)
    assert account.remediate(account.failed_build())["outcome"] == "remediated"
