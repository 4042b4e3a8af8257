"""What the database holds after intake, in a form that tests compare."""

from typing import Any

from sqlalchemy import Row, select

from servicedesk.desk import Desk
from servicedesk.store.tables import alert, dead_letter, delivery, episode, event, incident, member, outbox
from servicedesk.store.tables import timeline_content as content


def rows(desk: Desk, query: Any) -> list[Row[Any]]:
    with desk.read() as tx:
        return list(tx.run(query))


def alerts(desk: Desk, source: str = "am") -> list[Row[Any]]:
    return rows(desk, select(alert).where(alert.c.source == source).order_by(alert.c.id))


def only_alert(desk: Desk, source: str = "am") -> Row[Any]:
    (row,) = alerts(desk, source)
    return row


def events(desk: Desk, source: str = "am") -> list[Row[Any]]:
    query = select(event).join(alert, alert.c.id == event.c.alert_id).where(alert.c.source == source)
    return rows(desk, query.order_by(event.c.alert_id, event.c.starts_at, event.c.status, event.c.ends_at))


def episodes(desk: Desk, source: str = "am") -> list[Row[Any]]:
    query = select(episode).join(alert, alert.c.id == episode.c.alert_id).where(alert.c.source == source)
    return rows(desk, query.order_by(episode.c.alert_id, episode.c.starts_at))


def incidents(desk: Desk, source: str = "am", all_states: bool = True) -> list[Row[Any]]:
    query = select(incident).where(incident.c.source == source).order_by(incident.c.id)
    found = rows(desk, query)
    return found if all_states else [row for row in found if row.status not in ("closed", "cancelled")]


def ticket(desk: Desk, number: int) -> Row[Any]:
    (row,) = rows(desk, select(incident).where(incident.c.id == number))
    return row


def only_ticket(desk: Desk, source: str = "am") -> Row[Any]:
    (row,) = incidents(desk, source)
    return row


def members(desk: Desk, number: int) -> set[int]:
    return {r.alert_id for r in rows(desk, select(member.c.alert_id).where(member.c.incident_id == number))}


def delivered(desk: Desk, number: int) -> Row[Any]:
    (row,) = rows(desk, select(delivery).where(delivery.c.id == number))
    return row


def letters(desk: Desk, number: int, cleared: bool = False) -> dict[int, str]:
    query = select(dead_letter).where(dead_letter.c.delivery_id == number).order_by(dead_letter.c.idx)
    return {r.idx: r.error for r in rows(desk, query) if (r.cleared_at is not None) == cleared}


def told(desk: Desk, number: int) -> list[str]:
    """Events of the notices of a ticket."""
    return [r.event for r in rows(desk, select(outbox).where(outbox.c.incident_id == number).order_by(outbox.c.id))]


def lines(desk: Desk, number: int) -> list[dict[str, Any]]:
    """The contents of a ticket's timeline."""
    query = select(content.c.content).where(content.c.incident_id == number).order_by(content.c.seq)
    return [r.content for r in rows(desk, query)]


def picture(desk: Desk, source: str) -> dict[str, Any]:
    """Alerts, events, episodes and membership of a source, free of ids and of the order of application."""
    keys = {row.id: row.key.hex() for row in alerts(desk, source)}
    tickets: dict[int, set[str]] = {}
    for row in incidents(desk, source, all_states=False):
        tickets[row.id] = {keys[alert_id] for alert_id in members(desk, row.id)}
    names = {number: ",".join(sorted(found)) for number, found in tickets.items()}
    return {
        "alerts": sorted((keys[r.id], r.status, r.count, r.starts_at, r.ends_at or "") for r in alerts(desk, source)),
        "events": sorted(
            (keys[r.alert_id], r.status, r.starts_at, str(r.ends_at), r.count) for r in events(desk, source)
        ),
        "episodes": sorted(
            (keys[r.alert_id], r.starts_at, str(r.ends_at), r.fired, r.suspect, names.get(r.incident_id, ""))
            for r in episodes(desk, source)
        ),
        "tickets": sorted(names.values()),
        "begins": sorted((names[r.id], r.started_at, r.occurrences) for r in incidents(desk, source, all_states=False)),
        "carried": sorted((keys[r.id], names.get(r.incident_id, "")) for r in alerts(desk, source)),
    }
