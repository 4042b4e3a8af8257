"""Reviews: the versions of one ticket, and the queue of those that are not decided yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select

from servicedesk.domain.incident import number
from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, review, review_approval, user
from servicedesk.store.types import from_us, to_us

from .paging import Page, check_limit, page_of, read_cursor
from .rows import fill, shown_name

_author = user.alias("author")
_reviewer = user.alias("reviewer")
_waiver = user.alias("waiver")


@dataclass(frozen=True, slots=True)
class Approval:
    actor_id: int
    actor: str
    at: datetime
    self_reviewed: bool


@dataclass(frozen=True, slots=True)
class Review:
    """One version of a ticket's review. status: draft in_review changes_requested approved waived superseded."""

    id: int
    incident_id: int
    version: int
    cycle: int
    status: str
    depth: str
    body: dict[str, Any]
    author_id: int | None
    author: str
    reviewer_id: int | None
    reviewer: str
    change_request: str
    waiver_reason: str
    waived_by: str
    self_reviewed: bool
    row_version: int
    created_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    due_at: datetime | None
    approvals: tuple[Approval, ...] = ()


def versions(tx: Tx, incident_id: int) -> tuple[Review, ...]:
    """Every version of a ticket's review, the newest first, with its approvals."""
    joined = (
        review.outerjoin(_author, _author.c.id == review.c.author_id)
        .outerjoin(_reviewer, _reviewer.c.id == review.c.reviewer_id)
        .outerjoin(_waiver, _waiver.c.id == review.c.waived_by)
    )
    names = (
        shown_name(_author).label("author"),
        shown_name(_reviewer).label("reviewer"),
        shown_name(_waiver).label("waiver"),
    )
    query = select(review, *names).select_from(joined).where(review.c.incident_id == incident_id)
    found = tx.run(query.order_by(review.c.version.desc())).mappings().all()
    approvals = _approvals(tx, [r["id"] for r in found])
    return tuple(_review(r, approvals.get(r["id"], ())) for r in found)


def _review(r: Any, approvals: tuple[Approval, ...]) -> Review:
    texts = {name: r[name] or "" for name in ("change_request", "waiver_reason")}
    return fill(Review, r, waived_by=r["waiver"], approvals=approvals, **texts)


def _approvals(tx: Tx, ids: list[int]) -> dict[int, tuple[Approval, ...]]:
    if not ids:
        return {}
    query = (
        select(review_approval, shown_name(user).label("actor"))
        .join(user, user.c.id == review_approval.c.actor_id)
        .where(review_approval.c.review_id.in_(ids))
        .order_by(review_approval.c.at)
    )
    found: dict[int, list[Approval]] = {}
    for r in tx.run(query).mappings():
        found.setdefault(r["review_id"], []).append(fill(Approval, r))
    return {i: tuple(group) for i, group in found.items()}


@dataclass(frozen=True, slots=True)
class Pending:
    """A review that waits: for its author to write it, or for somebody to approve it."""

    id: int
    incident_id: int
    number: str
    title: str
    ticket_status: str
    priority: int | None
    version: int
    status: str
    depth: str
    author_id: int | None
    author: str
    owner_id: int | None
    owner: str
    reviewer_id: int | None
    reviewer: str
    due_at: datetime | None
    submitted_at: datetime | None


def pending(tx: Tx, *, status: str = "", cursor: str = "", limit: int = 50) -> Page[Pending]:
    """A page of undecided reviews, the soonest due first. status: only drafts, only in_review …"""
    check_limit(limit)
    after = read_cursor(cursor, int, int)
    due = func.coalesce(review.c.due_at, review.c.created_at)
    owner = user.alias("owner")
    joined = (
        review.join(incident, incident.c.id == review.c.incident_id)
        .outerjoin(_author, _author.c.id == review.c.author_id)
        .outerjoin(_reviewer, _reviewer.c.id == review.c.reviewer_id)
        .outerjoin(owner, owner.c.id == incident.c.owner_id)
    )
    query = (
        select(
            review,
            due.label("rank"),
            incident.c.title,
            incident.c.priority,
            incident.c.owner_id,
            incident.c.status.label("ticket_status"),
            shown_name(_author).label("author"),
            shown_name(_reviewer).label("reviewer"),
            shown_name(owner).label("owner"),
        )
        .select_from(joined)
        .where(review.c.decided_at.is_(None), review.c.status.in_(("draft", "in_review", "changes_requested")))
        .order_by(due, review.c.id)
    )
    if status:
        query = query.where(review.c.status == status)
    if after is not None:
        at = from_us(after[0])
        query = query.where(or_(due > at, and_(due == at, review.c.id > after[1])))
    found = list(tx.run(query.limit(limit + 1)).mappings())
    page = page_of(found, limit, lambda r: (to_us(r["rank"]), r["id"]))
    return Page(tuple(fill(Pending, r, number=number(r["incident_id"])) for r in page.items), page.next)
