"""What Alertmanager posts, made small: bodies of one or more alerts, stored and applied as the receiver does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from servicedesk.desk import Desk
from servicedesk.services import apply, intake

ZERO = "0001-01-01T00:00:00Z"


def alert(labels: Mapping[str, str], starts: datetime, ends: datetime | None = None) -> dict[str, object]:
    """One alert of a version 4 payload; it is resolved when `ends` is given."""
    return {
        "status": "resolved" if ends else "firing",
        "labels": dict(labels),
        "annotations": {"summary": f"{labels.get('alertname', '')} on {labels.get('instance', '')}"},
        "startsAt": starts.isoformat(),
        "endsAt": ends.isoformat() if ends else ZERO,
        "generatorURL": "http://prometheus.example:9090/graph",
    }


def body(*alerts: Mapping[str, object]) -> bytes:
    """A whole webhook body."""
    return json.dumps({"version": "4", "receiver": "desk", "groupKey": "{}:{}", "alerts": alerts}).encode()


def post(desk: Desk, *alerts: Mapping[str, object], source: str = "alertmanager") -> int:
    """Store one delivery durably, as the receiver does before it answers 200; answers its id."""
    return intake.store(desk, body(*alerts), "alertmanager", source, "application/json", desk.now())


def deliver(desk: Desk, *alerts: Mapping[str, object], source: str = "alertmanager") -> None:
    """Store one delivery and apply all that waits."""
    post(desk, *alerts, source=source)
    apply.run_all(desk)
