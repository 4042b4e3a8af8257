"""The tamper-evident timeline: verify it, anchor it outside the database, export it."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from servicedesk.desk import Desk
from servicedesk.domain import anchor as anchors
from servicedesk.domain.anchor import Anchors
from servicedesk.domain.audit import Entry, canonical, first_fault
from servicedesk.domain.incident import number
from servicedesk.store import timeline
from servicedesk.store.db import Tx
from servicedesk.store.timeline import Gate, Head
from servicedesk.store.types import to_us

ADMIN_LOG = "administration log"
_RANGE = 500  # tickets looked at together
_HEADS_A_LINE = 5000
_TAIL = 1_000_000  # bytes of the anchors' end that tell which heads stand there already


@dataclass(frozen=True, slots=True)
class Fault:
    """where: "INC-42", "administration log", "anchors" or "tickets"; message: what is wrong, as a sentence."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` looked at, and the first fault of every chain."""

    incidents: int
    rows: int
    anchors: int
    anchored_at_us: int
    faults: tuple[Fault, ...]

    @property
    def whole(self) -> bool:
        return not self.faults


def anchors_file(desk: Desk) -> Path:
    return desk.config.data_path / "anchors.log"


def verify(desk: Desk) -> Report:
    """Compare every chain with its head, its anchors and the gates. Raises Busy."""
    known = _read_anchors(desk)
    faults: list[Fault] = [Fault("anchors", known.fault)] if known.fault else []
    with desk.read() as tx:
        timeline.snapshot(tx)
        rows = timeline.entries(tx, 0, 0)
        faults += _chain(desk, ADMIN_LOG, timeline.admin_head(tx), rows, known.heads.get(0))
        checked, total = 0, len(rows)
        seen: set[int] = set()
        for first, last in timeline.ranges(tx, _RANGE):
            found, incidents, lines = _range(tx, desk, first, last, known, seen)
            faults, checked, total = faults + found, checked + incidents, total + lines
        faults += [
            Fault(number(i), f"vanished with its timeline: the anchors saw {known.heads[i][0]} rows")
            for i in sorted(known.heads.keys() - seen - {0})
        ]
    if checked < known.incidents:
        faults.append(Fault("tickets", f"the last anchor counted {known.incidents} tickets, {checked} are there"))
    return Report(checked, total, known.lines, known.at_us, tuple(faults))


def anchor(desk: Desk) -> int:
    """Append signed lines over all heads that changed since the last ones; answers how many. A job, every minute."""
    path = anchors_file(desk)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # several processes may share the folder: they take turns
        tail = _tail(file)
        last: dict[str, Any] = tail[-1] if tail else {"mark": 0, "mac": "", "incidents": 0}
        with desk.read() as tx:
            timeline.snapshot(tx)
            heads, mark = timeline.changed(tx, last["mark"])
            incidents, at_us = timeline.count_incidents(tx), to_us(tx.now)
        standing = {int(i): tuple(head) for line in tail for i, head in line["heads"].items()}
        news = sorted((i, head) for i, head in heads.items() if standing.get(i) != head)
        if news or incidents != last["incidents"]:
            _append(file, _lines(desk, last, at_us, news, incidents, mark))
    return len(news)


def export(desk: Desk, first: int = 0, last: int | None = None) -> Iterator[dict[str, Any]]:
    """Every timeline row (0: the administration log) with digests as hex, so that others can verify it with the key."""
    with desk.read() as tx:
        timeline.snapshot(tx)
        if first == 0:
            yield from (_plain(entry) for entry in timeline.entries(tx, 0, 0))
        for low, high in timeline.ranges(tx, _RANGE):
            low, high = max(low, first, 1), high if last is None else min(high, last)
            if low <= high:
                yield from (_plain(entry) for entry in timeline.entries(tx, low, high))


def _range(tx: Tx, desk: Desk, first: int, last: int, known: Anchors, seen: set[int]) -> tuple[list[Fault], int, int]:
    heads, rows = timeline.heads(tx, first, last), timeline.entries(tx, first, last)
    chains = {i: list(group) for i, group in groupby(rows, key=lambda entry: entry.incident_id)}
    gates: dict[int, list[Gate]] = {}
    for gate in timeline.gates(tx, first, last):
        gates.setdefault(gate.incident_id, []).append(gate)
    seen |= heads.keys() | chains.keys()
    faults: list[Fault] = []
    for i in sorted(heads.keys() | chains.keys()):
        chain = chains.get(i, [])
        found = _chain(desk, number(i), heads.get(i), chain, known.heads.get(i))
        faults += found or _beside(number(i), heads[i], chain, gates.get(i, []))
    return faults, len(heads), len(rows)


def _chain(desk: Desk, where: str, head: Head | None, rows: list[Entry], anchored: anchors.Head | None) -> list[Fault]:
    """The first fault of one chain, if any."""
    if head is None:
        return [Fault(where, f"vanished: {len(rows)} timeline rows are left without their ticket")]
    fault = first_fault(desk.audit_key, rows, head.seq, head.mac)
    if fault is None and anchored is not None:
        fault = _against_anchor(rows, anchored)
    if fault is None and not rows and where != ADMIN_LOG:
        fault = "has no timeline: not even its creation is recorded"
    return [Fault(where, fault)] if fault else []


