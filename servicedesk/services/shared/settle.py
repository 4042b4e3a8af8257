"""What syslog events mean beside what other events meant before: thresholds, a host's share of new tickets, examples.

Runs in the transaction that applies the events, before they are observed. Rows are locked in the order of digests, all
of them before any alert.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alert_receivers.event import alert_digest, visible
from servicedesk.desk import Desk
from servicedesk.domain.syslog_events import NOISY, LineEvent, Moment, Sample, noisy_host, reached, remembered
from servicedesk.services.shared.lines import encode_ended
from servicedesk.services.shared.observe import Seen
from servicedesk.store import syslog
from servicedesk.store.bulk import Row
from servicedesk.store.db import Tx
from servicedesk.store.syslog import Tally
from servicedesk.store.types import from_us, to_us

FIRST = 5  # examples that stay: how it began; the others are a ring of the newest
ENOUGH = 50  # examples, after which only one of so many lines is kept
SAMPLES = 30  # of several deliveries that are merged: the newest
TEXT_LENGTH, RAW_LENGTH = 4_000, 8_192


@dataclass(slots=True)
class _Line:
    """A syslog event of this slice. digest: of its alert; samples: with their deliveries."""

    seen: Seen
    event: LineEvent
    digest: bytes
    samples: list[tuple[int, Sample]]


def settle(tx: Tx, desk: Desk, seen: Sequence[Seen]) -> list[Seen]:
    """The events to observe: without those below their threshold, with a "noisy host" where one begins."""
    lines = [_line(s, s.event) for s in seen if isinstance(s.event, LineEvent)]
    if not lines:
        return list(seen)
    lines = _merged(lines)
    others = [s for s in seen if not isinstance(s.event, LineEvent)]
    lines = _thresholds(tx, lines)
    lines = _shares(tx, desk, lines)
    _keep(tx, lines)
    return [*others, *(replace(line.seen, event=line.event) for line in lines)]


def _line(seen: Seen, event: LineEvent) -> _Line:
    samples = [(seen.seq, sample) for sample in event.samples]
    return _Line(seen, event, alert_digest(seen.source, event.key), samples)


def _merged(lines: Sequence[_Line]) -> list[_Line]:
    """What deliveries of this slice say of one alert again and again, as one event: a flood costs its keys, not its
    lines.

    The first of a firing stays as it is, because its start decides; those after it become one that starts with the
    last of them. Whatever ends in between, or tells another severity, begins anew.
    """
    kept: list[_Line] = []
    chains: dict[bytes, list[_Line]] = {}
    for line in sorted(lines, key=lambda one: one.seen.seq):
        chain = chains.get(line.digest)
        if chain is None or not _same(chain[-1].event, line.event):
            chains[line.digest] = [line]
        elif len(chain) == 1:
            chain.append(line)
        else:
            _add(chain[1], line)
            continue
        kept.append(line)
    return kept


def _same(one: LineEvent, other: LineEvent) -> bool:
    return one.status == other.status == "firing" and one.severity == other.severity and one.rule == other.rule


def _add(line: _Line, more: _Line) -> None:
    """`more` came later."""
    one, other = line.event, more.event
    moments = tuple(sorted((*one.moments, *other.moments), key=lambda m: m.at))
    starts_at, count = max(one.starts_at, other.starts_at), one.count + other.count
    line.seen, line.event = more.seen, replace(other, starts_at=starts_at, count=count, moments=moments)
    line.samples = [*line.samples, *more.samples][-SAMPLES:]


# --- thresholds ----------------------------------------------------------------------------------------------------


def _thresholds(tx: Tx, lines: Sequence[_Line]) -> list[_Line]:
    counted: dict[bytes, list[_Line]] = {}
    for line in lines:
        if line.event.threshold is not None and line.event.moments:
            counted.setdefault(line.digest, []).append(line)
    if not counted:
        return list(lines)
    known = syslog.lock_windows(tx, counted.keys())
    rows: list[Row] = []
    below: set[int] = set()
    for digest, found in counted.items():
        moments = [Moment(from_us(at), value) for at, value in known.get(digest, ())]
        for line in found:
            threshold = line.event.threshold
            assert threshold is not None  # noqa: S101 - only those were collected
            moments = remembered(threshold, moments, line.event.moments)
            if not reached(threshold, moments, line.event.moments[0].at):
                below.add(id(line))
        rows.append(_window_row(digest, found[-1].event, moments))
    syslog.write_windows(tx, rows)
    return [line for line in lines if id(line) not in below]


def _window_row(digest: bytes, event: LineEvent, moments: Sequence[Moment]) -> Row:
    assert event.threshold is not None  # noqa: S101 - only those were collected
    told = [[to_us(m.at), visible(m.value)] for m in moments]
    expires = moments[-1].at + event.threshold.within
    return digest, event.rule, told, expires


# --- a host's share of new tickets ---------------------------------------------------------------------------------


def _shares(tx: Tx, desk: Desk, lines: Sequence[_Line]) -> list[_Line]:
    asking = [line for line in lines if line.event.status == "firing" and not line.event.unticketed]
    ticketed = syslog.with_ticket(tx, {line.digest for line in asking}) if asking else set()
    asking = [line for line in asking if line.digest not in ticketed and line.event.rule != NOISY]
    if not asking:
        return list(lines)
    limit = desk.config.syslog.new_alerts_per_hour
    hosts = {line.event.host: _host_digest(line.event.host) for line in asking}
    known = syslog.lock_shares(tx, hosts.values())
    shares = {host: _Share(*known.get(digest, (_hour(tx.now), 0))) for host, digest in hosts.items()}
    noisy: list[_Line] = []
    for line in asking:
        share = shares[line.event.host]
        if not share.admits(line, limit):
            why = f"{line.event.host} has raised {limit} new tickets within the hour: recorded."
            line.event = replace(line.event, unticketed=why)
            if share.begins_noise(limit):
                noisy.append(_noise(line, limit))
    syslog.write_shares(tx, {d: (d, visible(h), shares[h].hour, shares[h].count) for h, d in hosts.items()}.values())
    return [*lines, *noisy]


class _Share:
    """What one host has raised in an hour."""

    def __init__(self, hour: datetime, count: int) -> None:
        self.hour, self.count = hour, count
        self._admitted: set[bytes] = set()

    def admits(self, line: _Line, limit: int) -> bool:
        if line.digest in self._admitted:
            return True
        hour = _hour(line.seen.received_at)
        if hour > self.hour:
            self.hour, self.count = hour, 0
        if self.count >= limit:
            return False
        self.count += 1
        self._admitted.add(line.digest)
        return True

    def begins_noise(self, limit: int) -> bool:
        """Only once an hour."""
        if self.count > limit:
            return False
        self.count = limit + 1
        return True


def _noise(line: _Line, limit: int) -> _Line:
    event = noisy_host(line.event.host, line.event.starts_at, limit)
    return _line(replace(line.seen, event=event), event)


def _host_digest(host: str) -> bytes:
    return hashlib.sha256(host.lower().encode("utf-8", "surrogatepass")).digest()


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


# --- what is kept --------------------------------------------------------------------------------------------------


def _keep(tx: Tx, lines: Sequence[_Line]) -> None:
    """How many lines there were, the examples, and when silence ends the alert."""
    by_alert: dict[bytes, list[_Line]] = {}
    for line in lines:
        by_alert.setdefault(line.digest, []).append(line)
    tallies = syslog.tallies(tx, by_alert.keys())
    rows: list[Row] = []
    examples: list[Row] = []
    for digest, found in by_alert.items():
        before = tallies.get(digest, Tally(0, 0))
        lines_now = before.lines + sum(line.event.count for line in found)
        samples = _chosen(found, before, lines_now)
        examples += _examples(digest, samples, before.kept, found[-1].event.keep)
        counts = lines_now, before.kept + len(samples)
        event = found[-1].event
        names = visible(event.host), visible(event.app), visible(event.template)
        rows.append((digest, event.rule, *names, *counts, *_silence(found[-1])))
    syslog.write_alerts(tx, rows)
    syslog.write_examples(tx, examples)


def _silence(newest: _Line) -> tuple[bytes | None, datetime | None]:
    """(what ends it, when)."""
    event = newest.event
    if event.silence is None or event.status != "firing":
        return None, None
    return encode_ended(event), newest.seen.received_at + event.silence


def _chosen(found: Sequence[_Line], before: Tally, lines_now: int) -> list[tuple[int, Sample]]:
    """(delivery, line) of what is kept: all samples at the beginning, later the newest, once for ENOUGH lines."""
    if before.kept < ENOUGH:
        return [sample for line in found for sample in line.samples]
    if before.lines // ENOUGH == lines_now // ENOUGH:
        return []
    return found[-1].samples[-1:]


def _examples(digest: bytes, samples: Iterable[tuple[int, Sample]], number: int, keep: int) -> Iterable[Row]:
    """Rows of the table; of several for one slot the newest."""
    rows: dict[int, Row] = {}
    for n, (delivery_id, sample) in enumerate(samples, number):
        slot = _slot(n, keep)
        rows[slot] = _example(digest, slot, delivery_id, sample)
    return rows.values()


def _slot(number: int, keep: int) -> int:
    if keep <= FIRST:
        return number % keep
    return number if number < FIRST else FIRST + (number - FIRST) % (keep - FIRST)


def _example(digest: bytes, slot: int, delivery_id: int, sample: Sample) -> Row:
    """In the order of the table's columns."""
    told = visible(sample.text)[:TEXT_LENGTH], visible(sample.raw)[:RAW_LENGTH]
    names = visible(sample.host), visible(sample.app), sample.facility, sample.severity
    return digest, slot, delivery_id, sample.at, sample.arrived, *names, *told
