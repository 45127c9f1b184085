"""Which failures are about a secret, and whose: messages in the forms that were published, each with its source."""

from __future__ import annotations

import pytest

from remediator.core.codebuild.failure import BuildFailure
from remediator.core.diagnosis.diagnosis import diagnose
from remediator.core.diagnosis.throttle import EXCERPT_LENGTH, Cause
from remediator.core.diagnosis.unreadable import SecretCause, find_unreadable_secret
from tests.unit import given

DENIED = (
    "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/orders/AWSCodeBuild-0f8e is not authorized"
)
READ = f"{DENIED} to perform: secretsmanager:GetSecretValue on resource"
NO_POLICY = "because no identity-based policy allows the secretsmanager:GetSecretValue action"
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret"


def failure(phase: str, context: str) -> BuildFailure:
    return BuildFailure(given.BUILD_ARN, "FAILED", phase, context, image="aws/codebuild/standard:7.0")


PUBLISHED = [
    # https://github.com/aws/aws-codebuild-docker-images/issues/475
    ("ResourceNotFoundException: Secrets Manager can't find the specified secret.", False),
    # https://github.com/aws/aws-cdk/issues/14043: a customer key of another account
    ("AccessDeniedException: Access to KMS is not allowed", False),
    # https://github.com/aws/aws-cdk/pull/12121: a variable of the project, by ARN; of 2020, without the reason
    (f"{READ}: {ARN}:my-secret-GXyUCE", True),
    # A tutorial on Apache Airflow variables of 2021: by an ARN without the six characters
    (f"{READ}: {ARN}:blog/airflow/variables/codebuild-aws", True),
    # A tutorial on Semgrep in CodeBuild: `semgrep_token:SEMGREP_APP_TOKEN` of a buildspec, by name
    (f"{READ}: semgrep_token {NO_POLICY} status code: 400, request id: 3132ffcd", True),
    # A diary on a build behind CodePipeline of 2024: by name too, on two lines
    (f"{READ}: deok-map-env {NO_POLICY}\nstatus code: 400, request id: 365dce27", True),
]


@pytest.mark.parametrize(("message", "other"), PUBLISHED)
def test_a_message_of_secrets_manager_is_recognised_and_names_another_secret_or_none(message: str, other: bool) -> None:
    failed = failure("DOWNLOAD_SOURCE", f"Secrets Manager Error: {message}")

    assert diagnose(failed).cause is SecretCause.UNREADABLE
    assert diagnose(failed).refusal is None
    assert failed.names_other_secret(given.SECRET) is other


def test_what_codebuild_says_is_kept_with_its_reason_and_without_what_a_variable_named() -> None:
    """A variable of this type may hold the secret itself in place of its name. https://github.com/aws/aws-cdk/issues/8752"""
    failed = failure("DOWNLOAD_SOURCE", f"Secrets Manager Error: {READ}: ghp_Hunter2hunter2 {NO_POLICY}")

    said = find_unreadable_secret(failed)

    assert said == f"Secrets Manager Error: {READ}: … {NO_POLICY}"
    of_ours = failure("DOWNLOAD_SOURCE", f"Secrets Manager Error: {READ}: {given.SECRET} {NO_POLICY}")
    assert find_unreadable_secret(of_ours) == of_ours.context


def test_a_message_of_any_length_is_kept_short() -> None:
    said = find_unreadable_secret(failure("DOWNLOAD_SOURCE", f"Secrets Manager Error: {READ}: {'docker ' * 50_000}"))

    assert said is not None
    assert len(said) == EXCERPT_LENGTH


@pytest.mark.parametrize(
    "resource", [given.SECRET, given.SECRET[:-7], "docker-hub", f"{given.SECRET}:username", f"{given.SECRET}."]
)
def test_the_secret_of_the_stack_is_recognised_in_every_form_of_its_name(resource: str) -> None:
    failed = failure("DOWNLOAD_SOURCE", f"Secrets Manager Error: {READ}: {resource} {NO_POLICY}")

    assert not failed.names_other_secret(given.SECRET)


NOT_OF_THIS_FORM = [
    # https://github.com/YumaInaura/YumaInaura/issues/3354: a parameter of Systems Manager
    (
        "DOWNLOAD_SOURCE",
        f"Decrypted Variables Error: {DENIED} to perform: ssm:GetParameters on resource: x {NO_POLICY}",
    ),
    # https://github.com/awslabs/cdk-eks-blueprints/issues/254: a command asked for the secret, not CodeBuild
    ("BUILD", f"COMMAND_EXECUTION_ERROR: Error while executing command: npx cdk synth. {READ}: argo-admin-secret"),
    # https://github.com/davoclock/aws-cicd-pipeline/issues/6: the secret was read, and what it holds is wrong
    ("PROVISIONING", f"{given.PULL_FAILED}: {given.UNABLE}unauthorized: incorrect username or password"),
    ("DOWNLOAD_SOURCE", "CLIENT_ERROR: git clone failed: Secrets Manager Error"),
    ("", ""),
]


@pytest.mark.parametrize(("phase", "context"), NOT_OF_THIS_FORM)
def test_other_failures_are_not_about_a_secret(phase: str, context: str) -> None:
    assert find_unreadable_secret(failure(phase, context)) is None


def test_a_pull_that_was_throttled_is_a_throttled_pull_whatever_its_image_is_called() -> None:
    context = f"{given.PULL_FAILED}: secretsmanager:GetSecretValue: {given.THROTTLED}"
    failed = BuildFailure(given.BUILD_ARN, "FAILED", "PROVISIONING", context, image="secretsmanager:GetSecretValue")

    assert diagnose(failed).cause is Cause.ANONYMOUS_LIMIT


def test_what_codebuild_said_is_short_and_holds_no_token() -> None:
    said = find_unreadable_secret(failure("DOWNLOAD_SOURCE", f"Secrets Manager Error: dckr_pat_abc {'x' * 9000}"))

    assert said is not None
    assert "dckr_pat_abc" not in said
    assert len(said) <= 600


def test_a_registry_credential_that_cannot_be_read_fails_in_provisioning() -> None:
    context = f"{given.PULL_FAILED}: Unable to pull customer's container image. {READ}: {given.SECRET} {NO_POLICY}"

    assert diagnose(failure("PROVISIONING", context)).cause is SecretCause.UNREADABLE
