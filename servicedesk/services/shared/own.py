"""What the desk itself has to report comes in by the same door as everybody's: a stored delivery, applied like any."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from servicedesk.desk import Desk
from servicedesk.services.shared import slices
from servicedesk.store import deliveries
from servicedesk.store.db import Tx


def entry(
    labels: Mapping[str, str], annotations: Mapping[str, str], starts_at: datetime, ends_at: datetime | None = None
) -> dict[str, Any]:
    """One alert as Alertmanager would write it. ends_at: it is over."""
    told = {"labels": labels, "annotations": annotations, "startsAt": starts_at.isoformat()}
    return told | ({"status": "firing"} if ends_at is None else {"status": "resolved", "endsAt": ends_at.isoformat()})


def row(source: str, entries: Sequence[Mapping[str, Any]], now: datetime, content_type: str) -> dict[str, Any]:
    """A delivery that holds these alerts, to be inserted."""
    body = msgspec.json.encode({"version": "4", "receiver": "servicedesk", "alerts": entries})
    return {
        "receiver": "alertmanager",
        "source": source,
        "content_type": f"application/json; {content_type}",
        "received_at": now,
        "body": zlib.compress(body, 1),
        "size": len(body),
    }


def store(tx: Tx, source: str, entries: Sequence[Mapping[str, Any]], content_type: str) -> int:
    """In the transaction that found it: told exactly once. Answers the delivery's id."""
    (number,) = deliveries.insert_many(tx, [row(source, entries, tx.now, content_type)])
    return number


def apply(desk: Desk, number: int) -> None:
    """At once and before all that waits, which may be what it tells of. Outside any transaction. Raises Busy."""
    desk.wake.notify("deliveries")
    while slices.step(desk, only=number):
        pass
