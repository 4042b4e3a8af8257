"""What the auditor compares: what should have reached somebody, and what really went out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select

from servicedesk.domain.incident import UNCLOSED, WORKING
from servicedesk.domain.notification import NOBODY
from servicedesk.domain.selfwatch import SOURCE, Untold

from . import outbox as rows
from .db import Tx
from .tables import escalation, incident, outbox, page_step

LIMIT = 200
DONE = ("sent", "digested", "held", "skipped")
_O, _I = outbox.c, incident.c


@dataclass(frozen=True, slots=True)
class Silent:
    """A notice that went out to nobody: its rows share ticket, event and time. first: the row to copy."""

    incident_id: int
    event: str
    at: datetime
    why: str
    own: bool  # about a ticket of ours about ourselves
    first: Mapping[str, Any]


def silent(tx: Tx, events: Collection[str], after: datetime, before: datetime | None = None) -> list[Silent]:
    """Notices of these events since `after` that reached nobody: every row failed, or waits since `before`.

    before None: what waits may still go out.

    A ticket that a person has touched since, or that is over, asks for nobody any more.
    """
    untouched = or_(_I.activity_at.is_(None), _I.activity_at <= _O.created_at)
    query = (
        select(outbox, _I.source)
        .join(incident, _I.id == _O.incident_id)
        .where(_O.state.in_(("failed", "pending")), _O.created_at > after, _O.event.in_(list(events)))
        .where(_I.status.in_(UNCLOSED), untouched)
        .order_by(_O.id)
        .limit(LIMIT)
    )
    groups: dict[tuple[int, str, datetime], list[Any]] = {}
    for row in tx.run(query).mappings():
        groups.setdefault((row["incident_id"], row["event"], row["created_at"]), []).append(row)
    told = _told(tx, {key[0] for key in groups})
    return [
        Silent(*key, _why(found), found[0]["source"] == SOURCE, dict(found[0]))
        for key, found in groups.items()
        if key not in told
        and all(r["state"] == "failed" or (before is not None and r["created_at"] <= before) for r in found)
    ]


def _told(tx: Tx, ids: Collection[int]) -> set[tuple[int, str, datetime]]:
    if not ids:
        return set()
    by_rule = or_(_O.state != "skipped", _O.channel == NOBODY)  # in the place of who is left out somebody else is told
    query = select(_O.incident_id, _O.event, _O.created_at).where(_O.state.in_(DONE), by_rule)
    query = query.where(_O.incident_id.in_(sorted(ids)))
    return {(r.incident_id, r.event, r.created_at) for r in tx.run(query)}


def _why(found: Sequence[Any]) -> str:
    said = dict.fromkeys(f"{r['target'] or 'nobody'}: {r['error'] or 'it waits'}" for r in found)
    return "; ".join(said)[:300]


def never(tx: Tx, priorities: Collection[int], after: datetime, before: datetime) -> list[Untold]:
    """Open tickets of these priorities that nobody touched and that have no notice and no escalation at all."""
    notice = select(_O.id).where(_O.incident_id == _I.id).exists()
    run = select(escalation.c.incident_id).where(escalation.c.incident_id == _I.id).exists()
    query = (
        select(_I.id, _I.created_at)
        .where(_I.status.in_(WORKING), _I.priority.in_(sorted(priorities)), _I.created_at > after)
        .where(_I.created_at <= before, _I.activity_at.is_(None), _I.owner_id.is_(None), _I.recovered_at.is_(None))
        .where(_I.suspect_at.is_(None), _I.source != SOURCE, ~notice, ~run)
        .order_by(_I.id)
        .limit(LIMIT)
    )
    return [Untold(r.id, "opened", r.created_at, "no notice was ever made") for r in tx.run(query)]


def pages_since(tx: Tx) -> datetime | None:
    """When the oldest page was due that waits for a worker."""
    e, p = escalation.c, page_step.c
    runs = select(func.min(e.due_at, type_=e.due_at.type)).where(e.state == "paging", e.due_at < tx.now)
    steps = select(func.min(p.due_at, type_=p.due_at.type)).where(
        and_(p.state == "queued", p.outbox_id.is_(None), p.digest_at.is_(None), p.due_at < tx.now)
    )
    found = [at for at in (tx.run(runs).scalar(), tx.run(steps).scalar()) if at is not None]
    return min(found, default=None)


def by_fallback(tx: Tx, found: Iterable[Silent], channel: str, target: str) -> int:
    """Copy each to the fallback channel, once; answers how many were new."""
    names = ("incident_id", "event", "payload", "created_at")
    copies = [
        {name: one.first[name] for name in names}
        | {"dedup": f"fallback {one.first['id']}", "channel": channel, "target": target, "state": "pending"}
        | {"due_at": tx.now, "error": None}
        for one in found
    ]
    known = {c["dedup"] for c in copies}
    query = select(_O.dedup).where(_O.dedup.in_(sorted(known)))
    there = set(tx.run(query).scalars()) if known else set()
    rows.add(tx, [c for c in copies if c["dedup"] not in there])
    return len(known - there)
