"""Heartbeats: pings of jobs and scripts, Watchdogs of Alertmanagers. Silence is an alert, being heard again its end.

A Watchdog is watched by source and labels, not by the peer that sends it: a healthy pair sends through one of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import heartbeat as rules
from servicedesk.domain.heartbeat import ALERT, PING, SOURCE
from servicedesk.domain.incident import LEAD, Actor
from servicedesk.errors import BadInput, NotAllowed, NotFound
from servicedesk.services.shared import identity, own
from servicedesk.store import heartbeats as store
from servicedesk.store.db import Priority, Tx

MOMENT = timedelta(microseconds=1)
LONGEST = 366 * 86_400


def add(
    desk: Desk, actor: Actor, name: str, every: int, grace: int, service: str = "", severity: str = "warning"
) -> tuple[int, str]:
    """A heartbeat to be pinged every so many seconds, that may be late by `grace`; its id and its key, which is all
    that a ping needs. It waits for the first ping. Raises NotAllowed, BadInput."""
    _lead(actor)
    wrong = {n: f"must be 1 to {LONGEST:,} seconds" for n, v in (("every", every),) if not 1 <= v <= LONGEST}
    wrong |= {} if 0 <= grace <= LONGEST else {"grace": f"must be 0 to {LONGEST:,} seconds"}
    if wrong:
        raise BadInput(wrong)
    values = {
        "key": secrets.token_hex(16),
        "kind": PING,
        "name": identity.clean_text(name, "name", 100, required=True),
        "every": every,
        "grace": grace,
        "service": identity.clean_text(service, "service", 100),
        "severity": identity.clean_text(severity, "severity", 40),
    }

    def change(tx: Tx) -> int:
        number = store.add(tx, values | {"made_by": actor.id, "created_at": tx.now})
        told = {name: value for name, value in values.items() if name != "key"}
        identity.record(tx, desk, actor, "heartbeat", str(number), None, told)
        return number

    return desk.write(change), str(values["key"])


def ping(desk: Desk, key: str) -> None:
    """It lives. Raises NotFound."""

    def change(tx: Tx) -> int | None:
        row = store.lock(tx, key=key) if key.isascii() and key.isalnum() else None
        if row is None:
            raise NotFound("There is no heartbeat with this key.")
        return _heard(tx, row, tx.now)

    _apply(desk, desk.write(change))


def pause(desk: Desk, actor: Actor, number: int, paused: bool) -> None:
    """Paused: silence is no alarm; afterwards it waits for the next beat. Raises NotAllowed, NotFound."""
    _change(desk, actor, number, {"paused": paused, "due_at": None})


def remove(desk: Desk, actor: Actor, number: int) -> None:
    """It is forgotten, and an alarm about it is over. Raises NotAllowed, NotFound."""
    _change(desk, actor, number, None)


def _change(desk: Desk, actor: Actor, number: int, values: Mapping[str, Any] | None) -> None:
    _lead(actor)

    def change(tx: Tx) -> int | None:
        row = store.lock(tx, number=number)
        if row is None:
            raise NotFound(f"There is no heartbeat {number}.")
        told = _over(tx, row, tx.now)
        if values is None:
            store.remove(tx, number)
        else:
            store.change(tx, number, {"silent_since": None, **values})
        identity.record(tx, desk, actor, "heartbeat", str(number), {"name": row.name}, dict(values or {}))
        return told

    _apply(desk, desk.write(change))


def run_due(desk: Desk) -> int:
    """Hear Watchdogs, and tell of silence; answers how many of both. A job. Raises Busy."""
    with desk.read() as tx:
        seen, due = store.watchdogs(tx), store.due(tx, tx.now)
    for row in seen:
        _apply(desk, desk.write(partial(_hear_watchdog, seen=row), Priority.SLICE))
    for number in due:
        _apply(desk, desk.write(partial(_silent, number=number), Priority.SLICE))
    return len(seen) + len(due)


def _hear_watchdog(tx: Tx, seen: Any) -> int | None:
    every, grace = rules.expected(())
    place = next((seen.labels[n] for n in ("cluster", "prometheus") if seen.labels.get(n)), "")
    name = " ".join(text for text in ("Watchdog of", seen.source, place) if text)[:200]
    given = {"key": seen.key, "name": name, "source": seen.source, "every": every, "grace": grace}
    store.ensure_watchdog(tx, given | {"severity": "critical"})
    row = store.lock(tx, key=seen.key)
    return None if row is None else _heard(tx, row, seen.last_seen)


def _heard(tx: Tx, row: Any, at: datetime) -> int | None:
    """A beat; the delivery that tells of it when it was silent."""
    if row.last_at is not None and at <= row.last_at:
        return None
    values: dict[str, Any] = {"last_at": at, "first_at": row.first_at or at, "count": row.count + 1}
    every, grace = row.every, row.grace
    if row.kind != PING and row.last_at is not None and row.silent_since is None:
        values["gaps"] = rules.learn(row.gaps or [], (at - row.last_at).total_seconds())
        values["every"], values["grace"] = every, grace = rules.expected(values["gaps"])
    values["due_at"] = None if row.paused else at + timedelta(seconds=every + grace)
    told = _over(tx, row, at)
    store.change(tx, row.id, values | {"silent_since": None})
    return told


def _silent(tx: Tx, number: int) -> int | None:
    row = store.lock(tx, number=number)
    if row is None or row.silent_since is not None or row.paused or row.due_at is None or row.due_at > tx.now:
        return None
    since = max(tx.now, row.last_at + MOMENT)
    store.change(tx, number, {"silent_since": since})
    heard = f"{row.last_at:%Y-%m-%d %H:%M:%S} UTC"
    text = f"Last heard at {heard}; expected every {row.every} s, {row.grace} s late at most."
    said = {"summary": f"{row.name} is silent", "description": text}
    return own.store(tx, SOURCE, [own.entry(_labels(row), said, since)], "heartbeat")


def _over(tx: Tx, row: Any, at: datetime) -> int | None:
    if row.silent_since is None:
        return None
    end = max(at, row.silent_since + MOMENT)
    said = {"summary": f"{row.name} is silent"}
    return own.store(tx, SOURCE, [own.entry(_labels(row), said, row.silent_since, end)], "heartbeat")


def _labels(row: Any) -> dict[str, str]:
    labels = {"alertname": ALERT, "heartbeat": row.name, "heartbeat_id": str(row.id), "severity": row.severity}
    return labels | {name: value for name, value in (("service", row.service), ("sender", row.source)) if value}


def _apply(desk: Desk, number: int | None) -> None:
    if number is not None:
        own.apply(desk, number)


def _lead(actor: Actor) -> None:
    if not actor.has(LEAD):
        raise NotAllowed("Only a lead may make or change heartbeats.")
