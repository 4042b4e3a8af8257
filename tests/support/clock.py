"""A clock that jumps: tests move it by hand, nothing else does."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)  # a Monday morning, so that business days are plain to count


class Clock:
    """`now()` as the desk asks for it; `advance` and `set` move it; starts at `START` unless told."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time this clock shows (aware, UTC)."""
        return self._now

    __call__ = now

    def set(self, moment: datetime) -> None:
        """Jumps to `moment` (aware)."""
        self._now = moment.astimezone(UTC)

    def advance(self, delta: timedelta | None = None, **parts: float) -> datetime:
        """Jumps by a timedelta or by its parts (`minutes=30`); returns the new time."""
        self._now += delta if delta is not None else timedelta(**parts)
        return self._now
