"""Data that unit tests start from: a project of Docker Hub's image, its throttled build, the event, the settings."""

from __future__ import annotations

from typing import Any

import boto3

from remediator.core.case import Case
from remediator.core.case_advice import Done, with_advice
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildArn, BuildFailure
from remediator.core.codebuild.project import Role, Snapshot
from remediator.core.codebuild.start import Start
from remediator.core.decide import make_case, read, with_role
from remediator.core.diagnosis.diagnosis import NOT_INSPECTED, diagnose
from remediator.core.diagnosis.failed_command import Finding
from remediator.core.diagnosis.throttle import find_throttle
from remediator.core.guards.history import NEW, History
from remediator.core.outcome import Ending, Outcome
from remediator.core.reading import Reading
from remediator.core.repair.sign_in import SignIn
from remediator.core.terms import Terms
from remediator.settings import Settings

Document = dict[str, Any]

ACCOUNT, REGION = "123456789012", "eu-west-1"
PROJECT = "orders-api"
UUID = "0f8e7d6c-0000-4000-8000-a1b2c3d4e5f6"
IMAGE = "bitnami/node:22"
ROLE_NAME = "codebuild-orders-service-role"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/{ROLE_NAME}"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:docker-hub-AbCdEf"
OTHER_SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:somebody-elses-GhIjKl"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/docker-hub-pulls"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f8e7d6c-1111-4222-8333-a1b2c3d4e5f6"
REMEDIATOR = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:remediator:live"
EXECUTION = f"{REMEDIATOR[:-5]}:7/durable-execution/{UUID}-1/6b0e"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BUILD_ARN = BuildArn("aws", REGION, ACCOUNT, PROJECT, UUID)
SIGN_IN = SignIn(SECRET, POLICY)
REFERENCES = {"DOCKERHUB_USERNAME": f"{SECRET}:username", "DOCKERHUB_PASSWORD": f"{SECRET}:password"}
CODEBUILD_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

PULL_FAILED = "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
UNABLE = "Unable to pull customer's container image. CannotPullContainerError: "
THROTTLED = (
    f"{UNABLE}Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit. "
    "https://www.docker.com/increase-rate-limit"
)
"""The message of a phase context, without the status code in front."""
ACCOUNT_LIMIT = (
    f"{UNABLE}Error response from daemon: toomanyrequests: You have reached your pull rate limit as 'somebody': "
    "dckr_jti_abc=. You may increase the limit by upgrading. https://www.docker.com/increase-rate-limit"
)

LOCKED_OUT = f"{UNABLE}Error response from daemon: toomanyrequests: too many failed login attempts for username or IP"
ABUSED = f"{UNABLE}Error response from daemon: error parsing HTTP 429 response body: Too Many Requests (HAP429)"


def environment(**members: Any) -> Document:
    """A build environment; a member given as None is left out."""
    return _without_none(
        {
            "type": "LINUX_CONTAINER",
            "image": IMAGE,
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "STAGE", "value": "test", "type": "PLAINTEXT"}],
            "privilegedMode": False,
            "imagePullCredentialsType": "CODEBUILD",
            **members,
        }
    )


def project(*, env: Document | None = None, **members: Any) -> Document:
    """A project as BatchGetProjects tells it; `env` edits its environment, None leaves a member out."""
    return _without_none(
        {
            "name": PROJECT,
            "arn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{PROJECT}",
            "source": {"type": "GITHUB", "location": "https://github.com/example/orders-api.git"},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "cache": {"type": "NO_CACHE"},
            "environment": environment(**(env or {})),
            "serviceRole": ROLE,
            "timeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            "encryptionKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3",
            "tags": [{"key": "team", "value": "orders"}],
            "lastModified": 1_795_000_000.25,
            "projectVisibility": "PRIVATE",
            **members,
        }
    )


def repaired_environment(**members: Any) -> Document:
    """What a repair makes of `environment`."""
    variables = [
        {"name": "STAGE", "value": "test", "type": "PLAINTEXT"},
        *({"name": name, "value": value, "type": "SECRETS_MANAGER"} for name, value in REFERENCES.items()),
    ]
    return environment(
        **{
            "environmentVariables": variables,
            "registryCredential": {"credential": SECRET, "credentialProvider": "SECRETS_MANAGER"},
            "imagePullCredentialsType": "SERVICE_ROLE",
            **members,
        }
    )


def phase(kind: str, status: str | None = "SUCCEEDED", code: str = "", message: str = "") -> Document:
    """A phase as the API tells it."""
    return _without_none(
        {"phaseType": kind, "phaseStatus": status, "contexts": [{"statusCode": code, "message": message}]}
    )


def phases(*, failed: str | None = "PROVISIONING", code: str = PULL_FAILED, message: str = THROTTLED) -> list[Document]:
    """A build's phases in order, up to the one that failed; all of them when none did."""
    order = ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD"]
    until = order.index(failed) if failed else len(order)
    told = [phase(kind) for kind in order[:until]]
    if failed:
        told.append(phase(failed, "FAILED", code, message))
    return [*told, {"phaseType": "COMPLETED"}]


def document(*, env: Document | None = None, **members: Any) -> Document:
    """One of the `builds` of BatchGetBuilds: throttled in PROVISIONING, started by a person."""
    shown = project()
    return _without_none(
        {
            "id": BUILD_ARN.id,
            "arn": str(BUILD_ARN),
            "buildNumber": 3,
            "startTime": 1_795_000_100.5,
            "currentPhase": "COMPLETED",
            "buildStatus": "FAILED",
            "buildComplete": True,
            "projectName": PROJECT,
            "phases": phases(),
            "source": shown["source"],
            "artifacts": {"location": ""},
            "cache": shown["cache"],
            "environment": environment(**(env or {})),
            "serviceRole": ROLE,
            "timeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            "encryptionKey": shown["encryptionKey"],
            "initiator": "maria",
            **members,
        }
    )


