"""The only writer of timeline rows. The caller holds the incident's row lock (or has just inserted it)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import audit
from servicedesk.domain.incident import SYSTEM, Actor
from servicedesk.store import chain as store
from servicedesk.store.db import Tx
from servicedesk.store.types import to_us

ADMIN_LOG = 0  # the "incident" of changes to users, roles, tokens, policies, rules, playbooks


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
    heads = store.lock_heads(tx, {line.incident_id for line in lines})
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
    store.append(tx, rows, contents, heads)
    return [row["seq"] for row in rows]
