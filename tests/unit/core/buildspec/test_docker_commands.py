from __future__ import annotations

import pytest

from remediator.core.buildspec.docker_commands import Action, DockerAct, docker_acts, signs_in_to_docker_hub
from remediator.core.buildspec.login_line import login_command

KEY = "https://index.docker.io/v1/"
TOKEN = f'{{"auths": {{"{KEY}": {{"identitytoken": "$T"}}}}}}'
AUTH = f'{{"auths": {{"{KEY}": {{"auth": "$A"}}}}}}'


def acts(script: str) -> list[tuple[str, str | None]]:
    return [(act.action.value, act.registry) for act in docker_acts(script)]


@pytest.mark.parametrize(
    "script",
    [
        "docker login",
        "docker login -u $U -p $P",
        'echo "$P" | docker login --username "$U" --password-stdin',
        "docker login --username=$U --password=$P docker.io",
        'docker login "docker.io" -u $U -p $P',
        f"docker login -u u --password-stdin {KEY}",
        "docker login -u $(aws secretsmanager get-secret-value | jq -r .u) -p $(cat p)",
        "sudo /usr/bin/docker --host unix:///x -D login -u u",
        "cat p | xargs docker login -u u -p",
        "docker.exe login",
        "docker \\\n  login \\\n  -u u",
        "bash -c 'docker login'",
        'test -n "$P" && (docker login || true)',
        "until docker login; do sleep 1; done",
        f'echo \'{{"auths": {{"{KEY}": {{"auth": "x"}}}}}}\' > ~/.docker/config.json',
        f"cat <<EOF > $HOME/.docker/config.json\n{AUTH}\nEOF",
        f"cat <<EOF > config.json\n{AUTH}\nEOF",
        f"printf '{AUTH}' | sudo tee /root/.docker/config.json",
        f"tee ~/.docker/config.json <<< '{AUTH}'",
        f"echo '{TOKEN}' > $DOCKER_CONFIG/config.json",
        login_command("posix", "A", "B"),
        login_command("powershell", "A", "B"),
    ],
)
def test_a_login_to_docker_hub_is_found(script: str) -> None:
    assert ("login", "docker.io") in acts(script)
    assert signs_in_to_docker_hub(script)


@pytest.mark.parametrize(
    "script",
    [
        "",
        "# docker login",
        'echo "run docker login first"',
        "echo docker login",
        "printf 'docker login'",
        "docker logout",
        "docker",
        "docker info",
        "./login-docker.sh",
        "grep login docker",
        "trap 'docker login' EXIT",
        "cat <<EOF\ndocker login\nEOF",
        f"grep auth {KEY} config.json",
        f"echo '{AUTH}' > notes.txt",
        f"echo '{AUTH}' | tee notes.txt",
        f"echo '{AUTH}' > /kaniko/.docker/config.json",
        f"cat > tests/fixtures/config.json <<EOF\n{AUTH}\nEOF",
        f'echo \'{{"auths": {{"{KEY}": {{}}}}}}\' > ~/.docker/config.json',
        f'echo \'{{"auths": {{"{KEY}": {{"auth": ""}}}}}}\' > config.json',
        f"echo 'auth {KEY}' > config.json",
        f"jq 'del(.auths[\"{KEY}\"])' a > ~/.docker/config.json",
        f"jq '{AUTH}' a | tee ~/.docker/config.json",
        f"curl -d '{AUTH}' {KEY}auth > config.json",
        "docker login docker.io/",
        "docker login docker.io//",
        "docker login docker.io/acme",
        "docker login --help",
        "docker login -h",
        "docker image login",
        "docker container login",
        "docker builder login",
        "cat hosts | xargs docker login",
        "cat hosts | xargs -n 1 sudo docker login -u u -p p",
        "docker --config /tmp/x login",
        "docker --config=/tmp/x -D login",
        "DOCKER_CONFIG=/tmp/x docker login",
        "env DOCKER_CONFIG=/tmp/x docker login",
        "command=(docker login -u u)",
        "[[ $a =~ (docker login) ]]",
        "docker login $REGISTRY",
        "docker login ghcr.io",
        "podman login docker.io",
    ],
)
def test_what_is_no_login_to_docker_hub_is_not_taken_for_one(script: str) -> None:
    assert not signs_in_to_docker_hub(script)


