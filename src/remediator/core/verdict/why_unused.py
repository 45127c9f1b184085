"""Finds out why a build of a repaired project was throttled as anonymous: what kept docker from its credentials."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise

from remediator.core.advice import sign_in as advice
from remediator.core.advice.secret import store_credentials
from remediator.core.buildspec.docker_commands import Action, docker_acts, signs_in_to_docker_hub
from remediator.core.buildspec.login_faults import login_faults
from remediator.core.buildspec.phases import Buildspec
from remediator.core.buildspec.shell_commands import Command, commands_in, program_name
from remediator.core.buildspec.yaml_text import BuildspecError
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot, is_inline
from remediator.core.diagnosis.diagnosis import Diagnosis
from remediator.core.diagnosis.failed_command import FailedCommand
from remediator.core.outcome import Ending, Outcome
from remediator.core.reading import Reading
from remediator.core.repair.change import refers
from remediator.core.repair.command_sign_in import other_client, sign_in_by_hand, variable_unread
from remediator.core.repair.sign_in import SignIn
from remediator.core.repair.signed_in import login_of, readable, shell_of

Found = tuple[str, str]
"""What was found, as a part of a sentence, and what to do about it."""

_ROOT = "root"
"""Who runs a build's commands where its buildspec names nobody.
https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.run-as"""

_LOST = {"secret": "lost its place in the secret's policy", "inline": "lost its inline policy"}

_DOCKER_IMAGE = re.compile(r"(?:docker\.io/)?(?:library/)?docker(?::[\w.-]+)?")
_PULLING = frozenset({"build", "buildx", "compose", "create", "pull", "run", "up"})
_SHARED = ("/.docker", "DOCKER_AUTH_CONFIG", "DOCKER_CONFIG")
"""With one of these a container is given the sign-in of the build around it."""
_SUDO_USER = re.compile(r"sudo (?:-\S+ )*?(?:-u ?|--user[= ])(\S+)")
_OTHER_USERS = frozenset({"su", "runuser"})


def why_unused(reading: Reading, diagnosis: Diagnosis, sign_in: SignIn, secret_fault: str = "") -> Outcome:
    """Outcome for a build whose credentials, or its project's, were not used: given up, and why.

    `diagnosis` is of Docker Hub's limit for the anonymous. `secret_fault` is what Docker Hub refuses of the secret's
    user name and password; empty when nothing is known. Nothing is said of a role that was not read. Only what is sure
    is found; the advice without a finding says where to look.
    """
    found = [*_in_secret(reading.snapshot, sign_in, secret_fault)]
    if diagnosis.phase == "PROVISIONING":
        carrier, pulls = "the build", "it"
        found += _for_image(reading, sign_in)
        otherwise = "check which account the secret names and what that account may pull"
    else:
        carrier, pulls = "the build's commands", "them"
        found += _for_commands(reading, diagnosis, sign_in)
        otherwise = (
            "look in the build's log for what its docker login says, and for a pull by something else than docker"
        )
    head = f"{carrier} carried the credentials already and Docker Hub throttled {pulls} as anonymous all the same"
    if not reading.signed_in:
        head = "the project is repaired already and Docker Hub throttled the build as anonymous all the same"
    reasons = "; ".join(dict.fromkeys(reason for reason, _ in found))
    return Outcome(
        Ending.GAVE_UP,
        f"{head}: {reasons}" if reasons else head,
        cause=diagnosis.cause.value if diagnosis.cause else None,
        advice=tuple(dict.fromkeys(what for _, what in found)) or (otherwise,),
    )


def _in_secret(snapshot: Snapshot, sign_in: SignIn, fault: str) -> Iterator[Found]:
    """The role may not read the secret any more, or Docker Hub does not accept what it holds."""
    role = snapshot.role
    if role is not None and not role.granted:
        lost = _LOST.get(sign_in.grant_by, f"lost the policy {sign_in.policy_arn}")
        reason = f"the service role {role.name} has {lost}, which lets it read the secret"
        yield reason, sign_in.let_role_read(role.arn, "Let the project's builds read the credentials again.")
    if fault:
        yield _part(fault), store_credentials(sign_in.secret_arn, fault, then="start the build again")


def _for_image(reading: Reading, sign_in: SignIn) -> Iterator[Found]:
    """An override, of the image or of its credential; an image that was pulled with the credential explains nothing."""
    ran, now = reading.build.environment, reading.snapshot.environment
    if sign_in.signs_in_image(ran):
        return
    if reading.another_image:
        yield (
            f"the build's image {ran.get('image')} is not the project's, {now.get('image')}",
            "give the start of that build a registryCredentialOverride, or set the image in the project",
        )
    whose = "that the project has now" if sign_in.signs_in_image(now) else "of the repair"
    used = (ran.get("registryCredential") or {}).get("credential")
    another = f", with {used}" if used else ""
    yield (
        f"the build ran without the registry credential {whose}{another}",
        "start the build again, without a registryCredentialOverride or imagePullCredentialsTypeOverride of its own",
    )


def _for_commands(reading: Reading, diagnosis: Diagnosis, sign_in: SignIn) -> Iterator[Found]:
    build, snapshot = reading.build, reading.snapshot
    if not reading.signed_in:
        yield _without_sign_in(build, snapshot, sign_in)
    client = other_client(build, diagnosis.excerpt)
    if client or "testcontainers" in diagnosis.excerpt:
        yield _by_client(client or "testcontainers", sign_in)
    command = FailedCommand.of(diagnosis.phase, build.failure.context)
    runs, spec = commands_in(command.text), readable(reading.ran)
    image = build.environment.get("image")
    if _by_variable(build, sign_in):
        unread = variable_unread(str(image or ""), sign_in)
        if unread:
            yield unread, sign_in_by_hand(build.buildspec, shell_of(snapshot.environment), sign_in, unread)
        for run in runs:
            yield from _variable_lost(run, sign_in)
    else:
        user = next((p.run_as for p in spec.phases if p.name.upper() == command.phase), "") if spec else ""
        for run in runs:
            yield from _login_unseen(run, user or _ROOT)
    for run in runs:
        yield from _inside_container(run, sign_in)
    if spec:
        yield from _faults_of_login(spec, command, snapshot, sign_in)
    if reading.another_image:
        yield (
            f"the commands ran in the image {image} and not in the project's, {snapshot.environment.get('image')}",
            "start the build again without the override of its image",
        )


def _without_sign_in(build: Build, snapshot: Snapshot, sign_in: SignIn) -> Found:
    """Tells which of the project's settings the build did not have; the values of variables are never told."""
    names = (*sign_in.references, sign_in.auth_config_variable)
    ran, now = (
        {str(v.get("name")): v for v in environment.get("environmentVariables") or []}
        for environment in (build.environment, snapshot.environment)
    )
    others = [name for name in names if ran.get(name) != now.get(name)]
    if build.buildspec != snapshot.buildspec:
        others.append("buildspec")
    differ = f", and with its own {' and '.join(others)} in place of the project's" if others else ""
    start = f"start the build without overrides of {', '.join(names)} and the buildspec"
    return (
        f"the build ran without the sign-in of the repair{differ}",
        f"{start}; an action of a pipeline overrides variables with its EnvironmentVariables",
    )


