"""Storms: when one alert name opens tickets so fast that the rest share one, and how often a team is paged. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from servicedesk.domain.correlation_rules import span


def digest(source: str, name: str) -> bytes:
    """SHA-256 that the alerts of one name of a source share; 32 bytes."""
    return hashlib.sha256(f"storm:{len(source)}:{source}{name}".encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Room:
    """How many more fit now. times: of those that count, with these added, the newest `limit` of them."""

    free: int
    times: tuple[datetime, ...]


def room(times: Sequence[datetime], now: datetime, wanted: int, limit: int, window: timedelta) -> Room:
    """At most `limit` in a window that slides: of what is wanted, so many are free.

    A time after `now` does not count: the clock was set back, and nobody waits for it.
    """
    counted = sorted(at for at in times if now - window < at <= now)
    free = max(min(wanted, limit - len(counted)), 0)
    return Room(free, tuple([*counted, *[now] * free][-limit:]))


def digest_time(now: datetime, last: datetime | None, collect: timedelta, window: timedelta) -> datetime:
    """When the digest goes out that takes what exceeds the budget now. last: when the team's newest one went or goes.

    It gathers for `collect`, and there is one in a window.
    """
    if last is None:
        return now + collect
    return last if last > now else max(now + collect, last + window)


def reason(name: str, source: str, limit: int, window: timedelta) -> str:
    """Why a ticket takes what comes next."""
    return f"More than {limit} new tickets of {name or 'alerts without a name'} from {source} within {span(window)}."
