"""SQL of playbooks: versions (one row per source text), runs (a version's use on an incident), steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, case, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from servicedesk.domain.playbook import Playbook
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, member, playbook_run, playbook_step, playbook_version


class Attach(NamedTuple):
    """A playbook for a ticket. labels: of the alert that it is for, those that its parameters name."""

    incident_id: int
    playbook: Playbook
    labels: Mapping[str, str]


def keep_versions(tx: Tx, playbooks: Iterable[Playbook]) -> None:
    """Keep the source text of each, once per hash."""
    wanted = {p.version: p for p in playbooks}
    have = tx.run(select(playbook_version.c.hash).where(playbook_version.c.hash.in_(wanted))).scalars()
    for known in have:
        wanted.pop(known)
    if not wanted:
        return
    dialect: Any = postgresql if tx.postgresql else sqlite
    rows = [
        {"hash": p.version, "playbook": p.id, "title": p.title, "source": p.source, "at": tx.now}
        for p in wanted.values()
    ]
    tx.run(dialect.insert(playbook_version).on_conflict_do_nothing(index_elements=["hash"]), rows)


def attached(tx: Tx, incident_ids: Iterable[int]) -> set[tuple[int, str]]:
    """(incident, playbook id) of the runs that exist."""
    run = playbook_run.c
    query = select(run.incident_id, run.playbook).where(run.incident_id.in_(sorted(set(incident_ids))))
    return {(row.incident_id, row.playbook) for row in tx.run(query)}


def add_runs(tx: Tx, runs: Sequence[Attach], actor_id: int | None) -> dict[tuple[int, str], int]:
    """New runs with their steps: two inserts whatever their number; answers (incident, playbook id) → run id."""
    if not runs:
        return {}
    run = playbook_run.c
    rows = [
        {
            "incident_id": incident_id,
            "playbook": playbook.id,
            "hash": playbook.version,
            "attached_at": tx.now,
            "attached_by": actor_id,
            "labels": dict(labels) or None,
        }
        for incident_id, playbook, labels in runs
    ]
    found = tx.run(insert(playbook_run).returning(run.id, run.incident_id, run.playbook), rows)
    ids = {(row.incident_id, row.playbook): row.id for row in found}
    tx.run(
        insert(playbook_step),
        [
            {"run_id": ids[incident_id, playbook.id], "step": s.id, "position": i, "mandatory": s.mandatory}
            for incident_id, playbook, _ in runs
            for i, s in enumerate(playbook.steps)
        ],
    )
    return ids


def subject(tx: Tx, incident_id: int) -> dict[str, str]:
    """Labels of the alert that a playbook attached by hand is about: one that fires, else the newest; {}: none."""
    fires = case((alert.c.status == "firing", 0), else_=1)
    query = select(alert.c.labels).join(member, member.c.alert_id == alert.c.id)
    found = tx.run(
        query.where(member.c.incident_id == incident_id).order_by(fires, alert.c.id.desc()).limit(1)
    ).scalar()
    return dict(found or {})


def run_of(tx: Tx, incident_id: int, run_id: int) -> Row[Any] | None:
    """The run with its version's title and source, if it belongs to this incident."""
    run = playbook_run.c
    query = (
        select(playbook_run, playbook_version.c.title, playbook_version.c.source)
        .join(playbook_version, playbook_version.c.hash == run.hash)
        .where(run.id == run_id, run.incident_id == incident_id)
    )
    return tx.run(query).one_or_none()  # type: ignore[no-any-return]


def record(tx: Tx, run_id: int, step: str, outcome: str, note: str, actor_id: int | None, at: datetime) -> str | None:
    """Write a step's outcome; answers the one that stood there before. Raises KeyError when there is no such step."""
    where = (playbook_step.c.run_id == run_id, playbook_step.c.step == step)
    before = tx.run(select(playbook_step.c.outcome).where(*where)).one_or_none()
    if before is None:
        raise KeyError(step)
    tx.run(
        update(playbook_step).where(*where).values(outcome=outcome, note=note, actor_id=actor_id, at=at, left_out=False)
    )
    return before.outcome  # type: ignore[no-any-return]


def branch(tx: Tx, run_id: int, step: str, taken: str, left_out: Iterable[str], note: str) -> None:
    """A decision: the branch is noted, the steps of other branches are left out, those of this one are open again.

    What a person recorded of a step stays.
    """
    s = playbook_step.c
    tx.run(update(playbook_step).where(s.run_id == run_id, s.step == step).values(branch=taken))
    open_again = {"outcome": None, "note": "", "actor_id": None, "at": None, "left_out": False}
    tx.run(update(playbook_step).where(s.run_id == run_id, s.left_out.is_(True)).values(open_again))
    left = update(playbook_step).where(s.run_id == run_id, s.step.in_(list(left_out)), s.outcome.is_(None))
    tx.run(left.values(outcome="skipped", note=note, at=tx.now, left_out=True))


def feedback(tx: Tx, run_id: int, helped: bool, step: str, actor_id: int | None) -> None:
    values = {"helped": helped, "helped_step": step or None, "helped_by": actor_id, "helped_at": tx.now}
    tx.run(update(playbook_run).where(playbook_run.c.id == run_id).values(values))


def outcomes(tx: Tx, run_id: int) -> dict[str, tuple[str | None, str | None]]:
    """step → (outcome, branch)"""
    s = playbook_step.c
    return {
        r.step: (r.outcome, r.branch) for r in tx.run(select(s.step, s.outcome, s.branch).where(s.run_id == run_id))
    }


def skip_open(tx: Tx, incident_id: int, note: str) -> list[tuple[int, str]]:
    """Skip every mandatory step that has no outcome, on behalf of the system; answers (run id, step) of each."""
    run, step = playbook_run.c, playbook_step.c
    open_ones = select(step.run_id, step.step).join(playbook_run, run.id == step.run_id)
    query = open_ones.where(run.incident_id == incident_id, step.mandatory.is_(True), step.outcome.is_(None))
    found = [(row.run_id, row.step) for row in tx.run(query.order_by(step.run_id, step.position))]
    for run_id, name in found:
        record(tx, run_id, name, "skipped", note, None, tx.now)
    return found
