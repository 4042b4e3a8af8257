"""Tickets of a test and what the outbox holds about them."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import incidents
from servicedesk.services.incidents import NewTicket
from servicedesk.services.shared import notify
from servicedesk.services.shared.notify import Notice
from servicedesk.store.tables import incident, outbox, service, team, timeline, timeline_content


def opened(desk: Desk, actor: Actor, title: str = "Checkout is down", level: int = 1, requester: str = "") -> int:
    """A ticket by hand; level 1 gives P1, 3 gives P5."""
    form = NewTicket(
        title, category="infrastructure", impact=level, urgency=level, service="General", requester=requester
    )
    return incidents.open_ticket(desk, actor, form)


def many(desk: Desk, count: int) -> list[int]:
    """Tickets as a slice of alerts makes them: P1, of the default team, without owner and requester."""
    with desk.read() as tx:
        team_id = tx.run(select(team.c.id)).scalars().first()
        service_id = tx.run(select(service.c.id)).scalars().first()
    row = {"type": "incident", "status": "new", "priority": 1, "team_id": team_id, "service_id": service_id}
    now = desk.now()
    rows = [
        row | {"title": f"Alert {n}", "created_at": now, "updated_at": now, "started_at": now} for n in range(count)
    ]

    def change(tx: Any) -> list[int]:
        return list(tx.run(insert(incident).returning(incident.c.id), rows).scalars())

    return desk.write(change)


def tell(desk: Desk, *notices: Notice) -> None:
    """Enqueue in a transaction of its own."""
    desk.write(lambda tx: notify.enqueue(tx, desk, notices))


def rows(desk: Desk, number: int | None = None) -> list[Any]:
    """Rows of the outbox, oldest first; not those that the policy leaves out."""
    query = select(outbox).where(outbox.c.state != "skipped").order_by(outbox.c.id)
    with desk.read() as tx:
        return list(tx.run(query if number is None else query.where(outbox.c.incident_id == number)))


def lines(desk: Desk, number: int, kind: str) -> list[dict[str, Any]]:
    """What the ticket's timeline says of this kind, oldest first."""
    t, c = timeline.c, timeline_content.c
    query = select(c.content).join(timeline, (t.incident_id == c.incident_id) & (t.seq == c.seq))
    with desk.read() as tx:
        return list(tx.run(query.where(t.incident_id == number, t.kind == kind).order_by(t.seq)).scalars())


def set_incident(desk: Desk, number: int, **values: Any) -> None:
    desk.write(lambda tx: tx.run(incident.update().where(incident.c.id == number).values(**values)))


def row_of(desk: Desk, number: int) -> Any:
    with desk.read() as tx:
        return tx.run(select(incident).where(incident.c.id == number)).one()


def due_of(desk: Desk, number: int) -> datetime | None:
    due: datetime | None = row_of(desk, number).unassigned_due_at
    return due
