"""Draws the demo's names anew for each run, and makes its secrets, roles and projects as a user would."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from local.aws.launch import LocalAws
from local.stack import client

Document = dict[str, Any]

HUB_IMAGES = ("python:3.12", "node:22-alpine", "golang:1.24", "maven:3-eclipse-temurin-21", "hashicorp/terraform:1.9")
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
            hub_image=rng.choice(HUB_IMAGES),
            public_image=f"public.ecr.aws/{rng.choice(PUBLIC_IMAGES)}",
            words=rng.sample(WORDS, 3),
        )


@dataclass
class Case:
    """One project and its failing build: what it is called, what is expected of it."""

    name: str
    project: str
    image: str
    expected: str
    role: str
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

    def make_secret(self, name: str, user: str, password: str) -> str:
        text = json.dumps({"username": user, "password": password})
        return str(self._secrets.create_secret(Name=name, SecretString=text)["ARN"])

    def make_case(self, name: str, word: str, image: str, expected: str, **environment: Any) -> Case:
        """A project of the demo, and what is expected of it."""
        project = f"{self.names.prefix}-{word}"
        case = Case(name, project, image, expected, role=f"{project}-build")
        case.role_arn = self.make_project(project, image, **environment)
        return case

    def make_project(self, project: str, image: str, **environment: Any) -> str:
        """A project and its role as their owner would have them, with a setting that is newer than any SDK.

        Returns the role's ARN.
        """
        role_arn = self._make_role(f"{project}-build")
        document = {
            "name": project,
            "description": "builds with make",
            "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases:\n  build:\n    commands: [make]\n"},
            "artifacts": {"type": "NO_ARTIFACTS"},
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

    def start(self, case: Case) -> None:
        build = client(self.aws, "codebuild").start_build(projectName=case.project)["build"]
        case.build = str(build["arn"])

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
