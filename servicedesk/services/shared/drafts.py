"""The review draft: made at resolution, its times and timeline from the stored events, each line citing its event."""

from __future__ import annotations

from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import business_time
from servicedesk.domain.incident import Actor, Facts
from servicedesk.services.shared import notify, timeline
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.timeline import Line
from servicedesk.store import reviews as store
from servicedesk.store import tickets
from servicedesk.store.db import Tx

SHOWN = ("created", "alert", "status", "assignment", "verification", "confirmation", "step")
MAX_LINES = 200


def ensure(tx: Tx, desk: Desk, f: Facts, actor: Actor) -> int:
    """A draft of the current cycle (version n+1, the old text kept) unless there is one; answers the review's id."""
    newest = store.newest(tx, f.id)
    if newest is not None and newest.cycle == f.cycle:
        return int(newest.id)
    row = tickets.get(tx, f.id)
    body = dict(newest.body) if newest else {}
    body |= {"times": _times(row), "timeline": _lines(tx, f.id), "cause_class": f.cause_class}
    body.setdefault("summary", "")
    days = desk.policy.review.due_in(f.review_depth, f.top_priority or 3)  # type: ignore[arg-type]
    due = business_time.add_days(desk.policy.calendar, tx.now, days)
    version = newest.version + 1 if newest else 1
    review_id = store.add(
        tx,
        {
            "incident_id": f.id,
            "version": version,
            "cycle": f.cycle,
            "status": "draft",
            "depth": f.review_depth,
            "body": body,
            "author_id": newest.author_id if newest else None,
            "authors": list(newest.authors) if newest else [],  # the old text is theirs still
            "created_at": tx.now,
            "due_at": due,
        },
    )
    said = {"version": version, "depth": f.review_depth, "status": "draft", "due": due.isoformat()}
    timeline.append(tx, desk, Line(f.id, "review", said, actor))
    notify.enqueue(
        tx,
        desk,
        [Notice("review_due", f.id, str(f.cycle), {"due": due.isoformat(), "to": [f.owner_id or f.resolver_id]})],
    )
    return review_id


def _times(row: Any) -> dict[str, dict[str, str]]:
    """Each from an event; what has none is left for somebody to estimate."""
    known = {
        "impact_start": row.started_at,
        "detected": row.first_seen or row.created_at,
        "acknowledged": row.acknowledged_at,
        "mitigated": None,
        "restored": row.recovered_at or row.resolved_at,
        "resolved": row.resolved_at,
    }
    return {name: {"at": at.isoformat(), "from": "event"} for name, at in known.items() if at is not None}


def _lines(tx: Tx, incident_id: int) -> list[dict[str, Any]]:
    rows = store.told(tx, incident_id, SHOWN, MAX_LINES)
    return [{"seq": r.seq, "at": r.at.isoformat(), "text": _sentence(r.kind, r.rule, r.content or {})} for r in rows]


def _sentence(kind: str, rule: str, content: dict[str, Any]) -> str:
    if kind == "status":
        before, after = (str(content.get(end, "")).replace("_", " ") for end in ("from", "to"))
        return f"{before} → {after} ({rule})"
    if kind == "created":
        return f"Ticket opened: {content.get('title', '')}"
    text = content.get("text") or content.get("verdict") or content.get("name") or content.get("title") or ""
    return f"{kind}: {text}" if text else kind