def _against_anchor(rows: list[Entry], anchored: anchors.Head) -> str | None:
    seq, mac = anchored
    if len(rows) < seq:
        return f"the tail is cut: the anchors saw row {seq}, the last one here is {len(rows)}"
    if rows[seq - 1].mac.hex() != mac:
        return f"row {seq}: is not the one that the anchors saw: the chain was written anew"
    return None


def _beside(where: str, head: Head, rows: list[Entry], gates: list[Gate]) -> list[Fault]:
    """Do status and gates say what the timeline says? Lines whose content was erased count by time and actor."""
    moves = [row.content["to"] for row in rows if row.kind == "status" and isinstance(row.content, dict)]
    erased = any(row.content is None for row in rows)
    if not erased and head.status != (moves[-1] if moves else "new"):
        told = moves[-1] if moves else "new"
        return [Fault(where, f"its row says {head.status}, its timeline says {told}")]
    recorded = Counter((gate.kind, gate.at_us, gate.actor_id, _key(gate.said)) for gate in gates)
    told_of = Counter(key for row in rows if (key := _gate_line(row)) is not None)
    blank = Counter((row.at_us, row.actor_id) for row in rows if row.content is None)
    faults = [
        _unmatched(where, key, blank, f"{_a(key[0])} is recorded that the timeline does not know")
        for key in (recorded - told_of).elements()
    ]
    faults += [
        Fault(where, f"the timeline knows {_a(key[0])} that is not recorded any more")
        for key in (told_of - recorded).elements()
    ]
    return [fault for fault in faults if fault is not None]


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _unmatched(where: str, key: tuple[str, int, int | None, bytes], blank: Counter[Any], message: str) -> Fault | None:
    if blank[key[1:3]]:
        blank[key[1:3]] -= 1
        return None
    return Fault(where, message)


def _gate_line(row: Entry) -> tuple[str, int, int | None, bytes] | None:
    said = row.content
    if not isinstance(said, dict):
        return None
    if row.kind in ("verification", "confirmation"):
        return row.kind, row.at_us, row.actor_id, _key(said)
    if row.kind == "review" and (said.get("status") == "approved" or "approval" in said):
        return "approval", row.at_us, row.actor_id, _key({"version": said.get("version")})
    if row.kind == "review" and said.get("status") == "waived":
        return "waiver", row.at_us, row.actor_id, _key({"version": said.get("version"), "status": "waived"})
    return None


def _key(said: dict[str, Any]) -> bytes:
    return canonical(said)


def _read_anchors(desk: Desk) -> Anchors:
    path = anchors_file(desk)
    if not path.exists():
        return Anchors()
    with path.open(encoding="utf-8", errors="replace") as file:
        return anchors.read(desk.audit_key, file)


def _tail(file: IO[bytes]) -> list[dict[str, Any]]:
    """The last whole lines; the very last one is always among them."""
    size = file.seek(0, os.SEEK_END)
    length = _TAIL
    while True:
        file.seek(max(0, size - length))
        found = file.read().decode("utf-8", "replace").split("\n")
        lines = [value for text in found[0 if length >= size else 1 :] if (value := anchors.parse(text)) is not None]
        if lines or length >= size:
            return lines
        length *= 4


def _lines(
    desk: Desk, last: dict[str, Any], at_us: int, news: list[tuple[int, anchors.Head]], incidents: int, mark: int
) -> Iterator[bytes]:
    """Only the last line moves the mark, so that a crash between them loses no head."""
    prev = last["mac"]
    for start in range(0, max(len(news), 1), _HEADS_A_LINE):
        heads = dict(news[start : start + _HEADS_A_LINE])
        upto = mark if start + _HEADS_A_LINE >= len(news) else last["mark"]
        line = anchors.line(desk.audit_key, prev, at_us, heads, incidents, upto)
        prev = line["mac"]
        yield canonical(line) + b"\n"


def _append(file: IO[bytes], lines: Iterator[bytes]) -> None:
    size = file.seek(0, os.SEEK_END)
    if size:
        file.seek(size - 1)
        if file.read(1) != b"\n":  # a crash tore the last line
            file.write(b"\n")
    for line in lines:
        file.write(line)
    file.flush()
    os.fsync(file.fileno())


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "incident": entry.incident_id,
        "seq": entry.seq,
        "at_us": entry.at_us,
        "kind": entry.kind,
        "actor": entry.actor_id,
        "role": entry.actor_role,
        "rule": entry.rule,
        "content_digest": entry.content_digest.hex(),
        "prev": entry.prev.hex(),
        "mac": entry.mac.hex(),
        "salt": entry.salt.hex() if entry.salt is not None else None,
        "content": entry.content,
    }
