"""Reads and checks the functions' environment variables once, so that a wrong one fails at start with its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

from remediator.core.guards.history import Limits
from remediator.core.guards.scope import Scope
from remediator.core.guards.strangers import Untrusted
from remediator.core.names import PASSWORD_VARIABLE, USERNAME_VARIABLE
from remediator.core.outcome import BadInput
from remediator.core.repair.sign_in import SignIn
from remediator.core.terms import Terms
from remediator.core.value import value

_SECRET_ARN = r"arn:aws[a-z-]*:secretsmanager:.+:secret:.+-[A-Za-z0-9]{6}"  # noqa: S105 - a pattern for ARNs
_REGION = r"[a-z]{2}(-[a-z]+)+-\d{1,2}"
# CodeBuild keeps names that begin with CODEBUILD_ for itself.
_VARIABLE = (r"(?!CODEBUILD_)[A-Za-z_][A-Za-z0-9_]*", "a variable's name (letters, digits, _) that is not CODEBUILD_…")
# Credentials are sent there, so nothing but Docker Hub and this machine itself is allowed.
_ENDPOINT = (
    r"(http://(127\.0\.0\.1|localhost):\d{1,5})?",
    "empty (Docker Hub) or http://127.0.0.1:PORT or http://localhost:PORT",
)
_REGIONS = (rf"({_REGION}(,{_REGION})*)?", "empty or names of regions, separated by commas without spaces")
T = TypeVar("T", bound=str)


@value
class Settings:
    """What the stack's parameters say; README's table explains each of them."""

    journal_table: str
    sign_in: SignIn
    mode: Literal["auto", "plan"]
    retry_build: bool
    retry_superseded: bool
    project_name_pattern: str
    settle_seconds: int
    limits: Limits
    untrusted_projects: Untrusted
    allow_limited_account: bool
    trust_earlier_proof: bool
    scope: Scope
    notices_topic: str
    docker_hub_endpoint: str
    journal_days: int
    inspect_build_logs: bool
    edit_buildspecs: bool
    remediator: str = ""
    role_regions: tuple[str, ...] = ()
    refuse_writable: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the variables that template.yaml sets; BadInput names the first wrong one."""
        read = _Reader(environment)
        sign_in = SignIn(
            secret_arn=read.matching("SECRET_ARN", _SECRET_ARN, "the complete ARN of a secret"),
            policy_arn=read.matching("GRANT_POLICY_ARN", r"arn:aws[a-z-]*:iam::.+:policy/.+", "the ARN of a policy"),
            grant_by=read.one_of("POLICY_MODE", ("managed", "secret", "inline", "none")),
            key_arn=read.matching(
                "SECRET_KMS_KEY_ARN", r"(arn:aws[a-z-]*:kms:.+:key/.+)?", "empty or the ARN of a key"
            ),
            username_variable=read.matching("USERNAME_VARIABLE", *_VARIABLE, USERNAME_VARIABLE),
            password_variable=read.matching("PASSWORD_VARIABLE", *_VARIABLE, PASSWORD_VARIABLE),
            variables=read.one_of("ENVIRONMENT_VARIABLES", ("always", "when-needed")),
        )
        if sign_in.username_variable == sign_in.password_variable:
            raise BadInput("PASSWORD_VARIABLE", sign_in.password_variable, "it must differ from USERNAME_VARIABLE")
        return cls(
            journal_table=read.matching("JOURNAL_TABLE", r"[A-Za-z0-9_.-]{3,255}", "the name of a table"),
            sign_in=sign_in,
            mode=read.one_of("MODE", ("auto", "plan")),
            retry_build=read.switch("RETRY_BUILD"),
            retry_superseded=read.switch("RETRY_SUPERSEDED", on=False),
            inspect_build_logs=read.switch("INSPECT_BUILD_LOGS"),
            edit_buildspecs=read.switch("EDIT_BUILDSPECS"),
            project_name_pattern=read.matching(
                "PROJECT_NAME_PATTERN", r"[A-Za-z0-9_*?-]+", "a project name, in which * and ? may stand", "*"
            ),
            settle_seconds=read.number("SETTLE_SECONDS", 0, 900, "60"),
            limits=Limits(
                attempts=read.number("MAX_ATTEMPTS", 1, 5, "3"), minutes=read.number("COOLDOWN_MINUTES", 5, 1440, "60")
            ),
            untrusted_projects=read.one_of("UNTRUSTED_PROJECTS", ("advise", "repair")),
            allow_limited_account=read.switch("ALLOW_LIMITED_ACCOUNT", on=False),
            trust_earlier_proof=read.one_of("DOCKER_HUB_UNREACHABLE", ("accepted-before", "wait")) == "accepted-before",
            scope=Scope(
                tagged_only=read.switch("TAGGED_PROJECTS_ONLY", on=False),
                stack=environment.get("STACK_NAME", ""),
                own_role=environment.get("OWN_ROLE", ""),
            ),
            notices_topic=environment.get("NOTICES_TOPIC", ""),
            docker_hub_endpoint=read.matching("DOCKER_HUB_ENDPOINT", *_ENDPOINT),
            journal_days=read.number("JOURNAL_DAYS", 1, 3650, "365"),
            remediator=environment.get("REMEDIATOR", ""),
            role_regions=tuple(filter(None, read.matching("ROLE_REGIONS", *_REGIONS).split(","))),
            refuse_writable=read.one_of("WRITABLE_TOKEN", ("warn", "refuse")) == "refuse",
        )

    @property
    def terms(self) -> Terms:
        return Terms(self.sign_in, self.untrusted_projects, self.edit_buildspecs, self.scope)

    @property
    def remediator_name(self) -> str:
        """The function's name, which is also the session name under which its role acts."""
        return self.remediator.partition(":function:")[2].partition(":")[0]

    @property
    def place(self) -> tuple[str, str]:
        """The region and the account of the stack, and of all that it may change."""
        region, account = self.remediator.split(":")[3:5]
        return region, account

    @property
    def region(self) -> str:
        """The secret's, which is the stack's: a secret of another one is refused."""
        return self.sign_in.secret_arn.split(":")[3]

    @property
    def other_regions(self) -> tuple[str, ...]:
        """Where else than here projects with a service role are looked for."""
        return tuple(region for region in dict.fromkeys(self.role_regions) if region != self.region)

    def covers(self, project: str) -> bool:
        """Is this project in scope? The same `*` and `?` as in the ARN patterns of the functions' roles."""
        return fnmatchcase(project, self.project_name_pattern)


@value
class _Reader:
    environment: Mapping[str, str]

    def matching(self, name: str, pattern: str, meaning: str, default: str = "") -> str:
        value = self.environment.get(name) or default
        if not re.fullmatch(pattern, value):
            raise BadInput(name, value, f"it must be {meaning}")
        return value

    def one_of(self, name: str, allowed: tuple[T, ...]) -> T:
        """The first allowed value is the default; the answer has their type."""
        value = self.environment.get(name) or allowed[0]
        if value not in allowed:
            raise BadInput(name, value, f"it must be one of {', '.join(allowed)}")
        return allowed[allowed.index(value)]

    def switch(self, name: str, *, on: bool = True) -> bool:
        """`on` is the default."""
        return self.one_of(name, ("true", "false") if on else ("false", "true")) == "true"

    def number(self, name: str, least: int, most: int, default: str) -> int:
        value = self.environment.get(name) or default
        if not value.isdecimal() or not least <= int(value) <= most:
            raise BadInput(name, value, f"it must be a whole number from {least} to {most}")
        return int(value)
