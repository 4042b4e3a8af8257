"""Alerts, their events and episodes: read and written in sets, never one by one.

Whoever changes an alert, its events or its episodes locks the alert first (`lock`, `lock_by_id`), in the order of
digests; incidents are locked after alerts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, and_, delete, exists, select

from servicedesk.domain.alert_state import Stored
from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, episode, event, incident, member


@dataclass(slots=True)
class AlertRow:
    """What is known of an alert, locked. Fields as in the table; `changed` by services before they are written."""

    id: int
    digest: bytes
    source: str
    key: bytes
    name: str
    severity: str
    clears: bool
    status: str
    starts_at: datetime
    ends_at: datetime | None
    last_seen: datetime
    last_seq: int
    count: int
    suspect_due_at: datetime | None
    confirmed_seq: int | None
    incident_id: int | None
    correlation: bytes
    decision: str
    rule: str
    waits: str | None
    waits_until: datetime | None
    window_id: int | None
    flapping_since: datetime | None
    flap_ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event with its observations folded."""

    id: int
    digest: bytes
    alert_id: int
    status: str
    starts_at: datetime
    ends_at: datetime | None
    first_at: datetime
    last_at: datetime
    first_seq: int
    last_seq: int
    count: int


_ALERT = tuple(alert.c[name] for name in AlertRow.__slots__)
_EVENT = tuple(event.c[name] for name in EventRow.__slots__)
_EPISODE = (
    episode.c.alert_id,
    episode.c.id,
    episode.c.starts_at,
    episode.c.ends_at,
    episode.c.fired,
    episode.c.suspect,
    episode.c.incident_id,
    episode.c.passed,
    episode.c.held_until,
)


def lock(tx: Tx, digests: Collection[bytes]) -> dict[bytes, AlertRow]:
    """The alerts that exist of these digests, locked in their order."""
    query = select(*_ALERT).where(alert.c.digest.in_(sorted(digests)))
    return {row.digest: row for row in _locked(tx, query)}


def lock_by_id(tx: Tx, ids: Collection[int]) -> dict[int, AlertRow]:
    return {row.id: row for row in _locked(tx, select(*_ALERT).where(alert.c.id.in_(sorted(ids))))}


def _locked(tx: Tx, query: Select[Any]) -> list[AlertRow]:
    rows = tx.run(query.order_by(alert.c.digest).with_for_update())
    return [AlertRow(*row) for row in rows]


class NewTexts(NamedTuple):
    """What a new alert is stored with besides its row. labels, annotations: encoded JSON, escaped."""

    first_seen: datetime
    fingerprint: str
    labels: msgspec.Raw
    annotations: msgspec.Raw
    summary: str
    generator_url: str
    lacks: int


_NEW_ROW = (
    "digest",
    "source",
    "key",
    "name",
    "severity",
    "clears",
    "status",
    "starts_at",
    "ends_at",
    "last_seen",
    "last_seq",
    "count",
    "correlation",
    "rule",
)


def add(tx: Tx, rows: Iterable[tuple[AlertRow, NewTexts]]) -> None:
    """New alerts, in the order of their digests; what another worker added meanwhile is left as it is: see `added`."""
    values = [[*(getattr(row, name) for name in _NEW_ROW), *texts] for row, texts in rows]
    bulk.insert_rows(tx, alert, (*_NEW_ROW, *NewTexts._fields), values, or_ignore=True)


def added(tx: Tx, digests: Collection[bytes]) -> dict[bytes, tuple[int, int]]:
    """(id, count) by digest; a count says that another worker made it."""
    rows = tx.run(select(alert.c.digest, alert.c.id, alert.c.count).where(alert.c.digest.in_(digests)))
    return {row[0]: (row[1], row[2]) for row in rows}


