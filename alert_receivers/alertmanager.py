"""Alertmanager's webhook, payload version "4" (read from the sources of 0.34, measured against 0.25.0).

Of the body only `alerts[]` and `truncatedAlerts` count: the top `status`, `common*` and `groupKey` describe a group
that routing may cut or change. Unknown fields are ignored. One bad alert never costs its siblings.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from .event import AlertEvent, MalformedPayload, Parsed, Receiver, label_key

EARLIEST, LATEST = 1970, 9000  # years that a time may lie in, so that adding windows never overflows
FINGERPRINTS_KEPT = 16_384  # about 4 MB
CHECKED = 8  # one label set in so many: hashing costs more than all the rest of parsing
MAX_FINGERPRINT = 64  # characters of a sent fingerprint that are kept; a real one has 16


class Alert(msgspec.Struct, gc=False):
    """One entry of `alerts` as Alertmanager writes it."""

    status: str
    labels: dict[str, str]
    startsAt: str
    annotations: dict[str, str] = {}
    endsAt: str = ""
    generatorURL: str = ""
    fingerprint: str = ""


class _Body(msgspec.Struct):
    alerts: list[Alert]
    truncatedAlerts: int = 0


_decoder = msgspec.json.Decoder(_Body)
_fingerprints: dict[bytes, str] = {}  # computed, by label key


def parse(raw: bytes) -> Parsed:
    """Events of one webhook body. Raises MalformedPayload when it is not one."""
    try:
        body = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_leniently(raw)
    return _events(list(enumerate(body.alerts)), [], max(body.truncatedAlerts, 0))


def fingerprint_of(labels: dict[str, str]) -> str:
    """Alertmanager's fingerprint: FNV-1a 64 over the sorted `name 0xff value 0xff`, as 16 hex digits."""
    told = b"".join(
        text.encode("utf-8", "surrogatepass") + b"\xff" for name in sorted(labels) for text in (name, labels[name])
    )
    digest = 0xCBF29CE484222325
    for byte in told:
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def parse_time(text: str) -> datetime | None:
    """RFC 3339 with 0 to 9 fractional digits, cut to microseconds, as aware UTC; Go's zero time is None.

    Raises ValueError with a sentence.
    """
    if text.startswith("0001-01-0"):  # before any arithmetic: year 1 with an offset cannot be moved to UTC
        return None
    if len(text) < 20 or text[4] + text[7] != "--" or text[10] not in "Tt " or text[13] != ":":
        raise ValueError(f"{text[:40]!r} is not an RFC 3339 time")
    try:
        sent = datetime.fromisoformat(text.upper())
        at = sent.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:40]!r} is not an RFC 3339 time") from error
    if sent.tzinfo is None:
        raise ValueError(f"{text[:40]!r} names no time zone")
    if not EARLIEST <= at.year < LATEST:
        raise ValueError(f"{text[:40]!r} lies outside the years {EARLIEST} to {LATEST}")
    return at


def _parse_leniently(raw: bytes) -> Parsed:
    """Entry by entry, for a body that holds something unexpected: what is well formed is kept."""
    try:
        body = json.loads(raw.decode("utf-8-sig", "surrogateescape"), strict=False)
    except (ValueError, RecursionError) as error:
        raise MalformedPayload(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict) or not isinstance(body.get("alerts"), list):
        raise MalformedPayload("the body is JSON, but not a webhook of Alertmanager: it has no list `alerts`")
    alerts, errors = [], []
    for index, entry in enumerate(body["alerts"]):
        try:
            alerts.append((index, msgspec.convert(_without_nulls(entry), Alert)))
        except (msgspec.ValidationError, RecursionError) as error:
            errors.append((index, str(error)))
    truncated = body.get("truncatedAlerts")
    return _events(alerts, errors, truncated if isinstance(truncated, int) and truncated > 0 else 0)


def _without_nulls(entry: Any) -> Any:
    """Other senders write `"annotations": null` where Alertmanager writes nothing or {}."""
    return {name: value for name, value in entry.items() if value is not None} if isinstance(entry, dict) else entry


def _events(alerts: list[tuple[int, Alert]], errors: list[tuple[int, str]], truncated: int) -> Parsed:
    events, mismatched = [], 0
    for index, alert in alerts:
        try:
            event = _event(alert)
        except ValueError as error:
            errors.append((index, str(error)))
            continue
        events.append((index, event))
        if event.key[0] % CHECKED == 0 and alert.fingerprint:
            mismatched += alert.fingerprint != _computed(event.key, alert.labels)
    return Parsed(tuple(events), tuple(sorted(errors)), truncated, mismatched)


def _event(alert: Alert) -> AlertEvent:
    labels, status = alert.labels, alert.status
    if not labels:
        raise ValueError("it has no labels, so no identity")
    if status not in ("firing", "resolved"):
        raise ValueError(f"its status is {status[:40]!r}: only firing and resolved are known")
    starts_at = parse_time(alert.startsAt)
    ends_at = parse_time(alert.endsAt) if status == "resolved" and alert.endsAt else None
    if starts_at is None:
        raise ValueError("startsAt is the zero time")
    if status == "resolved" and ends_at is None:
        raise ValueError("it is resolved, but endsAt says no time")
    key, annotations = label_key(labels), alert.annotations
    return AlertEvent(
        key=key,
        name=labels.get("alertname", ""),
        status="firing" if status == "firing" else "resolved",
        severity=labels.get("severity", ""),
        starts_at=starts_at,
        ends_at=ends_at,
        clears=True,
        labels=labels,
        annotations=annotations,
        summary=annotations.get("summary") or annotations.get("message") or annotations.get("description") or "",
        fingerprint=alert.fingerprint[:MAX_FINGERPRINT] or _computed(key, labels),
        generator_url=alert.generatorURL,
    )


def _computed(key: bytes, labels: dict[str, str]) -> str:
    """Hashing byte by byte is slow in Python, and most alerts come again and again."""
    known = _fingerprints.get(key)
    if known is None:
        if len(_fingerprints) >= FINGERPRINTS_KEPT:
            _fingerprints.clear()
        known = _fingerprints[key] = fingerprint_of(labels)
    return known


SAMPLE = b"""{
  "version": "4", "receiver": "servicedesk", "status": "firing", "truncatedAlerts": 0,
  "groupKey": "{}:{alertname=\\"DiskFull\\"}", "externalURL": "http://alertmanager.example.org:9093",
  "groupLabels": {"alertname": "DiskFull"}, "commonLabels": {}, "commonAnnotations": {},
  "alerts": [{
    "status": "firing",
    "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
    "annotations": {"summary": "Disk full on db1", "runbook_url": "https://runbooks.example.org/disk"},
    "startsAt": "2026-11-21T21:08:38.639Z", "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus.example.org:9090/graph?g0.expr=up", "fingerprint": "e94c744ae3d44df8"
  }]
}"""

RECEIVER = Receiver("alertmanager", "Prometheus Alertmanager", parse, SAMPLE)