def _by_client(client: str, sign_in: SignIn, which: str = "which does not sign in as docker does") -> Found:
    by_hand = advice.other_client(client, sign_in.username_variable, sign_in.password_variable)
    return f"the pull was made by {client}, {which}", by_hand


def _by_variable(build: Build, sign_in: SignIn) -> bool:
    """Does docker sign in with its own variable alone? A repair sets that only where it inserts no login."""
    ours = {sign_in.auth_config_variable: sign_in.auth_config_reference}
    variables = build.environment.get("environmentVariables") or []
    return not is_inline(build.buildspec) and any(refers(variable, ours) for variable in variables)


def _variable_lost(run: Command, sign_in: SignIn) -> Iterator[Found]:
    """By a program that clears the environment, or one that does not look at it.

    https://www.sudo.ws/docs/man/sudo.man/ (--preserve-env), https://man7.org/linux/man-pages/man1/su.1.html (--login)
    """
    name = sign_in.auth_config_variable
    wrappers, words = set(map(program_name, run.before)), set(run.before)
    if not _pulls(run) or any(word.startswith((f"{name}=", "-E", "--preserve-env")) for word in words):
        return
    if "sudo" in wrappers:
        yield f"sudo takes {name} away from docker", f"keep it: sudo --preserve-env={name} docker …"
    elif "env" in wrappers and {"-i", "-", "--ignore-environment"} & words:
        yield f"env -i takes {name} away from docker", f'keep it: env -i {name}="${name}" docker …'
    elif run.program in _OTHER_USERS and {"-", "-l", "--login"}.intersection(run.words):
        yield f"a login shell of {run.program} takes {name} away from docker", f"run docker without {run.program}"
    elif run.program == "docker-compose":
        yield _by_client("docker-compose", sign_in, f"whose version 1 does not read {name}")


