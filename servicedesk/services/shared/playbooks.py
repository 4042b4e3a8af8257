"""Playbooks put on tickets: matched in memory, written in the transaction of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from alert_receivers.event import visible
from servicedesk.desk import Desk
from servicedesk.domain.incident import SYSTEM, Actor
from servicedesk.domain.playbook import Playbook
from servicedesk.services.shared import asking, timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import playbooks as store
from servicedesk.store.db import Tx
from servicedesk.store.playbooks import Attach

LABEL_LENGTH = 1000  # of a kept value; a parameter takes far less


class Ticket(NamedTuple):
    """What playbooks are matched by. labels: of one alert, {} for a ticket without; service: its name or ""."""

    incident_id: int
    labels: Mapping[str, str]
    type: str = "incident"
    category: str = ""
    service: str = ""


def attach(tx: Tx, desk: Desk, ticket: Ticket) -> tuple[Playbook, ...]:
    """Attach the playbooks that match; answers those that were not attached before."""
    return tuple(playbook for _, playbook in attach_many(tx, desk, [ticket]))


def attach_many(tx: Tx, desk: Desk, tickets: Iterable[Ticket]) -> list[tuple[int, Playbook]]:
    """Attach to each incident the playbooks that match it: a few statements whatever their number.

    The caller holds the incidents' locks or has just inserted them. An incident may come several times, with the
    labels of different alerts; a playbook that it has already is left alone. Answers what is new, with timeline lines
    written.
    """
    catalogue = desk.playbooks.catalogue()
    wanted: dict[tuple[int, str], Attach] = {}
    for t in tickets:
        for playbook in catalogue.match(t.labels, t.type, t.category, t.service):
            wanted.setdefault((t.incident_id, playbook.id), Attach(t.incident_id, playbook, t.labels))
    if not wanted:
        return []
    known = store.attached(tx, {incident_id for incident_id, _ in wanted})
    new = [one for at, one in wanted.items() if at not in known]
    put(tx, desk, new, SYSTEM)
    return [(one.incident_id, one.playbook) for one in new]


def put(tx: Tx, desk: Desk, runs: Sequence[Attach], actor: Actor) -> dict[tuple[int, str], int]:
    """Write these runs, their source texts, their first questions and timeline lines; answers (incident, playbook id)
    → run id."""
    if not runs:
        return {}
    store.keep_versions(tx, [one.playbook for one in runs])
    ids = store.add_runs(tx, [one._replace(labels=named(one.playbook, one.labels)) for one in runs], actor.id)
    asking.on_opening(
        tx, desk, [(one.incident_id, ids[one.incident_id, one.playbook.id], one.playbook) for one in runs]
    )
    lines = []
    for incident_id, playbook, _ in runs:
        content = {
            "event": "attached",
            "playbook": playbook.id,
            "title": playbook.title,
            "version": playbook.version,
            "run": ids[incident_id, playbook.id],
        }
        lines.append(Line(incident_id, "playbook", content, actor))
    timeline.append_many(tx, desk, lines)
    return ids


def named(playbook: Playbook, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that the playbook's parameters name, as they can be stored."""
    names = dict.fromkeys(label for p in playbook.parameters for label in p.labels)
    return {name: visible(labels[name])[:LABEL_LENGTH] for name in names if name in labels}


def skip_open(tx: Tx, desk: Desk, incident_id: int, reason: str) -> None:
    """Skip the mandatory steps that nobody began, with a reason (M4a: it recovered by itself, and G4 must hold)."""
    skipped = store.skip_open(tx, incident_id, reason)
    lines = [
        Line(incident_id, "playbook_step", {"event": "skipped", "run": run_id, "step": step, "note": reason})
        for run_id, step in skipped
    ]
    timeline.append_many(tx, desk, lines)
