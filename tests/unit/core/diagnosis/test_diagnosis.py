"""What throttled a build, and whether Docker Hub credentials can help."""

from __future__ import annotations

import pytest

from remediator.core.diagnosis.diagnosis import diagnose
from remediator.core.diagnosis.throttle import Cause
from remediator.core.outcome import Ending
from tests.unit import given

HUB = f"{given.PULL_FAILED}: {given.UNABLE}"
LOCKOUT = f"{HUB}Error response from daemon: toomanyrequests: too many failed login attempts for username or IP address"
ABUSE = f"{HUB}Error response from daemon: error parsing HTTP 429 response body: Too Many Requests (HAP429)"
UNTOLD = f"{HUB}error pulling image configuration: toomanyrequests: Too many requests."
ECR_PUBLIC = f"{HUB}Error response from daemon: toomanyrequests: Rate exceeded"
GHCR = f"{HUB}toomanyrequests: retry-after: 985.86us, allowed: 44000/minute"


def test_docker_hubs_anonymous_limit_is_what_credentials_cure() -> None:
    diagnosis = diagnose(given.failure())

    assert diagnosis.refusal is None
    assert (diagnosis.cause, diagnosis.registry, diagnosis.phase) == (
        Cause.ANONYMOUS_LIMIT,
        "docker.io",
        "PROVISIONING",
    )
    assert "pull rate limit" in diagnosis.excerpt


@pytest.mark.parametrize(
    ("context", "cause", "ending"),
    [
        (f"{given.PULL_FAILED}: {given.ACCOUNT_LIMIT}", Cause.ACCOUNT_LIMIT, Ending.ADVISED),
        (LOCKOUT, Cause.LOGIN_LOCKOUT, Ending.ADVISED),
        (ABUSE, Cause.ABUSE_LIMIT, Ending.ADVISED),
        (ECR_PUBLIC, Cause.OTHER_REGISTRY, Ending.SKIPPED),
        (GHCR, Cause.OTHER_REGISTRY, Ending.SKIPPED),
        (UNTOLD, Cause.UNKNOWN, Ending.ADVISED),
    ],
)
def test_what_signing_in_does_not_cure_is_refused_with_the_cause(context: str, cause: Cause, ending: Ending) -> None:
    refusal = diagnose(given.failure(context=context)).refusal

    assert refusal is not None
    assert (refusal.cause, refusal.ending) == (cause, ending)
    assert bool(refusal.advice) is (ending is Ending.ADVISED)


def test_an_account_that_docker_hub_names_is_told_nowhere() -> None:
    diagnosis = diagnose(given.failure(context=f"{given.PULL_FAILED}: {given.ACCOUNT_LIMIT}"))

    assert "somebody" not in repr(diagnosis)
    assert "dckr_jti" not in repr(diagnosis)


@pytest.mark.parametrize(
    "image",
    [
        "public.ecr.aws/docker/library/node:22",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/node",
        "ghcr.io/example/node",
        "quay.io/example/node",
        "localhost:5000/node",
    ],
)
def test_another_registrys_image_is_skipped_whatever_the_message_says(image: str) -> None:
    diagnosis = diagnose(given.failure(image=image))

    assert diagnosis.cause is Cause.OTHER_REGISTRY
    assert diagnosis.refusal is not None
    assert diagnosis.refusal.ending is Ending.SKIPPED


def test_a_curated_image_is_skipped() -> None:
    refusal = diagnose(given.failure(image="aws/codebuild/standard:7.0")).refusal

    assert refusal is not None
    assert refusal.ending is Ending.SKIPPED
    assert "CodeBuild's own" in refusal.reason


@pytest.mark.parametrize("image", ["", "$IMAGE", "UPPER/case", "two\nlines"])
def test_an_image_that_is_no_reference_is_skipped(image: str) -> None:
    refusal = diagnose(given.failure(image=image)).refusal

    assert refusal is not None
    assert refusal.ending is Ending.SKIPPED


@pytest.mark.parametrize("phase", ["", "QUEUED", "DOWNLOAD_SOURCE", "BUILD"])
def test_a_failure_of_another_phase_is_skipped(phase: str) -> None:
    refusal = diagnose(given.failure(phase_type=phase)).refusal

    assert refusal is not None
    assert refusal.ending is Ending.SKIPPED
    assert (phase or "an unknown phase") in refusal.reason


@pytest.mark.parametrize(
    "message",
    [
        'Head "https://registry-1.docker.io/v2/x/manifests/1": unauthorized: incorrect username or password',
        "pull access denied for python3.6, repository does not exist or may require 'docker login'",
        "manifest for bitnami/node:99 not found: manifest unknown",
        "dial tcp: lookup registry-1.docker.io: no such host",
        "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "write /var/lib/docker/tmp/x: no space left on device",
    ],
)
def test_a_pull_that_failed_for_another_reason_is_skipped(message: str) -> None:
    diagnosis = diagnose(given.failure(context=f"{HUB}{message}"))

    assert diagnosis.cause is None
    assert diagnosis.excerpt == ""
    assert diagnosis.refusal is not None
    assert diagnosis.refusal.ending is Ending.SKIPPED


def test_a_pull_whose_reason_was_cut_off_is_advised() -> None:
    context = f"{HUB}inspect image has been retried 5 time(s): httpReaderSeeker: failed open: unexpected status code"

    refusal = diagnose(given.failure(context=context)).refusal

    assert refusal is not None
    assert refusal.ending is Ending.ADVISED
    assert refusal.advice


@pytest.mark.parametrize("context", ["", ": ", "CLIENT_ERROR: Not authorized to perform DescribeSecurityGroups"])
def test_a_provisioning_failure_that_is_no_pull_is_skipped(context: str) -> None:
    refusal = diagnose(given.failure(context=context)).refusal

    assert refusal is not None
    assert refusal.ending is Ending.SKIPPED


def test_a_message_of_another_registry_about_docker_hubs_image_is_skipped() -> None:
    """A mirror between them: credentials of Docker Hub would go to it."""
    context = f"{HUB}error pulling image: https://mirror.example.com/v2/x: toomanyrequests: You have reached your "
    context += "unauthenticated pull rate limit"

    refusal = diagnose(given.failure(context=context)).refusal

    assert refusal is not None
    assert refusal.ending is Ending.SKIPPED
    assert refusal.cause is Cause.OTHER_REGISTRY
