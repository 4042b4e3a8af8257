"""The server's side of RELP, the protocol in which rsyslog keeps a message until it is told that it is safe.

A frame is `TXNR SP COMMAND SP DATALEN [SP DATA] LF`; the answer to TXNR is a frame `TXNR rsp …`. `open` is answered
with what is offered here, `syslog` with `200 OK` only once somebody says so (`done`), in the order in which messages
came, `close` when everything before it was answered. https://www.rsyslog.com/doc/relp.html (protocol version 0 and 1)
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from .framing import LIMIT, Frame

OFFER = b"200 OK\nrelp_version=0\nrelp_software=servicedesk\ncommands=syslog"
_HEAD = re.compile(rb"([0-9]{1,9}) ([a-zA-Z]{1,32}) ([0-9]{1,9})(?=[ \n])")
_LONGEST_HEAD = 9 + 1 + 32 + 1 + 9 + 1
_BEGINNING = re.compile(rb"[0-9]{0,9}(?: [a-zA-Z]{0,32}(?: [0-9]{0,9})?)?")


class ProtocolError(Exception):
    """What came is no RELP; the connection must be closed."""


@dataclass(slots=True, eq=False)
class _Owed:
    """An answer that is due. text: None until it may be given."""

    number: int
    text: bytes | None


class Session:
    """One connection. `feed` what was read, `done` what is safe; `outgoing` is what to send."""

    __slots__ = ("_closes", "_held", "_limit", "_opened", "_owed", "_skip", "outgoing", "over")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._held = b""
        self._skip = 0  # octets of a message over the limit
        self._owed: deque[_Owed] = deque()
        self._opened = self._closes = False
        self.outgoing = bytearray()
        self.over = False  # everything is said: close when `outgoing` is sent

    @property
    def waiting(self) -> int:
        """Messages that are not answered yet."""
        return len(self._owed)

    def feed(self, data: bytes) -> list[tuple[Frame, object]]:
        """Messages with the token to give to `done`. Raises ProtocolError."""
        data = self._held + data if self._held else data
        self._held = b""
        at = min(self._skip, len(data))
        self._skip -= at
        found: list[tuple[Frame, object]] = []
        while at < len(data) and not self._closes:
            if data[at] == 10:  # the line feed that ends a frame
                at += 1
                continue
            head = _HEAD.match(data, at)
            if head is None:
                self._check(data, at)
                break
            begin, length = head.end() + 1, int(head[3])
            kept = min(length, self._limit)
            if length and len(data) - begin < kept:
                break
            body = data[begin : begin + kept] if length else b""
            at = begin + length if length else head.end()
            self._take(int(head[1]), head[2], Frame(body, cut=length > kept, counted=True), found)
            if at > len(data):
                self._skip, at = at - len(data), len(data)
        self._held = data[at:] if not self._closes else b""
        self._answer()
        return found

    def done(self, token: object) -> None:
        """The message is safe: its sender may forget it."""
        if isinstance(token, _Owed):
            token.text = b"200 OK"
            self._answer()

    def _check(self, data: bytes, at: int) -> None:
        """Is this the beginning of a frame, as far as it is there?"""
        rest = data[at : at + _LONGEST_HEAD]
        if len(rest) >= _LONGEST_HEAD or not _BEGINNING.fullmatch(rest):
            raise ProtocolError(f"no RELP frame begins with {rest[:24]!r}")

    def _take(self, number: int, command: bytes, frame: Frame, found: list[tuple[Frame, object]]) -> None:
        if command == b"syslog":
            if not self._opened:
                raise ProtocolError("a message before the session was opened")
            owed = _Owed(number, None)
            self._owed.append(owed)
            found.append((frame, owed))
        elif command == b"open":
            self._opened = True
            self._owed.append(_Owed(number, OFFER))
        elif command == b"close":
            self._closes = True
            self._owed.append(_Owed(number, b""))
        elif command != b"rsp":
            self._owed.append(_Owed(number, b"500 unknown command"))

    def _answer(self) -> None:
        """Answers go out in the order of the messages: what is safe before its turn waits."""
        while self._owed and self._owed[0].text is not None:
            owed = self._owed.popleft()
            self.outgoing += frame(owed.number, owed.text or b"")
        if self._closes and not self._owed and not self.over:
            self.outgoing += b"0 serverclose 0\n"
            self.over = True


def frame(number: int, data: bytes, command: bytes = b"rsp") -> bytes:
    """One RELP frame."""
    return b"%d %b %d %b\n" % (number, command, len(data), data) if data else b"%d %b 0\n" % (number, command)
