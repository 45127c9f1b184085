"""Asking Docker Hub whether credentials are good and what they may pull, on the loopback interface."""

from __future__ import annotations

import json
import socket
import threading
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from local.registry import Registry
from remediator.aws.dockerhub import Allowance, Answer, ask_docker_hub

USER, PASSWORD = "hubuser", "dckr_pat_ä:b"
TOKEN = b'{"token": "a.b-c_d=", "expires_in": 300}'


class Server(HTTPServer):
    """Answers every GET with one status and body, and every HEAD with one status and headers; keeps what it was asked.

    A HEAD with the status 0 is hung up on, and so is a GET about a push. `push_status` and `push_body` answer that.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.location = ""
        self.body = b"{}"
        self.push_status = 200
        self.push_body = b"{}"
        self.head_status = 200
        self.head_headers: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        about_push = "push" in self.path
        status = self.server.push_status if about_push else self.server.status
        body = self.server.push_body if about_push else self.server.body
        if not status:
            return
        self.send_response(status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if not self.server.head_status:
            return
        self.send_response(self.server.head_status)
        for name, value in self.server.head_headers:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    pair = Server(), Server()
    for server in pair:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield pair
    for server in pair:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Answer.REJECTED),
        (204, Answer.COULD_NOT_TELL),
        (400, Answer.COULD_NOT_TELL),
        (403, Answer.COULD_NOT_TELL),
        (429, Answer.COULD_NOT_TELL),
        (500, Answer.COULD_NOT_TELL),
        (503, Answer.COULD_NOT_TELL),
    ],
)
def test_of_all_answers_without_200_only_401_speaks_about_the_credentials(
    servers: tuple[Server, Server], status: int, expected: Answer
) -> None:
    servers[0].body, servers[0].status = TOKEN, status

    assert ask_docker_hub(USER, PASSWORD, servers[0].url) is expected
    assert len(servers[0].asked) == 1


def test_a_token_and_an_answer_about_the_manifest_are_credentials_that_are_accepted(
    servers: tuple[Server, Server],
) -> None:
    servers[0].body = TOKEN

    assert ask_docker_hub(USER, PASSWORD, servers[0].url) == Allowance(None, None, None)
    assert len(servers[0].asked) == 2


def test_200_without_a_token_is_no_word_on_the_credentials(servers: tuple[Server, Server]) -> None:
    assert ask_docker_hub(USER, PASSWORD, servers[0].url) is Answer.COULD_NOT_TELL
    assert len(servers[0].asked) == 1


def test_the_token_for_a_pull_is_asked_for_with_the_credentials(servers: tuple[Server, Server]) -> None:
    ask_docker_hub(USER, PASSWORD, servers[0].url)

    path, authorization = servers[0].asked[0]
    assert path == "/token?service=registry.docker.io&scope=repository:ratelimitpreview/test:pull"
    assert authorization is not None
    assert b64decode(authorization.removeprefix("Basic ")).decode() == f"{USER}:{PASSWORD}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_sends_the_credentials_nowhere(
    servers: tuple[Server, Server], status: int
) -> None:
    first, second = servers
    first.status, first.location = status, f"{second.url}/token"

    assert ask_docker_hub(USER, PASSWORD, first.url) is Answer.COULD_NOT_TELL
    assert second.asked == []


def test_where_nothing_listens_nothing_can_be_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        assert ask_docker_hub(USER, PASSWORD, f"http://127.0.0.1:{port}") is Answer.COULD_NOT_TELL


def test_a_port_that_does_not_exist_can_tell_nothing() -> None:
    assert ask_docker_hub(USER, PASSWORD, "http://127.0.0.1:99999") is Answer.COULD_NOT_TELL


def test_a_server_that_hangs_up_can_tell_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            listening.accept()[0].close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()

        answer = ask_docker_hub(USER, PASSWORD, f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()

    assert answer is Answer.COULD_NOT_TELL


@pytest.mark.parametrize(("username", "password"), [("user\nname", "line\r\nX-Evil: 1"), ("u" * 300, "p" * 3000)])
def test_odd_credentials_make_one_well_formed_request(
    servers: tuple[Server, Server], username: str, password: str
) -> None:
    servers[0].body = TOKEN

    assert ask_docker_hub(username, password, servers[0].url) == Allowance(None, None, None)
    assert len(servers[0].asked) == 2
    assert b64decode((servers[0].asked[0][1] or "").removeprefix("Basic ")).decode() == f"{username}:{password}"


def test_half_a_surrogate_pair_in_credentials_makes_no_error_that_holds_them(servers: tuple[Server, Server]) -> None:
    servers[0].status = 401

    assert ask_docker_hub(USER, "p\ud800", servers[0].url) is Answer.REJECTED


ASCII_PASSWORD = "dckr_pat_a:b"
"""The registry compares no others."""
LIMIT = ("ratelimit-limit", "200;w=21600")


def left(pulls: int) -> list[tuple[str, str]]:
    return [LIMIT, ("RateLimit-Remaining", f"{pulls};w=21600")]


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


@pytest.fixture
def hub(servers: tuple[Server, Server]) -> Server:
    servers[0].body, servers[0].head_headers = TOKEN, left(7)
    return servers[0]


@pytest.mark.parametrize("pulls", [200, 1, 0])
def test_what_is_left_of_an_accounts_pulls_is_read_and_costs_none_of_them(registry: Registry, pulls: int) -> None:
    registry.add_account(USER, ASCII_PASSWORD, pulls)

    for _ in range(3):
        assert ask_docker_hub(USER, ASCII_PASSWORD, registry.url) == Allowance(limit=200, remaining=pulls, window=21600)
    assert registry.pulls() == []


def test_an_account_without_a_limit_has_no_headers(registry: Registry) -> None:
    registry.add_account(USER, ASCII_PASSWORD)

    assert ask_docker_hub(USER, ASCII_PASSWORD, registry.url) == Allowance(None, None, None)


def test_wrong_credentials_have_no_allowance_and_ask_for_no_manifest(registry: Registry) -> None:
    registry.add_account(USER, ASCII_PASSWORD, 5)

    assert ask_docker_hub(USER, "wrong", registry.url) is Answer.REJECTED
    assert [entry["method"] for entry in registry.log] == ["GET"]


def test_a_locked_account_is_asked_nothing_more_now(registry: Registry) -> None:
    registry.add_account(USER, ASCII_PASSWORD, 5)
    registry.accounts.lock(USER)

    assert ask_docker_hub(USER, ASCII_PASSWORD, registry.url) is Answer.LOCKED_OUT
    assert len(registry.log) == 1


def test_the_token_is_asked_for_with_the_credentials_and_the_manifest_with_the_token(hub: Server) -> None:
    ask_docker_hub(USER, PASSWORD, hub.url)

    (_, basic), (path, bearer) = hub.asked
    assert b64decode((basic or "").removeprefix("Basic ")).decode() == f"{USER}:{PASSWORD}"
    assert (path, bearer) == ("/v2/ratelimitpreview/test/manifests/latest", "Bearer a.b-c_d=")


def test_a_token_by_its_other_name_is_as_good(hub: Server) -> None:
    hub.body = b'{"access_token": "t"}'

    assert ask_docker_hub(USER, PASSWORD, hub.url) == Allowance(200, 7, 21600)


def test_a_limit_without_a_window_is_told_without_one(hub: Server) -> None:
    hub.head_headers = [("ratelimit-limit", "300"), ("ratelimit-remaining", "0")]

    assert ask_docker_hub(USER, PASSWORD, hub.url) == Allowance(300, 0, None)


def test_a_refusal_that_carries_the_headers_tells(hub: Server) -> None:
    hub.head_status, hub.head_headers = 429, left(0)

    assert ask_docker_hub(USER, PASSWORD, hub.url) == Allowance(200, 0, 21600)


def test_a_refusal_without_the_headers_is_no_missing_limit(hub: Server) -> None:
    hub.head_status, hub.head_headers = 429, []

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.COULD_NOT_TELL


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_any_other_answer_about_the_manifest_tells_nothing_with_the_headers_too(hub: Server, status: int) -> None:
    hub.head_status = status

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.COULD_NOT_TELL
    assert len(hub.asked) == 2


@pytest.mark.parametrize("status", [201, 302, 403, 500, 503])
def test_a_token_endpoint_that_does_not_answer_can_tell_nothing(hub: Server, status: int) -> None:
    hub.status = status

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.COULD_NOT_TELL
    assert len(hub.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"token": ""}',
        b'{"token": 5}',
        b'{"token": ["t"]}',
        json.dumps({"token": "t\r\nX-Evil: 1"}).encode(),
        json.dumps({"token": "t\n"}).encode(),
        json.dumps({"token": "a b"}).encode(),
        json.dumps({"token": "tökén"}).encode(),
    ],
)
def test_an_answer_without_a_usable_token_can_tell_nothing_and_asks_nothing_more(hub: Server, body: bytes) -> None:
    hub.body = body

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.COULD_NOT_TELL
    assert len(hub.asked) == 1


@pytest.mark.parametrize(
    "headers",
    [
        [LIMIT],
        [("ratelimit-remaining", "5;w=21600")],
        [LIMIT, ("ratelimit-remaining", "")],
        [LIMIT, ("ratelimit-remaining", "-1;w=21600")],
        [LIMIT, ("ratelimit-remaining", "many")],
        [LIMIT, ("ratelimit-remaining", "5;w=")],
        [LIMIT, ("ratelimit-remaining", "5;w=21600;x=1")],
        [LIMIT, ("ratelimit-remaining", "9" * 5000)],
        [LIMIT, LIMIT, ("ratelimit-remaining", "5;w=21600")],
        [("ratelimit-limit", "\xb2;w=21600"), ("ratelimit-remaining", "5;w=21600")],
    ],
)
def test_headers_that_are_no_allowance_can_tell_nothing(hub: Server, headers: list[tuple[str, str]]) -> None:
    hub.head_headers = headers

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.COULD_NOT_TELL


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_takes_neither_the_credentials_nor_the_token_anywhere(
    servers: tuple[Server, Server], status: int
) -> None:
    first, second = servers
    first.body, first.head_status = TOKEN, status
    first.head_headers = [("Location", f"{second.url}/v2/"), *left(3)]

    assert ask_docker_hub(USER, PASSWORD, first.url) is Answer.COULD_NOT_TELL
    first.status, first.location = status, f"{second.url}/token"
    assert ask_docker_hub(USER, PASSWORD, first.url) is Answer.COULD_NOT_TELL
    assert second.asked == []


def test_a_registry_that_hangs_up_can_tell_nothing_and_is_not_asked_again(hub: Server) -> None:
    hub.head_status = 0

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.COULD_NOT_TELL
    assert len(hub.asked) == 2


def test_where_nothing_listens_no_allowance_can_be_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        answer = ask_docker_hub(USER, PASSWORD, f"http://127.0.0.1:{unused.getsockname()[1]}")

    assert answer is Answer.COULD_NOT_TELL


# What Docker Hub itself says, and what only a status says


@pytest.mark.parametrize(
    "body",
    [
        b'{"details":"too many failed login attempts for username or IP address"}',
        b'{"detail": "Too many login attempts."}',
        b"Too many failed login attempts. You have been locked out for one hour.",
    ],
)
def test_a_429_whose_body_says_so_is_a_lockout(hub: Server, body: bytes) -> None:
    """Wordings of docker/hub-feedback#642 and #2201 and of docker-archive/dockercloud-haproxy#33."""
    hub.status, hub.body = 429, body

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.LOCKED_OUT
    assert len(hub.asked) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b""),
        (429, b"Too Many Requests (HAP429).\n"),
        (429, b'{"details": "You have reached your pull rate limit."}'),
        (429, b"x" * 70_000 + b"too many failed login attempts"),
        (503, b"too many failed login attempts"),
        (403, b"too many failed login attempts"),
    ],
)
def test_any_other_429_or_status_is_no_lockout(hub: Server, status: int, body: bytes) -> None:
    """An address that many share gets a 429 too, docker/hub-feedback#1907 and #2204."""
    hub.status, hub.body = status, body

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.COULD_NOT_TELL


