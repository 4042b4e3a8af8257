"""TCP, DNS, TLS and ping against real listeners, name servers, certificates and the loopback itself."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from servicedesk.clients import icmp
from servicedesk.domain.checks import FAIL, INCONCLUSIVE, PASS
from tests.checks.conftest import Desk, Listener, certificate
from tests.support.programs import Program
from tests.support.server import free_port

pytestmark = pytest.mark.feature("P3")

# --- TCP --------------------------------------------------------------------------------------------------------------


def test_an_open_port_and_a_greeting(asking: Desk, listen: Callable[..., Listener]) -> None:
    listener = listen(lambda connection: connection.sendall(b"220 mail.example.org ESMTP\r\n"))
    found = asking.run({"type": "tcp", "host": "127.0.0.1", "port": listener.port})
    assert found.verdict == PASS
    assert "accepts connections (127.0.0.1, " in found.summary
    greeted = asking.run({"type": "tcp", "host": "127.0.0.1", "port": listener.port, "greeting": "^220 .*ESMTP"})
    assert (greeted.verdict, "220 mail.example.org ESMTP" in greeted.summary) == (PASS, True)
    other = asking.run({"type": "tcp", "host": "127.0.0.1", "port": listener.port, "greeting": "^SSH-2.0"})
    assert other.verdict == FAIL


def test_a_closed_port_and_a_silent_one(asking: Desk, listen: Callable[..., Listener]) -> None:
    found = asking.run({"type": "tcp", "host": "127.0.0.1", "port": free_port()})
    assert (found.verdict, "connection refused" in found.summary) == (FAIL, True)
    silent = threading.Event()
    listener = listen(lambda _connection: silent.wait(5) and None)
    check = {"type": "tcp", "host": "127.0.0.1", "port": listener.port, "greeting": ".", "timeout": 0.3}
    found = asking.run(check)
    silent.set()
    assert (found.verdict, "says nothing" in found.summary) == (FAIL, True)


def test_host_and_port_of_one_label(asking: Desk, listen: Callable[..., Listener]) -> None:
    listener = listen()
    desk = asking.taking(instance="host", at="port")
    check = {"type": "tcp", "host": "${instance}", "port": "${at}"}
    labels = {"instance": f"127.0.0.1:{listener.port}", "at": f"127.0.0.1:{listener.port}"}
    assert desk.run(check, labels).verdict == PASS


def test_a_name_without_an_address(asking: Desk) -> None:
    found = asking.run({"type": "tcp", "host": "no-such-host.invalid", "port": 80})
    assert found.verdict in (FAIL, INCONCLUSIVE)
    assert "no-such-host.invalid" in found.summary


# --- DNS --------------------------------------------------------------------------------------------------------------

ZONE = {
    ("shop.example.org.", "A"): ["192.0.2.7", "192.0.2.8"],
    ("example.org.", "MX"): ["10 mail.example.org."],
    ("example.org.", "TXT"): ['"v=spf1 -all"'],
    ("_db._tcp.example.org.", "SRV"): ["1 5 5432 db1.example.org."],
    ("1.2.0.192.in-addr.arpa.", "PTR"): ["gw.example.org."],
    ("example.org.", "SOA"): ["ns.example.org. root.example.org. 7 3600 600 86400 60"],
}


class NameServer:
    """Answers from ZONE over UDP; counts questions; a name that begins with `slow` gets no answer."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.asked: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            question = dns.message.from_wire(raw)
            name, kind = question.question[0].name.to_text(), dns.rdatatype.to_text(question.question[0].rdtype)
            self.asked.append(f"{kind} {name}")
            if name.startswith("slow"):
                continue
            answer = dns.message.make_response(question)
            texts = ZONE.get((name, kind))
            if texts:
                answer.answer.append(dns.rrset.from_text_list(name, 300, "IN", kind, texts))
            elif not any(known == name for known, _ in ZONE):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self.socket.sendto(answer.to_wire(), peer)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


@pytest.mark.parametrize(
    ("name", "record", "expect", "answer"),
    [
        ("shop.example.org", "A", r"^192\.0\.2\.", "192.0.2.7, 192.0.2.8"),
        ("example.org", "MX", "mail", "10 mail.example.org."),
        ("example.org", "TXT", "spf1", '"v=spf1 -all"'),
        ("_db._tcp.example.org", "SRV", "5432", "1 5 5432 db1.example.org."),
        ("example.org", "SOA", "", "ns.example.org. root.example.org. 7 3600 600 86400 60"),
        ("192.0.2.1", "PTR", "gw", "gw.example.org."),
    ],
)
def test_records_of_a_chosen_server(
    asking: Desk, names: NameServer, name: str, record: str, expect: str, answer: str
) -> None:
    check = {"type": "dns", "name": name, "record": record, "server": "127.0.0.1", "port": names.port, "expect": expect}
    found = asking.run(check)
    assert found.verdict == PASS, found
    assert answer in found.summary
    assert "TTL 300 s" in found.summary


def test_what_is_not_there_fails_unless_it_must_be_absent(asking: Desk, names: NameServer) -> None:
    check: dict[str, Any] = {"type": "dns", "name": "gone.example.org", "server": "127.0.0.1", "port": names.port}
    assert "NXDOMAIN" in asking.run(check).summary
    assert [asking.run(check | {"absent": a}).verdict for a in (False, True)] == [FAIL, PASS]
    empty = check | {"name": "example.org", "record": "AAAA"}
    assert "no AAAA record" in asking.run(empty).summary
    wrong = check | {"name": "shop.example.org", "expect": "^10"}
    assert (asking.run(wrong).verdict, asking.run(wrong | {"absent": True}).verdict) == (FAIL, FAIL)


