"""The HTTP server: what it does with connections that the application never sees, and how it ends."""

from __future__ import annotations

import http.client
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from servicedesk.errors import ConfigError
from servicedesk.web.server import Server, is_public, parse_bind
from tests.support.waiting import wait_until

Start = Callable[[str, list[tuple[str, str]]], Any]


class Application:
    """Answers with the length of the body; a path with `slow` waits until it is let go."""

    def __init__(self) -> None:
        self.go, self.inside = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if "slow" in environ["PATH_INFO"]:
            self.inside.set()
            assert self.go.wait(20)
        body = str(len(environ["wsgi.input"].read())).encode()
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def refused() -> list[tuple[str, int]]:
    """(path, status) of what the server refused by itself."""
    return []


@pytest.fixture
def server(application: Application, refused: list[tuple[str, int]]) -> Iterator[Server]:
    running = Server(application, "127.0.0.1:0", 4, lambda path, status: refused.append((path, status)))
    running.start()
    yield running
    application.go.set()
    running.stop()


def ask(server: Server, path: str = "/", body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def listens(server: Server) -> bool:
    try:
        socket.create_connection((server.host, server.port), 1).close()
    except OSError:
        return False
    return True


def test_it_serves_on_a_free_port(server: Server) -> None:
    assert server.port > 0
    assert server.address == f"127.0.0.1:{server.port}"
    assert ask(server, body=b"x" * 3_000_000) == (200, b"3000000")


def test_stopping_answers_what_has_begun_and_takes_nothing_new(server: Server, application: Application) -> None:
    answers: list[tuple[int, bytes]] = []
    asking = threading.Thread(target=lambda: answers.append(ask(server, "/slow", b"abc")))
    asking.start()
    assert application.inside.wait(10)
    idle = http.client.HTTPConnection(server.host, server.port, timeout=5)
    idle.request("GET", "/")
    idle.getresponse().read()
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    wait_until(lambda: not listens(server), 5, "the port to close")
    assert not answers
    application.go.set()
    stopping.join(10)
    asking.join(10)
    assert answers == [(200, b"3")]
    assert not server.alive


def test_a_body_on_its_way_is_waited_for_but_not_for_ever(server: Server) -> None:
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
    quick, never = (socket.create_connection((server.host, server.port), 10) for _ in range(2))
    for half in (quick, never):
        half.sendall(head + b"ab")
    assert ask(server) == (200, b"0")  # whatever was sent before has been read by now
    stopping = threading.Thread(target=server.stop)
    began = time.monotonic()
    stopping.start()
    wait_until(lambda: not listens(server), 5, "the port to close")
    quick.sendall(b"cd")
    assert quick.recv(1000).startswith(b"HTTP/1.1 200")
    stopping.join(15)
    assert time.monotonic() - began < 9
    assert never.recv(1000) == b"", "a sender sees that nothing was stored"


def test_a_full_folder_for_bodies_is_503(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders try again after a 5xx; a cut connection they would take for a network fault."""
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    assert ask(server, body=b"x" * 1000)[0] == 200, "small ones stay in memory"
    connection = socket.create_connection((server.host, server.port), 10)
    connection.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 600_000)
    assert connection.recv(1000).startswith(b"HTTP/1.1 503")
    monkeypatch.undo()
    assert ask(server, body=b"x" * 3_000_000)[0] == 200


def test_a_body_over_every_limit_is_413_and_told(server: Server, refused: list[tuple[str, int]]) -> None:
    connection = socket.create_connection((server.host, server.port), 10)
    head = b"POST /api/v1/receivers/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    connection.sendall(head)
    assert connection.recv(1000).startswith(b"HTTP/1.1 413")
    assert refused == [("/api/v1/receivers/alertmanager", 413)]


def test_more_connections_than_select_could_hold(server: Server) -> None:
    """The server's loop must not end at descriptor 1,024; here both ends live in one process."""
    held = [socket.create_connection((server.host, server.port), 10) for _ in range(540)]
    assert ask(server) == (200, b"0")
    for connection in held:
        connection.close()
    assert server.alive


@pytest.mark.parametrize("text", ["8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", ""])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match="http.bind"):
        parse_bind(text)


def test_addresses() -> None:
    assert parse_bind("[::1]:80") == ("::1", 80)
    assert parse_bind(":8080") == ("0.0.0.0", 8080)
    assert [is_public(h) for h in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "10.0.0.1", "desk.example")] == [
        False, False, False, True, True, True, True,
    ]  # fmt: skip


def test_a_taken_port_and_a_foreign_address_are_one_sentence(server: Server, application: Application) -> None:
    with pytest.raises(ConfigError, match=f"port {server.port} of 127.0.0.1 is taken"):
        Server(application, server.address, 1, print)
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        Server(application, "192.0.2.1:0", 1, print)
    with pytest.raises(ConfigError, match="no address"):
        Server(application, "no.such.host.invalid:0", 1, print)