def build(*, env: Document | None = None, **members: Any) -> Build:
    return Build(document(env=env, **members))


def role(*, attached: tuple[str, ...] = (), trust: Document | None = None) -> Role:
    return Role(ROLE, trust or CODEBUILD_TRUST, granted=POLICY in attached)


def snapshot(*, env: Document | None = None, attached: tuple[str, ...] = (), **members: Any) -> Snapshot:
    """A project with its role read."""
    return Snapshot(project(env=env, **members), role(attached=attached))


TERMS = Terms(SIGN_IN, "advise", edit_buildspecs=True)
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - docker build -t app .\n"
LIMIT = (
    "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
)
COMMAND_FAILED = "COMMAND_EXECUTION_ERROR"
COMMAND = "Error while executing command: docker build -t app .. Reason: exit status 1"
STANDARD_IMAGE = "aws/codebuild/standard:7.0"


def case(build: Build, snapshot: Snapshot, finding: Finding = NOT_INSPECTED, pushes: bool | None = None) -> Case:
    """What Remediator's diagnosis makes of a build."""
    return decided(build, snapshot, finding, pushes=pushes)


def reading(build: Build, snapshot: Snapshot, sign_in: SignIn = SIGN_IN, start: Start | None = None) -> Reading:
    return read(build, snapshot, sign_in, start)


def decided(
    build: Build,
    snapshot: Snapshot,
    finding: Finding = NOT_INSPECTED,
    terms: Terms = TERMS,
    history: History = NEW,
    pushes: bool | None = None,
) -> Case:
    """What the diagnosis decides by the project, and then by its role where that was read."""
    what = reading(build, snapshot, terms.sign_in)
    case = make_case(what, diagnose(build.failure, finding), terms, history, pushes)
    return with_role(case, snapshot.role, what, terms, history) if snapshot.role else case


def advice(case: Case, sign_in: SignIn = SIGN_IN) -> tuple[str, ...]:
    """All advice of the case: of its refusal, or once its plan was made and the build has passed."""
    outcome = case.refusal or Outcome(Ending.REMEDIATED, "it passed")
    return with_advice(outcome, Done((case,), case.plan), sign_in).advice


def throttled_command(
    *, image: str = STANDARD_IMAGE, buildspec: str = BUILDSPEC, env: Document | None = None, **members: Any
) -> Build:
    """A build whose `docker build` was throttled, as its record tells it."""
    source = {**project()["source"], "buildspec": buildspec}
    failed = phases(failed="BUILD", code=COMMAND_FAILED, message=COMMAND)
    return build(
        env={"image": image, "privilegedMode": True, **(env or {})}, source=source, **{"phases": failed, **members}
    )


def of_commands(
    *, image: str = STANDARD_IMAGE, buildspec: str = BUILDSPEC, env: Document | None = None, **members: Any
) -> Snapshot:
    """The project of such a build, its role read."""
    source = {**project()["source"], "buildspec": buildspec}
    return snapshot(env={"image": image, "privilegedMode": True, **(env or {})}, source=source, **members)


def throttled(text: str = LIMIT) -> Finding:
    """What a log with this line says."""
    return Finding(find_throttle(text))


def failure(
    *, phase_type: str = "PROVISIONING", context: str = f"{PULL_FAILED}: {THROTTLED}", image: str = IMAGE
) -> BuildFailure:
    return BuildFailure(BUILD_ARN, "FAILED", phase_type, context, image)


def event(*, image: str = IMAGE, context: str = f"{PULL_FAILED}: {THROTTLED}", name: str = PROJECT) -> Document:
    """The event of a build that failed in PROVISIONING, with the members that matter and some that don't."""
    return {
        "version": "0",
        "source": "aws.codebuild",
        "detail-type": "CodeBuild Build State Change",
        "account": ACCOUNT,
        "region": REGION,
        "detail": {
            "build-status": "FAILED",
            "project-name": name,
            "build-id": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:build/{name}:{UUID}",
            "current-phase": "COMPLETED",
            "current-phase-context": "[]",
            "additional-information": {
                "environment": {"image": image},
                "phases": [
                    {"phase-context": [], "phase-type": "SUBMITTED", "phase-status": "SUCCEEDED"},
                    {"phase-context": None, "phase-type": "QUEUED", "phase-status": "SUCCEEDED"},
                    {"phase-context": [context], "phase-type": "PROVISIONING", "phase-status": "FAILED"},
                    {"phase-type": "COMPLETED", "start-time": "Nov 20, 2026 9:14:50 AM"},
                ],
            },
        },
    }


def variables(**changes: str) -> dict[str, str]:
    """The functions' environment variables, as template.yaml sets them."""
    return {
        "JOURNAL_TABLE": "journal",
        "SECRET_ARN": SECRET,
        "GRANT_POLICY_ARN": POLICY,
        "REMEDIATOR": REMEDIATOR,
        **changes,
    }


def settings(**changes: str) -> Settings:
    return Settings.from_environment(variables(**changes))


def aws(service: str) -> Any:
    """A boto3 client that depends on nothing of the machine; nothing answers it but what the test attaches."""
    make: Any = boto3.client
    return make(service, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")


def _without_none(members: Document) -> Document:
    return {name: value for name, value in members.items() if value is not None}