def test_a_silent_name_server(asking: Desk, names: NameServer) -> None:
    check = {"type": "dns", "name": "slow.example.org", "server": "127.0.0.1", "port": names.port, "timeout": 0.4}
    found = asking.run(check)
    assert (found.verdict, "did not answer within 0.4 s" in found.summary) == (FAIL, True)


@pytest.mark.real
def test_a_real_name_server(asking: Desk, tmp_path: Path) -> None:
    program = Program(tmp_path, "dnsmasq", optional=True)
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.5 db1.example.org\n")
    options = ["--no-daemon", "--no-resolv", "--no-hosts", f"--addn-hosts={hosts}", f"--port={program.port}"]
    options += ["--listen-address=127.0.0.1", "--bind-interfaces", "--conf-file=/dev/null", "--user=root"]
    options += ["--pid-file", "--mx-host=example.org,mail.example.org,10", "--local=/example.org/"]
    program.spawn(*options)
    try:
        program.until_tcp()
        at = {"type": "dns", "server": "127.0.0.1", "port": program.port}
        assert "192.0.2.5" in asking.run(at | {"name": "db1.example.org"}).summary
        assert asking.run(at | {"name": "db1.example.org", "tcp": True}).verdict == PASS
        assert asking.run(at | {"name": "example.org", "record": "MX", "expect": "mail"}).verdict == PASS
        assert "NXDOMAIN" in asking.run(at | {"name": "none.example.org"}).summary
    finally:
        program.stop()


# --- TLS --------------------------------------------------------------------------------------------------------------


def serving(
    listen: Callable[..., Listener], folder: Path, days: float, before: Callable[..., None] | None = None
) -> Any:
    context = certificate(folder, days).context()

    def serve(connection: socket.socket) -> None:
        if before is not None:
            before(connection)
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    return listen(serve)


@pytest.mark.parametrize(
    ("days", "verdict", "words"),
    [(90, PASS, "ends in 90.0 days"), (5, FAIL, "expected 14 days or more"), (-3, FAIL, "ended 3.0 days ago")],
)
def test_when_a_certificate_ends(
    asking: Desk, listen: Callable[..., Listener], tmp_path: Path, days: float, verdict: str, words: str
) -> None:
    port = serving(listen, tmp_path, days).port
    found = asking.run({"type": "tls", "host": "127.0.0.1", "port": port, "trusted": False})
    assert (found.verdict, words in found.summary) == (verdict, True), found
    assert ("subject", "CN=localhost") in found.rows
    assert dict(found.rows)["names"] == "localhost, 127.0.0.1"
    assert found.value == pytest.approx(days, abs=0.01)


def test_whether_it_is_trusted(
    asking: Desk, listen: Callable[..., Listener], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = serving(listen, tmp_path, 90).port
    check = {"type": "tls", "host": "127.0.0.1", "port": port}
    found = asking.run(check)
    assert (found.verdict, "not trusted" in found.summary) == (FAIL, True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost-90.pem"))
    assert asking.run(check | {"name": "localhost"}).verdict == PASS
    found = asking.run(check | {"name": "other.example.org"})
    assert (found.verdict, "not valid for" in found.summary) == (FAIL, True)


def smtp(connection: socket.socket) -> None:
    connection.sendall(b"220 mx\r\n")
    connection.recv(100)
    connection.sendall(b"250-mx\r\n250 STARTTLS\r\n")
    connection.recv(100)
    connection.sendall(b"220 go ahead\r\n")


def postgres(connection: socket.socket) -> None:
    assert connection.recv(8) == b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
    connection.sendall(b"S")


@pytest.mark.parametrize(("kind", "talk"), [("smtp", smtp), ("postgres", postgres)])
def test_starttls(
    asking: Desk, listen: Callable[..., Listener], tmp_path: Path, kind: str, talk: Callable[..., None]
) -> None:
    port = serving(listen, tmp_path, 90, talk).port
    check = {"type": "tls", "host": "127.0.0.1", "port": port, "trusted": False, "starttls": kind}
    assert asking.run(check).verdict == PASS


def test_a_port_that_speaks_no_tls(asking: Desk, listen: Callable[..., Listener]) -> None:
    listener = listen(lambda connection: connection.sendall(b"HTTP/1.0 400 no\r\n\r\n"))
    check = {"type": "tls", "host": "127.0.0.1", "port": listener.port}
    assert asking.run(check).verdict == FAIL
    refuses = listen(lambda connection: connection.recv(8) and connection.sendall(b"N"))
    found = asking.run(check | {"port": refuses.port, "starttls": "postgres"})
    assert (found.verdict, "does not begin TLS" in found.summary) == (FAIL, True)


# --- ping -------------------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_loopback_echoes(asking: Desk, host: str) -> None:
    found = asking.run({"type": "ping", "host": host, "count": 2})
    if found.verdict == INCONCLUSIVE:
        assert "ping_group_range" in found.summary
        pytest.skip(found.summary)
    if ":" in host and found.verdict == FAIL:
        pytest.skip("no IPv6 on this machine")
    assert found.verdict == PASS, found
    assert found.summary.startswith(f"2 of 2 echoes from {host}, mean ")


def test_without_the_right_it_is_inconclusive(asking: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Any:
        raise PermissionError

    monkeypatch.setattr(icmp.socket, "socket", refused)
    found = asking.run({"type": "ping", "host": "127.0.0.1", "count": 1})
    assert (found.verdict, "CAP_NET_RAW" in found.summary) == (INCONCLUSIVE, True)
