"""What senders may do to the listener: idle, slow, endless, oversized, binary; certificates; sockets of others."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from alert_receivers.syslog.line import Line, Mark
from alert_receivers.syslog.listener import Limits, Listener
from alert_receivers.syslog.sockets import Endpoint, bind
from alert_receivers.syslog.tls import Tls, TlsSettings
from tests.support import missing
from tests.support.certificates import Authority, fingerprint
from tests.support.server import free_port
from tests.support.source import ROOT
from tests.support.syslog_programs import stored
from tests.support.waiting import wait_until

IDLE, HALF = 1_000, 100


class Running:
    """A listener on the loopback that keeps what it is given."""

    def __init__(self, *transports: str, tls: Tls | None = None, **limits: int) -> None:
        self.lines: list[Line] = []
        self.listener = Listener(self.lines.extend, lambda _error, _tries: None, Limits(**limits), tls)  # type: ignore[arg-type]
        for transport in transports:
            self.listener.add(transport, bind(Endpoint(transport, "127.0.0.1", 0)))  # type: ignore[arg-type]
        self.ports = {transport: port for transport, _, port in self.listener.addresses}
        self.listener.start()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_error: object) -> None:
        self.listener.stop(2.0)

    def connect(self, transport: str = "tcp") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[transport]), timeout=15)

    def until(self, *texts: bytes) -> None:
        wait_until(lambda: set(texts) <= {line.raw for line in self.lines}, 20, f"{texts}")


@pytest.fixture
def many_files() -> Iterator[None]:
    """Both ends of every connection are in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8_192, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.feature("I2")
@pytest.mark.usefixtures("many_files")
def test_a_thousand_idle_and_a_hundred_half_frames_hinder_nobody() -> None:
    with Running("tcp") as running, contextlib.ExitStack() as open_ones:
        for n in range(IDLE + HALF):
            sock = open_ones.enter_context(running.connect())
            if n >= IDLE:
                sock.sendall(b"70000 <13>begins and never" if n % 2 else b"<13>no line feed")
        wait_until(lambda: running.listener.connected == IDLE + HALF, 20, "all to be connected")
        with running.connect() as sender:
            for n in range(50):
                sender.sendall(b"<13>%d\n" % n)
        running.until(b"<13>49")
        assert [line.raw for line in running.lines] == [b"<13>%d" % n for n in range(50)]


@pytest.mark.feature("I2")
def test_more_connections_than_allowed_are_refused_and_counted() -> None:
    with Running("tcp", connections=5) as running, contextlib.ExitStack() as open_ones:
        for _ in range(5):
            open_ones.enter_context(running.connect())
        wait_until(lambda: running.listener.connected == 5, what="five")
        assert open_ones.enter_context(running.connect()).recv(1) == b""
        assert running.listener.counts().connections["tcp", "refused"] == 1


@pytest.mark.feature("I2")
def test_slow_endless_oversized_and_binary_input_is_bounded_and_counted() -> None:
    with Running("tcp", message=1_000) as running:
        with running.connect() as slow, running.connect() as fast:
            for byte in b"9 <13>slow!":
                slow.sendall(bytes([byte]))
                fast.sendall(b"<13>meanwhile\n")
            fast.sendall(b"x" * 3_000_000 + b"\n<13>after the endless line\n")
            fast.sendall(b"2000000 <13>" + b"y" * 1_999_996 + b"16 <13>after count\n")
            fast.sendall(bytes(range(256)) + b"\n<13>after binary\n")
        running.until(b"<13>slow!", b"<13>after the endless line", b"<13>after count\n", b"<13>after binary")
        cut = [line for line in running.lines if line.marks & Mark.CUT]
        assert [len(line.raw) for line in cut] == [1_000, 1_000]
        assert running.listener.counts().connections["tcp", "cut"] == 2
        assert sum(line.raw == b"<13>meanwhile" for line in running.lines) == 11


