"""TCP, TLS and RELP: one thread and a selector for all connections, so that idle and slow ones cost nothing.

Nothing here waits for anybody: a sender that begins a message and never ends it holds a buffer of its own, one that
never ends its handshake is sent away, and when the store is slow nobody is read until there is room (back-pressure
reaches the senders' own queues).
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from .framing import Frame, Framer
from .inbox import STREAM, Inbox
from .line import Line, Mark, Transport
from .relp import ProtocolError, Session
from .tls import Tls
from .udp import readable

CHUNK = 1 << 16
READS = 8  # chunks of one connection before the others get their turn
ACCEPTS = 64  # connections taken at one go
HANDSHAKE = 10.0  # seconds that a TLS handshake may take
LATELY = 256  # messages of a RELP session that may have come before: more than its sender's window
UNSENT = 1 << 20  # octets of answers that a sender does not fetch, until it is not read any more
TICK = 0.5
_NOT_NOW = (ssl.SSLWantReadError, BlockingIOError, InterruptedError)


class Connection:
    """One sender's stream. reader: its framing."""

    __slots__ = (
        "begun",
        "handshaking",
        "peer",
        "reader",
        "received",
        "session",
        "sock",
        "spoke",
        "transport",
        "watched",
    )

    def __init__(self, sock: socket.socket, peer: str, transport: Transport, limit: int) -> None:
        self.sock, self.peer, self.transport = sock, peer, transport
        self.reader: Framer | Session = Session(limit) if transport == "relp" else Framer(limit)
        self.handshaking = transport == "tls"
        self.begun, self.received, self.session = time.monotonic(), 0, 0
        self.spoke = False  # has it sent a message with a priority?
        self.watched = selectors.EVENT_READ  # what the selector looks for


