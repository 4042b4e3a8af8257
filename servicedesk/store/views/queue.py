"""The queue: tickets under a filter, in one order, a page at a time.

Order "queue": new and in progress first, then pending, resolved, review, closed, cancelled; in each, tickets without
a priority first (they wait for triage), then by priority, the longest waiting first. Each (state, with or without
priority) is a range of an index, and ranges are read one after the other until the page is full.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Boolean, ColumnElement, Select, Text, and_, case, func, literal_column, or_, select, type_coerce

from servicedesk.domain.incident import STATES, UNCLOSED, number, parse_number
from servicedesk.errors import BadInput
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, incident, member, review, service, team, user

from .paging import Page, check_limit, cursor_of, page_of, read_cursor
from .rows import fill, shown_name

SORTS = ("queue", "newest", "oldest")
_owner = user.alias("owner")
_requester = user.alias("requester")


@dataclass(frozen=True, slots=True)
class Filter:
    """What to show. Empty fields do not restrict; `statuses` empty means every state that is not closed or cancelled.

    text: a number ("INC-42", "42") or a part of the title; labels: exact pairs that the ticket carries.
    """

    statuses: tuple[str, ...] = ()
    every_status: bool = False
    priorities: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    owner: int | None = None
    unassigned: bool = False
    requester: int | None = None
    team: int | None = None
    service: int | None = None
    owner_name: str = ""
    team_name: str = ""
    service_name: str = ""
    category: str = ""
    tag: str = ""
    source: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    major: bool | None = None
    opened_after: datetime | None = None
    opened_before: datetime | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the queue."""

    id: int
    number: str
    type: str
    status: str
    title: str
    priority: int | None
    major: bool
    service: str
    team_id: int | None
    team: str
    owner_id: int | None
    owner: str
    requester_id: int | None
    requester: str
    waiting_on: str
    hold_reason: str
    hold_until: datetime | None
    auto_recovered: bool
    cycle: int
    version: int
    occurrences: int
    created_at: datetime
    updated_at: datetime
    last_seen: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    unassigned_due_at: datetime | None
    due_at: datetime | None
    recurrence_of: int | None
    alerts: int = 0
    firing: int = 0
    suspect: int = 0
    flapping: int = 0  # alerts that fire and recover again and again
    review: str = ""


def tickets(tx: Tx, wanted: Filter, *, sort: str = "queue", cursor: str = "", limit: int = 50) -> Page[Row]:
    """A page of the queue. Raises BadInput for a wrong sort, limit or cursor."""
    check_limit(limit)
    if sort not in SORTS:
        raise BadInput({"sort": f"is none of {', '.join(SORTS)}"})
    if sort == "queue":
        ids, following = _in_queue_order(tx, wanted, cursor, limit)
    else:
        ids, following = _by_number(tx, wanted, cursor, limit, newest=sort == "newest")
    return Page(rows(tx, ids), following)


def rows(tx: Tx, ids: list[int]) -> tuple[Row, ...]:
    """Lines of the queue for these tickets, in the order given: three queries whatever their number."""
    if not ids:
        return ()
    owner_name, requester_name = shown_name(_owner).label("owner"), shown_name(_requester).label("requester")
    service_name = func.coalesce(service.c.name, incident.c.service_label).label("service")
    query = (
        select(incident, owner_name, requester_name, service_name, func.coalesce(team.c.name, "").label("team"))
        .select_from(
            incident.outerjoin(_owner, _owner.c.id == incident.c.owner_id)
            .outerjoin(_requester, _requester.c.id == incident.c.requester_id)
            .outerjoin(service, service.c.id == incident.c.service_id)
            .outerjoin(team, team.c.id == incident.c.team_id)
        )
        .where(incident.c.id.in_(ids))
    )
    found = {r["id"]: r for r in tx.run(query).mappings()}
    counts = _alert_counts(tx, ids)
    reviews = _review_states(tx, ids)
    return tuple(_row(found[i], counts.get(i, (0, 0, 0, 0)), reviews.get(i, "")) for i in ids if i in found)


def _row(r: Any, counts: tuple[int, int, int, int], review_state: str) -> Row:
    made = dict(zip(("alerts", "firing", "suspect", "flapping"), counts, strict=True))
    return fill(Row, r, number=number(r["id"]), hold_reason=r["hold_reason"] or "", review=review_state, **made)


def _alert_counts(tx: Tx, ids: list[int]) -> dict[int, tuple[int, int, int, int]]:
    firing = func.sum(case((alert.c.status == "firing", 1), else_=0))
    suspect = func.sum(case((alert.c.status == "suspect", 1), else_=0))
    mine = and_(alert.c.flap_ends_at.is_not(None), alert.c.incident_id == member.c.incident_id)
    flapping = func.sum(case((mine, 1), else_=0))
    query = (
        select(member.c.incident_id, func.count(), firing, suspect, flapping)
        .join(alert, alert.c.id == member.c.alert_id)
        .where(member.c.incident_id.in_(ids))
        .group_by(member.c.incident_id)
    )
    return {r[0]: (int(r[1]), int(r[2]), int(r[3]), int(r[4])) for r in tx.run(query)}


def _review_states(tx: Tx, ids: list[int]) -> dict[int, str]:
    query = (
        select(review.c.incident_id, review.c.status).where(review.c.incident_id.in_(ids)).order_by(review.c.version)
    )
    return {r[0]: r[1] for r in tx.run(query)}  # the newest version is the last written