@pytest.mark.feature("I2")
def test_what_is_no_relp_is_sent_away_and_the_others_go_on() -> None:
    with Running("relp") as running:
        with running.connect("relp") as wrong:
            wrong.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert wrong.recv(10) == b""
        with running.connect("relp") as right:
            right.sendall(b"1 open 14 relp_version=0\n2 syslog 8 <13>here\n")
            running.until(b"<13>here")
        assert running.listener.counts().connections["relp", "protocol"] == 1


# --- TLS -----------------------------------------------------------------------------------------------------------


def client(ca: Path, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    if certificate:
        context.load_cert_chain(*map(str, certificate))
    return context


def say(running: Running, context: ssl.SSLContext, text: bytes) -> bytes:
    """One message by TLS, sent and closed at once; the server's certificate."""
    with context.wrap_socket(running.connect("tls"), server_hostname="127.0.0.1") as sender:
        sender.sendall(b"%d %b" % (len(text), text))
        return sender.getpeercert(binary_form=True) or b""


def settings(certificate: tuple[Path, Path], ca: Path | None = None, clients: Sequence[str] = ()) -> Tls:
    return Tls(TlsSettings(str(certificate[0]), str(certificate[1]), str(ca or ""), tuple(clients)))


@pytest.mark.feature("I2")
def test_senders_that_send_and_close_at_once_lose_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = client(authority.ca)
    with Running("tls", tls=settings(authority.issue("desk"))) as running:
        for n in range(20):
            say(running, context, b"<13>once %d" % n)
        running.until(*(b"<13>once %d" % n for n in range(20)))


@pytest.mark.feature("I2")
def test_only_clients_of_the_list_may_send(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "a"), Authority(tmp_path / "b", "Other")
    named, printed, other = ours.issue("relay-1"), ours.issue("relay-2"), ours.issue("relay-3")
    clients = ("RELAY-1", fingerprint(printed[0]).upper().replace("SHA256", "sha256"))
    with Running("tls", tls=settings(ours.issue("desk"), ours.ca, clients)) as running:
        say(running, client(ours.ca, named), b"<13>by name")
        say(running, client(ours.ca, printed), b"<13>by fingerprint")
        for number, refused in enumerate((None, other, theirs.issue("relay-1", "forged"))):
            with contextlib.suppress(OSError):
                say(running, client(ours.ca, refused), b"<13>refused %d" % number)
        running.until(b"<13>by name", b"<13>by fingerprint")
        what = {name: n for (by, name), n in running.listener.counts().connections.items() if by == "tls"}
        wait_until(
            lambda: (
                running.listener.counts().connections.get(("tls", "refused")) == 1
                and running.listener.counts().connections.get(("tls", "handshake")) == 2
            ),
            what=f"one refused, two without a handshake: {what}",
        )
        assert {line.raw for line in running.lines} == {b"<13>by name", b"<13>by fingerprint"}


@pytest.mark.feature("I2")
def test_a_certificate_is_renewed_without_a_restart_and_a_broken_one_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("desk")
    tls = settings(files)
    with Running("tls", tls=tls) as running:
        context = client(authority.ca)
        with context.wrap_socket(running.connect("tls"), server_hostname="127.0.0.1") as old:
            first = old.getpeercert(binary_form=True)
            authority.issue("desk")
            wait_until(lambda: say(running, context, b"<13>new") != first, 15, "the new certificate", every=0.2)
            old.sendall(b"<13>the old connection lives\n")
            running.until(b"<13>the old connection lives")
            files[0].write_text("half written")
            wait_until(lambda: bool(say(running, context, b"<13>still")) and bool(tls.problem), 15, "it to be told")
        assert not running.listener.problem()


# --- sockets that others opened ------------------------------------------------------------------------------------

LAUNCH = (
    'exec 3<&"$UDP_FD" 4<&"$TCP_FD"; export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=udp:tcp; '
    'exec "$PYTHON" -m servicedesk syslog'
)


def environment(folder: Path, url: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SERVICEDESK_")}
    off = {f"SERVICEDESK_SYSLOG_{name}_BIND": "" for name in ("UDP", "TCP", "TLS", "RELP")}
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    rule = "schema: 1\nsyslog:\n  - {id: all, title: All, match: {severity: debug}, action: keep}\n"
    (folder / "rules" / "all.yaml").write_text(rule)
    own = {"SERVICEDESK_DATA_DIR": str(folder), "SERVICEDESK_DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    return kept | off | own | {"SERVICEDESK_RULES": str(folder / "rules")} | more


@contextlib.contextmanager
def process(command: list[str], env: dict[str, str], log: Path, fds: Sequence[int] = ()) -> Iterator[None]:
    """`servicedesk syslog`, until it says that it listens; ended by TERM."""
    with open(log, "wb") as out:
        started = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT, pass_fds=fds)
    try:
        wait_until(lambda: b"Syslog: " in log.read_bytes(), 30, f"it to listen: {log.read_text()}")
        yield
    finally:
        started.terminate()
        assert started.wait(20) == 0, log.read_text()


@pytest.mark.feature("I2", "O8")
def test_sockets_handed_over_by_systemd_are_served(sqlite_database: str, tmp_path: Path) -> None:
    shell = shutil.which("bash")
    if shell is None:
        missing.lacking("bash")
    assert shell is not None
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.create_server(("127.0.0.1", 0), backlog=64) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        udp.bind(("127.0.0.1", 0))
        sender.sendto(b"<13>before it began", udp.getsockname())
        fds = {"UDP_FD": str(udp.fileno()), "TCP_FD": str(tcp.fileno()), "PYTHON": sys.executable}
        env = environment(tmp_path, sqlite_database, **fds)
        with process([shell, "-c", LAUNCH], env, tmp_path / "log", (udp.fileno(), tcp.fileno())):
            with socket.create_connection(tcp.getsockname()) as stream:
                stream.sendall(b"<13>by tcp\n")
            wait_until(lambda: len(stored(sqlite_database)) == 2, 20, "both lines")
        assert {(r.by, r.line) for r in stored(sqlite_database)} == {
            ("udp", "<13>before it began"),
            ("tcp", "<13>by tcp"),
        }


@pytest.mark.feature("I2", "O6")
@pytest.mark.postgres
def test_two_processes_share_the_ports(postgres_database: str, tmp_path: Path) -> None:
    ports = {"UDP": free_port(), "TCP": free_port()}
    binds = {f"SERVICEDESK_SYSLOG_{name}_BIND": f"127.0.0.1:{port}" for name, port in ports.items()}
    command = [sys.executable, "-m", "servicedesk", "syslog"]
    env = environment(tmp_path, postgres_database, **binds)
    count = 60
    with process(command, env, tmp_path / "one.log"), process(command, env, tmp_path / "two.log"):
        threads = [threading.Thread(target=_send, args=(ports, n)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: len(stored(postgres_database)) == 2 * count, 30, "every line once")
    taken = _received(postgres_database)
    assert len(taken) == 2
    assert sum(taken) == 2 * count
    assert min(taken) > 0, "one process took all"


def _send(ports: dict[str, int], n: int) -> None:
    """From a port of its own, so that the system spreads them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.sendto(b"<13>datagram %d" % n, ("127.0.0.1", ports["UDP"]))
    with socket.create_connection(("127.0.0.1", ports["TCP"])) as stream:
        stream.sendall(b"<13>stream %d\n" % n)


def _received(url: str) -> list[int]:
    """Lines that each listening process took."""
    from datetime import UTC, datetime

    from servicedesk.store.db import Database
    from servicedesk.store.views import syslog as views

    database = Database(url, lambda: datetime.now(UTC))
    try:
        with database.read() as tx:
            return [sum(run.received.values()) for run in views.listeners(tx)]
    finally:
        database.close()
