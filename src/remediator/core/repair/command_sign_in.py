"""Decides how the commands of a project's builds can sign in to Docker Hub, or what a person has to do instead."""

from __future__ import annotations

import re

from remediator.core.advice import sign_in as advice
from remediator.core.buildspec.edit import find_login_place
from remediator.core.buildspec.login_faults import login_faults
from remediator.core.buildspec.phases import BuildspecText, Shell
from remediator.core.buildspec.shell_commands import commands_in
from remediator.core.buildspec.yaml_text import BuildspecError, TooLong
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot, in_repository, is_inline
from remediator.core.diagnosis.failed_command import FailedCommand
from remediator.core.outcome import Outcome, advised
from remediator.core.reading import Reading
from remediator.core.repair.change import AddDockerLogin
from remediator.core.repair.plan import own_variables
from remediator.core.repair.sign_in import SignIn
from remediator.core.repair.signed_in import login_of, readable, shell_of, signs_in
from remediator.core.value import value

_OTHER_CLIENTS = ("podman", "buildah", "skopeo", "crane", "jib")

# The docker CLI reads it since 28.3 (https://github.com/docker/cli/pull/6008); the maintained images carry 28.5
# (https://github.com/aws/aws-codebuild-docker-images), except those of Lambda compute, which have no docker.
_AUTH_CONFIG_READERS = frozenset(
    {
        "aws/codebuild/standard:7.0",
        "aws/codebuild/standard:8.0",
        "aws/codebuild/amazonlinux-x86_64-standard:5.0",
        "aws/codebuild/amazonlinux-x86_64-standard:6.0",
        "aws/codebuild/amazonlinux-aarch64-standard:3.0",
        "aws/codebuild/amazonlinux-aarch64-standard:4.0",
    }
)


@value
class Observed:
    """What the logs tell. `excerpt` is the evidence. `signs_in_or_pushes`: did the failed build, or one that passed,
    sign in to a registry or push to Docker Hub? None where a log could not tell."""

    excerpt: str = ""
    signs_in_or_pushes: bool | None = None


@value
class CommandSignIn:
    """How the commands can sign in: by a login in the inline buildspec, or by the docker CLI's own variable; neither
    where the project was repaired since. `faults`: why the buildspec's own login does not serve its pulls."""

    login: AddDockerLogin | None = None
    auth_config: bool = False
    faults: tuple[str, ...] = ()


@value
class ByHand:
    """No way from here: what a person has to do instead. `reads_secret`: do the builds read the secret then?"""

    outcome: Outcome
    reads_secret: bool = False


def way_to_sign_in(reading: Reading, sign_in: SignIn, observed: Observed, edit: bool) -> CommandSignIn | ByHand:
    """The way for this project, after a command of its build was throttled.
    `edit`: may an inline buildspec be edited?"""
    snapshot, buildspec = reading.snapshot, reading.buildspec
    elsewhere = _without_docker(reading.build, snapshot, sign_in, observed)
    if elsewhere:
        return elsewhere
    if signs_in(snapshot.environment, buildspec, sign_in):
        return CommandSignIn()
    own = own_variables(snapshot, sign_in.references, buildspec)
    if own:
        reason = f"the environment variable {' and '.join(own)} is the project's own, or its buildspec's"
        other_names = "deploy with other names in UsernameVariable and PasswordVariable, or remove the project's own"
        return _refusal(reason, other_names)
    if is_inline(buildspec.text):
        return _inline(snapshot, buildspec, sign_in, edit)
    if not in_repository(buildspec.text):
        login = login_of(shell_of(snapshot.environment), sign_in)
        edit_object = advice.edit_buildspec_in_s3(buildspec.text, login, sign_in.references)
        return _refusal("its buildspec is an object in S3", edit_object, reads_secret=True)
    return _in_repository(snapshot, sign_in, observed)


def _without_docker(build: Build, snapshot: Snapshot, sign_in: SignIn, observed: Observed) -> ByHand | None:
    """For builds that a login of the docker CLI can't help."""
    if str(snapshot.environment.get("type", "")).endswith("_LAMBDA_CONTAINER"):
        return _refusal("Lambda compute has no docker daemon", advice.use_another_compute())
    client = other_client(build, observed.excerpt)
    if client is None:
        return None
    how = advice.other_client(client, sign_in.username_variable, sign_in.password_variable)
    return _refusal(f"{client} pulls by itself and knows no login of docker", how, reads_secret=True)


def runner_signs_in(snapshot: Snapshot) -> Outcome:
    """What a person does for a project whose builds run the jobs of others; nothing of the project serves these."""
    how = {"gitlab": advice.sign_in_in_gitlab, "buildkite": advice.sign_in_in_buildkite}
    paste = how.get(snapshot.runner, advice.sign_in_in_workflow)()
    return _refusal("the project runs the jobs of a workflow and ignores its buildspec", paste).outcome


def other_client(build: Build, excerpt: str) -> str | None:
    """The client that pulled, where the failed command or the evidence tells of another than docker."""
    if "com.google.cloud.tools" in excerpt:
        return "jib"
    for run in commands_in(FailedCommand.of(build.failure.phase, build.failure.context).text):
        if run.program in _OTHER_CLIENTS:
            return run.program
        if run.words and "kaniko" in run.words[0]:
            return "kaniko"
        if any(re.fullmatch(r"(?::?jib|jib:\w+|jib\w*Build\w*)", word) for word in run.words[1:]):
            return "jib"
    return None


