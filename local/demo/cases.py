"""The demo's projects: how each one fails, and what is expected of it."""

from __future__ import annotations

from dataclasses import dataclass

from local.aws.launch import LocalAws
from local.demo.scene import Case, Names, Scene, inline

LOCATION = "https://github.com/example/{}.git"


@dataclass(frozen=True)
class Cases:
    """`image` fails while its own image is pulled; `inline` and `repository` in a `docker build` of their own, with the
    buildspec in the project or beside the source; the other three have nothing to do with anonymous pulls."""

    image: Case
    inline: Case
    repository: Case
    public: Case
    account: Case
    unrelated: Case

    @property
    def of_commands(self) -> tuple[Case, ...]:
        return self.inline, self.repository

    @property
    def left_alone(self) -> tuple[Case, ...]:
        return self.public, self.account, self.unrelated

    @property
    def all(self) -> tuple[Case, ...]:
        return self.image, *self.of_commands, *self.left_alone


def make_cases(aws: LocalAws, scene: Scene, names: Names) -> Cases:
    aws.order("throttle", registry="public.ecr.aws", text="Rate exceeded")
    image = scene.make_case("docker-hub", names.words[0], names.hub_image, "remediated")
    public = scene.make_case("ecr-public", names.words[1], names.public_image, "skipped")
    repository = scene.make_docker_case(
        "repository", names.words[4], names.pulled[1], "remediated", {"type": "GITHUB", "location": _location(names)}
    )
    commands = "  build:\n    commands:\n      - echo tests   # of the project's own\n      - exit 3\n"
    unrelated = scene.make_docker_case("unrelated", names.words[5], "", "skipped", inline(commands))
    return Cases(image, _inline(scene, names), repository, public, _account_limit(aws, scene, names), unrelated)


def throttle_repository(scene: Scene, names: Names, case: Case) -> None:
    """The commit after which the repository's builds pull from Docker Hub."""
    buildspec = f"version: 0.2\nphases:\n  build:\n    commands:\n      - docker build -t {case.project} .\n"
    scene.commit(_location(names), buildspec_yml=buildspec, Dockerfile=f"FROM {case.image}\n")


def settle_repository(scene: Scene, names: Names) -> None:
    """A commit whose build passes: what the repository's builds did before."""
    scene.commit(_location(names), buildspec_yml="version: 0.2\nphases:\n  build:\n    commands:\n      - echo built\n")


def _location(names: Names) -> str:
    return LOCATION.format(names.words[4])


def _inline(scene: Scene, names: Names) -> Case:
    phases = (
        "  pre_build:\n    commands:\n"
        f"      - printf 'FROM {names.pulled[0]}\\n' > Dockerfile   # no file of its own\n"
        f"  build:\n    commands:\n      - docker build -t {names.words[3]} .\n"
    )
    return scene.make_docker_case("inline", names.words[3], names.pulled[0], "remediated", inline(phases))


def _account_limit(aws: LocalAws, scene: Scene, names: Names) -> Case:
    """A project that signs in already, with an account that has no pulls left."""
    poor, password = f"{names.user}-free", names.password + "x"
    aws.order("account", user=poor, password=password, pulls=0)
    own = scene.make_secret(f"{names.secret}-free", poor, password)
    credential = {"credential": own, "credentialProvider": "SECRETS_MANAGER"}
    case = scene.make_case("account-limit", names.words[2], names.hub_image, "advised", registryCredential=credential)
    scene.let_read(case, own)
    return case
