"""Words of notices that an admin has written, in place of the shipped ones."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from .db import Tx
from .tables import message_template

_T = message_template.c
EVERYBODY = 0


def own(tx: Tx) -> list[Row[Any]]:
    return list(tx.run(select(message_template).order_by(_T.event, _T.language, _T.team_id)))


def find(tx: Tx, event: str, language: str, team_id: int | None) -> Row[Any] | None:
    """The team's own words, else everybody's; None: the shipped ones hold."""
    teams = {EVERYBODY, team_id or EVERYBODY}
    query = select(message_template).where(_T.event == event, _T.language == language, _T.team_id.in_(teams))
    found: Row[Any] | None = tx.run(query.order_by(_T.team_id.desc()).limit(1)).first()
    return found


def put(tx: Tx, event: str, language: str, team_id: int, subject: str, lead: str) -> None:
    insert = postgresql.insert if tx.postgresql else sqlite.insert
    values = {"subject": subject, "lead": lead, "changed_at": tx.now}
    key = {"event": event, "language": language, "team_id": team_id}
    query = insert(message_template).values(key | values)
    tx.run(query.on_conflict_do_update(index_elements=[_T.event, _T.language, _T.team_id], set_=values))


def drop(tx: Tx, event: str, language: str, team_id: int) -> bool:
    mine = (_T.event == event) & (_T.language == language) & (_T.team_id == team_id)
    return bool(tx.run(delete(message_template).where(mine)).rowcount)
