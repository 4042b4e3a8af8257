"""New incidents born from alerts: priority, team, first timeline line, playbooks and notices, in sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import priority as priorities
from servicedesk.domain import storm as storms
from servicedesk.domain.alert_state import RECOVERED, SUSPECT
from servicedesk.domain.correlation import Decision
from servicedesk.domain.correlation_rules import STORM
from servicedesk.domain.incident import NEW
from servicedesk.domain.notification import unassigned_due
from servicedesk.services.shared import lookup, notify, timeline
from servicedesk.services.shared import playbooks as books
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.timeline import Line
from servicedesk.store import correlations, gathering
from servicedesk.store.alerts import AlertRow
from servicedesk.store.correlations import Service, Texts
from servicedesk.store.db import Tx

TITLE_LENGTH = 300
DESCRIPTION_LENGTH = 20_000


@dataclass(frozen=True, slots=True)
class Member:
    """An alert that an incident takes. start: of its first episode there; seen_at: when that was received.

    labels: as they came, None when they are to be read from the database.
    """

    row: AlertRow
    start: datetime
    episodes: int
    seen_at: datetime
    suspect_at: datetime | None = None
    labels: Mapping[str, str] | None = None


@dataclass(slots=True)
class Opening:
    """An incident to be made. members: the first of them names it, with the decision about it."""

    members: list[Member]
    decision: Decision
    recurrence_of: int | None = None


def open_all(tx: Tx, desk: Desk, openings: Sequence[Opening]) -> list[int]:
    """Make these incidents; answers their ids in the same order. Members and episodes are written by the caller."""
    if not openings:
        return []
    texts = correlations.texts(tx, [o.members[0].row.id for o in openings])
    named = {name for o in openings if (name := _service_name(o, texts))}
    services = correlations.services(tx, named) if named else {}
    team = lookup.default_team(tx)
    rows = [_row(tx, desk, o, texts, services, team) for o in openings]
    ids = correlations.open_tickets(tx, rows)
    timeline.append_many(tx, desk, [_created(i, row) for i, row in zip(ids, rows, strict=True)])
    _remember(tx, desk, openings, rows, ids)
    return ids


def announce(
    tx: Tx, desk: Desk, opened: Sequence[tuple[int, Opening]], joined: Sequence[tuple[int, Member]] = ()
) -> None:
    """Playbooks for the new incidents and for what joined others; notices of the new ones.

    Nobody is told of an alert in doubt: it may be a stale copy.
    """
    carried = [(i, m) for i, o in opened for m in o.members] + list(joined)
    unread = [m.row.id for _, m in carried if m.labels is None]
    texts = correlations.texts(tx, unread) if unread else {}
    subjects = []
    for incident_id, m in carried:
        labels = texts[m.row.id].labels if m.labels is None else m.labels
        category, service = _category(desk, labels), priorities.service_of(labels) or ""
        subjects.append(books.Ticket(incident_id, labels, "incident", category, service))
    books.attach_many(tx, desk, subjects)
    told = [i for i, o in opened if any(m.row.status != SUSPECT for m in o.members)]
    notify.enqueue(tx, desk, [Notice("opened", i, "opened") for i in told])


def _service_name(opening: Opening, texts: Mapping[int, Texts]) -> str:
    return priorities.service_of(texts[opening.members[0].row.id].labels) or ""


def _category(desk: Desk, labels: Mapping[str, str]) -> str:
    """As the label `category` says, where that is one of the desk's; else what the policy gives to alerts."""
    found = labels.get("category", "")
    return found if found in desk.policy.categories else desk.policy.alerts.category


