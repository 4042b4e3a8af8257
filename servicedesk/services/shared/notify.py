"""Tells people: called inside the transaction of the change, writes outbox rows; the worker sends them afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from servicedesk.channels import registry
from servicedesk.desk import Desk
from servicedesk.domain import notification, standing_in
from servicedesk.domain.incident import number
from servicedesk.domain.notification import (
    ACT_LIFE,
    EVENTS,
    LINK_LIFE,
    NOBODY,
    SIGNIN,
    STAFF,
    Decision,
    Link,
    Notice,
    Person,
    Target,
    Ticket,
)
from servicedesk.domain.standing_in import Away
from servicedesk.services.shared import budget, paging
from servicedesk.store import access, budgets, escalations, oncall, outbox
from servicedesk.store.db import Tx

__all__ = ["Notice", "enqueue", "letter", "post", "refresh"]


def enqueue(tx: Tx, desk: Desk, notices: Iterable[Notice]) -> None:
    """Decide whom each notice reaches and write what is to be sent: a constant number of statements.

    The caller holds the tickets' locks and has made its change already: the rows are read here. The same notice twice
    (incident, event, subject_key) reaches a target once. Nobody to tell is written down too, as a failed row.
    Raises BadInput for an unknown event.
    """
    notices = list(notices)
    if not notices:
        return
    reach = registry.reach(desk.config)
    paged = paging.begin(tx, desk, notices)
    tickets = outbox.tickets(tx, {n.incident_id for n in notices})
    people = outbox.people(tx, (i for n in notices for i in n.extra.get("to") or ()))
    gone, zone = _away(tx, notices), desk.policy.calendar.timezone
    told: list[tuple[Notice, list[dict[str, Any]]]] = []
    links: list[Link] = []
    for notice in notices:
        ticket = tickets[notice.incident_id]
        decision = notification.decide(notice, ticket, desk.policy, reach, people)
        if notice.event in paging.BEGINS and notice.incident_id in paged and ticket.owner is None:
            decision = paging.instead(decision, reach)
        decision = standing_in.instead(decision, notice, ticket, gone, zone)
        found, made = _rows(tx, notice, ticket, decision)
        told.append((notice, found))
        links += made
    _hold(tx, desk, told, tickets)
    _write(tx, desk, [row for _, rows in told for row in rows], links)


def _away(tx: Tx, notices: Iterable[Notice]) -> dict[int, Away]:
    """Who is absent now, where one of these notices is for the staff."""
    absences = oncall.absences(tx, tx.now) if any(n.event in STAFF or n.event == "message" for n in notices) else ()
    return standing_in.away(absences, outbox.people(tx, (a.deputy_id for a in absences)), tx.now)


def refresh(tx: Tx, desk: Desk, incident_id: int) -> None:
    """The ticket is elsewhere now: messages about it that can be changed are brought up to date."""
    updating = registry.reach(desk.config).updating
    if not updating:
        return
    places = outbox.told_places(tx, incident_id, updating)
    if not places:
        return
    ticket = outbox.tickets(tx, {incident_id})[incident_id]
    notice, decision = Notice("state", incident_id, tx.now.isoformat()), Decision("state")
    targets = [Target(channel, place) for channel, place in places]
    _write(tx, desk, [_row(tx, notice, decision, t, _payload(notice, ticket, decision, t)) for t in targets], [])


def _write(tx: Tx, desk: Desk, rows: list[dict[str, Any]], links: Iterable[Link]) -> None:
    outbox.add(tx, rows)
    outbox.add_links(tx, [_stored(link, desk.audit_key) for link in links])
    if any(row["state"] == "pending" for row in rows):
        tx.after_commit.append(lambda: desk.wake.notify("outbox"))


def letter(tx: Tx, desk: Desk, event: str, to: Person, life: timedelta) -> None:
    """A message about no ticket, to one person, with a link to come in; older links of that kind are void."""
    link = Link(SIGNIN, event, 0, 0, to.id, tx.now + life)
    access.delete_unused_links(tx, to.id, SIGNIN)
    payload = {
        "event": event,
        "staff": False,
        "to": to.name,
        "language": to.language,
        "number": "",
        "title": "",
        "where": "",
        "since": tx.now.isoformat(),
        "priority": None,
        "owner": to.name,
        "extra": {},
        "link": _unsecret(link),
    }
    notice = Notice(event, 0, f"{to.id}:{link.expires_at.isoformat()}")
    rows = []
    for channel in registry.reach(desk.config).personal:
        row = _row(tx, notice, Decision(event), Target(channel, to.email), payload)
        rows.append(row | {"incident_id": None})
    _write(tx, desk, rows, [link])


def post(tx: Tx, desk: Desk, posts: Sequence[tuple[Notice, Target]]) -> list[int]:
    """Write rows for targets that were decided elsewhere (pages); answers the outbox ids in the same order."""
    if not posts:
        return []
    tickets = outbox.tickets(tx, {notice.incident_id for notice, _ in posts})
    rows: list[dict[str, Any]] = []
    links: list[Link] = []
    for notice, target in posts:
        found, made = _rows(tx, notice, tickets[notice.incident_id], Decision(notice.event, (target,)))
        rows += found
        links += made
    _write(tx, desk, rows, links)
    ids = escalations.outbox_ids(tx, {row["dedup"] for row in rows})
    return [ids[row["dedup"]] for row in rows]


def _hold(
    tx: Tx, desk: Desk, told: Sequence[tuple[Notice, list[dict[str, Any]]]], tickets: Mapping[int, Ticket]
) -> None:
    """Pages beyond their team's budget wait for its digest; the most urgent ones come first."""
    pages = [(n, rows) for n, rows in told if EVENTS[n.event].page and any(row["state"] == "pending" for row in rows)]
    if not pages:
        return
    known = budgets.known(tx, [row["dedup"] for _, rows in pages for row in rows])
    pages = [(n, rows) for n, rows in pages if not known.issuperset(row["dedup"] for row in rows)]
    pages.sort(key=lambda page: tickets[page[0].incident_id].priority or 9)
    due = budget.spend(tx, desk, [tickets[n.incident_id].team_id for n, _ in pages])
    for (_, rows), at in zip(pages, due, strict=True):
        for row in (r for r in rows if at is not None and r["state"] == "pending"):
            row |= {"state": "held", "due_at": at, "error": "Beyond the page budget: it comes in a digest."}


