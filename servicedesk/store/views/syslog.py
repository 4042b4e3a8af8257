"""Syslog as people look at it: lines a minute by sender, templates, why lines are not stored, listeners and gaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, case, cast, func, or_, select, tuple_

from servicedesk.store.db import Tx
from servicedesk.store.tables import syslog_minute, syslog_run, syslog_template

from .paging import Page, check_limit, page_of, read_cursor
from .rows import fill

MINUTE = timedelta(minutes=1)
SENDERS = 50  # that are shown: the busiest
ALIVE = timedelta(seconds=20)  # a listener that was seen since is taken to be there
SHORTEST_GAP = timedelta(seconds=1)
RUNS = 500


@dataclass(frozen=True, slots=True)
class Sender:
    """One program of one host. minutes: lines in each minute of the time, the oldest first."""

    host: str
    app: str
    lines: int
    stored: int
    ignored: int
    last_minute: datetime
    minutes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why lines were counted and not stored."""

    reason: str
    lines: int
    senders: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Lines of a time. minutes: (stored, ignored) in each of its minutes, the oldest first."""

    since: datetime
    until: datetime
    lines: int
    stored: int
    ignored: int
    minutes: tuple[tuple[int, int], ...]
    reasons: tuple[Reason, ...]


def flow(tx: Tx, minutes: int) -> Flow:
    """The last so many minutes, this one included."""
    since, until = _span(tx.now, minutes)
    m = syslog_minute.c
    query = select(m.minute, m.reason, func.sum(m.lines), func.count()).where(m.minute >= since, m.minute <= until)
    rows = [(r[0], r[1], int(r[2]), int(r[3])) for r in tx.run(query.group_by(m.minute, m.reason))]
    each = [[0, 0] for _ in range(minutes)]
    why: dict[str, list[int]] = {}
    for minute, reason, lines, senders in rows:
        each[_place(minute, since)][bool(reason)] += lines
        if reason:
            told = why.setdefault(reason, [0, 0])
            told[0], told[1] = told[0] + lines, max(told[1], senders)
    stored, ignored = sum(pair[0] for pair in each), sum(pair[1] for pair in each)
    reasons = sorted((Reason(name, *told) for name, told in why.items()), key=lambda r: (-r.lines, r.reason))
    pairs = tuple((pair[0], pair[1]) for pair in each)
    return Flow(since, until, stored + ignored, stored, ignored, pairs, tuple(reasons[:SENDERS]))


def senders(tx: Tx, minutes: int, text: str = "", limit: int = SENDERS) -> tuple[Sender, ...]:
    """Who sent most in the last so many minutes. text: part of the host's or program's name."""
    check_limit(limit)
    since, until = _span(tx.now, minutes)
    m = syslog_minute.c
    total, stored = func.sum(m.lines), func.sum(case((m.reason == "", m.lines), else_=0))
    query = select(m.host, m.app, total, stored, func.max(m.minute)).where(m.minute >= since, m.minute <= until)
    if text:
        part = (m.host.icontains(text, autoescape=True), m.app.icontains(text, autoescape=True))
        query = query.where(or_(*part))
    busiest = query.group_by(m.host, m.app).order_by(total.desc(), m.host, m.app).limit(limit)
    rows = tx.run(busiest).all()
    series = _series(tx, since, until, minutes, [(r[0], r[1]) for r in rows])
    return tuple(
        Sender(r[0], r[1], int(r[2]), int(r[3]), int(r[2] - r[3]), r[4], tuple(series[r[0], r[1]])) for r in rows
    )


def _series(
    tx: Tx, since: datetime, until: datetime, minutes: int, pairs: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], list[int]]:
    found = {pair: [0] * minutes for pair in pairs}
    if not pairs:
        return found
    m = syslog_minute.c
    query = select(m.host, m.app, m.minute, func.sum(m.lines)).where(m.minute >= since, m.minute <= until)
    query = query.where(tuple_(m.host, m.app).in_(pairs)).group_by(m.host, m.app, m.minute)
    for host, app, minute, lines in tx.run(query):
        found[host, app][_place(minute, since)] += int(lines)
    return found


def _span(now: datetime, minutes: int) -> tuple[datetime, datetime]:
    until = now.replace(second=0, microsecond=0)
    return until - (minutes - 1) * MINUTE, until


def _place(minute: datetime, since: datetime) -> int:
    return int((minute - since) // MINUTE)


# --- templates -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Template:
    """What lines of one program look like. id: hex; lines: sampled, so about; reason: why not stored, "": stored."""

    id: str
    app: str
    template: str
    severity: int
    reason: str
    rule: str
    host: str
    example: str
    lines: int
    first_at: datetime
    last_at: datetime


def templates(tx: Tx, *, text: str = "", only: str = "", cursor: str = "", limit: int = 50) -> Page[Template]:
    """A page of templates, the most frequent first. only: stored | ignored; text: part of the program or template."""
    check_limit(limit)
    after = read_cursor(cursor, int, str)
    t = syslog_template.c
    query = select(syslog_template).order_by(t.lines.desc(), t.digest.desc())
    if only:
        query = query.where(t.reason == "" if only == "stored" else t.reason != "")
    if text:
        query = query.where(or_(t.app.icontains(text, autoescape=True), t.template.icontains(text, autoescape=True)))
    if after is not None:
        query = query.where(tuple_(t.lines, t.digest) < tuple_(cast(after[0], Integer), _bytes(after[1])))
    rows = [_template(r) for r in tx.run(query.limit(limit + 1)).mappings()]
    return page_of(rows, limit, lambda one: (one.lines, one.id))


def template(tx: Tx, template_id: str) -> Template | None:
    row = tx.run(select(syslog_template).where(syslog_template.c.digest == _bytes(template_id))).mappings()
    found = row.one_or_none()
    return None if found is None else _template(found)


def _template(row: Any) -> Template:
    return fill(Template, row, id=row["digest"].hex())


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


# --- listeners -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listener:
    """One life of a listening process. counts: since its start; there: it was seen a moment ago and did not end."""

    id: int
    node: str
    pid: int
    addresses: tuple[tuple[str, str, int], ...]
    started_at: datetime
    seen_at: datetime
    ended: bool
    there: bool
    received: dict[str, int]
    kernel_drops: int
    lost: int
    connections: dict[str, int]
    problem: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nothing listened on a node: what came by UDP then is lost. until None: it lasts."""

    node: str
    since: datetime
    until: datetime | None
    crashed: bool


