"""Messages out of a byte stream, as RFC 6587 describes it and as senders do it: decided frame by frame.

A frame that begins with a digit 1 to 9 is counted (`123 <34>1 …`); any other ends with a line feed. Some senders mix
both, some end counted frames with a line feed, too. A frame over the limit is cut and marked; what is cut off is
skipped exactly, so the stream never loses its step, and never more than the limit is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

LIMIT = 65_536
DIGITS = 9  # of a count: more is no count, and a gigabyte is skipped rather than trusted
_FILL = b"\n\r\0 "  # stands between frames where senders are generous


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. cut: it was longer than the limit, or the stream ended within it. counted: by octets."""

    data: bytes
    cut: bool = False
    counted: bool = False


class Framer:
    """One per connection. `feed` what was read, `end` when the sender closes."""

    __slots__ = ("_held", "_limit", "_lines", "_skip", "_skip_line")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._held = b""  # the beginning of a frame: at most the limit
        self._skip = 0  # octets of a counted frame that are over the limit
        self._skip_line = False  # until the line feed
        self._lines = False  # has this sender used line feeds?

    @property
    def held(self) -> int:
        """Octets that wait for the rest of their frame."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now. Linear in the length of `data` for any way of cutting a stream up."""
        data = self._held + data if self._held else data
        self._held = b""
        frames: list[Frame] = []
        at, end = self._skipped(data), len(data)
        while at < end:
            if data[at] in _FILL:
                at += 1
                continue
            begin, count = self._count(data, at)
            if count is None:
                break  # the count itself is not complete
            after = self._counted(data, begin, count, frames) if count else self._line(data, at, frames)
            if after is None:
                break
            at = after
        if at < end:
            self._held = data[at:]
        return frames

    def end(self) -> list[Frame]:
        """What is left when the stream ends: a last line without its line feed, or the start of a counted frame."""
        left, self._held = self._held, b""
        if not left:
            return []
        begin, count = self._count(left + b" ", 0)
        return [Frame(left[begin:], cut=True, counted=True)] if count and left[begin:] else [Frame(left)]

    def _skipped(self, data: bytes) -> int:
        """Where the next frame begins: after what is still to be skipped of the last one."""
        if self._skip:
            gone = min(self._skip, len(data))
            self._skip -= gone
            return gone
        if self._skip_line:
            feed = data.find(b"\n")
            self._skip_line = feed < 0
            return len(data) if feed < 0 else feed + 1
        return 0

    def _count(self, data: bytes, at: int) -> tuple[int, int | None]:
        """(where the message begins, its length): 0 for a line, None when more must be read to know."""
        if not 49 <= data[at] <= 57:
            return at, 0
        space = data.find(b" ", at, at + DIGITS + 1)
        digits = data[at : at + DIGITS + 1] if space < 0 else data[at:space]
        if not digits.isdigit() or (space < 0 and len(digits) > DIGITS):
            return at, 0
        if space < 0 or (self._lines and space + 1 >= len(data)):
            return at, None
        if self._lines and data[space + 1] != 60:  # "2026 Nov 21 …" of a sender of lines is no count
            return at, 0
        return space + 1, int(digits)

    def _counted(self, data: bytes, begin: int, count: int, frames: list[Frame]) -> int | None:
        kept = min(count, self._limit)
        if len(data) - begin < kept:
            return None
        frames.append(Frame(data[begin : begin + kept], cut=count > kept, counted=True))
        after = begin + count
        if after > len(data):
            self._skip = after - len(data)
            return len(data)
        return after

    def _line(self, data: bytes, at: int, frames: list[Frame]) -> int | None:
        feed = data.find(b"\n", at, at + self._limit + 1)
        if feed >= 0:
            self._lines = True
            frames.append(Frame(data[at:feed].rstrip(b"\r\0")))
            return feed + 1
        if len(data) - at <= self._limit:
            return None
        frames.append(Frame(data[at : at + self._limit], cut=True))
        self._lines = True
        feed = data.find(b"\n", at + self._limit)
        self._skip_line = feed < 0
        return len(data) if feed < 0 else feed + 1
