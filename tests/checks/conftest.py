"""Checks asked through their registry, as the worker asks them: a playbook's words, an alert's labels, a verdict."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from servicedesk.checks.registry import CHECKS
from servicedesk.config import Checks, Config
from servicedesk.desk import Desk as Open
from servicedesk.desk import open_desk
from servicedesk.domain.checks import Ask, Result
from servicedesk.domain.incident import Actor
from servicedesk.domain.parameters import Parameter, resolve
from servicedesk.services.checks import execute
from tests.checks.worked import BOOK
from tests.support.clock import Clock
from tests.support.crew import crew

LOOPBACK = Config(checks=Checks(allow=("127.0.0.0/8", "::1")))


@dataclass
class Desk:
    """What asks: a configuration, the parameters that the playbook declares, the labels of its alert."""

    config: Config = LOOPBACK
    parameters: Mapping[str, str] = field(default_factory=dict)  # name → type

    def ask(self, check: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> Ask:
        kind = CHECKS[check["type"]]
        known = {name: Parameter(name, type_, (name,)) for name, type_ in self.parameters.items()}
        options = msgspec.convert(dict(check), kind.options)
        assert list(kind.problems(options, known)) == []
        return kind.ask(options, resolve(known.values(), labels or {}), known)

    def run(self, check: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> Result:
        ask = self.ask(check, labels)
        return execute(self.config, ask.check, ask.data)

    def allowing(self, *entries: str) -> Desk:
        return replace(self, config=replace(self.config, checks=replace(self.config.checks, allow=entries)))

    def taking(self, **parameters: str) -> Desk:
        return replace(self, parameters=parameters)

    def with_(self, **config: Any) -> Desk:
        return replace(self, config=replace(self.config, **config))


@pytest.fixture
def asking() -> Desk:
    return Desk()


Answer = Callable[[BaseHTTPRequestHandler], None]


class Web:
    """An HTTP server of the test: answers by path, keeps what was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Says nothing."""

            def do_GET(self) -> None:
                outer.asked.append((self.command, self.path, dict(self.headers)))
                with contextlib.suppress(OSError):  # whoever asked has heard enough
                    outer.answers.get(self.path.partition("?")[0], plain(404, "nothing here"))(self)

            do_HEAD = do_POST = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def plain(status: int, text: str, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        body = text.encode()
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


@dataclass
class Certificate:
    """A self-signed certificate and its key, as files."""

    file: Path

    def context(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.file)
        return made


def certificate(folder: Path, days: float, name: str = "localhost") -> Certificate:
    """Valid since a year ago, for so many days from now (negative: expired)."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=365))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}-{days}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return Certificate(file)


class Listener:
    """A TCP port of the test: `serve(connection)` for each, and how many came."""

    def __init__(self, serve: Callable[[socket.socket], None] = lambda _connection: None) -> None:
        self.count, self.serve = 0, serve
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.serve(connection)
            except OSError:
                return

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def begin(serve: Callable[[socket.socket], None] = lambda _connection: None) -> Listener:
        made.append(Listener(serve))
        return made[-1]

    yield begin
    for listener in made:
        listener.close()


@pytest.fixture
def own(engine_url: str, tmp_path: Path, clock: Clock, web: Web) -> Iterator[Open]:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own.yaml").write_text(BOOK.format(url=web.url))
    settings = Checks(allow=("127.0.0.0/8",))
    config = Config(data_dir=str(tmp_path / "data"), database_url=engine_url, playbooks=str(folder), checks=settings)
    opened = open_desk(config, clock.now)
    yield opened
    opened.close()


@pytest.fixture
def people(own: Open) -> dict[str, Actor]:
    return crew(own)