def listeners(tx: Tx, limit: int = RUNS) -> tuple[Listener, ...]:
    """The newest first."""
    query = select(syslog_run).order_by(syslog_run.c.seen_at.desc(), syslog_run.c.id.desc()).limit(limit)
    return tuple(_listener(r, tx.now) for r in tx.run(query).mappings())


def _listener(r: Any, now: datetime) -> Listener:
    counts = r["counts"] or {}
    return fill(
        Listener,
        r,
        addresses=tuple((str(a[0]), str(a[1]), int(a[2])) for a in r["addresses"]),
        there=not r["ended"] and now - r["seen_at"] < ALIVE,
        received=counts.get("received", {}),
        kernel_drops=int(counts.get("kernel_drops", 0)),
        lost=sum(counts.get("lost", {}).values()),
        connections=counts.get("connections", {}),
    )


def gaps(runs: Iterable[Listener], now: datetime) -> list[Gap]:
    """Where no process of a node listened between two that did, the newest first. Pure."""
    of: dict[str, list[Listener]] = {}
    for run in runs:
        of.setdefault(run.node, []).append(run)
    found = []
    for node, lives in of.items():
        lives.sort(key=lambda run: run.started_at)
        last = lives[0]
        for run in lives[1:]:
            if run.started_at - last.seen_at > SHORTEST_GAP:
                found.append(Gap(node, last.seen_at, run.started_at, not last.ended))
            if run.seen_at >= last.seen_at:
                last = run
        if not last.there:
            found.append(Gap(node, last.seen_at, None, not last.ended))
    return sorted(found, key=lambda gap: gap.since, reverse=True)
