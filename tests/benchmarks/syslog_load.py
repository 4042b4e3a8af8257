"""Senders of the syslog benchmark, as a process of their own: as many lines as wanted, at a pace or unbounded.

    python -m tests.benchmarks.syslog_load TRANSPORT PORT COUNT RATE

TRANSPORT udp | tcp | tls | relp; RATE lines a second, 0 unbounded. Prints the seconds that sending took.
"""

from __future__ import annotations

import random
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator

DISTINCT, HOSTS, BLOCK, WINDOW = 20_000, 200, 100, 1_000
# (facility, severity, program, text, weight): a quarter is an error or worse, as on a bad day
TEXTS = (
    (4, 6, "sshd", "Accepted publickey for {u} from {ip} port {n} ssh2: ED25519 SHA256:q1V0c3", 8),
    (4, 5, "sshd", "Failed password for invalid user {u} from {ip} port {n} ssh2", 6),
    (9, 6, "CRON", "({u}) CMD (/usr/lib/check {n} >/dev/null 2>&1)", 10),
    (0, 3, "kernel", "blk_update_request: I/O error, dev sdb, sector {n} op 0x0:(READ) flags 0x80700", 4),
    (3, 6, "systemd", "Started Session {n} of user {u}.", 16),
    (3, 3, "systemd", "app-{n}.service: Main process exited, code=exited, status=1/FAILURE", 6),
    (16, 6, "nginx", '{ip} - - "GET /api/v1/items/{n} HTTP/1.1" 200 5123 "-" "curl/7.88.1" rt=0.012', 30),
    (16, 3, "nginx", "*{n} connect() failed (111: Connection refused) while connecting to upstream, client: {ip}", 8),
    (18, 7, "app", 'level=debug caller=worker.go:{n} msg="poll finished" queue=orders duration=13ms', 6),
    (18, 3, "app", 'level=error caller=client.go:{n} msg="request failed" err="dial tcp {ip}:5432: i/o timeout"', 6),
)


def lines() -> list[bytes]:
    rng, made = random.Random(1), []
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for facility, severity, app, text, _ in rng.choices(TEXTS, [t[4] for t in TEXTS], k=DISTINCT):
        said = text.format(n=rng.randrange(65_000), u=f"user{rng.randrange(9)}", ip=f"192.0.2.{rng.randrange(1, 255)}")
        host = f"host-{rng.randrange(HOSTS):04d}.example.org"
        made.append(f"<{facility * 8 + severity}>1 {stamp} {host} {app} {rng.randrange(30_000)} - - {said}".encode())
    return made


def blocks(count: int, rate: float) -> Iterator[list[bytes]]:
    """The lines in blocks, each numbered, when they are due."""
    texts, sent, began, pause = lines(), 0, time.perf_counter(), threading.Event()
    while sent < count:
        size = min(BLOCK, count - sent)
        yield [b"%b seq=%d" % (texts[(sent + i) % DISTINCT], sent + i) for i in range(size)]
        sent += size
        if rate and (early := began + sent / rate - time.perf_counter()) > 0:
            pause.wait(early)


def datagrams(port: int, count: int, rate: float) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        for block in blocks(count, rate):
            for line in block:
                sock.send(line)


def stream(port: int, count: int, rate: float, tls: bool) -> None:
    sock = socket.create_connection(("127.0.0.1", port))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    with sock:
        for block in blocks(count, rate):
            sock.sendall(b"".join([b"%d %b" % (len(line), line) for line in block]))


def relp(port: int, count: int, rate: float) -> None:
    """With a window of WINDOW lines that are not answered yet; returns when all are."""
    answered, room = 0, threading.Condition()

    def listen() -> None:
        nonlocal answered
        held = b""
        while answered < count:
            data = sock.recv(65_536)
            if not data:
                return
            *whole, held = (held + data).split(b"\n")
            with room:
                answered += sum(b" rsp 6 200 OK" in frame for frame in whole)
                room.notify()

    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"1 open 30 relp_version=0\ncommands=syslog\n")
        sock.recv(4_096)
        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        sent = 0
        for block in blocks(count, rate):
            with room:
                room.wait_for(lambda: sent - answered < WINDOW)  # noqa: B023 - asked at once
            sock.sendall(b"".join([b"%d syslog %d %b\n" % (sent + i + 2, len(x), x) for i, x in enumerate(block)]))
            sent += len(block)
        listener.join(120)


def main(transport: str, port: int, count: int, rate: float) -> None:
    began = time.perf_counter()
    if transport == "udp":
        datagrams(port, count, rate)
    elif transport == "relp":
        relp(port, count, rate)
    else:
        stream(port, count, rate, transport == "tls")
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
