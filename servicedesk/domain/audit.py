"""The tamper-evident chain: pure functions over rows; the format is final (stored data depends on it).

content_digest = HMAC-SHA256(salt, canonical content)
mac = HMAC-SHA256(audit key, prev + canonical [incident, seq, at_us, kind, actor, role, rule, content_digest])
prev of the first row is 32 zero bytes.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Entry:
    """One timeline row as stored. `at_us`: microseconds UTC. Content and salt are None once erased."""

    incident_id: int
    seq: int
    at_us: int
    kind: str
    actor_id: int | None
    actor_role: str
    rule: str
    content_digest: bytes
    prev: bytes
    mac: bytes
    salt: bytes | None = None
    content: Any = None


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8: the same value gives the same bytes everywhere."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )


def content_digest(salt: bytes, content: Any) -> bytes:
    return hmac.digest(salt, canonical(content), "sha256")


def link(
    key: bytes,
    prev: bytes,
    incident_id: int,
    seq: int,
    at_us: int,
    kind: str,
    actor_id: int | None,
    actor_role: str,
    rule: str,
    digest: bytes,
) -> bytes:
    """The mac that ties a row to the one before it."""
    fields = [incident_id, seq, at_us, kind, actor_id, actor_role, rule, digest.hex()]
    return hmac.digest(key, prev + canonical(fields), "sha256")


def first_fault(key: bytes, entries: Iterable[Entry], head_seq: int, head_mac: bytes | None) -> str | None:
    """Names the first edited, dropped, inserted or reordered row of one chain, or a cut tail; None when it is whole.

    entries: all rows of one incident, ascending by seq.
    """
    rows = list(entries)
    prev = GENESIS
    for expected, entry in enumerate(rows, 1):
        if entry.seq != expected or entry.prev != prev or not _signed(key, entry, entry.seq):
            return _name(key, rows, expected, prev, head_seq)
        if entry.salt is not None and content_digest(entry.salt, entry.content) != entry.content_digest:
            return f"row {expected}: its content was edited"
        prev = entry.mac
    if len(rows) < head_seq:
        return f"the tail is cut: the head says {head_seq} rows, {len(rows)} are there"
    if len(rows) > head_seq:
        return f"the head was set back: it says {head_seq} rows, {len(rows)} are there"
    if head_seq and head_mac != prev:
        return "the last row is not the one that the head names"
    return None


def _name(key: bytes, rows: list[Entry], expected: int, prev: bytes, head_seq: int) -> str:
    """What happened at the row that should be number `expected` and follow `prev`."""
    entry = rows[expected - 1]
    later = rows[expected:]
    successor = next((row for row in later if row.prev == prev and _signed(key, row, expected)), None)
    if entry.seq != expected:
        return f"row {expected}: was dropped"
    if expected > head_seq:
        return f"row {expected}: was inserted"
    if _signed_elsewhere(key, entry, expected, len(rows) + len(later)):
        copied = sum(row.mac == entry.mac for row in rows) > 1
        moved = "was dropped and the rows after it moved up" if successor is None else "was reordered"
        return f"row {expected}: {'was inserted' if copied else moved}"
    if successor is not None:
        return f"row {expected}: was inserted"
    if _signed(key, entry, expected):
        return f"row {expected}: does not follow the row before it"
    return f"row {expected}: was edited"


def _signed_elsewhere(key: bytes, entry: Entry, expected: int, highest: int) -> bool:
    """Is it a genuine row of another place?"""
    return any(_signed(key, entry, seq) for seq in range(1, highest + 2) if seq != expected)


def _signed(key: bytes, entry: Entry, seq: int) -> bool:
    mac = link(
        key,
        entry.prev,
        entry.incident_id,
        seq,
        entry.at_us,
        entry.kind,
        entry.actor_id,
        entry.actor_role,
        entry.rule,
        entry.content_digest,
    )
    return hmac.compare_digest(mac, entry.mac)
