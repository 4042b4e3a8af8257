"""Datagrams: a thread that does nothing but receive and hand over, many at one call where the system can.

Python gives a busy thread up to 5 ms before another gets its turn, so a call for each datagram would lose most of a
flood. `recvmmsg` (Linux) brings up to 512 at once, through ctypes; elsewhere one at a time.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .inbox import UDP, Inbox
from .line import Line, Mark

MANY = 512
SLOT = 65_536  # more than a datagram can hold; only what is written to takes memory
PEERS_KEPT = 10_000
PAUSE = 0.25  # seconds until a stop is noticed
_SO_RCVBUFFORCE, _SO_MEMINFO = 33, 55
_MSG_WAITFORONE = 0x10000

Receive = Callable[[], list[tuple[bytes, str]]]


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr, 64 bytes where pointers have 8."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iov_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("received", ctypes.c_uint32),
    )


_NAME = 28  # sockaddr_in6


class _Many:
    """Buffers for one socket's `recvmmsg`."""

    def __init__(self, sock: socket.socket) -> None:
        self._fd, self._libc = sock.fileno(), ctypes.CDLL(None, use_errno=True)
        self._space = mmap.mmap(-1, MANY * SLOT)
        self._names = ctypes.create_string_buffer(MANY * _NAME)
        self._vectors, self._messages = (_Iovec * MANY)(), (_Message * MANY)()
        begin, names = ctypes.addressof(ctypes.c_char.from_buffer(self._space)), ctypes.addressof(self._names)
        for i in range(MANY):
            self._vectors[i] = _Iovec(begin + i * SLOT, SLOT)
            message = self._messages[i]
            message.name, message.name_length = names + i * _NAME, _NAME
            message.iov, message.iov_count = ctypes.addressof(self._vectors[i]), 1
        self._lengths = memoryview(self._messages).cast("B").cast("I")[_Message.received.offset // 4 :: 16]
        self._bytes, self._name_bytes = memoryview(self._space), memoryview(self._names).cast("B")
        self._peers: dict[bytes, str] = {}

    def __call__(self) -> list[tuple[bytes, str]]:
        got = self._libc.recvmmsg(self._fd, self._messages, MANY, _MSG_WAITFORONE, None)
        if got < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        space, names, peers = self._bytes, self._name_bytes, self._peers
        found = []
        for i, length in enumerate(self._lengths[:got].tolist()):
            name = bytes(names[i * _NAME : i * _NAME + _NAME])
            key = name[4:8] if name[0] == socket.AF_INET else name[8:24]
            peer = peers.get(key)
            if peer is None:
                peer = self._remember(key)
            found.append((bytes(space[i * SLOT : i * SLOT + length]), peer))
        return found

    def _remember(self, key: bytes) -> str:
        if len(self._peers) >= PEERS_KEPT:
            self._peers.clear()
        peer = self._peers[key] = readable(socket.inet_ntop(socket.AF_INET if len(key) == 4 else socket.AF_INET6, key))
        return peer


def readable(address: str) -> str:
    """An IPv4 sender on a socket for both looks like an IPv6 one."""
    return address.removeprefix("::ffff:") if "." in address else address


def enlarge(sock: socket.socket, size: int) -> int:
    """Ask for a receive buffer of `size` bytes, past the system's limit where we may; answers what was given."""
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF) if sys.platform == "linux" else (socket.SO_RCVBUF,):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, size)
            break
        except OSError:
            continue
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def drops(sock: socket.socket) -> int:
    """Datagrams that the kernel threw away because the buffer was full, since the socket was made; 0 if unknown."""
    try:
        counters = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
        return int(struct.unpack("9I", counters)[8])
    except (OSError, struct.error):
        return _drops_listed(sock)


def _drops_listed(sock: socket.socket) -> int:
    """As /proc/net/udp tells, for kernels before 4.12."""
    try:
        inode = str(os.fstat(sock.fileno()).st_ino)
        for file in ("/proc/net/udp", "/proc/net/udp6"):
            for row in Path(file).read_text().splitlines()[1:]:
                columns = row.split()
                if columns[9] == inode:
                    return int(columns[12])
    except (OSError, IndexError, ValueError):
        return 0
    return 0


def _one_by_one(sock: socket.socket) -> Receive:
    def receive() -> list[tuple[bytes, str]]:
        data, name = sock.recvfrom(SLOT)
        return [(data, readable(name[0]))]

    return receive


def receiver(sock: socket.socket) -> Receive:
    """The fastest way to receive here. The answer blocks for at most PAUSE and raises OSError."""
    sock.setblocking(True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, int(PAUSE * 1e6)))
    if sys.platform == "linux" and ctypes.sizeof(_Message) == 64:
        return _Many(sock)
    return _one_by_one(sock)


class UdpThread(threading.Thread):
    """Receives from one socket into the inbox until it is told to stop. Full inbox: it waits, and the kernel drops."""

    def __init__(self, sock: socket.socket, inbox: Inbox, limit: int) -> None:
        super().__init__(name="syslog-udp", daemon=True)
        self._sock, self._inbox, self._limit = sock, inbox, limit
        self._receive, self._stopping = receiver(sock), threading.Event()
        self.received = self.cut = self.late = self.dropped = 0

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                found = self._receive()
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EINTR, errno.ECONNREFUSED):
                    raise
                continue
            self._hand_over(found)

    def stop(self) -> None:
        self._stopping.set()

    def _hand_over(self, found: list[tuple[bytes, str]]) -> None:
        arrived, limit = time.time_ns() // 1000, self._limit
        lines, size = [], 0
        for data, peer in found:
            size += len(data)
            arrived += 1  # so that lines keep their order
            if len(data) > limit:
                lines.append(Line(data[:limit], peer, "udp", arrived, Mark.CUT))
                self.cut += 1
            else:
                lines.append(Line(data, peer, "udp", arrived))
        self.received += len(lines)
        if not self._inbox.put(UDP, lines, size):
            self.late += len(lines)
