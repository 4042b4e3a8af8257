"""What an event says, as it is stored: escaped where a database or a person could stumble over it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from alert_receivers.event import AlertEvent, visible

SUMMARY_LENGTH = 2_000


def said(e: AlertEvent) -> tuple[msgspec.Raw, str, str, int]:
    """Annotations, summary, the address of its origin, and what it lacks."""
    return stored(e.annotations), visible(e.summary)[:SUMMARY_LENGTH], visible(e.generator_url), _lacks(e)


def _lacks(e: AlertEvent) -> int:
    """What would help whoever gets the ticket: 1 a severity, 2 a service, 4 a runbook_url."""
    labels = e.labels
    named = labels.get("service") or labels.get("job")
    return (0 if e.severity else 1) | (0 if named else 2) | (0 if e.annotations.get("runbook_url") else 4)


def stored(texts: Mapping[str, str]) -> msgspec.Raw:
    """Labels or annotations as JSON that every database takes: escaped only where something must be."""
    try:
        plain = msgspec.json.encode(texts)
    except UnicodeEncodeError:  # a lone surrogate
        plain = b"\\u0000"
    return msgspec.Raw(msgspec.json.encode(visible_texts(texts)) if b"\\u0000" in plain else plain)


def visible_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """Labels or annotations as they are stored and shown."""
    return {visible(name): visible(value) for name, value in texts.items()}
