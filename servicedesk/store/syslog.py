"""What the desk keeps of syslog beside alerts: examples, thresholds, shares of hosts, listeners and their figures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import (
    alert,
    delivery,
    syslog_alert,
    syslog_example,
    syslog_minute,
    syslog_run,
    syslog_share,
    syslog_template,
    syslog_window,
)

Values = Mapping[str, Any]
_WINDOW = tuple(c.name for c in syslog_window.c)
_SHARE = tuple(c.name for c in syslog_share.c)
_ALERT = tuple(c.name for c in syslog_alert.c)
_EXAMPLE = tuple(c.name for c in syslog_example.c)


def _first(row: bulk.Row) -> Any:
    return row[0]


def _upsert(tx: Tx, table: Table, rows: Sequence[Values], keys: Collection[str], changes: Any = None) -> None:
    """INSERT; where the key exists, `changes(excluded row)` are set, by default every other column."""
    if not rows:
        return
    statement = (postgresql_insert if tx.postgresql else sqlite_insert)(table)
    new = statement.excluded
    values = changes(new) if changes else {c.name: new[c.name] for c in table.c if c.name not in keys}
    tx.run(statement.on_conflict_do_update(index_elements=list(keys), set_=values), list(rows))


# --- thresholds and shares: locked in the order of their digests, before any alert --------------------------------


def lock_windows(tx: Tx, digests: Collection[bytes]) -> dict[bytes, list[list[Any]]]:
    """The moments that are remembered of these keys, [[µs, value], …], locked."""
    query = select(syslog_window.c.digest, syslog_window.c.moments).where(syslog_window.c.digest.in_(sorted(digests)))
    rows = tx.run(query.order_by(syslog_window.c.digest).with_for_update())
    return {bytes(row.digest): row.moments for row in rows}


def write_windows(tx: Tx, rows: Iterable[bulk.Row]) -> None:
    """In the order of the columns: digest, rule, moments, expires_at."""
    bulk.upsert_rows(tx, syslog_window, _WINDOW, sorted(rows, key=_first), ("digest",))


def lock_shares(tx: Tx, digests: Collection[bytes]) -> dict[bytes, tuple[datetime, int]]:
    """(hour, how many new tickets in it) of these hosts, locked."""
    s = syslog_share.c
    rows = tx.run(
        select(s.digest, s.hour, s.count).where(s.digest.in_(sorted(digests))).order_by(s.digest).with_for_update()
    )
    return {bytes(row.digest): (row.hour, row.count) for row in rows}


def write_shares(tx: Tx, rows: Iterable[bulk.Row]) -> None:
    """In the order of the columns: digest, host, hour, count."""
    bulk.upsert_rows(tx, syslog_share, _SHARE, sorted(rows, key=_first), ("digest",))


def with_ticket(tx: Tx, digests: Collection[bytes]) -> set[bytes]:
    """Those of these alerts that a ticket carries, or has carried."""
    query = select(alert.c.digest).where(alert.c.digest.in_(sorted(digests)), alert.c.incident_id.is_not(None))
    return {bytes(digest) for digest in tx.run(query).scalars()}


# --- what is kept of an alert's lines ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """How many lines of an alert were applied, and how many were kept as examples."""

    lines: int
    kept: int


def tallies(tx: Tx, digests: Collection[bytes]) -> dict[bytes, Tally]:
    s = syslog_alert.c
    query = select(s.digest, s.lines, s.kept).where(s.digest.in_(sorted(digests))).order_by(s.digest)
    return {bytes(row.digest): Tally(row.lines, row.kept) for row in tx.run(query.with_for_update())}


def write_alerts(tx: Tx, rows: Iterable[bulk.Row]) -> None:
    """In the order of the columns: digest, rule, host, app, template, lines, kept, body, silent_at."""
    bulk.upsert_rows(tx, syslog_alert, _ALERT, sorted(rows, key=_first), ("digest",))


def write_examples(tx: Tx, rows: Iterable[bulk.Row]) -> None:
    """In the order of the table's columns; a slot that is taken is overwritten."""
    bulk.upsert_rows(tx, syslog_example, _EXAMPLE, sorted(rows, key=_first), ("digest", "slot"))


