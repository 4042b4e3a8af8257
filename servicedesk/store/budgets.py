"""How often each team was paged lately, and what was held back for a digest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, outbox, page_budget
from servicedesk.store.types import from_us, to_us

_COLUMNS = ("team_id", "paged", "digest_at")


@dataclass(slots=True)
class Budget:
    """team_id 0: tickets without a team. paged: when it was; digest_at: when its newest digest went or goes out."""

    team_id: int
    paged: tuple[datetime, ...] = ()
    digest_at: datetime | None = None


def lock(tx: Tx, team_ids: Collection[int]) -> dict[int, Budget]:
    """The budgets of these teams, locked in their order: the last lock that a change takes."""
    ordered = sorted(team_ids)
    if tx.postgresql:  # SQLite's one writer is this lock already
        bulk.insert_rows(tx, page_budget, ("team_id", "paged"), [(number, []) for number in ordered], or_ignore=True)
    c = page_budget.c
    query = select(c.team_id, c.paged, c.digest_at).where(c.team_id.in_(ordered)).order_by(c.team_id)
    found = {number: Budget(number) for number in ordered}
    for row in tx.run(query.with_for_update()):
        found[row.team_id] = Budget(row.team_id, tuple(from_us(at) for at in row.paged), row.digest_at)
    return found


def write(tx: Tx, budgets: Collection[Budget]) -> None:
    rows: list[Sequence[Any]] = [(b.team_id, [to_us(at) for at in b.paged], b.digest_at) for b in budgets]
    bulk.upsert_rows(tx, page_budget, _COLUMNS, rows, ("team_id",))


def known(tx: Tx, dedups: Collection[str]) -> set[str]:
    """Which of these messages are in the outbox already."""
    return set(tx.run(select(outbox.c.dedup).where(outbox.c.dedup.in_(sorted(dedups)))).scalars())


@dataclass(frozen=True, slots=True)
class Held:
    """A message that was held back. title, priority: of its ticket, as they are now."""

    id: int
    incident_id: int
    title: str
    priority: int | None


def any_due(tx: Tx) -> bool:
    """Asked without taking the write lock."""
    return tx.run(select(outbox.c.id).where(_due(tx)).limit(1)).first() is not None


def _due(tx: Tx) -> Any:
    return (outbox.c.state == "held") & (outbox.c.due_at <= tx.now)


def due(tx: Tx) -> dict[tuple[str, str], list[Held]]:
    """What a digest is due for, locked: (channel, target) → the most urgent first."""
    columns = (outbox.c.channel, outbox.c.target, outbox.c.id, outbox.c.incident_id, incident.c.title)
    query = select(*columns, incident.c.priority).join(incident, incident.c.id == outbox.c.incident_id).where(_due(tx))
    locked = query.order_by(outbox.c.id).with_for_update(of=outbox, skip_locked=True)
    found: dict[tuple[str, str], list[Held]] = {}
    for row in tx.run(locked):
        found.setdefault((row.channel, row.target), []).append(Held(*row[2:]))
    return {to: sorted(held, key=lambda h: (h.priority or 9, h.incident_id, h.id)) for to, held in found.items()}


def payload(tx: Tx, outbox_id: int) -> dict[str, Any]:
    found: dict[str, Any] = tx.run(select(outbox.c.payload).where(outbox.c.id == outbox_id)).scalar_one()
    return found


def digested(tx: Tx, ids: Collection[int], why: str) -> None:
    """These went out in a digest."""
    bulk.update_rows(tx, outbox, ("id", "state", "error"), [(number, "digested", why) for number in sorted(ids)])
