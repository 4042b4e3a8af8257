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
    prev, expected = GENESIS, 1
    for entry in entries:
        fault = _row_fault(key, entry, prev, expected)
        if fault:
            return f"row {entry.seq}: {fault}"
        prev, expected = entry.mac, expected + 1
    if expected - 1 != head_seq:
        return f"the tail is cut: the head says {head_seq} rows, {expected - 1} are there"
    if head_seq and head_mac != prev:
        return "the last row is not the one that the head names"
    return None


def _row_fault(key: bytes, entry: Entry, prev: bytes, expected: int) -> str | None:
    if entry.seq != expected:
        return f"expected row {expected} here: a row was dropped, inserted or reordered"
    if entry.prev != prev:
        return "does not follow the row before it: a row was dropped, inserted or reordered"
    mac = link(
        key,
        prev,
        entry.incident_id,
        entry.seq,
        entry.at_us,
        entry.kind,
        entry.actor_id,
        entry.actor_role,
        entry.rule,
        entry.content_digest,
    )
    if not hmac.compare_digest(mac, entry.mac):
        return "was edited"
    if entry.salt is not None and content_digest(entry.salt, entry.content) != entry.content_digest:
        return "its content was edited"
    return None