class Streams(threading.Thread):
    """The thread. counts: what happened to connections (opened, refused, handshake, protocol, cut), by transport."""

    def __init__(self, inbox: Inbox, limit: int, max_connections: int, tls: Tls | None) -> None:
        super().__init__(name="syslog-streams", daemon=True)
        self._inbox, self._limit, self._max, self._tls = inbox, limit, max_connections, tls
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._again: deque[Connection] = deque()  # TLS has read ahead of us
        self._safe: deque[Iterable[Line]] = deque()
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._reading, self._stopping = True, threading.Event()
        self._deaf_until: float | None = None
        self._looked = time.monotonic()
        self._listeners: list[tuple[socket.socket, Transport]] = []
        self.counts: Counter[tuple[Transport, str]] = Counter()
        self.received: Counter[Transport] = Counter()

    def listen(self, sock: socket.socket, transport: Transport) -> None:
        """Before `start`."""
        sock.setblocking(False)
        self._listeners.append((sock, transport))
        self._selector.register(sock, selectors.EVENT_READ, transport)

    @property
    def connected(self) -> int:
        return len(self._connections)

    def safe(self, lines: Iterable[Line]) -> None:
        """These lines are stored: their senders are told. From any thread."""
        self._safe.append(lines)
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake.send(b"x")

    def stop_reading(self) -> None:
        self._reading = False

    def stop(self, timeout: float) -> None:
        """Tells senders what is safe, then closes every connection."""
        self._stopping.set()
        self.safe(())
        self.join(timeout)

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._round()
            self._answer()
        finally:
            for connection in list(self._connections):
                self._close(connection)
            for sock in (*(listener for listener, _ in self._listeners), self._woken, self._wake):
                sock.close()
            self._selector.close()

    def _round(self) -> None:
        if not self._reading or not self._inbox.wait_for_room(STREAM, 0.02):
            self._drain_wake()
            self._answer()
            if not self._reading:
                self._stopping.wait(0.02)
            return
        for key, events in self._selector.select(0 if self._again else TICK):
            if key.data is None:
                self._drain_wake()
            elif isinstance(key.data, Connection):
                self._serve(key.data, events)
            else:
                self._accept(key.fileobj, key.data)
        for _ in range(len(self._again)):
            self._read(self._again.popleft())
        self._answer()
        self._look_around()

    def _drain_wake(self) -> None:
        with contextlib.suppress(*_NOT_NOW):
            self._woken.recv(4096)

    # --- connections ------------------------------------------------------------------------------------------------

    def _accept(self, listener: Any, transport: Transport) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = listener.accept()
            except _NOT_NOW:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self.counts[transport, "refused"] += 1
                    self._deafen()
                return
            if len(self._connections) >= self._max:
                self.counts[transport, "refused"] += 1
                sock.close()
                continue
            try:
                self._open(sock, readable(str(address[0])), transport)
            except OSError:
                self.counts[transport, "handshake"] += 1
                sock.close()

    def _open(self, sock: socket.socket, peer: str, transport: Transport) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120)
        if transport == "tls":
            assert self._tls is not None  # noqa: S101 - nobody listens for TLS without it
            context = self._tls.context()
            sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        connection = Connection(sock, peer, transport, self._limit)
        connection.session = self.counts[transport, "opened"] + 1 if transport == "relp" else 0
        self._connections.add(connection)
        self.counts[transport, "opened"] += 1
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _close(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.sock)
        if isinstance(connection.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                connection.sock.unwrap()
        connection.sock.close()

    def _deafen(self) -> None:
        """No descriptor is left: whoever knocks stays in the queue for a moment, and we do not spin meanwhile."""
        if self._deaf_until is None:
            self._deaf_until = time.monotonic() + 0.2
            for sock, _ in self._listeners:
                self._selector.unregister(sock)

    def _look_around(self) -> None:
        now = time.monotonic()
        if self._deaf_until is not None and now >= self._deaf_until:
            self._deaf_until = None
            for sock, transport in self._listeners:
                self._selector.register(sock, selectors.EVENT_READ, transport)
        if now - self._looked >= 1.0:
            self._looked = now
            self._end_handshakes(now - HANDSHAKE)

    def _end_handshakes(self, late: float) -> None:
        for connection in [c for c in self._connections if c.handshaking and c.begun < late]:
            self.counts[connection.transport, "handshake"] += 1
            self._close(connection)

    # --- reading and answering --------------------------------------------------------------------------------------

    def _serve(self, connection: Connection, events: int) -> None:
        if connection not in self._connections:
            return
        if events & selectors.EVENT_WRITE:
            self._send(connection)
        if connection.handshaking:
            self._shake(connection)
        else:
            self._read(connection)

    def _shake(self, connection: Connection) -> None:
        sock = connection.sock
        assert isinstance(sock, ssl.SSLSocket)  # noqa: S101
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(connection, selectors.EVENT_READ)
            return
        except ssl.SSLWantWriteError:
            self._watch(connection, selectors.EVENT_WRITE)
            return
        except (OSError, ValueError):
            self.counts["tls", "handshake"] += 1
            self._close(connection)
            return
        assert self._tls is not None  # noqa: S101
        if not self._tls.admits(sock):
            self.counts["tls", "refused"] += 1
            self._close(connection)
            return
        connection.handshaking = False
        self._watch(connection, selectors.EVENT_READ)
        self._read(connection)

    def _watch(self, connection: Connection, events: int) -> None:
        if events != connection.watched:
            connection.watched = events
            self._selector.modify(connection.sock, events, connection)

    def _read(self, connection: Connection) -> None:
        if connection not in self._connections or not connection.watched & selectors.EVENT_READ:
            return
        for _ in range(READS):
            try:
                data = connection.sock.recv(CHUNK)
            except _NOT_NOW:
                return
            except (OSError, ValueError):
                data = b""
            if not data:
                self._finish(connection)
                return
            if not self._take(connection, data):
                return
        if isinstance(connection.sock, ssl.SSLSocket) and connection.sock.pending():
            self._again.append(connection)

    def _take(self, connection: Connection, data: bytes) -> bool:
        """Frames into the inbox; False when the connection is over."""
        reader = connection.reader
        if isinstance(reader, Framer):
            self._hand_over(connection, [(frame, None) for frame in reader.feed(data)])
            return True
        try:
            found = reader.feed(data)
        except ProtocolError:
            self.counts[connection.transport, "protocol"] += 1
            self._close(connection)
            return False
        self._hand_over(connection, found)
        self._send(connection)
        return connection in self._connections

    def _finish(self, connection: Connection) -> None:
        if isinstance(connection.reader, Framer):
            self._hand_over(connection, [(frame, None) for frame in connection.reader.end()])
        self._close(connection)

    def _hand_over(self, connection: Connection, found: list[tuple[Frame, object]]) -> None:
        if not found:
            return
        arrived, lines, size = time.time_ns() // 1000, [], 0
        for frame, token in found:
            arrived += 1  # so that lines keep their order
            marks = self._marks(connection, frame)
            ticket = None if token is None else (connection, token)
            peer, transport = connection.peer, connection.transport
            lines.append(Line(frame.data, peer, transport, arrived, marks, connection.session, ticket))
            size += len(frame.data)
        connection.received += len(lines)
        self.received[connection.transport] += len(lines)
        self._inbox.put(STREAM, lines, size, hurry=connection.transport == "relp")

    def _marks(self, connection: Connection, frame: Frame) -> int:
        marks = 0
        if frame.cut:
            marks |= Mark.CUT
            self.counts[connection.transport, "cut"] += 1
        if frame.data.startswith(b"<"):
            connection.spoke = True
        elif connection.spoke and not frame.counted:
            marks |= Mark.CONTINUES
        if connection.transport == "relp" and connection.received < LATELY:
            marks |= Mark.RESUMED
        return marks

    def _answer(self) -> None:
        """Tell RELP senders what is safe."""
        told: set[Connection] = set()
        while self._safe:
            for line in self._safe.popleft():
                if line.ticket is not None:
                    connection, token = line.ticket
                    connection.reader.done(token)
                    told.add(connection)
        for connection in told:
            self._send(connection)

    def _send(self, connection: Connection) -> None:
        session = connection.reader
        if connection not in self._connections or not isinstance(session, Session):
            return
        try:
            while session.outgoing:
                sent = connection.sock.send(session.outgoing)
                del session.outgoing[:sent]
        except _NOT_NOW:
            reads = 0 if len(session.outgoing) > UNSENT else selectors.EVENT_READ  # who does not fetch is not read
            self._watch(connection, selectors.EVENT_WRITE | reads)
            return
        except OSError:
            self._close(connection)
            return
        self._watch(connection, selectors.EVENT_READ)
        if session.over:
            self._close(connection)