def _rows(tx: Tx, notice: Notice, ticket: Ticket, decision: Decision) -> tuple[list[dict[str, Any]], list[Link]]:
    if decision.targets:
        rows, made = [], []
        for target in decision.targets:
            links = links_for(tx, decision, ticket, target)
            rows.append(_row(tx, notice, decision, target, _payload(notice, ticket, decision, target, links)))
            made += [link for link in links if link is not None]
        for target in decision.left:
            row = _row(tx, notice, decision, target, _payload(notice, ticket, decision, target))
            rows.append(row | {"state": "skipped", "error": target.why})
        return rows, made
    if decision.silent and not decision.skipped:
        return [], []
    nobody = Target(NOBODY, "")
    row = _row(tx, notice, decision, nobody, _payload(notice, ticket, decision, nobody))
    return [row | {"state": "skipped" if decision.skipped else "failed", "error": decision.reason}], []


def _row(tx: Tx, notice: Notice, decision: Decision, target: Target, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dedup": notification.dedup(notice, target),
        "incident_id": notice.incident_id,
        "event": decision.event,
        "channel": target.channel,
        "target": target.address,
        "payload": payload,
        "state": "pending",
        "created_at": tx.now,
        "due_at": tx.now,
        "error": None,
    }


def _payload(
    notice: Notice,
    ticket: Ticket,
    decision: Decision,
    target: Target,
    links: tuple[Link | None, Link | None] = (None, None),
) -> dict[str, Any]:
    """What was true when it happened; the words are put together at sending (domain.messages.compose)."""
    return {
        "event": decision.event,
        "staff": EVENTS[decision.event].staff,
        "to": target.name,
        "why": target.why,
        "language": target.language,
        "incident": ticket.id,
        "number": number(ticket.id),
        "title": ticket.title,
        "where": ticket.where,
        "since": ticket.since.isoformat(),
        "priority": ticket.priority,
        "owner": ticket.owner.name if ticket.owner else "",
        "status": ticket.status,
        "team": ticket.team,
        "team_id": ticket.team_id,
        "extra": dict(notice.extra),
        "link": _unsecret(links[0]),
        "act": _unsecret(links[1]),
    }


def links_for(tx: Tx, decision: Decision, ticket: Ticket, target: Target) -> tuple[Link | None, Link | None]:
    """The signed links of one message: for its question, and for its one-button page."""
    event = EVENTS[decision.event]
    link = act = None
    if event.link and ticket.requester is not None:
        until = tx.now + LINK_LIFE
        link = Link(event.link, decision.event, ticket.id, ticket.cycle, ticket.requester.id, until)
    if event.act and target.person_id is not None:
        act = Link(event.act, decision.event, ticket.id, ticket.cycle, target.person_id, tx.now + ACT_LIFE)
    return link, act


def _unsecret(link: Link | None) -> dict[str, Any] | None:
    """Enough to make the secret again with the desk's key: the database alone holds none."""
    if link is None:
        return None
    kept = {"purpose": link.purpose, "event": link.event, "cycle": link.cycle, "user": link.user_id}
    return kept | {"expires": link.expires_at.isoformat()}


def _stored(link: Link, key: bytes) -> dict[str, Any]:
    return {
        "id_hash": notification.link_hash(link.secret(key)),
        "purpose": link.purpose,
        "user_id": link.user_id,
        "incident_id": link.incident_id or None,
        "cycle": link.cycle,
        "expires_at": link.expires_at,
    }
