"""Appending to the chains of the timeline; how a row's mac is made stands in domain/audit.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select, update

from servicedesk.domain.audit import GENESIS
from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, setting, timeline, timeline_content

ADMIN_LOG = 0
_ADMIN_HEAD = select(setting.c.value).where(setting.c.name == "admin_log_head").with_for_update()
_HEADS = select(incident.c.id, incident.c.head_seq, incident.c.head_mac).where(
    incident.c.id.in_(bindparam("ids", expanding=True))
)
_SET_ADMIN_HEAD = update(setting).where(setting.c.name == "admin_log_head")
_ACTED = (  # a person's act; nothing else resets the clock of ageing
    update(incident)
    .where(incident.c.id.in_(bindparam("acted", expanding=True)))
    .values(activity_at=bindparam("at"), stale_step=0, stale_due_at=None)
)
_ROW = ("incident_id", "seq", "at", "kind", "actor_id", "actor_role", "rule", "content_digest", "prev", "mac")
_CONTENT = ("incident_id", "seq", "salt", "content")
_END = ("id", "head_seq", "head_mac")

Heads = dict[int, tuple[int, bytes]]  # incident → (seq, mac) of its last row


def lock_heads(tx: Tx, ids: set[int]) -> Heads:
    """Where these chains end. The caller holds the incidents' locks; the administration log is locked here."""
    heads: Heads = {}
    if ids - {ADMIN_LOG}:
        rows = tx.run(_HEADS, {"ids": sorted(ids - {ADMIN_LOG})})
        heads = {row.id: (row.head_seq, row.head_mac or GENESIS) for row in rows}
    if ADMIN_LOG in ids:
        value = tx.run(_ADMIN_HEAD).scalar_one()  # the row is made with the schema
        heads[ADMIN_LOG] = (value["seq"], bytes.fromhex(value["mac"]))
    return heads


def append(tx: Tx, rows: Sequence[Mapping[str, Any]], contents: Sequence[Mapping[str, Any]], heads: Heads) -> None:
    """Rows, their contents, and the new ends of their chains: three statements whatever their number."""
    bulk.insert_rows(tx, timeline, _ROW, [[row[name] for name in _ROW] for row in rows])
    bulk.insert_rows(tx, timeline_content, _CONTENT, [[content[name] for name in _CONTENT] for content in contents])
    ends = [(i, seq, mac) for i, (seq, mac) in sorted(heads.items()) if i != ADMIN_LOG]
    bulk.update_rows(tx, incident, _END, ends)
    if acted := sorted({r["incident_id"] for r in rows if r["actor_id"] is not None} - {ADMIN_LOG}):
        tx.run(_ACTED, {"acted": acted, "at": tx.now})
    if ADMIN_LOG in heads:
        seq, mac = heads[ADMIN_LOG]
        tx.run(_SET_ADMIN_HEAD.values(value={"seq": seq, "mac": mac.hex()}))
