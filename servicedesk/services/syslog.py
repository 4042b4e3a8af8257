"""Syslog on its way in: what a batch of lines is worth storing, what is counted instead, what a listener leaves behind.

A worker puts these together with the listener and with `services.intake`, the door through which every delivery comes.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import zlib
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from alert_receivers.event import visible
from alert_receivers.syslog import message as messages
from alert_receivers.syslog.line import Line, Mark
from alert_receivers.syslog.listener import Counts
from alert_receivers.syslog.masking import template
from alert_receivers.syslog.message import Message
from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.domain.syslog_rules import Verdict
from servicedesk.services.shared import lines as shared
from servicedesk.store import syslog as store
from servicedesk.store.db import Priority, Tx

SAMPLED = 50  # lines of a batch whose template is looked at; they stand for the others
SENDERS = 2_000  # (host, program, reason) that are told apart between two flushes
TEMPLATES = 2_000  # that are remembered
OTHERS = "(others)"
SESSIONS = 1_000  # RELP sessions whose beginning is remembered
TAIL, TAIL_DELIVERIES = 512, 64  # how far back a RELP sender's unanswered lines may lie
KEPT_MINUTES, KEPT_TEMPLATES, KEPT_RUNS = timedelta(hours=26), timedelta(days=14), timedelta(days=90)
SILENCES = 500  # alerts that silence ends at one go

_Sender = tuple[int, str, str, str]  # minute (seconds since 1970), host, program, why not stored ("": stored)


@dataclass(frozen=True, slots=True)
class Sifted:
    """A batch, judged. kept: what is to be stored; verdicts and messages: of every line, in order."""

    kept: tuple[Line, ...]
    lines: Sequence[Line]
    messages: tuple[Message, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(slots=True)
class _Look:
    """What lines of one template look like."""

    app: str
    template: str
    severity: int
    reason: str
    rule: str
    host: str
    example: str
    lines: int
    first_at: datetime
    last_at: datetime


@dataclass(slots=True)
class Figures:
    """What is counted between two flushes. Thread-safe."""

    mutex: threading.Lock = field(default_factory=threading.Lock)
    senders: Counter[_Sender] = field(default_factory=Counter)
    looks: dict[bytes, _Look] = field(default_factory=dict)


class Sieve:
    """Judges batches for one listening process. Thread-safe."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.figures = Figures()
        self._book = shared.book(desk)
        self._tails: OrderedDict[int, Counter[bytes]] = OrderedDict()
        self._tails_mutex = threading.Lock()

    def sift(self, lines: Sequence[Line]) -> Sifted:
        """Judge a batch. Counts nothing: a batch that cannot be stored comes again. Raises Busy."""
        if any(line.marks & Mark.RESUMED for line in lines):
            self._mark_doubles(lines)
        rules = self._book.current()
        read = tuple([messages.parse(line.raw) for line in lines])
        verdicts = tuple([shared.judge(rules, m, line.marks) for m, line in zip(read, lines, strict=True)])
        kept = tuple([line for line, verdict in zip(lines, verdicts, strict=True) if verdict.kind != "ignore"])
        return Sifted(kept, lines, read, verdicts)

    def count(self, sifted: Sifted) -> None:
        """The batch is stored: count it."""
        results: Counter[tuple[str, str]] = Counter()
        marks: Counter[str] = Counter()
        senders: Counter[_Sender] = Counter()
        for line, message, verdict in zip(sifted.lines, sifted.messages, sifted.verdicts, strict=True):
            reason = verdict.reason if verdict.kind == "ignore" else ""
            results[line.transport, "ignored" if reason else "stored"] += 1
            minute = line.arrived // 60_000_000 * 60
            senders[minute, message.host or line.peer, message.app, reason] += 1
            if line.marks or message.form == "raw":
                marks.update(_marks(line, message))
        for (transport, result), count in results.items():
            metrics.syslog(transport, result, count)
        for mark, count in marks.items():
            metrics.syslog_marked(mark, count)
        self.add(senders, _looks(sifted))

    def add(self, senders: Counter[_Sender], looks: Mapping[bytes, _Look]) -> None:
        """To what is counted since the last `note`; beyond a bound all senders are one."""
        figures = self.figures
        with figures.mutex:
            for key, count in senders.items():
                minute, _, _, reason = key
                known = key in figures.senders or len(figures.senders) < SENDERS
                figures.senders[key if known else (minute, OTHERS, OTHERS, reason)] += count
            for digest, look in looks.items():
                old = figures.looks.get(digest)
                if old is not None:
                    look.lines, look.first_at = look.lines + old.lines, min(look.first_at, old.first_at)
                    look.severity = min(look.severity, old.severity)
                if old is not None or len(figures.looks) < TEMPLATES:
                    figures.looks[digest] = look

    # --- lines that came before -------------------------------------------------------------------------------------

    def _mark_doubles(self, lines: Sequence[Line]) -> None:
        """A RELP sender that was not answered sends again: such lines are marked, not counted twice.

        Only the first lines of a session are compared, with what is stored of that sender's last ones.
        """
        for line in lines:
            if not line.marks & Mark.RESUMED or line.marks & Mark.AGAIN:
                continue
            tail = self._tail(line)
            digest = _digest(line.raw)
            with self._tails_mutex:
                if tail.get(digest, 0) > 0:
                    tail[digest] -= 1
                    line.marks |= Mark.AGAIN

    def _tail(self, line: Line) -> Counter[bytes]:
        with self._tails_mutex:
            found = self._tails.get(line.session)
        if found is None:
            found = self._stored_tail(line.peer)
            with self._tails_mutex:
                found = self._tails.setdefault(line.session, found)
                while len(self._tails) > SESSIONS:
                    self._tails.popitem(last=False)
        return found

    def _stored_tail(self, peer: str) -> Counter[bytes]:
        with self.desk.read() as tx:
            bodies = store.newest_bodies(tx, shared.RECEIVER, TAIL_DELIVERIES)
        tail: Counter[bytes] = Counter()
        for body in bodies:
            for record in shared.records(zlib.decompress(body)):
                if isinstance(record, shared.Record) and record.by == "relp" and record.peer == peer:
                    tail[_digest(shared.line_of(record))] += 1
            if tail.total() >= TAIL:
                break
        return tail


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _marks(line: Line, message: Message) -> list[str]:
    found = [name for mark, name in _MARK_NAMES if line.marks & mark]
    if message.form == "raw" and not line.marks & Mark.CONTINUES:
        found.append("unreadable")
    return found


