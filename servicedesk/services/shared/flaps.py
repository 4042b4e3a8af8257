"""Alerts that flap: marked with their state, told once when it begins and once when it is over.

The quiet window of the ticket takes no notice: it begins anew with every recovery, so flapping bars closing as long as
the alert really changes, and no longer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import flapping as rules
from servicedesk.domain.incident import CANCELLED, CLOSED
from servicedesk.services.shared import notify, timeline
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.observe import Judged
from servicedesk.services.shared.timeline import Line
from servicedesk.store import alerts, correlations
from servicedesk.store.alerts import AlertRow
from servicedesk.store.db import Tx


@dataclass(slots=True)
class Turns:
    """Alerts that begin to flap, and those that have become calm. Their rows say so already."""

    begun: list[AlertRow] = field(default_factory=list)
    ended: list[AlertRow] = field(default_factory=list)


def judge(tx: Tx, desk: Desk, judged: Sequence[Judged]) -> Turns:
    """Whether these alerts flap now, by all of their episodes; sets their rows, which the caller writes.

    One statement for those that were known before; none when nothing has changed or was long ago.
    """
    limits, turns = desk.policy.alerts.flapping, Turns()
    moved = [one for one in judged if one.row.flap_ends_at or one.gone or any(e.changed for e in one.episodes)]
    near = {one.row.id for one in moved if rules.possible(_newest(one), limits, tx.now)}
    known = [one.row.id for one in moved if one.before and one.row.id in near]
    since = tx.now - 2 * limits.calm - rules.LOOK_BACK
    history = alerts.episodes_since(tx, known, since) if known else {}
    for one in moved:
        looked_at = {e.id for e in one.episodes}.union(one.gone)
        rest = [e for e in history.get(one.row.id, ()) if e.id not in looked_at]
        found = rules.flap([*rest, *one.episodes], limits, tx.now) if one.row.id in near else None
        before = one.row.flapping_since
        one.row.flapping_since = found.since if found else None
        one.row.flap_ends_at = found.ends_at if found else None
        if found and before is None:
            turns.begun.append(one.row)
        elif before is not None and not found:
            turns.ended.append(one.row)
    return turns


def _newest(one: Judged) -> rules.Span:
    return max(one.episodes, key=lambda e: e.starts_at)


def tell(tx: Tx, desk: Desk, turns: Turns, told: Collection[int] = ()) -> None:
    """Timeline and notices of the tickets: one notice while any of their alerts flaps, one when the last is calm.

    The rows are written. told: tickets whose people hear of it by another notice.
    """
    ids = {row.incident_id for row in (*turns.begun, *turns.ended) if row.incident_id is not None}
    if not ids:
        return
    tickets = {i: t for i, t in correlations.lock_tickets(tx, ids).items() if t.status not in (CLOSED, CANCELLED)}
    flapping = alerts.flapping_members(tx, tickets)
    lines: list[Line] = []
    notices: list[Notice] = []
    for number in sorted(tickets):
        begun = [row for row in turns.begun if row.incident_id == number]
        ended = [row for row in turns.ended if row.incident_id == number]
        lines += [_line(number, event, rows) for event, rows in (("flapping", begun), ("calm", ended)) if rows]
        still = flapping.get(number, set())
        if begun and number not in told and still <= {row.id for row in begun}:
            notices.append(Notice("flaps", number, _key(begun), {"alert": names(begun)}))
        elif ended and not still:
            notices.append(Notice("calms", number, f"{_key(ended)} {tx.now.isoformat()}", {"alert": names(ended)}))
    timeline.append_many(tx, desk, lines)
    notify.enqueue(tx, desk, notices)


def _key(rows: Sequence[AlertRow]) -> str:
    first = min(rows, key=lambda row: row.id)
    return f"{first.id} {first.flapping_since.isoformat()}" if first.flapping_since else str(first.id)


def _line(number: int, event: str, rows: Sequence[AlertRow]) -> Line:
    said: dict[str, Any] = {"event": event, "name": names(rows)}
    starts = [row.flapping_since for row in rows if row.flapping_since]
    return Line(number, "alert", said | ({"since": min(starts).isoformat()} if starts else {}))


def names(rows: Iterable[AlertRow]) -> str:
    """The first three names."""
    return ", ".join(sorted({row.name for row in rows})[:3])
