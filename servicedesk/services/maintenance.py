"""Maintenance windows and suppressions: planned, ended early, previewed; what they held back is judged again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from servicedesk.desk import Desk
from servicedesk.domain import maintenance as rules
from servicedesk.domain.incident import LEAD, Actor
from servicedesk.domain.maintenance import KINDS, MAX_MINUTES, Window
from servicedesk.domain.matchers import Matcher, MatcherError, parse_matchers
from servicedesk.errors import BadInput, Conflict, NotAllowed, NotFound
from servicedesk.services.shared import attach, holding, identity, observe
from servicedesk.store import alerts, deliveries
from servicedesk.store import maintenance as store
from servicedesk.store.db import Priority, Tx

BATCH = 200
OLDEST = timedelta(days=366)  # how long ago the first time of one that recurs may lie
PATIENCE = timedelta(minutes=5)
PREVIEWED = 5_000  # firing alerts that a preview looks at


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person wants to plan. service, source: "" for any; matchers: as Alertmanager reads them; starts_at: of
    the first time, aware; recurrence: RFC 5545 RRULE or ""; timezone: in which it recurs."""

    kind: str
    title: str
    starts_at: datetime
    minutes: int
    reason: str = ""
    service: str = ""
    matchers: str = ""
    source: str = ""
    recurrence: str = ""
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Match:
    """A firing alert that a plan would fit."""

    id: int
    source: str
    name: str
    labels: dict[str, str]
    starts_at: datetime
    incident_id: int | None


def plan(desk: Desk, actor: Actor, wanted: Plan) -> int:
    """Plan a window; answers its id. Raises NotAllowed, BadInput."""
    _lead(actor)

    def change(tx: Tx) -> int:
        window = _checked(tx, wanted)
        values = {
            "kind": window.kind,
            "title": window.title,
            "reason": identity.clean_text(wanted.reason, "reason", 2_000),
            "service_id": store.service_id(tx, window.service) if window.service else None,
            "matchers": ", ".join(str(m) for m in window.matchers),
            "source": window.source,
            "starts_at": window.starts_at,
            "minutes": window.minutes,
            "recurrence": window.recurrence,
            "timezone": window.timezone,
            "over_at": window.over_at,
            "made_by": actor.id,
            "created_at": tx.now,
        }
        number = store.add(tx, values)
        told = {name: value for name, value in values.items() if name not in ("made_by", "created_at")}
        identity.record(tx, desk, actor, "maintenance_window", str(number), None, told)
        tx.after_commit.append(lambda: desk.wake.notify("changes"))
        return number

    return desk.write(change)


def cancel(desk: Desk, actor: Actor, window_id: int, kind: str = "") -> None:
    """End a window early, or all of its times to come; what it holds back is judged again. Raises NotAllowed,
    NotFound, Conflict."""
    _lead(actor)

    def change(tx: Tx) -> None:
        row = store.lock(tx, window_id)
        if row is None or (kind and row.kind != kind):
            raise NotFound(f"There is no window {window_id}.")
        if row.cancelled_at is not None or (row.over_at is not None and row.over_at <= tx.now):
            raise Conflict("It is over already.")
        store.cancel(tx, window_id)
        before, after = {"cancelled_at": None}, {"cancelled_at": tx.now}
        identity.record(tx, desk, actor, "maintenance_window", str(window_id), before, after)
        tx.after_commit.append(lambda: desk.wake.notify("maintenance"))

    desk.write(change)


def preview(desk: Desk, wanted: Plan) -> tuple[Window, list[Match]]:
    """The window that a plan would be, and which firing alerts it fits now. Raises BadInput."""
    with desk.read() as tx:
        window = _checked(tx, wanted)
        return window, [Match(*row) for row in store.firing(tx, PREVIEWED) if window.fits(row.source, row.labels)]