SEEN_COLUMNS = ("id", "last_seen", "last_seq", "count")
HEARD_COLUMNS = (*SEEN_COLUMNS, "annotations", "summary", "generator_url", "lacks")
STATE_COLUMNS = (
    *SEEN_COLUMNS,
    "status",
    "starts_at",
    "ends_at",
    "clears",
    "suspect_due_at",
    "confirmed_seq",
    "incident_id",
    "correlation",
    "decision",
    "rule",
    "waits",
    "waits_until",
    "window_id",
    "flapping_since",
    "flap_ends_at",
)


def write_heard(tx: Tx, rows: Sequence[bulk.Row]) -> None:
    """Their newest observation, and what it says (HEARD_COLUMNS): annotations change while an alert fires."""
    bulk.update_rows(tx, alert, HEARD_COLUMNS, rows)


def write_seen(tx: Tx, rows: Iterable[AlertRow]) -> None:
    """The count of those whose newest message is known already."""
    bulk.update_rows(tx, alert, SEEN_COLUMNS, _values(rows, SEEN_COLUMNS))


def write_state(tx: Tx, rows: Iterable[AlertRow]) -> None:
    """Their observations, their state, and the incident that they belong to."""
    bulk.update_rows(tx, alert, STATE_COLUMNS, _values(rows, STATE_COLUMNS))


def _values(rows: Iterable[AlertRow], columns: tuple[str, ...]) -> list[bulk.Row]:
    return [[getattr(row, name) for name in columns] for row in rows]


def events_by_digest(tx: Tx, digests: Collection[bytes]) -> dict[bytes, EventRow]:
    rows = tx.run(select(*_EVENT).where(event.c.digest.in_(sorted(digests))))
    return {row.digest: EventRow(*row) for row in rows}


_NEW_EVENT = tuple(name for name in EventRow.__slots__ if name != "id")
_SEEN_EVENT = ("id", "first_at", "last_at", "first_seq", "last_seq", "count")


def write_events(tx: Tx, rows: Iterable[EventRow]) -> None:
    """Events with id 0 are new; of the others the observations are written."""
    new: list[bulk.Row] = []
    seen: list[bulk.Row] = []
    for row in rows:
        names = _SEEN_EVENT if row.id else _NEW_EVENT
        (seen if row.id else new).append([getattr(row, name) for name in names])
    bulk.insert_rows(tx, event, _NEW_EVENT, new)
    bulk.update_rows(tx, event, _SEEN_EVENT, seen)


def all_events(tx: Tx, alert_ids: Collection[int]) -> dict[int, list[EventRow]]:
    return _by_alert(tx, select(*_EVENT).where(event.c.alert_id.in_(sorted(alert_ids))))


def firings_of_newest(tx: Tx, alert_ids: Collection[int]) -> dict[int, list[EventRow]]:
    """The firing events that belong to the newest episode of alerts whose newest episode is open."""
    query = select(*_EVENT).join(alert, and_(alert.c.id == event.c.alert_id, event.c.starts_at >= alert.c.starts_at))
    return _by_alert(tx, query.where(alert.c.id.in_(sorted(alert_ids)), event.c.ends_at.is_(None)))


def _by_alert(tx: Tx, query: Select[Any]) -> dict[int, list[EventRow]]:
    found: dict[int, list[EventRow]] = {}
    for row in tx.run(query):
        found.setdefault(row.alert_id, []).append(EventRow(*row))
    return found


def all_episodes(tx: Tx, alert_ids: Collection[int]) -> dict[int, list[Stored]]:
    return _episodes(tx, select(*_EPISODE).where(episode.c.alert_id.in_(sorted(alert_ids))))


def newest_episodes(tx: Tx, alert_ids: Collection[int]) -> dict[int, list[Stored]]:
    """The episode that the alert's own times name, one an alert."""
    query = select(*_EPISODE).join(
        alert, and_(alert.c.id == episode.c.alert_id, alert.c.starts_at == episode.c.starts_at)
    )
    return _episodes(tx, query.where(alert.c.id.in_(sorted(alert_ids))))