def _in_queue_order(tx: Tx, wanted: Filter, cursor: str, limit: int) -> tuple[list[int], str | None]:
    after = read_cursor(cursor, str, int, int)
    found: list[tuple[str, int | None, int]] = []
    for status, triaged in _ranges(wanted, after):
        query = _ids(wanted, tx.postgresql).where(incident.c.status == status)
        query = query.where(incident.c.priority.is_not(None) if triaged else incident.c.priority.is_(None))
        if after is not None and after[0] == status and triaged == (after[1] is not None):
            query = query.where(_behind(after[1], after[2]))
        query = query.order_by(*((incident.c.priority, incident.c.id) if triaged else (incident.c.id,)))
        found += [(status, r.priority, r.id) for r in tx.run(query.limit(limit + 1 - len(found)))]
        if len(found) > limit:
            break
    shown = found[:limit]
    return [i for _, _, i in shown], cursor_of(*shown[-1]) if len(found) > limit else None


def _ranges(wanted: Filter, after: tuple[Any, ...] | None) -> Iterator[tuple[str, bool]]:
    """(state, has a priority) in the order of the queue, from the one that the cursor stands in."""
    statuses = wanted.statuses or (STATES if wanted.every_status else UNCLOSED)
    every = [(s, triaged) for s in STATES if s in statuses for triaged in (False, True)]
    start = (after[0], after[1] is not None) if after is not None else None
    if start is not None and start not in every:
        raise BadInput({"cursor": "is not a cursor of this list: start again without it"})
    return iter(every[every.index(start) :] if start is not None else every)


def _behind(priority: int | None, last: int) -> ColumnElement[bool]:
    if priority is None:
        return incident.c.id > last
    return or_(incident.c.priority > priority, and_(incident.c.priority == priority, incident.c.id > last))


def _by_number(tx: Tx, wanted: Filter, cursor: str, limit: int, *, newest: bool) -> tuple[list[int], str | None]:
    after = read_cursor(cursor, int)
    query = _ids(wanted, tx.postgresql)
    if not wanted.every_status or wanted.statuses:
        query = query.where(incident.c.status.in_(wanted.statuses or UNCLOSED))
    if after is not None:
        query = query.where(incident.c.id < after[0] if newest else incident.c.id > after[0])
    query = query.order_by(incident.c.id.desc() if newest else incident.c.id)
    page = page_of([r.id for r in tx.run(query.limit(limit + 1))], limit, lambda i: (i,))
    return list(page.items), page.next


def _ids(wanted: Filter, postgresql: bool) -> Select[Any]:
    """Names are looked up beside the query, so that an unknown one simply finds nothing."""
    query = select(incident.c.id, incident.c.priority).where(*_conditions(wanted, postgresql))
    c = incident.c
    named = ((c.owner_id, user, wanted.owner_name), (c.team_id, team, wanted.team_name))
    for column, table, name in named:
        if name:
            query = query.where(column == select(table.c.id).where(table.c.name == name).scalar_subquery())
    if wanted.service_name:
        its_id = select(service.c.id).where(service.c.name == wanted.service_name).scalar_subquery()
        query = query.where(or_(c.service_id == its_id, c.service_label == wanted.service_name))
    return query


def _conditions(wanted: Filter, postgresql: bool) -> Iterator[ColumnElement[bool]]:
    c = incident.c
    yield from _equal(wanted)
    if wanted.priorities:
        yield c.priority.in_(wanted.priorities)
    if wanted.types:
        yield c.type.in_(wanted.types)
    if wanted.unassigned:
        yield c.owner_id.is_(None)
    if wanted.opened_after is not None:
        yield c.created_at >= wanted.opened_after
    if wanted.opened_before is not None:
        yield c.created_at < wanted.opened_before
    yield from _json_fragments(wanted, postgresql)
    if wanted.text:
        yield _matches(wanted.text)


def _equal(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    c = incident.c
    pairs = (
        (c.owner_id, wanted.owner),
        (c.requester_id, wanted.requester),
        (c.team_id, wanted.team),
        (c.service_id, wanted.service),
        (c.category, wanted.category or None),
        (c.source, wanted.source or None),
    )
    for column, value in pairs:
        if value is not None:
            yield column == value
    if wanted.major is not None:  # in words, so that the index of major ones serves
        yield literal_column("incident.major" if wanted.major else "NOT incident.major", Boolean)


def _json_fragments(wanted: Filter, postgresql: bool) -> Iterator[ColumnElement[bool]]:
    """Labels and tags are compact JSON text: an exact pair or word is an exact piece of it, after `{`, `[` or `,`."""
    for name, value in wanted.labels:
        yield _holds(incident.c.labels, msgspec.json.encode({name: value}).decode()[1:-1], "{", postgresql)
    if wanted.tag:
        yield _holds(incident.c.tags, msgspec.json.encode(wanted.tag).decode(), "[", postgresql)


def _holds(column: Any, piece: str, opening: str, postgresql: bool) -> ColumnElement[bool]:
    place, kept = func.strpos if postgresql else func.instr, type_coerce(column, Text)
    return or_(place(kept, opening + piece) > 0, place(kept, "," + piece) > 0)


def _matches(words: str) -> ColumnElement[bool]:
    wanted = parse_number(words)
    title = incident.c.title.icontains(words.strip(), autoescape=True)
    return or_(incident.c.id == wanted, title) if wanted is not None else title
