"""Which newer build stands for an older one: of the same branch, tag or pull request, however that was named."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.codebuild.build import Build
from remediator.core.retry.superseded import newer_build

COMMIT = "3f1c2b4a5d6e7f8091a2b3c4d5e6f70819203142"
OTHER = "d5b0159a3ce05a95d7f16055dab3e0ae3cae6cff"
PREFIX = "arn:aws:codebuild:eu-west-1:123456789012:build/orders:"


def build(number: int, version: str | None = None, commit: str = "", at: float | None = None, **more: Any) -> Build:
    document = {
        "arn": f"{PREFIX}{number}",
        "buildNumber": number,
        "startTime": 1000.0 + number if at is None else at,
        "source": {"type": "GITHUB"},
        **more,
    }
    document |= {"sourceVersion": version} if version else {}
    document |= {"resolvedSourceVersion": commit} if commit else {}
    return Build(document)


def webhook(number: int, commit: str, name: str = "CODEBUILD_WEBHOOK_TRIGGER", value: str = "") -> Build:
    variables = [{"name": name, "value": value, "type": "PLAINTEXT"}]
    return build(number, commit, commit, environment={"environmentVariables": variables})


def supersedes(newer: Build, older: Build, *more: Build) -> bool:
    found = newer_build(older, [newer, *more, older], ())
    assert found in (None, newer)
    return found is not None


SAME = [
    (None, None),
    (None, "HEAD"),
    ("main", "main"),
    ("main", "refs/heads/main"),
    ("refs/heads/main", f"refs/heads/main^{{{COMMIT}}}"),
    ("origin/main", "main"),
    ("refs/remotes/origin/main", "main"),
    ("v1.2", "refs/tags/v1.2"),
    ("pr/7", "refs/pull/7/head"),
    ("pr/7", f"refs/pull/7/merge^{{{COMMIT}}}"),
    ("refs/merge-requests/7/head", "pr/7"),
    ("feature/a-b", "refs/heads/feature/a-b"),
]
DIFFERENT = [
    (None, "main"),
    ("main", "develop"),
    ("main", "main2"),
    ("pr/7", "pr/70"),
    ("pr/7", "7"),
    ("feature/main", "main"),
    ("v1.2", "v1.3"),
    ("deadbeef", "main"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_newer_build_of_the_same_reference_supersedes_however_it_is_written(
    one: str | None, other: str | None
) -> None:
    assert supersedes(build(2, other), build(1, one))
    assert supersedes(build(2, one), build(1, other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_a_build_of_another_reference_does_not(one: str | None, other: str | None) -> None:
    assert not supersedes(build(2, other), build(1, one))
    assert not supersedes(build(2, one), build(1, other))


def test_an_older_build_does_not_and_builds_of_one_millisecond_go_by_their_numbers() -> None:
    assert newer_build(build(2, "main"), [build(2, "main"), build(1, "main")], ()) is None
    assert newer_build(build(2, "main", at=5.0), [build(3, "main", at=5.0), build(2, "main", at=5.0)], ()) is not None
    assert newer_build(build(3, "main", at=5.0), [build(3, "main", at=5.0), build(2, "main", at=5.0)], ()) is None


def test_what_the_caller_has_started_for_it_does_not() -> None:
    assert newer_build(build(1, "main"), [build(2, "main"), build(1, "main")], (f"{PREFIX}2",)) is None


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "STOPPED", "IN_PROGRESS", "FAULT", "TIMED_OUT"])
def test_a_newer_build_does_however_it_ended(status: str) -> None:
    assert supersedes(build(2, "main", buildStatus=status), build(1, "main"))


def test_a_bare_commit_is_of_the_branch_of_another_build_of_it() -> None:
    assert supersedes(build(3, COMMIT, COMMIT), build(1, "main", OTHER), build(2, "refs/heads/main", COMMIT))
    assert not supersedes(build(3, COMMIT, COMMIT), build(1, "main", OTHER), build(2, "develop", COMMIT))
    assert supersedes(
        build(3, COMMIT[:10], COMMIT), build(1, "main", OTHER), build(2, "develop", OTHER), build(2, "main", COMMIT)
    )


def test_a_bare_commit_that_was_built_for_two_branches_tells_neither() -> None:
    two = (build(2, "main", COMMIT), build(3, "release", COMMIT))
    assert newer_build(build(1, "main", OTHER), [build(4, COMMIT, COMMIT), build(1, "main", OTHER)], ()) is None
    assert (
        newer_build(build(4, COMMIT, COMMIT), [build(5, OTHER, OTHER), build(4, COMMIT, COMMIT), *two], ()) is not None
    )


def test_bare_commits_of_which_nothing_tells_the_branch_are_one_reference() -> None:
    assert supersedes(build(2, COMMIT, COMMIT), build(1, OTHER, OTHER))
    assert supersedes(build(2, COMMIT), build(1, OTHER, OTHER)), "a build that has just been submitted"
    assert not supersedes(build(2, COMMIT, COMMIT), build(1, "main", OTHER))


def test_a_build_that_names_no_version_is_no_bare_commit() -> None:
    assert not supersedes(build(2, COMMIT, COMMIT), build(1, None, OTHER))
    assert supersedes(build(2, COMMIT, COMMIT), build(1, None, COMMIT)), "the same commit, so the same branch"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CODEBUILD_WEBHOOK_TRIGGER", "branch/main"),
        ("CODEBUILD_WEBHOOK_TRIGGER", "tag/main"),
        ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/main"),
    ],
)
def test_a_webhooks_bare_commit_is_of_the_branch_that_triggered_it(name: str, value: str) -> None:
    assert supersedes(webhook(2, COMMIT, name, value), build(1, "main", OTHER))
    assert not supersedes(webhook(2, COMMIT, name, value), build(1, "develop", OTHER))
    assert not supersedes(webhook(2, COMMIT, name, value), webhook(1, OTHER, value="branch/develop"))


def test_a_webhooks_pull_request_is_its_own_reference() -> None:
    assert supersedes(webhook(2, COMMIT, value="pr/7"), build(1, "pr/7", OTHER))
    assert not supersedes(webhook(2, COMMIT, value="pr/8"), build(1, "pr/7", OTHER))


@pytest.mark.parametrize("kind", ["S3", "CODEPIPELINE", "NO_SOURCE"])
def test_a_source_without_branches_is_one_reference(kind: str) -> None:
    older = build(1, "arn:aws:s3:::artifacts/orders/a.zip", source={"type": kind})
    assert supersedes(build(2, "arn:aws:s3:::artifacts/orders/b.zip", source={"type": kind}), older)


def test_builds_of_one_batch_do_not_supersede_each_other_and_a_batch_is_as_old_as_its_start() -> None:
    first, second = (f"arn:aws:codebuild:eu-west-1:123456789012:build-batch/orders:{name}" for name in ("b1", "b2"))
    failed, sibling = build(1, "main", buildBatchArn=first), build(2, "main", buildBatchArn=first)
    other = build(3, "main", buildBatchArn=second)
    starts = {"orders:b1": 100.0, "orders:b2": 90.0}
    assert newer_build(failed, [sibling, failed], (), starts) is None
    assert newer_build(failed, [other, sibling, failed], (), starts) is None, "its batch waited in the queue"
    assert newer_build(failed, [other, sibling, failed], (), {**starts, "orders:b2": 110.0}) is other
    assert newer_build(build(2, "main"), [other, build(2, "main")], (), {"orders:b2": 90.0}) is None


def retried(number: int, of: int, commit: str) -> Build:
    return build(number, commit, commit, autoRetryConfig={"previousAutoRetry": f"{PREFIX}{of}"})


def test_an_automatic_retry_is_as_old_as_the_build_that_it_repeats() -> None:
    first, newer, again = build(1, "main", COMMIT), build(2, "main", OTHER), retried(3, 1, COMMIT)
    assert newer_build(first, [again, first], ()) is None, "its own automatic retry"
    assert newer_build(first, [again, newer, first], ()) is newer
    assert newer_build(newer, [again, newer, first], ()) is None, "what began before it"
    assert newer_build(newer, [again, newer], ()) is None, "the list goes back to the build, not to the chain's begin"


def test_what_repeats_a_retry_of_the_callers_is_the_callers_too() -> None:
    first, ours, again = build(1, "main", COMMIT), build(2, COMMIT, COMMIT), retried(3, 2, COMMIT)
    assert newer_build(first, [again, ours, first], (f"{PREFIX}2",)) is None
    batch = build(4, "main", COMMIT, buildBatchArn="arn:aws:codebuild:eu-west-1:123456789012:build-batch/orders:b9")
    assert newer_build(first, [batch, first], ("orders:b9",)) is None
