"""Silences in the Alertmanager, set from a ticket, extended, expired, and ended with the ticket (T22).

The row is written before the Alertmanager is asked and settled afterwards; the silence's comment names ticket and row,
by which a silence is found again whose answer was lost.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from servicedesk.clients import alertmanager
from servicedesk.clients.api import Unanswered
from servicedesk.desk import Desk
from servicedesk.domain.incident import SYSTEM, Action, Actor
from servicedesk.domain.incident import number as shown
from servicedesk.errors import BadInput, NotFound
from servicedesk.services.shared import facts, timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.services.shared.transition import judged
from servicedesk.store import silences as store
from servicedesk.store.db import Priority, Tx

log = structlog.get_logger("servicedesk.silences")
TIMEOUT = 10.0
LONGEST = timedelta(days=30)
LOST = timedelta(minutes=2)  # after this an answer that never came is looked for


def silence(desk: Desk, actor: Actor, number: int, until: datetime, reason: str, alert_id: int | None = None) -> int:
    """Silence the ticket's alerts (their common labels), or one of them, until then; answers the silence's row.

    Raises BadInput (no Alertmanager, time, reason, nothing in common; what the Alertmanager said), NotFound, Refused.
    """
    _checked(desk, until, reason)

    def ask(tx: Tx) -> tuple[int, dict[str, str]]:
        judged(facts.load(tx, desk, number), actor, Action("edit"))
        labels = _labels(store.members(tx, number), alert_id)
        row = {"incident_id": number, "labels": labels, "reason": reason, "actor_id": actor.id, "ends_at": until}
        return store.add(tx, row | {"state": "asked", "created_at": tx.now}), labels

    row_id, labels = desk.write(ask)
    _put(desk, actor, number, row_id, labels, until, reason, "")
    return row_id


def extend(desk: Desk, actor: Actor, number: int, row_id: int, until: datetime, reason: str = "") -> None:
    """Let a silence end at another time. Raises as `silence`."""

    def look(tx: Tx) -> Any:
        judged(facts.load(tx, desk, number), actor, Action("edit"))
        return _row(tx, number, row_id)

    row = desk.write(look)
    _checked(desk, until, reason or row.reason)
    _put(desk, actor, number, row_id, row.labels, until, reason or row.reason, row.silence_id or "")


def expire(desk: Desk, actor: Actor, number: int, row_id: int) -> None:
    """End a silence now. Raises as `silence`."""

    def look(tx: Tx) -> Any:
        judged(facts.load(tx, desk, number), actor, Action("edit"))
        return _row(tx, number, row_id)

    row = desk.write(look)
    try:
        _end(desk, row)
    except Unanswered as error:
        raise BadInput({"": f"The Alertmanager did not end the silence: {error}."}) from error
    desk.write(lambda tx: _ended(tx, desk, row, actor, "expired"))


def end_due(desk: Desk) -> int:
    """End the silences of tickets that are closed or cancelled, note those that ended, find lost ones; how many.

    A silence that cannot be ended now is tried again at the next look.
    """
    if not desk.config.alertmanager.url:
        return 0
    with desk.read() as tx:
        rows = store.due(tx, tx.now - LOST)
    done = 0
    for row in rows:
        try:
            done += _tidy(desk, row)
        except Unanswered as error:
            log.warning(
                "a silence could not be ended", silence=row.silence_id, incident=row.incident_id, detail=str(error)
            )
            break
    return done


def _tidy(desk: Desk, row: Any) -> int:
    if row.state == "asked":
        sign, listed = mark(desk, row.id), alertmanager.silences(desk.config.alertmanager, TIMEOUT)
        found = next((s for s in listed if sign in s.comment and s.state != "expired"), None)
        values = {"state": "failed", "error": "no answer, and no such silence"}
        if found is not None:
            values = {"state": "active", "silence_id": found.id}
        desk.write(lambda tx: store.change(tx, row.id, values), Priority.SLICE)
        return 1
    over = row.ends_at <= desk.now()
    if not over:
        _end(desk, row)
    what = "over" if over else "ended_with_ticket"
    desk.write(lambda tx: _ended(tx, desk, row, SYSTEM, what), Priority.SLICE)
    return 1


def _put(
    desk: Desk,
    actor: Actor,
    number: int,
    row_id: int,
    labels: Mapping[str, str],
    until: datetime,
    reason: str,
    silence_id: str,
) -> None:
    comment = f"{shown(number)}: {reason} {mark(desk, row_id)}"
    api, now = desk.config.alertmanager, desk.now()
    try:
        new_id = alertmanager.set_silence(api, labels, now, until, actor.name, comment, TIMEOUT, silence_id)
    except Unanswered as error:
        if not silence_id:
            said = str(error)
            desk.write(lambda tx: store.change(tx, row_id, {"state": "failed", "error": said, "ended_at": tx.now}))
        raise BadInput({"": f"The Alertmanager did not take the silence: {error}."}) from error

    def settle(tx: Tx) -> None:
        store.lock(tx, number)
        store.change(tx, row_id, {"state": "active", "silence_id": new_id, "ends_at": until, "reason": reason})
        said = {"event": "extended" if silence_id else "set", "silence": new_id, "until": until.isoformat()}
        content = said | {"labels": dict(labels), "text": reason}
        timeline.append(tx, desk, Line(number, "silence", content, actor))
        tx.after_commit.append(lambda: desk.wake.notify("changes"))

    desk.write(settle)


def _ended(tx: Tx, desk: Desk, row: Any, actor: Actor, event: str) -> None:
    store.lock(tx, row.incident_id)
    if store.change(tx, row.id, {"state": "expired", "ended_at": tx.now}, ("asked", "active")):
        said = {"event": event, "silence": row.silence_id, "labels": row.labels}
        timeline.append(tx, desk, Line(row.incident_id, "silence", said, actor))
        tx.after_commit.append(lambda: desk.wake.notify("changes"))


def _end(desk: Desk, row: Any) -> None:
    if row.silence_id:
        alertmanager.expire(desk.config.alertmanager, row.silence_id, TIMEOUT)


def _row(tx: Tx, number: int, row_id: int) -> Any:
    row = store.one(tx, number, row_id)
    if row is None or row.state not in ("asked", "active"):
        raise NotFound(f"{shown(number)} has no silence {row_id} that is set.")
    return row


def mark(desk: Desk, row_id: int) -> str:
    """By what a silence is known in the Alertmanager: the row, and a sign of this desk among others that ask there."""
    sign = hmac.new(desk.audit_key, f"silence {row_id}".encode(), "sha256").hexdigest()[:8]
    return f"(service desk silence {row_id}-{sign})"


def _checked(desk: Desk, until: datetime, reason: str) -> None:
    wrong = {}
    if not desk.config.alertmanager.url:
        wrong["until"] = "There is no Alertmanager to ask: configure alertmanager.url."
    elif not timedelta(0) < until - desk.now() <= LONGEST:
        wrong["until"] = f"A time in the future, at most {LONGEST.days} days away."
    if not reason.strip() or len(reason) > 500:
        wrong["reason"] = "Say why, in at most 500 characters: it stands in the silence's comment."
    if wrong:
        raise BadInput(wrong)


def _labels(members: Mapping[int, Mapping[str, str]], alert_id: int | None) -> dict[str, str]:
    """What a silence matches: all labels of one alert, or those that all of them have in common."""
    if alert_id is not None:
        if alert_id not in members:
            raise NotFound("The ticket has no such alert.")
        return dict(members[alert_id])
    every = list(members.values())
    if not every:
        raise BadInput({"alert": "The ticket has no alert."})
    common = dict(set(every[0].items()).intersection(*(one.items() for one in every[1:])))
    if "alertname" not in common:
        raise BadInput({"alert": "Its alerts have different names, so that a silence would hit others: choose one."})
    return common
