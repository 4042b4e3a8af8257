"""SQL of checks: questions (asks), their runs under a lease, budgets, and what becomes of them."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from .db import Tx
from .tables import check_ask, check_run, incident, playbook_run, playbook_version

_ASK, _RUN = check_ask.c, check_run.c
_WAITING = _ASK.state == "waiting"
_IN_FLIGHT = _RUN.state.in_(("queued", "running"))
_JOINED_DONE = and_(_ASK.state == "joined", _RUN.id == _ASK.check_run_id, _RUN.state.in_(("done", "cancelled")))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that nobody has asked yet. labels: of its alert, as kept with the playbook's run or the preview."""

    id: int
    step: str
    purpose: str
    priority: int
    source: str
    labels: dict[str, str]
    asked_at: datetime
    incident_id: int | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that is ours until the lease ends."""

    id: int
    type: str
    target: str
    request: dict[str, Any]
    tries: int
    lease: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A question whose run has ended, with what was found."""

    id: int
    incident_id: int | None
    run_id: int | None
    step: str
    purpose: str
    observation_id: int | None
    look: int | None
    asked_by: int | None
    check_run_id: int
    type: str
    verdict: str
    summary: str
    value: float | None
    source: str = ""  # of the playbook, where it was asked for


def add_asks(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write questions: one insert whatever their number."""
    if rows:
        tx.run(insert(check_ask), [dict(_EMPTY_ASK) | dict(row) for row in rows])


def add_ask(tx: Tx, row: Mapping[str, Any]) -> int:
    """Write one question; answers its id."""
    values = dict(_EMPTY_ASK) | dict(row)
    new_id: int = tx.run(insert(check_ask).values(values).returning(_ASK.id)).scalar_one()
    return new_id


_EMPTY_ASK: dict[str, Any] = {
    "incident_id": None,
    "run_id": None,
    "labels": None,
    "cycle": None,
    "observation_id": None,
    "look": None,
    "asked_by": None,
}


def is_due(tx: Tx) -> bool:
    """Is there anything to ask, to run or to tell? Without a lock."""
    free = or_(_RUN.lease_until.is_(None), _RUN.lease_until <= tx.now)
    for query in (
        select(_ASK.id).where(_WAITING),
        select(_RUN.id).where(_IN_FLIGHT, _RUN.due_at <= tx.now, free),
        select(_ASK.id).where(_JOINED_DONE),
    ):
        if tx.run(query.limit(1)).first() is not None:
            return True
    return False


def waiting(tx: Tx, limit: int) -> list[Waiting]:
    """The most urgent questions that wait, locked; those that another node looks at are passed over."""
    query = select(_ASK.id).where(_WAITING).order_by(_ASK.priority, _ASK.id).limit(limit)
    ids = tx.run(query.with_for_update(skip_locked=True)).scalars().all()
    if not ids:
        return []
    rows = tx.run(
        select(check_ask, playbook_version.c.source, playbook_run.c.labels.label("run_labels"))
        .join(playbook_version, playbook_version.c.hash == _ASK.hash)
        .outerjoin(playbook_run, playbook_run.c.id == _ASK.run_id)
        .where(_ASK.id.in_(ids))
        .order_by(_ASK.priority, _ASK.id)
    )
    return [
        Waiting(
            r.id,
            r.step,
            r.purpose,
            r.priority,
            r.source,
            (r.run_labels if r.labels is None else r.labels) or {},
            r.asked_at,
            r.incident_id,
        )
        for r in rows
    ]


def known_runs(tx: Tx, digests: Collection[bytes], fresh_since: datetime) -> dict[bytes, tuple[int, datetime | None]]:
    """digest → (run, when it ended) of those in flight, else of the newest that ended since and came to a verdict."""
    if not digests:
        return {}
    fresh = and_(_RUN.state == "done", _RUN.ended_at >= fresh_since, _RUN.verdict != "inconclusive")
    query = select(_RUN.digest, _RUN.id, _RUN.ended_at).where(_RUN.digest.in_(digests), or_(_IN_FLIGHT, fresh))
    found: dict[bytes, tuple[int, datetime | None]] = {}
    for row in tx.run(query.order_by(_RUN.id)):
        if found.get(row.digest, (0, row.ended_at))[1] is not None:  # one in flight stays
            found[row.digest] = (row.id, row.ended_at)
    return found


def add_runs(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> dict[bytes, int]:
    """Queue runs; one whose digest is in flight already is left alone. Answers digest → the run in flight."""
    if not rows:
        return {}
    dialect: Any = postgresql if tx.postgresql else sqlite
    statement = dialect.insert(check_run).on_conflict_do_nothing(index_elements=["digest"], index_where=_FLIGHT_INDEX)
    tx.run(statement, [dict(row) for row in rows])
    digests = [row["digest"] for row in rows]
    found = tx.run(select(_RUN.digest, _RUN.id).where(_RUN.digest.in_(digests), _IN_FLIGHT))
    return {row.digest: row.id for row in found}


_FLIGHT_INDEX = text("state IN ('queued', 'running')")  # of the unique index


def add_ended(tx: Tx, row: Mapping[str, Any]) -> int:
    """A run that was never begun, with its verdict (the question could not be put)."""
    new_id: int = tx.run(insert(check_run).values(dict(row)).returning(_RUN.id)).scalar_one()
    return new_id


def join(tx: Tx, pairs: Iterable[tuple[int, int]]) -> None:
    """(ask, run): these questions are answered by these runs."""
    by_run: dict[int, list[int]] = {}
    for ask_id, run_id in pairs:
        by_run.setdefault(run_id, []).append(ask_id)
    for run_id, ids in by_run.items():
        tx.run(update(check_ask).where(_ASK.id.in_(ids)).values(state="joined", check_run_id=run_id))


def started_since(tx: Tx, since: datetime) -> dict[str, int]:
    """target → runs begun since."""
    query = select(_RUN.target, func.count()).where(_RUN.started_at > since).group_by(_RUN.target)
    return {row[0]: row[1] for row in tx.run(query)}


def claim(tx: Tx, lease: str, until: datetime, spent: Collection[str]) -> Claimed | None:
    """The most urgent run that is due, now ours. spent: targets to leave alone."""
    free = or_(_RUN.lease_until.is_(None), _RUN.lease_until <= tx.now)
    wanted = (_IN_FLIGHT, _RUN.due_at <= tx.now, free, _RUN.target.not_in(list(spent)))
    oldest = select(_RUN.id).where(*wanted).order_by(_RUN.priority, _RUN.id).limit(1)
    found = tx.run(oldest.with_for_update(skip_locked=True)).scalar()
    if found is None:
        return None
    values = {
        "state": "running",
        "leased_by": lease,
        "lease_until": until,
        "started_at": tx.now,
        "tries": _RUN.tries + 1,
    }
    row = tx.run(update(check_run).where(_RUN.id == found).values(values).returning(check_run)).one()
    return Claimed(row.id, row.type, row.target, row.request, row.tries, lease)


def put_back(tx: Tx, run: Claimed, due_at: datetime, summary: str) -> None:
    """It was inconclusive: once more at `due_at`."""
    values = {"state": "queued", "leased_by": None, "lease_until": None, "due_at": due_at, "summary": summary}
    tx.run(_ours(run).values(values))


def finish(tx: Tx, run: Claimed, values: Mapping[str, Any]) -> bool:
    """Write what was found; False when the lease was lost or the run cancelled meanwhile."""
    rest = {"state": "done", "ended_at": tx.now, "leased_by": None, "lease_until": None}
    return bool(tx.run(_ours(run).values(dict(values) | rest)).rowcount)


def _ours(run: Claimed) -> Any:
    return update(check_run).where(_RUN.id == run.id, _RUN.leased_by == run.lease, _RUN.state == "running")


def has_stale(tx: Tx, before: datetime) -> bool:
    return tx.run(select(_RUN.id).where(_RUN.state == "queued", _RUN.created_at < before).limit(1)).first() is not None


def give_up(tx: Tx, before: datetime, summary: str) -> int:
    """Runs that have waited since then without being begun: inconclusive."""
    values = {"state": "done", "verdict": "inconclusive", "summary": summary, "ended_at": tx.now}
    stale = and_(_RUN.state == "queued", _RUN.created_at < before)
    return int(tx.run(update(check_run).where(stale).values(values)).rowcount)


def answered(tx: Tx, limit: int) -> list[Answered]:
    """Questions whose runs have ended and that nobody has been told of yet, by ticket."""
    query = (
        select(check_ask, _RUN.type, _RUN.verdict, _RUN.summary, _RUN.found, _RUN.state.label("run_state"))
        .add_columns(playbook_version.c.source)
        .join(check_run, _JOINED_DONE)
        .join(playbook_version, playbook_version.c.hash == _ASK.hash)
        .order_by(_ASK.incident_id, _ASK.id)
        .limit(limit)
    )
    return [replace(_answered(row), source=row.source) for row in tx.run(query)]


def of_look(tx: Tx, observation_id: int, look: int) -> list[Answered]:
    """Every question of one look of an observation that has been answered, oldest first."""
    mine = and_(_ASK.observation_id == observation_id, _ASK.look == look, _ASK.state == "done")
    query = select(check_ask, _RUN.type, _RUN.verdict, _RUN.summary, _RUN.found, _RUN.state.label("run_state"))
    rows = tx.run(query.join(check_run, _RUN.id == _ASK.check_run_id).where(mine).order_by(_ASK.id))
    return [_answered(row) for row in rows]


def open_asks(tx: Tx, observation_id: int, look: int) -> int:
    """How many questions of this look still wait for an answer."""
    mine = and_(_ASK.observation_id == observation_id, _ASK.look == look, _ASK.state.in_(("waiting", "joined")))
    return int(tx.run(select(func.count()).select_from(check_ask).where(mine)).scalar_one())


def baselines(tx: Tx, run_id: int) -> dict[str, Answered]:
    """step → what was found when the ticket opened."""
    query = select(check_ask, _RUN.type, _RUN.verdict, _RUN.summary, _RUN.found, _RUN.state.label("run_state"))
    mine = and_(_ASK.run_id == run_id, _ASK.purpose == "baseline", _ASK.state == "done")
    rows = tx.run(query.join(check_run, _RUN.id == _ASK.check_run_id).where(mine).order_by(_ASK.id.desc()))
    return {a.step: a for a in map(_answered, rows)}


def _answered(r: Row[Any]) -> Answered:
    cancelled = r.run_state == "cancelled"
    return Answered(
        r.id,
        r.incident_id,
        r.run_id,
        r.step,
        r.purpose,
        r.observation_id,
        r.look,
        r.asked_by,
        r.check_run_id,
        r.type,
        "inconclusive" if cancelled else r.verdict,
        "It was cancelled." if cancelled else r.summary,
        (r.found or {}).get("value"),
    )


def settle(tx: Tx, ids: Collection[int]) -> set[int]:
    """These questions are told; answers those that nobody else told meanwhile."""
    told = update(check_ask).where(_ASK.id.in_(ids), _ASK.state == "joined").values(state="done", done_at=tx.now)
    return set(tx.run(told.returning(_ASK.id)).scalars())


def cancel(tx: Tx, incident_id: int, run_id: int, step: str) -> int:
    """Take back what still waits of a step; a run that nobody else waits for is cancelled. Answers how many."""
    mine = and_(_ASK.incident_id == incident_id, _ASK.run_id == run_id, _ASK.step == step)
    waits = _ASK.state.in_(("waiting", "joined"))
    taken = tx.run(
        update(check_ask).where(mine, waits).values(state="cancelled", done_at=tx.now).returning(_ASK.check_run_id)
    )
    runs = list(taken.scalars())
    shared = select(_ASK.check_run_id).where(_ASK.state == "joined", _ASK.check_run_id.is_not(None))
    idle = and_(_RUN.id.in_([r for r in runs if r is not None]), _IN_FLIGHT, _RUN.id.not_in(shared))
    tx.run(update(check_run).where(idle).values(state="cancelled", ended_at=tx.now, leased_by=None, lease_until=None))
    return len(runs)


def lock_incidents(tx: Tx, ids: Iterable[int]) -> dict[int, Row[Any]]:
    """Their rows, locked in the order of their numbers."""
    rows = tx.run(select(incident).where(incident.c.id.in_(sorted(ids))).order_by(incident.c.id).with_for_update())
    return {row.id: row for row in rows}


def packed(text: str, limit: int) -> dict[str, Any]:
    """The columns of a run's output: cut at `limit` bytes, compressed."""
    raw = text.encode("utf-8", "replace")
    values: dict[str, Any] = {"output_size": len(raw), "output_cut": len(raw) > limit}
    return values | {"output": zlib.compress(raw[:limit]) if raw else None}


def unpacked(raw: bytes | None) -> str:
    return zlib.decompress(raw).decode("utf-8", "replace") if raw else ""
