"""Between the sockets and the store: bounded, in two lanes, so that a flood of datagrams keeps no stream waiting."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from .line import Line

UDP, STREAM = 0, 1
_OVERHEAD = 150  # bytes that a line costs beside its text
BUSY = 1_500.0  # lines a second from which on waiting for more of them pays; below, a crash shall cost few lines


class Inbox:
    """Lines that wait to be stored. Thread-safe. Full: `put` waits, `room` says no."""

    def __init__(self, max_lines: int, max_bytes: int) -> None:
        self._max_lines, self._max_bytes = max_lines, max_bytes
        self._changed = threading.Condition()
        self._lanes: tuple[deque[list[Line]], deque[list[Line]]] = (deque(), deque())
        self._lines, self._bytes = [0, 0], [0, 0]
        self._since: float | None = None  # when the oldest of them came
        self._hurry = self._closed = False
        self._taken_at, self._busy = time.monotonic(), False

    def room(self, lane: int) -> bool:
        return self._lines[lane] < self._max_lines and self._bytes[lane] < self._max_bytes

    @property
    def waiting(self) -> int:
        return self._lines[0] + self._lines[1]

    def put(self, lane: int, lines: list[Line], size: int, hurry: bool = False) -> bool:
        """Add lines of `size` bytes once there is room; False when the inbox was closed. hurry: their sender waits."""
        if not lines:
            return True
        with self._changed:
            while not self.room(lane) and not self._closed:
                self._changed.wait(1.0)
            if self._closed:
                return False
            self._lanes[lane].append(lines)
            self._lines[lane] += len(lines)
            self._bytes[lane] += size + len(lines) * _OVERHEAD
            self._hurry = self._hurry or hurry
            if self._since is None:
                self._since = time.monotonic()
            self._changed.notify_all()
        return True

    def wait_for_room(self, lane: int, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.room(lane) or self._closed, timeout)

    def take(self, most: int, linger: float, linger_hurried: float) -> list[Line]:
        """Up to `most` lines: as soon as there are so many, or the oldest waited `linger` seconds. []: it is closed.

        `linger_hurried` holds for senders that wait for their answer, and for streams while few lines come: what was
        read of a stream and is not stored is lost in a crash; a datagram is lost then anyhow.
        """
        with self._changed:
            while not self._closed:
                if self._since is None:
                    self._changed.wait(1.0)
                    continue
                left = self._since + (linger_hurried if self._hurries() else linger) - time.monotonic()
                if self.waiting >= most or left <= 0:
                    break
                self._changed.wait(left)
            taken, now = self._take(most), time.monotonic()
            self._busy, self._taken_at = len(taken) > BUSY * (now - self._taken_at), now
            self._changed.notify_all()
            return taken

    def _hurries(self) -> bool:
        return self._hurry or (self._lines[STREAM] > 0 and not self._busy)

    def close(self) -> None:
        """Nothing more comes in; `take` answers what is left, then []."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self, most: int) -> list[Line]:
        taken: list[Line] = []
        for lane, share in ((STREAM, most - min(most // 2, self._lines[UDP])), (UDP, most)):
            while self._lanes[lane] and len(taken) < share:
                taken += self._next(lane, share - len(taken))
        if not self.waiting:
            self._since, self._hurry = None, False
        else:
            self._since = time.monotonic()
        return taken

    def _next(self, lane: int, most: int) -> Sequence[Line]:
        chunk = self._lanes[lane].popleft()
        if len(chunk) > most:
            self._lanes[lane].appendleft(chunk[most:])
            chunk = chunk[:most]
        self._lines[lane] -= len(chunk)
        self._bytes[lane] = 0 if not self._lines[lane] else self._bytes[lane] - sum(map(_size, chunk))
        return chunk


def _size(line: Line) -> int:
    return len(line.raw) + _OVERHEAD