_MARK_NAMES = ((Mark.CUT, "cut"), (Mark.CONTINUES, "fragment"), (Mark.AGAIN, "again"))


def _looks(sifted: Sifted) -> dict[bytes, _Look]:
    """Templates of some lines of a batch, each counted for as many as it stands for."""
    step = max(1, len(sifted.lines) // SAMPLED)
    found: dict[bytes, _Look] = {}
    for i in range(0, len(sifted.lines), step):
        line, message, verdict = sifted.lines[i], sifted.messages[i], sifted.verdicts[i]
        words = template(message.text)
        digest = hashlib.sha256(f"{len(message.app)}:{message.app}{words}".encode("utf-8", "replace")).digest()
        at = datetime.fromtimestamp(line.arrived / 1e6, UTC)
        stands_for = min(step, len(sifted.lines) - i)
        old = found.get(digest)
        found[digest] = _Look(
            app=message.app,
            template=words,
            severity=min(message.severity, old.severity) if old else message.severity,
            reason=verdict.reason if verdict.kind == "ignore" else "",
            rule=verdict.rule.id if verdict.rule else "",
            host=message.host or line.peer,
            example=line.raw.decode("utf-8", "backslashreplace"),
            lines=stands_for + (old.lines if old else 0),
            first_at=old.first_at if old else at,
            last_at=at,
        )
    return found


# --- what a listener leaves behind ---------------------------------------------------------------------------------


def begin(desk: Desk, addresses: Sequence[tuple[str, str, int]]) -> int:
    """A listener of this process starts; answers the number of its run."""
    now = desk.now()
    values = {
        "node": socket.gethostname(),
        "pid": os.getpid(),
        "addresses": [list(address) for address in addresses],
        "started_at": now,
        "seen_at": now,
        "counts": {},
    }
    return desk.write(lambda tx: store.begin_run(tx, values), Priority.SLICE)


def note(desk: Desk, run: int, sieve: Sieve, counts: Counts, problem: str = "", ended: bool = False) -> None:
    """Write what was counted since the last time, and that this listener lives. Raises Busy: nothing is lost then."""
    figures = sieve.figures
    with figures.mutex:
        senders, looks = figures.senders, figures.looks
        figures.senders, figures.looks = Counter(), {}
    try:
        told = _told(counts)
        desk.write(lambda tx: _note(tx, run, senders, looks, told, problem, ended), Priority.SLICE)
    except BaseException:
        sieve.add(senders, looks)
        raise


def _note(
    tx: Tx,
    run: int,
    senders: Counter[_Sender],
    looks: Mapping[bytes, _Look],
    counts: Mapping[str, Any],
    problem: str,
    ended: bool,
) -> None:
    store.note_run(tx, run, counts, problem, ended)
    merged: Counter[tuple[datetime, str, str, str]] = Counter()
    for (minute, host, app, reason), count in senders.items():
        merged[datetime.fromtimestamp(minute, UTC), visible(host)[:255], visible(app)[:255], reason] += count
    store.add_minutes(
        tx, [{"minute": m, "host": h, "app": a, "reason": r, "lines": n} for (m, h, a, r), n in merged.items()]
    )
    store.add_templates(tx, [_look_row(digest, look) for digest, look in looks.items()])


def _look_row(digest: bytes, look: _Look) -> dict[str, Any]:
    return {
        "digest": digest,
        "app": visible(look.app),
        "template": visible(look.template),
        "severity": look.severity,
        "reason": look.reason,
        "rule": look.rule,
        "host": visible(look.host),
        "example": visible(look.example)[:4_000],
        "lines": look.lines,
        "first_at": look.first_at,
        "last_at": look.last_at,
    }


def _told(counts: Counts) -> dict[str, Any]:
    return {
        "received": counts.received,
        "kernel_drops": counts.kernel_drops,
        "lost": counts.lost,
        "connections": {f"{transport} {what}": n for (transport, what), n in counts.connections.items()},
    }


def prune(desk: Desk) -> None:
    """Forget figures that nobody looks at any more."""
    now = desk.now()
    edges = (now - KEPT_MINUTES, now - KEPT_TEMPLATES, now - KEPT_RUNS)
    desk.write(lambda tx: store.prune(tx, *edges, TEMPLATES), Priority.SLICE)


# --- silence that ends an alert ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Silences:
    """body: of the delivery that says so, b"" for none; told: to be given to `silences_stored`."""

    body: bytes
    told: tuple[tuple[bytes, datetime], ...]


def silences(desk: Desk) -> Silences:
    """Alerts that silence has ended by now, where their rule takes silence for the end."""
    with desk.read() as tx:
        found = store.silent(tx, desk.now(), SILENCES)
    if not found:
        return Silences(b"", ())
    entries = [(shared.decode_ended(body), _microseconds(at)) for _, body, at in found]
    return Silences(shared.encode_silence(entries), tuple((digest, at) for digest, _, at in found))


def silences_stored(desk: Desk, silences: Silences) -> None:
    """The delivery is stored; a crash before this says the same once more, which changes nothing."""
    desk.write(lambda tx: store.forget_silence(tx, silences.told), Priority.SLICE)


def _microseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