def _inline(snapshot: Snapshot, buildspec: BuildspecText, sign_in: SignIn, edit: bool) -> CommandSignIn | ByHand:
    try:
        shell = shell_of(snapshot.environment, buildspec.says.shell)
        added = find_login_place(buildspec, shell=shell, **sign_in.variable_names)
        faults = login_faults(buildspec.says)
    except BuildspecError as error:
        return _uneditable(snapshot, buildspec, sign_in, error)
    login = login_of(shell, sign_in)
    if added is None:
        if login in {command for phase in buildspec.says.phases for command in phase.commands}:
            return CommandSignIn()  # repaired once, and its variables were taken away since
        if faults:
            return _faulty("", faults, login)
        reason = "its buildspec signs in to Docker Hub, and the pull was anonymous all the same"
        return _refusal(reason, "look at what that login does in the build's log")
    in_vain = login_faults(added.after.says)
    if in_vain:
        return _faulty("a login before its commands would not serve its pulls: ", in_vain, login)
    if not edit:
        where = f"the inline buildspec of the project {snapshot.name}"
        paste = advice.edit_buildspec(where, login, "EditBuildspecs is off", sign_in.references)
        return _refusal("EditBuildspecs is off", paste, reads_secret=True)
    return CommandSignIn(login=AddDockerLogin.into(buildspec.text, added.insertion, login), faults=faults)


def _uneditable(snapshot: Snapshot, buildspec: BuildspecText, sign_in: SignIn, why: BuildspecError) -> ByHand:
    """With the lines to paste, where a login is known for its shell."""
    reason, says = f"its inline buildspec can't be edited: {why}", readable(buildspec)
    try:
        login = login_of(shell_of(snapshot.environment, says.shell if says else ""), sign_in)
    except BuildspecError:
        return _refusal(reason, reads_secret=True)
    where = f"the inline buildspec of the project {snapshot.name}"
    if isinstance(why, TooLong):
        where = f"a file in the source of the project {snapshot.name}, to which its inline buildspec has to move first"
    return _refusal(reason, advice.edit_buildspec(where, login, str(why), sign_in.references), reads_secret=True)


def _in_repository(snapshot: Snapshot, sign_in: SignIn, observed: Observed) -> CommandSignIn | ByHand:
    """By `DOCKER_AUTH_CONFIG`, where the docker CLI reads it and it breaks nothing.

    It goes before a login, so a read-only token in it breaks a push. https://github.com/docker/cli/pull/6008
    """
    reason = _against_auth_config(snapshot, sign_in, observed)
    if not reason:
        return CommandSignIn(auth_config=True)
    by_hand = sign_in_by_hand(snapshot.buildspec, shell_of(snapshot.environment), sign_in, reason)
    reason = f"its buildspec is in the repository, and {reason}"
    return _refusal(reason, by_hand, reads_secret=True)


def sign_in_by_hand(path: str, shell: Shell, sign_in: SignIn, reason: str) -> str:
    """Advice for a buildspec in the repository: the `path` is empty for buildspec.yml."""
    return advice.edit_buildspec_in_repository(path, login_of(shell, sign_in), reason, sign_in.references)


def _against_auth_config(snapshot: Snapshot, sign_in: SignIn, observed: Observed) -> str:
    if own_variables(snapshot, {sign_in.auth_config_variable: sign_in.auth_config_reference}):
        return f"the project has a {sign_in.auth_config_variable} of its own"
    unread = variable_unread(str(snapshot.environment.get("image", "")), sign_in)
    if unread:
        return unread
    if observed.signs_in_or_pushes is None:
        return "the log of a build that passed could not be read, so it may sign in or push by itself"
    if observed.signs_in_or_pushes:
        return (
            f"its builds sign in to a registry or push to Docker Hub, over which {sign_in.auth_config_variable} "
            "would take precedence"
        )
    return ""


def _refusal(reason: str, *what_to_do: str, reads_secret: bool = False) -> ByHand:
    outcome = advised(f"the project's commands can't be signed in from here: {reason}", *what_to_do)
    return ByHand(outcome, reads_secret)


def _faulty(head: str, faults: tuple[str, ...], login: str) -> ByHand:
    return _refusal(head + "; ".join(faults), *(advice.fix_login(fault, login) for fault in faults))


def variable_unread(image: str, sign_in: SignIn) -> str:
    """Why docker in this image may not sign in with DOCKER_AUTH_CONFIG; empty where it does."""
    if reads_docker_auth_config(image):
        return ""
    return f"the docker CLI of its image {image} is not known to read {sign_in.auth_config_variable}"


def reads_docker_auth_config(image: str) -> bool:
    """Does docker in a build with this image sign in with the variable DOCKER_AUTH_CONFIG alone?

    False for every image that could carry an older docker CLI: custom ones, and curated ones that are pinned to a
    release (`standard:7.0-25.10.02`) or a digest.
    """
    return image in _AUTH_CONFIG_READERS
