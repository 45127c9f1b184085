"""The throttled registry answers as Docker Hub does, over HTTP, and counts pulls as it does."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from local.docker import hub
from local.registry import Registry, pull
from local.simulator import Credentials

ACME = Credentials("acme", "s3cret")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        registry.add_account("acme", "s3cret")
        yield registry


def ask(
    registry: Registry, path: str, method: str = "GET", authorization: str | None = None
) -> tuple[int, dict[str, str], Any]:
    headers = {"Authorization": authorization} if authorization else {}
    try:
        response = urlopen(Request(registry.url + path, method=method, headers=headers), timeout=5)
    except HTTPError as error:
        response = error
    with response:
        body = response.read()
        names = {name.lower(): value for name, value in response.headers.items()}
        return response.status, names, json.loads(body) if body else None


def token_path(repository: str = "library/python") -> str:
    return f"/token?service=registry.docker.io&scope=repository:{repository}:pull"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def bearer(registry: Registry, authorization: str | None = None) -> str:
    return f"Bearer {ask(registry, token_path(), authorization=authorization)[2]['token']}"


MANIFEST = "/v2/library/python/manifests/3.12"


def test_it_listens_on_loopback_only(registry: Registry) -> None:
    assert registry.url.startswith("http://127.0.0.1:")


def test_without_a_token_it_says_where_to_get_one(registry: Registry) -> None:
    status, headers, body = ask(registry, MANIFEST)
    assert status == 401
    assert headers["www-authenticate"] == (
        f'Bearer realm="{registry.url}/token",service="registry.docker.io",scope="repository:library/python:pull"'
    )
    assert body["errors"][0]["code"] == "UNAUTHORIZED"
    assert ask(registry, "/v2/")[0] == 401


def test_the_exhausted_anonymous_is_told_so_in_docker_hubs_words(registry: Registry) -> None:
    status, headers, body = ask(registry, MANIFEST, authorization=bearer(registry))
    assert status == 429
    assert body["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert body["errors"][0]["message"].startswith("You have reached your pull rate limit. You may increase")
    assert headers["ratelimit-limit"] == "100;w=21600"
    assert headers["ratelimit-remaining"] == "0;w=21600"
    assert headers["docker-ratelimit-source"] == "127.0.0.1"


def test_a_version_check_is_no_pull_and_is_answered_for_the_exhausted_too(registry: Registry) -> None:
    for _ in range(2):
        status, headers, _ = ask(registry, MANIFEST, "HEAD", bearer(registry))
        assert (status, headers["ratelimit-remaining"]) == (200, "0;w=21600")
    assert registry.pulls() == []


def test_an_account_without_limit_pulls_without_limit_headers(registry: Registry) -> None:
    status, headers, body = ask(registry, MANIFEST, authorization=bearer(registry, basic("acme", "s3cret")))
    assert (status, body["schemaVersion"]) == (200, 2)
    assert headers["docker-content-digest"].startswith("sha256:")
    assert "ratelimit-limit" not in headers


def test_an_accounts_allowance_is_used_up_by_pulls(registry: Registry) -> None:
    registry.add_account("acme", "s3cret", pulls=2)
    answers = [pull(registry.url, "library/python", "3.12", ACME) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].text.startswith("You have reached your pull rate limit as 'acme': dckr_jti_")
    registry.accounts.set_pulls("acme", None)
    assert pull(registry.url, "library/python", "3.12", ACME).status == 200


def test_the_anonymous_may_be_given_pulls(registry: Registry) -> None:
    registry.accounts.set_pulls(None, 1)
    answers = [pull(registry.url, "library/python", "3.12", None).status for _ in range(2)]
    assert answers == [200, 429]


@pytest.mark.parametrize("authorization", [basic("acme", "wrong"), basic("nobody", "s3cret"), "Basic %%%"])
def test_a_wrong_login_gets_no_token(registry: Registry, authorization: str) -> None:
    status, _, body = ask(registry, token_path(), authorization=authorization)
    assert (status, body) == (401, {"details": "incorrect username or password"})


def test_a_wrong_password_fails_a_pull(registry: Registry) -> None:
    answer = pull(registry.url, "library/python", "3.12", Credentials("acme", "wrong"))
    assert (answer.status, answer.text) == (401, "incorrect username or password")


def test_a_locked_account_gets_no_token_though_its_password_is_right(registry: Registry) -> None:
    registry.accounts.lock("acme")
    answer = pull(registry.url, "library/python", "3.12", ACME)
    assert answer.status == 429
    assert answer.text.startswith("too many failed login attempts")
    registry.accounts.lock("acme", locked=False)
    assert pull(registry.url, "library/python", "3.12", ACME).status == 200


def test_a_token_is_good_for_its_own_repository_only(registry: Registry) -> None:
    token = bearer(registry, basic("acme", "s3cret"))
    assert ask(registry, "/v2/library/node/manifests/24", authorization=token)[0] == 401
    assert ask(registry, MANIFEST, authorization="Bearer made-up")[0] == 401


def test_other_paths_do_not_exist(registry: Registry) -> None:
    assert ask(registry, "/v2/library/python/blobs/sha256:0")[0] == 404
    assert ask(registry, "/token", "HEAD")[0] == 404


def test_a_login_without_a_repository_gets_a_token_that_opens_the_door(registry: Registry) -> None:
    query = "/token?account=acme&client_id=docker&offline_token=true&service=registry.docker.io"
    token = ask(registry, query, authorization=basic("acme", "s3cret"))[2]["token"]
    assert ask(registry, "/v2/", authorization=f"Bearer {token}")[0] == 200
    assert ask(registry, MANIFEST, authorization=f"Bearer {token}")[0] == 401
    assert ask(registry, query, authorization=basic("acme", "wrong"))[0] == 401
    registry.accounts.lock("acme")
    assert ask(registry, query, authorization=basic("acme", "s3cret"))[0] == 429


def test_an_account_pushes_an_upload_and_a_manifest(registry: Registry) -> None:
    assert hub.push(registry.url, "acme/app", "1", ("acme", "s3cret")).startswith("sha256:")
    assert [(entry["method"], entry["account"], entry["status"]) for entry in registry.pushes()] == [
        ("POST", "acme", 202),
        ("PUT", "acme", 201),
    ]
    assert registry.pulls() == []


def test_a_read_only_token_pulls_and_pushes_nothing(registry: Registry) -> None:
    registry.add_account("reader", "s3cret", read_only=True)
    assert hub.pull(registry.url, "acme/app", "1", ("reader", "s3cret"))
    with pytest.raises(hub.Refused, match="access token has insufficient scopes") as caught:
        hub.push(registry.url, "acme/app", "1", ("reader", "s3cret"))
    assert (caught.value.step, caught.value.status, caught.value.code) == ("token", 401, "unauthorized")
    assert registry.pushes() == []


def access(registry: Registry, *scopes: str, authorization: str | None = basic("acme", "s3cret")) -> Any:
    """What a token says that it allows, by the repository's name."""
    query = "".join(f"&scope=repository:{scope}" for scope in scopes)
    _, _, body = ask(registry, f"/token?service=registry.docker.io{query}", authorization=authorization)
    claims = body["token"].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["access"]
    return {entry["name"]: entry["actions"] for entry in told if entry["type"] == "repository"}


