"""Tokens that this process verified lately: a good one costs no query for 60 s; a wrong one is never remembered."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from datetime import datetime, timedelta

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor

LIFE = timedelta(seconds=60)
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Verified:
    actor: Actor
    since: datetime
    expires_at: datetime | None

    def good(self, now: datetime) -> bool:
        fresh = timedelta(0) <= now - self.since < LIFE
        return fresh and (self.expires_at is None or now < self.expires_at)


_known: weakref.WeakKeyDictionary[Desk, dict[bytes, Verified]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def find(desk: Desk, key: bytes) -> Verified | None:
    """key: SHA-256 of what was presented."""
    entry = _known.get(desk, {}).get(key)
    return entry if entry is not None and entry.good(desk.now()) else None


def remember(desk: Desk, key: bytes, entry: Verified) -> None:
    with _lock:
        entries = _known.setdefault(desk, {})
        if len(entries) >= _MOST:
            entries.clear()
        entries[key] = entry


def forget(desk: Desk) -> None:
    """After a change of tokens or users: ask the database again."""
    with _lock:
        _known.pop(desk, None)
