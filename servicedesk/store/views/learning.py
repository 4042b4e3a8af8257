"""What playbooks and their steps were good for, and which alerts come how often (P9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import Row, func, select

from servicedesk.store.db import Tx
from servicedesk.store.tables import (
    alert,
    check_ask,
    check_run,
    episode,
    incident,
    playbook_run,
    playbook_step,
)

MOST = 20_000  # runs, steps or checks that are looked at


@dataclass(frozen=True, slots=True)
class Used:
    """A playbook's use. runs: tickets that it was attached to; helped, in_vain: as people said; worked_on: tickets on
    which somebody recorded a step; minutes: the median from its attachment to “resolved”, None: none was.
    """

    runs: int
    worked_on: int
    helped: int
    in_vain: int
    minutes: float | None
    last_at: datetime


def used(tx: Tx, since: datetime) -> dict[str, Used]:
    """playbook id → its use on tickets since then."""
    run = playbook_run.c
    touched = select(playbook_step.c.run_id).where(playbook_step.c.actor_id.is_not(None)).distinct().subquery()
    query = (
        select(run.playbook, run.attached_at, run.helped, incident.c.resolved_at, touched.c.run_id.label("touched"))
        .join(incident, incident.c.id == run.incident_id)
        .outerjoin(touched, touched.c.run_id == run.id)
        .where(run.attached_at >= since)
        .order_by(run.id.desc())
        .limit(MOST)
    )
    rows: dict[str, list[Row[Any]]] = {}
    for row in tx.run(query):
        rows.setdefault(row.playbook, []).append(row)
    return {name: _used(found) for name, found in rows.items()}


def _used(rows: Iterable[Row[Any]]) -> Used:
    found = list(rows)
    times = [
        (r.resolved_at - r.attached_at).total_seconds() / 60
        for r in found
        if r.resolved_at is not None and r.resolved_at >= r.attached_at
    ]
    said = Counter(r.helped for r in found)
    worked = sum(1 for r in found if r.touched is not None)
    last = max(r.attached_at for r in found)
    return Used(len(found), worked, said[True], said[False], median(times) if times else None, last)


@dataclass(slots=True)
class StepUse:
    """A step's use. helped: how often it was named as what helped most; verdicts: of its check; minutes: the median
    from the attachment to a person's record; seconds: the median that its check took.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    left_out: int = 0
    helped: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    minutes: float | None = None
    seconds: float | None = None


def steps(tx: Tx, playbook: str, since: datetime) -> dict[str, StepUse]:
    """step id → its use on tickets since then; those of the verify section by "verify:" and their id."""
    found: dict[str, StepUse] = {}
    _recorded(tx, playbook, since, found)
    _asked(tx, playbook, since, found)
    run = playbook_run.c
    named = select(run.helped_step, func.count()).where(run.playbook == playbook, run.attached_at >= since)
    for step, count in tx.run(named.where(run.helped_step.is_not(None)).group_by(run.helped_step)):
        found.setdefault(step, StepUse()).helped = count
    return found


def _recorded(tx: Tx, playbook: str, since: datetime, found: dict[str, StepUse]) -> None:
    run, step = playbook_run.c, playbook_step.c
    query = (
        select(step.step, step.outcome, step.left_out, step.actor_id, step.at, run.attached_at)
        .join(playbook_run, run.id == step.run_id)
        .where(run.playbook == playbook, run.attached_at >= since, step.outcome.is_not(None))
        .order_by(run.id.desc())
        .limit(MOST)
    )
    times: dict[str, list[float]] = {}
    for r in tx.run(query):
        use = found.setdefault(r.step, StepUse())
        if r.left_out:
            use.left_out += 1
            continue
        setattr(use, r.outcome, getattr(use, r.outcome) + 1)
        if r.outcome == "done" and r.actor_id is not None and r.at is not None:
            times.setdefault(r.step, []).append((r.at - r.attached_at).total_seconds() / 60)
    for name, minutes in times.items():
        found[name].minutes = median(minutes)


def _asked(tx: Tx, playbook: str, since: datetime, found: dict[str, StepUse]) -> None:
    query = (
        select(check_ask.c.step, check_run.c.verdict, check_run.c.seconds)
        .join(playbook_run, playbook_run.c.id == check_ask.c.run_id)
        .join(check_run, check_run.c.id == check_ask.c.check_run_id)
        .where(playbook_run.c.playbook == playbook, check_ask.c.asked_at >= since, check_ask.c.state == "done")
        .where(check_ask.c.purpose != "baseline")
        .order_by(check_ask.c.id.desc())
        .limit(MOST)
    )
    times: dict[str, list[float]] = {}
    for r in tx.run(query):
        use = found.setdefault(r.step, StepUse())
        use.verdicts[r.verdict or "cancelled"] += 1
        if r.seconds is not None:
            times.setdefault(r.step, []).append(r.seconds)
    for name, seconds in times.items():
        found[name].seconds = median(seconds)


@dataclass(frozen=True, slots=True)
class Seen:
    """Alerts of one name that made tickets. alerts: different ones; episodes: how often they fired; labels: of the
    newest, as an example; alert_id: that one.
    """

    name: str
    alerts: int
    episodes: int
    labels: dict[str, str]
    alert_id: int
    incident_id: int | None


def seen(tx: Tx, since: datetime, limit: int = 1000) -> tuple[Seen, ...]:
    """Names of alerts that made tickets, the most frequent first."""
    a = alert.c
    counted = func.count(episode.c.id).label("episodes")
    query = (
        select(a.name, func.count(a.id.distinct()).label("alerts"), counted, func.max(a.id).label("newest"))
        .join(episode, episode.c.alert_id == a.id)
        .where(episode.c.starts_at >= since, episode.c.incident_id.is_not(None))
        .group_by(a.name)
        .order_by(counted.desc(), a.name)
        .limit(limit)
    )
    rows = tx.run(query).all()
    newest = {r.id: r for r in tx.run(select(a.id, a.labels, a.incident_id).where(a.id.in_([r.newest for r in rows])))}
    return tuple(
        Seen(r.name, r.alerts, r.episodes, newest[r.newest].labels, r.newest, newest[r.newest].incident_id)
        for r in rows
    )
