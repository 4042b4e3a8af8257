"""Sockets to listen on: bound here, or handed over by systemd (socket activation), so that port 514 needs no root."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from .line import TRANSPORTS, Transport

FIRST = 3  # file descriptor of the first socket that systemd hands over
BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one transport listens. host: "" is every address of the machine, IPv4 and IPv6."""

    transport: Transport
    host: str
    port: int


def bind(endpoint: Endpoint, reuse_port: bool = False) -> socket.socket:
    """A bound socket, listening already where that is needed. reuse_port: several processes share the port.

    Raises OSError.
    """
    kind = socket.SOCK_DGRAM if endpoint.transport == "udp" else socket.SOCK_STREAM
    family, address = _resolve(endpoint, kind)
    sock = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6 and not endpoint.host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port and hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _resolve(endpoint: Endpoint, kind: socket.SocketKind) -> tuple[int, tuple[object, ...]]:
    if not endpoint.host and socket.has_dualstack_ipv6():
        return socket.AF_INET6, ("::", endpoint.port)
    found = socket.getaddrinfo(endpoint.host or None, endpoint.port, type=kind, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return family, address


def handed_over(environ: MutableMapping[str, str]) -> list[tuple[Transport, socket.socket]]:
    """The sockets that systemd opened for this process (sd_listen_fds), and takes the variables away.

    A socket's transport is its name (`FileDescriptorName=` tls or relp); without one: udp for datagrams, else tcp.
    """
    wanted = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_FDNAMES", "")
    pid, count, names = wanted
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    found: list[tuple[Transport, socket.socket]] = []
    named = dict(enumerate(names.split(":")))
    for i in range(int(count)):
        sock = socket.socket(fileno=FIRST + i)
        sock.set_inheritable(False)
        found.append((_transport(sock, named, i), sock))
    return found


def _transport(sock: socket.socket, named: Mapping[int, str], index: int) -> Transport:
    name = named.get(index, "").lower().removesuffix(".socket").split("-")[-1]
    if sock.type == socket.SOCK_DGRAM:
        return "udp"
    for transport in TRANSPORTS[1:]:
        if name == transport:
            return transport
    return "tcp"