def _row(
    tx: Tx, desk: Desk, o: Opening, texts: Mapping[int, Texts], services: Mapping[str, Service], team: int | None
) -> dict[str, Any]:
    first, name = o.members[0], _service_name(o, texts)
    said, service = texts[first.row.id], services.get(name)
    recovered = all(m.row.status == RECOVERED for m in o.members)
    last_seen = max(m.seen_at for m in o.members)
    assessed, storm = assess(desk, o.members, service), o.decision.rule == STORM
    return assessed | {
        "type": "incident",
        "status": NEW,
        "title": _storm_title(first.row) if storm else _title(first.row.name, said),
        "description": said.annotations.get("description", "")[:DESCRIPTION_LENGTH],
        "category": _category(desk, said.labels),
        "service_id": service.id if service else None,
        "service_label": name or lookup.UNKNOWN,
        "team_id": service.team_id if service else team,
        "channel": "monitor",
        "source": first.row.source,
        "labels": {"alertname": first.row.name} if storm else said.labels,
        "correlation": storms.digest(first.row.source, first.row.name) if storm else first.row.correlation,
        "creation": {"rule": o.decision.rule, "answer": "ticket", "reason": _reason(o, said)},
        "occurrences": sum(m.episodes for m in o.members),
        "first_seen": min(m.seen_at for m in o.members),
        "last_seen": last_seen,
        "started_at": min(m.start for m in o.members),
        "created_at": tx.now,
        "updated_at": tx.now,
        "auto_recovered": recovered,
        "recovered_at": last_seen if recovered else None,
        "suspect_at": max((m.suspect_at for m in o.members if m.suspect_at), default=None),
        "unassigned_due_at": unassigned_due(desk.policy, assessed["priority"], tx.now),
        "recurrence_of": o.recurrence_of,
    }


def _reason(o: Opening, said: Texts) -> str:
    """Why there is a ticket, and how we know of it when nobody told us (services.reconcile)."""
    found = said.annotations.get("recovered_from", "")[:200]
    return f"{o.decision.reason} {found}" if found else o.decision.reason


def _title(name: str, said: Texts) -> str:
    summary = said.summary.strip().split("\n")[0]
    if not summary:
        return (name or "Alert without a name")[:TITLE_LENGTH]
    return (summary if not name or name in summary else f"{name}: {summary}")[:TITLE_LENGTH]


def _storm_title(row: AlertRow) -> str:
    return f"Storm: {row.name or 'alerts without a name'} ({row.source})"[:TITLE_LENGTH]


def assess(desk: Desk, members: Sequence[Member], service: Service | None) -> dict[str, Any]:
    """Impact from the service, urgency from the most severe alert, priority from both."""
    policy = desk.policy.priority
    impact = service.impact if service else policy.impact.unknown_service
    urgency = min(priorities.severity_of(m.row.severity, policy).urgency for m in members)
    value = priorities.priority_of(impact, urgency, policy)
    return {"impact": impact, "urgency": urgency, "priority": value, "top_priority": value}


def _created(incident_id: int, row: Mapping[str, Any]) -> Line:
    names = ("type", "title", "description", "category", "impact", "urgency", "priority", "channel", "source")
    said = {name: row[name] for name in (*names, "service_label", "labels", "creation")}
    said |= {"began": row["started_at"].isoformat(), "alerts": row["occurrences"]}
    if row["recurrence_of"]:
        said["recurrence_of"] = row["recurrence_of"]
    return Line(incident_id, "created", said, rule="M1")


def _remember(
    tx: Tx, desk: Desk, openings: Sequence[Opening], rows: Sequence[Mapping[str, Any]], ids: Sequence[int]
) -> None:
    """The newest incident of each digest is the one that siblings join; what may be attached to it is looked at."""
    rules = desk.rules.current()
    newest: dict[bytes, tuple[bytes, int, Any, Any]] = {}
    for row, o, incident_id in sorted(zip(rows, openings, ids, strict=True), key=lambda found: found[0]["started_at"]):
        began, join = row["started_at"], rules.named(o.members[0].row.rule).join
        newest[row["correlation"]] = (row["correlation"], incident_id, began, began + join)
    correlations.remember(tx, [newest[digest] for digest in sorted(newest)])
    if rules.attaching:
        opened = zip(rows, ids, strict=True)
        reach = [(r, i, found) for r, i in opened for found in rules.reach(r["source"], r["labels"])]
        gathering.reaches(tx, [(digest, incident_id, rule) for _, incident_id, (digest, rule) in reach])
        gathering.add(tx, [(digest, row["started_at"], rule) for row, _, (digest, rule) in reach])
