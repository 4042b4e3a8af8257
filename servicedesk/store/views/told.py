"""Who was told of a ticket, who was not, and why: notices and pages in one list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from servicedesk.store.db import Tx
from servicedesk.store.tables import escalation_policy, outbox, page_step, user

from .rows import shown_name

LIMIT = 200


@dataclass(frozen=True, slots=True)
class Told:
    """One (event or step, person or place, channel) and what became of it.

    state: pending, queued, sent, failed, skipped, held (waits for a digest) or digested. why: in a sentence; for what
    was sent the provider's own id. rule: what the step is of, such as "night, step 2, round 1"; "" for a notice.
    """

    at: datetime
    event: str
    who: str
    user_id: int | None
    channel: str
    target: str
    state: str
    why: str
    sent_at: datetime | None
    provider_id: str
    tries: int
    maybe_duplicate: bool
    rule: str = ""

    def concerns(self, user_id: int, email: str) -> bool:
        return self.user_id == user_id or (bool(email) and self.target.casefold() == email.casefold())


def told(tx: Tx, incident_id: int, limit: int = LIMIT) -> tuple[Told, ...]:
    """Everything about a ticket, the newest first."""
    steps = _steps(tx, incident_id, limit)
    found = [*steps, *_notices(tx, incident_id, limit)]
    return tuple(sorted(found, key=lambda t: t.at, reverse=True)[:limit])


def _notices(tx: Tx, incident_id: int, limit: int) -> list[Told]:
    o = outbox.c
    query = select(outbox).where(o.incident_id == incident_id, o.event.not_in(("page", "state")))
    rows = tx.run(query.order_by(o.id.desc()).limit(limit)).mappings()
    return [
        Told(
            r["created_at"],
            r["event"],
            (r["payload"] or {}).get("to") or "",
            None,
            r["channel"],
            r["target"],
            r["state"],
            r["error"] or (r["payload"] or {}).get("why") or "",
            r["sent_at"],
            r["provider_id"] or "",
            r["tries"],
            bool(r["maybe_duplicate"]),
        )
        for r in rows
    ]


def _steps(tx: Tx, incident_id: int, limit: int) -> list[Told]:
    p, o = page_step.c, outbox.c
    query = (
        select(
            page_step,
            o.provider_id,
            o.sent_at,
            o.tries,
            o.maybe_duplicate,
            o.error,
            shown_name(user).label("person"),
            escalation_policy.c.name.label("policy"),
        )
        .outerjoin(outbox, o.id == p.outbox_id)
        .outerjoin(user, user.c.id == p.user_id)
        .outerjoin(escalation_policy, escalation_policy.c.id == p.policy_id)
        .where(p.incident_id == incident_id)
        .order_by(p.id.desc())
        .limit(limit)
    )
    return [_step(r) for r in tx.run(query).mappings()]


def _step(r: Any) -> Told:
    place = f"{r['policy'] or ''}: {r['step']}/{r['round']}" if r["step"] else f"{r['policy'] or ''}"
    return Told(
        r["created_at"],
        "page",
        r["person"] or r["target_name"],
        r["user_id"],
        r["channel"],
        r["address"],
        r["state"],
        r["reason"] or r["error"] or "",
        r["sent_at"],
        r["provider_id"] or "",
        r["tries"] or 0,
        bool(r["maybe_duplicate"]),
        place.strip(": "),
    )
