"""How a build was started: which versions only people of the project's repository can write, and who is a webhook."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from remediator.core.codebuild.start import Start, Starter, host_named, start_claimed
from tests.unit import given

BLANKS = "\t\n\v\f\r \x00\x1c\x85\xa0\u200b\u2028\ufeff"
OF_COMMIT = "^{" + given.COMMIT + "}"
OURS = (
    "",
    "refs/heads/main",
    "refs/heads/feature/ORD-7_x.y",
    "refs/heads/pull/7/head",
    "refs/heads/pr/7",
    "refs/heads/@",
    "refs/tags/v1.2+3",
    "refs/heads/main" + OF_COMMIT,
)
ANYBODYS = (
    "main",
    "feature/x",
    "v1.2",
    "HEAD",
    given.COMMIT,
    given.COMMIT[:7],
    "pr/7",
    "mr/7",
    "PR/7",
    "pr-7",
    "pull/7/head",
    "pull/7/merge",
    "refs/pull/7/head",
    "refs/pull/7/head" + OF_COMMIT,
    "refs/pull-requests/7/from",
    "merge-requests/7/head",
    "refs/merge-requests/7/head",
    "refs/changes/34/1234/1",
    "refs/remotes/fork/main",
    "refs/notes/x",
    "origin/main",
    "heads/main",
    "Refs/Heads/main",
    "refs/heads",
    "refs/heads/",
    "refs/heads//main",
    "refs/heads/main/",
    "refs/heads/../pull/7/head",
    "refs/heads/..",
    "refs/heads/.x",
    "refs/heads/x..y",
    "refs/heads/x.lock",
    "refs/heads/x.lock/y",
    "refs/heads/x.",
    "refs/heads/x@{1}",
    "refs/heads/x~1",
    "refs/heads/x^",
    "refs/heads/x:refs/pull/7/head",
    "+refs/heads/x",
    "refs/heads/*",
    "refs/heads/x\\y",
    "refs/heads/ｍain",
    "refs/heads/main^{" + given.COMMIT[:39] + "}",
    "refs/heads/main" + OF_COMMIT + OF_COMMIT,
    " refs/heads/main",
    "refs/heads/main\n",
    "refs/heads/main\npr/7",
    "refs/heads/main refs/pull/7/head",
    "pr/7\t",
    "arn:aws:s3:::bucket/key",
    "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo",
)


@pytest.mark.parametrize("version", OURS)
def test_a_branch_or_a_tag_by_its_full_name_is_the_projects(version: str) -> None:
    assert Start(version).of_project(given.project())


@pytest.mark.parametrize("version", ANYBODYS)
def test_every_other_spelling_may_be_anybodys_commands(version: str) -> None:
    assert not Start(version).of_project(given.project())


@pytest.mark.parametrize("version", ["main", "pr/7", given.COMMIT])
def test_the_projects_own_version_is_the_projects(version: str) -> None:
    assert Start(version).of_project(given.project(sourceVersion=version))
    assert not Start(version).of_project(given.project(sourceVersion="develop"))


@pytest.mark.parametrize("kind", ["GITLAB", "GITLAB_SELF_MANAGED", "S3", "NO_SOURCE"])
def test_a_commit_behind_a_branch_counts_only_where_codebuild_is_documented_to_look_for_it_there(kind: str) -> None:
    project = given.project(source={"type": kind})
    assert not Start("refs/heads/main" + OF_COMMIT).of_project(project)
    assert Start("refs/heads/main").of_project(project)


@pytest.mark.parametrize("starter", [Starter.WEBHOOK, Starter.PIPELINE])
@pytest.mark.parametrize("version", ["pr/7", given.COMMIT, "arn:aws:s3:::bucket/key"])
def test_what_a_webhook_or_a_pipeline_of_the_project_built_is_the_projects(starter: Starter, version: str) -> None:
    assert Start(version, starter).of_project(given.project())


def is_reference(text: str) -> bool:
    """The rules of `git check-ref-format`, one by one, for branches and tags."""
    parts = text.split("/")
    return (
        parts[:2] in (["refs", "heads"], ["refs", "tags"])
        and len(parts) > 2
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
        and not any(bad in text for bad in ("..", "@{", *"~^:?*[\\"))
        and not text.endswith(".")
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


NAMES = ("refs", "heads", "tags", "pull", "head", "main", "..", ".lock", "@{", given.COMMIT)
TOKENS = st.sampled_from(NAMES) | st.sampled_from("///.@{}^~:*[?\\-7äK\u0661" + BLANKS)


@examples(st.booleans(), st.lists(TOKENS, max_size=8).map("".join))
def test_no_spelling_outside_gits_grammar_is_evidence(prefixed: bool, text: str) -> None:
    version = f"refs/heads/{text}" if prefixed else text
    if version and Start(version).of_project(given.project()):
        assert is_reference(re.sub(r"\^\{[0-9a-f]{40}\}\Z", "", version)), version


@examples(st.sampled_from(OURS[1:]), st.sampled_from(BLANKS), st.integers(0, 80))
def test_no_blank_anywhere_in_a_version_is_evidence(version: str, blank: str, at: int) -> None:
    at %= len(version) + 1
    assert not Start(version[:at] + blank + version[at:]).of_project(given.project())


# Whose requests start builds


def webhook(pattern: str, **more: Any) -> dict[str, Any]:
    return {"filterGroups": [[{"type": "EVENT", "pattern": pattern, **more}]]}


@pytest.mark.parametrize("initiator", ["GitHub-Hookshot/1cdf727", "Bitbucket-Webhooks/2.0", "GitLab/17.1.0-ee"])
@pytest.mark.parametrize("version", ["", given.COMMIT, "refs/heads/main", "refs/tags/v1" + OF_COMMIT])
def test_a_push_that_the_projects_webhook_builds_is_the_hosts(initiator: str, version: str) -> None:
    assert host_named(initiator, version, webhook("PUSH")) == initiator.partition("/")[0]
    assert host_named(initiator, version, {"url": "https://x"})
    assert not host_named(initiator, version, None)
    assert not host_named(initiator, version, {})


def test_a_pull_request_is_the_hosts_only_where_the_webhook_builds_pull_requests() -> None:
    for events in ("PULL_REQUEST_CREATED", "PUSH, PULL_REQUEST_MERGED"):
        assert host_named("GitHub-Hookshot/1", "pr/7", webhook(events))
    for filters in (webhook("PUSH"), webhook("RELEASED, WORKFLOW_JOB_QUEUED"), None):
        assert not host_named("GitHub-Hookshot/1", "pr/7", filters)


@pytest.mark.parametrize(
    "initiator",
    [
        "gitlab-ci",
        "gitlab-ci/deploy",
        "bitbucket-deployer",
        "bitbucket/x",
        "GitHub-Hookshot",
        "github-hookshot/1",
        "GitHub-Hookshot2/1",
        "GitLab",
        "GitLab CI/1",
        "Admin/GitHub-Hookshot",
        "rule/nightly",
        "codepipeline/release",
        "",
    ],
)
def test_a_name_that_only_looks_like_a_hosts_is_none(initiator: str) -> None:
    assert not host_named(initiator, "", webhook("PUSH"))


@pytest.mark.parametrize("version", ["main", "pull/7/head", "refs/pull/7/head", "pr/7\n", "pr/٧", "refs/heads/../x"])
def test_a_version_that_no_webhook_gives_is_not_the_hosts(version: str) -> None:
    assert not host_named("GitHub-Hookshot/1", version, {"url": "https://x"})


def test_a_plan_takes_a_record_at_its_word_because_it_writes_nothing() -> None:
    hooked = given.project(webhook=webhook("PUSH"))
    build = given.build(initiator="GitHub-Hookshot/1", sourceVersion=given.COMMIT)
    assert start_claimed(build, hooked) == Start(given.COMMIT, Starter.WEBHOOK)
    assert start_claimed(build, given.project()) == Start(given.COMMIT)
    piped = given.build(initiator="codepipeline/release", sourceVersion="arn:aws:s3:::b/k")
    assert start_claimed(piped, given.project()).by is Starter.PIPELINE
    batched = given.build(buildBatchArn="arn:aws:codebuild:eu-west-1:1:build-batch/x:1", sourceVersion=given.COMMIT)
    assert start_claimed(batched, given.project()) == Start("")
