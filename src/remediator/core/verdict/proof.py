"""Tells what shows that a build which passed used its credentials: another address may just have been luckier."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core.buildspec.login_faults import login_faults
from remediator.core.buildspec.phases import BuildspecText
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.log import LogLine
from remediator.core.diagnosis.failed_command import MARKS, RUNNING, agents_line
from remediator.core.repair.sign_in import SignIn, takes_registry_credential
from remediator.core.repair.signed_in import login_lines, signed_in, signs_in

_ACCEPTED = "Login Succeeded"

LOGIN_MARKS = (_ACCEPTED, *MARKS)
"""The words to search a log for before `shows_login` is asked."""


def proof(build: Build, phase: str, sign_in: SignIn, login_shown: bool) -> str:
    """What shows that this build, which passed, used the credentials, as a sentence; empty when nothing does.

    `phase` is the one whose pull was throttled first, `login_shown` what `shows_login` says of the build's log.

    The image: CodeBuild pulls it with its registry credential or fails ("unauthorized: incorrect username or password",
    https://github.com/davoclock/aws-cicd-pipeline/issues/6); it does not fall back to an anonymous pull.
    https://docs.aws.amazon.com/codebuild/latest/userguide/sample-private-registry.html
    Commands: docker pulls with the login that it accepted. DOCKER_AUTH_CONFIG leaves no trace in the log.
    """
    if phase == "PROVISIONING":
        carried = signed_in(build, phase, sign_in) and takes_registry_credential(build.environment)
        if not carried or not build.past_pull:
            return ""
        return f"its image was pulled with the registry credential {sign_in.secret_arn}, which its own record carries"
    if not login_shown or not _carries_login(build, sign_in):
        return ""
    return "its log shows that docker accepted the login of the repair before its pulls"


def secret_read(build: Build, sign_in: SignIn) -> str:
    """The same for a build of a project whose role had lost the grant: a build that can't read a secret which its
    environment names does not get past DOWNLOAD_SOURCE."""
    named = sign_in.named_in(build.environment) if build.failure.phase != "DOWNLOAD_SOURCE" else ()
    return f"its role could read the secret, which {', '.join(named)} of its environment refers to" if named else ""


def shows_login(lines: Sequence[LogLine], sign_in: SignIn) -> bool:
    """Does the log show that the login line of a repair ran, and that docker accepted it?

    `lines` are those that a search for LOGIN_MARKS finds, the oldest first; a login counts only with its announcement
    among them. The agent announces each command, whose output ends at the agent's next line; a login of another
    command, as ECR's, does not count.
    """
    logins, ours = login_lines(sign_in), False
    for line in lines:
        agents = agents_line(line.text)
        if agents:
            ours = agents.startswith(RUNNING) and agents.removeprefix(RUNNING).strip() in logins
        elif ours and _ACCEPTED in line.text:
            return True
    return False


def _carries_login(build: Build, sign_in: SignIn) -> bool:
    """Is the login of a repair in its inline buildspec, with its variables, and does it serve the pulls there?"""
    variables = build.environment.get("environmentVariables") or []
    rest = [variable for variable in variables if variable.get("name") != sign_in.auth_config_variable]
    ran = BuildspecText(build.buildspec)
    return signs_in({"environmentVariables": rest}, ran, sign_in) and not login_faults(ran.says)