def test_a_token_says_what_was_asked_for_and_may_be_had(registry: Registry) -> None:
    assert access(registry, "acme/app:pull,push", "library/python:pull,push") == {
        "acme/app": ["pull", "push"],
        "library/python": ["pull"],
    }
    assert access(registry, "acme/app:pull") == {"acme/app": ["pull"]}
    assert access(registry, "acme/app:pull,push", authorization=None) == {"acme/app": ["pull"]}
    assert access(registry) == {}


def test_a_read_only_token_gets_nothing_where_a_push_is_among_what_it_asks_for(registry: Registry) -> None:
    registry.add_account("reader", "s3cret", read_only=True)
    path = f"{token_path()}&scope=repository:reader/app:pull,push"
    status, _, body = ask(registry, path, authorization=basic("reader", "s3cret"))
    assert (status, body) == (401, {"details": "access token has insufficient scopes"})


def test_an_organizations_token_for_chosen_repositories_gets_a_token_that_opens_no_public_one(
    registry: Registry,
) -> None:
    registry.add_account("acme", "s3cret", chosen_only=True)
    assert access(registry, "library/python:pull") == {"library/python": []}
    status, headers, _ = ask(registry, MANIFEST, "HEAD", bearer(registry, basic("acme", "s3cret")))
    assert status == 401
    assert headers["www-authenticate"].endswith(',error="insufficient_scope"')
    assert pull(registry.url, "acme/app", "1", ACME).status == 200


def test_a_login_may_be_refused_for_its_address_too(registry: Registry) -> None:
    registry.accounts.lock("acme", saying="Too Many Requests (HAP429)")
    status, _, body = ask(registry, token_path(), authorization=basic("acme", "s3cret"))
    assert (status, body) == (429, {"details": "Too Many Requests (HAP429)"})


@pytest.mark.parametrize(("repository", "login"), [("acme/app", None), ("library/python", ("acme", "s3cret"))])
def test_neither_the_anonymous_nor_anyone_for_official_images_may_push(
    registry: Registry, repository: str, login: hub.Login | None
) -> None:
    with pytest.raises(hub.Refused, match="requested access to the resource is denied") as caught:
        hub.push(registry.url, repository, "1", login)
    assert caught.value.code == "denied"
    assert registry.pushes()[-1]["status"] == 403


def test_a_push_without_a_token_is_told_where_to_get_one(registry: Registry) -> None:
    uploads = "/v2/acme/app/blobs/uploads/"
    status, headers, _ = ask(registry, uploads, "POST")
    assert status == 401
    assert headers["www-authenticate"].endswith('scope="repository:acme/app:pull,push"')
    assert ask(registry, "/v2/acme/app/blobs/1", "PUT")[0] == 404
    assert registry.pushes() == []


def test_the_access_log_tells_who_pulled_what(registry: Registry) -> None:
    pull(registry.url, "acme/app", "1", None)
    pull(registry.url, "acme/app", "1", ACME)
    assert [
        (entry["method"], entry["repository"], entry["account"], entry["status"]) for entry in registry.pulls()
    ] == [("GET", "acme/app", None, 429), ("GET", "acme/app", "acme", 200)]
    login = next(entry for entry in registry.log if entry["login"] == "acme")
    assert (login["account"], login["status"]) == ("acme", 200)
    assert set(login) == {"time", "method", "path", "repository", "account", "login", "status"}


def test_the_access_log_holds_no_password(registry: Registry) -> None:
    pull(registry.url, "acme/app", "1", ACME)
    assert "s3cret" not in json.dumps(registry.log)


def test_the_access_log_is_also_written_to_a_file(tmp_path: Path) -> None:
    lines = tmp_path / "access.jsonl"
    with Registry(log_file=lines) as registry:
        pull(registry.url, "acme/app", "1", None)
    assert [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()] == registry.log
