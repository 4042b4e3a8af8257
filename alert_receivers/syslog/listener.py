"""Listens for syslog and hands batches of lines to whoever stores them. Knows nothing of what becomes of them.

`on_batch` is given up to `batch_lines` lines, at the latest `linger` seconds after the first of them came, from one of
`workers` threads. When it returns, the lines are safe and RELP senders are told; when it raises, it is called again
with the same lines, later and later, while everything before it fills up and senders are held back.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .inbox import Inbox
from .line import TRANSPORTS, Line, Transport
from .streams import Streams
from .tls import Tls
from .udp import UdpThread, drops, enlarge

OnBatch = Callable[[Sequence[Line]], None]
OnTrouble = Callable[[Exception, int], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is bounded. max_lines, max_bytes: of what waits, for datagrams and for streams each."""

    message: int = 65_536
    connections: int = 4_096
    udp_buffer: int = 16 << 20
    max_lines: int = 100_000
    max_bytes: int = 64 << 20
    batch_lines: int = 2_000
    linger: float = 0.05
    linger_hurried: float = 0.005
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the start. received: lines taken from senders; kernel_drops: datagrams that the kernel threw away.

    lost: lines that were taken and could not be stored before the end. connections: by (transport, what): opened,
    refused, handshake, protocol, cut.
    """

    received: dict[Transport, int]
    kernel_drops: int
    lost: dict[Transport, int]
    connections: dict[tuple[Transport, str], int]


class Listener:
    """`add` sockets, `start`, later `stop`. One for a process."""

    def __init__(
        self, on_batch: OnBatch, on_trouble: OnTrouble, limits: Limits | None = None, tls: Tls | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.tls = tls
        self._on_batch, self._on_trouble = on_batch, on_trouble
        self._inbox = Inbox(self.limits.max_lines, self.limits.max_bytes)
        self._streams = Streams(self._inbox, self.limits.message, self.limits.connections, tls)
        self._udp: list[tuple[socket.socket, UdpThread]] = []
        self._workers = [
            threading.Thread(target=self._work, name=f"syslog-store-{i}", daemon=True)
            for i in range(self.limits.workers)
        ]
        self._stopping = threading.Event()
        self._give_up = float("inf")
        self._lost: dict[Transport, int] = dict.fromkeys(TRANSPORTS, 0)
        self._lock = threading.Lock()
        self._addresses: list[tuple[Transport, str, int]] = []

    @property
    def addresses(self) -> list[tuple[Transport, str, int]]:
        """(transport, host, port) of every socket; the port that was really taken."""
        return list(self._addresses)

    @property
    def waiting(self) -> int:
        """Lines that are not stored yet."""
        return self._inbox.waiting

    @property
    def connected(self) -> int:
        return self._streams.connected

    def add(self, transport: Transport, sock: socket.socket) -> None:
        """Serve this socket, which is bound (and listening, unless it is for datagrams). Before `start`."""
        name = sock.getsockname()
        self._addresses.append((transport, str(name[0]), int(name[1])))
        if transport == "udp":
            enlarge(sock, self.limits.udp_buffer)
            self._udp.append((sock, UdpThread(sock, self._inbox, self.limits.message)))
        else:
            self._streams.listen(sock, transport)

    def start(self) -> None:
        for worker in self._workers:
            worker.start()
        self._streams.start()
        for _, thread in self._udp:
            thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Take nothing more, store what is here, answer, close. What cannot be stored within `timeout` is lost."""
        self._give_up = time.monotonic() + timeout
        for _, thread in self._udp:
            thread.stop()
        self._streams.stop_reading()
        for _, thread in self._udp:
            thread.join(1.0)
        self._inbox.close()
        self._stopping.set()
        for worker in self._workers:
            worker.join(max(self._give_up - time.monotonic(), 0.0) + 1.0)
        self._streams.stop(2.0)
        for sock, thread in self._udp:
            thread.dropped = drops(sock)
            sock.close()

    def problem(self) -> str | None:
        """For readiness: which thread is dead, or None."""
        threads = [*self._workers, self._streams, *(thread for _, thread in self._udp)]
        dead = [thread.name for thread in threads if not thread.is_alive()]
        return f"not running: {', '.join(dead)}" if dead and not self._stopping.is_set() else None

    def counts(self) -> Counts:
        received: dict[Transport, int] = {t: self._streams.received[t] for t in TRANSPORTS}
        received["udp"] = sum(thread.received for _, thread in self._udp)
        connections = dict(self._streams.counts)
        connections["udp", "cut"] = sum(thread.cut for _, thread in self._udp)
        with self._lock:
            lost = dict(self._lost)
        lost["udp"] += sum(thread.late for _, thread in self._udp)
        kernel = sum(drops(sock) if sock.fileno() >= 0 else thread.dropped for sock, thread in self._udp)
        return Counts(received, kernel, lost, connections)

    def _work(self) -> None:
        limits = self.limits
        while batch := self._inbox.take(limits.batch_lines, limits.linger, limits.linger_hurried):
            if self._store(batch):
                self._streams.safe(batch)
            else:
                with self._lock:
                    for line in batch:
                        self._lost[line.transport] += 1

    def _store(self, batch: Sequence[Line]) -> bool:
        """Until it is stored; False when the end came before."""
        pause, tries = 0.05, 0
        while True:
            try:
                self._on_batch(batch)
                return True
            except Exception as error:  # noqa: BLE001 - whatever it is: a line that was taken is not given up
                tries += 1
                self._on_trouble(error, tries)
            if time.monotonic() >= self._give_up:
                return False
            self._stopping.wait(pause) if not self._stopping.is_set() else time.sleep(min(pause, 0.2))
            pause = min(pause * 2, 2.0)
