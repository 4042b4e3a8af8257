"""What sources did not tell, or could not: their own programs are asked, and compared with what is recorded.

What was missed is stored as a delivery of its own and applied like any other, so that it is neither lost nor doubled.
An answer that failed, or is not whole, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from alert_receivers.event import alert_digest
from servicedesk.clients.api import Unanswered
from servicedesk.config import Source
from servicedesk.desk import Desk
from servicedesk.domain.alert_state import UNCONFIRMED
from servicedesk.domain.matchers import MatcherError, parse_matchers
from servicedesk.domain.reconcile import Answers, Known, Listed, Lived, Plan, Rules, plan
from servicedesk.errors import ConfigError
from servicedesk.services.shared import attach, observe, own, timeline
from servicedesk.services.shared.asking_sources import ask
from servicedesk.services.shared.timeline import Line
from servicedesk.store import alerts, deliveries
from servicedesk.store import reconcile as store
from servicedesk.store.alerts import AlertRow
from servicedesk.store.db import Priority, Tx

SOON = timedelta(seconds=5)  # between two looks while an alert is in doubt
GONE = "Unconfirmed, gone from source: it never reported that it was over, and its source does not know it any more."
MARK = "recovered_from"  # annotation
CHUNK = 1_000  # alerts in one delivery

log = structlog.get_logger("servicedesk.reconcile")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many alerts each became. error: why nothing was changed, or ""."""

    found: int = 0
    missed: int = 0
    confirmed: int = 0
    unconfirmed: int = 0
    error: str = ""


def run_due(desk: Desk) -> int:
    """Look at every configured source whose time has come; answers how many looks were taken. Raises Busy."""
    taken = 0
    for name, source in desk.config.sources.items():
        times = (timedelta(seconds=source.every), timedelta(seconds=source.down_after), SOON)
        turn = desk.write(partial(store.take_turn, source=name, times=times))
        if turn is not None:
            look(desk, name, source, turn.down_from)
            taken += 1
    return taken


def look(desk: Desk, name: str, source: Source, down_from: datetime | None) -> Outcome:
    """Ask the source's programs and settle what they say. down_from: look up the past since then. Raises Busy."""
    rules = _rules(name, source)
    try:
        answers = ask(source, desk.now(), down_from)
    except Unanswered as error:
        text = str(error)
        desk.write(lambda tx: store.failed(tx, name, text), Priority.SLICE)
        log.warning("a source could not be asked", source=name, error=text)
        return Outcome(error=text)
    outcome = desk.write(lambda tx: _settle(tx, desk, name, rules, answers), Priority.SLICE)
    desk.wake.notify("deliveries")
    if outcome.error or outcome.found or outcome.missed or outcome.unconfirmed:
        log.info("a source was compared", source=name, **asdict(outcome))
    return outcome


def _rules(name: str, source: Source) -> Rules:
    try:
        matchers = tuple(m for text in source.matchers for m in parse_matchers(text))
    except MatcherError as error:
        raise ConfigError(f"sources.{name}.matchers: {error}") from error
    return Rules(source.receiver, matchers, timedelta(seconds=source.patience), timedelta(seconds=source.gone_after))


def _settle(tx: Tx, desk: Desk, name: str, rules: Rules, answers: Answers) -> Outcome:
    if store.waiting(tx, name):
        return Outcome(error="deliveries wait")  # it is asked again; what they tell comes first
    recorded, known = _known(tx, name, answers)
    made = plan(rules, answers, known, tx.now)
    store.mark_back(tx, [*made.back, *made.unconfirmed])
    store.mark_gone(tx, made.gone)
    _confirm(tx, desk, [recorded[i] for i in made.confirmed])
    _unconfirmed(tx, desk, [recorded[i] for i in made.unconfirmed])
    if rows := _deliveries(name, made, tx.now):
        deliveries.insert_many(tx, rows)
    store.looked(tx, name, tx.now)
    return Outcome(len(made.current), len(made.missed), len(made.confirmed), len(made.unconfirmed))


def _known(tx: Tx, name: str, answers: Answers) -> tuple[dict[int, AlertRow], dict[bytes, Known]]:
    """What is recorded of everything that fires here or is spoken of, locked; by id and by key."""
    keys = {key for one in answers.listed for key in one} | {one.key for one in answers.lived}
    digests = {alert_digest(name, key) for key in keys}.union(store.open_digests(tx, name))
    rows = {row.id: row for row in alerts.lock(tx, digests).values()} if digests else {}
    gone, episodes, labels = store.gone_since(tx, rows), alerts.all_episodes(tx, rows), store.labels(tx, rows)
    known = {}
    for row in rows.values():
        past = tuple((e.starts_at, e.ends_at) for e in episodes.get(row.id, ()))
        times = (row.starts_at, row.ends_at, row.last_seen)
        since = gone.get(row.id)
        known[row.key] = Known(row.id, labels[row.id], row.status, *times, row.clears, since, past)
    return rows, known


def _confirm(tx: Tx, desk: Desk, rows: Sequence[AlertRow]) -> None:
    """Doubts that the Alertmanager itself takes away: they fire."""
    judged = observe.judge_anew(tx, desk, rows, confirm=True)
    for one in judged:
        one.seen_at = tx.now
    attach.follow(tx, desk, judged)


def _unconfirmed(tx: Tx, desk: Desk, rows: Sequence[AlertRow]) -> None:
    """They are over as far as anybody can say, but nobody said so."""
    for row in rows:
        row.status, row.decision = UNCONFIRMED, GONE
    alerts.write_state(tx, rows)
    by_incident: dict[int, list[AlertRow]] = {}
    for row in rows:
        if row.incident_id is not None:
            by_incident.setdefault(row.incident_id, []).append(row)
    timeline.append_many(tx, desk, [_line(i, found, tx.now) for i, found in sorted(by_incident.items())])


def _line(incident_id: int, found: Sequence[AlertRow], now: datetime) -> Line:
    names = ", ".join(sorted({row.name for row in found})[:3])
    said = {"status": UNCONFIRMED, "event": "unconfirmed", "name": names, "at": now.isoformat(), "reason": GONE}
    return Line(incident_id, "alert", said | {"alerts": [f"alert {row.id}" for row in found[:10]]})


def _deliveries(name: str, made: Plan, now: datetime) -> list[dict[str, Any]]:
    """What was missed, as Alertmanager would have sent it, each program's part in deliveries of their own."""
    current = [_current(one) for one in made.current]
    missed = [entry for one in made.missed for entry in _missed(one)]
    rows = []
    for origin, entries in (("Alertmanager", current), ("Prometheus", missed)):
        for start in range(0, len(entries), CHUNK):
            rows.append(own.row(name, entries[start : start + CHUNK], now, f"recovered-from={origin}"))
    return rows


def _current(one: Listed) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": one.labels,
        "annotations": {**one.annotations, MARK: "Recovered from the Alertmanager: its message never arrived."},
        "startsAt": one.starts_at.isoformat(),
        "fingerprint": one.fingerprint,
        "generatorURL": one.generator_url,
    }


def _missed(one: Lived) -> Iterable[Mapping[str, Any]]:
    """It fired, and it ended."""
    text = "Recovered from Prometheus: it fired and ended while the desk was down."
    said = {"labels": one.labels, "annotations": {MARK: text}, "startsAt": one.starts_at.isoformat()}
    assert one.ends_at is not None  # noqa: S101 - what still fires is not missed
    yield said | {"status": "firing"}
    yield said | {"status": "resolved", "endsAt": one.ends_at.isoformat()}