def test_what_is_read_of_an_answer_is_bounded(hub: Server) -> None:
    hub.body = json.dumps({"padding": " " * 70_000, "token": "t"}).encode()

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.COULD_NOT_TELL
    assert len(hub.asked) == 1


def test_a_token_that_is_refused_for_its_scope_is_no_wrong_password(hub: Server) -> None:
    hub.status, hub.body = 401, b'{"details":"access token has insufficient scopes"}'

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.LACKS_SCOPE


@pytest.mark.parametrize("challenge", ["", 'Bearer realm="https://auth.docker.io/token",error="insufficient_scope"'])
def test_a_token_that_opens_no_public_image_lacks_that_scope(hub: Server, challenge: str) -> None:
    hub.head_status, hub.head_headers = 401, [("WWW-Authenticate", challenge), *left(7)]

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.LACKS_SCOPE


def test_a_token_that_the_registry_does_not_take_for_one_yet_tells_nothing(hub: Server) -> None:
    """Clocks of Docker Hub differ, moby/moby#22158."""
    hub.head_status, hub.head_headers = 401, [("WWW-Authenticate", 'Bearer realm="x",error="invalid_token"')]

    assert ask_docker_hub(USER, PASSWORD, hub.url) is Answer.COULD_NOT_TELL


# What the token could do


