"""When an alert flaps: a function of its episodes in the time of the events, not of the order in which they came. Pure.

Enough changes within a window make it flap; it takes a longer calm to end that (hysteresis). A calm in between begins
the count anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from servicedesk.domain.policy import Flapping

LOOK_BACK = timedelta(days=1)  # what began longer before the newest episode counts no more
LONGEST = LOOK_BACK / 2  # a window or calm


class Span(Protocol):
    """An episode; only those that were seen firing count."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def fired(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Flap:
    """since: the first of the changes that made it flap; ends_at: when it counts as calm if nothing changes."""

    since: datetime
    ends_at: datetime


def flap(episodes: Iterable[Span], limits: Flapping, now: datetime) -> Flap | None:
    """How the alert with these episodes flaps at this instant; None when it does not.

    A change that lies more than a window ahead of the desk's clock is not believed.
    """
    since: datetime | None = None
    recent: deque[datetime] = deque()
    for at in _changes(episodes, now + limits.window):
        if recent and at - recent[-1] >= limits.calm:
            since = None
            recent.clear()
        recent.append(at)
        while at - recent[0] > limits.window:
            recent.popleft()
        if since is None and len(recent) >= limits.changes:
            since = recent[0]
    if since is None or recent[-1] + limits.calm <= now:
        return None
    return Flap(since, recent[-1] + limits.calm)


def possible(newest: Span, limits: Flapping, now: datetime) -> bool:
    """Can an alert with this newest episode flap, whatever was before? Else its history need not be read."""
    return newest.starts_at > now - 2 * limits.calm


def _changes(episodes: Iterable[Span], until: datetime) -> list[datetime]:
    spans = [e for e in episodes if e.fired]
    newest = max((e.starts_at for e in spans), default=until)
    recent = [e for e in spans if e.starts_at >= newest - LOOK_BACK]
    moments = [e.starts_at for e in recent] + [e.ends_at for e in recent if e.ends_at is not None]
    return sorted(at for at in moments if at <= until)