@pytest.mark.parametrize(
    ("host", "registry"),
    [
        ("registry-1.docker.io", "registry-1.docker.io"),
        ("https://registry-1.docker.io/", "registry-1.docker.io"),
        ("index.docker.io", "index.docker.io"),
        ("https://index.docker.io", "index.docker.io"),
        ("https://index.docker.io/v2/", "index.docker.io"),
        ("https://registry.hub.docker.com/", "registry.hub.docker.com"),
        ("https://docker.io/", "https://docker.io"),
        ("ghcr.io/acme", "ghcr.io"),
        ("harbor.acme.example:30003", "harbor.acme.example:30003"),
        ("public.ecr.aws/x", "public.ecr.aws"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr"),
        ("$A.dkr.ecr.$R.amazonaws.com", "ecr"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "ecr"),
        ("$HOST", "variable"),
        ('"${HOST}/x"', "variable"),
        ("%HOST%", "variable"),
    ],
)
def test_the_name_of_a_login_is_what_the_docker_cli_keeps(host: str, registry: str) -> None:
    assert acts(f"docker login -u u --password-stdin {host}") == [("login", registry)]
    assert acts(f"docker logout {host}") == [("logout", registry)]


def test_a_login_to_hosts_from_the_input_or_into_another_folder_is_one_to_a_registry_that_can_not_be_told() -> None:
    assert acts("cat hosts | xargs docker login") == [("login", "variable")]
    assert acts("docker --config x login") == [("login", "variable")]
    assert acts("DOCKER_CONFIG=x docker login ghcr.io; DOCKER_CONFIG=x docker pull ghcr.io/a") == [
        ("login", "variable"),
        ("pull", "ghcr.io"),
    ]
    assert acts("docker --config x logout") == [("logout", "variable")]


def test_the_user_aws_is_a_login_to_ecr_when_the_host_is_a_variable() -> None:
    assert acts("docker login --username AWS --password-stdin $HOST") == [("login", "ecr")]
    assert acts("docker login --username=AWS --password-stdin $HOST") == [("login", "ecr")]
    assert acts("docker login --username AWS --password-stdin registry.example") == [("login", "registry.example")]


def test_what_aws_ecr_get_login_prints_is_run() -> None:
    assert acts("$(aws ecr get-login --no-include-email)") == [("login", "ecr")]
    assert acts("aws ecr get-login | bash") == [("login", "ecr")]
    assert acts("aws ecr get-login-password") == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("docker pull redis:7", [("pull", "docker.io")]),
        ("docker pull --platform linux/arm64 ghcr.io/a/b", [("pull", "ghcr.io")]),
        ("docker pull $IMAGE", [("pull", "variable")]),
        ("docker pull $ACCOUNT.dkr.ecr.$REGION.amazonaws.com/a:1", [("pull", "ecr")]),
        ("docker pull ghcr.io/acme/app:$TAG", [("pull", "ghcr.io")]),
        ("docker pull", []),
        ("docker push acme/app", [("push", "docker.io")]),
        ("docker image push acme/app", [("push", "docker.io")]),
        ("docker build -t x .", [("pull", None)]),
        ("docker buildx build --push .", [("pull", None)]),
        ("docker buildx ls", []),
        ("docker run --rm -it -v a:b --name=x alpine:3.20 true", [("pull", "docker.io")]),
        ("docker container run public.ecr.aws/x/y", [("pull", "public.ecr.aws")]),
        ("docker run --rm", []),
        ("docker compose -f a.yml --profile ci up -d", [("pull", None)]),
        ("docker-compose -f a.yml pull", [("pull", None)]),
        ("docker compose push", [("push", None)]),
        ("docker compose down", []),
        ("docker image build .; docker builder build .; docker image run a", [("pull", None), ("pull", None)]),
        ("docker images; docker tag a b; docker ps", []),
    ],
)
def test_pulls_and_pushes_name_their_registry_when_the_command_does(
    script: str, expected: list[tuple[str, str | None]]
) -> None:
    assert acts(script) == expected


@pytest.mark.parametrize(
    "script",
    [
        "rm -rf ~/.docker",
        "rm -rf $HOME/.docker/",
        "sudo rm -f /root/.docker/config.json",
        "rm ${HOME}/.docker/config.json",
        "rm -rf /home/ci/.docker/*",
        "echo '{}' > ~/.docker/config.json",
        'echo \'{"credsStore": "ecr-login"}\' > ~/.docker/config.json',
    ],
)
def test_throwing_the_configuration_away_is_seen(script: str) -> None:
    assert docker_acts(script) == (DockerAct(Action.FORGET),)


@pytest.mark.parametrize(
    "script", ["rm -rf .docker", "rm -rf ~/.dockerx", "rm config.json", "ls ~/.docker", "rm -rf ~"]
)
def test_other_files_may_go(script: str) -> None:
    assert docker_acts(script) == ()


def test_a_configuration_from_a_variable_may_sign_in_anywhere() -> None:
    assert acts('echo "$DOCKER_CONFIG_JSON" > ~/.docker/config.json') == [("login", "variable")]


def test_a_logout_at_the_end_of_the_shell_is_none_now() -> None:
    assert acts("trap 'docker logout' EXIT; docker login") == [("login", "docker.io")]


def test_acts_come_in_the_order_in_which_they_run() -> None:
    script = 'docker pull a; docker login || docker logout; echo "$(docker push b)"'
    assert [deed for deed, _ in acts(script)] == ["pull", "login", "logout", "push"]
