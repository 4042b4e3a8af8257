"""Heartbeats as they are listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from servicedesk.store import heartbeats as store
from servicedesk.store.db import Tx


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """state: waiting (for the first beat), well, silent, paused."""

    id: int
    kind: str
    name: str
    source: str
    every: int
    grace: int
    service: str
    severity: str
    state: str
    last_at: datetime | None
    due_at: datetime | None
    silent_since: datetime | None
    count: int


def heartbeats(tx: Tx) -> tuple[Heartbeat, ...]:
    """All of them, by name. Keys are not told: whoever knows one may ping."""
    found = []
    for row in store.listing(tx):
        state = "paused" if row.paused else "silent" if row.silent_since else "well" if row.due_at else "waiting"
        values = {name: getattr(row, name) for name in Heartbeat.__dataclass_fields__ if name != "state"}
        found.append(Heartbeat(**values, state=state))
    return tuple(found)
