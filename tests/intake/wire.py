"""What senders put on the wire: Alertmanager's bodies made by hand, and the captures with their times shifted."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from servicedesk.desk import Desk
from servicedesk.services import apply, intake

SAMPLES = Path(__file__).parent.parent / "samples" / "alertmanager"
CAPTURES = sorted(folder.name for folder in SAMPLES.iterdir())
ZERO_TIME = "0001-01-01T00:00:00Z"
_TIME = re.compile(rb'"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d)((?:\.\d+)?)Z"')


def alert(start: datetime, over: datetime | None = None, **labels: str) -> dict[str, Any]:
    """One entry of `alerts`; labels beside alertname as given."""
    return {
        "status": "firing" if over is None else "resolved",
        "labels": {"alertname": "DiskFull"} | labels,
        "annotations": {"summary": "Disk full"},
        "startsAt": start.isoformat().replace("+00:00", "Z"),
        "endsAt": ZERO_TIME if over is None else over.isoformat().replace("+00:00", "Z"),
        "generatorURL": "http://prometheus.example.org/graph?g0.expr=up",
    }


def body(*alerts: Any, **more: Any) -> bytes:
    """A body of version 4; its top status is a lie on purpose, nobody may read it."""
    status = {"version": "4", "status": "resolved", "receiver": "x", "groupKey": "{}", "truncatedAlerts": 0}
    return json.dumps(status | {"alerts": list(alerts)} | more).encode()


def send(desk: Desk, raw: bytes, source: str = "am", receiver: str = "alertmanager") -> int:
    """Store a body at the desk's present time; the delivery's id."""
    return intake.store(desk, raw, receiver, source, "application/json", desk.now())


def tell(desk: Desk, *alerts: Any, source: str = "am") -> int:
    """Send alerts in one body and apply what waits; the delivery's id."""
    delivery = send(desk, body(*alerts), source)
    apply.run_all(desk)
    return delivery


def capture(name: str, ago: timedelta, now: datetime) -> list[bytes]:
    """The bodies of a capture, shifted so that the first time in it lies `ago` before `now`."""
    bodies = [file.read_bytes().split(b"\r\n\r\n", 1)[1] for file in sorted((SAMPLES / name).iterdir())]
    first = min(datetime.fromisoformat(t.decode() + "+00:00") for raw in bodies for t, _ in _TIME.findall(raw))
    delta = now - ago - first

    def moved(found: re.Match[bytes]) -> bytes:
        at = datetime.fromisoformat(found[1].decode() + "+00:00") + delta
        return b'"' + at.strftime("%Y-%m-%dT%H:%M:%S").encode() + found[2] + b'Z"'

    return [_TIME.sub(moved, raw) for raw in bodies]