def silent(tx: Tx, now: datetime, limit: int) -> list[tuple[bytes, bytes, datetime]]:
    """(digest, body, when) of alerts that silence has ended by now."""
    s = syslog_alert.c
    query = select(s.digest, s.body, s.silent_at).where(s.silent_at <= now, s.body.is_not(None))
    return [(bytes(r.digest), bytes(r.body), r.silent_at) for r in tx.run(query.order_by(s.silent_at).limit(limit))]


def forget_silence(tx: Tx, found: Sequence[tuple[bytes, datetime]]) -> None:
    """These were told; one that has spoken meanwhile keeps its new time."""
    if found:
        which = and_(syslog_alert.c.digest == bindparam("of"), syslog_alert.c.silent_at == bindparam("was"))
        tx.run(update(syslog_alert).where(which).values(silent_at=None), [{"of": d, "was": at} for d, at in found])


def newest_bodies(tx: Tx, receiver: str, limit: int) -> list[bytes]:
    """The compressed bodies of the newest deliveries of a receiver, the newest first."""
    d = delivery.c
    newest = select(d.id).order_by(d.id.desc()).limit(limit * 4).subquery()
    query = select(d.body).where(d.receiver == receiver, d.id.in_(select(newest.c.id)))
    return [bytes(body) for body in tx.run(query.order_by(d.id.desc()).limit(limit)).scalars()]


# --- listeners and figures -----------------------------------------------------------------------------------------


def begin_run(tx: Tx, values: Values) -> int:
    """A listener starts. node, pid, addresses, started_at, seen_at, counts."""
    return int(tx.run(insert(syslog_run).values(**values).returning(syslog_run.c.id)).scalar_one())


def note_run(tx: Tx, run_id: int, counts: Values, problem: str, ended: bool) -> None:
    values = {"seen_at": tx.now, "counts": dict(counts), "problem": problem, "ended": ended}
    tx.run(update(syslog_run).where(syslog_run.c.id == run_id).values(**values))


def add_minutes(tx: Tx, rows: Sequence[Values]) -> None:
    """minute, host, app, reason, lines: added to what is there."""
    keys = ["minute", "host", "app", "reason"]
    rows = sorted(rows, key=lambda r: tuple(r[k] for k in keys))
    _upsert(tx, syslog_minute, rows, keys, lambda new: {"lines": syslog_minute.c.lines + new.lines})


def add_templates(tx: Tx, rows: Sequence[Values]) -> None:
    """The columns of the table; lines are added, the rest is as the newest says, severity the worst."""

    def changes(new: Any) -> dict[str, Any]:
        old = syslog_template.c
        least = func.least if tx.postgresql else func.min
        told = {name: new[name] for name in ("reason", "rule", "host", "example", "last_at")}
        return told | {"lines": old.lines + new.lines, "severity": least(old.severity, new.severity)}

    _upsert(tx, syslog_template, sorted(rows, key=lambda r: r["digest"]), ["digest"], changes)


def prune(tx: Tx, minutes_before: datetime, templates_before: datetime, runs_before: datetime, most: int) -> None:
    """Forget old figures, expired windows, and all but the `most` newest templates."""
    tx.run(delete(syslog_minute).where(syslog_minute.c.minute < minutes_before))
    tx.run(delete(syslog_window).where(syslog_window.c.expires_at < tx.now))
    tx.run(delete(syslog_share).where(syslog_share.c.hour < minutes_before))
    tx.run(delete(syslog_run).where(syslog_run.c.seen_at < runs_before))
    t = syslog_template.c
    edge = tx.run(select(t.last_at).order_by(t.last_at.desc()).offset(most).limit(1)).scalar()
    old = t.last_at < templates_before
    tx.run(delete(syslog_template).where(old if edge is None else or_(old, t.last_at <= edge)))
