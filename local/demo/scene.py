"""Draws the demo's names anew for each run, and makes its secrets, roles and projects as a user would."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass, field, replace
from typing import Any

from local.aws.launch import LocalAws
from local.stack import client

Document = dict[str, Any]

STANDARD_IMAGE = "aws/codebuild/standard:7.0"

HUB_IMAGES = (
    "python:3.12",
    "node:22-alpine",
    "golang:1.24",
    "maven:3-eclipse-temurin-21",
    "hashicorp/terraform:1.9",
    "ruby:3.4",
    "rust:1.91-slim",
    "postgres:18",
    "nginx:1.29",
)
PUBLIC_IMAGES = ("docker/library/python:3.12", "amazonlinux/amazonlinux:2023", "docker/library/node:22")
WORDS = ("orders", "billing", "search", "catalog", "ledger", "parcel", "quotes", "basket", "stock", "claims")


@dataclass
class Names:
    """What is drawn for one run; ports are drawn by the operating system."""

    seed: int
    prefix: str
    stack: str
    user: str
    password: str
    secret: str
    hub_image: str
    pulled: list[str]
    public_image: str
    words: list[str]

    @classmethod
    def draw(cls, seed: int) -> Names:
        rng = random.Random(seed)
        tag = f"{rng.randrange(16**6):06x}"
        characters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_"
        return cls(
            seed=seed,
            prefix=f"demo-{tag}",
            stack=f"remediator-{tag}",
            user=f"{rng.choice(WORDS)}{rng.randrange(1000)}",
            password="dckr_pat_" + "".join(rng.choice(characters) for _ in range(27)),
            secret=f"team-{tag}/docker-hub",
            hub_image=(images := rng.sample(HUB_IMAGES, 6))[0],
            pulled=images[1:],
            public_image=f"public.ecr.aws/{rng.choice(PUBLIC_IMAGES)}",
            words=rng.sample(WORDS, 9),
        )


def inline(phases: str) -> Document:
    """A source that is nothing but a buildspec."""
    return {"type": "NO_SOURCE", "buildspec": f"version: 0.2\nphases:\n{phases}"}


@dataclass
class Case:
    """One project and its failing build: what it is called, what is expected of it; `image` is what the build pulls.

    `shown` is what the registry's own log has to show of the retry, where that is more than the outcome can tell.
    """

    name: str
    project: str
    image: str
    expected: str
    role: str
    shown: str = ""
    role_arn: str = ""
    build: str = ""
    reported: Document = field(default_factory=dict)


class Scene:
    """The account before anything goes wrong."""

    def __init__(self, aws: LocalAws, names: Names) -> None:
        self.aws = aws
        self.names = names
        self._iam = client(aws, "iam")
        self._secrets = client(aws, "secretsmanager")

    def make_secret(self, name: str, user: str, password: str, key: str = "") -> str:
        """A secret as the README says: also in the form that the docker CLI takes from DOCKER_AUTH_CONFIG. `key` is a
        customer key's ARN."""
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        auth_config = json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": auth}}})
        text = json.dumps({"username": user, "password": password, "docker_auth_config": auth_config})
        encrypted = {"KmsKeyId": key} if key else {}
        return str(self._secrets.create_secret(Name=name, SecretString=text, **encrypted)["ARN"])

    def make_case(self, name: str, word: str, image: str, expected: str, **environment: Any) -> Case:
        """A project of the demo, and what is expected of it."""
        project = f"{self.names.prefix}-{word}"
        case = Case(name, project, image, expected, role=f"{project}-build")
        case.role_arn = self.make_project(project, image, **environment)
        return case

    def make_docker_case(self, name: str, word: str, image: str, expected: str, source: Document) -> Case:
        """The same for a project whose commands use docker, on an image of CodeBuild's own."""
        case = self.make_case(
            name,
            word,
            STANDARD_IMAGE,
            expected,
            source=source,
            privilegedMode=True,
            imagePullCredentialsType="CODEBUILD",
        )
        return replace(case, image=image)

    def make_pipeline_case(self, name: str, word: str, image: str, expected: str) -> Case:
        """The same for a project that a pipeline of its name builds."""
        source = {"type": "CODEPIPELINE", "buildspec": inline("  build:\n    commands: [echo built]\n")["buildspec"]}
        case = self.make_case(name, word, image, expected, source=source)
        stages = [
            {"name": "Source", "actions": {"Code": None}},
            {"name": "Build", "actions": {"Project": case.project}},
        ]
        self.aws.order("pipeline", name=case.project, stages=stages)
        return case

    def make_project(self, project: str, image: str, source: Document | None = None, **environment: Any) -> str:
        """A project and its role as their owner would have them, with a setting that is newer than any SDK.

        Returns the role's ARN.
        """
        role_arn = self._make_role(f"{project}-build")
        source = source or inline("  build:\n    commands: [echo built]\n")
        piped = source["type"] == "CODEPIPELINE"
        document = {
            "name": project,
            "description": "builds with make",
            "source": source,
            "artifacts": {"type": "CODEPIPELINE" if piped else "NO_ARTIFACTS"},
            "cache": {"type": "NO_CACHE"},
            "environment": {
                "type": "LINUX_CONTAINER",
                "image": image,
                "computeType": "BUILD_GENERAL1_SMALL",
                "privilegedMode": False,
                "imagePullCredentialsType": "SERVICE_ROLE",
                "environmentVariables": [{"name": "STAGE", "value": "test", "type": "PLAINTEXT"}],
                "settingOfNextYear": {"level": 3},
                **environment,
            },
            "serviceRole": role_arn,
            "tags": [{"key": "team", "value": project}],
            "timeoutInMinutes": 20,
            "queuedTimeoutInMinutes": 60,
            "memberOfNextYear": ["kept"],
        }
        self.aws.order("plant-project", project=document)
        return role_arn

    def let_read(self, case: Case, secret_arn: str) -> None:
        """Give a role access to a secret, as the owner of a signed-in project has done."""
        statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret_arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._iam.put_role_policy(RoleName=case.role, PolicyName="own-secret", PolicyDocument=document)

    def project(self, case: Case) -> Document:
        """The project as it is stored, without a request on record."""
        project: Document = self.aws.order("stored-project", name=case.project)["project"]
        return project

    def commit(self, location: str, **files: str) -> None:
        """The files of a repository as builds get them from now on; `_` in a name stands for a dot."""
        self.aws.order("repository", location=location, files={name.replace("_", "."): t for name, t in files.items()})

    def start(self, case: Case, **overrides: Any) -> None:
        """Start the case's build as its owner, or have its pipeline do it."""
        if self.project(case)["source"]["type"] == "CODEPIPELINE":
            self.aws.order("start-pipeline", name=case.project)
            case.build = self._build_of_pipeline(case)
            return
        build = client(self.aws, "codebuild").start_build(projectName=case.project, **overrides)["build"]
        case.build = str(build["arn"])

    def _build_of_pipeline(self, case: Case) -> str:
        state = client(self.aws, "codepipeline").get_pipeline_state(name=case.project)
        action = state["stageStates"][-1]["actionStates"][0]["latestExecution"]
        return f"arn:aws:codebuild:{self.aws.region}:{self.aws.account}:build/{action['externalExecutionId']}"

    def _make_role(self, name: str) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = self._iam.create_role(
            RoleName=name,
            Path="/service-role/",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        statement = {
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": "*",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=document)
        return str(role["Role"]["Arn"])
