"""HTTP checks against a real server: status, body, latency, redirects, limits, and the address that was judged."""

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from servicedesk.domain.checks import FAIL, INCONCLUSIVE, PASS
from tests.checks.conftest import Desk, Listener, Web, certificate, plain
from tests.support.server import free_port

pytestmark = pytest.mark.feature("P3")


def http(url: str, **keys: Any) -> dict[str, Any]:
    return {"type": "http", "url": url} | keys


def test_status_body_and_latency(asking: Desk, web: Web) -> None:
    web.answers["/ok"] = plain(200, '{"status": "green"}')
    found = asking.run(http(f"{web.url}/ok", body='"status": *"green"', within=5))
    assert found.verdict == PASS, found
    assert found.summary.startswith("200 OK in ")
    assert "green" in found.details
    assert found.value is not None and found.value < 5


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"status": [204]}, "expected 204"),
        ({"body": "red"}, "the body does not match red"),
        ({"without": "green"}, "the body matches green"),
        ({"within": 0.0001}, "expected within"),
    ],
)
def test_what_is_not_as_expected_fails_with_the_reason(asking: Desk, web: Web, keys: dict[str, Any], why: str) -> None:
    web.answers["/"] = plain(200, "all green")
    found = asking.run(http(f"{web.url}/", **keys))
    assert found.verdict == FAIL
    assert why in found.summary


def test_a_class_of_status_and_a_head_request(asking: Desk, web: Web) -> None:
    web.answers["/"] = plain(503, "")
    assert asking.run(http(f"{web.url}/", status=["5xx"], method="HEAD")).verdict == PASS
    assert [a[0] for a in web.asked] == ["HEAD"]


def test_nobody_listens_is_a_failure_not_a_doubt(asking: Desk) -> None:
    found = asking.run(http(f"http://127.0.0.1:{free_port()}/"))
    assert (found.verdict, "connection refused" in found.summary) == (FAIL, True)


def test_redirects_are_followed_and_told(asking: Desk, web: Web) -> None:
    web.answers["/a"] = plain(302, "", Location="/b")
    web.answers["/b"] = plain(200, "here")
    found = asking.run(http(f"{web.url}/a"))
    assert found.verdict == PASS
    assert "after 1 redirect" in found.summary
    assert f"redirected from {web.url}/a" in found.details
    assert asking.run(http(f"{web.url}/a", redirects=0, status=[302])).verdict == PASS
    web.answers["/b"] = plain(302, "", Location="/a")
    assert "more than 5 redirects" in asking.run(http(f"{web.url}/a")).summary


@pytest.mark.feature("P5")
def test_a_redirect_is_judged_again(asking: Desk, web: Web, listen: Callable[..., Listener]) -> None:
    trap = listen()
    for location in (f"http://127.0.0.2:{trap.port}/", f"http://[::1]:{trap.port}/", "http://169.254.169.254/latest"):
        web.answers["/"] = plain(302, "", Location=location)
        found = asking.allowing("127.0.0.1").run(http(f"{web.url}/"))
        assert found.verdict == INCONCLUSIVE, location
        assert "is not asked" in found.summary
    for location in ("file:///etc/passwd", "gopher://127.0.0.1/", "http://a@127.0.0.1/", "//127.1/"):
        web.answers["/"] = plain(302, "", Location=location)
        assert asking.allowing("127.0.0.1").run(http(f"{web.url}/")).verdict == FAIL, location
    assert trap.count == 0


@pytest.mark.feature("P5")
def test_the_judged_address_is_used_though_the_name_changes_its_mind(
    asking: Desk, web: Web, listen: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers 127.0.0.1 once and then 127.0.0.2: the second answer is never asked for."""
    trap = listen()
    answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.2"])
    asked: list[str] = []

    def lookup(name: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    web.answers["/"] = plain(200, "ok")
    found = asking.allowing("127.0.0.1").run(http(f"http://two-faced.example.org:{web.port}/"))
    assert (found.verdict, asked, trap.count) == (PASS, ["two-faced.example.org"], 0)
    assert web.asked[0][2]["Host"] == f"two-faced.example.org:{web.port}"


@pytest.mark.feature("P5")
def test_proxies_of_the_environment_are_ignored(
    asking: Desk, web: Web, listen: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = listen()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    web.answers["/"] = plain(200, "ok")
    assert asking.run(http(f"{web.url}/")).verdict == PASS
    assert proxy.count == 0


def test_a_body_that_never_ends_is_cut(asking: Desk, web: Web) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b"x" * 65536)

    web.answers["/"] = endless
    begun = time.monotonic()
    found = asking.run(http(f"{web.url}/", timeout=5))
    assert found.verdict == PASS
    assert found.details.endswith("(cut)")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("drop", [b"H", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_server_that_drips_ends_at_the_deadline(asking: Desk, listen: Callable[..., Listener], drop: bytes) -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(drop)
        while not over.wait(0.05):
            connection.sendall(b"x")

    listener = listen(drip)
    begun = time.monotonic()
    found = asking.run(http(f"http://127.0.0.1:{listener.port}/", timeout=0.5))
    over.set()
    assert (found.verdict, "no answer within 0.5 s" in found.summary) == (FAIL, True)
    assert time.monotonic() - begun < 3


def test_its_certificate_is_looked_at(asking: Desk, tmp_path: Path) -> None:
    server = Web(certificate(tmp_path, days=5).context())
    server.answers["/"] = plain(200, "ok")
    try:
        url = f"https://localhost:{server.port}/"
        found = asking.run(http(url))
        assert (found.verdict, "not trusted" in found.summary) == (FAIL, True)
        assert asking.run(http(url, any_certificate=True)).verdict == PASS
    finally:
        server.close()


def test_a_trusted_certificate_must_last(asking: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = certificate(tmp_path, days=5)
    monkeypatch.setenv("SSL_CERT_FILE", str(own.file))
    server = Web(own.context())
    server.answers["/"] = plain(200, "ok")
    try:
        url = f"https://localhost:{server.port}/"
        assert asking.run(http(url, certificate_days=3)).verdict == PASS
        found = asking.run(http(url, certificate_days=30))
        assert (found.verdict, "ends in 5.0 days, expected 30" in found.summary) == (FAIL, True)
    finally:
        server.close()


def test_values_are_encoded_for_their_place(asking: Desk, web: Web) -> None:
    desk = asking.taking(shop="host", port="port", name="text", v6="host")
    labels = {"shop": "127.0.0.1:9100", "port": str(web.port), "name": "a b/c?d#e&f=%00\"'<é", "v6": "::1"}
    web.answers["/x/a%20b%2Fc%3Fd%23e%26f%3D%2500%22%27%3C%C3%A9"] = plain(200, "ok")
    assert desk.run(http("http://${shop}:${port}/x/${name}?q=${name}"), labels).verdict == PASS
    assert web.asked[0][1].endswith("?q=a%20b%2Fc%3Fd%23e%26f%3D%2500%22%27%3C%C3%A9")
    assert desk.ask(http("http://${v6}:${port}/"), labels).data["url"] == f"http://[::1]:{web.port}/"
