"""What the desk asked by itself, as pages and the API show it: for a ticket, for a preview, and all together."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, func, select

from servicedesk.store.db import Tx
from servicedesk.store.tables import check_ask, check_run, incident, playbook_version, user

from .paging import Page, check_limit, page_of, read_cursor
from .rows import shown_name

_UNDER_WAY = ("waiting", "queued", "running")
_ASK, _RUN = check_ask.c, check_run.c
_BEFORE = _ASK.purpose == "baseline"


@dataclass(frozen=True, slots=True)
class Shown:
    """One asking of a check. id: of the asking; check_run: of the execution that answers it, which others may share.

    step: a step's id, or "verify:" and the id of one in the verify section; purpose: diagnosis, baseline, verify,
    person or preview; state: waiting, queued, running, done or cancelled; asked: exactly what, line by line; found:
    columns, rows, series, unit, value; output: bytes of its details; asked_by: "" for the desk itself.
    """

    id: int
    incident_id: int | None
    run_id: int | None
    step: str
    purpose: str
    state: str
    verdict: str
    summary: str
    type: str
    target: str
    asked: tuple[str, ...]
    found: dict[str, Any]
    check_run: int | None
    tries: int
    output: int
    output_cut: bool
    seconds: float | None
    asked_by: str
    asked_at: datetime
    ended_at: datetime | None

    @property
    def under_way(self) -> bool:
        return self.state in _UNDER_WAY

    @property
    def at(self) -> datetime:
        return self.ended_at or self.asked_at


def _query() -> Select[Any]:
    """Every column that is shown; the output itself is not among them."""
    return (
        select(
            *(_ASK.id, _ASK.incident_id, _ASK.run_id, _ASK.step, _ASK.purpose, _ASK.asked_at, _ASK.done_at),
            *(_ASK.state.label("ask_state"), _ASK.check_run_id, _RUN.state.label("run_state"), _RUN.verdict),
            *(_RUN.summary, _RUN.type, _RUN.target, _RUN.shown, _RUN.found, _RUN.tries, _RUN.output_size),
            *(_RUN.output_cut, _RUN.seconds, _RUN.ended_at, shown_name(user).label("by")),
        )
        .select_from(check_ask)
        .outerjoin(check_run, _RUN.id == _ASK.check_run_id)
        .outerjoin(user, user.c.id == _ASK.asked_by)
    )


def _shown(r: Row[Any]) -> Shown:
    return Shown(
        r.id,
        r.incident_id,
        r.run_id,
        r.step,
        r.purpose,
        _state(r),
        r.verdict or "",
        r.summary or "",
        r.type or "",
        r.target or "",
        tuple(r.shown or ()),
        r.found or {},
        r.check_run_id,
        r.tries or 0,
        r.output_size or 0,
        bool(r.output_cut),
        r.seconds,
        r.by,
        r.asked_at,
        r.done_at if r.ask_state == "cancelled" else r.ended_at,
    )


def _state(r: Row[Any]) -> str:
    if r.ask_state in ("waiting", "cancelled"):
        return str(r.ask_state)
    return str(r.run_state or "waiting")


def newest(tx: Tx, incident_id: int) -> dict[tuple[int, str, bool], Shown]:
    """(playbook run, step, is it the baseline) → its newest asking that was not taken back."""
    mine = (_ASK.incident_id == incident_id, _ASK.state != "cancelled")
    ids = select(func.max(_ASK.id)).where(*mine).group_by(_ASK.run_id, _ASK.step, _BEFORE)
    found = [_shown(row) for row in tx.run(_query().where(_ASK.id.in_(ids)).order_by(_ASK.id))]
    return {(one.run_id or 0, one.step, one.purpose == "baseline"): one for one in found}


def listed(tx: Tx, incident_id: int, cursor: str = "", limit: int = 50) -> Page[Shown]:
    """Everything that was asked for a ticket, newest first. Raises BadInput."""
    check_limit(limit)
    after = read_cursor(cursor, int)
    query = _query().where(_ASK.incident_id == incident_id).order_by(_ASK.id.desc())
    if after is not None:
        query = query.where(_ASK.id < after[0])
    return page_of([_shown(row) for row in tx.run(query.limit(limit + 1))], limit, lambda s: (s.id,))


def one(tx: Tx, incident_id: int, ask_id: int) -> Shown | None:
    row = tx.run(_query().where(_ASK.incident_id == incident_id, _ASK.id == ask_id)).first()
    return None if row is None else _shown(row)


def newest_of(tx: Tx, incident_id: int, run_id: int, step: str) -> Shown | None:
    """The newest asking of a step's check, a baseline aside."""
    mine = (_ASK.incident_id == incident_id, _ASK.run_id == run_id, _ASK.step == step, ~_BEFORE)
    row = tx.run(_query().where(*mine).order_by(_ASK.id.desc()).limit(1)).first()
    return None if row is None else _shown(row)


def previewed(tx: Tx, number: int, playbook: str) -> tuple[Shown, ...]:
    """The askings of a preview, in the order of the steps."""
    query = _query().join(playbook_version, playbook_version.c.hash == _ASK.hash)
    mine = (_ASK.look == number, _ASK.purpose == "preview", playbook_version.c.playbook == playbook)
    return tuple(_shown(row) for row in tx.run(query.where(*mine).order_by(_ASK.id)))


def output(tx: Tx, check_run_id: int) -> str:
    """The details of an execution as text, "" when there are none."""
    raw = tx.run(select(_RUN.output).where(_RUN.id == check_run_id)).scalar()
    return zlib.decompress(raw).decode("utf-8", "replace") if raw else ""


def stamp(tx: Tx, incident_id: int) -> str:
    """A text that changes with every line of a ticket's timeline, every asking and what becomes of it."""
    query = (
        select(func.max(_ASK.id), func.count(), func.count(_ASK.check_run_id), func.count(_RUN.started_at))
        .add_columns(func.count(_RUN.ended_at), func.count(_ASK.done_at), func.sum(_RUN.tries))
        .select_from(check_ask)
        .outerjoin(check_run, _RUN.id == _ASK.check_run_id)
        .where(_ASK.incident_id == incident_id)
    )
    head = tx.run(select(incident.c.head_seq, incident.c.version).where(incident.c.id == incident_id)).first()
    told = repr((tuple(tx.run(query).one()), tuple(head or ())))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Load:
    """What the checks of the whole desk are doing. hour: executions that ended in the last hour, by verdict."""

    waiting: int
    queued: int
    running: int
    hour: dict[str, int]


def load(tx: Tx) -> Load:
    waiting = tx.run(select(func.count()).select_from(check_ask).where(_ASK.state == "waiting")).scalar_one()
    flight = select(_RUN.state, func.count()).where(_RUN.state.in_(("queued", "running"))).group_by(_RUN.state)
    states = {row[0]: row[1] for row in tx.run(flight)}
    since = tx.now - timedelta(hours=1)
    ended = select(_RUN.verdict, func.count()).where(_RUN.started_at > since, _RUN.state == "done")
    hour = {row[0]: row[1] for row in tx.run(ended.group_by(_RUN.verdict))}
    return Load(waiting, states.get("queued", 0), states.get("running", 0), hour)
