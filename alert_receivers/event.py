"""What every receiver answers: events parsed out of one raw delivery. Pure; knows nothing of the service desk."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

Status = Literal["firing", "resolved"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNTOLD = datetime(1, 1, 1, tzinfo=UTC)
"""The sender told no time: it is when the delivery was received (see `timed`)."""
_MICROSECOND = timedelta(microseconds=1)
_HIDDEN = re.compile("[\x00\ud800-\udfff]")


class MalformedPayload(ValueError):
    """The body as a whole cannot be read; the sentence says why."""


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One statement of a sender about one alert.

    key: 32 bytes, SHA-256 of the canonical label set (see `label_key`): with the source it is the alert's identity.
    severity: the sender's word as it is, or "". starts_at, ends_at: aware UTC, microseconds; ends_at is None while
    firing. clears: can this source say that the alert is over? fingerprint: as sent, else computed; shown and
    searched, never trusted. count: for how many equal statements of its delivery it stands. unticketed: why it is
    recorded without a ticket, or "". Texts are as sent: escape them with `visible` before storing.
    """

    key: bytes
    name: str
    status: Status
    severity: str
    starts_at: datetime
    ends_at: datetime | None
    clears: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    summary: str
    fingerprint: str
    generator_url: str
    count: int = 1
    unticketed: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one body holds. Indexes count the entries of the body from 0: each is an event or an error.

    truncated: how many alerts the sender says it cut off (they are not sent again). mismatched: how many sent
    fingerprints are not the ones of their labels, of those that were checked. silent: how
    many entries say nothing that would be an event.
    """

    events: tuple[tuple[int, AlertEvent], ...]
    errors: tuple[tuple[int, str], ...] = ()
    truncated: int = 0
    mismatched: int = 0
    silent: int = 0

    @property
    def total(self) -> int:
        return len(self.events) + len(self.errors) + self.silent


@dataclass(frozen=True, slots=True)
class Receiver:
    """A kind of sender. parse raises MalformedPayload; sample: a body that `parse` understands."""

    name: str
    title: str
    parse: Callable[[bytes], Parsed]
    sample: bytes = field(repr=False)


def label_key(labels: Mapping[str, str], dropped: Iterable[str] = ()) -> bytes:
    """SHA-256 of the label set without the dropped names: 32 bytes, the same for any order of the labels.

    Names and values are preceded by their lengths in characters, so that two different label sets never give the same
    text.
    """
    kept = {name: value for name, value in labels.items() if name not in dropped} if dropped else labels
    text = "".join([f"{len(name)}:{name}{len(kept[name])}:{kept[name]}" for name in sorted(kept)])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def alert_digest(source: str, key: bytes) -> bytes:
    """SHA-256 of an alert's identity (source, key): 32 bytes."""
    return hashlib.sha256(_source(source) + key).digest()


def event_digest(source: str, event: AlertEvent) -> bytes:
    """SHA-256 of an event's identity (source, key, status, starts_at, ends_at): 32 bytes, never NULL."""
    end = -1 if event.ends_at is None else _microseconds(event.ends_at)
    times = struct.pack(">qq", _microseconds(event.starts_at), end)
    return hashlib.sha256(_source(source) + event.key + event.status.encode() + times).digest()


def timed(event: AlertEvent, received_at: datetime) -> AlertEvent:
    """The event with its times; where the sender told none, the delivery's own counts, so that a replay is alike."""
    if event.starts_at is not UNTOLD and event.ends_at is not UNTOLD:
        return event
    starts_at = received_at if event.starts_at is UNTOLD else event.starts_at
    return replace(event, starts_at=starts_at, ends_at=received_at if event.ends_at is UNTOLD else event.ends_at)


def visible(text: str) -> str:
    r"""The text with NUL and lone surrogates as visible escapes (`\u0000`): PostgreSQL and UTF-8 refuse them."""
    if text.isascii() and "\x00" not in text:
        return text
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@lru_cache(maxsize=1_024)
def _source(source: str) -> bytes:
    raw = source.encode("utf-8", "surrogatepass")
    return b"%d:%b" % (len(raw), raw)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
