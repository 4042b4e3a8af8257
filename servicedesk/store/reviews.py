"""Review versions and their approvals, as they are written; immutable once approved or waived (triggers)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, insert, select, update

from servicedesk.store.db import Tx
from servicedesk.store.tables import review, review_approval, timeline, timeline_content


def newest(tx: Tx, incident_id: int) -> Row[Any] | None:
    query = select(review).where(review.c.incident_id == incident_id).order_by(review.c.version.desc()).limit(1)
    found: Row[Any] | None = tx.run(query).first()
    return found


def get(tx: Tx, review_id: int) -> Row[Any]:
    row: Row[Any] = tx.run(select(review).where(review.c.id == review_id)).one()
    return row


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """A new version; answers its id."""
    new_id: int = tx.run(insert(review).values(dict(values)).returning(review.c.id)).scalar_one()
    return new_id


def change(tx: Tx, review_id: int, values: Mapping[str, Any]) -> None:
    tx.run(update(review).where(review.c.id == review_id).values(dict(values)))


def supersede(tx: Tx, incident_id: int) -> None:
    """A newer version counts from now on: what nobody decided waits for nobody any more."""
    r = review.c
    undecided = update(review).where(r.incident_id == incident_id, r.decided_at.is_(None), r.status != "superseded")
    tx.run(undecided.values(status="superseded"))


def add_vote(tx: Tx, review_id: int, actor_id: int | None, self_reviewed: bool) -> None:
    vote = {"review_id": review_id, "actor_id": actor_id, "at": tx.now, "self_reviewed": self_reviewed}
    tx.run(insert(review_approval).values(vote))


def told(tx: Tx, incident_id: int, kinds: Collection[str], limit: int) -> list[Row[Any]]:
    """Timeline rows (seq, at, kind, rule, content) of these kinds, oldest first: what a draft is made of."""
    t, c = timeline.c, timeline_content.c
    query = (
        select(t.seq, t.at, t.kind, t.rule, c.content)
        .outerjoin(timeline_content, (c.incident_id == t.incident_id) & (c.seq == t.seq))
        .where(t.incident_id == incident_id, t.kind.in_(sorted(kinds)))
        .order_by(t.seq)
    )
    return list(tx.run(query.limit(limit)))
