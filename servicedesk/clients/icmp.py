"""Echo requests (RFC 792, RFC 4443) without a helper program: a datagram socket where the system lets one have it
(net.ipv4.ping_group_range), a raw one with the right CAP_NET_RAW.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time

from .address import Ip

_ECHO = {4: (8, 0), 6: (128, 129)}  # version → type of request, of reply
PAYLOAD = b"servicedesk check"


class NotPermitted(Exception):
    """The system lets this process send no echo requests."""


def ping(ip: Ip, count: int, every: float, wait: float) -> list[float | None]:
    """Round trips in seconds, None for each that was lost. Raises NotPermitted, OSError (no route)."""
    sock, raw = _socket(ip)
    mark = os.urandom(8)
    sent: dict[int, float] = {}
    found: dict[int, float] = {}
    with sock:
        for number in range(count):
            sent[number] = time.monotonic()
            sock.sendto(_request(ip, number, mark), (str(ip), 0))
            last = number == count - 1
            _collect(sock, ip, raw, mark, sent, found, wait if last else every)
    return [found.get(number) for number in range(count)]


def _socket(ip: Ip) -> tuple[socket.socket, bool]:
    family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if ip.version == 6 else socket.IPPROTO_ICMP
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol), kind == socket.SOCK_RAW
        except PermissionError:
            continue
    raise NotPermitted("this process may not send echo requests: widen net.ipv4.ping_group_range, or give CAP_NET_RAW")


def _request(ip: Ip, number: int, mark: bytes) -> bytes:
    kind = _ECHO[ip.version][0]
    identifier = os.getpid() & 0xFFFF  # a datagram socket puts its own; ours is known by the mark
    body = mark + PAYLOAD
    head = struct.pack("!BBHHH", kind, 0, 0, identifier, number)
    total = _checksum(head + body) if ip.version == 4 else 0  # the kernel sums ICMPv6
    return struct.pack("!BBHHH", kind, 0, total, identifier, number) + body


def _collect(
    sock: socket.socket, ip: Ip, raw: bool, mark: bytes, sent: dict[int, float], found: dict[int, float], wait: float
) -> None:
    """Take replies until the time is over, or all that were sent have come back."""
    end = time.monotonic() + wait
    while len(found) < len(sent) and (left := end - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            return
        packet, source = sock.recvfrom(2048)
        if raw and ip.version == 4:
            packet = packet[(packet[0] & 0x0F) * 4 :]
        if len(packet) < 16 or packet[0] != _ECHO[ip.version][1] or packet[8:16] != mark or source[0] != str(ip):
            continue
        number = struct.unpack("!H", packet[6:8])[0]
        if number in sent:
            found.setdefault(number, time.monotonic() - sent[number])


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
