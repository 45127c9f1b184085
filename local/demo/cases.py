"""The demo's projects: how each one fails, and what is expected of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from local.aws.launch import LocalAws
from local.demo.scene import Case, Names, Scene, inline

LOCATION = "https://github.com/example/{}.git"
DOCKER_IMAGE = "docker:29"
"""An image of Docker Hub in which there is a docker command."""
REMEDIATED, UNPROVEN = "remediated", "remediated, unproven"


@dataclass(frozen=True)
class Cases:
    """`image` fails while its own image is pulled; `inline` and `repository` in a `docker build` of their own, with the
    buildspec in the project or beside the source; `piped` is built by a pipeline; `both` is throttled twice, its own
    image first and then its `docker build`; `lucky` comes back although its docker never sees the credentials; the
    other three have nothing to do with anonymous pulls."""

    image: Case
    inline: Case
    repository: Case
    piped: Case
    both: Case
    lucky: Case
    public: Case
    account: Case
    unrelated: Case

    @property
    def together(self) -> tuple[Case, ...]:
        return self.inline, self.repository, self.piped, self.both

    @property
    def repaired(self) -> tuple[Case, ...]:
        return self.image, *self.together, self.lucky

    @property
    def left_alone(self) -> tuple[Case, ...]:
        return self.public, self.account, self.unrelated

    @property
    def in_repositories(self) -> tuple[Case, ...]:
        return self.repository, self.lucky

    @property
    def all(self) -> tuple[Case, ...]:
        return *self.repaired, *self.left_alone


def make_cases(aws: LocalAws, scene: Scene, names: Names) -> Cases:
    aws.order("throttle", registry="public.ecr.aws", text="Rate exceeded")
    aws.order("pipeline-lag", refusals=1)
    image = scene.make_case("docker-hub", names.words[0], names.hub_image, REMEDIATED)
    public = scene.make_case("ecr-public", names.words[1], names.public_image, "skipped")
    repository = _in_repository(scene, names, "repository", 4, names.pulled[1])
    # docker takes DOCKER_AUTH_CONFIG silently: that it was used is in the registry's log and nowhere else.
    repository.shown = REMEDIATED
    lucky = _in_repository(scene, names, "lucky", 8, names.pulled[4])
    piped = scene.make_pipeline_case("pipeline", names.words[6], names.pulled[2], REMEDIATED)
    both = _both(scene, names)
    commands = "  build:\n    commands:\n      - echo tests   # of the project's own\n      - exit 3\n"
    unrelated = scene.make_docker_case("unrelated", names.words[5], "", "skipped", inline(commands))
    account = _account_limit(aws, scene, names)
    return Cases(image, _inline(scene, names), repository, piped, both, lucky, public, account, unrelated)


def throttle_repository(scene: Scene, case: Case) -> None:
    """The commit after which a repository's builds pull from Docker Hub; `lucky` without what the build was given."""
    docker = "env -u DOCKER_AUTH_CONFIG docker" if case.name == "lucky" else "docker"
    buildspec = f"version: 0.2\nphases:\n  build:\n    commands:\n      - {docker} build -t {case.project} .\n"
    scene.commit(_location(case.project), buildspec_yml=buildspec, Dockerfile=f"FROM {case.image}\n")


def settle_repository(scene: Scene, case: Case) -> None:
    """A commit whose build passes: what a repository's builds did before."""
    buildspec = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo built\n"
    scene.commit(_location(case.project), buildspec_yml=buildspec)


def _in_repository(scene: Scene, names: Names, name: str, word: int, image: str) -> Case:
    project = f"{names.prefix}-{names.words[word]}"
    source = {"type": "GITHUB", "location": _location(project)}
    return scene.make_docker_case(name, names.words[word], image, UNPROVEN, source)


def _both(scene: Scene, names: Names) -> Case:
    own, pulled = DOCKER_IMAGE, names.pulled[3]
    source = inline(_building(names.words[7], pulled))
    case = scene.make_case("second-phase", names.words[7], own, REMEDIATED, source=source, privilegedMode=True)
    return replace(case, image=pulled)


def _location(project: str) -> str:
    return LOCATION.format(project)


def _building(word: str, image: str) -> str:
    return (
        "  pre_build:\n    commands:\n"
        f"      - printf 'FROM {image}\\n' > Dockerfile   # no file of its own\n"
        f"  build:\n    commands:\n      - docker build -t {word} .\n"
    )


def _inline(scene: Scene, names: Names) -> Case:
    source = inline(_building(names.words[3], names.pulled[0]))
    return scene.make_docker_case("inline", names.words[3], names.pulled[0], REMEDIATED, source)


def _account_limit(aws: LocalAws, scene: Scene, names: Names) -> Case:
    """A project that signs in already, with an account that has no pulls left."""
    poor, password = f"{names.user}-free", names.password + "x"
    aws.order("account", user=poor, password=password, pulls=0)
    own = scene.make_secret(f"{names.secret}-free", poor, password)
    credential = {"credential": own, "credentialProvider": "SECRETS_MANAGER"}
    case = scene.make_case("account-limit", names.words[2], names.hub_image, "advised", registryCredential=credential)
    scene.let_read(case, own)
    return case