def token(claims: Any) -> bytes:
    text = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return json.dumps({"token": f"head.{urlsafe_b64encode(text).decode().rstrip('=')}.signature"}).encode()


def granting(*actions: Any, **entry: Any) -> dict[str, Any]:
    return {"access": [{"type": "repository", "name": "hubuser/x", "actions": list(actions), **entry}]}


@pytest.fixture
def telling(hub: Server) -> Server:
    """A Docker Hub whose tokens can be read."""
    hub.body = token(granting("pull"))
    return hub


def pushes(hub: Server, user: str = USER) -> bool | None:
    seen = ask_docker_hub(user, PASSWORD, hub.url, about_push=True)
    assert isinstance(seen, Allowance)
    assert (seen.limit, seen.remaining) == (200, 7)
    return seen.pushes


@pytest.mark.parametrize("actions", [("pull", "push"), ("push",), ("*",)])
def test_a_token_that_is_given_a_push_could_push(telling: Server, actions: tuple[str, ...]) -> None:
    telling.push_body = token(granting(*actions))

    assert pushes(telling) is True


def test_a_push_is_asked_for_in_the_users_own_namespace_once_the_credentials_are_proven(telling: Server) -> None:
    telling.push_body = token(granting("pull", "push"))

    pushes(telling, "HubUser")

    assert [path.partition("&scope=")[2] for path, _ in telling.asked] == [
        "repository:ratelimitpreview/test:pull",
        "",
        "repository:hubuser/codebuild-pull-limit-remediator:pull,push",
    ]


