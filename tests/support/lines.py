"""Syslog lines as the listener hands them over: judged, stored, applied, counted."""

from __future__ import annotations

from alert_receivers.syslog.line import Line
from alert_receivers.syslog.listener import Counts
from servicedesk.desk import Desk
from servicedesk.services import apply, intake, syslog
from servicedesk.services.shared import lines as shared
from servicedesk.store.types import to_us


def send(
    desk: Desk, *raw: str | bytes, marks: int = 0, transport: str = "udp", session: int = 0, listening: bool = False
) -> syslog.Sifted:
    """One batch, applied. listening: a listener leaves its figures, too."""
    sifted = store_only(desk, *raw, marks=marks, transport=transport, session=session, listening=listening)
    apply.run_all(desk)
    return sifted


def store_only(
    desk: Desk, *raw: str | bytes, marks: int = 0, transport: str = "udp", session: int = 0, listening: bool = False
) -> syslog.Sifted:
    """One batch, stored and not applied yet."""
    now = to_us(desk.now())
    batch = [
        Line(text.encode() if isinstance(text, str) else text, "192.0.2.9", transport, now + i, marks, session)  # type: ignore[arg-type]
        for i, text in enumerate(raw)
    ]
    sieve = syslog.Sieve(desk)
    sifted = sieve.sift(batch)
    if sifted.kept:
        intake.store(desk, shared.encode(sifted.kept), "syslog", "syslog", shared.CONTENT_TYPE, desk.now())
    sieve.count(sifted)
    if listening:
        run = syslog.begin(desk, [("udp", "127.0.0.1", 5514)])
        syslog.note(desk, run, sieve, Counts({"udp": len(batch)}, 3, {}, {}))
    return sifted
