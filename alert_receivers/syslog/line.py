"""One line on its way from a socket to the store."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Transport = Literal["udp", "tcp", "tls", "relp"]
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp", "tls", "relp")


class Mark:
    """What its transport knows of a line: bits, as plain numbers, because every line is asked."""

    CUT = 1  # longer than the limit, or the connection ended within it
    CONTINUES = 2  # no priority, on a connection whose messages have one: likely the rest of the line before
    RESUMED = 4  # among the first of a RELP session: it may have come before
    AGAIN = 8  # it has come before


class Line(msgspec.Struct, gc=False):
    """One message without its frame. arrived: microseconds since 1970, UTC. peer: the sender's address, without port.

    session: numbers the RELP connections of a process. ticket: what the listener needs to answer, nobody else.
    """

    raw: bytes
    peer: str
    transport: Transport
    arrived: int
    marks: int = 0
    session: int = 0
    ticket: Any = None