def run_due(desk: Desk) -> int:
    """Judge again what was held back until now; answers how many alerts. A job. Raises Busy.

    Not while a delivery waits, which may tell that they are over; but no longer than PATIENCE.
    """
    now = desk.now()
    with desk.read() as tx:
        found = store.due(tx, now, BATCH)
        busy = bool(found) and deliveries.waiting_since(tx, now)
        ids = [number for number, until in found if not busy or until <= now - PATIENCE]
    return desk.write(lambda tx: _release(tx, desk, ids), Priority.SLICE) if ids else 0


def _release(tx: Tx, desk: Desk, ids: Sequence[int]) -> int:
    rows = [
        row
        for row in alerts.lock_by_id(tx, ids).values()
        if row.waits == holding.WAITS and row.waits_until is not None and row.waits_until <= tx.now
    ]
    judged = observe.judge_anew(tx, desk, rows)
    for one in judged:
        one.released = True
    attach.follow(tx, desk, judged)
    return len(rows)


def _lead(actor: Actor) -> None:
    if not actor.has(LEAD):
        raise NotAllowed("Only a lead may plan or end windows.")


def _checked(tx: Tx, wanted: Plan) -> Window:
    wrong: dict[str, str] = {}
    matchers = _matchers(wanted.matchers, wrong)
    if wanted.kind not in KINDS:
        wrong["kind"] = f"must be one of {', '.join(KINDS)}"
    if not (wanted.service or matchers or wanted.source):
        wrong["matchers"] = "say for which alerts it is: a service, matchers or a source"
    if wanted.service and store.service_id(tx, wanted.service) is None:
        wrong["service"] = f"there is no service {wanted.service!r}"
    if not 1 <= wanted.minutes <= MAX_MINUTES:
        wrong["minutes"] = f"must be 1 to {MAX_MINUTES:,}"
    if not _is_zone(wanted.timezone):
        wrong["timezone"] = f"{wanted.timezone!r} is not a time zone: write one like Europe/Paris"
    recurrence = wanted.recurrence.strip().upper().removeprefix("RRULE:")
    over_at = None if wrong else _over_at(wanted, recurrence, tx.now, wrong)
    if wrong:
        raise BadInput(wrong)
    return Window(
        0,
        wanted.kind,
        identity.clean_text(wanted.title, "title", 200, required=True),
        wanted.service,
        matchers,
        identity.clean_text(wanted.source, "source", 100),
        wanted.starts_at,
        wanted.minutes,
        recurrence,
        wanted.timezone,
        over_at,
    )


def _over_at(wanted: Plan, recurrence: str, now: datetime, wrong: dict[str, str]) -> datetime | None:
    if wanted.starts_at < now - OLDEST or wanted.starts_at > now + 10 * OLDEST:
        wrong["starts_at"] = "lies too far away"
        return None
    given = (recurrence, wanted.starts_at, wanted.minutes, wanted.timezone)
    if recurrence and (problem := rules.rule_problem(*given)):
        wrong["recurrence"] = problem
        return None
    over_at = rules.last_end(*given)
    if over_at is not None and over_at <= now:
        wrong["starts_at"] = "it would be over already"
    return over_at


def _matchers(text: str, wrong: dict[str, Any]) -> tuple[Matcher, ...]:
    try:
        return tuple(parse_matchers(text)) if text.strip() else ()
    except MatcherError as error:
        wrong["matchers"] = str(error)
        return ()


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def local(at: datetime, timezone: str) -> datetime:
    """A time without a zone is one of the window's own. Raises BadInput."""
    if not _is_zone(timezone):
        raise BadInput({"timezone": f"{timezone!r} is not a time zone: write one like Europe/Paris"})
    return at.replace(tzinfo=ZoneInfo(timezone))


def next_times(window: Window, now: datetime, most: int) -> list[tuple[datetime, datetime]]:
    """When it holds from now on, at most so many times, within 400 days."""
    return list(islice(window.times(now, now + timedelta(days=400)), most))