@pytest.mark.parametrize("claims", [granting("pull"), granting(), {"access": []}])
def test_a_token_that_is_given_less_could_not(telling: Server, claims: dict[str, Any]) -> None:
    telling.push_body = token(claims)

    assert pushes(telling) is False


def test_a_read_only_token_is_refused_any_token_for_a_push_and_is_no_worse_for_that(telling: Server) -> None:
    """spinalcordtoolbox/spinalcordtoolbox#5286, roboreg/roboreg#117"""
    telling.push_status, telling.push_body = 401, b'{"details":"access token has insufficient scopes"}'

    assert pushes(telling) is False


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (0, b""),
        (401, b'{"details":"incorrect username or password"}'),
        (403, token(granting("push"))),
        (429, b'{"details":"too many failed login attempts"}'),
        (500, b""),
        (200, b""),
        (200, b'{"token": "t"}'),
        (200, b'{"token": "a.b.c"}'),
        (200, b'{"token": "a.%%%%.c"}'),
        (200, token(b"\xff\xfe")),
        (200, token(b"[" * 30_000)),
        (200, token([])),
        (200, token({})),
        (200, token({"access": "push"})),
        (200, token({"access": {"actions": ["push"]}})),
    ],
)
def test_what_shows_nothing_of_a_push_is_no_word_on_it_and_keeps_the_allowance(
    telling: Server, status: int, body: bytes
) -> None:
    telling.push_status, telling.push_body = status, body

    assert pushes(telling) is None


@pytest.mark.parametrize(
    "entries", [["push"], [None], [{"actions": "push"}], [{"actions": None}], [{"actions": [["push"]]}], [{}]]
)
def test_entries_that_are_none_grant_nothing(telling: Server, entries: list[Any]) -> None:
    telling.push_body = token({"access": entries})

    assert pushes(telling) is False


@pytest.mark.parametrize("user", ["me@example.com", "a/b", "../x", "x:pull,push&scope=y", "", "u" * 300])
def test_a_user_name_that_is_no_namespace_is_asked_nothing_about(telling: Server, user: str) -> None:
    assert pushes(telling, user) is None
    assert len(telling.asked) == 2


def test_where_tokens_can_not_be_read_no_second_one_is_asked_for(hub: Server) -> None:
    assert pushes(hub) is None
    assert len(hub.asked) == 2


def test_nothing_is_asked_about_a_push_that_nobody_asks_about(telling: Server) -> None:
    assert ask_docker_hub(USER, PASSWORD, telling.url) == Allowance(200, 7, 21600)
    assert len(telling.asked) == 2


def test_credentials_that_are_refused_are_asked_nothing_more_about(telling: Server) -> None:
    telling.status = 401

    assert ask_docker_hub(USER, PASSWORD, telling.url, about_push=True) is Answer.REJECTED
    assert len(telling.asked) == 1


def test_a_redirect_of_that_request_sends_the_credentials_nowhere(servers: tuple[Server, Server]) -> None:
    first, second = servers
    first.body, first.head_headers = token(granting("pull")), left(7)
    first.push_status, first.location = 307, f"{second.url}/token"

    assert pushes(first) is None
    assert second.asked == []


@pytest.mark.parametrize(("read_only", "could"), [(True, False), (False, True)])
def test_the_local_registry_tells_tokens_apart(registry: Registry, read_only: bool, could: bool) -> None:
    registry.add_account(USER, ASCII_PASSWORD, 7, read_only=read_only)

    assert ask_docker_hub(USER, ASCII_PASSWORD, registry.url, about_push=True) == Allowance(200, 7, 21600, could)
    assert registry.pulls() == registry.pushes() == []
