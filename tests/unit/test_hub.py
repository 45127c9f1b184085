"""Asking Docker Hub whether credentials are good, against a server on the loopback interface."""

from __future__ import annotations

import socket
import threading
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from remediator.hub import Answer, try_credentials

USER, PASSWORD = "hubuser", "dckr_pat_ä:b"


class Server(HTTPServer):
    """Answers every request with one status; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.location = ""
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

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
        (200, Answer.ACCEPTED),
        (401, Answer.REJECTED),
        (204, Answer.COULD_NOT_TELL),
        (400, Answer.COULD_NOT_TELL),
        (403, Answer.COULD_NOT_TELL),
        (429, Answer.NOT_NOW),
        (500, Answer.COULD_NOT_TELL),
        (503, Answer.COULD_NOT_TELL),
    ],
)
def test_only_200_and_401_speak_about_the_credentials(
    servers: tuple[Server, Server], status: int, expected: Answer
) -> None:
    servers[0].status = status

    assert try_credentials(USER, PASSWORD, servers[0].url) is expected
    assert len(servers[0].asked) == 1


def test_the_token_for_a_pull_is_asked_for_with_the_credentials(servers: tuple[Server, Server]) -> None:
    try_credentials(USER, PASSWORD, servers[0].url)

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

    assert try_credentials(USER, PASSWORD, first.url) is Answer.COULD_NOT_TELL
    assert second.asked == []


def test_where_nothing_listens_nothing_can_be_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        assert try_credentials(USER, PASSWORD, f"http://127.0.0.1:{port}") is Answer.COULD_NOT_TELL


def test_a_port_that_does_not_exist_can_tell_nothing() -> None:
    assert try_credentials(USER, PASSWORD, "http://127.0.0.1:99999") is Answer.COULD_NOT_TELL


def test_a_server_that_hangs_up_can_tell_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            listening.accept()[0].close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()

        answer = try_credentials(USER, PASSWORD, f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()

    assert answer is Answer.COULD_NOT_TELL


@pytest.mark.parametrize(("username", "password"), [("user\nname", "line\r\nX-Evil: 1"), ("u" * 300, "p" * 3000)])
def test_odd_credentials_make_one_well_formed_request(
    servers: tuple[Server, Server], username: str, password: str
) -> None:
    assert try_credentials(username, password, servers[0].url) is Answer.ACCEPTED
    assert b64decode((servers[0].asked[0][1] or "").removeprefix("Basic ")).decode() == f"{username}:{password}"