def episodes_since(tx: Tx, alert_ids: Collection[int], since: datetime) -> dict[int, list[Stored]]:
    """The episodes that began since then."""
    c = episode.c
    return _episodes(tx, select(*_EPISODE).where(c.alert_id.in_(sorted(alert_ids)), c.starts_at >= since))


def _episodes(tx: Tx, query: Select[Any]) -> dict[int, list[Stored]]:
    found: dict[int, list[Stored]] = {}
    for row in tx.run(query):
        found.setdefault(row[0], []).append(Stored(*row[1:]))
    return found


_NEW_EPISODE = ("alert_id", "starts_at", "ends_at", "fired", "suspect", "incident_id", "passed", "held_until")
_EPISODE_STATE = ("id", *_NEW_EPISODE[1:])


def write_episodes(tx: Tx, new: Sequence[bulk.Row], changed: Sequence[bulk.Row], gone: Collection[int] = ()) -> None:
    """new: (alert, starts_at, ends_at, fired, suspect, incident, passed, held_until); changed: the
    episode's id first instead.
    """
    bulk.insert_rows(tx, episode, _NEW_EPISODE, new)
    bulk.update_rows(tx, episode, _EPISODE_STATE, changed)
    if gone:
        tx.run(delete(episode).where(episode.c.id.in_(sorted(gone))))


def declared_ends(tx: Tx, alert_ids: Collection[int]) -> dict[int, list[datetime]]:
    """When people declared alerts over that cannot say so themselves."""
    m = member.c
    found: dict[int, list[datetime]] = {}
    query = select(m.alert_id, m.declared_ended_at).where(m.alert_id.in_(sorted(alert_ids)))
    for row in tx.run(query.where(m.declared_ended_at.is_not(None))):
        found.setdefault(row.alert_id, []).append(row.declared_ended_at)
    return found


def due_suspects(tx: Tx, now: datetime, limit: int) -> list[int]:
    """Alerts whose doubt has lasted long enough, the longest first."""
    due = alert.c.suspect_due_at
    return list(tx.run(select(alert.c.id).where(due <= now).order_by(due).limit(limit)).scalars())


def calm(tx: Tx, now: datetime, limit: int) -> list[tuple[int, datetime]]:
    """Flapping alerts that did not change for long enough: (id, since when), the longest first."""
    ends = alert.c.flap_ends_at
    return [(row[0], row[1]) for row in tx.run(select(alert.c.id, ends).where(ends <= now).order_by(ends).limit(limit))]


def flapping_members(tx: Tx, incident_ids: Collection[int]) -> dict[int, set[int]]:
    """The flapping alerts of these incidents, by incident."""
    c = alert.c
    found: dict[int, set[int]] = {}
    query = select(c.incident_id, c.id).where(c.incident_id.in_(sorted(incident_ids)), c.flap_ends_at.is_not(None))
    for row in tx.run(query) if incident_ids else ():
        found.setdefault(row[0], set()).add(row[1])
    return found


def unquiet(tx: Tx, incident_ids: Collection[int]) -> set[int]:
    """Those of the incidents that have an alert which fires or is in doubt, and can say when it is over."""
    if not incident_ids:
        return set()
    noisy = exists().where(
        alert.c.incident_id == incident.c.id, alert.c.status.in_(("firing", "suspect")), alert.c.clears
    )
    return set(tx.run(select(incident.c.id).where(incident.c.id.in_(sorted(incident_ids)), noisy)).scalars())


def outcome(tx: Tx, digest: bytes) -> tuple[int | None, str]:
    """What became of an alert: its incident, and why there is one or none; (None, "") when it is not known."""
    row = tx.run(select(alert.c.incident_id, alert.c.decision).where(alert.c.digest == digest)).one_or_none()
    return (None, "") if row is None else (row.incident_id, row.decision)
