"""The only writer of timeline rows. The caller holds the incident's row lock (or has just inserted it)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from servicedesk.desk import Desk
from servicedesk.domain import audit
from servicedesk.domain.incident import SYSTEM, Actor
from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, setting, timeline, timeline_content
from servicedesk.store.types import to_us

ADMIN_LOG = 0  # the "incident" of changes to users, roles, tokens, policies, rules, playbooks
_ADMIN_HEAD = "admin_log_head"


@dataclass(frozen=True, slots=True)
class Line:
    """What happened. kind: e.g. "status", "note", "message", "alert", "review"; content: JSON values, text escaped."""

    incident_id: int
    kind: str
    content: dict[str, Any] = field(default_factory=dict)
    actor: Actor = SYSTEM
    rule: str = ""


def append(tx: Tx, desk: Desk, line: Line) -> int:
    """Append one line; answers its seq."""
    return append_many(tx, desk, [line])[0]


def append_many(tx: Tx, desk: Desk, lines: Iterable[Line]) -> list[int]:
    """Append lines in order, each to its own chain: two inserts and one update whatever their number."""
    lines = list(lines)
    if not lines:
        return []
    heads = _heads(tx, {line.incident_id for line in lines})
    at_us = to_us(tx.now)
    rows: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    for line in lines:
        seq, prev = heads[line.incident_id][0] + 1, heads[line.incident_id][1]
        salt = secrets.token_bytes(16)
        digest = audit.content_digest(salt, line.content)
        actor = line.actor
        mac = audit.link(
            desk.audit_key, prev, line.incident_id, seq, at_us, line.kind, actor.id, actor.role, line.rule, digest
        )
        heads[line.incident_id] = (seq, mac)
        where = {"incident_id": line.incident_id, "seq": seq}
        rows.append(
            where
            | {
                "at": tx.now,
                "kind": line.kind,
                "actor_id": actor.id,
                "actor_role": actor.role,
                "rule": line.rule,
                "content_digest": digest,
                "prev": prev,
                "mac": mac,
            }
        )
        contents.append(where | {"salt": salt, "content": line.content})
    tx.run(insert(timeline), rows)
    tx.run(insert(timeline_content), contents)
    _store_heads(tx, heads)
    return [row["seq"] for row in rows]


def _heads(tx: Tx, ids: set[int]) -> dict[int, tuple[int, bytes]]:
    heads = {
        row.id: (row.head_seq, row.head_mac or audit.GENESIS)
        for row in tx.run(
            select(incident.c.id, incident.c.head_seq, incident.c.head_mac).where(incident.c.id.in_(ids - {ADMIN_LOG}))
        )
    }
    if ADMIN_LOG in ids:
        query = select(setting.c.value).where(setting.c.name == _ADMIN_HEAD)
        value = tx.run(query.with_for_update()).scalar_one()  # the row is made with the schema
        heads[ADMIN_LOG] = (value["seq"], bytes.fromhex(value["mac"]))
    return heads


def _store_heads(tx: Tx, heads: dict[int, tuple[int, bytes]]) -> None:
    head = heads.pop(ADMIN_LOG, None)
    if head:
        value = {"seq": head[0], "mac": head[1].hex()}
        tx.run(update(setting).where(setting.c.name == _ADMIN_HEAD).values(value=value))
    if heads:
        tx.run(
            update(incident)
            .where(incident.c.id == bindparam("head_of"))
            .values(head_seq=bindparam("new_seq"), head_mac=bindparam("new_mac")),
            [{"head_of": i, "new_seq": seq, "new_mac": mac} for i, (seq, mac) in heads.items()],
        )
