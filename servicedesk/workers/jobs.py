"""What runs in the background: one line a job. Safe to run on several nodes at once; each claims its own rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from servicedesk.desk import Desk
from servicedesk.services import (
    alarms,
    apply,
    assignment,
    audit,
    auditor,
    backups,
    checks,
    digests,
    escalations,
    flaps,
    gathering,
    handover,
    heartbeats,
    judgement,
    maintenance,
    once,
    outbox,
    reconcile,
    records,
    retention,
    selfwatch,
    sessions,
    suspects,
    traffic,
    waiting,
)
from servicedesk.services import silences as muted

from . import syslog


@dataclass(frozen=True, slots=True)
class Job:
    """every: seconds between looks; topic: wakes it at once; repeats: what it answers (work done) means "again"."""

    name: str
    every: float
    run: Callable[[Desk], Any]
    topic: str = ""
    repeats: bool = False


HOUR = 3600.0
# What every process does for itself, whatever else it does.
OWN_JOBS: tuple[Job, ...] = (Job("here", 2.0, selfwatch.look_here),)
JOBS: tuple[Job, ...] = (
    Job("gathering", 2.0, gathering.run_once, topic="gathering", repeats=True),
    Job("deliveries", 0.2, apply.run_once, topic="deliveries", repeats=True),
    Job("suspects", 2.0, lambda desk: suspects.run_due(desk, desk.now())),
    Job("flaps", 5.0, flaps.run_due, repeats=True),
    Job("maintenance", 2.0, maintenance.run_due, topic="maintenance", repeats=True),
    Job("judgement", 2.0, judgement.run_due),
    Job("checks", 1.0, checks.run_due, topic="checks", repeats=True),
    Job("muted", 15.0, muted.end_due),
    Job("silences", 5.0, syslog.silences),
    Job("reconcile", 5.0, reconcile.run_due),
    Job("outbox", 5.0, outbox.send_due, topic="outbox", repeats=True),
    Job("escalations", 5.0, escalations.run_due, topic="escalations", repeats=True),
    Job("digests", 5.0, digests.run_due),
    Job("assignment", 3.0, assignment.run_due),
    Job("handover", 30.0, handover.return_due, repeats=True),
    Job("records", 300.0, records.run_due),
    Job("alarms", 30.0, alarms.run_due),
    Job("waiting", 30.0, waiting.run_due),
    Job("retention", 60.0, retention.run_due, repeats=True),
    Job("traffic", 5.0, traffic.run_due, repeats=True),
    Job("backup", 60.0, backups.run_due),
    Job("auditor", 30.0, auditor.run_due),
    Job("deadman", 60.0, auditor.ping),
    Job("heartbeats", 5.0, heartbeats.run_due),
    Job("selfwatch", 15.0, selfwatch.run_due, topic=selfwatch.TOPIC),
    *OWN_JOBS,
    Job("anchors", 60.0, audit.anchor),
    Job("sessions", HOUR, sessions.clean),
    Job("idempotency", HOUR, once.forget_old),
    Job("reach", HOUR, gathering.forget_old, repeats=True),
)