def _login_unseen(run: Command, user: str) -> Iterator[Found]:
    """By another user, whose home has another docker configuration.

    `env -i` hides nothing: without HOME docker looks the user's home up.
    https://github.com/docker/cli/blob/master/cli/config/config.go
    """
    if not _pulls(run):
        return
    other, by = None, ""
    if run.program in _OTHER_USERS and not {"-m", "-p", "--preserve-environment"}.intersection(run.words):
        named = (word for word in run.words[1:] if not word.startswith(("-", "/")) and " " not in word)
        other, by = next(named, _ROOT), run.program
    elif "sudo" in map(program_name, run.before):
        match = _SUDO_USER.search(" ".join(run.before))
        other, by = (match[1] if match else _ROOT), "sudo"
    # Which user a variable names can't be told.
    if other and "$" not in other and other != user:
        yield (
            f"with {by}, docker runs as another user than the one that signed in",
            f"run docker as the user that signs in, {user}, without {by}",
        )


def _inside_container(run: Command, sign_in: SignIn) -> Iterator[Found]:
    """A pull from within a container; the pull of the container's own image is docker's, and signed in."""
    words = run.words[1:]
    is_shared = any(shared in word for shared in _SHARED for word in words)
    if is_shared or run.program != "docker" or not {"run", "exec"}.intersection(words[:2]):
        return
    if any("kaniko-project/" in word for word in words):
        yield _by_client("kaniko", sign_in)
    elif _pulls_within(words):
        yield (
            "docker runs inside a container, which does not see the sign-in of the build around it",
            f'start the container with -v "$HOME/.docker:/root/.docker:ro" -e {sign_in.auth_config_variable}',
        )


def _pulls(run: Command) -> bool:
    return any(act.action is Action.PULL for act in docker_acts(shlex.join(run.words)))


def _pulls_within(words: tuple[str, ...]) -> bool:
    """Do the words after `docker run` or `docker exec` make a docker inside pull, or run a script beside one?"""
    for word, following in pairwise(words):
        is_docker = program_name(word) in {"docker", "docker-compose"} or _DOCKER_IMAGE.fullmatch(word)
        if is_docker and following in _PULLING:
            return True
        # Options are the daemon's, which pulls only what a client asks for; a script behind it does ask.
        if "dind" in word.partition("docker:")[2] and not following.startswith(("-", "dockerd")):
            return True
    return any(act.action is Action.PULL for word in words for act in docker_acts(word))


def _faults_of_login(spec: Buildspec, command: FailedCommand, snapshot: Snapshot, sign_in: SignIn) -> Iterator[Found]:
    try:
        login = login_of(shell_of(snapshot.environment, spec.shell), sign_in)
    except BuildspecError:
        return
    faults = login_faults(spec)
    yield from ((_part(fault), advice.fix_login(fault, login)) for fault in faults)
    late = "" if faults else _late_login(spec, command)
    if late:
        reason = f"its sign-in to Docker Hub comes in {late}, after the command that failed"
        yield reason, advice.move_login_up(login)


def _late_login(spec: Buildspec, command: FailedCommand) -> str:
    """The phase of the first login, where that comes after the failed command or its phase; empty where none does.

    Finds pulls that the buildspec does not show, as those of a script.
    """
    failed = False
    for phase in spec.phases:
        name = phase.name.upper()
        for script in phase.scripts:
            if signs_in_to_docker_hub(script):
                return name if failed else ""
            failed = failed or (name == command.phase and script.strip() == command.text.strip())
        failed = failed or name == command.phase
    return ""


def _part(sentence: str) -> str:
    """A sentence as a part of another; "Docker Hub" keeps its capitals."""
    sentence = sentence.strip().removesuffix(".")
    return sentence[:1].lower() + sentence[1:] if sentence.startswith("It") else sentence
