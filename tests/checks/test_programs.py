"""HTTP, TLS and TCP against programs that people really run: nginx and Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from servicedesk.domain.checks import FAIL, PASS
from tests.checks.conftest import Desk, certificate
from tests.support.programs import Program
from tests.support.server import free_port

pytestmark = [pytest.mark.real, pytest.mark.feature("P3")]
NGINX = """daemon off; master_process off; error_log stderr; pid {folder}/nginx.pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port}; location = / {{ return 200 "shop is open\\n"; }}
            location = /old {{ return 301 /; }} location = /down {{ return 503 "no upstream\\n"; }} }}
  server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {file}; ssl_certificate_key {file}; return 200 "closed\\n"; }}
}}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[tuple[Program, int]]:
    """nginx on two ports, the second with a certificate that ends in five days."""
    program, tls = Program(tmp_path / "nginx", "nginx", optional=True), free_port()
    values = {"folder": program.folder, "port": program.port, "tls": tls, "file": certificate(tmp_path, days=5).file}
    (program.folder / "nginx.conf").write_text(NGINX.format(**values))
    program.spawn("-p", str(program.folder), "-c", str(program.folder / "nginx.conf"))
    program.until_http()
    yield program, tls
    program.stop()


def test_nginx_over_http(asking: Desk, nginx: tuple[Program, int]) -> None:
    url = nginx[0].base_url
    found = asking.run({"type": "http", "url": f"{url}/old", "body": "shop is open"})
    assert (found.verdict, "200" in found.summary) == (PASS, True)
    assert "nginx" in found.details
    down = asking.run({"type": "http", "url": f"{url}/down"})
    assert (down.verdict, "503" in down.summary, "no upstream" in down.details) == (FAIL, True, True)
    assert asking.run({"type": "http", "url": f"{url}/", "without": "open"}).verdict == FAIL


def test_the_certificate_of_nginx(asking: Desk, nginx: tuple[Program, int]) -> None:
    at = {"type": "tls", "host": "localhost", "port": nginx[1], "trusted": False}
    found = asking.run(at | {"days": 3})
    assert found.verdict == PASS
    assert found.value == pytest.approx(5, abs=0.01)
    assert asking.run(at | {"days": 14}).verdict == FAIL
    assert asking.run(at | {"trusted": True}).verdict == FAIL
    assert asking.run({"type": "tls", "host": "localhost", "port": nginx[0].port}).verdict == FAIL, "no TLS there"


def test_the_port_of_redis(asking: Desk, tmp_path: Path) -> None:
    program = Program(tmp_path / "redis", "redis-server", optional=True)
    program.spawn("--port", str(program.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(program.folder))
    try:
        program.until_tcp()
        at = {"type": "tcp", "host": "127.0.0.1", "port": program.port}
        assert asking.run(at | {"within": 2}).verdict == PASS
        assert asking.run(at | {"greeting": "SSH", "timeout": 1}).verdict == FAIL, "Redis says nothing by itself"
    finally:
        program.stop()
    assert asking.run(at).verdict == FAIL
